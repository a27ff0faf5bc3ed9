"""Output shapes of the commonest operations, by arithmetic.

PyTorch has a shape function for every operation; many are Python, and the first
call of one imports a symbolic algebra package. These few rules spare a short run
that cost. They hold for contiguous float tensors and answer None for anything
else, which then goes to PyTorch; tests compare both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Shape = tuple[int, ...]


def contiguous_strides(shape: Sequence[int]) -> Shape:
    """Strides of a row-major tensor, in elements, as PyTorch gives them to a new one."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def infer_conv2d(
    image: Shape,
    weight: Shape,
    bias: Shape | None = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> Shape | None:
    """(N, C_out, H', W') of `aten::conv2d`, or None where the arguments do not fit."""
    fits = len(image) == len(weight) == 4 and image[1] == weight[1] * groups
    if not fits or weight[0] % groups or bias not in (None, weight[:1]):
        return None
    sizes = [
        _slide(image[axis + 2], weight[axis + 2], *geometry)
        for axis, geometry in enumerate(zip(stride, padding, dilation, strict=True))
    ]
    return (image[0], weight[0], *sizes) if min(sizes) > 0 and min(image) > 0 else None


def _slide(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def infer_batch_norm(image: Shape, *vectors: Any) -> Shape | None:
    """The input's shape, if every given vector has one number a channel."""
    shapes = [vector for vector in vectors if isinstance(vector, tuple)]
    fits = len(image) > 1 and all(vector == (image[1],) for vector in shapes)
    return image if fits else None


def infer_same(image: Shape, *arguments: Any) -> Shape | None:
    """The input's shape."""
    return image


def infer_softmax(image: Shape, dim: int, dtype: Any = None) -> Shape | None:
    """The input's shape, where the result keeps its dtype."""
    return image if dtype is None and -len(image) <= dim < len(image) else None


def infer_avg_pool2d(image: Shape, kernel: Any, stride: Any = (), *rest: Any) -> Shape | None:
    """(N, C, H', W') of an average pool without padding."""
    if len(image) != 4 or len(kernel) != 2 or rest:
        return None
    steps = list(stride) * (2 // len(stride)) if stride else kernel
    sizes = [_slide(image[a + 2], kernel[a], steps[a], 0, 1) for a in (0, 1)]
    return (*image[:2], *sizes) if min(sizes) > 0 else None


def infer_pad(image: Shape, pad: Any, mode: str = "constant", value: Any = None) -> Shape | None:
    """(..., H', W') with zeros added to the last axes, the last one first."""
    sizes = list(image)
    if len(pad) > 2 * len(image) or mode != "constant":
        return None
    for index in range(len(pad) // 2):
        sizes[-1 - index] += pad[2 * index] + pad[2 * index + 1]
    return tuple(sizes) if min(sizes) > 0 else None


def infer_sum(left: Shape, right: Any, alpha: Any = 1) -> Shape | None:
    """The shape of two equal ones."""
    return left if left == right else None


def infer_linear(rows: Shape, weight: Shape, bias: Shape | None = None) -> Shape | None:
    """(..., N) of (..., K) by weight (N, K)."""
    fits = rows and len(weight) == 2 and rows[-1] == weight[1] and bias in (None, weight[:1])
    return (*rows[:-1], weight[0]) if fits else None


def infer_adaptive_pool2d(image: Shape, size: Any) -> Shape | None:
    """(N, C, *size) of a batch of images."""
    fits = len(image) == 4 and len(size) == 2 and min(*image, *size) > 0
    return (*image[:2], *size) if fits else None


def infer_mean(image: Shape, axes: Any, keep: bool = False, dtype: Any = None) -> Shape | None:
    """The input's shape without these axes, or with one element along each."""
    rank = len(image)
    if not axes or dtype is not None or not all(-rank <= axis < rank for axis in axes):
        return None
    gone = {axis % rank for axis in axes}
    if len(gone) < len(axes):
        return None
    sizes = [1 if axis in gone else size for axis, size in enumerate(image)]
    return tuple(size for axis, size in enumerate(sizes) if keep or axis not in gone)


def infer_layer_norm(
    rows: Shape, axes: Any, weight: Any = None, bias: Any = None, *settings: Any
) -> Shape | None:
    """The input's shape, if scale and shift have that of its last axes."""
    axes = tuple(axes)
    fits = rows[len(rows) - len(axes) :] == axes and weight in (None, axes) and bias in (None, axes)
    return rows if axes and fits else None


def infer_grouped_mm(left: Shape, right: Shape, *rest: Any, **options: Any) -> Shape | None:
    """(M, N) of rows (M, K) by the matrices of their groups (G, K, N); else left to PyTorch."""
    fits = len(left) == 2 and len(right) == 3 and left[1] == right[1]
    return (left[0], right[2]) if fits else None


# Where PyTorch's shape function knows fewer dtypes than its kernels.
LENIENT_RULES: dict[str, Callable[..., Shape | None]] = {"aten::_grouped_mm": infer_grouped_mm}
# In place on a float tensor and nothing else: the tensor itself is the answer.
IN_PLACE = frozenset(
    f"aten::{name}_"
    for name in ("relu", "relu6", "hardtanh", "hardswish", "hardsigmoid", "silu", "sigmoid")
)
SHAPE_RULES: dict[str, Callable[..., Shape | None]] = {
    "aten::conv2d": infer_conv2d,
    "aten::batch_norm": infer_batch_norm,
    "aten::hardtanh": infer_same,
    "aten::relu6": infer_same,
    "aten::relu": infer_same,
    "aten::silu": infer_same,
    "aten::gelu": infer_same,
    "aten::hardswish": infer_same,
    "aten::hardsigmoid": infer_same,
    "aten::sigmoid": infer_same,
    "aten::add.Tensor": infer_sum,
    "aten::mul.Tensor": infer_sum,
    "aten::linear": infer_linear,
    "aten::mean.dim": infer_mean,
    "aten::layer_norm": infer_layer_norm,
    "aten::adaptive_avg_pool2d": infer_adaptive_pool2d,
    "aten::softmax.int": infer_softmax,
    "aten::avg_pool2d": infer_avg_pool2d,
    "aten::pad": infer_pad,
}
