"""What a reader of a profile must know before trusting it, a sentence each, with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mobilenet_profiler.measured.contention import list_contention_warnings
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.rows import add_up_medians, estimate_closing, list_wholes
from mobilenet_profiler.measured.statistics import CONFIDENCE, find_median, find_outliers
from mobilenet_profiler.rows import list_warnings
from mobilenet_profiler.units import format_percent, format_supported

CLOSED = 0.05  # of the clean latency: what the parts may miss it by
NARROW = 0.05  # of the median: what half of its interval may be
TREND = 0.1  # of the slowest early pass: by how much every late one is slower
_NAMED = 4  # outliers by number; the others are counted


def list_remarks(profile: Profile) -> list[str]:
    """Warnings first, then the notes of the profile, then what its trace must say."""
    return [
        *_warn_of_contention(profile),
        *_warn_of_warmup(profile),
        *_warn_of_few(profile),
        *_warn_of_trend(profile),
        *_name_outliers(profile),
        *_warn_of_spread(profile),
        *_warn_of_closing(profile),
        *_warn_of_spikes(profile),
        *(f"note: {note}" for note in profile.notes),
        *list_warnings(profile.trace),
    ]


def _warn_of_contention(profile: Profile) -> list[str]:
    passes = len(profile.clean) + len(profile.instrumented) + len(profile.eager)
    threads = profile.setup.threads if profile.setup.device == "cpu" else 0
    return list_contention_warnings(profile.contention, passes, threads)


def _warn_of_warmup(profile: Profile) -> Iterator[str]:
    if not profile.settled:
        yield (
            f"passes still got faster after {profile.warmup} of warm-up: the first that count "
            f"may be slow; give --warmup {max(2 * profile.warmup, 10)}"
        )


def _warn_of_few(profile: Profile) -> Iterator[str]:
    latency = profile.latency
    if latency.confidence < CONFIDENCE:
        held = f"{100 * latency.confidence:.0f}"
        yield (
            f"too few passes ({latency.count}): the intervals hold their medians in {held} of "
            f"100 cases, not in {100 * CONFIDENCE:.0f}; give more --iterations"
        )


def _warn_of_trend(profile: Profile) -> Iterator[str]:
    """Passes that take ever longer are no samples of one thing."""
    walls = [sample.wall for sample in profile.clean]
    quarter = len(walls) // 4
    if quarter < 3:
        return
    first, last = walls[:quarter], walls[-quarter:]
    if min(last) > (1 + TREND) * max(first):
        times = format_supported(find_median(last) / find_median(first), 0.1)
        yield (
            f"the last quarter of the passes took {times} times as long as the first: the machine "
            "slows down, or the network keeps something from pass to pass"
        )


def _name_outliers(profile: Profile) -> Iterator[str]:
    """Far from the others, by number; none is left out of any figure."""
    walls = [sample.wall for sample in profile.clean]
    middle = find_median(walls)
    for slow in (True, False):
        places = [place for place in find_outliers(walls) if (walls[place] > middle) == slow]
        if places and middle:
            yield _describe_outliers([walls[place] / middle for place in places], places, walls)


def _describe_outliers(times: Sequence[float], places: Sequence[int], walls: Sequence[int]) -> str:
    shown = [str(place + 1) for place in places[:_NAMED]]
    shown += [f"{len(places) - _NAMED} more"] if len(places) > _NAMED else []
    names = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    low, high = (f"{format_supported(bound, 0.01)}" for bound in (min(times), max(times)))
    span = low if low == high else f"{low} to {high}"
    noun = "pass" if len(places) == 1 else "passes"
    return f"{noun} {names} of {len(walls)} took {span} times the median; none is left out"


def _warn_of_spread(profile: Profile) -> Iterator[str]:
    latency = profile.latency
    if latency.confidence >= CONFIDENCE and latency.relative > NARROW:
        yield (
            f"the median is known within {100 * latency.relative:.0f}% only: close what else "
            "runs, or measure longer (--min-time 30)"
        )


def _warn_of_closing(profile: Profile) -> Iterator[str]:
    closing = estimate_closing(profile)
    if min(abs(closing.low), abs(closing.high)) > CLOSED and closing.low * closing.high > 0:
        word = "more" if closing.value > 0 else "less"
        off = format_percent(round(1000 * abs(closing.value)), 1000)
        yield (
            f"layers and what lies between take {off} {word} than a clean pass: the shares "
            "of time are good to about as much"
        )


def _warn_of_spikes(profile: Profile) -> Iterator[str]:
    """Where spikes hit parts in turn, their medians add up to less than that of the whole."""
    whole, parts = find_median(list_wholes(profile)), add_up_medians(profile)
    if whole > 0 and 1 - parts / whole > CLOSED:
        off = format_percent(round(100 * (1 - parts / whole)), 100)
        yield (
            f"the medians of the layers add up to {off} less than the median pass: another "
            "layer is disturbed in each pass; what adds layers up (--by kind) is nearer"
        )
