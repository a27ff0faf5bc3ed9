"""Traces side by side: totals, kinds of layers, layers of one path, and it in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, overload

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.cost import Cost, LayerCost, Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.rows import name_layers
from mobilenet_profiler.spec import list_label_parts
from mobilenet_profiler.units import format_percent, format_rounded
from mobilenet_profiler.zoo.catalogue import find_model

if TYPE_CHECKING:
    from mobilenet_profiler.measured.comparing import ProfileComparison

QUANTITIES = ("params", "weights", "macs", "activations", "backward_macs")
NEARLY_ALL = 95  # per cent


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A top-1 accuracy: a published one on ImageNet, or a user's own.

    text: as it is printed, '70.6%'. source: the paper and its table, or the user's file.
    """

    text: str
    source: str

    @property
    def percent(self) -> float:
        """The number that is printed."""
        return float(self.text.rstrip("% "))


@dataclass(frozen=True, slots=True)
class AlignedCost:
    """One layer, one kind or the whole, in every model of a comparison.

    name: short where it stays unique. path: of a layer; '' for a kind, and for the model
    itself. kind: of layer; several joined by ' / ' where the models differ.
    costs: in the order of the models; None where one has no such layer.
    """

    name: str
    path: str
    kind: str
    costs: tuple[Cost | None, ...]

    def amount(self, index: int, quantity: str) -> int:
        """How much of a quantity a model has there; 0 where it has no such layer."""
        cost = self.costs[index]
        return getattr(cost, quantity) if cost else 0

    def difference(self, index: int, quantity: str) -> int:
        """What a model has more than the first."""
        return self.amount(index, quantity) - self.amount(0, quantity)

    @property
    def multiplies(self) -> bool:
        """Whether it has MACs in any model."""
        return any(cost and (cost.macs or cost.backward_macs) for cost in self.costs)

    @property
    def costless(self) -> bool:
        """Whether it has neither params nor MACs in any model."""
        return not (self.multiplies or any(cost and cost.params for cost in self.costs))


@dataclass(frozen=True)
class ModelComparison:
    """Models side by side; the first is what the others are compared with.

    names: of each, short and unique: what differs. accuracies: published ones, or None.
    """

    traces: tuple[Trace, ...]
    names: tuple[str, ...]
    accuracies: tuple[Accuracy | None, ...]

    @property
    def convention(self) -> Convention | None:
        """Of all their numbers; None is ours."""
        return self.traces[0].convention

    @property
    def total(self) -> AlignedCost:
        """The whole models."""
        return AlignedCost("total", "", "", tuple(trace.total for trace in self.traces))

    @property
    def kinds(self) -> tuple[AlignedCost, ...]:
        """By kind of layer, the most MACs first; they add up to the total."""
        return align_kinds(self.traces)

    @property
    def layers(self) -> tuple[AlignedCost, ...]:
        """Layers that multiply, by path, and the others by kind; they add up to the total."""
        return align_layers(self.traces)

    @property
    def lined_up(self) -> int:
        """How many paths of layers that multiply are in several of the models."""
        found = [{layer.path for layer in trace.counted} for trace in self.traces]
        return sum(sum(path in paths for paths in found) > 1 for path in set().union(*found))

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each model after the first, in words."""
        return tuple(describe_difference(self, index) for index in range(1, len(self.traces)))

    def __str__(self) -> str:
        from mobilenet_profiler.render.compare import render_text

        return render_text(self, width=100)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.compare import render_html

        return render_html(self)


@overload
def compare(before: Profile, after: Profile, /) -> ProfileComparison: ...


@overload
def compare(*traces: Trace, accuracies: Sequence[Accuracy | None] = ()) -> ModelComparison: ...


def compare(
    *traces: Trace | Profile, accuracies: Sequence[Accuracy | None] = ()
) -> ModelComparison | ProfileComparison:
    """Traces side by side, the others against the first; or two profiles, after against before.

    accuracies: published ones, one for each trace or None; they stand beside the totals.
    Raises UsageError for fewer than two, and where they count in different conventions.
    """
    for trace in traces:
        if not isinstance(trace, Trace | Profile):
            raise UsageError(f"compare takes traces, given {trace!r:.60}; trace it first: trace(…)")
    if profiles := [item for item in traces if isinstance(item, Profile)]:
        return _compare_profiles(profiles, len(traces), bool(accuracies))
    return _compare_traces([item for item in traces if isinstance(item, Trace)], accuracies)


def _compare_profiles(profiles: Sequence[Profile], given: int, accurate: bool) -> ProfileComparison:
    from mobilenet_profiler.measured.comparing import compare_profiles

    if len(profiles) < given:
        raise UsageError("compare takes traces or profiles, given both; a profile has a .trace")
    if given != 2:
        raise UsageError(f"compare takes two profiles, before and after, given {given}")
    if accurate:
        raise UsageError("accuracies go with traces, given profiles")
    return compare_profiles(*profiles)


def _compare_traces(
    traces: Sequence[Trace], accuracies: Sequence[Accuracy | None]
) -> ModelComparison:
    if len(traces) < 2:
        raise UsageError(f"compare takes two models or more, given {len(traces)}")
    if accuracies and len(accuracies) != len(traces):
        raise UsageError(f"give {len(traces)} accuracies, one a model, not {len(accuracies)}")
    for accuracy in accuracies:
        if not isinstance(accuracy, Accuracy | None):
            raise UsageError(f"an accuracy must be an Accuracy or None, given {accuracy!r}")
    check_conventions(traces)
    chosen = tuple(accuracies) or (None,) * len(traces)
    return ModelComparison(tuple(traces), name_models(traces), chosen)


def check_conventions(traces: Sequence[Trace]) -> None:
    """Refuse numbers that do not count the same."""
    for trace in traces:
        if trace.convention != traces[0].convention:
            raise UsageError(
                f"{traces[0].label!r} counts in convention {name_convention(traces[0])!r}, "
                f"{trace.label!r} in {name_convention(trace)!r}; compare in one"
            )


def name_convention(trace: Trace) -> str:
    """The name of the convention that a trace counts in."""
    return trace.convention.name if trace.convention else DEFAULT


def name_models(traces: Sequence[Trace]) -> tuple[str, ...]:
    """A short name for each: its model's, or what differs from others of that name."""
    parts = [list_label_parts(trace.spec) for trace in traces]
    names: list[str] = []
    for index, own in enumerate(parts):
        first = parts.index(own)
        name = names[first] if first < index else _name_model(own, parts, names)
        names.append(_number(name, names))
    return tuple(names)


