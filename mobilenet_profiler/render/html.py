"""The layer table as HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mobilenet_profiler.columns import Column, choose_columns
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.rows import Row, describe_memory, list_warnings, make_rows, make_total


def render_html(trace: Trace) -> str:
    """A `<table>` with caption, rows and total; every text escaped."""
    columns = choose_columns(None, trace.backward, trace.convention, trace.memory is not None)
    rows = make_rows(trace)
    heading = "".join(f"<th>{escape(column.heading)}</th>" for column in columns)
    body = "".join(_render_row(row, trace, columns) for row in rows)
    foot = _render_row(make_total(trace, rows), trace, columns)
    lines = [*describe_memory(trace), *list_warnings(trace)]
    note = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return (
        f"<table><caption>{escape(trace.label)}</caption><thead><tr>{heading}</tr></thead>"
        f"<tbody>{body}</tbody><tfoot>{foot}</tfoot></table>{note}"
    )


def _render_row(row: Row, trace: Trace, columns: Sequence[Column]) -> str:
    cells = (
        f'<td style="text-align:{"right" if column.numeric else "left"}">'
        f"{escape(column.cell(row, trace.total))}</td>"
        for column in columns
    )
    return f"<tr>{''.join(cells)}</tr>"
