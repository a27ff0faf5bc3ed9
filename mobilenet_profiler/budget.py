"""A network against limits and a baseline: what is over, and which layers grew. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobilenet_profiler.comparing import (
    AlignedCost,
    align_layers,
    check_conventions,
    list_differences,
)
from mobilenet_profiler.cost import Cost, LayerCost, Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.limit import LatencyLimit, check_latency
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.saved import read_trace
from mobilenet_profiler.units import parse_amount, parse_duration

LIMITED = ("macs", "params", "weights", "activations")
OF_BASELINE = ("macs", "params")  # what a baseline limits where no limit is given


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a model may have of a quantity of `Cost`, and what it has."""

    quantity: str
    value: int
    limit: int

    @property
    def within(self) -> bool:
        return self.value <= self.limit

    @property
    def excess(self) -> int:
        """How much is over; 0 within."""
        return max(self.value - self.limit, 0)


@dataclass(frozen=True)
class BudgetCheck:
    """A trace, its limits, and the baseline that it is beside, if any.

    limits: those given; without any, the baseline's own MACs and params.
    profile: where its latency was measured; latency: that against its limit.
    """

    trace: Trace
    limits: tuple[Limit, ...]
    baseline: Trace | None = None
    profile: Profile | None = None
    latency: LatencyLimit | None = None

    def __bool__(self) -> bool:
        return self.within

    @property
    def within(self) -> bool:
        """Whether nothing is over its limit; `bool` of it is the same.

        A latency is over only where the data shows it: see `undecided`.
        """
        slow = self.latency is not None and self.latency.verdict == "over"
        return not slow and all(limit.within for limit in self.limits)

    @property
    def undecided(self) -> bool:
        """Whether there is a limit of latency about which the data cannot decide."""
        return self.latency is not None and self.latency.verdict == "undecided"

    @property
    def over(self) -> tuple[Limit, ...]:
        """The limits that are not kept."""
        return tuple(limit for limit in self.limits if not limit.within)

    @property
    def decisive(self) -> str:
        """The quantity by which layers are sorted: the first over its limit, else the first."""
        return next((limit.quantity for limit in (*self.over, *self.limits)), LIMITED[0])

    @property
    def totals(self) -> AlignedCost | None:
        """The baseline's total and this one."""
        if self.baseline is None:
            return None
        return AlignedCost("total", "", "", (self.baseline.total, self.trace.total))

    @property
    def changes(self) -> tuple[AlignedCost, ...]:
        """The layers whose cost is not the baseline's, what grew most first."""
        if self.baseline is None:
            return ()
        rows = align_layers((self.baseline, self.trace), every=True)
        changed = [row for row in rows if any(_grow(row, name) for name in LIMITED)]
        order = (self.decisive, *LIMITED)
        return tuple(sorted(changed, key=lambda row: tuple(-_grow(row, name) for name in order)))

    @property
    def grown(self) -> tuple[AlignedCost, ...]:
        """Those that have more of a limited quantity than in the baseline."""
        names = [limit.quantity for limit in self.limits]
        return tuple(row for row in self.changes if any(_grow(row, name) > 0 for name in names))

    @property
    def largest(self) -> tuple[LayerCost, ...]:
        """The layers that have most of what is over, or of what is limited first."""
        having = [layer for layer in self.trace.layers if getattr(layer.cost, self.decisive)]
        return tuple(sorted(having, key=lambda layer: -getattr(layer.cost, self.decisive)))

    @property
    def other_model(self) -> tuple[str, ...]:
        """What differs between the baseline's spec and this one: `alpha: 0.75 → 1.0`."""
        if self.baseline is None:
            return ()
        return tuple(list_differences(self.baseline.spec, self.trace.spec))

    def __str__(self) -> str:
        from mobilenet_profiler.render.budget import render_text

        return render_text(self, width=100)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.budget import render_html

        return render_html(self)


def check(
    trace: Trace | None = None,
    *,
    max_macs: float | str | None = None,
    max_params: float | str | None = None,
    max_weights: float | str | None = None,
    max_activations: float | str | None = None,
    baseline: Trace | str | Path | None = None,
    profile: Profile | str | Path | None = None,
    max_latency: str | None = None,
) -> BudgetCheck:
    """Whether a trace is within limits: `check(…).within`; as text, what is over and where.

    Limits are whole numbers or texts such as '300M'. baseline: a trace, or a file of
    `table --format json`; without a limit of those, its MACs and params are the limits.
    profile, max_latency: a profile of the same network, or a file of `profile --save`, and
    the longest that a pass may take, such as '20ms'; it is over only where the whole
    interval of the median is. Without a trace it is that of the profile.
    Raises UsageError for an amount or a file that cannot be used, for a baseline in
    another convention, a profile of another network, and where there is nothing to check.
    """
    if not isinstance(trace, Trace | None):
        raise UsageError(f"check takes a trace, given {trace!r:.60}; trace it first: trace(…)")
    limit = None if max_latency is None else parse_duration("max_latency", max_latency)
    timed = _find_profile(profile, limit)
    whole = timed.trace if trace is None and timed is not None else trace
    if whole is None:
        raise UsageError("check takes a trace, or a profile with max_latency, given neither")
    given = dict(zip(LIMITED, (max_macs, max_params, max_weights, max_activations), strict=True))
    amounts = parse_limits(given)
    known = baseline if baseline is None or isinstance(baseline, Trace) else read_trace(baseline)
    return check_budget(whole, amounts, known, timed, limit)


def _find_profile(given: Profile | str | Path | None, limit: int | None) -> Profile | None:
    """The profile that was given or saved; refused without a limit, as is a limit without it."""
    if (given is None) != (limit is None):
        has, lacks = ("max_latency", "profile") if given is None else ("profile", "max_latency")
        raise UsageError(f"give {lacks} with {has}: a profile of the network and a time")
    if given is None or isinstance(given, Profile):
        return given
    from mobilenet_profiler.measured.saved import read_profile

    return read_profile(given)


def parse_limits(given: Mapping[str, object], prefix: str = "max_") -> dict[str, int]:
    """The amounts that were given, by quantity. Raises UsageError for what is none."""
    return {
        name: parse_amount(f"{prefix}{name}", value)
        for name, value in given.items()
        if value is not None
    }


def check_budget(
    trace: Trace,
    amounts: Mapping[str, int],
    baseline: Trace | None,
    profile: Profile | None = None,
    max_latency: int | None = None,
) -> BudgetCheck:
    """The trace against these amounts, or against those of the baseline where there are none.

    max_latency: nanoseconds that a pass in the profile may take.
    """
    if baseline is not None:
        check_conventions((baseline, trace))
        amounts = amounts or {name: _amount(baseline, name) for name in OF_BASELINE}
    limits = tuple(Limit(name, _amount(trace, name), most) for name, most in amounts.items())
    if profile is None or max_latency is None:
        if not limits:
            raise UsageError("nothing to check: give a limit, such as max_macs, or a baseline")
        return BudgetCheck(trace, limits, baseline)
    if differences := list(list_differences(trace.spec, profile.trace.spec)):
        raise UsageError(f"the profile is of another network: {'; '.join(differences)}")
    return BudgetCheck(trace, limits, baseline, profile, check_latency(profile, max_latency))


def _amount(trace: Trace | None, quantity: str) -> int:
    amount: int = getattr(trace.total if trace else Cost(), quantity)
    return amount


def _grow(row: AlignedCost, quantity: str) -> int:
    return row.difference(1, quantity)
