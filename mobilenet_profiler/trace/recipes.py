"""Operations seen before: what they cost and how to answer them without PyTorch.

PyTorch's shape functions take most of the time of a pass on meta tensors. A use of
an operation is known by its shapes, strides, dtypes and other arguments; the same use
again costs a dictionary look-up. What is remembered is how the result relates to the
arguments: one of them returned (in-place work, dropout in eval mode), a view of one,
or fresh tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, get_default_dtype, nn

from mobilenet_profiler.cost import OpCost, Phase
from mobilenet_profiler.trace.operations import Operation, list_tensors, to_shapes
from mobilenet_profiler.trace.shapes import LENIENT_RULES, SHAPE_RULES, contiguous_strides

Answer = Callable[[Any], Any]

_PLACES = 256  # places remembered of one use
_META = torch.device("meta")
_RESHAPING = frozenset({"aten::resize_", "aten::resize_as_", "aten::set_"})
_ABSOLUTE = frozenset({"aten::as_strided", "aten::as_strided_"})  # offsets into the storage
_SCALARS = (int, float, bool, str, type(None), torch.dtype, torch.device, torch.layout)
_INTS = {int}
_HASHABLE = frozenset({*_SCALARS, torch.memory_format})


class Recipe:
    """One use of an operation: its cost, and an answer unless PyTorch must be asked.

    still: it moves or makes data and counts nothing, so that where it ran matters little.
    """

    __slots__ = ("_placed", "answer", "cost", "still")

    def __init__(self, cost: OpCost, answer: Answer | None) -> None:
        self.cost, self.answer = cost, answer
        self.still = cost.status == "free" and not cost.elementwise
        self._placed: dict[tuple[str, str, Phase], OpCost] = {}

    def place(self, path: str, owner: str, phase: Phase) -> OpCost:
        """The cost as it ran at this place."""
        where = (path, owner, phase)
        placed = self._placed.get(where)
        if placed is None:
            if len(self._placed) >= _PLACES:
                self._placed.clear()
            placed = self._placed[where] = self.cost.at(path, owner, phase)
        return placed


def make_key(func: Any, args: Any, kwargs: Any) -> Any:
    """What the result of a use depends on, or None where that is not known."""
    parts = [func, get_default_dtype()]
    try:
        for value in args:
            kind = type(value)
            if kind is Tensor or kind is nn.Parameter:
                # A complex view may be conjugate, and a sparse tensor has no strides.
                if value.dtype.is_complex:
                    return None
                parts.append((value.shape, value.stride(), value.dtype, value.is_meta))
            elif kind is int or value is None:
                parts.append(value)
            elif kind in _HASHABLE:
                parts.append((kind, value))
            else:
                parts.append(_describe(value))
        for name, value in kwargs.items() if kwargs else ():
            parts.append((name, _describe(value)))
    except (_UnknownKindError, RuntimeError):
        return None
    return tuple(parts)


class _UnknownKindError(Exception):
    """An argument of a kind on which a result may depend in ways not known here."""


def _describe(value: Any) -> Any:
    kind = type(value)
    if kind in _HASHABLE:
        return kind, value
    if kind is list or kind is tuple:
        if value and type(value[0]) is int and {*map(type, value)} == _INTS:
            return tuple(value)
        return kind, tuple([_describe(item) for item in value])
    if (kind is Tensor or kind is nn.Parameter) and not value.dtype.is_complex:
        return value.shape, value.stride(), value.dtype, value.is_meta
    raise _UnknownKindError


def make_answer(
    func: Any, operation: Operation, args: Any, kwargs: Any, output: Any
) -> Answer | None:
    """How to give this output again from arguments of the same shapes, or None."""
    if kwargs and list_tensors(list(kwargs.values())):
        return None
    if isinstance(output, Tensor):
        found = _answer_one(operation, args, output)
    else:
        found = _answer_several(operation, args, output)
    if found is None and not kwargs and all(t.is_meta for t in list_tensors(args)):
        return lambda args: func(*args)
    return found


def _answer_several(operation: Operation, args: Any, output: Any) -> Answer | None:
    fresh = type(output) is tuple and all(type(item) is Tensor for item in output)
    if not fresh or operation.mutable or operation.view:
        return None
    if any(_find_source(args, item) for item in output) or _overlap(output):
        return None
    makers = [make_fresh(item) for item in output]
    return lambda args: tuple([make(args) for make in makers])


def _answer_one(operation: Operation, args: Any, output: Tensor) -> Answer | None:
    if type(output) is not Tensor or not output.is_meta or output.dtype.is_complex:
        return _answer_itself(operation, args, output)
    if operation.name in _ABSOLUTE:
        return None
    source = _find_source(args, output)
    if source is None:
        return None if operation.mutable or operation.view else make_fresh(output)
    index = source[0]
    if args[index] is output:
        return _answer_itself(operation, args, output, index)
    plain = isinstance(args[index], Tensor) and args[index].dtype is output.dtype
    if operation.mutable or len(source) > 1 or not plain:
        return None
    return _make_view(index, args[index], output)


def _answer_itself(
    operation: Operation, args: Any, output: Tensor, index: int = 0
) -> Answer | None:
    """In-place work on meta tensors changes nothing but values, which there are not."""
    reshapes = operation.mutable and (operation.view or operation.name in _RESHAPING)
    if reshapes or len(args) <= index or args[index] is not output or not output.is_meta:
        return None
    return answer_itself(index)


def answer_itself(index: int) -> Answer:
    """The argument at this place."""
    return lambda args: args[index]


def make_fresh(output: Tensor) -> Answer:
    """A new meta tensor of the same shape, strides and dtype."""
    return answer_fresh(tuple(output.shape), output.stride(), output.dtype)


def answer_fresh(shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> Answer:
    """A new meta tensor."""
    make = torch.empty_strided
    return lambda args: make(shape, strides, dtype=dtype, device=_META)


def _make_view(index: int, source: Tensor, output: Tensor) -> Answer:
    shape, strides = tuple(output.shape), output.stride()
    offset = output.storage_offset() - source.storage_offset()

    def answer(args: Any) -> Tensor:
        tensor: Tensor = args[index]
        return tensor.as_strided(shape, strides, tensor.storage_offset() + offset)

    return answer


def _find_source(args: Any, output: Tensor) -> list[int] | None:
    """Which positional arguments share the output's memory."""
    storage = output.untyped_storage()._cdata
    found = [
        index
        for index, value in enumerate(args)
        for tensor in list_tensors(value)
        if tensor.untyped_storage()._cdata == storage
    ]
    return found or None


