"""Networks side by side for the page: totals, kinds of layers, layers of one path. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mobilenet_profiler.comparing import AlignedCost, ModelComparison, align_layers
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.render.compare import name_quantity
from mobilenet_profiler.render.page.tables import (
    Block,
    Cell,
    Heading,
    Line,
    PageTable,
    colour_kinds,
)
from mobilenet_profiler.units import format_bytes, format_change, format_count, format_ratio

_QUANTITIES = ("macs", "params", "weights", "activations")
_PEAK = "peak memory"


@dataclass(frozen=True)
class Side:
    """A table of networks side by side."""

    title: str
    table: PageTable


def make_sides(comparison: ModelComparison) -> Side:
    """A row a network: its totals with their ratios to the first, published accuracy."""
    total, known = comparison.total, comparison.convention
    accurate = any(comparison.accuracies)
    headings = [Heading("network", False)]
    headings += [Heading("top-1", about="ImageNet, as published")] if accurate else []
    for quantity in _QUANTITIES:
        headings += [Heading(name_quantity(quantity, known)), Heading("ratio")]
    remembered = any(trace.memory for trace in comparison.traces)
    headings += [Heading(_PEAK, about="of activations, predicted")] if remembered else []
    lines = []
    for index, name in enumerate(comparison.names):
        published = comparison.accuracies[index]
        cells = [Cell(name)]
        cells += [Cell(published.text if published else "-")] if accurate else []
        for quantity in _QUANTITIES:
            cells += _compare(total, index, quantity)
        cells += [_show_peak(comparison.traces[index])] if remembered else []
        lines.append(Line(tuple(cells)))
    table = PageTable(
        "sides", "Totals", tuple(headings), (Block(tuple(lines)),), filtered=False, noun="networks"
    )
    return Side("Side by side", table)


def _compare(total: AlignedCost, index: int, quantity: str) -> Iterator[Cell]:
    amount, first = total.amount(index, quantity), total.amount(0, quantity)
    most = max(total.amount(place, quantity) for place in range(len(total.costs)))
    yield Cell(format_count(amount), share=amount / most if most else None)
    yield Cell(format_ratio(amount, first))


def _show_peak(trace: Trace) -> Cell:
    if trace.memory is None:
        return Cell("-")
    peak = trace.memory.activations
    return Cell(format_bytes(peak), key=peak)


def make_kind_sides(comparison: ModelComparison) -> Side:
    """A row a kind of layer, MACs and params of each network."""
    rows = [row for row in comparison.kinds if not row.costless]
    table = _make_table(comparison, rows, "side-kinds", "By kind of layer", filtered=False)
    return Side("By kind of layer", table)


def make_layer_sides(comparison: ModelComparison) -> Iterator[Side]:
    """A row a layer of the same path, where two networks have any."""
    if comparison.lined_up:
        rows = [row for row in align_layers(comparison.traces) if not row.costless]
        table = _make_table(comparison, rows, "side-layers", "Layers of the same path")
        yield Side("Layers of the same path", table)


def _make_table(
    comparison: ModelComparison,
    rows: Sequence[AlignedCost],
    name: str,
    title: str,
    filtered: bool = True,
) -> PageTable:
    known, layered = comparison.convention, name == "side-layers"
    headings = [Heading("layer" if layered else "kind of layer", False)]
    headings += [Heading("kind", False)] if layered else []
    for quantity in ("macs", "params"):
        for model in comparison.names:
            headings.append(Heading(f"{name_quantity(quantity, known)}: {model}", sums=True))
    headings += [
        Heading(f"difference: {model}", sums=True, about=f"{name_quantity('macs', known)} more")
        for model in comparison.names[1:]
    ]
    lines = tuple(Line(_list_cells(comparison, row, layered), row.kind) for row in rows)
    return PageTable(
        name,
        title,
        tuple(headings),
        (Block(lines),),
        _list_cells(comparison, comparison.total, layered),
        noun="layers" if layered else "kinds",
        filtered=filtered,
        colours=colour_kinds(row.kind for row in rows),
    )


def _list_cells(comparison: ModelComparison, row: AlignedCost, layered: bool) -> tuple[Cell, ...]:
    places = range(len(comparison.names))
    cells = [Cell(row.name), *([Cell(row.kind)] if layered else [])]
    for quantity in ("macs", "params"):
        cells += [
            Cell(format_count(row.amount(place, quantity)) if row.costs[place] else "-")
            for place in places
        ]
    cells += [
        Cell(format_change(row.amount(0, "macs"), row.amount(place, "macs")))
        for place in places[1:]
    ]
    return tuple(cells)
