"""Which operations are free by rule, and how many element operations they are.

A rule says why an operation costs no MACs; what has neither a formula nor a rule is
unknown and is reported. Moving data counts nothing; the other rules count elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import log2, prod
from typing import Any

Shape = tuple[int, ...]

_RANKS = (1, 2, 3)
_RULES: dict[str, tuple[str, ...]] = {
    "elementwise": (  # pointwise, though PyTorch leaves some form of each untagged
        *("hardswish", "hardsigmoid", "hardtanh", "hardshrink", "softshrink", "leaky_relu"),
        *("elu", "gelu", "mish", "threshold", "abs", "copysign", "heaviside", "xlogy", "gcd"),
        *("lcm", "eq", "ne", "lt", "le", "gt", "ge", "floor_divide", "rsub", "_add_relu"),
        *("__irshift__", "_masked_scale", "linalg_cross"),
    ),
    "normalisation": (
        *("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"),
        *("native_batch_norm", "native_layer_norm", "native_group_norm", "local_response_norm"),
        *("_native_batch_norm_legit", "_native_batch_norm_legit_no_training"),
        *("cudnn_batch_norm", "miopen_batch_norm", "_batch_norm_with_update", "_fused_rms_norm"),
        *("_batch_norm_no_update", "_weight_norm", "_weight_norm_interface", "renorm"),
        *("_native_batch_norm_legit_functional", "_batch_norm_with_update_functional"),
        *("batch_norm_elemt", "batch_norm_stats", "embedding_renorm", "quantized_batch_norm"),
    ),
    "activation": (
        *("softmax", "_softmax", "_safe_softmax", "_log_softmax", "log_softmax", "prelu"),
        *("glu", "dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"),
        *("native_dropout", "_prelu_kernel", "rrelu", "rrelu_with_noise", "_masked_softmax"),
        *(
            "log_sigmoid",
            "log_sigmoid_forward",
            "softplus",
            "special_softmax",
            "special_log_softmax",
        ),
        *("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine"),
        *("_fake_quantize_learnable_per_tensor_affine", "_fused_dropout", "glu_jvp"),
        *("_fake_quantize_learnable_per_channel_affine", "rrelu_with_noise_functional"),
        *("fake_quantize_per_tensor_affine_cachemask", "_thnn_fused_lstm_cell"),
        *("fake_quantize_per_channel_affine_cachemask", "_thnn_fused_gru_cell"),
        *("_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",),
    ),
    "pooling": (
        *(f"{kind}_pool{rank}d" for kind in ("avg", "max", "lp") for rank in _RANKS),
        *(f"max_pool{rank}d_with_indices" for rank in _RANKS),
        *(f"fractional_max_pool{rank}d" for rank in _RANKS),
        *(f"max_unpool{rank}d" for rank in _RANKS),
        *(f"adaptive_{kind}_pool{rank}d" for kind in ("avg", "max") for rank in _RANKS),
        *(f"_adaptive_avg_pool{rank}d" for rank in (2, 3)),
        *(f"{kind}_max_pool{rank}d" for kind in ("mkldnn", "quantized") for rank in _RANKS),
        "mkldnn_adaptive_avg_pool2d",
    ),
    "reduction": (
        *("mean", "nanmean", "sum", "nansum", "prod", "var", "std", "var_mean", "std_mean"),
        *("norm", "linalg_norm", "linalg_vector_norm", "linalg_matrix_norm", "dist"),
        *("amax", "amin", "aminmax", "max", "min", "argmax", "argmin", "any", "all", "mode"),
        *("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "logsumexp", "median"),
        *("nanmedian", "count_nonzero", "embedding_bag", "_embedding_bag", "trace"),
        *("_embedding_bag_forward_only", "topk", "sort", "argsort", "msort", "kthvalue"),
        *("quantile", "nanquantile", "bincount", "histc", "searchsorted", "bucketize"),
        *("cosine_similarity", "pairwise_distance", "diff", "trapezoid", "equal", "is_nonzero"),
        *("unique_consecutive", "unique_dim", "_unique2", "nonzero", "nonzero_static"),
        *("cross_entropy_loss", "nll_loss", "nll_loss_nd", "nll_loss2d", "nll_loss_forward"),
        *("nll_loss2d_forward", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"),
        *("binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div", "ctc_loss"),
        *("_ctc_loss", "margin_ranking_loss", "cosine_embedding_loss", "soft_margin_loss"),
        *(
            "_cdist_forward",
            "_cdist",
            "isin",
            "value_selecting_reduction",
            "_aminmax",
            "_is_all_true",
            "_is_any_true",
            "native_norm",
        ),
        *("multi_margin_loss", "multilabel_margin_loss_forward", "segment_reduce", "_unique"),
        *("unique_dim_consecutive", "_logcumsumexp", "_cummax_helper", "_cummin_helper"),
        *("_pdist_forward", "multilabel_margin_loss", "hash_tensor", "allclose"),
    ),
    "interpolation": (
        *(f"upsample_{kind}" for kind in ("nearest1d", "nearest2d", "nearest3d", "linear1d")),
        *(f"_upsample_nearest_exact{rank}d" for rank in _RANKS),
        *("upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d"),
        *("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"),
        *("grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "affine_grid_generator"),
        *("cudnn_grid_sampler", "_grid_sampler_2d_cpu_fallback", "_upsample_lanczos2d_aa"),
        "cudnn_affine_grid_generator",
    ),
    "transform": (*("_fft_r2c", "_fft_c2c", "_fft_c2r"),),
    "movement": (
        *("pad", "constant_pad_nd", "cat", "concat", "concatenate", "stack", "hstack", "vstack"),
        *(f"{kind}_pad{rank}d" for kind in ("reflection", "replication") for rank in _RANKS),
        *("clone", "contiguous", "copy", "copy_", "_to_copy", "to", "roll", "repeat", "type_as"),
        *("flatten", "reshape", "_reshape_copy", "_unsafe_view", "view_copy", "expand_copy"),
        *("embedding", "index", "_unsafe_index", "index_select", "gather", "where", "take"),
        *("take_along_dim", "masked_fill", "masked_scatter", "masked_select", "scatter"),
        *("scatter_add", "scatter_reduce", "slice_scatter", "select_scatter", "index_put"),
        *("diagonal_scatter", "as_strided_scatter", "index_add", "index_copy", "index_fill"),
        *("_index_put_impl", "_unsafe_index_put", "put", "index_reduce", "tril", "triu", "flip"),
        *("fliplr", "flipud", "rot90", "repeat_interleave", "tile", "meshgrid", "block_diag"),
        *("channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"),
        *("im2col", "col2im", "unfold_copy", "unfold_backward", "combinations", "view"),
        *("cartesian_prod", "one_hot", "lift", "lift_fresh", "lift_fresh_copy", "detach_copy"),
        *("_pack_padded_sequence", "_pad_packed_sequence", "pad_sequence", "_pack_sequence"),
        *("complex", "polar", "view_as_real_copy", "resolve_conj", "resolve_neg", "real"),
        *("unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "split_with_sizes_copy"),
        *("split_copy", "unbind_copy", "_conj_physical", "fill", "zero", "fill_diagonal"),
        *("dropout_", "resize", "resize_as", "set", "_resize_output", "to_dense", "_to_dense"),
        *("quantize_per_tensor", "quantize_per_channel", "quantize_per_tensor_dynamic"),
        *("dequantize", "int_repr", "_make_per_tensor_quantized_tensor", "_nested_tensor_size"),
        *("_local_scalar_dense", "item", "empty_quantized", "_assert_async", "_assert_scalar"),
        *("_assert_tensor_metadata", "_functional_assert_async", "sym_size", "sym_stride"),
        *("is_same_size", "_has_compatible_shallow_copy_type", "alias_copy", "_shape_as_tensor"),
        *("q_scale", "q_zero_point", "data", "_fw_primal", "_cast_Float", "_cast_Half"),
        *("diag_embed", "diag", "constant_pad", "linalg_diagonal", "record_stream"),
        *(
            "_to_sparse",
            "_linalg_check_errors",
            "select",
            "slice",
            "diagonal",
            "as_strided",
            "expand",
            "unfold",
        ),  # their gradients
        *("_unsafe_masked_index", "_chunk_cat", "_stack"),
        *("_unsafe_masked_index_put_accumulate", "narrow_copy", "permute_copy", "select_copy"),
        *("slice_copy", "squeeze_copy", "t_copy", "transpose_copy", "unsqueeze_copy"),
        *("as_strided_copy", "diagonal_copy", "view_as_complex_copy", "_conj_copy"),
        *("_neg_view_copy", "_reshape_alias_copy", "_pin_memory", "is_pinned", "is_set_to"),
        *("to_padded_tensor", "_lazy_clone", "sym_constrain_range", "_functional_assert_scalar"),
        *("sym_constrain_range_for_size", "_functional_sym_constrain_range", "_print"),
    ),
    "creation": (
        *("empty", "empty_strided", "empty_permuted", "zeros", "ones", "full", "arange", "eye"),
        *("linspace", "logspace", "range", "scalar_tensor", "tril_indices", "triu_indices"),
        *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"),
        *("bernoulli", "normal", "uniform", "exponential", "multinomial", "cauchy", "random"),
        *("log_normal", "geometric", "poisson", "_standard_gamma", "_sample_dirichlet"),
        *("normal_functional", "new_empty", "new_zeros", "new_ones", "new_full"),
        *("new_empty_strided", "empty_like", "zeros_like", "ones_like", "full_like"),
        *("hann_window", "hamming_window", "blackman_window", "bartlett_window", "vander"),
        *("kaiser_window", "_efficientzerotensor", "detach"),
    ),
}
FREE: dict[str, str] = {
    **{f"aten::{name}": rule for rule, names in _RULES.items() for name in names},
    "torchvision::nms": "reduction",
    "torchvision::roi_align": "interpolation",
    "torchvision::roi_pool": "pooling",
    "torchvision::ps_roi_align": "interpolation",
    "torchvision::ps_roi_pool": "pooling",
    "quantized::add": "elementwise",
    "quantized::add_relu": "elementwise",
    "quantized::mul": "elementwise",
    "quantized::cat": "movement",
    "quantized::hardswish": "elementwise",
    "quantized::batch_norm2d": "normalisation",
    "prims::device_put": "movement",
    "prims::convert_element_type": "movement",
}
RULES: dict[str, str] = {
    "elementwise": "one operation an output element; PyTorch tags them pointwise",
    "normalisation": "scales and shifts elements by statistics; one operation an element",
    "activation": "transforms elements, softmax and dropout among them; one an element",
    "pooling": "reduces windows without weights; one operation an input element",
    "reduction": "sums, extremes, sorts, scans, losses; one operation an input element",
    "interpolation": "mixes neighbours by position; one operation an output element",
    "transform": "fast Fourier transform of N numbers: 5 N log2 N operations (FFTW's measure)",
    "movement": "moves, views, selects or converts data; no operations",
    "creation": "makes data from nothing; no operations",
}

_BACKWARD = re.compile(r"(_dense)?_backward(_data)?$")  # the gradient of free work is free


def find_rule(name: str, pointwise: bool, view: bool) -> str | None:
    """Why the operation is free, or None.

    name: `aten::hardtanh`. pointwise, view: what torch itself says of it.
    """
    known = FREE.get(name) or FREE.get(name.removesuffix("_"))
    if known or view:
        return known or "movement"
    if name.startswith("aten::_foreach_"):
        return "elementwise"
    if pointwise:
        return "elementwise"
    forward = _BACKWARD.sub("", name)
    return FREE.get(forward) if forward != name else None


def list_rules() -> list[tuple[str, str, list[str]]]:
    """Each rule with its meaning and the operations that it names, in order."""
    return [
        (rule, meaning, sorted(name for name in FREE if FREE[name] == rule))
        for rule, meaning in RULES.items()
    ]


def count_elements(
    name: str,
    rule: str,
    inputs: Sequence[Shape],
    outputs: Sequence[Shape],
    options: Mapping[str, Any],
) -> int:
    """Element operations of a free operation; the measure of each rule is in RULES.

    A bag of embeddings adds up the rows that it reads, not all of its table; a
    distance takes every coordinate of both its points.
    """
    if "embedding_bag" in name and "backward" not in name:
        return prod(inputs[1]) * inputs[0][-1]
    if name == "aten::_cdist_forward":
        return prod(outputs[0]) * inputs[0][-1]
    if rule == "transform":
        return _count_butterflies(inputs[0], outputs[0], options.get("dim", (-1,)))
    shapes = inputs if rule in ("pooling", "reduction") else outputs
    return prod(shapes[0]) if shapes and rule not in ("movement", "creation") else 0


def _count_butterflies(image: Shape, output: Shape, axes: Sequence[int]) -> int:
    """5 N log2 N for each transform; a real side is as long as its complex one would be."""
    sizes = [max(pair) for pair in zip(image, output, strict=True)]
    length = prod(sizes[axis] for axis in axes)
    return round(5 * prod(sizes) * log2(length)) if length > 1 else 0
