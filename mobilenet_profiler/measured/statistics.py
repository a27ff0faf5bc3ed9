"""What samples support: medians with distribution-free intervals, outliers, ratios. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import floor, sqrt

CONFIDENCE = 0.95
FENCE = 3.0  # interquartile ranges beyond the quartiles: "far out" (Tukey, EDA, 1977, p. 44)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median and the interval that holds it, in the unit of its samples.

    low, high: of the confidence interval. count: how many samples. confidence: that the
    interval really has; below the one that was asked for where there are too few samples.
    """

    value: float
    low: float
    high: float
    count: int
    confidence: float = CONFIDENCE

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2

    @property
    def relative(self) -> float:
        """Half of the interval as a part of the value; 0 where that is 0."""
        return self.half_width / abs(self.value) if self.value else 0.0

    def scale(self, factor: float) -> Estimate:
        """The same in another unit."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Estimate(self.value * factor, low, high, self.count, self.confidence)


def find_quantile(samples: Sequence[float], share: float) -> float:
    """What so large a share of the samples lies below, between neighbours by distance."""
    if not samples:
        raise ValueError("no samples, no quantile")
    ordered = sorted(samples)
    place = share * (len(ordered) - 1)
    index = floor(place)
    after = ordered[min(index + 1, len(ordered) - 1)]
    return ordered[index] + (place - index) * (after - ordered[index])


def find_median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two in the middle."""
    return find_quantile(samples, 0.5)


def estimate_median(samples: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The median with an interval between two of the samples, whatever their distribution.

    The ranks are those of the sign test (Conover, Practical Nonparametric Statistics,
    section 3.2). Samples that follow each other in a run are alike and tell less than
    independent ones would: the ranks lie further apart where neighbours correlate.
    samples: in the order in which they were taken.
    """
    ordered, count = sorted(samples), len(samples)
    middle = find_median(ordered)
    rank, reached = choose_rank(count, confidence)
    reach = ((count - 1) / 2 - rank) * sqrt(inflate_variance(samples))
    low = max(floor((count - 1) / 2 - reach), 0)
    return Estimate(middle, ordered[low], ordered[count - 1 - low], count, reached)


@lru_cache(maxsize=256)
def choose_rank(count: int, confidence: float) -> tuple[int, float]:
    """Which sample from either end bounds the interval (0 the first), and its confidence.

    Between the sample of rank r and its mirror lies the median with probability
    1 - 2 P(Binomial(count, 1/2) <= r).
    """
    whole = 2**count
    ways = below = 1  # of `rank` heads in `count` throws, and of so many or fewer
    rank, reached = 0, (whole - 2) / whole
    for heads in range(1, count // 2):
        ways = ways * (count - heads + 1) // heads
        below += ways
        if (whole - 2 * below) / whole < confidence:
            break
        rank, reached = heads, (whole - 2 * below) / whole
    return rank, max(reached, 0.0)


def inflate_variance(samples: Sequence[float]) -> float:
    """By how much neighbours that are alike widen the variance of a median; 1 or more.

    (1 + r) / (1 - r) for samples whose neighbours correlate by r, taken of their ranks so
    that one outlier decides nothing.
    """
    if len(samples) < 4:
        return 1.0
    ranks = rank_samples(samples)
    mean = sum(ranks) / len(ranks)
    centred = [rank - mean for rank in ranks]
    whole = sum(value * value for value in centred)
    beside = sum(a * b for a, b in pairwise(centred))
    correlation = min(max(beside / whole, 0.0), 0.95) if whole else 0.0
    return (1 + correlation) / (1 - correlation)


def rank_samples(samples: Sequence[float]) -> list[float]:
    """Each sample's rank from 1; equal ones share the mean of theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(samples), 1):
        places.setdefault(value, []).append(place)
    return [sum(places[value]) / len(places[value]) for value in samples]


def find_outliers(samples: Sequence[float]) -> tuple[int, ...]:
    """The places (from 0) of samples far above or below the others: outside Tukey's far fences."""
    if len(samples) < 4:
        return ()
    first, third = find_quantile(samples, 0.25), find_quantile(samples, 0.75)
    reach = FENCE * (third - first)
    return tuple(
        place
        for place, value in enumerate(samples)
        if value > third + reach or value < first - reach
    )
