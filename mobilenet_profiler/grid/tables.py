"""A sweep as tables of text: a pivot for each quantity, the long table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, NamedTuple

from mobilenet_profiler.columns import choose_columns
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.grid.axes import MODEL
from mobilenet_profiler.grid.pivot import Pivot, find_value, list_axis_names, make_pivots
from mobilenet_profiler.grid.quantities import QUANTITIES, Quantity, find_quantity
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.spec import make_plain
from mobilenet_profiler.units import (
    ByteUnit,
    TimeUnit,
    choose_byte_unit,
    choose_time_unit,
    format_count,
    format_estimate,
    format_rounded,
)

Lines = list[tuple[str, ...]]
COUNTS = ("macs", "params", "weights", "activations")
SHOWN = ("macs", "params", "memory", "latency", "top1")  # where nobody says which
NETWORK = "network"
FAILED, UNKNOWN = "failed", "-"
_HEADINGS = {"memory": "peak memory", "latency": "latency", "top1": "top-1 %"}


class Units(NamedTuple):
    """The units of a table, one for all its latencies and one for all its memory."""

    time: TimeUnit
    size: ByteUnit


@dataclass(frozen=True, slots=True)
class SweepTable:
    """One table of a sweep.

    title: what it holds; '' for the long table. lines: a heading, then a line a row.
    short: the same with rounded counts. texts: headings of columns that are no numbers.
    places: how many columns say which row it is, before those of amounts.
    """

    title: str
    lines: Lines
    short: Lines
    texts: tuple[str, ...]
    places: int = 1


def list_tables(
    sweep: Sweep,
    quantities: Sequence[str] = (),
    long: bool = False,
    down: str | None = None,
    across: str | None = None,
) -> tuple[SweepTable, ...]:
    """A table of two axes for each quantity; the long one too where it is asked for.

    A sweep of fewer than two axes has the long table alone. quantities: names; none is MACs,
    params and whatever was measured. down, across: names of axes. Raises UsageError.
    """
    chosen = choose_quantities(sweep, quantities)
    pivots = [make_pivots(sweep, quantity.name, down, across) for quantity in chosen]
    if not sweep.results:
        return ()
    written = (
        _write_pivot(sweep, pivot) for own in pivots for pivot in own if not _is_single(pivot)
    )
    tables = list(_join(written))
    alone = [result for pivot in pivots[0] if _is_single(pivot) for result in _list_cells(pivot)]
    if long or not tables:
        return (*tables, write_long(sweep, sweep.results, chosen))
    return (*tables, write_long(sweep, alone, chosen)) if alone else tuple(tables)


def _join(tables: Iterable[SweepTable]) -> Iterator[SweepTable]:
    """Tables of one title and heading as one: networks that have no axis to run down."""
    groups: dict[tuple[str, tuple[str, ...]], SweepTable] = {}
    for table in tables:
        key = (table.title, table.lines[0])
        known = groups.get(key)
        if known is None:
            groups[key] = table
        else:
            both = ([*known.lines, *table.lines[1:]], [*known.short, *table.short[1:]])
            groups[key] = replace(known, lines=both[0], short=both[1])
    yield from groups.values()


def choose_quantities(sweep: Sweep, names: Sequence[str] = ()) -> tuple[Quantity, ...]:
    """Those of these names, or MACs, params and what was measured. Raises UsageError."""
    if names:
        return tuple(dict.fromkeys(find_quantity(name) for name in names))
    known = [quantity for quantity in sweep.quantities if quantity.name in SHOWN]
    return tuple(known) or (QUANTITIES["macs"],)


def _is_single(pivot: Pivot) -> bool:
    """Whether it has one axis at most: a column of a list says the same."""
    return not pivot.across or (pivot.rows == (None,) and pivot.columns == (None,))


def _list_cells(pivot: Pivot) -> Iterator[CellResult]:
    yield from pivot.cells.values()


def find_known_convention(sweep: Sweep) -> Convention | None:
    """The convention of its costs; None is ours."""
    return None if sweep.convention == DEFAULT else find_convention(sweep.convention)


def choose_units(results: Iterable[CellResult]) -> Units:
    """The units that suit the columns of these cells."""
    listed = list(results)
    times = [result.latency.value for result in listed if result.latency]
    sizes = choose_byte_unit(result.memory or 0 for result in listed)
    return Units(choose_time_unit(median(times) if times else 0), sizes)


def name_column(quantity: Quantity, convention: Convention | None, units: Units) -> str:
    """The heading of a column: `MACs`, `FLOPs (flop_counter)`, `latency, ms`."""
    if quantity.name in COUNTS:
        return choose_columns((quantity.name,), convention=convention)[0].heading
    name = _HEADINGS.get(quantity.name, quantity.title)
    signs = {"latency": units.time.sign, "memory": units.size.sign}
    return f"{name}, {signs[quantity.name]}" if quantity.name in signs else name


def show_amount(
    quantity: Quantity, result: CellResult | None, units: Units, exact: bool = True
) -> str:
    """A cell's amount as text: counts whole or rounded, bytes and times in `units`."""
    amount = quantity.amount(result) if result else None
    if result is None or amount is None:
        return FAILED if result and result.error else UNKNOWN
    if quantity.name == "latency" and result.latency:
        return format_estimate(result.latency, units.time)
    if quantity.name == "top1" and result.accuracy:
        return result.accuracy.text.rstrip("% ")
    if quantity.name == "memory":
        return f"{amount / units.size.size:,.{units.size.places}f}"
    return format_count(int(amount)) if exact else format_rounded(int(amount))


