"""A sweep as tables of two axes: one down, one across, a table for each value of the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.axes import MODEL, NODE
from mobilenet_profiler.grid.quantities import Quantity, find_quantity
from mobilenet_profiler.grid.results import CellResult, Sweep

Ranks = Mapping[Any, int]  # the place of each value of an axis

_ACROSS = ("resolution", "beta", "input", "batch")  # what runs across where nobody says


@dataclass(frozen=True, slots=True)
class Pivot:
    """One table of a quantity.

    down, across: names of axes; '' where there is none. rows, columns: their values, in the
    order of the sweep. fixed: the values of all other axes, the model among them where a
    sweep has several. cells: by the values of both axes; missing where there is none.
    """

    quantity: Quantity
    down: str
    across: str
    rows: tuple[Any, ...]
    columns: tuple[Any, ...]
    fixed: Mapping[str, Any]
    cells: Mapping[tuple[Any, Any], CellResult]

    def amount(self, row: Any, column: Any) -> float | None:
        """How much of the quantity the cell there has; None where it is not known."""
        found = self.cells.get((row, column))
        return self.quantity.amount(found) if found else None


def list_axis_names(sweep: Sweep) -> tuple[str, ...]:
    """The names of all that differs: the model and the node first, where these are several."""
    models = (MODEL,) if len(sweep.models) > 1 else ()
    nodes = (NODE,) if len({result.cell.on for result in sweep.results}) > 1 else ()
    return (*models, *nodes, *(axis.name for axis in sweep.axes))


def find_value(result: CellResult, name: str) -> Any:
    """Where a cell stands on an axis; None where its network has no such axis."""
    if name == MODEL:
        return result.cell.model
    return result.cell.on if name == NODE else result.cell.point.get(name)


def make_pivots(
    sweep: Sweep, quantity: str, down: str | None = None, across: str | None = None
) -> tuple[Pivot, ...]:
    """A table for each combination of the axes that are neither down nor across.

    Without names, of the axes that have several values the first that is no size of the input
    runs down and the first that is one across: alpha and resolution. Raises UsageError for
    a name that is no axis.
    """
    names = list_axis_names(sweep)
    for name in (down, across):
        if name is not None and name not in names:
            raise unknown_name("axis", name, names)
    if down is not None and down == across:
        raise UsageError(f"one axis runs down and another across, given {down!r} for both")
    asked = across
    down, across = _choose_axes(_list_varied(sweep, names) or names, down, across)
    down = down or next((name for name in names if name != across), "")
    if not down and asked is None:
        down, across = across, ""  # a single axis is a list
    others = [name for name in names if name not in (down, across)]
    ranks = {name: _rank_values(sweep, name) for name in (*names, "")}
    groups: dict[tuple[Any, ...], list[CellResult]] = {}
    for result in sweep.results:
        groups.setdefault(tuple(find_value(result, name) for name in others), []).append(result)
    of_others = [ranks[name] for name in others]
    return tuple(
        _make_pivot(
            *(find_quantity(quantity), (down, ranks[down]), (across, ranks[across])),
            *(dict(zip(others, key, strict=True)), groups[key]),
        )
        for key in sorted(groups, key=lambda key: _place(key, of_others))
    )


def _rank_values(sweep: Sweep, name: str) -> Ranks:
    """The place of each value of an axis in the order of the sweep; of none, the last."""
    if name in (MODEL, NODE):
        found = sweep.models if name == MODEL else [result.cell.on for result in sweep.results]
        return {value: place for place, value in enumerate(dict.fromkeys(found))}
    own = [axis.values for axis in sweep.axes if axis.name == name]
    return {value: place for place, value in enumerate((*own[0], None) if own else (None,))}


def _place(key: Iterable[Any], ranks: Iterable[Ranks]) -> tuple[int, ...]:
    return tuple(own.get(value, len(own)) for value, own in zip(key, ranks, strict=True))


def _list_varied(sweep: Sweep, names: Sequence[str]) -> list[str]:
    """The axes on which cells really differ."""
    single = {axis.name for axis in sweep.axes if len(axis.values) == 1}
    return [name for name in names if name not in single]


def _choose_axes(names: Sequence[str], down: str | None, across: str | None) -> tuple[str, str]:
    """The names of both; '' where there are too few axes."""
    own = [name for name in names if name not in (MODEL, NODE)] or list(names)
    if across is None:
        sized = (name for name in own if name in _ACROSS and name != down)
        rest = [name for name in own if name != down]
        across = next(sized, rest[1] if down is None and len(rest) > 1 else "")
    if down is None:
        down = next((name for name in (*own, *names) if name != across), "")
    return down, across


def _make_pivot(
    quantity: Quantity,
    down: tuple[str, Ranks],
    across: tuple[str, Ranks],
    fixed: dict[str, Any],
    group: list[CellResult],
) -> Pivot:
    """The table of these cells; down, across: the name of each axis, and the order on it."""
    places = {(_find(result, down[0]), _find(result, across[0])): result for result in group}
    rows, columns = (
        tuple(sorted(dict.fromkeys(values), key=lambda value: _place((value,), (own[1],))))
        for own, values in zip((down, across), zip(*places, strict=True), strict=True)
    )
    return Pivot(quantity, down[0], across[0], rows, columns, fixed, places)


def _find(result: CellResult, name: str) -> Any:
    return find_value(result, name) if name else None


def list_values(pivots: Sequence[Pivot]) -> Iterator[float]:
    """Every amount that the tables hold."""
    for pivot in pivots:
        for row in pivot.rows:
            for column in pivot.columns:
                amount = pivot.amount(row, column)
                if amount is not None:
                    yield amount
