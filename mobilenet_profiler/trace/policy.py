"""Which operations are free by rule: they move, compare or transform elements one by one.

A rule says why; what has neither a formula nor a rule is unknown and is reported.
"""

from __future__ import annotations

_RULES: dict[str, tuple[str, ...]] = {
    "normalisation": (
        *("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"),
        *("native_batch_norm", "native_layer_norm", "native_group_norm", "_weight_norm_interface"),
    ),
    "activation": (
        *("softmax", "_softmax", "_safe_softmax", "log_softmax", "_log_softmax"),
        *("prelu", "glu", "dropout", "feature_dropout", "native_dropout"),
    ),
    "pooling": (
        *(f"{kind}_pool{rank}d" for kind in ("avg", "max") for rank in (1, 2, 3)),
        *(f"max_pool{rank}d_with_indices" for rank in (2, 3)),
        *(f"adaptive_{kind}_pool{rank}d" for kind in ("avg", "max") for rank in (1, 2, 3)),
    ),
    "reduction": (
        *("mean", "sum", "prod", "var", "std", "var_mean", "norm", "linalg_vector_norm"),
        *("amax", "amin", "max", "min", "argmax", "argmin", "any", "all"),
        *("cumsum", "cumprod", "logsumexp", "topk", "sort", "argsort"),
    ),
    "movement": (
        *("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d"),
        *("cat", "stack", "clone", "contiguous", "copy_", "_to_copy", "to", "roll", "repeat"),
        *("flatten", "reshape", "embedding", "index", "index_select", "gather", "where"),
        *("masked_fill", "scatter", "slice_scatter", "index_put", "tril", "triu", "flip"),
        *("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d"),
        *("channel_shuffle", "pixel_shuffle", "pixel_unshuffle"),
    ),
    "creation": (
        *("empty", "zeros", "ones", "full", "arange", "linspace", "eye", "scalar_tensor"),
        *("rand", "randn", "randint", "rand_like", "randn_like", "bernoulli", "normal", "uniform"),
        *("new_empty", "new_zeros", "new_ones", "new_full"),
        *("empty_like", "zeros_like", "ones_like", "full_like", "lift_fresh", "detach"),
    ),
}
FREE: dict[str, str] = {f"aten::{name}": rule for rule, names in _RULES.items() for name in names}


def find_rule(name: str, pointwise: bool, view: bool) -> str | None:
    """Why the operation is free, or None.

    name: `aten::hardtanh`. pointwise, view: what torch itself says of it.
    """
    if pointwise:
        return "elementwise"
    if view:
        return "movement"
    return FREE.get(name) or FREE.get(name.removesuffix("_"))
