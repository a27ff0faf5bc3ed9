"""What is known of an ATen operation, and what one use of it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator, OpOverload

from mobilenet_profiler.cost import OpCost, Status
from mobilenet_profiler.trace.formulas import FORMULAS
from mobilenet_profiler.trace.policy import count_elements, find_rule
from mobilenet_profiler.trace.registered import find_operation_cost

_PLAIN = (int, float, bool, str, torch.dtype, torch.layout, torch.device, torch.memory_format)
_STATISTICS = frozenset({"running_mean", "running_var"})  # written to; no schema says so
_VALUE_TAGS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation's own properties, the same in every use.

    composite: made of other operations, and neither counted nor free as a whole.
    looks: its result depends on the values of its inputs, not on their shapes alone.
    written: the arguments that it writes to.
    """

    name: str
    arguments: tuple[str, ...]
    formula: Callable[..., int] | None
    rule: str | None
    composite: bool
    view: bool
    mutable: bool
    looks: bool
    written: tuple[str, ...] = ()


_known: dict[Any, Operation] = {}


def describe_operation(func: Any) -> Operation:
    """The operation of a dispatched function; remembered."""
    known = _known.get(func)
    if known is None:
        known = _known[func] = _read_operation(func)
    return known


def forget_operations() -> None:
    """What was read before a change of the registered costs is read again."""
    _known.clear()


def _read_operation(func: Any) -> Operation:
    name = name_operation(func)
    formula = find_operation_cost(name) or _find_formula(name)
    schema = getattr(func, "_schema", None)
    tags = set(getattr(func, "tags", ()))
    view = bool(getattr(func, "is_view", False)) or torch.Tag.inplace_view in tags
    rule = None if formula else find_rule(name, torch.Tag.pointwise in tags, view)
    return Operation(
        name=name,
        arguments=tuple(argument.name for argument in schema.arguments) if schema else (),
        formula=formula,
        rule=rule,
        composite=formula is None and rule is None and _decomposes(func),
        view=view,
        mutable=bool(schema and schema.is_mutable),
        looks=bool(tags & _VALUE_TAGS),
        written=_list_written(schema) if schema else (),
    )


def _find_formula(name: str) -> Callable[..., int] | None:
    """Of the operation, or of the one that `aten::addmm_` does in place."""
    return FORMULAS.get(name) or FORMULAS.get(name.removesuffix("_"))


def _list_written(schema: Any) -> tuple[str, ...]:
    arguments = schema.arguments
    return tuple(
        argument.name
        for argument in arguments
        if argument.name in _STATISTICS
        or (argument.alias_info is not None and argument.alias_info.is_write)
    )


def find_written(operation: Operation, args: Any, kwargs: Any) -> list[Tensor]:
    """The tensors that this use writes to."""
    named = dict(zip(operation.arguments, args, strict=False)) | kwargs
    return [tensor for name in operation.written for tensor in list_tensors(named.get(name))]


def name_operation(func: Any) -> str:
    """`aten::conv2d` of any of its overloads; `higher_order::cond`."""
    if isinstance(func, HigherOrderOperator):
        return f"higher_order::{func._name}"
    return str(getattr(func, "_name", func)).split(".")[0]


def _decomposes(func: Any) -> bool:
    composite = torch._C.DispatchKey.CompositeImplicitAutograd
    return isinstance(func, OpOverload) and func.has_kernel_for_dispatch_key(composite)


def cost_operation(
    operation: Operation, args: Any, kwargs: Any, output: Any, site: str = ""
) -> OpCost:
    """What one use costs; its path is filled in where it ran."""
    inputs, names = [], []
    for name, value in _name_arguments(operation, args, kwargs):
        found = list_tensors(value)
        inputs += found
        names += [name] * len(found)
    outputs = list_tensors(output)
    shapes = tuple(tuple(tensor.shape) for tensor in inputs)
    results = tuple(tuple(tensor.shape) for tensor in outputs)
    options = _read_options(operation, args, kwargs)
    rule = operation.rule or ""
    status: Status = "counted" if operation.formula else "free" if rule else "unknown"
    return OpCost(
        path="",
        name=operation.name,
        inputs=shapes,
        outputs=results,
        dtype=str(outputs[0].dtype).removeprefix("torch.") if outputs else "",
        status=status,
        macs=_apply(operation.formula, args, kwargs, output) if operation.formula else 0,
        bytes_read=0 if operation.view else sum(map(_count_bytes, inputs)),
        bytes_written=0 if operation.view else sum(map(_count_bytes, outputs)),
        options=options,
        arguments=tuple(names),
        rule=rule,
        elementwise=count_elements(operation.name, rule, shapes, results, options) if rule else 0,
        site=site,
        contiguous=not inputs or _is_contiguous(inputs[0]),
    )


def _is_contiguous(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and tensor.is_contiguous()


def _apply(formula: Callable[..., int], args: Any, kwargs: Any, output: Any) -> int:
    shapes = [to_shapes(value) for value in args]
    keywords = {name: to_shapes(value) for name, value in kwargs.items()}
    return int(formula(*shapes, **{**keywords, "out": to_shapes(output)}))


def to_shapes(value: Any) -> Any:
    """Tensors as shapes, lists of them as lists of shapes, packed weights as their shape."""
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, list):
        return [to_shapes(item) for item in value]
    if isinstance(value, tuple):
        return tuple(to_shapes(item) for item in value)
    packed = unpack_weights(value)
    return tuple(packed[0].shape) if packed else value


def unpack_weights(value: Any) -> list[Tensor]:
    """Weight and bias inside a packed parameter of the quantised operations."""
    if not isinstance(value, torch.ScriptObject) or not hasattr(value, "unpack"):
        return []
    return [tensor for tensor in value.unpack() if isinstance(tensor, Tensor)]


def _name_arguments(operation: Operation, args: Any, kwargs: Any) -> list[tuple[str, Any]]:
    names = operation.arguments
    named = [
        (names[index] if index < len(names) else f"arg{index}", value)
        for index, value in enumerate(args)
    ]
    return [*named, *kwargs.items()]


def _read_options(operation: Operation, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments that are no tensors, lists as tuples."""
    options: dict[str, Any] = {}
    for name, value in _name_arguments(operation, args, kwargs):
        if isinstance(value, list | tuple):
            if all(isinstance(item, _PLAIN) for item in value):
                options[name] = tuple(value)
        elif isinstance(value, _PLAIN):
            options[name] = value if isinstance(value, int | float | str) else str(value)
    return options


def list_tensors(value: Any) -> list[Tensor]:
    """The tensors in an argument or a result, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in list_tensors(item)]
    return []


def _count_bytes(tensor: Tensor) -> int:
    return prod(tensor.shape) * tensor.element_size()
