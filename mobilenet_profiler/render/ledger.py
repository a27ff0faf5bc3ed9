"""The ledger of a trace: a row an operation, and the rules that make work free."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import fit_lines
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.ledger import LedgerRow, add_up, make_ledger
from mobilenet_profiler.render.json import SCHEMA_VERSION
from mobilenet_profiler.render.table import add_text_column, start_table, warn
from mobilenet_profiler.render.text import escape_markdown, list_markdown_warnings
from mobilenet_profiler.units import format_count

_STYLES = {"counted": "cyan", "unknown": "bold red", "free": "dim"}
NOTE = (
    "counted: MACs by a formula of shapes. free: by the rule named; its elements are no MACs. "
    "unknown: in no number here. bytes, where shown: read and written, none by views."
)


def render_ledger(trace: Trace, width: int = 100) -> Group:
    """Operation, status, calls, MACs, element operations, bytes; a total; what is unknown.

    Where `width` characters do not hold every column, bytes and elements go first.
    """
    rows = make_ledger(trace)
    lines = [_list_headings(trace.backward)]
    lines += [_list_cells(row, trace.backward) for row in (*rows, add_up(rows))]
    last = len(lines[0]) - 1
    kept = fit_lines(lines, width, (last, last - 1, 2))
    table = start_table()
    for index in kept:
        add_text_column(table, [line[index] for line in lines], numeric=index >= 2)
        table.columns[-1].footer = Text("" if index == 1 else lines[-1][index])
    for row, cells in zip(rows, lines[1:-1], strict=True):
        table.add_row(*(Text(cells[index]) for index in kept), style=_STYLES[row.status])
    title = Text(trace.label, style="bold")
    return Group(title, Text(), table, Text(), Text(NOTE, style="dim"), *warn(trace))


def _list_headings(backward: bool) -> tuple[str, ...]:
    middle = ("backward MACs",) if backward else ()
    return ("operation", "status", "calls", "MACs", *middle, "elementwise", "bytes")


def _list_cells(row: LedgerRow, backward: bool) -> tuple[str, ...]:
    status = f"free: {row.rule}" if row.rule else row.status
    middle = (row.backward_macs,) if backward else ()
    moved = row.bytes_read + row.bytes_written
    numbers = (row.calls, row.macs, *middle, row.elementwise, moved)
    return (row.name.removeprefix("aten::"), status, *map(format_count, numbers))


def render_ledger_markdown(trace: Trace) -> str:
    """A table in GitHub's Markdown, the total in its last row."""
    rows = make_ledger(trace)
    headings = _list_headings(trace.backward)
    lines = [headings, ("---", "---", *["---:"] * (len(headings) - 2))]
    lines += [_list_cells(row, trace.backward) for row in rows]
    name, _, *total = _list_cells(add_up(rows), trace.backward)
    lines.append((name, "", *total))
    body = "".join(f"| {' | '.join(map(escape_markdown, line))} |\n" for line in lines)
    return f"**{escape_markdown(trace.label)}**\n\n{body}{list_markdown_warnings(trace)}"


def render_ledger_csv(trace: Trace) -> str:
    """A line an operation, no total."""
    buffer = io.StringIO()
    names = [*asdict(add_up(())), "convention"]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(row), "convention": "macs"} for row in make_ledger(trace))
    return buffer.getvalue()


def render_ledger_json(trace: Trace) -> str:
    """`spec`, `operations`, `total`, `uncounted`, `notes`."""
    rows = make_ledger(trace)
    data = {
        "schema_version": SCHEMA_VERSION,
        "spec": dict(trace.spec),
        "operations": [asdict(row) for row in rows],
        "total": asdict(add_up(rows)),
        "uncounted": [asdict(item) for item in trace.uncounted],
        "notes": list(trace.notes),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def render_rules(rules: Sequence[tuple[str, str, Sequence[str]]]) -> Group:
    """Each rule, what it says, and the operations that it makes free."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for name, meaning, operations in rules:
        names = Text(" ".join(operations), style="dim")
        grid.add_row(Text(name, style="bold"), Group(Text(meaning), names))
    return Group(grid)


LEDGERS: dict[str, Callable[[Trace], str]] = {
    "markdown": render_ledger_markdown,
    "csv": render_ledger_csv,
    "json": render_ledger_json,
}
