"""Laws of the counts, for any width, size, batch and kernel."""

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import mobilenet_profiler as mp
from mobilenet_profiler.cost import Cost, Trace
from mobilenet_profiler.rows import GROUPINGS, SORT_KEYS, make_rows, summarise_kinds

TENTHS = st.integers(1, 20).map(lambda tenths: tenths / 10)
EIGHTHS = st.sampled_from([1, 2, 3, 4, 6, 8, 12])
SIZES = st.integers(2, 9).map(lambda times: 32 * times)


def body_macs(trace: Trace) -> int:
    return sum(layer.macs for layer in trace.counted if layer.path != "logits")


def macs_of(trace: Trace, kind: str) -> int:
    return sum(row.cost.macs for row in summarise_kinds(trace) if row.kind.startswith(kind))


@given(
    TENTHS,
    st.integers(32, 300),
    st.sampled_from(GROUPINGS),
    st.sampled_from([None, *SORT_KEYS]),
    st.sampled_from([None, 1, 5, 100]),
    st.booleans(),
)
def test_rows_add_up_to_the_total(
    alpha: float, size: int, by: str, sort: str | None, top: int | None, every: bool
) -> None:
    trace = mp.trace("mobilenet_v1", alpha=alpha, resolution=size, global_pool=True)
    rows = make_rows(trace, by=by, sort=sort, top=top, every=every)
    assert sum((row.cost for row in rows), Cost()) == trace.total
    assert sum(row.layers for row in rows) == len(trace.layers)


@given(st.integers(1, 4), st.integers(32, 300))
def test_collapsed_rows_add_up_to_the_total(depth: int, size: int) -> None:
    trace = mp.trace("mobilenet_v1", resolution=size, global_pool=True)
    assert sum((row.cost for row in make_rows(trace, depth=depth)), Cost()) == trace.total


@given(EIGHTHS, SIZES)
def test_pointwise_scales_with_alpha_squared_and_depthwise_with_alpha(
    eighths: int, size: int
) -> None:
    # Every depth of Table 1 is a multiple of 32, so eighths divide all of them.
    alpha = Fraction(eighths, 8)
    common: dict[str, Any] = {"resolution": size, "min_depth": 1, "global_pool": True}
    whole = mp.trace("mobilenet_v1", **common)
    scaled = mp.trace("mobilenet_v1", alpha=eighths / 8, **common)
    assert macs_of(scaled, "pointwise") == alpha**2 * macs_of(whole, "pointwise")
    assert macs_of(scaled, "depthwise") == alpha * macs_of(whole, "depthwise")
    assert macs_of(scaled, "full") == alpha * macs_of(whole, "full")


@given(TENTHS, SIZES)
def test_the_body_scales_with_beta_squared(alpha: float, size: int) -> None:
    whole = mp.trace("mobilenet_v1", alpha=alpha)
    scaled = mp.trace("mobilenet_v1", alpha=alpha, beta=size / 224, global_pool=True)
    assert body_macs(scaled) == Fraction(size, 224) ** 2 * body_macs(whole)


@given(TENTHS, st.integers(1, 64))
def test_a_batch_of_n_is_n_times_a_batch_of_1(alpha: float, batch: int) -> None:
    one = mp.trace("mobilenet_v1", alpha=alpha, resolution=64)
    many = mp.trace("mobilenet_v1", alpha=alpha, resolution=64, batch=batch)
    assert many.total.macs == batch * one.total.macs
    assert many.total.activations == batch * one.total.activations
    assert many.total.params == one.total.params


@given(
    st.integers(1, 9),
    st.integers(1, 64),
    st.integers(1, 3),
    st.integers(1, 128),
    st.sampled_from([32, 33, 48]),
)
def test_separable_over_full_is_one_over_n_plus_one_over_k_squared(
    kernel: int, depth: int, stride: int, channels: int, size: int
) -> None:
    # Equation 5 of arXiv 1704.04861.
    shape = [kernel, kernel]
    stem = ("Conv", shape, 1, channels)
    common: dict[str, Any] = {"resolution": size, "min_depth": 1, "num_classes": 0}
    pair = mp.trace("mobilenet_v1", rows=(stem, ("DepthSepConv", shape, stride, depth)), **common)
    full = mp.trace("mobilenet_v1", rows=(stem, ("Conv", shape, stride, depth)), **common)
    separable = sum(layer.macs for layer in pair.counted if layer.path.startswith("Conv2d_1"))
    standard = sum(layer.macs for layer in full.counted if layer.path.startswith("Conv2d_1"))
    assert Fraction(separable, standard) == Fraction(1, depth) + Fraction(1, kernel**2)