def _name_model(own: Sequence[str], parts: Sequence[Sequence[str]], taken: Sequence[str]) -> str:
    """The model with its options where it is the only one of that name; else what differs.

    The first of several that is just as its factory makes it has the model's bare name, which
    the others leave unsaid where it is that of all.
    """
    alike = [other for other in parts if other[0] == own[0]]
    if len(alike) == 1:
        return " ".join(part for part in own if not part.startswith(("input=", "mode=")))
    shared = set(alike[0]).intersection(*alike)
    unlike = [part for part in own if part not in shared]
    if own[0] not in taken and not [part for part in unlike if not _is_default(own[0], part)]:
        return own[0]
    return " ".join(unlike if unlike and len(alike) == len(parts) else [own[0], *unlike])


def _is_default(model: str, part: str) -> bool:
    """Whether a part of a heading is the input that the network has by itself, if that is known."""
    entry = find_model(model)
    return part == f"input={entry.input_text}" if entry else part.startswith("input=")


def _number(name: str, taken: Sequence[str]) -> str:
    """The name, or with the first number from 2 on that makes it unique."""
    if name not in taken:
        return name
    return next(found for index in count(2) if (found := f"{name} ({index})") not in taken)


def align_kinds(traces: Sequence[Trace]) -> tuple[AlignedCost, ...]:
    """Cost by kind of layer in each trace; the kinds with most MACs in any come first."""
    rows = _add_up_kinds(traces, [trace.layers for trace in traces])
    return tuple(sorted(rows, key=lambda row: (-_find_most(row, "macs"), -_find_most(row))))


def _find_most(row: AlignedCost, quantity: str = "params") -> int:
    return max(row.amount(index, quantity) for index in range(len(row.costs)))


def _add_up_kinds(
    traces: Sequence[Trace], layers: Sequence[Iterable[LayerCost]]
) -> list[AlignedCost]:
    found: dict[str, list[Cost | None]] = {}
    for index, own in enumerate(layers):
        for layer in own:
            costs = found.setdefault(layer.kind, [None] * len(traces))
            costs[index] = (costs[index] or Cost()) + layer.cost
    return [AlignedCost(kind, "", kind, tuple(costs)) for kind, costs in found.items()]


def align_layers(traces: Sequence[Trace], every: bool = False) -> tuple[AlignedCost, ...]:
    """Layers by path, in the order in which they run; those without MACs added up by kind.

    every: list those one by one too.
    """
    paths = merge_paths([layer.path for layer in trace.layers] for trace in traces)
    multiply = {layer.path for trace in traces for layer in trace.counted}
    listed = [path for path in paths if every or path in multiply]
    by_path = [{layer.path: layer for layer in trace.layers} for trace in traces]
    names = name_paths(traces, listed)
    rows = [_align(path, names[path], [own.get(path) for own in by_path]) for path in listed]
    known = set(listed)
    rest = [[layer for layer in trace.layers if layer.path not in known] for trace in traces]
    return (*rows, *_add_up_kinds(traces, rest))


def _align(path: str, name: str, layers: Sequence[LayerCost | None]) -> AlignedCost:
    kinds = dict.fromkeys(layer.kind for layer in layers if layer)
    costs = tuple(layer.cost if layer else None for layer in layers)
    return AlignedCost(name, path, " / ".join(kinds), costs)


def merge_paths(lists: Iterable[Sequence[str]]) -> list[str]:
    """All of them once; what only a later one has stands after what it follows there."""
    merged: list[str] = []
    for paths in lists:
        known = set(merged)
        after: dict[str | None, list[str]] = {None: []}
        last = None
        for path in paths:
            last = path if path in known else last
            after.setdefault(last, [])
            after[last] += [] if path in known else [path]
        merged = [*after[None], *(new for old in merged for new in (old, *after.get(old, ())))]
    return merged


