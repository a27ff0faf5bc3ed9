"""Which cells of a grid are wanted: `alpha >= 0.5 and macs < 300M`. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.axes import MODEL, NODE, RENAMED, freeze_value
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.quantities import ALIASES, QUANTITIES
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.spec import parse_argument
from mobilenet_profiler.units import parse_amount, parse_bytes, parse_duration

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_PART = re.compile(r"\s*(\w+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_MEASURED = ("memory", "latency")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: an axis or a quantity, and what it is held against.

    text: as it was given. quantity: whether `name` is one; else it is an axis, or the model.
    value: counts, bytes, nanoseconds, per cent; of an axis whatever its values are.
    """

    text: str
    name: str
    comparison: str
    value: Any
    quantity: bool

    def allows(self, found: Any) -> bool:
        """Whether a value meets it. Raises UsageError for what cannot be compared with it."""
        try:
            return bool(_COMPARISONS[self.comparison](found, self.value))
        except TypeError:
            raise UsageError(
                f"condition {self.text!r} compares {found!r} with {self.value!r}"
            ) from None


def parse_conditions(
    texts: Iterable[str], axes: Iterable[str], measured: Sequence[str] = _MEASURED
) -> tuple[Condition, ...]:
    """The comparisons in texts such as `alpha >= 0.5 and macs < 300M`; all must hold.

    axes: names of axes, which come before quantities of that name. measured: which of
    memory and latency will be known. Raises UsageError.
    """
    known = (*axes, MODEL, NODE)
    return tuple(
        _parse_condition(text, part, known, measured)
        for text in texts
        for part in _AND.split(text.strip())
    )


def _parse_condition(
    text: str, part: str, axes: Sequence[str], measured: Sequence[str]
) -> Condition:
    found = _PART.fullmatch(part)
    if not found or not found[3]:
        raise _refuse_form(text)
    name, comparison, value = found.groups()
    if name[0].isdigit() or re.search(r"[<>=]|\bor\b", value):
        raise _refuse_form(text)
    name = RENAMED.get(name, name)
    if name in axes:
        return Condition(part, name, comparison, _read_value(name, value), quantity=False)
    name = ALIASES.get(name, name)
    if name not in QUANTITIES:
        raise unknown_name(
            f"name in condition {part!r}:", name, dict.fromkeys((*axes, *QUANTITIES))
        )
    if name in _MEASURED and name not in measured:
        raise UsageError(
            f"condition {part!r} needs the {name} of each cell: ask for it too (--{name})"
        )
    return Condition(part, name, comparison, _read_amount(name, value, part), quantity=True)


def _refuse_form(text: str) -> UsageError:
    return UsageError(
        "a condition must be a name, then <, <=, >, >=, = or !=, then a value, such as "
        f"'macs < 300M'; several are joined by 'and' alone, given {text!r}"
    )


def _read_value(name: str, text: str) -> Any:
    """A value of an axis, the way the command line gives it."""
    return text if name in (MODEL, NODE) else freeze_value(parse_argument(f"{name}={text}")[1])


def _read_amount(name: str, text: str, part: str) -> float:
    what = f"{name} in condition {part!r}"
    if name == "memory":
        return parse_bytes(what, text)
    if name == "latency":
        return parse_duration(what, text)
    if name == "top1":
        return _read_percent(what, text)
    return parse_amount(what, text)


def _read_percent(what: str, text: str) -> float:
    number = text.removesuffix("%").strip()
    if not re.fullmatch(r"\d+(\.\d+)?", number, re.ASCII):
        raise UsageError(f"{what} must be per cent such as 68.5, given {text!r}")
    return float(number)


def allows_cell(conditions: Iterable[Condition], cell: Cell) -> bool:
    """Whether the place of a cell meets all conditions of axes.

    A network that has no such axis is not bound by it.
    """
    place = {MODEL: cell.model, NODE: cell.on, **cell.point}
    return all(
        condition.allows(place[condition.name])
        for condition in conditions
        if not condition.quantity and condition.name in place
    )


def allows_result(
    conditions: Iterable[Condition], result: CellResult, quantities: Sequence[str]
) -> bool:
    """Whether what was found of a cell meets all conditions of these quantities.

    What is not known meets none; a cell that failed is kept, to be seen.
    """
    return bool(result.error) or all(
        _meets(condition, result)
        for condition in conditions
        if condition.quantity and condition.name in quantities
    )


def _meets(condition: Condition, result: CellResult) -> bool:
    amount = QUANTITIES[condition.name].amount(result)
    return amount is not None and condition.allows(amount)
