"""Multiply-accumulates of an operation from the shapes of its tensors.

A formula takes the operation's own arguments, each tensor as its shape and each
list of tensors as a list of shapes, and `out`: the shape of the output, or the
shapes of several. Bias additions are not MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

Shape = tuple[int, ...]
Formula = Callable[..., int]


def count_convolution(image: Shape, weight: Shape, *rest: Any, out: Shape, **options: Any) -> int:
    """Each output position applies the whole kernel: D_K D_K M N D_F D_F (eq. 2), / groups.

    weight (C_out, C_in / groups, *kernel); out (N, C_out, *size) or (C_out, *size).
    """
    return _count_positions(out, weight) * prod(weight)


def count_transposed_convolution(image: Shape, weight: Shape, *rest: Any, **options: Any) -> int:
    """Each input position spreads through the whole kernel: weight (C_in, C_out / groups, ...)."""
    return _count_positions(image, weight) * prod(weight)


def count_any_convolution(
    image: Shape,
    weight: Shape,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    *rest: Any,
    out: Shape,
    **options: Any,
) -> int:
    """`aten::convolution`, which says in an argument whether it is transposed."""
    return _count_positions(image if transposed else out, weight) * prod(weight)


def count_convolution_backward(
    gradient: Shape,
    image: Shape,
    weight: Shape,
    bias_sizes: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    output_mask: Sequence[bool],
    **options: Any,
) -> int:
    """As many products as the forward pass for each wanted gradient, of input and weight.

    Every product of the forward pass, weight times input, is once a term of the
    gradient of that weight and once of that input; groups are in the weight's shape.
    """
    positions = _count_positions(image if transposed else gradient, weight)
    return positions * prod(weight) * sum(map(bool, output_mask[:2]))


def count_time_convolution(image: Shape, weight: Shape, *rest: Any, out: Shape, **_: Any) -> int:
    """`conv_tbc`: out (T, B, C_out), weight (kernel, C_in, C_out)."""
    return prod(out[:-1]) * prod(weight)


def _count_positions(image: Shape, weight: Shape) -> int:
    rank = len(weight) - 2
    batch = image[0] if len(image) > rank + 1 else 1
    return batch * prod(image[len(image) - rank :])


def count_linear(rows: Shape, weight: Shape, *rest: Any, **options: Any) -> int:
    """input (..., K) by weight (N, K)."""
    return prod(rows) * (weight[0] if len(weight) > 1 else 1)


def count_matmul(left: Shape, right: Shape, *rest: Any, out: Shape, **options: Any) -> int:
    """(..., M, K) by (..., K, N), broadcast: one product of length K an output element."""
    return prod(out) * left[-1]


def count_addmm(
    addend: Shape, left: Shape, right: Shape, *_: Any, out: Shape, **options: Any
) -> int:
    """addend + (..., M, K) by (..., K, N); the addend adds, it does not multiply."""
    return prod(out) * left[-1]


def count_addbmm(addend: Shape, left: Shape, right: Shape, *_: Any, **options: Any) -> int:
    """addend + the sum of B products (M, K) by (K, N)."""
    return prod(left) * right[-1]


def count_outer(addend: Shape, left: Shape, right: Shape, *rest: Any, **options: Any) -> int:
    """`addr`: addend + (M, 1) by (1, N)."""
    return prod(left) * prod(right)


def count_distances(left: Shape, right: Shape, *rest: Any, out: Shape, **options: Any) -> int:
    """`_euclidean_dist`: one product of length M + 2, which holds the squares too."""
    return prod(out) * (left[-1] + 2)


def count_chain(matrices: Sequence[Shape], *, out: Any, **options: Any) -> int:
    """`linalg_multi_dot`: the cheapest order of M1 M2 ... Mn, as PyTorch chooses it.

    Cormen et al., Introduction to Algorithms, section 15.2 (matrix-chain multiplication).
    """
    shapes = [shape if len(shape) > 1 else (1, *shape) for shape in matrices[:1]]
    shapes += [shape if len(shape) > 1 else (*shape, 1) for shape in matrices[1:]]
    sizes = [shapes[0][0], *(shape[1] for shape in shapes)]
    best: dict[tuple[int, int], int] = {(i, i): 0 for i in range(len(shapes))}
    for length in range(1, len(shapes)):
        for i in range(len(shapes) - length):
            j = i + length
            best[i, j] = min(
                best[i, k] + best[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            )
    return best[0, len(shapes) - 1]


def count_bilinear(left: Shape, right: Shape, weight: Shape, *rest: Any, **options: Any) -> int:
    """x1 (..., I), x2 (..., J), weight (O, I, J): per output x1 W, I J, and its dot with x2."""
    return prod(left[:-1]) * weight[0] * (weight[1] * weight[2] + weight[2])


def count_trilinear(
    first: Shape,
    second: Shape,
    third: Shape,
    expand1: Sequence[int],
    expand2: Sequence[int],
    expand3: Sequence[int],
    sums: Sequence[int],
    *rest: Any,
    **options: Any,
) -> int:
    """`_trilinear`, what `bilinear` and its gradients are made of: first by second by third.

    Ones are put into the shapes at the given axes; an axis that is summed is gone before
    the second product where the third tensor does not have it.
    """
    shapes = [_expand(first, expand1), _expand(second, expand2), _expand(third, expand3)]
    pair: list[int] = [max(sizes) for sizes in zip(*shapes[:2], strict=True)]
    left = [1 if a in sums and shapes[2][a] == 1 else size for a, size in enumerate(pair)]
    last: list[int] = [max(sizes) for sizes in zip(left, shapes[2], strict=True)]
    return prod(pair) + prod(last)


def _expand(shape: Shape, axes: Sequence[int]) -> list[int]:
    sizes = list(shape)
    for axis in axes:
        sizes.insert(axis, 1)
    return sizes


def count_attention(
    query: Shape, key: Shape, value: Shape, *rest: Any, out: Any, **options: Any
) -> int:
    """query (..., L, E) by key (..., S, E), then scores (..., L, S) by value (..., S, V).

    The whole L x S product, also under a causal or sparse mask: PyTorch's own kernels
    skip part of it or not, and no published count does. Query heads count where keys
    and values are shared by groups of them; out is (..., L, V), or a tuple that begins so.
    """
    result = out if isinstance(out[0], int) else out[0]
    return int(prod(result[:-1]) * key[-2] * (query[-1] + value[-1]))


def count_attention_backward(
    gradient: Shape, query: Shape, key: Shape, value: Shape, *rest: Any, **options: Any
) -> int:
    """The fused kernels compute the scores again, then four products: 3 E + 2 V a score."""
    return prod(query[:-1]) * key[-2] * (3 * query[-1] + 2 * value[-1])


def count_flat_attention(
    query: Shape, key: Shape, value: Shape, *rest: Any, out: Any, **options: Any
) -> int:
    """The same with heads inside: (B, L, H, E), as `_flash_attention_forward` has them."""
    batch, length, heads = query[:-1]
    return batch * length * heads * key[-3] * (query[-1] + value[-1])


def count_recurrent(rows: Shape, *arguments: Any, **options: Any) -> int:
    """Every weight matrix of every layer and direction once a step and sequence.

    rows (T, B, I), (B, T, I) or packed (sum of lengths, I); the weights are the last
    list of arguments, biases have one dimension. Gates multiply elementwise: no MACs.
    """
    weights = [item for item in arguments if isinstance(item, list)][-1]
    return prod(rows[:-1]) * _count_matrices(weights)


def count_hidden_recurrent(rows: Shape, *arguments: Any, gates: int, **options: Any) -> int:
    """`quantized_lstm`, `quantized_gru`: the same where the weights have no shape to read.

    After the rows, and the batch sizes where these are packed: state (layers x directions,
    B, H) or a list that begins so, weights, biased, layers, dropout, train, bidirectional.
    gates: 4 matrices or 3.
    """
    packed = isinstance(arguments[0], tuple) and len(arguments[0]) == 1
    state, _, _, layers, _, _, bidirectional = arguments[packed : packed + 7]
    hidden = (state[0] if isinstance(state, list) else state)[-1]
    directions = 2 if bidirectional else 1
    inner = (layers - 1) * (directions * hidden + hidden)
    return int(prod(rows[:-1]) * directions * gates * hidden * (rows[-1] + hidden + inner))


def count_cell(rows: Shape, state: Any, *weights: Any, **options: Any) -> int:
    """One step: input (B, I) by weight (G H, I), state (B, H) by weight (G H, H)."""
    matrices = [shape for shape in weights[:2] if isinstance(shape, tuple)]
    return prod(rows[:-1]) * sum(map(prod, matrices))


def count_fused_recurrent(rows: Shape, *weights: Any, **options: Any) -> int:
    """`mkldnn_rnn_layer`: one layer, one direction: (T, B, I) by its two matrices."""
    return prod(rows[:-1]) * _count_matrices(weights[:2])


def count_packed_recurrent(rows: Shape, weights: Any, *rest: Any, **options: Any) -> int:
    """`_cudnn_rnn`: the weights as one list."""
    return prod(rows[:-1]) * _count_matrices(weights)


def _count_matrices(weights: Sequence[Shape]) -> int:
    return sum([prod(weight) for weight in weights if len(weight) == 2])


def count_fused_projections(
    query: Shape,
    key: Shape,
    value: Shape,
    width: int,
    heads: int,
    qkv_weight: Shape,
    qkv_bias: Any,
    weight: Shape,
    *rest: Any,
    **options: Any,
) -> int:
    """`_native_multi_head_attention`: projections in and out, and both products."""
    batch, length, _ = query
    inside = batch * (length + key[1] + value[1]) * width * width
    products = 2 * batch * length * key[1] * width
    return inside + products + batch * length * prod(weight)


def count_fused_encoder_layer(
    rows: Shape,
    width: int,
    heads: int,
    qkv_weight: Shape,
    qkv_bias: Any,
    out_weight: Shape,
    *rest: Any,
    **options: Any,
) -> int:
    """`_transformer_encoder_layer_fwd`: attention over itself and two linear layers."""
    batch, length, _ = rows
    matrices = [shape for shape in rest if isinstance(shape, tuple) and len(shape) == 2][:2]
    projections = prod(qkv_weight) + prod(out_weight) + sum(map(prod, matrices))
    return batch * length * projections + 2 * batch * length * length * width


def count_packed_linear(rows: Shape, weight: Shape, *rest: Any, **options: Any) -> int:
    """`quantized::linear`: the packed weight (N, K) is given as its shape."""
    return prod(rows) * weight[0]


def count_packed_time(image: Shape, weight: Shape, *rest: Any, out: Shape, **options: Any) -> int:
    """`quantized::conv1d`, whose weight is packed with a height: (C_out, C_in / groups, 1, K)."""
    return count_convolution(image, (*weight[:2], weight[-1]), out=out)


def count_packed_transposed_time(image: Shape, weight: Shape, *rest: Any, **options: Any) -> int:
    """`quantized::conv_transpose1d`: the same, (C_in, C_out / groups, 1, K)."""
    return count_transposed_convolution(image, (*weight[:2], weight[-1]))


def count_int4_linear(rows: Shape, *rest: Any, out: Shape, **options: Any) -> int:
    """`_weight_int4pack_mm`: (M, K) by a packed (N, K); N is in the output."""
    return prod(out) * rows[-1]


def count_grouped_mm(left: Shape, right: Shape, *rest: Any, out: Shape, **options: Any) -> int:
    """`_grouped_mm`: each row of (M, K) by the matrix of its own group, (G, K, N)."""
    if len(left) == 2 and len(right) == 3:
        return prod(left) * right[-1]
    if len(left) == 2:  # (M, K) and (K, N), split along K: a product a group
        return left[0] * left[1] * right[-1]
    return prod(out) * left[-1]


_CONVOLUTIONS = dict.fromkeys(
    (
        *("conv1d", "conv2d", "conv3d", "cudnn_convolution", "mkldnn_convolution"),
        *("_slow_conv2d_forward", "slow_conv3d_forward", "slow_conv_dilated2d"),
        *("slow_conv_dilated3d", "_conv_depthwise2d", "conv_depthwise3d", "thnn_conv2d"),
        *("miopen_convolution", "miopen_depthwise_convolution", "slow_conv3d"),
        *("miopen_convolution_relu", "miopen_convolution_add_relu"),
        "_nnpack_spatial_convolution",
        *("cudnn_convolution_relu", "cudnn_convolution_add_relu", "_mps_convolution"),
    ),
    count_convolution,
)
_TRANSPOSED = dict.fromkeys(
    (
        *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        *("slow_conv_transpose2d", "slow_conv_transpose3d", "cudnn_convolution_transpose"),
        *("miopen_convolution_transpose", "_mps_convolution_transpose"),
    ),
    count_transposed_convolution,
)
_ATTENTION = dict.fromkeys(
    (
        *("scaled_dot_product_attention", "_scaled_dot_product_attention_math"),
        *("_scaled_dot_product_flash_attention", "_scaled_dot_product_flash_attention_for_cpu"),
        *("_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention"),
        *("_scaled_dot_product_fused_attention_overrideable",),
        *("_scaled_dot_product_attention_math_for_mps", "_triton_scaled_dot_attention"),
    ),
    count_attention,
)
_ATTENTION_BACKWARD = dict.fromkeys(
    (
        *("_scaled_dot_product_flash_attention_backward",),
        *("_scaled_dot_product_flash_attention_for_cpu_backward",),
        *("_scaled_dot_product_efficient_attention_backward",),
        *("_scaled_dot_product_cudnn_attention_backward",),
        *("_scaled_dot_product_fused_attention_overrideable_backward",),
    ),
    count_attention_backward,
)
_PRODUCTS: dict[str, Formula] = {
    **dict.fromkeys(
        ("matmul", "mm", "mv", "dot", "vdot", "bmm", "_int_mm", "_scaled_mm", "_scaled_mm_v2"),
        count_matmul,
    ),
    **dict.fromkeys(("addmm", "addmv", "baddbmm", "_addmm_activation"), count_addmm),
    **dict.fromkeys(("linear", "mkldnn_linear", "_weight_int8pack_mm"), count_linear),
    **dict.fromkeys(
        ("_grouped_mm", "_scaled_grouped_mm", "_scaled_grouped_mm_v2"), count_grouped_mm
    ),
    "addbmm": count_addbmm,
    "addr": count_outer,
    "_euclidean_dist": count_distances,
    "linalg_multi_dot": count_chain,
    "bilinear": count_bilinear,
    "_trilinear": count_trilinear,
    "_weight_int4pack_mm": count_int4_linear,
    "_weight_int4pack_mm_for_cpu": count_int4_linear,
}
_RECURRENT: dict[str, Formula] = {
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), count_recurrent),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), count_cell),
    "mkldnn_rnn_layer": count_fused_recurrent,
    "_cudnn_rnn": count_packed_recurrent,
    "quantized_lstm": partial(count_hidden_recurrent, gates=4),
    "quantized_gru": partial(count_hidden_recurrent, gates=3),
}
_FUSED: dict[str, Formula] = {
    "convolution": count_any_convolution,
    "_convolution": count_any_convolution,
    "convolution_overrideable": count_any_convolution,
    "convolution_backward": count_convolution_backward,
    "convolution_backward_overrideable": count_convolution_backward,
    "conv_tbc": count_time_convolution,
    "_flash_attention_forward": count_flat_attention,
    "_efficient_attention_forward": count_flat_attention,
    "_native_multi_head_attention": count_fused_projections,
    "_transformer_encoder_layer_fwd": count_fused_encoder_layer,
}
_ATEN: dict[str, Formula] = {
    **_CONVOLUTIONS,
    **_TRANSPOSED,
    **_ATTENTION,
    **_ATTENTION_BACKWARD,
    **_PRODUCTS,
    **_RECURRENT,
    **_FUSED,
}
_PACKED_ENDINGS = ("", "_relu", "_dynamic", "_add", "_add_relu")
_QUANTISED: dict[str, Formula] = {
    **{
        f"quantized::{name}": count_packed_linear
        for name in (
            *("linear", "linear_relu", "linear_leaky_relu", "linear_tanh"),
            *("linear_dynamic", "linear_relu_dynamic", "linear_dynamic_fp16"),
            "linear_relu_dynamic_fp16",
        )
    },
    **{
        f"quantized::conv{rank}d{ending}": count_packed_time if rank == 1 else count_convolution
        for rank in (1, 2, 3)
        for ending in _PACKED_ENDINGS
    },
    **{
        f"quantized::conv_transpose{rank}d{ending}": (
            count_packed_transposed_time if rank == 1 else count_transposed_convolution
        )
        for rank in (1, 2, 3)
        for ending in ("", "_dynamic")
    },
    **{
        f"quantized::quantized_{kind}_cell_dynamic": count_cell
        for kind in ("lstm", "gru", "rnn_relu", "rnn_tanh")
    },
}
FORMULAS: dict[str, Formula] = {
    **{f"aten::{name}": formula for name, formula in _ATEN.items()},
    **_QUANTISED,
    "torchvision::deform_conv2d": count_convolution,
    "higher_order::flex_attention": count_attention,
}
