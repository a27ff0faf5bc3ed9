"""From a Profile to rows with times and to its totals: pure, and always adding up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import unknown_name
from mobilenet_profiler.measured.correction import correct_samples, cost_instruments
from mobilenet_profiler.measured.profile import FORWARD, LayerSamples, LayerWork, Profile
from mobilenet_profiler.measured.statistics import (
    Estimate,
    estimate_median,
    find_median,
    find_quantile,
)
from mobilenet_profiler.rows import Row, gather_rest, make_rows

TIME_SORT_KEYS = ("time", "macs", "params", "name")
TAIL = 0.9
BETWEEN = "between layers"


@dataclass(frozen=True)
class TimedRow:
    """A line of a table: one layer, or several that add up, with their time.

    row: the exact part. samples: own time in each instrumented pass, nanoseconds, the
    instruments taken off; empty where nothing of it was timed apart.
    phases: the same by phase. kernels: time of its kernels on a GPU.
    work: what it does in a pass.
    """

    row: Row
    samples: tuple[float, ...]
    phases: dict[str, tuple[float, ...]]
    kernels: tuple[int, ...]
    work: LayerWork

    @cached_property
    def time(self) -> Estimate | None:
        """Median own time of a pass, nanoseconds; None where it was not timed apart."""
        return estimate_median(self.samples) if self.samples else None

    @property
    def nanoseconds(self) -> float:
        """The median as a number; 0 where it was not timed apart."""
        return self.time.value if self.time else 0.0

    @cached_property
    def phase_times(self) -> dict[str, Estimate]:
        """Median own time in each phase of a pass in which it was timed, nanoseconds."""
        timed = {phase: own for phase, own in self.phases.items() if own}
        if len(timed) == 1 and self.time:
            return dict.fromkeys(timed, self.time)
        return {phase: estimate_median(own) for phase, own in timed.items()}

    def estimate_phase(self, phase: str) -> Estimate | None:
        """Median own time in one phase of a pass; None where it was not timed apart."""
        return self.phase_times.get(phase)

    @property
    def macs_per_second(self) -> float | None:
        """Achieved multiply-accumulates a second of the forward pass."""
        forward = self.estimate_phase("forward")
        if forward is None or not forward.value or not self.work.macs:
            return None
        return self.work.macs / forward.value * 1e9


def make_timed_rows(
    profile: Profile,
    by: str = "layer",
    depth: int | None = None,
    sort: str | None = None,
    top: int | None = None,
    every: bool = False,
) -> tuple[TimedRow, ...]:
    """The rows of a view, as `rows.make_rows` makes them, with times beside the costs.

    sort: 'time', largest first, or by a cost or name. The samples of all rows add up to
    those of all timed layers, pass by pass.
    """
    if sort is not None and sort not in TIME_SORT_KEYS:
        raise unknown_name("sort key", sort, TIME_SORT_KEYS)
    plain = (*make_rows(profile.trace, by, depth, None, None, every), *list_extra(profile, by))
    timed = [_time_row(profile, row) for row in plain]
    ordered = sort_rows(timed, sort)
    if top is None or len(ordered) <= top:
        return tuple(ordered)
    rest = gather_rest([timed.row for timed in ordered[top:]])
    return (*ordered[:top], _time_row(profile, rest))


def list_extra(profile: Profile, by: str = "layer") -> list[Row]:
    """Rows for timed modules that the trace has none for: what they cost is in other rows."""
    groups: dict[str, list[LayerSamples]] = {}
    for layer in profile.layers:
        if layer.kind:
            name = layer.kind if by == "kind" else layer.path or "(model)"
            groups.setdefault(name, []).append(layer)
    return [_make_extra(name, layers) for name, layers in groups.items()]


def _make_extra(name: str, layers: Sequence[LayerSamples]) -> Row:
    paths = tuple(dict.fromkeys(layer.path for layer in layers))
    return Row(name, name, layers[0].kind, Cost(), layers=len(paths), paths=paths)


def sort_rows(rows: Sequence[TimedRow], sort: str | None) -> list[TimedRow]:
    """Largest first, or by name; as they ran where no key is given."""
    keys: dict[str, Callable[[TimedRow], object]] = {
        "time": lambda timed: -timed.nanoseconds,
        "macs": lambda timed: -timed.row.cost.macs,
        "params": lambda timed: -timed.row.cost.params,
        "name": lambda timed: timed.row.name,
    }
    return sorted(rows, key=keys[sort]) if sort else list(rows)  # type: ignore[arg-type]


def summarise_times(profile: Profile) -> tuple[TimedRow, ...]:
    """By kind of layer, the most time first: the paper's Table 2 with a third column."""
    return make_timed_rows(profile, by="kind", sort="time")


def _time_row(profile: Profile, row: Row) -> TimedRow:
    chosen = [layer for path in row.paths for layer in profile.by_path.get(path, ())]
    phases = {
        phase: add_samples(
            correct_samples(profile, layer) for layer in chosen if layer.phase == phase
        )
        for phase in dict.fromkeys(layer.phase for layer in chosen)
    }
    work = [profile.work[path] for path in row.paths if path in profile.work]
    return TimedRow(
        row,
        add_samples(phases.values()),
        phases,
        tuple(map(int, add_samples(layer.kernels for layer in chosen if layer.kernels))),
        add_work(work),
    )


