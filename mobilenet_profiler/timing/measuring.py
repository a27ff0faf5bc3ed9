"""The measuring loop: clean and instrumented passes in turns, until a rule is content.

A shared machine drifts by tens of per cent within a minute, so nothing is measured after
something else: in each round every kind of pass runs once, in an order that turns round.
The clock is an argument, so that the loop can be tested to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import EmptyCosts, Pass, Span
from mobilenet_profiler.measured.statistics import estimate_median, find_median
from mobilenet_profiler.timing.clocks import Clock
from mobilenet_profiler.timing.instruments import Decoded, Instruments, Watch, decode

CLEAN, EAGER, INSTRUMENTED = "clean", "eager", "instrumented"
FEWEST = 6  # rounds: the fewest whose extremes hold the median with 95 per cent
WINDOW = 3  # passes that are looked at together at the end of the warm-up
STILL_WARMING = 0.02  # a window that is so much faster than the one before shows a warm-up
LONGEST_WARMUP = 20  # passes
PATIENCE = 10.0  # seconds after which a precision that does not come is given up
DEFAULT_PRECISION = 0.02

OnProgress = Callable[[float, str], None]


class Subject(Protocol):
    """What is measured: a network with its inputs, ready to run.

    kinds: of the passes in a round: clean, eager where clean ones are compiled, instrumented.
    """

    name: str
    kinds: tuple[str, ...]

    def run(self, kind: str, watch: Watch) -> None:
        """One pass, its phases told to the watch."""
        ...

    def make_instruments(self, clock: Clock) -> Instruments:
        """Marks around its layers."""
        ...

    def measure_empty(self, clock: Clock) -> tuple[float, ...]:
        """What an instrumented call costs, nanoseconds: inside the layer, and outside.

        Where there is a backward pass, the same of a node of that after these two.
        """
        ...


@dataclass(frozen=True, slots=True)
class StopRule:
    """When there are samples enough: one of three.

    iterations: so many passes in all, of every kind together. min_time: so many seconds of
    clean passes. precision: the interval of the median within so large a part of it, given
    up after PATIENCE seconds.
    """

    iterations: int | None = None
    min_time: float | None = None
    precision: float | None = None

    def __post_init__(self) -> None:
        given = [self.iterations, self.min_time, self.precision]
        if sum(value is not None for value in given) > 1:
            raise UsageError("give one of iterations, min_time and precision, not several")
        for name in ("iterations", "min_time", "precision"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be above 0, given {value}")

    @property
    def goal(self) -> float:
        """The precision to reach where nothing else was asked for."""
        return DEFAULT_PRECISION if self.precision is None else self.precision

    def progress(self, recordings: Sequence[Recording], seconds: float) -> float:
        """How much is done, 0 to 1; 1 ends the measurement."""
        rounds = min(len(recording.passes[CLEAN]) for recording in recordings)
        if self.iterations is not None:
            wanted = max(-(-self.iterations // len(recordings[0].passes)), 1)
            return min(rounds / wanted, 1.0)
        if rounds < FEWEST:
            return min(rounds / FEWEST, 0.99)
        if self.min_time is not None:
            spent = min(sum(p.wall for p in r.passes[CLEAN]) for r in recordings)
            return min(spent / 1e9 / self.min_time, 1.0)
        return self._progress_by_precision(recordings, seconds)

    def _progress_by_precision(self, recordings: Sequence[Recording], seconds: float) -> float:
        """By the widest interval, which narrows with the root of the number of samples."""
        widest = max(
            estimate_median([sample.wall for sample in recording.passes[CLEAN]]).relative
            for recording in recordings
        )
        narrowed = (self.goal / widest) ** 2 if widest else 1.0
        return 1.0 if widest <= self.goal else max(min(narrowed, 0.99), seconds / PATIENCE)

    def describe(self, rounds: int, reached: float) -> str:
        """What ended the measurement, in words. reached: the relative half interval."""
        if self.iterations is not None:
            return f"{self.iterations} iterations"
        if self.min_time is not None:
            return f"{self.min_time:g} s of clean passes"
        if reached <= self.goal:
            return f"the median within {100 * self.goal:g}%"
        return (
            f"{PATIENCE:g} s, the median within {100 * reached:.1f}% and not {100 * self.goal:g}%"
        )


@dataclass
class Recording:
    """What was taken of one subject, in the order in which it was taken."""

    passes: dict[str, list[Pass]]
    decoded: list[Decoded] = field(default_factory=list)
    empties: list[tuple[float, ...]] = field(default_factory=list)
    warmup: int = 0
    settled: bool = True
    timeline: tuple[Span, ...] = ()
    shown: int = 0  # nanoseconds of the pass of `timeline`

    def add(self, kind: str, taken: Pass, decoded: Decoded) -> None:
        """A pass; of the spans those of the instrumented pass nearest the median are kept."""
        self.passes[kind].append(taken)
        if kind != INSTRUMENTED:
            return
        middle = find_median([sample.time for sample in self.passes[kind]])
        if not self.timeline or abs(taken.time - middle) <= abs(self.shown - middle):
            self.timeline, self.shown = tuple(decoded.spans), taken.time
        decoded.spans.clear()
        self.decoded.append(decoded)

    @property
    def empty(self) -> EmptyCosts:
        """What the instruments cost."""
        return EmptyCosts(*zip(*self.empties, strict=True))


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
    tell = on_progress or (lambda done, text: None)
    recordings = [Recording({kind: [] for kind in subject.kinds}) for subject in subjects]
    for subject, recording in zip(subjects, recordings, strict=True):
        tell(0.0, f"warming up {subject.name}")
        warm_up(subject, clock, recording, warmup, rule)
    start, turn, done = clock.now(), 0, 0.0
    while done < 1.0:
        _take_round(subjects, recordings, clock, turn)
        turn += 1
        done = rule.progress(recordings, (clock.now() - start) / 1e9)
        tell(done, f"round {turn}")
    return recordings


def _take_round(
    subjects: Sequence[Subject], recordings: Sequence[Recording], clock: Clock, turn: int
) -> None:
    """Each kind of pass of each subject once, every other round the other way round."""
    step = -1 if turn % 2 else 1
    for subject, recording in list(zip(subjects, recordings, strict=True))[::step]:
        for kind in subject.kinds[::step]:
            recording.add(kind, *take_pass(subject, clock, kind))
        recording.empties.append(subject.measure_empty(clock))


def take_pass(subject: Subject, clock: Clock, kind: str) -> tuple[Pass, Decoded]:
    """One pass from an idle device to an idle device."""
    if kind != INSTRUMENTED:
        return _run(subject, clock, kind, Watch(clock))
    instruments = subject.make_instruments(clock)
    with instruments.attach():
        return _run(subject, clock, kind, instruments)


def _run(subject: Subject, clock: Clock, kind: str, watch: Watch) -> tuple[Pass, Decoded]:
    clock.wait()
    before = clock.now()
    watch.start()
    subject.run(kind, watch)
    clock.wait()
    wall = clock.now() - before
    decoded = decode(watch, clock.read(watch.marks))
    return Pass(tuple(decoded.phases.values()), wall), decoded


def warm_up(
    subject: Subject, clock: Clock, recording: Recording, count: int | None, rule: StopRule
) -> None:
    """Run passes that do not count until they no longer get faster, or so many as are asked for.

    One of every kind first: each has its own first time.
    """
    times: list[int] = []
    for kind in subject.kinds[1:] if count is None else ():
        take_pass(subject, clock, kind)
        recording.warmup += 1
    most = _limit_warmup(rule) if count is None else count
    while len(times) < most and not (count is None and has_settled(times)):
        times.append(take_pass(subject, clock, CLEAN)[0].wall)
    recording.warmup += len(times)
    recording.settled = count is not None or has_settled(times)


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
