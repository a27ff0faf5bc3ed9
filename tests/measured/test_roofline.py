"""What binds a layer and how near it comes, by hand and for any numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.measured.profile import LayerWork
from mobilenet_profiler.measured.roofline import (
    Bandwidth,
    Bound,
    Ceiling,
    Overhead,
    Peak,
    bound_layer,
    choose_memory_bandwidth,
    find_bandwidth,
    find_intensity,
    find_memory_bandwidth,
    find_overhead,
    find_peak,
    find_rate,
    find_ridge,
    join_ceilings,
    make_point,
    name_operation,
)
from tests.ceilings import make_bandwidth, make_ceiling, make_peak

CEILING = make_ceiling()
COUNTS = st.integers(0, 10**12)
WORK = st.builds(
    LayerWork, macs=COUNTS, bytes_moved=COUNTS, operations=st.integers(3, 9), counted=st.just(1)
)


def test_a_peak_is_its_best_sample() -> None:
    # 2 products of 100 x 100 x 100 MACs in 2 ms.
    assert Peak("float32", 100, 1, 2, (4_000_000, 2_000_000)).macs_per_second == 1e9
    assert Bandwidth("copy", 3_000, 1, 4, (6_000, 9_000)).bytes_per_second == 2e9
    assert Overhead("linear", "float32", 1, 100, (250_000, 300_000)).nanoseconds == 2_500


def test_a_peak_of_several_sizes_is_the_fastest() -> None:
    slow = replace(make_peak(), size=128, samples=(10**9,))
    ceiling = replace(CEILING, peaks=(slow, *CEILING.peaks))
    assert find_peak(ceiling, "float32", 1) == 100e9
    assert find_peak(ceiling, "bfloat16", 2) == 800e9


def test_what_was_not_measured_is_none() -> None:
    assert find_peak(CEILING, "float16", 1) is None
    assert find_peak(CEILING, "float32", 3) is None
    assert find_bandwidth(CEILING, 3) is None
    assert find_ridge(CEILING, "float32", 3) is None
    assert find_overhead(CEILING, "linear", "float32", 3) is None
    assert not CEILING.covers(3)
    assert not Ceiling("cpu").covers(1)
    work = LayerWork(10**6, 10**6, 1, 1)
    assert bound_layer(CEILING, work, 1e6, "float16", 1) is None
    assert bound_layer(CEILING, work, 1e6, "float32", 3) is None


def test_on_a_gpu_any_number_of_threads_will_do() -> None:
    ceiling = make_ceiling((0,), "cuda:0")
    assert ceiling.covers(8)
    assert find_peak(ceiling, "float32", 8) == find_peak(ceiling, "float32") == 100e9
    assert find_overhead(ceiling, "linear", "float32", 8) == 2_000


def test_what_fewer_threads_reached_more_can_reach_too() -> None:
    disturbed = tuple(
        replace(peak, samples=(10**12,)) for peak in CEILING.peaks if peak.threads > 1
    )
    ceiling = replace(CEILING, peaks=(*(p for p in CEILING.peaks if p.threads == 1), *disturbed))
    assert find_peak(ceiling, "float32", 2) == 100e9


@pytest.mark.parametrize(
    ("bytes_moved", "gigabytes"),
    [
        (0, 100),  # read, 1.5 MiB: the best of all
        (95 << 10, 100),
        (1536 << 10, 100),
        (5 << 20, 100),  # 6 MiB are not full yet
        (6 << 20, 25),
        (384 << 20, 12.5),
        (1 << 40, 12.5),
    ],
)
def test_data_that_fit_into_a_cache_are_judged_by_it(bytes_moved: int, gigabytes: float) -> None:
    assert find_bandwidth(CEILING, 1, bytes_moved) == pytest.approx(gigabytes * 1e9)


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)), min_size=1, max_size=9),
    st.lists(st.integers(0, 10**9), min_size=2, max_size=9),
)
def test_more_data_never_move_faster(points: list[tuple[int, int]], asked: list[int]) -> None:
    measured = tuple(Bandwidth("copy", size, 1, 1, (time,)) for size, time in points)
    ceiling = Ceiling("cpu", bandwidths=measured)
    rates = [find_bandwidth(ceiling, 1, size) or 0 for size in sorted(asked)]
    assert rates == sorted(rates, reverse=True)
    for size, time in points:
        assert (find_bandwidth(ceiling, 1, size) or 0) >= size / time * 1e9 * (1 - 1e-12)


def test_memory_is_the_largest_working_set() -> None:
    assert find_memory_bandwidth(CEILING, 1) == pytest.approx(12.5e9)
    found = choose_memory_bandwidth(CEILING, 1)
    assert found is not None
    assert (found.pattern, found.working_set) == ("read", 384 << 20)
    assert find_ridge(CEILING, "float32", 1) == pytest.approx(100 / 12.5)


@pytest.mark.parametrize(
    ("work", "kind", "least", "binds"),
    [
        # 10⁹ MACs at 100 GMAC/s; 10⁶ bytes at 100 GB/s; one convolution.
        (LayerWork(10**9, 10**6, 1, 1), "full 3x3", (10_000_000, 10_000, 4_000), "compute"),
        # 10⁷ MACs; 10⁸ bytes at 25 GB/s: 6 MiB are full, 384 MiB are not.
        (LayerWork(10**7, 10**8, 1, 1), "fully connected", (100_000, 4e6, 2_000), "memory"),
        # 10⁵ MACs, 10⁴ bytes at 100 GB/s, and 40 us that a depthwise convolution takes at all.
        (LayerWork(10**5, 10**4, 1, 1), "depthwise 3x3", (1_000, 100, 40_000), "overhead"),
        # A convolution and two operations that multiply nothing.
        (LayerWork(10**5, 3 * 10**4, 3, 1), "full 1x1", (1_000, 300, 6_000), "overhead"),
        # Two operations of 50 MB each: so much moves at 25 GB/s.
        (LayerWork(0, 10**8, 2, 0), "batch norm", (0, 4e6, 2_000), "memory"),
    ],
)
def test_a_layer_by_hand(
    work: LayerWork, kind: str, least: tuple[float, float, float], binds: str
) -> None:
    bound = bound_layer(CEILING, work, 20_000_000, "float32", 1, kind)
    assert bound is not None
    assert (bound.compute, bound.memory, bound.overhead) == pytest.approx(least)
    assert bound.binds == binds
    assert bound.percent == pytest.approx(100 * max(least[:2]) / 20_000_000)


def test_the_bytes_of_a_layer_are_spread_over_its_operations() -> None:
    one = bound_layer(CEILING, LayerWork(0, 8 << 20, 1, 0), 1e6, threads=1)
    two = bound_layer(CEILING, LayerWork(0, 8 << 20, 2, 0), 1e6, threads=1)
    assert one is not None
    assert two is not None
    assert one.memory == pytest.approx((8 << 20) / 25)  # 8 MiB move as 6 MiB do
    assert two.memory == pytest.approx((8 << 20) / 100)  # twice 4 MiB as 1.5 MiB do


@given(WORK, st.floats(1, 100), st.sampled_from(["float32", "bfloat16"]))
def test_no_layer_beats_the_ceiling_in_its_least_time(
    work: LayerWork, slower: float, dtype: str
) -> None:
    bound = bound_layer(CEILING, work, 1.0, dtype, 2)
    assert bound is not None
    least = max(bound.compute, bound.memory, bound.overhead)
    percent = replace(bound, time=least * slower).percent
    assert percent is not None
    assert percent <= 100 * (1 + 1e-12)
    assert getattr(bound, bound.binds) == least


def test_a_layer_without_work_is_bound_by_nothing() -> None:
    bound = bound_layer(CEILING, LayerWork(0, 0, 0, 0), 0.0, threads=1)
    assert bound == Bound(0, 0, 0, 0)
    assert bound.binds == ""
    assert bound.share is None
    assert bound.percent is None


def test_overhead_alone_is_no_part_of_the_ceiling() -> None:
    assert Bound(time=100, compute=5, memory=10, overhead=90).share == 0.1


def test_a_layer_that_multiplies_nothing_needs_no_peak() -> None:
    bound = bound_layer(CEILING, LayerWork(0, 10**6, 1, 0), 1e6, "float16", 1)
    assert bound is not None
    assert bound.memory == pytest.approx(10_000)


def test_a_dtype_without_overheads_has_those_of_float32() -> None:
    own = Overhead("linear", "bfloat16", 1, 1, (7_000,))
    ceiling = replace(CEILING, overheads=(*CEILING.overheads, own))
    assert find_overhead(ceiling, "linear", "bfloat16", 1) == 7_000
    assert find_overhead(ceiling, "linear", "float16", 1) == 2_000


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("depthwise 3x3", "depthwise"),
        ("grouped 3x3", "depthwise"),
        ("pointwise 1x1", "convolution"),
        ("full 7x7", "convolution"),
        ("transposed 2x2", "convolution"),
        ("fully connected", "linear"),
        ("matrix product", "linear"),
        ("attention", "linear"),
        ("", "convolution"),
    ],
)
def test_every_kind_has_an_operation(kind: str, operation: str) -> None:
    assert name_operation(kind) == operation


def test_a_point_on_the_plot() -> None:
    point = make_point("conv", "full 3x3", LayerWork(6_000_000, 2_000_000, 1, 1), 1e6, 0.25)
    assert (point.intensity, point.macs_per_second, point.share) == (3.0, 6e9, 0.25)
    assert find_intensity(LayerWork(5, 0, 1, 1)) == 0
    assert find_rate(5, 0) == find_rate(5, -1) == 0


def test_measuring_again_only_raises_a_ceiling() -> None:
    worse = replace(
        CEILING,
        peaks=(make_peak("float32", 60), make_peak("bfloat16", 500)),
        bandwidths=(make_bandwidth("copy", 96 << 10, 44), make_bandwidth("read", 6 << 20, 1)),
        overheads=(Overhead("linear", "float32", 1, 10, (19_000,)),),
        date="later",
        notes=("a note",),
    )
    joined = join_ceilings(CEILING, worse)
    assert find_peak(joined, "float32", 1) == 100e9
    assert find_peak(joined, "bfloat16", 1) == 500e9
    assert find_bandwidth(joined, 1, 6 << 20) == pytest.approx(25e9)
    assert find_overhead(joined, "linear", "float32", 1) == 1_900
    assert (joined.date, joined.notes) == ("later", ("a note",))
    for name in ("peaks", "bandwidths", "overheads"):
        assert len(getattr(joined, name)) == len(getattr(CEILING, name))


def test_thread_counts_that_were_not_measured_again_stay_with_their_notes() -> None:
    kept = replace(make_ceiling((1, 4)), notes=("of four threads",))
    joined = join_ceilings(kept, make_ceiling((1, 2)))
    assert joined.threads == (1, 2, 4)
    assert joined.notes == ("of four threads",)
    assert join_ceilings(replace(CEILING, notes=("old",)), CEILING).notes == ()


def test_hardware_is_named_where_it_is_known() -> None:
    assert CEILING.hardware == "Some Processor"
    assert Ceiling("cuda:0", {"gpu": {"name": "Some GPU"}}).hardware == "Some GPU"
    assert Ceiling("mps", {"gpu": None}).hardware == "mps"
