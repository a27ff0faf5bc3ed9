"""A sweep for the page: a shaded grid for each quantity, and a row a cell. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobilenet_profiler.grid.pareto import find_front
from mobilenet_profiler.grid.pivot import Pivot, list_axis_names, make_pivots
from mobilenet_profiler.grid.quantities import QUANTITIES, Quantity
from mobilenet_profiler.grid.remarks import describe_sweep, list_remarks, list_warnings
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.grid.tables import (
    Units,
    choose_quantities,
    choose_units,
    find_known_convention,
    list_place,
    name_column,
    show_amount,
    show_value,
)
from mobilenet_profiler.render.page.tables import Block, Cell, Heading, Line, PageTable

_NUMBERS = (int, float)


@dataclass(frozen=True, slots=True)
class GridCell:
    """One place of a grid. text: rounded. exact: the same whole, with its units, and the network.

    shade: 0 to 1, of the largest of its grid. best: whether none beats it (see `Grids.front`).
    """

    text: str
    exact: str
    shade: float = 0.0
    best: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """One table of two axes. fixed: values of the others, in words, or ''."""

    down: str
    across: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[GridCell, ...]], ...]
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class GridGroup:
    """All tables of one quantity. name: of its element."""

    name: str
    title: str
    grids: tuple[Grid, ...]


@dataclass(frozen=True, slots=True)
class Grids:
    """A sweep as the page shows it. front: what a marked cell is, in words; '' where none is."""

    title: str
    groups: tuple[GridGroup, ...]
    front: str
    cells: PageTable
    remarks: tuple[str, ...]
    warnings: tuple[str, ...]


def make_grids(sweep: Sweep, name: str) -> Grids:
    """Grids of MACs, params and whatever else is known, and the long table."""
    quantities = choose_quantities(sweep)
    front = _find_best(sweep, quantities)
    groups = tuple(_make_group(sweep, own, front, name) for own in quantities)
    has_grid = any(grid.across for group in groups for grid in group.grids)
    return Grids(
        describe_sweep(sweep),
        groups if has_grid else (),
        "no other cell has as high an accuracy with as few MACs" if front and has_grid else "",
        _make_cells(sweep, quantities, f"{name}-cells", front),
        tuple(list_remarks(sweep, quantities)),
        tuple(list_warnings(sweep)),
    )


def _find_best(sweep: Sweep, quantities: Sequence[Quantity]) -> tuple[CellResult, ...]:
    """The cells that no other beats in accuracy and MACs; none where accuracies are not known."""
    chosen = [QUANTITIES["macs"], QUANTITIES["top1"]]
    if any(own not in quantities for own in chosen):
        return ()
    return find_front(sweep.results, chosen)


def _make_group(
    sweep: Sweep, quantity: Quantity, front: Sequence[CellResult], name: str
) -> GridGroup:
    units = choose_units(sweep.results)
    title = name_column(quantity, find_known_convention(sweep), units)
    pivots = make_pivots(sweep, quantity.name) if sweep.results else ()
    best = {id(result) for result in front}
    grids = tuple(_make_grid(pivot, units, best) for pivot in pivots)
    return GridGroup(f"{name}-{quantity.name}", title, grids)


def _make_grid(pivot: Pivot, units: Units, best: set[int]) -> Grid:
    amounts = [pivot.amount(row, column) for row in pivot.rows for column in pivot.columns]
    known = [amount for amount in amounts if amount is not None]
    scale = (min(known, default=0.0), max(known, default=0.0))
    rows = tuple(
        (
            show_value(row),
            tuple(_make_cell(pivot, row, column, units, scale, best) for column in pivot.columns),
        )
        for row in pivot.rows
    )
    fixed = [f"{key} {show_value(own)}" for key, own in pivot.fixed.items() if own is not None]
    columns = tuple(map(show_value, pivot.columns))
    return Grid(pivot.down, pivot.across, columns, rows, ", ".join(fixed))


def _make_cell(
    pivot: Pivot,
    row: object,
    column: object,
    units: Units,
    scale: tuple[float, float],
    best: set[int],
) -> GridCell:
    found, quantity = pivot.cells.get((row, column)), pivot.quantity
    text = show_amount(quantity, found, units, exact=False)
    amount = pivot.amount(row, column)
    if found is None or amount is None:
        return GridCell(text, found.error if found else "")
    signs = {"latency": f" {units.time.sign}", "memory": f" {units.size.sign}"}
    shown = f"{show_amount(quantity, found, units)}{signs.get(quantity.name, '')}"
    exact = f"{found.label}: {shown} {quantity.title}"
    return GridCell(text, exact, _shade(amount, scale, quantity), id(found) in best)


def _shade(amount: float, scale: tuple[float, float], quantity: Quantity) -> float:
    """Of the largest; accuracies lie so close that theirs is between the least and the largest."""
    low, high = scale
    if quantity.more_is_better:
        return (amount - low) / (high - low) if high > low else 1.0
    return amount / high if high else 0.0


def _make_cells(
    sweep: Sweep, quantities: Sequence[Quantity], name: str, front: Sequence[CellResult]
) -> PageTable:
    """A row a cell: where it stands, all amounts, the source of its accuracy or its error."""
    axes, units = list_axis_names(sweep), choose_units(sweep.results)
    convention = find_known_convention(sweep)
    best = {id(result) for result in front}
    headings = [Heading(axis, _is_numeric(sweep, axis)) for axis in axes or ("network",)]
    headings += [Heading(name_column(own, convention, units)) for own in quantities]
    lines = tuple(
        Line(
            (
                *map(Cell, list_place(result, axes)),
                *(_make_amount(own, result, units) for own in quantities),
                Cell(*_describe(result, id(result) in best)),
            )
        )
        for result in sweep.results
    )
    return PageTable(
        name,
        "Every cell",
        (*headings, Heading("", False)),
        (Block(lines),),
        filtered=False,
        noun="cells",
    )


def _is_numeric(sweep: Sweep, axis: str) -> bool:
    own = [item for item in sweep.axes if item.name == axis]
    return bool(own) and all(
        isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in own[0].values
    )


def _make_amount(quantity: Quantity, result: CellResult, units: Units) -> Cell:
    return Cell(show_amount(quantity, result, units), key=quantity.amount(result))


def _describe(result: CellResult, best: bool) -> tuple[str]:
    """What a row ends with: its error, or that none beats it."""
    if result.error:
        return (result.error,)
    return ("Pareto front" if best else "",)
