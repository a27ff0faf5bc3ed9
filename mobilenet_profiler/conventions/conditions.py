"""When a rule applies: a named property of an operation, of a plain type."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mobilenet_profiler.conventions.quantities import find_shape
from mobilenet_profiler.cost import OpCost

Condition = Callable[[OpCost], object]


def has_affine(op: OpCost) -> bool:
    """Whether a norm has a weight."""
    return "weight" in op.arguments


def has_bias(op: OpCost) -> bool:
    """Whether a bias is added."""
    return "bias" in op.arguments


def uses_batch_statistics(op: OpCost) -> bool:
    """Whether BatchNorm computes statistics: in training, or where it keeps none."""
    return bool(op.options.get("training", False))


def is_transposed(op: OpCost) -> bool:
    """Whether a convolution is transposed."""
    return "transpose" in op.name or bool(op.options.get("transposed", False))


def is_scaled(op: OpCost) -> bool:
    """Whether an interpolation was given scale factors rather than a size."""
    return bool(op.options.get("scale_factors"))


def has_vector(op: OpCost) -> bool:
    """Whether a factor of a matrix product is a vector."""
    return any(len(shape) == 1 for shape in op.inputs[-2:])


def count_dimensions(op: OpCost) -> int:
    """Dimensions of the input."""
    return len(find_shape(op, "input") or (op.inputs[0] if op.inputs else ()))


def is_contiguous(op: OpCost) -> bool:
    """Whether its first tensor lies in memory in the order of its elements."""
    return op.contiguous


def has_named_padding(op: OpCost) -> bool:
    """Whether a convolution was given 'same' or 'valid' rather than numbers."""
    return isinstance(op.options.get("padding"), str)


CONDITIONS: Mapping[str, Condition] = {
    "affine": has_affine,
    "named_padding": has_named_padding,
    "bias": has_bias,
    "batch_statistics": uses_batch_statistics,
    "transposed": is_transposed,
    "scaled": is_scaled,
    "vector": has_vector,
    "dimensions": count_dimensions,
    "contiguous": is_contiguous,
}
