"""Two profiles side by side: how many times faster, as a whole, by kind, by layer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain

from mobilenet_profiler.comparing import merge_paths, name_paths
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.correction import correct_samples, list_call_costs
from mobilenet_profiler.measured.differences import list_run_differences
from mobilenet_profiler.measured.profile import Pass, Profile
from mobilenet_profiler.measured.rows import BETWEEN, list_rest
from mobilenet_profiler.measured.statistics import (
    CONFIDENCE,
    Estimate,
    OrderedSamples,
    Ratio,
    divide_medians,
    estimate_ratio,
    find_differing,
    order_samples,
)
from mobilenet_profiler.units import describe_ratio

OTHER = "other"  # the kind of a layer that ran and that costs nothing
STEADY = 1.05  # a machine whose instruments cost so many times as much ran at another speed


@dataclass(frozen=True)
class TimedPair:
    """One part of two networks: a whole pass, a phase of it, a kind of layers, or a layer.

    name: short where it stays unique. path: of a layer. kind: of layers; several joined by
    ' / ' where the two differ. phase: in which it ran, or '' where there is but one.
    times: its samples in both, nanoseconds; None where one has no such part, or did not time it.
    named: whether the two differ beyond what chance would show somewhere in a table of so
    many rows.
    """

    name: str
    path: str
    kind: str
    phase: str
    times: tuple[OrderedSamples | None, OrderedSamples | None]
    named: bool = False

    @cached_property
    def estimates(self) -> tuple[Estimate | None, Estimate | None]:
        """The medians, nanoseconds."""
        before, after = (own.estimate() if own else None for own in self.times)
        return before, after

    @cached_property
    def ratio(self) -> Ratio | None:
        """Time before over time after, so that more than 1 is faster now; None without one."""
        before, after = self.times
        return divide_medians(before, after) if before and after else None

    @property
    def verdict(self) -> str:
        """'faster' or 'slower' where it is named, 'new' or 'removed'; else ''."""
        before, after = self.times
        if before is None or after is None:
            return "new" if after else "removed" if before else ""
        if not self.named or self.ratio is None:
            return ""
        return "faster" if self.ratio.value > 1 else "slower"


@dataclass(frozen=True)
class ProfileComparison:
    """Two profiles, the second against the first.

    The interval of a ratio holds what these two runs would show if they were longer. It does
    not hold what changes from one hour to the next: two runs of one network on a shared
    machine may differ by more. `machine_speed` tells where they did.
    """

    before: Profile
    after: Profile

    @cached_property
    def differences(self) -> tuple[str, ...]:
        """What differs besides times, a line each: setup, environment, network."""
        return list_run_differences(self.before, self.after)

    @cached_property
    def whole(self) -> tuple[TimedPair, ...]:
        """The clean pass first, then its phases, without compilation, as a CUDA graph."""
        return tuple(_list_wholes(self.before, self.after))

    @property
    def latency(self) -> TimedPair:
        """The clean pass as a caller waits for it."""
        return self.whole[0]

    @cached_property
    def kinds(self) -> tuple[TimedPair, ...]:
        """Own times by kind of layer and phase, the longest first, and what lies between."""
        return _name_differing(_list_kinds(self.before, self.after))

    @cached_property
    def layers(self) -> tuple[TimedPair, ...]:
        """Own times of layers that multiply, by path, and of the others by kind."""
        return pair_layers(self.before, self.after)

    @property
    def lined_up(self) -> int:
        """How many paths were timed in both."""
        before, after = ({layer.path for layer in own.layers} for own in (self.before, self.after))
        return len(before & after)

    @cached_property
    def machine_speed(self) -> Ratio | None:
        """What the empty instruments cost before over after; None where it is much the same.

        They do the same in both runs whatever the network: where they differ, the machine
        itself ran at another speed.
        """
        before, after = list_call_costs(self.before), list_call_costs(self.after)
        ratio = estimate_ratio(before, after) if before and after else None
        if ratio is None or 1 / STEADY <= ratio.value <= STEADY or not ratio.differs:
            return None
        return ratio

    @property
    def sentences(self) -> tuple[str, ...]:
        """The latency in words, and that of an image where batches differ."""
        return tuple(_describe(self))

    def __str__(self) -> str:
        from mobilenet_profiler.render.compare_profiles import render_text

        return render_text(self, width=100)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.compare_profiles import render_html

        return render_html(self)


def compare_profiles(before: Profile, after: Profile) -> ProfileComparison:
    """Two profiles, the second against the first: ratios of medians with their intervals.

    Raises UsageError where one is no profile, or has no pass to compare.
    """
    for profile in (before, after):
        if not isinstance(profile, Profile):
            raise UsageError(f"compare_profiles takes two profiles, given {profile!r:.60}")
        if not profile.clean:
            raise UsageError(f"{profile.label!r} has no clean pass to compare")
    return ProfileComparison(before, after)


Take = Callable[[Profile], Sequence[float]]


def _pair(name: str, profiles: Sequence[Profile], take: Take, phase: str = "") -> TimedPair:
    """A part by its samples in each profile, in the order in which they were taken."""
    before, after = (order_samples(own) if (own := take(item)) else None for item in profiles)
    return TimedPair(name, "", "", phase, (before, after))


def _list_wholes(*profiles: Profile) -> Iterator[TimedPair]:
    trains = any(profile.setup.mode == "train" for profile in profiles)
    latency = _pair("training step" if trains else "latency", profiles, lambda p: _walls(p.clean))
    yield replace(latency, named=bool(latency.ratio and latency.ratio.differs))
    phases = dict.fromkeys(chain.from_iterable(profile.phases for profile in profiles))
    others = [_pair_phase(phase, profiles) for phase in phases] if len(phases) > 1 else []
    if all(profile.eager for profile in profiles):
        others.append(_pair("without compile", profiles, lambda p: _walls(p.eager)))
    if all(profile.graph for profile in profiles):
        others.append(_pair("CUDA graph", profiles, lambda p: p.graph))
    yield from _name_differing(others)


def _pair_phase(phase: str, profiles: Sequence[Profile]) -> TimedPair:
    def take(profile: Profile) -> list[int]:
        if phase not in profile.phases:
            return []
        place = profile.phases.index(phase)
        return [sample.phases[place] for sample in profile.clean]

    return _pair(phase, profiles, take)


def _walls(passes: Iterable[Pass]) -> list[int]:
    return [sample.wall for sample in passes]


def _list_kinds(*profiles: Profile) -> list[TimedPair]:
    """The longest before first; what lies between the layers of a phase stands last."""
    kinds = [_find_kinds(profile) for profile in profiles]
    phases = _list_phases(profiles)
    rows = [
        _pair_layers(kind, phase, profiles, [_choose(own, kind) for own in kinds], kind)
        for kind in dict.fromkeys(chain.from_iterable(own.values() for own in kinds))
        for phase in phases
    ]
    timed = sorted((row for row in rows if any(row.times)), key=lambda row: -_find_longest(row))
    shown = phases if len(phases) > 1 else [""]
    between = [
        _pair(BETWEEN, profiles, partial(_time_between, phase=phase), name)
        for phase, name in zip(phases, shown, strict=False)
    ]
    return [*timed, *between]


def _time_between(profile: Profile, phase: str) -> Sequence[float]:
    rest = {row.row.name: row.phases for row in list_rest(profile) if profile.layers}
    return rest.get(BETWEEN, {}).get(phase, ())


def _find_longest(row: TimedPair) -> float:
    return max(own.value for own in row.estimates if own)


def _find_kinds(profile: Profile) -> dict[str, str]:
    """The kind of each timed layer, by path."""
    known = {layer.path: layer.kind for layer in profile.trace.layers}
    return {layer.path: known.get(layer.path, OTHER) for layer in profile.layers}


def _choose(kinds: dict[str, str], kind: str) -> set[str]:
    return {path for path, own in kinds.items() if own == kind}


def _list_phases(profiles: Sequence[Profile]) -> list[str]:
    """The phases in which any layer was timed."""
    timed = {layer.phase for profile in profiles for layer in profile.layers}
    phases = dict.fromkeys(chain.from_iterable(profile.phases for profile in profiles))
    return [phase for phase in phases if phase in timed]


def _pair_layers(
    name: str, phase: str, profiles: Sequence[Profile], paths: Sequence[set[str]], kind: str
) -> TimedPair:
    """Layers together, one or several, pass by pass; the phase is named where there are more."""
    own = [_add_up(item, phase, chosen) for item, chosen in zip(profiles, paths, strict=True)]
    before, after = (order_samples(samples) if samples else None for samples in own)
    shown = phase if len(_list_phases(profiles)) > 1 else ""
    return TimedPair(name, "", kind, shown, (before, after))


def _add_up(profile: Profile, phase: str, paths: set[str]) -> list[float]:
    """Own times of these layers in each instrumented pass; nothing where none was timed."""
    chosen = [
        correct_samples(profile, layer)
        for layer in profile.layers
        if layer.phase == phase and layer.path in paths
    ]
    return [sum(samples) for samples in zip(*chosen, strict=True)]


def pair_layers(before: Profile, after: Profile, every: bool = False) -> tuple[TimedPair, ...]:
    """Layers by path, in the order in which they run; those without MACs added up by kind.

    every: list those one by one too. A row for each phase in which the layer was timed.
    """
    profiles = (before, after)
    kinds = [_find_kinds(profile) for profile in profiles]
    listed = [path for path in _order_paths(profiles) if every or _multiplies(profiles, path)]
    names = name_paths([profile.trace for profile in profiles], listed)
    rest = [{path: kind for path, kind in own.items() if path not in names} for own in kinds]
    rows = [
        replace(_pair_layers(names[path], phase, profiles, [{path}] * 2, kind), path=path)
        for path in listed
        for kind in [" / ".join(dict.fromkeys(own[path] for own in kinds if path in own))]
        for phase in _list_phases(profiles)
    ]
    rows += [
        _pair_layers(kind, phase, profiles, [_choose(own, kind) for own in rest], kind)
        for kind in dict.fromkeys(chain.from_iterable(own.values() for own in rest))
        for phase in _list_phases(profiles)
    ]
    return _name_differing([row for row in rows if any(row.times)])


def _order_paths(profiles: Sequence[Profile]) -> list[str]:
    """Every timed path, as the layers run; those that only the later has where they run there."""
    timed = [{layer.path: None for layer in profile.layers} for profile in profiles]
    ordered = [
        [*(layer.path for layer in profile.trace.layers if layer.path in own), *own]
        for profile, own in zip(profiles, timed, strict=True)
    ]
    return merge_paths([list(dict.fromkeys(paths)) for paths in ordered])


def _multiplies(profiles: Sequence[Profile], path: str) -> bool:
    return any(layer.path == path for item in profiles for layer in item.trace.counted)


def _name_differing(rows: Sequence[TimedPair]) -> tuple[TimedPair, ...]:
    """The rows with those named that differ beyond chance among all of them."""
    places = [place for place, row in enumerate(rows) if row.ratio]
    pairs = [(before, after) for row in rows if row.ratio for before, after in [row.times]]
    found = find_differing([(one, other) for one, other in pairs if one and other])
    named = dict(zip(places, found, strict=True))
    return tuple(replace(row, named=named.get(place, False)) for place, row in enumerate(rows))


def _describe(comparison: ProfileComparison) -> Iterator[str]:
    latency = comparison.latency
    if latency.ratio is None:
        yield f"{latency.name}: a median is 0; the clock is too coarse for this"
        return
    yield f"{latency.name}: {describe_ratio(latency.ratio)}"
    before, after = comparison.before.setup.batch, comparison.after.setup.batch
    if before and after and before != after:
        yield f"per image: {describe_ratio(latency.ratio.scale(after / before))}"
    if speed := comparison.machine_speed:
        yield (
            f"the machine itself: empty instruments are {describe_ratio(speed)}, and they do the "
            "same in both runs; measure both again, one right after the other"
        )


def count_fewest(rows: int) -> int:
    """Samples without which no row of so many can be named: the extremes must be so sure."""
    count = 1
    while 1 - 2.0 ** (1 - count) < 1 - (1 - CONFIDENCE) / rows:
        count += 1
    return count
