"""A measured latency against a limit: within, over, or more than the data can decide. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.statistics import CONFIDENCE, Estimate

FEWEST = 6  # samples whose extremes hold the median with 95 per cent
_MOST = 100  # times as many passes: more than that is no advice


@dataclass(frozen=True, slots=True)
class LatencyLimit:
    """The longest that a pass may take, and how long it takes; nanoseconds.

    A limit is exceeded where the whole interval of the median lies above it, and kept where
    none of it does. A network exactly at its limit is so failed by chance once in forty
    times at most, and one that is well below it never.
    """

    latency: Estimate
    limit: int

    @property
    def verdict(self) -> str:
        """'within', 'over', or 'undecided' where the interval holds the limit or is none."""
        if self.latency.confidence < CONFIDENCE:
            return "undecided"
        if self.latency.low > self.limit:
            return "over"
        return "within" if self.latency.high <= self.limit else "undecided"

    @property
    def excess(self) -> Estimate:
        """How much longer a pass takes; below 0 where it is shorter."""
        latency, limit = self.latency, self.limit
        ends = (latency.value - limit, latency.low - limit, latency.high - limit)
        return Estimate(*ends, latency.count, latency.confidence)

    @property
    def passes_needed(self) -> int | None:
        """Clean passes that would decide, if the median is where it seems to be.

        An interval narrows with the root of their number. None where it would take more than
        a hundred times as many.
        """
        latency = self.latency
        apart = abs(latency.value - self.limit)
        end = latency.high if latency.value <= self.limit else latency.low
        if not apart:
            return None
        needed = max(ceil(latency.count * ((end - latency.value) / apart) ** 2), 2 * FEWEST)
        return needed if needed <= _MOST * max(latency.count, FEWEST) else None

    def __str__(self) -> str:
        from mobilenet_profiler.render.summaries import summarise_limit

        return summarise_limit(self).draw()

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.summaries import summarise_limit

        return summarise_limit(self).write_html()


def check_latency(profile: Profile, limit: int) -> LatencyLimit:
    """The latency of a profile against a limit in nanoseconds."""
    return LatencyLimit(profile.latency, limit)