def _overlap(outputs: tuple[Tensor, ...]) -> bool:
    return len({item.untyped_storage()._cdata for item in outputs}) < len(outputs)


def is_plain(value: Any) -> bool:
    """Whether this is a float tensor on meta, of no class of its own."""
    return type(value) is Tensor and value.is_meta and value.dtype.is_floating_point


def infer_leniently(operation: Operation, args: Any) -> Tensor | None:
    """A result whose shape is plain where PyTorch's own shape function refuses."""
    rule = LENIENT_RULES.get(operation.name)
    shape = rule(*to_shapes(args)) if rule else None
    return torch.empty(shape, dtype=args[0].dtype, device=_META) if shape else None


def infer(func: Any, args: Any, kwargs: Any) -> tuple[Any, Any, torch.dtype] | None:
    """Shape, strides and dtype by arithmetic, for contiguous tensors of one float dtype."""
    rule = SHAPE_RULES.get(getattr(func, "_name", ""))
    if rule is None or kwargs:
        return None
    tensors = list_tensors(args)
    if not tensors or not all(tensor.is_contiguous() for tensor in tensors):
        return None
    dtype = tensors[0].dtype
    if not dtype.is_floating_point or any(tensor.dtype is not dtype for tensor in tensors):
        return None
    shape = rule(*[tuple(v.shape) if isinstance(v, Tensor) else v for v in args])
    return None if shape is None else (shape, contiguous_strides(shape), dtype)
