"""The layer table as HTML, for a notebook."""

from __future__ import annotations

from html import escape

from mobilenet_profiler.columns import DEFAULT_COLUMNS
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.rows import Row, make_rows


def render_html(trace: Trace) -> str:
    """A `<table>` with caption, rows and total; every text escaped."""
    heading = "".join(f"<th>{escape(column.heading)}</th>" for column in DEFAULT_COLUMNS)
    body = "".join(_render_row(row, trace) for row in make_rows(trace))
    foot = _render_row(Row("total", "", "", trace.total), trace)
    missing = "; ".join(f"{item.name} x{item.calls}" for item in trace.uncounted)
    note = f"<p><strong>not counted:</strong> {escape(missing)}</p>" if missing else ""
    return (
        f"<table><caption>{escape(trace.label)}</caption><thead><tr>{heading}</tr></thead>"
        f"<tbody>{body}</tbody><tfoot>{foot}</tfoot></table>{note}"
    )


def _render_row(row: Row, trace: Trace) -> str:
    cells = (
        f'<td style="text-align:{"right" if column.numeric else "left"}">'
        f"{escape(column.cell(row, trace.total))}</td>"
        for column in DEFAULT_COLUMNS
    )
    return f"<tr>{''.join(cells)}</tr>"
