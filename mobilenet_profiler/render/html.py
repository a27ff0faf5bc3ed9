"""The layer table as HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mobilenet_profiler.columns import Column, choose_columns
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.rows import Row, list_warnings, make_rows


def render_html(trace: Trace) -> str:
    """A `<table>` with caption, rows and total; every text escaped."""
    columns = choose_columns(None, trace.backward, trace.convention)
    heading = "".join(f"<th>{escape(column.heading)}</th>" for column in columns)
    body = "".join(_render_row(row, trace, columns) for row in make_rows(trace))
    foot = _render_row(Row("total", "", "", trace.total), trace, columns)
    note = "".join(f"<p>{escape(line)}</p>" for line in list_warnings(trace))
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
