"""A latency against a limit: a gate that fails only where the data shows it."""

from __future__ import annotations

import random
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.measured.limit import LatencyLimit, check_latency
from mobilenet_profiler.measured.statistics import Estimate, estimate_median
from tests.measured.building import build_profile


def limit(value: float, low: float, high: float, most: int, count: int = 50) -> LatencyLimit:
    return LatencyLimit(Estimate(value, low, high, count), most)


@pytest.mark.parametrize(
    ("most", "verdict"),
    [(89, "over"), (90, "undecided"), (100, "undecided"), (109, "undecided"), (110, "within")],
)
def test_it_is_over_only_where_the_whole_interval_is(most: int, verdict: str) -> None:
    assert limit(100, 90, 110, most).verdict == verdict


def test_few_passes_decide_nothing() -> None:
    profile = build_profile(clean=[900] * 5)
    assert check_latency(profile, 100).verdict == "undecided"
    assert check_latency(profile, 1000).verdict == "undecided"
    assert check_latency(build_profile(clean=[900] * 6), 100).verdict == "over"
    assert check_latency(build_profile(clean=[900] * 6), 900).verdict == "within"


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30), st.integers(1, 10**6))
def test_a_longer_limit_is_never_kept_worse(times: list[int], most: int) -> None:
    order = ("over", "undecided", "within")
    estimate = estimate_median(times)
    one, other = (order.index(LatencyLimit(estimate, m).verdict) for m in (most, most + 5))
    assert one <= other


def test_a_network_at_its_limit_is_failed_once_in_forty_times_at_most() -> None:
    numbers, failed, passed = random.Random(0), 0, 0
    for _ in range(1000):
        times = [exp(numbers.gauss(0, 0.1)) for _ in range(40)]
        failed += LatencyLimit(estimate_median(times), 1).verdict == "over"
        passed += LatencyLimit(estimate_median([0.9 * t for t in times]), 1).verdict == "within"
    assert failed <= 25
    assert passed >= 900


def test_the_passes_that_would_decide_are_as_many_as_narrow_the_interval_to_the_limit() -> None:
    # From 100 +- 10 to 100 +- 5 takes four times as many.
    assert limit(100, 92, 110, 105).passes_needed == 4 * 50
    assert limit(100, 90, 104, 95).passes_needed == 4 * 50
    assert limit(100, 90, 110, 100).passes_needed is None
    assert limit(100, 0, 200, 101).passes_needed is None
    assert limit(100, 99, 101, 200, count=3).passes_needed == 12


def test_the_excess_is_the_interval_less_the_limit() -> None:
    excess = limit(100, 90, 110, 80).excess
    assert (excess.value, excess.low, excess.high) == (20, 10, 30)