def name_paths(traces: Sequence[Trace], paths: Iterable[str]) -> dict[str, str]:
    """The short name on which all traces agree and that no other path has, or the path."""
    given = [name_layers(trace) for trace in traces]
    found = {path: {names[path] for names in given if path in names} for path in paths}
    owners: dict[str, int] = {}
    for names in found.values():
        for name in names:
            owners[name] = owners.get(name, 0) + 1
    return {
        path: next(iter(names))
        if len(names) == 1 and owners[next(iter(names))] == 1
        else path or "(model)"
        for path, names in found.items()
    }


def describe_difference(comparison: ModelComparison, index: int) -> str:
    """How large a model is beside the first, and in which kinds of layers they differ."""
    total, known = comparison.total, comparison.convention
    units = {"params": "params", "macs": known.unit if known and known.rules else "MACs"}
    first, own = comparison.names[0], comparison.names[index]
    changed = [name for name in units if total.difference(index, name)]
    if changed:
        shown = [name for name in units if total.amount(0, name) or total.amount(index, name)]
        parts = [_describe_ratio(total, index, name, units[name]) for name in shown]
        start = f"{own}: {' and '.join(parts)} of {first}."
    else:
        start = f"{own}: as many params and {units['macs']} as {first}."
    places = [
        f"{unit}: {place}."
        for name, unit in units.items()
        if (place := "; ".join(_place_difference(comparison.kinds, total, index, name)))
    ]
    return " ".join([start, *places])


def _describe_ratio(total: AlignedCost, index: int, quantity: str, unit: str) -> str:
    part, whole = total.amount(index, quantity), total.amount(0, quantity)
    if not whole:
        return f"{format_rounded(part)} {unit} against the 0"
    if part > 2 * whole:
        return f"{part / whole:.2f} times the {unit}"
    return f"{format_percent(part, whole)} of the {unit}"


def _place_difference(
    kinds: Sequence[AlignedCost], total: AlignedCost, index: int, quantity: str
) -> Iterator[str]:
    """In which kind of layer most of a difference lies, and how much of it."""
    changes = [(row.difference(index, quantity), row.kind) for row in kinds]
    less = sorted((change for change in changes if change[0] < 0), key=lambda pair: pair[0])
    more = sorted((change for change in changes if change[0] > 0), key=lambda pair: -pair[0])
    if less and more:
        yield f"{_count(less[0][0])} fewer in {less[0][1]} layers{_limit(less)}"
        yield f"{_count(more[0][0])} more in {more[0][1]} layers{_limit(more)}"
    elif less or more:
        yield _describe_share(less or more, total.difference(index, quantity))


def _count(amount: int) -> str:
    return format_rounded(abs(amount))


def _limit(changes: Sequence[tuple[int, str]]) -> str:
    """How much of all that goes one way the first kind has, where it is not all."""
    if len(changes) == 1:
        return ""
    whole = sum(change for change, _ in changes)
    way = "increases" if whole > 0 else "decreases"
    return f" ({format_percent(changes[0][0], whole)} of all {way})"


def _describe_share(changes: Sequence[tuple[int, str]], whole: int) -> str:
    """`nearly all of the difference (99.1%) in pointwise 1x1 layers`."""
    largest, kind = changes[0]
    percent = format_percent(largest, whole)
    if len(changes) == 1:
        return f"all of the difference in {kind} layers"
    if 100 * largest >= NEARLY_ALL * whole if whole > 0 else 100 * largest <= NEARLY_ALL * whole:
        return f"nearly all of the difference ({percent}) in {kind} layers"
    if 2 * abs(largest) > abs(whole):
        return f"most of the difference ({percent}) in {kind} layers"
    second, other = changes[1]
    return (
        f"{percent} of the difference in {kind} layers, "
        f"{format_percent(second, whole)} in {other} layers"
    )


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What differs between two specs as plain data: `alpha: 0.75 → 1.0`."""
    for key in ("model", "name", "mode"):
        if old.get(key) != new.get(key) and (key != "name" or _is_named(old) or _is_named(new)):
            yield f"{key}: {old.get(key)} → {new.get(key)}"
    options = [spec.get("options", {}) for spec in (old, new)]
    for key in dict.fromkeys((*options[0], *options[1])):
        if options[0].get(key, ...) != options[1].get(key, ...):
            values = (_show_option(own, key) for own in options)
            yield f"{key}: {' → '.join(values)}"
    inputs = [" ".join(spec.get("arguments", ())) or "-" for spec in (old, new)]
    if inputs[0] != inputs[1]:
        yield f"input: {inputs[0]} → {inputs[1]}"


def _is_named(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("name") != spec.get("model"))


def _show_option(options: Mapping[str, Any], key: str) -> str:
    text = " ".join(str(options[key]).split()) if key in options else "not given"
    return text if len(text) <= 60 else text[:59] + "…"