def add_samples(samples: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Several layers' samples added up, pass by pass."""
    return tuple(map(sum, zip(*samples, strict=True)))


def add_work(work: Iterable[LayerWork]) -> LayerWork:
    """What several layers do together."""
    known = list(work)
    return LayerWork(
        macs=sum(item.macs for item in known),
        bytes_moved=sum(item.bytes_moved for item in known),
        operations=sum(item.operations for item in known),
        counted=sum(item.counted for item in known),
    )


@dataclass(frozen=True)
class Totals:
    """The time of the whole network and what it is made of, nanoseconds.

    latency: of a clean pass, as a caller waits for it. tail: what nine of ten such passes
    stay below. phases: of a clean pass. images: a second, or None without a batch.
    layers, between: of a pass: own times of all layers, and what lies between them.
    instruments: what they cost a pass, taken off both. together: layers and between.
    clean: what that is held against: passes with nothing attached, eager ones where the
    others are compiled. closing: by how large a part `together` misses `clean`, round by
    round; 0 is perfect.
    """

    latency: Estimate
    tail: float
    phases: dict[str, Estimate]
    images: Estimate | None
    layers: Estimate
    between: Estimate
    instruments: Estimate
    together: Estimate
    clean: Estimate
    closing: Estimate


def add_up_times(profile: Profile) -> Totals:
    """The totals of a profile."""
    walls = [sample.wall for sample in profile.clean]
    latency = estimate_median(walls)
    own = add_samples(correct_samples(profile, layer) for layer in profile.layers)
    whole = list_wholes(profile)
    own = own or (0.0,) * len(whole)
    return Totals(
        latency=latency,
        tail=find_quantile(walls, TAIL),
        phases=_estimate_phases(profile),
        images=_count_images(profile, latency),
        layers=estimate_median(own),
        between=estimate_median([all_ - part for all_, part in zip(whole, own, strict=True)]),
        instruments=estimate_median([cost_instruments(profile)] * len(whole)),
        together=estimate_median(whole),
        clean=estimate_median([sample.time for sample in profile.eager or profile.clean]),
        closing=estimate_closing(profile),
    )


def list_wholes(profile: Profile) -> list[float]:
    """Layers and what lies between them in each instrumented pass, nanoseconds."""
    cost = cost_instruments(profile)
    return [sample.time - cost for sample in profile.instrumented]


def add_up_medians(profile: Profile) -> float:
    """The medians of all layers and of what lies between them, nanoseconds.

    Below the median pass where each pass has another layer disturbed.
    """
    layers = [correct_samples(profile, layer) for layer in profile.layers]
    rest = [row.samples for row in list_rest(profile)]
    return sum(find_median(samples) for samples in (*layers, *rest) if samples)


def estimate_closing(profile: Profile) -> Estimate:
    """By how large a part those miss the clean pass of the same round: 0 is perfect.

    Round by round, since a machine drifts: both passes of a round are neighbours.
    """
    clean = profile.eager or profile.clean
    pairs = zip(list_wholes(profile), clean, strict=False)
    missed = [both / alone.time - 1 for both, alone in pairs if alone.time]
    return estimate_median(missed or [0.0])  # a clock may be too coarse for any


def _estimate_phases(profile: Profile) -> dict[str, Estimate]:
    return {
        phase: estimate_median([sample.phases[index] for sample in profile.clean])
        for index, phase in enumerate(profile.phases)
    }


def _count_images(profile: Profile, latency: Estimate) -> Estimate | None:
    batch = profile.setup.batch
    if batch is None or not latency.low:
        return None
    rate = 1e9 * batch
    return Estimate(
        rate / latency.value,
        rate / latency.high,
        rate / latency.low,
        latency.count,
        latency.confidence,
    )


def list_rest(profile: Profile) -> tuple[TimedRow, ...]:
    """The time of a pass that no layer has: between its layers, and phases without any.

    With the layers' own times it adds up to the instrumented pass, the instruments taken
    off, pass by pass.
    """
    rest: dict[str, dict[str, tuple[float, ...]]] = {}
    for phase in profile.phases:
        apart = any(layer.phase == phase for layer in profile.layers)
        name = BETWEEN if apart or phase == FORWARD[0] else phase
        rest.setdefault(name, {})[phase] = _time_rest(profile, phase)
    return tuple(
        TimedRow(
            Row(name, name, "-", Cost(), layers=0),
            add_samples(phases.values()),
            phases,
            (),
            add_work(()),
        )
        for name, phases in rest.items()
    )


def _time_rest(profile: Profile, phase: str) -> tuple[float, ...]:
    """A phase of each instrumented pass without its layers and without the instruments."""
    layers = [layer for layer in profile.layers if layer.phase == phase]
    own = add_samples(correct_samples(profile, layer) for layer in layers)
    cost = cost_instruments(profile, phase)
    place = profile.phases.index(phase)
    whole = [sample.phases[place] - cost for sample in profile.instrumented]
    return tuple(a - b for a, b in zip(whole, own or (0.0,) * len(whole), strict=True))
