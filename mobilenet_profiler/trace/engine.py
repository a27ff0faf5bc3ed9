"""The recorder: a dispatch mode that sees every ATen operation and runs none.

Operations arrive whole (`aten::conv2d`, `aten::linear`) because the forward pass
runs in inference mode. Each is answered with a meta tensor of the right shape,
remembered by operation, shapes, strides, dtypes and other arguments, so that the
second identical layer costs a dictionary look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mobilenet_profiler.cost import OpCost, Shape, Status
from mobilenet_profiler.trace.formulas import FORMULAS
from mobilenet_profiler.trace.policy import find_rule
from mobilenet_profiler.trace.shapes import SHAPE_RULES, contiguous_strides

_GEOMETRY = ("kernel_size", "stride", "padding", "dilation", "groups")
_CACHE_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """An operation on given shapes: what it costs, and how to answer it again.

    answer: (shape, strides, dtype) of its one fresh output, or None where the
    output is no fresh tensor and PyTorch must be asked each time.
    """

    cost: OpCost
    answer: tuple[Shape, Shape, torch.dtype] | None


_recipes: dict[Any, Recipe] = {}


class OperationRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records each operation beside the path of the module it ran in."""

    def __init__(self, names: dict[int, str], owners: dict[int, list[str]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names, self.owners = names, owners
        self.stack: list[str] = [""]
        self.records: list[tuple[str, Recipe]] = []
        self.calls: dict[str, int] = {}
        self.failure: Exception | None = None
        self.failed_at: str | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Without this, PyTorch wraps the method below and imports its compiler.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        key = _make_key(func, args, kwargs)
        recipe = _recipes.get(key) if key else None
        if recipe is not None and recipe.answer is not None:
            self.records.append((self._attribute(args), recipe))
            shape, strides, dtype = recipe.answer
            return torch.empty_strided(shape, strides, dtype=dtype, device="meta")
        if recipe is None and _is_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        output, answer = _run(func, args, kwargs)
        recipe = recipe or Recipe(_cost_operation(func, args, kwargs, output), answer)
        self.records.append((self._attribute(args), recipe))
        if key:
            if len(_recipes) >= _CACHE_LIMIT:
                _recipes.clear()
            _recipes[key] = recipe
        return output

    def _attribute(self, args: Any) -> str:
        """The running module, or the one whose parameter is used outside its forward."""
        current = self.stack[-1]
        owners = self.owners.get(id(args[1])) if len(args) > 1 else None
        return owners[0] if owners and current not in owners else current

    @contextmanager
    def follow_modules(self) -> Iterator[None]:
        """Keep `stack` at the path of the running module while the body runs."""
        original = nn.Module.__call__
        stack, names, calls = self.stack, self.names, self.calls

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            path = names.get(id(module), stack[-1])
            stack.append(path)
            calls[path] = calls.get(path, 0) + 1
            try:
                return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]
            except Exception as error:
                if self.failure is not error:  # the innermost module comes first
                    self.failure, self.failed_at = error, path
                raise
            finally:
                stack.pop()

        nn.Module.__call__ = call  # type: ignore[method-assign]
        try:
            yield
        finally:
            nn.Module.__call__ = original  # type: ignore[method-assign]

    def list_operations(self) -> tuple[OpCost, ...]:
        """What was recorded, in order, each with its path."""
        return tuple(replace(recipe.cost, path=path) for path, recipe in self.records)


def _make_key(func: Any, args: Any, kwargs: Any) -> Any:
    try:
        key = (func, tuple(map(_describe, args)), tuple(map(_describe, kwargs.items())))
        hash(key)
    except TypeError:
        return None
    return key


def _describe(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.shape, value.stride(), value.dtype, value.is_meta
    if isinstance(value, list | tuple):
        return tuple(map(_describe, value))
    return type(value), value


def _is_composite(func: Any) -> bool:
    """Made of other operations, and neither counted nor free as a whole."""
    name = _name(func)
    return name not in FORMULAS and _find_rule(func) is None and _decomposes(func)


def _decomposes(func: Any) -> bool:
    composite = torch._C.DispatchKey.CompositeImplicitAutograd
    return isinstance(func, torch._ops.OpOverload) and func.has_kernel_for_dispatch_key(composite)


def _name(func: Any) -> str:
    return getattr(func, "_name", str(func)).split(".")[0]


def _find_rule(func: Any) -> str | None:
    pointwise = torch.Tag.pointwise in getattr(func, "tags", ())
    return find_rule(_name(func), pointwise, bool(getattr(func, "is_view", False)))


def _run(func: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The output on meta tensors, and the recipe's answer where it is one fresh tensor.

    Constants that the forward pass makes for itself (`torch.arange(3)`) are real and
    small; work on them alone is done, so that it may look at their values.
    """
    if _is_constant(func, args, kwargs):
        return func(*args, **kwargs), None
    answer = _infer(func, args, kwargs)
    if answer is not None:
        shape, strides, dtype = answer
        return torch.empty_strided(shape, strides, dtype=dtype, device="meta"), answer
    output = func(*_map(_to_meta, args), **{k: _map(_to_meta, v) for k, v in kwargs.items()})
    if not isinstance(output, Tensor) or not output.is_meta or _aliases(func, output, args):
        return output, None
    return output, (output.shape, output.stride(), output.dtype)


def _is_constant(func: Any, args: Any, kwargs: Any) -> bool:
    tensors = _tensors(args) + _tensors(list(kwargs.values()))
    if not tensors:
        return str(kwargs.get("device")) == "cpu"
    return not func._schema.is_mutable and not any(tensor.is_meta for tensor in tensors)


def _infer(func: Any, args: Any, kwargs: Any) -> tuple[Shape, Shape, torch.dtype] | None:
    rule = SHAPE_RULES.get(getattr(func, "_name", ""))
    tensors = [value for value in args if isinstance(value, Tensor)]
    if rule is None or kwargs or not all(t.is_contiguous() for t in tensors):
        return None
    dtype = tensors[0].dtype
    if not dtype.is_floating_point or any(tensor.dtype is not dtype for tensor in tensors):
        return None
    shape = rule(*(tuple(v.shape) if isinstance(v, Tensor) else v for v in args))
    return (shape, contiguous_strides(shape), dtype) if shape else None


def _aliases(func: Any, output: Tensor, args: Any) -> bool:
    if getattr(func, "is_view", False) or func._schema.is_mutable:
        return True
    storage = output.untyped_storage()._cdata
    return any(tensor.untyped_storage()._cdata == storage for tensor in _tensors(args))


def _to_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else value.to("meta")
    if isinstance(value, torch.device):
        return torch.device("meta")
    return value


def _map(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_map(function, item) for item in value)
    return function(value)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _cost_operation(func: Any, args: Any, kwargs: Any, output: Any) -> OpCost:
    name = _name(func)
    inputs, outputs = _tensors(args) + _tensors(list(kwargs.values())), _tensors(output)
    shapes = tuple(tuple(tensor.shape) for tensor in inputs)
    results = tuple(tuple(tensor.shape) for tensor in outputs)
    formula = FORMULAS.get(name)
    rule = None if formula else _find_rule(func)
    status: Status = "counted" if formula else "free" if rule else "unknown"
    moved = not getattr(func, "is_view", False)
    return OpCost(
        path="",
        name=name,
        inputs=shapes,
        outputs=results,
        dtype=str(outputs[0].dtype).removeprefix("torch.") if outputs else "",
        status=status,
        macs=formula(shapes, results[0]) if formula else 0,
        bytes_read=sum(map(_count_bytes, inputs)) if moved else 0,
        bytes_written=sum(map(_count_bytes, outputs)) if moved else 0,
        geometry=_read_geometry(func, args, kwargs),
    )


def _count_bytes(tensor: Tensor) -> int:
    return prod(tensor.shape) * tensor.element_size()


def _read_geometry(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    names = [argument.name for argument in func._schema.arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    found = {name: given[name] for name in _GEOMETRY if name in given}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}
