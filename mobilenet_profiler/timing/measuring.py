"""The measuring loop: clean and instrumented passes in turns, until a rule is content.

A shared machine drifts by tens of per cent within a minute, so nothing is measured after
something else: in each round every kind of pass runs, in an order that turns round. Short
passes run a few in a row, since caches are cold after any other work.
The clock is an argument, so that the loop can be tested to the nanosecond.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import EmptyCosts, Pass, Span
from mobilenet_profiler.measured.statistics import FEWEST, estimate_median, find_median
from mobilenet_profiler.timing.clocks import Clock
from mobilenet_profiler.timing.instruments import Decoded, Instruments, Marks, Watch, decode
from mobilenet_profiler.trace.isolation import pause_collector

CLEAN, EAGER, INSTRUMENTED = "clean", "eager", "instrumented"
WINDOW = 3  # passes that are looked at together at the end of the warm-up
STILL_WARMING = 0.02  # a window that is so much faster than the one before shows a warm-up
LONGEST_WARMUP = 20  # passes
PATIENCE = 10.0  # seconds after which a precision that does not come is given up
DEFAULT_PRECISION = 0.02
ROW = 20_000_000  # nanoseconds that passes of one kind in a row take
LONGEST_ROW = 8  # passes
KEPT = 16  # passes whose spans are kept until the timeline is chosen

OnProgress = Callable[[float, str], None]

_MOST = {"min_time": inf, "precision": 1.0}


class Subject(Protocol):
    """What is measured: a network with its inputs, ready to run.

    kinds: of the passes in a round: clean, eager where clean ones are compiled, instrumented.
    """

    name: str
    kinds: tuple[str, ...]

    def run(self, kind: str, watch: Watch) -> None:
        """One pass, its phases told to the watch."""
        ...

    def reset(self) -> None:
        """Make all ready for the next pass; its time is in none."""
        ...

    def make_instruments(self, clock: Clock) -> Instruments:
        """Marks around its layers."""
        ...

    def measure_empty(self, clock: Clock) -> Mapping[str, float]:
        """What an instrumented call costs, nanoseconds, by the fields of `EmptyCosts`."""
        ...


def check_whole(name: str, value: Any, least: int, most: int = 2**63 - 1) -> None:
    """Raise UsageError for what is no whole number within these bounds."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        bound = f"from {least} to {most}" if whole and value > most else f"of at least {least}"
        raise UsageError(f"{name} must be a whole number {bound}, given {value!r}")


