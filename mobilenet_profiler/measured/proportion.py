"""What multiply-accumulates alone say of times: one rate for all, and what it misses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from mobilenet_profiler.errors import UsageError


@dataclass(frozen=True, slots=True)
class Proportion:
    """Times that are proportional to MACs, as nearly as they are.

    nanoseconds: of a MAC: all times over all MACs. factors: how many times longer each took
    than that says; its part of the time over its part of the MACs. misplaced: the part of all
    time that is elsewhere than MACs say, 0 to 1. correlation: of the ranks of MACs and times
    (Spearman's): 1 where more MACs always take longer; 0 where nothing follows from them.
    """

    nanoseconds: float
    factors: tuple[float, ...]
    misplaced: float
    correlation: float

    def predict(self, macs: float) -> float:
        """The nanoseconds that so many MACs would take."""
        return self.nanoseconds * macs


def fit_proportion(macs: Sequence[float], times: Sequence[float]) -> Proportion:
    """One rate for all: that at which all MACs take all the time.

    It is the line through the origin by least squares where the variance of a time is
    proportional to its MACs. macs, times: of each, above 0; times in nanoseconds.
    Raises UsageError for fewer than two, for there is nothing then that a fit could miss.
    """
    if len(macs) < 2:
        raise UsageError(f"a fit needs two with MACs and a time at least, given {len(macs)}")
    rate = sum(times) / sum(macs)
    expected = [rate * count for count in macs]
    factors = tuple(time / said for time, said in zip(times, expected, strict=True))
    missed = sum(abs(time - said) for time, said in zip(times, expected, strict=True))
    return Proportion(rate, factors, missed / 2 / sum(times), correlate_ranks(macs, times))


def correlate_ranks(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rank correlation, ties at their mean rank; 0 where one has no order."""
    ranks = rank(one), rank(other)
    mean = (len(one) + 1) / 2
    first, second = ([place - mean for place in own] for own in ranks)
    size = sqrt(sum(a * a for a in first) * sum(b * b for b in second))
    return sum(a * b for a, b in zip(first, second, strict=True)) / size if size else 0.0


def rank(values: Sequence[float]) -> list[float]:
    """The place of each from the least, 1, on; those alike share the mean of their places."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values), start=1):
        places.setdefault(value, []).append(place)
    return [sum(places[value]) / len(places[value]) for value in values]
