"""Medians whose intervals hold, whatever the distribution and the drift."""

from __future__ import annotations

import random
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.measured.statistics import (
    choose_rank,
    estimate_median,
    find_median,
    find_outliers,
    find_quantile,
    inflate_variance,
    rank_samples,
)

SAMPLES = st.lists(st.integers(1, 10**9), min_size=1, max_size=40)


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


@pytest.mark.parametrize(("correlation", "count"), list(product((0.0, 0.6), (50, 200))))
def test_intervals_hold_the_true_median_where_neighbours_are_alike(
    correlation: float, count: int
) -> None:
    numbers, held = random.Random(0), 0
    for _ in range(400):
        value, samples = numbers.gauss(0, 1), []
        for _ in range(count):
            fresh = numbers.gauss(0, (1 - correlation**2) ** 0.5)
            value = correlation * value + fresh
            samples.append(value)
        estimate = estimate_median(samples)
        held += estimate.low <= 0 <= estimate.high
    assert held / 400 >= 0.94


def test_samples_that_drift_have_a_wider_interval_than_the_same_in_any_order() -> None:
    drifting = [100 + step for step in range(50)]
    mixed = random.Random(1).sample(drifting, 50)
    assert estimate_median(drifting).half_width > 2 * estimate_median(mixed).half_width
    assert inflate_variance(mixed) == pytest.approx(1, abs=0.5)


def test_equal_samples_share_their_rank() -> None:
    assert rank_samples([30, 10, 30, 20]) == [3.5, 1, 3.5, 2]


def test_outliers_are_named_by_their_place() -> None:
    quiet = [100, 101, 99, 100, 102, 98, 100, 101]
    assert find_outliers([*quiet, 500, 100, 20]) == (8, 10)
    assert find_outliers(quiet) == ()
    assert find_outliers([1, 2, 900]) == ()
