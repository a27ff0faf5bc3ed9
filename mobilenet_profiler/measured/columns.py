"""The columns that a view of a profile can show: names, headings, cells. Pure text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mobilenet_profiler.columns import align_points, fit_lines
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.reach import Reach, bound_layers, find_reach
from mobilenet_profiler.measured.rows import TimedRow, add_samples, list_rest
from mobilenet_profiler.measured.statistics import Estimate, estimate_median, find_median
from mobilenet_profiler.units import (
    TimeUnit,
    choose_time_unit,
    format_count,
    format_digits,
    format_share,
    format_supported,
)

if TYPE_CHECKING:
    from mobilenet_profiler.measured.roofline import Bound, Ceiling

NOTHING = "-"
MEGABYTE = 10**6
_NAME = 0.4  # of the width: a longer name is folded
_BRACKET = 2


@dataclass(frozen=True)
class Sheet:
    """The rows of one table, and what their cells are worked out from.

    rows: layers, or several that add up. rest: the time of a pass that none of them has.
    ceiling: what the machine can do, where that was measured.
    """

    profile: Profile
    rows: tuple[TimedRow, ...]
    rest: tuple[TimedRow, ...]
    ceiling: Ceiling | None = None

    @cached_property
    def lines(self) -> tuple[TimedRow, ...]:
        """Every row, those without a layer last."""
        return (*self.rows, *self.rest)

    @cached_property
    def cost(self) -> Cost:
        """Of the whole network, added up once."""
        return self.profile.trace.total

    @cached_property
    def whole(self) -> float:
        """All rows' medians together, nanoseconds: what shares of time are parts of."""
        return sum(row.nanoseconds for row in self.lines)

    @cached_property
    def passes(self) -> tuple[float, ...]:
        """All rows together in each pass, nanoseconds."""
        return add_samples(row.samples for row in self.lines if row.samples)

    @cached_property
    def spread(self) -> float:
        """Half of the interval of a whole pass, nanoseconds."""
        return estimate_median(self.passes).half_width if self.passes else 0.0

    @cached_property
    def unit(self) -> TimeUnit:
        """One unit for all times of the table, that of the row in their middle."""
        times = [row.nanoseconds for row in self.lines if row.time]
        return choose_time_unit(find_median(times) if times else 0.0)

    @cached_property
    def bounds(self) -> dict[str, Bound]:
        """What binds each layer, by path; none where no ceiling is known."""
        return bound_layers(self.profile, self.ceiling) if self.ceiling else {}

    @cached_property
    def known(self) -> dict[tuple[str, int], str]:
        """Cells by column and line: columns are fitted before they are drawn."""
        return {}

    def find_reach(self, row: TimedRow) -> Reach | None:
        """How near a row comes to the ceiling; None where that is not known."""
        return find_reach(row, self.bounds)


@dataclass(frozen=True, slots=True)
class TimedColumn:
    """A column: its name, its heading, its cell for a row.

    shown: whether a table has anything to put in it.
    """

    name: str
    heading: str
    cell: Callable[[TimedRow, Sheet], str]
    numeric: bool = True
    shown: Callable[[Sheet], bool] = lambda sheet: True


def make_sheet(profile: Profile, rows: Sequence[TimedRow], ceiling: Ceiling | None = None) -> Sheet:
    """The sheet of some rows, which hold every layer of the profile."""
    return Sheet(profile, tuple(rows), list_rest(profile), ceiling)


def show_time(estimate: Estimate | None, sheet: Sheet) -> str:
    """A median in the table's unit, with no digit that its interval does not support."""
    if estimate is None:
        return NOTHING
    own = estimate.scale(1 / sheet.unit.nanoseconds)
    if not own.value and not own.half_width:
        return "0"
    return format_supported(own.value, own.half_width, digits=None if own.half_width else 4)


def show_spread(estimate: Estimate | None, sheet: Sheet) -> str:
    """Half of the interval, in the table's unit and to the same place."""
    if estimate is None:
        return NOTHING
    half = estimate.half_width / sheet.unit.nanoseconds
    return format_supported(half, half) if half else "0"


