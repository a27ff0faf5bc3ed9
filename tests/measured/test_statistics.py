"""Medians whose intervals hold, whatever the distribution and the drift."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import comb, exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.measured.statistics import (
    choose_rank,
    divide_medians,
    estimate_median,
    estimate_ratio,
    find_differing,
    find_median,
    find_outliers,
    find_quantile,
    inflate_variance,
    order_samples,
    rank_samples,
    widen_quantile,
)

SAMPLES = st.lists(st.integers(1, 10**9), min_size=1, max_size=40)
Draw = Callable[[random.Random, int], list[float]]


def draw_independent(numbers: random.Random, count: int) -> list[float]:
    return [numbers.gauss(0, 1) for _ in range(count)]


def draw_alike(numbers: random.Random, count: int, correlation: float = 0.6) -> list[float]:
    """Each like the one before it; variance 1."""
    value, samples = numbers.gauss(0, 1), []
    for _ in range(count):
        fresh = numbers.gauss(0, (1 - correlation**2) ** 0.5)
        value = correlation * value + fresh
        samples.append(value)
    return samples


def draw_drifting(numbers: random.Random, count: int) -> list[float]:
    """A drift that lasts twenty samples, a third of the variance, under noise."""
    drift = draw_alike(numbers, count, 0.9)
    return [0.3**0.5 * value + numbers.gauss(0, 0.7**0.5) for value in drift]


@pytest.mark.parametrize("count", [6, 9, 10, 25, 50, 300])
def test_the_ranks_are_the_furthest_in_that_a_fair_coin_allows(count: int) -> None:
    def below(rank: int) -> float:
        return float(sum(comb(count, heads) for heads in range(rank + 1)) / 2**count)

    rank, confidence = choose_rank(count, 0.95)
    assert confidence == pytest.approx(1 - 2 * below(rank))
    assert 1 - 2 * below(rank) >= 0.95 > 1 - 2 * below(rank + 1)


def test_ranks_of_a_printed_table() -> None:
    # n = 10: between the 2nd and the 9th of ten samples lies the median with 97.85%.
    assert choose_rank(10, 0.95) == (1, 0.978515625)


def test_few_samples_say_the_confidence_that_they_have() -> None:
    # Of three, all lie on one side of the median with 2 / 8.
    estimate = estimate_median([5, 1, 3])
    assert (estimate.value, estimate.low, estimate.high) == (3, 1, 5)
    assert estimate.confidence == 0.75
    assert estimate_median([7]).confidence == 0


@given(SAMPLES)
def test_the_interval_holds_the_median_and_ends_at_samples(samples: list[int]) -> None:
    estimate = estimate_median(samples)
    assert estimate.low <= estimate.value <= estimate.high
    assert {estimate.low, estimate.high} <= set(samples)
    assert estimate.count == len(samples)


@given(SAMPLES, st.integers(2, 1000))
def test_another_unit_changes_nothing_else(samples: list[int], factor: int) -> None:
    scaled = estimate_median([factor * sample for sample in samples])
    assert scaled.value == pytest.approx(estimate_median(samples).scale(factor).value)
    assert scaled.low == factor * estimate_median(samples).low


@given(SAMPLES, st.floats(0, 1))
def test_a_quantile_lies_between_the_extremes(samples: list[int], share: float) -> None:
    assert min(samples) <= find_quantile(samples, share) <= max(samples)


def test_quantiles_by_hand() -> None:
    assert find_quantile([1, 2, 3, 4], 0.9) == pytest.approx(3.7)
    assert find_median([4, 1, 3, 2]) == 2.5


@pytest.mark.parametrize(
    ("draw", "count", "least"),
    [
        *((draw, count, 0.94) for draw in (draw_independent, draw_alike) for count in (50, 200)),
        (draw_drifting, 50, 0.89),
        (draw_drifting, 200, 0.92),
    ],
)
def test_intervals_hold_the_true_median_whatever_the_order_of_the_samples(
    draw: Draw, count: int, least: float
) -> None:
    numbers, held = random.Random(0), 0
    for _ in range(400):
        estimate = estimate_median(draw(numbers, count))
        held += estimate.low <= 0 <= estimate.high
    assert held / 400 >= least


def test_samples_that_drift_have_a_wider_interval_than_the_same_in_any_order() -> None:
    drifting = [100 + step for step in range(50)]
    mixed = random.Random(1).sample(drifting, 50)
    assert estimate_median(drifting).half_width > 2 * estimate_median(mixed).half_width
    assert inflate_variance(mixed) == pytest.approx(1, abs=0.5)


def test_a_slow_drift_under_quick_noise_widens_the_interval_as_neighbours_do_not_tell() -> None:
    numbers = random.Random(4)
    halves = [numbers.gauss(place >= 50, 1) for place in range(100)]
    ranks = rank_samples(halves)
    mean = sum(ranks) / 100
    beside = sum((a - mean) * (b - mean) for a, b in pairwise(ranks))
    neighbours = beside / sum((a - mean) ** 2 for a in ranks)
    assert neighbours < 0.25
    assert inflate_variance(halves) > 3 > (1 + neighbours) / (1 - neighbours)


def test_so_many_samples_alike_are_as_few_as_are_independent() -> None:
    # Correlated by 0.6, so many tell as much as (1 - 0.6) / (1 + 0.6) of them.
    found = [inflate_variance(draw_alike(random.Random(seed), 2000)) for seed in range(20)]
    assert find_median(found) == pytest.approx(4, rel=0.25)
    assert inflate_variance([5] * 30) == 1


def test_student_is_wider_than_normal_by_the_printed_tables() -> None:
    # 2.228 against 1.960 with ten degrees of freedom, 2.042 with thirty.
    assert 1.95996 * widen_quantile(10, 0.95) == pytest.approx(2.228, abs=0.003)
    assert 1.95996 * widen_quantile(30, 0.95) == pytest.approx(2.042, abs=0.001)
    assert widen_quantile(1e9, 0.95) == pytest.approx(1)


def test_equal_samples_share_their_rank() -> None:
    assert rank_samples([30, 10, 30, 20]) == [3.5, 1, 3.5, 2]


def test_outliers_are_named_by_their_place() -> None:
    quiet = [100, 101, 99, 100, 102, 98, 100, 101]
    assert find_outliers([*quiet, 500, 100, 20]) == (8, 10)
    assert find_outliers(quiet) == ()
    assert find_outliers([1, 2, 900]) == ()


@pytest.mark.parametrize(
    ("draw", "least"), [(draw_independent, 0.95), (draw_alike, 0.95), (draw_drifting, 0.93)]
)
@pytest.mark.parametrize("counts", [(30, 30), (100, 30)])
def test_the_interval_of_a_ratio_holds_the_true_one(
    draw: Draw, least: float, counts: tuple[int, int]
) -> None:
    numbers, held = random.Random(1), 0
    for _ in range(400):
        before, after = ([exp(0.05 * x) for x in draw(numbers, count)] for count in counts)
        ratio = estimate_ratio([1.25 * time for time in before], after)
        held += ratio is not None and ratio.low <= 1.25 <= ratio.high
    assert held / 400 >= least


def test_a_difference_is_found_where_it_is_twice_as_large_as_the_interval() -> None:
    numbers, found = random.Random(2), 0
    for _ in range(200):
        before, after = (
            [time * exp(0.05 * x) for x in draw_independent(numbers, 50)] for time in (1.1, 1.0)
        )
        ratio = estimate_ratio(before, after)
        found += ratio is not None and ratio.differs and ratio.low > 1
    assert found / 200 >= 0.95


def test_a_ratio_by_hand() -> None:
    # Of ten samples the 2nd and the 9th hold the median: 102 and 109 about 105.5, and twice that.
    before = [109, 106, 101, 107, 102, 108, 104, 110, 105, 103]  # none like the ones before
    ratio = estimate_ratio([2 * time for time in before], before)
    assert ratio is not None
    assert ratio.value == 2
    below, above = log(105.5 / 102), log(109 / 105.5)
    reach = (below**2 + above**2) ** 0.5
    assert (log(ratio.low / 2), log(ratio.high / 2)) == pytest.approx((-reach, reach))


@given(SAMPLES, SAMPLES)
def test_a_ratio_the_other_way_round_is_its_inverse(before: list[int], after: list[int]) -> None:
    one, other = estimate_ratio(before, after), estimate_ratio(after, before)
    assert one is not None
    assert other is not None
    assert one.low <= one.value <= one.high
    ends = (one.inverse.value, one.inverse.low, one.inverse.high)
    assert ends == pytest.approx((other.value, other.low, other.high))
    assert one.differs == other.differs


@given(SAMPLES)
def test_samples_do_not_differ_from_themselves(samples: list[int]) -> None:
    ratio = estimate_ratio(samples, samples)
    assert ratio is not None
    assert ratio.value == 1
    assert not ratio.differs


def test_too_few_samples_show_no_difference_however_far_apart() -> None:
    ratio = estimate_ratio([900, 901, 902, 903, 904], [1, 2, 3, 4, 5])
    assert ratio is not None
    assert (ratio.low, ratio.high) == (0, inf)
    assert not ratio.differs
    assert ratio.inverse.low == 0
    six = estimate_ratio([900, 901, 902, 903, 904, 905], [1, 2, 3, 4, 5, 6])
    assert six is not None
    assert six.differs


def test_nothing_is_a_ratio_of_nothing() -> None:
    assert estimate_ratio([0.0] * 9, [1.0] * 9) is None
    assert estimate_ratio([1.0] * 9, [0.0] * 9) is None
    ratio = estimate_ratio([0, 0, 5, 6, 7, 8, 9], [1] * 7)
    assert ratio is not None
    assert ratio.low == 0
    assert ratio.scale(2).value == 2 * ratio.value


def test_of_many_equal_pairs_none_is_named_and_of_unlike_ones_those_that_are() -> None:
    numbers, named = random.Random(3), 0

    def draw(time: float) -> list[float]:
        return [time * exp(0.05 * x) for x in draw_independent(numbers, 40)]

    for _ in range(20):
        equal = [(order_samples(draw(1)), order_samples(draw(1))) for _ in range(30)]
        named += any(find_differing(equal))
        alone = [divide_medians(*pair) for pair in equal]
        assert len(alone) == 30
    assert named <= 1
    unlike = [(order_samples(draw(1.3)), order_samples(draw(1))) for _ in range(3)]
    assert find_differing([*equal, *unlike]) == (False,) * 30 + (True,) * 3
    assert find_differing([]) == ()


def test_what_was_named_no_longer_counts_among_those_that_could_be_chance() -> None:
    # Of nine samples the extremes hold the median with 99.6%: enough for 12 pairs, not for 13.
    apart = (order_samples(range(20, 29)), order_samples(range(1, 10)))
    same = (order_samples(range(1, 10)), order_samples(range(1, 10)))
    assert find_differing([apart, *[same] * 11])[0]
    assert not find_differing([apart, *[same] * 12])[0]
    far = (order_samples(range(2000, 2030)), order_samples(range(1, 31)))
    assert find_differing([apart, far, *[same] * 11]) == (True, True, *[False] * 11)
