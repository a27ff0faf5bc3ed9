"""Amounts on axes and in cells: one unit a figure, said once; ticks as plain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, inf, log10
from typing import Any

from matplotlib.axis import Axis
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from mobilenet_profiler.grid.quantities import Quantity
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.grid.tables import show_value
from mobilenet_profiler.units import format_digits, format_supported

_COUNTS = ((1e12, "trillions"), (1e9, "billions"), (1e6, "millions"), (1e3, "thousands"))
_UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1, "bytes")),
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")),
    "%": ((1, "%"),),
    "ratio": ((1, ""),),
}
MOST_TICKS = {"column": 8, "page": 15}  # that have a number, along the whole axis
_STEPS = ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))

# What the values of an axis of a grid are.
_AXIS_TITLES = {
    "alpha": "alpha (width multiplier)",
    "beta": "beta (resolution multiplier)",
    "resolution": "resolution (pixels)",
    "batch": "batch (images)",
    "on": "timed on",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """The unit of all amounts of one axis or table. size: one of it, in the amounts' own unit."""

    size: float
    name: str

    def convert(self, amount: float) -> float:
        """An amount in this unit."""
        return amount / self.size

    def title(self, what: str) -> str:
        """What is shown, with its unit: `MACs (millions)`."""
        return f"{what} ({self.name})" if self.name else what


def choose_scale(unit: str, amounts: Iterable[float]) -> Scale:
    """The largest unit that the middle of the amounts above 0 has one of; else the smallest.

    unit: of the amounts: 'bytes', 'ns', '%', 'ratio', or a name of what is counted.
    """
    ordered = sorted(abs(amount) for amount in amounts if amount)
    middle = ordered[len(ordered) // 2] if ordered else 0.0
    units = _UNITS.get(unit, (*_COUNTS, (1, "")))
    size, name = next((pair for pair in units if middle >= pair[0]), units[-1])
    return Scale(float(size), name)


def format_amount(quantity: Quantity, result: CellResult, scale: Scale, digits: int = 3) -> str:
    """A cell's amount in a unit: a count to so many digits, a time to those that it supports."""
    amount = quantity.amount(result)
    if amount is None:
        return ""
    if quantity.name == "latency" and result.latency is not None:
        own = result.latency.scale(1 / scale.size)
        return format_supported(own.value, own.half_width, digits=digits)
    if quantity.name == "top1" and result.accuracy is not None:
        return result.accuracy.text.rstrip("% ")  # as it was printed, no digit more
    return format_digits(scale.convert(amount), digits)


def describe_amount(quantity: Quantity, result: CellResult) -> str:
    """A cell's amount in full, for a tooltip: `569 million MACs` is `568,740,352 MACs`."""
    amount = quantity.amount(result)
    if amount is None:
        return f"{quantity.title} not known"
    scale = choose_scale(quantity.unit, [amount])
    shown = format_amount(quantity, result, scale)
    if quantity.unit in _UNITS:
        return f"{quantity.title} {shown}{'' if scale.name == '%' else ' '}{scale.name}"
    return f"{round(amount):,} {quantity.title}"


def format_value(value: Any) -> str:
    """A value of an axis of a grid: `0.75`, `1`, `224`, `[1, 2]`."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:,}"
    return show_value(value)


def title_axis(name: str) -> str:
    """What the values of an axis of a grid are: `alpha (width multiplier)`."""
    return _AXIS_TITLES.get(name, name)


def frame_axis(axis: Axis, log: bool, most: int, low: float = 0.0, high: float = 0.0) -> None:
    """Ticks at round numbers, written out.

    log: whether the axis is logarithmic; low, high: its ends then, above 0; most: so many
    ticks have a number then.
    """
    axis.set_major_formatter(FuncFormatter(lambda value, place: format_tick(value)))
    if not log:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        return
    axis.set_minor_formatter(NullFormatter())
    steps = choose_steps(low, high, most)
    if not steps:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_minor_locator(NullLocator())
        return
    most = most if steps == (1,) else 99  # every second power of ten, or third, where need be
    axis.set_major_locator(LogLocator(base=10, subs=steps, numticks=most))
    axis.set_minor_locator(LogLocator(base=10, subs=tuple(range(1, 10)), numticks=99))


def format_tick(value: float) -> str:
    """A round number with no more digits than it has: `0.5`, `20`, `1,000`, `1e+07`."""
    if abs(value) >= 1e7 or 0 < abs(value) < 1e-4:
        return f"{value:g}"
    text = f"{value:,.9f}".rstrip("0").rstrip(".")
    return text if float(text.replace(",", "")) or not value else f"{value:g}"


def choose_steps(low: float, high: float, most: int) -> tuple[int, ...]:
    """Which multiples of powers of ten are ticks between two ends; () where too few lie there."""
    for steps in _STEPS:
        count = count_ticks(low, high, steps)
        if count <= most:
            return steps if count >= 2 else ()
    return (1,)


def count_ticks(low: float, high: float, steps: Sequence[int]) -> int:
    """How many of these multiples of powers of ten lie between two ends."""
    if not 0 < low < high < inf:
        return 0
    powers = range(floor(log10(low)) - 1, floor(log10(high)) + 1)
    return sum(low <= step * 10.0**power <= high for power in powers for step in steps)


def find_limits(values: Sequence[float], log: bool) -> tuple[float, float]:
    """The ends of an axis: a tenth of what the values span beyond them, on either side."""
    low, high = min(values), max(values)
    if not log:
        room = 0.1 * (high - low) or 1.0
        return low - room, high + room
    room = 10 ** max(0.1 * log10(high / low), 0.03)
    return low / room, high * room