def show_time_share(row: TimedRow, sheet: Sheet) -> str:
    """Part of the time of all rows, per cent, a tenth at the finest.

    How sure it is tells its part of each pass: what slows all rows together does not count.
    """
    if row.time is None or not sheet.whole:
        return NOTHING
    parts = [own / whole for own, whole in zip(row.samples, sheet.passes, strict=True) if whole]
    half = 100 * estimate_median(parts).half_width if parts else 0.0
    return format_supported(100 * row.time.value / sheet.whole, half, most=1)


def show_rate(row: TimedRow) -> str:
    """Achieved GMAC/s of the forward pass: multiply-accumulates a nanosecond."""
    time = row.estimate_phase("forward")
    if row.macs_per_second is None or time is None:
        return NOTHING
    rate = row.macs_per_second / 1e9
    return format_supported(rate, rate * time.relative, digits=3)


def show_intensity(row: TimedRow) -> str:
    """Multiply-accumulates for each byte that its operations move: exact, three digits."""
    if not row.work.bytes_moved or not row.work.macs:
        return NOTHING
    return format_digits(row.work.macs / row.work.bytes_moved)


def show_reach(row: TimedRow, sheet: Sheet) -> str:
    """Per cent of what the ceiling allows work of its intensity."""
    reach = sheet.find_reach(row)
    time = row.estimate_phase("forward")
    if reach is None or time is None:
        return NOTHING
    share = 100 * reach.share
    return format_supported(share, share * time.relative, most=1, digits=2)


def _show_bound(row: TimedRow, sheet: Sheet) -> str:
    reach = sheet.find_reach(row)
    return reach.binds if reach else NOTHING


def _show_kernels(row: TimedRow, sheet: Sheet) -> str:
    return show_time(estimate_median(row.kernels) if row.kernels else None, sheet)


def _show_megabytes(row: TimedRow) -> str:
    return f"{row.work.bytes_moved / MEGABYTE:,.2f}" if row.work.bytes_moved else NOTHING


def _show_macs(row: TimedRow) -> str:
    return format_count(row.row.cost.macs) if row.row.layers else NOTHING


def _show_macs_share(row: TimedRow, sheet: Sheet) -> str:
    total = sheet.cost.macs
    return format_share(row.row.cost.macs, total) if row.row.layers else NOTHING


def _show_params_share(row: TimedRow, sheet: Sheet) -> str:
    total = sheet.cost.params
    return format_share(row.row.cost.params, total) if row.row.layers else NOTHING


def _sum_times(sheet: Sheet) -> str:
    unit = sheet.unit.nanoseconds
    return format_supported(sheet.whole / unit, sheet.spread / unit)


def _trains(sheet: Sheet) -> bool:
    return "backward" in sheet.profile.phases


def _has_kernels(sheet: Sheet) -> bool:
    return any(layer.kernels for layer in sheet.profile.layers)


def _has_ceiling(sheet: Sheet) -> bool:
    return bool(sheet.bounds)


COLUMNS: tuple[TimedColumn, ...] = (
    TimedColumn("layer", "layer", lambda row, sheet: row.row.name, False),
    TimedColumn("kind", "kind", lambda row, sheet: row.row.kind, False),
    TimedColumn("params_share", "params %", _show_params_share),
    TimedColumn("macs", "MACs", lambda row, sheet: _show_macs(row)),
    TimedColumn("macs_share", "MACs %", _show_macs_share),
    TimedColumn("time_share", "time %", show_time_share),
    TimedColumn("time", "time", lambda row, sheet: show_time(row.time, sheet)),
    TimedColumn("spread", "±", lambda row, sheet: show_spread(row.time, sheet)),
    TimedColumn(
        "forward",
        "forward",
        lambda row, sheet: show_time(row.estimate_phase("forward"), sheet),
        True,
        _trains,
    ),
    TimedColumn(
        "backward",
        "backward",
        lambda row, sheet: show_time(row.estimate_phase("backward"), sheet),
        True,
        _trains,
    ),
    TimedColumn("kernels", "kernels", _show_kernels, True, _has_kernels),
    TimedColumn("rate", "GMAC/s", lambda row, sheet: show_rate(row)),
    TimedColumn("megabytes", "MB", lambda row, sheet: _show_megabytes(row)),
    TimedColumn("intensity", "MACs/B", lambda row, sheet: show_intensity(row)),
    TimedColumn("reach", "ceiling %", show_reach, True, _has_ceiling),
    TimedColumn("bound", "bound by", _show_bound, False, _has_ceiling),
)

