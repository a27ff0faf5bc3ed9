"""Why two numbers of one model differ, family by family. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.convention import FAMILIES
from mobilenet_profiler.conventions.counting import Count, count_trace
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.units import format_rounded


@dataclass(frozen=True, slots=True)
class Comparison:
    """A count beside ours.

    ours: our own count, twice where theirs is in FLOPs. missing: what ours has of a family
    and theirs has not; extra: the other way round. Both add up to the difference.
    """

    count: Count
    ours: int
    missing: dict[str, int]
    extra: dict[str, int]

    @property
    def difference(self) -> int | None:
        """Theirs less ours; None where theirs speaks of params alone."""
        return None if self.count.total is None else self.count.total - self.ours


def compare_conventions(trace: Trace, names: Iterable[str]) -> tuple[Comparison, ...]:
    """The trace in each of these conventions, beside ours."""
    ours = count_trace(trace, DEFAULT)
    return tuple(compare_counts(count_trace(trace, find_convention(name)), ours) for name in names)


def compare_counts(count: Count, ours: Count) -> Comparison:
    """A count beside ours, family by family."""
    factor = count.convention.factor
    both = [
        (family, count.items.get(family, 0) - factor * ours.items.get(family, 0))
        for family in FAMILIES
    ]
    if count.total is None:
        both = []
    return Comparison(
        count=count,
        ours=factor * (ours.total or 0),
        missing={family: -more for family, more in both if more < 0},
        extra={family: more for family, more in both if more > 0},
    )


def describe_sum(comparison: Comparison) -> str:
    """`327.49M = 300.77M convolution and linear + 26.72M BatchNorm`, and what is missing."""
    count = comparison.count
    if count.total is None:
        return f"params alone: {count.convention.params.text}" if count.convention.params else ""
    parts = [_describe_item(comparison, family, part) for family, part in count.items.items()]
    text = f"{format_rounded(count.total)} = {' + '.join(parts) or 0}".replace("+ -", "- ")
    missing = [f"{format_rounded(part)} of {family}" for family, part in comparison.missing.items()]
    return f"{text}; without {' and '.join(missing)}" if missing else text


def _describe_item(comparison: Comparison, family: str, amount: int) -> str:
    factor = comparison.count.convention.factor
    same = family not in comparison.extra and family not in comparison.missing
    if factor > 1 and same:
        return f"{factor} x {format_rounded(amount // factor)} {family}"
    return f"{format_rounded(amount)} {family}"
