"""Multiply-accumulates of an operation from the shapes of its tensors.

A formula takes the shapes of the tensor arguments, in order and without the
absent ones, and the shape of the output. Bias additions are not MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

Shape = tuple[int, ...]
Formula = Callable[[Sequence[Shape], Shape], int]


def count_convolution(inputs: Sequence[Shape], output: Shape) -> int:
    """Each output position applies the whole kernel: D_K D_K M N D_F D_F (eq. 2), / groups.

    weight (C_out, C_in / groups, *kernel); output (N, C_out, *size) or (C_out, *size).
    """
    weight = inputs[1]
    return _count_positions(output, weight) * prod(weight)


def count_transposed_convolution(inputs: Sequence[Shape], output: Shape) -> int:
    """Each input position spreads through the whole kernel: weight (C_in, C_out / groups, ...)."""
    image, weight = inputs[0], inputs[1]
    return _count_positions(image, weight) * prod(weight)


def _count_positions(image: Shape, weight: Shape) -> int:
    rank = len(weight) - 2
    batch = image[0] if len(image) > rank + 1 else 1
    return batch * prod(image[len(image) - rank :])


def count_linear(inputs: Sequence[Shape], output: Shape) -> int:
    """input (..., K) by weight (N, K)."""
    return prod(inputs[0]) * (inputs[1][0] if len(inputs[1]) > 1 else 1)


def count_matmul(inputs: Sequence[Shape], output: Shape) -> int:
    """(..., M, K) by (..., K, N), broadcast: one product of length K an output element."""
    return prod(output) * inputs[0][-1]


def count_addmm(inputs: Sequence[Shape], output: Shape) -> int:
    """addend + (..., M, K) by (..., K, N); the addend adds, it does not multiply."""
    return prod(output) * inputs[1][-1]


FORMULAS: dict[str, Formula] = {
    "aten::conv1d": count_convolution,
    "aten::conv2d": count_convolution,
    "aten::conv3d": count_convolution,
    "aten::conv_transpose1d": count_transposed_convolution,
    "aten::conv_transpose2d": count_transposed_convolution,
    "aten::conv_transpose3d": count_transposed_convolution,
    "aten::linear": count_linear,
    "aten::matmul": count_matmul,
    "aten::mm": count_matmul,
    "aten::mv": count_matmul,
    "aten::dot": count_matmul,
    "aten::bmm": count_matmul,
    "aten::addmm": count_addmm,
    "aten::addmv": count_addmm,
    "aten::baddbmm": count_addmm,
}
