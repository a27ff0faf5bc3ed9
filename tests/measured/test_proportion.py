"""One rate for all: sums by hand, and what it misses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.proportion import correlate_ranks, fit_proportion, rank

PAIRS = st.lists(st.tuples(st.integers(1, 10**9), st.floats(1, 1e9)), min_size=2, max_size=30)


def test_the_rate_is_all_times_over_all_macs() -> None:
    fit = fit_proportion([10, 30], [60, 20])
    assert fit.nanoseconds == 2
    assert fit.predict(5) == 10
    assert fit.factors == pytest.approx((3, 1 / 3))
    assert fit.misplaced == 0.5  # MACs say 20 and 60: 40 of 80 lie elsewhere
    assert fit.correlation == -1


@given(PAIRS)
def test_what_some_take_longer_others_take_shorter(pairs: list[tuple[int, float]]) -> None:
    macs, times = zip(*pairs, strict=True)
    fit = fit_proportion(macs, times)
    assert sum(map(fit.predict, macs)) == pytest.approx(sum(times))
    assert 0 <= fit.misplaced < 1
    assert -1 - 1e-9 <= fit.correlation <= 1 + 1e-9


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=30, unique=True))
def test_where_time_is_proportional_nothing_is_missed(macs: list[int]) -> None:
    fit = fit_proportion(macs, [3 * count for count in macs])
    assert fit.factors == pytest.approx([1] * len(macs))
    assert fit.misplaced == pytest.approx(0)
    assert fit.correlation == pytest.approx(1)


def test_ties_share_the_mean_of_their_places() -> None:
    assert rank([5, 1, 5, 9]) == [2.5, 1, 2.5, 4]
    assert correlate_ranks([1, 1], [1, 2]) == 0
    assert correlate_ranks([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)


def test_one_point_has_no_fit() -> None:
    with pytest.raises(UsageError, match="given 1"):
        fit_proportion([1], [1])