@dataclass(frozen=True, slots=True)
class StopRule:
    """When there are samples enough: one of three.

    iterations: so many passes in all, of every kind together. min_time: so many seconds of
    clean passes. precision: the interval of the median within so large a part of it, given
    up after `patience` seconds.
    """

    iterations: int | None = None
    min_time: float | None = None
    precision: float | None = None
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        given = [self.iterations, self.min_time, self.precision]
        if sum(value is not None for value in given) > 1:
            raise UsageError("give one of iterations, min_time and precision, not several")
        if self.iterations is not None:
            check_whole("iterations", self.iterations, 1)
        for name in ("min_time", "precision"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and 0 < value < _MOST[name]):
                below = " and below 1" if name == "precision" else ""
                raise UsageError(f"{name} must be a number above 0{below}, given {value!r}")

    @property
    def goal(self) -> float:
        """The precision to reach where nothing else was asked for."""
        return DEFAULT_PRECISION if self.precision is None else self.precision

    def count_wanted(self, recording: Recording) -> int | None:
        """How many passes of each kind make up the iterations, if these are the rule."""
        if self.iterations is None:
            return None
        return max(-(-self.iterations // len(recording.passes)), 1)

    def is_due(self, turn: int) -> bool:
        """Whether to look after this round: medians are taken an eighth of the way apart."""
        if self.iterations is not None or self.min_time is not None:
            return True
        return turn % (1 << max(turn.bit_length() - 4, 0)) == 0

    def progress(self, recordings: Sequence[Recording], seconds: float) -> float:
        """How much is done, 0 to 1; 1 ends the measurement."""
        rounds = min(len(recording.passes[CLEAN]) for recording in recordings)
        wanted = self.count_wanted(recordings[0])
        if wanted is not None:
            return min(rounds / wanted, 1.0)
        if rounds < FEWEST:
            return min(rounds / FEWEST, 0.99)
        if self.min_time is not None:
            spent = min(recording.spent for recording in recordings)
            return min(spent / 1e9 / self.min_time, 1.0)
        return self._progress_by_precision(recordings, seconds)

    def _progress_by_precision(self, recordings: Sequence[Recording], seconds: float) -> float:
        """By the widest interval, which narrows with the root of the number of samples."""
        widest = max(
            estimate_median([sample.wall for sample in recording.passes[CLEAN]]).relative
            for recording in recordings
        )
        narrowed = (self.goal / widest) ** 2 if widest else 1.0
        return 1.0 if widest <= self.goal else max(min(narrowed, 0.99), seconds / self.patience)

    def describe(self, rounds: int, reached: float) -> str:
        """What ended the measurement, in words. reached: the relative half interval."""
        if self.iterations is not None:
            return f"{self.iterations} iterations"
        if self.min_time is not None:
            return f"{self.min_time:g} s of clean passes"
        if reached <= self.goal:
            return f"the median within {100 * self.goal:g}%"
        within = f"the median within {100 * reached:.1f}% and not {100 * self.goal:g}%"
        return f"{self.patience:g} s, {within}"


@dataclass
class Recording:
    """What was taken of one subject, in the order in which it was taken.

    row: how many passes of a kind run one after the other. spent: nanoseconds of clean ones.
    """

    passes: dict[str, list[Pass]]
    decoded: list[Decoded] = field(default_factory=list)
    empties: list[Mapping[str, float]] = field(default_factory=list)
    warmup: int = 0
    settled: bool = True
    row: int = 1
    spent: int = 0
    latest: deque[tuple[int, tuple[Span, ...]]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, kind: str, taken: Pass, decoded: Decoded) -> None:
        """A pass; the spans of the latest ones are kept."""
        self.passes[kind].append(taken)
        self.spent += taken.wall if kind == CLEAN else 0
        if kind == INSTRUMENTED:
            self.latest.append((taken.time, tuple(decoded.spans)))
            decoded.spans.clear()
            self.decoded.append(decoded)

    @property
    def timeline(self) -> tuple[Span, ...]:
        """The spans of one of the latest instrumented passes, the one nearest the median."""
        middle = find_median([sample.time for sample in self.passes[INSTRUMENTED]])
        return min(self.latest, key=lambda kept: abs(kept[0] - middle))[1]

    @property
    def empty(self) -> EmptyCosts:
        """What the instruments cost."""
        names = dict.fromkeys(name for costs in self.empties for name in costs)
        return EmptyCosts(**{name: tuple(costs[name] for costs in self.empties) for name in names})


def measure(
    subjects: Sequence[Subject],
    clock: Clock,
    rule: StopRule,
    warmup: int | None = None,
    on_progress: OnProgress | None = None,
) -> list[Recording]:
    """Samples of each subject, taken in rounds over all of them.

    warmup: so many passes before the first that counts; None ends it by its rule.
    on_progress: called after each round with the part that is done and what is going on.
    """
    recordings = warm_all(subjects, clock, rule, warmup, on_progress)
    take_rounds(subjects, recordings, clock, rule, on_progress)
    return recordings


def warm_all(
    subjects: Sequence[Subject],
    clock: Clock,
    rule: StopRule,
    warmup: int | None = None,
    on_progress: OnProgress | None = None,
) -> list[Recording]:
    """A recording of each subject, which has been warmed up."""
    tell = on_progress or (lambda done, text: None)
    recordings = [Recording({kind: [] for kind in subject.kinds}) for subject in subjects]
    for subject, recording in zip(subjects, recordings, strict=True):
        tell(0.0, f"warming up {subject.name}")
        warm_up(subject, clock, recording, warmup, rule)
    return recordings


def take_rounds(
    subjects: Sequence[Subject],
    recordings: Sequence[Recording],
    clock: Clock,
    rule: StopRule,
    on_progress: OnProgress | None = None,
) -> None:
    """Rounds until the rule is content, added to the recordings."""
    tell = on_progress or (lambda done, text: None)
    start, turn, done = clock.now(), 0, 0.0
    while done < 1.0:
        _take_round(subjects, recordings, clock, turn, rule)
        turn += 1
        if rule.is_due(turn):
            done = rule.progress(recordings, (clock.now() - start) / 1e9)
            tell(done, f"round {turn}")


def _take_round(
    subjects: Sequence[Subject],
    recordings: Sequence[Recording],
    clock: Clock,
    turn: int,
    rule: StopRule,
) -> None:
    """A row of passes of each kind of each subject, every other round the other way round."""
    step = -1 if turn % 2 else 1
    for subject, recording in list(zip(subjects, recordings, strict=True))[::step]:
        wanted = rule.count_wanted(recording)
        left = recording.row if wanted is None else wanted - len(recording.passes[CLEAN])
        count = min(recording.row, left)
        for kind in subject.kinds[::step] if count > 0 else ():
            for taken, decoded in take_row(subject, clock, kind, count):
                recording.add(kind, taken, decoded)
        recording.empties.append(subject.measure_empty(clock))


def take_row(
    subject: Subject, clock: Clock, kind: str, count: int = 1
) -> list[tuple[Pass, Decoded]]:
    """So many passes in a row, each from an idle device to an idle device.

    What their marks mean is worked out after the last, so that nothing lies between them.
    Python collects no garbage meanwhile, as with `timeit`: it would search this program's
    own objects too, at a moment that depends on their number.
    """
    watch = subject.make_instruments(clock) if kind == INSTRUMENTED else Watch(clock)
    taken = []
    with pause_collector(), watch.attach():
        for _ in range(count):
            subject.reset()
            taken.append(_run(subject, clock, kind, watch))
            watch.clear()
    return [_decode_pass(*one) for one in taken]


def _run(subject: Subject, clock: Clock, kind: str, watch: Watch) -> tuple[Marks, list[int], int]:
    clock.wait()
    before = clock.now()
    watch.start()
    subject.run(kind, watch)
    clock.wait()
    wall = clock.now() - before
    return watch.keep(), clock.read(watch.marks), wall


def _decode_pass(marks: Marks, times: list[int], wall: int) -> tuple[Pass, Decoded]:
    decoded = decode(marks, times)
    return Pass(tuple(decoded.phases.values()), wall), decoded


def warm_up(
    subject: Subject, clock: Clock, recording: Recording, count: int | None, rule: StopRule
) -> None:
    """Run passes that do not count until they no longer get faster, or so many as are asked for.

    One of every kind first: each has its own first time. How long they take says how many
    will run in a row.
    """
    times: list[int] = []
    for kind in subject.kinds[1:] if count is None else ():
        take_row(subject, clock, kind)
        recording.warmup += 1
    most = _limit_warmup(rule) if count is None else count
    while len(times) < most and not (count is None and has_settled(times)):
        times += [taken.wall for taken, _ in take_row(subject, clock, CLEAN)]
    recording.warmup += len(times)
    recording.settled = count is not None or has_settled(times)
    recording.row = choose_row(times)


def choose_row(times: Sequence[int]) -> int:
    """How many passes run in a row, by the last of the warm-up; 1 where there was none."""
    last = find_median(times[-WINDOW:]) if times else float(ROW)
    return int(min(max(ROW // max(last, 1.0), 1), LONGEST_ROW))


def _limit_warmup(rule: StopRule) -> int:
    """No longer than a tenth of what is asked for, but for the two windows that it takes."""
    if rule.iterations is None:
        return LONGEST_WARMUP
    return min(max(2 * WINDOW, rule.iterations // 10), LONGEST_WARMUP)


def has_settled(times: Sequence[int]) -> bool:
    """Whether passes no longer get faster: the last few against the few before, by medians."""
    if len(times) < 2 * WINDOW:
        return False
    before, last = times[-2 * WINDOW : -WINDOW], times[-WINDOW:]
    return find_median(last) >= (1 - STILL_WARMING) * find_median(before)
