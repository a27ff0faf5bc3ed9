"""Everything that is known of some networks, gathered for one report. Pure; no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mobilenet_profiler.comparing import (
    Accuracy,
    ModelComparison,
    check_conventions,
    compare,
    name_models,
)
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.roofline import Ceiling
from mobilenet_profiler.published.accuracies import find_accuracies, name_network
from mobilenet_profiler.spec import list_label_parts
from mobilenet_profiler.verification.verdicts import Verification


@dataclass(frozen=True)
class Report:
    """What one report tells.

    traces: the networks, at least one, all in one convention. names: of each, short and
    unique. accuracies: published ones, or None, one a network. verification: the verdicts on
    the published figures that speak of them. sweep: the grid around them. profiles: what was
    measured; ceilings: what each of their machines can do, or None.
    """

    traces: tuple[Trace, ...]
    names: tuple[str, ...]
    accuracies: tuple[Accuracy | None, ...]
    verification: Verification = field(default_factory=lambda: Verification(()))
    sweep: Sweep | None = None
    profiles: tuple[Profile, ...] = ()
    ceilings: tuple[Ceiling | None, ...] = ()

    @property
    def title(self) -> str:
        """The networks' names in a line."""
        if len(self.traces) == 1:
            return list_label_parts(self.traces[0].spec)[0] or self.names[0]
        return " · ".join(self.names)

    @property
    def convention(self) -> Convention | None:
        """Of all MACs and params; None is ours."""
        return self.traces[0].convention

    @property
    def comparison(self) -> ModelComparison | None:
        """The networks side by side; None where there is one."""
        if len(self.traces) < 2:
            return None
        return compare(*self.traces, accuracies=self.accuracies)

    def find_profiles(self, trace: Trace) -> tuple[Profile, ...]:
        """The profiles of that network and input, however its options were written."""
        return tuple(own for own in self.profiles if _outline(own.trace) == _outline(trace))

    @property
    def machines(self) -> Mapping[str, Mapping[str, Any]]:
        """The environments in which anything was measured, each once, by what was measured there.

        Equal ones, but for the time of day, stand under the first heading.
        """
        found = {profile.label: profile.environment for profile in self.profiles}
        found |= dict(self.sweep.machines) if self.sweep else {}
        kept: dict[str, Mapping[str, Any]] = {}
        for name, environment in found.items():
            if not any(_is_same(environment, other) for other in kept.values()):
                kept[name] = environment
        return kept


def make_report(
    traces: Sequence[Trace],
    verification: Verification | None = None,
    sweep: Sweep | None = None,
    profiles: Sequence[Profile] = (),
    ceilings: Sequence[Ceiling | None] = (),
    source: str | None = None,
) -> Report:
    """The report of some traces, with whatever else is known beside them.

    source: of the accuracies, as `find_accuracies` takes it; those of the sweep's own cells
    stand for their networks, so that no network has two. Raises UsageError for no network,
    or where they count in different conventions.
    """
    if not traces:
        raise UsageError("a report needs a model, given none")
    if ceilings and len(ceilings) != len(profiles):
        raise UsageError(f"give {len(profiles)} ceilings, one a profile, not {len(ceilings)}")
    check_conventions(traces)
    return Report(
        tuple(traces),
        name_models(traces),
        _choose_accuracies(traces, sweep, source),
        verification or Verification(()),
        sweep,
        tuple(profiles),
        tuple(ceilings) or (None,) * len(profiles),
    )


def _choose_accuracies(
    traces: Sequence[Trace], sweep: Sweep | None, source: str | None
) -> tuple[Accuracy | None, ...]:
    """The accuracy of each network: as the grid beside it has it, else as it was published."""
    specs = [trace.spec for trace in traces]
    own = {
        name_network(result.spec): result.accuracy
        for result in (sweep.results if sweep else ())
        if result.accuracy
    }
    published = find_accuracies(specs, source)
    named = zip(specs, published, strict=True)
    return tuple(own.get(name_network(spec), other) for spec, other in named)


def _outline(trace: Trace) -> tuple[object, ...]:
    """What no convention changes of a network: its source, and the shapes of its layers."""
    layers = ((own.path, own.input_shape, own.weight_shape) for own in trace.layers)
    return (trace.spec.get("model"), *layers)


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two environments differ in nothing but when they were looked at."""
    return {**one, "date": ""} == {**other, "date": ""}
