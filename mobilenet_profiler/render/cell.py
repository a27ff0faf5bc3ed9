"""One cell of a sweep in a line, and as a row of a table."""

from __future__ import annotations

from mobilenet_profiler.grid.quantities import QUANTITIES
from mobilenet_profiler.grid.remarks import name_cell
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.grid.tables import NETWORK, choose_units, show_amount
from mobilenet_profiler.render.compare import write_html


def list_amounts(result: CellResult) -> dict[str, str]:
    """Every amount that is known, by the name of its quantity; the source of an accuracy too.

    A cell does not know its convention: `macs` is what `cost.macs` holds.
    """
    units = choose_units([result])
    amounts = {
        quantity.name: show_amount(quantity, result, units)
        for quantity in QUANTITIES.values()
        if quantity.amount(result) is not None
    }
    if result.latency:
        amounts["latency"] += f" {units.time.sign}"
    if result.memory is not None:
        amounts["memory"] += f" {units.size.sign}"
    if result.accuracy:
        amounts["top1"] = f"{result.accuracy.text} ({result.accuracy.source})"
    return amounts | ({"error": result.error} if result.error else {})


def render_text(result: CellResult) -> str:
    """`mobilenet_v1 alpha=0.5 resolution=224: macs 149,497,088, params 1,331,592`."""
    amounts = ", ".join(f"{name} {text}" for name, text in list_amounts(result).items())
    return f"{name_cell(result)}: {amounts or 'nothing known'}"


def render_html(result: CellResult) -> str:
    """The same as a table of one row, every text escaped."""
    amounts = list_amounts(result)
    lines = [(NETWORK, *amounts), (name_cell(result), *amounts.values())]
    return write_html(lines, (NETWORK, "error"))