_SUMS: dict[str, Callable[[Sheet], str]] = {
    "layer": lambda sheet: "total",
    "params_share": lambda sheet: format_share(*[sheet.cost.params] * 2),
    "macs": lambda sheet: format_count(sheet.cost.macs),
    "macs_share": lambda sheet: format_share(*[sheet.cost.macs] * 2),
    "time_share": lambda sheet: "100",
    "time": lambda sheet: _sum_times(sheet),
    "megabytes": lambda sheet: f"{sum(row.work.bytes_moved for row in sheet.rows) / MEGABYTE:,.2f}",
}
_OF_KINDS = ("params_share",)  # a table of kinds alone shows it
# Left out first where the terminal is too narrow.
_LEAST_NEEDED = (
    *("intensity", "megabytes", "macs", "kind", "reach", "rate", "bound"),
    *("forward", "backward", "macs_share", "kernels", "spread"),
)


def list_columns(sheet: Sheet) -> tuple[TimedColumn, ...]:
    """The columns of a table of layers that have anything to show."""
    return tuple(
        column for column in COLUMNS if column.shown(sheet) and column.name not in _OF_KINDS
    )


def choose_columns(*names: str) -> tuple[TimedColumn, ...]:
    """The columns of these names, in this order."""
    known = {column.name: column for column in COLUMNS}
    return tuple(known[name] for name in names)


def list_lines(sheet: Sheet, columns: Sequence[TimedColumn]) -> list[tuple[str, ...]]:
    """A heading, a line a row, those without a layer last, and the total."""
    headings, places = (
        tuple(name_column(column, sheet) for column in columns),
        range(len(sheet.lines)),
    )
    body = [tuple(_show_cell(sheet, column, place) for column in columns) for place in places]
    total = tuple(_SUMS[column.name](sheet) if column.name in _SUMS else "" for column in columns)
    return [headings, *body, total]


def _show_cell(sheet: Sheet, column: TimedColumn, place: int) -> str:
    if (column.name, place) not in sheet.known:
        sheet.known[column.name, place] = column.cell(sheet.lines[place], sheet)
    return sheet.known[column.name, place]


def name_column(column: TimedColumn, sheet: Sheet) -> str:
    """A heading; that of the time says its unit."""
    return f"{column.heading} {sheet.unit.sign}" if column.name == "time" else column.heading


def fit_columns(
    columns: Sequence[TimedColumn], sheet: Sheet, width: int
) -> tuple[TimedColumn, ...]:
    """As many of the columns as fit `width` characters; a long name may be folded."""
    room = max(int(_NAME * width), 1)
    cells = zip(columns, zip(*list_lines(sheet, columns), strict=True), strict=True)
    texts = [
        align_points(own) if column.numeric else tuple(cell[:room] for cell in own)
        for column, own in cells
    ]
    lines = list(zip(*texts, strict=True))
    names = [column.name for column in columns]
    least = [names.index(name) for name in _LEAST_NEEDED if name in names]
    return tuple(columns[index] for index in fit_lines(lines, width - _BRACKET, least))


_LEGEND = {
    "time_share": "time %: of all rows together.",
    "time": "time: median own time in a pass, the instruments taken off.",
    "spread": "±: half the interval that holds the median in 95 of 100 cases.",
    "forward": "forward, backward: in the unit of time.",
    "kernels": "kernels: time on the device itself, in the unit of time.",
    "rate": "GMAC/s: achieved, forward.",
    "megabytes": "MB: read and written, forward.",
    "reach": "ceiling %: of what the measured ceiling allows such work.",
    "bound": "bound by: what it would wait for there; overhead: the start of its operations.",
}


def describe_sheet(sheet: Sheet, columns: Sequence[TimedColumn]) -> str:
    """What the columns are, and which rows have no time of their own."""
    names = [column.name for column in columns]
    untimed = [row.row.name for row in sheet.rows if row.time is None]
    said = f"Not timed apart (no work of their own): {', '.join(untimed)}." if untimed else ""
    return " ".join(filter(None, (*(_LEGEND[name] for name in names if name in _LEGEND), said)))