def show_value(value: Any) -> str:
    """Where a cell stands on an axis, as one writes it: `0.75`, `1`, `[3, 4]`; a dash for none."""
    if value is None or value == "":
        return UNKNOWN
    return f"{value:g}" if isinstance(value, float) else " ".join(str(make_plain(value)).split())


def _write_pivot(sweep: Sweep, pivot: Pivot) -> SweepTable:
    convention = find_known_convention(sweep)
    units = choose_units(pivot.cells.values())
    title = name_pivot(pivot, convention, units)
    heading = name_column(pivot.quantity, convention, units)
    lines, short = (_list_pivot_lines(pivot, units, heading, exact) for exact in (True, False))
    return SweepTable(title, lines, short, (pivot.down, MODEL))


def name_pivot(pivot: Pivot, convention: Convention | None, units: Units) -> str:
    """`MACs: alpha down, resolution across`, after it the values of the other axes."""
    names = {
        "memory": f"{pivot.quantity.title}, {units.size.sign}",
        "top1": "top-1 accuracy, %",
    }
    heading = name_column(pivot.quantity, convention, units)
    name = names.get(pivot.quantity.name, heading)
    across = (
        f"the same for every {pivot.across}" if _is_constant(pivot) else f"{pivot.across} across"
    )
    down = [] if _is_flat(pivot) or not pivot.down else [f"{pivot.down} down"]
    shown = f"{name}: {', '.join([*down, across])}"
    fixed = [
        f"{key} {show_value(value)}"
        for key, value in pivot.fixed.items()
        if value is not None and not (_is_flat(pivot) and key == MODEL)
    ]
    return "; ".join([shown, *fixed])


def _is_flat(pivot: Pivot) -> bool:
    """Whether its network has no axis that runs down: its row is named by the network."""
    return pivot.rows == (None,) and MODEL in pivot.fixed


def _is_constant(pivot: Pivot) -> bool:
    """Whether several columns say the same in every row."""
    rows = [{pivot.amount(row, column) for column in pivot.columns} for row in pivot.rows]
    counts = pivot.quantity.name in (*COUNTS, "memory")
    return (
        counts and len(pivot.columns) > 1 and all(len(own) == 1 and None not in own for own in rows)
    )


def _list_pivot_lines(pivot: Pivot, units: Units, heading: str, exact: bool) -> Lines:
    constant = _is_constant(pivot)
    columns = pivot.columns[:1] if constant else pivot.columns
    heads = (heading,) if constant else tuple(map(show_value, columns))
    lines: Lines = [(MODEL if _is_flat(pivot) else pivot.down, *heads)]
    for row in pivot.rows:
        cells = (pivot.cells.get((row, column)) for column in columns)
        amounts = (show_amount(pivot.quantity, cell, units, exact) for cell in cells)
        name = pivot.fixed[MODEL] if _is_flat(pivot) else row
        lines.append((show_value(name), *amounts))
    return lines


def write_long(
    sweep: Sweep, results: Sequence[CellResult], quantities: Sequence[Quantity]
) -> SweepTable:
    """The long table of these cells: the axes on which they differ, then the quantities."""
    names = list_axis_names(sweep)
    placed = [name for name in names if any(find_value(own, name) is not None for own in results)]
    convention, units = find_known_convention(sweep), choose_units(results)
    heads = [name_column(quantity, convention, units) for quantity in quantities]
    both: list[Lines] = [[], []]
    for lines, exact in zip(both, (True, False), strict=True):
        lines.append((*(placed or (NETWORK,)), *heads))
        for result in results:
            amounts = [show_amount(quantity, result, units, exact) for quantity in quantities]
            lines.append((*list_place(result, placed), *amounts))
    return SweepTable("", both[0], both[1], _list_texts(results, placed), len(placed) or 1)


def list_place(result: CellResult, names: Sequence[str]) -> tuple[str, ...]:
    """Where a cell stands on each of these axes, as text; its label where there are none."""
    if not names:
        return (result.label or result.cell.label,)
    return tuple(show_value(find_value(result, name)) for name in names)


def _list_texts(results: Sequence[CellResult], names: Sequence[str]) -> tuple[str, ...]:
    """The headings of axes whose values are no numbers."""
    if not names:
        return (NETWORK,)
    values: Mapping[str, list[Any]] = {
        name: [find_value(result, name) for result in results] for name in names
    }
    return tuple(name for name, own in values.items() if not all(map(_is_number, own)))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
