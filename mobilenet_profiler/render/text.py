"""Rows for other programs: Markdown, CSV, LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mobilenet_profiler.columns import MEMORY_COLUMNS, Column, choose_columns
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.cost import Cost, Trace
from mobilenet_profiler.rows import Row, describe_memory, list_warnings, make_total
from mobilenet_profiler.units import format_shape

if TYPE_CHECKING:
    from mobilenet_profiler.conventions.convention import Convention

_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
CSV_HEADER = (
    *("layer", "kind", "input_shape", "filter", "output_shape"),
    *("params", "weights", "macs", "activations", "elementwise", "backward_macs", "layers"),
)  # and MEMORY_COLUMNS where these are known


def render_markdown(trace: Trace, rows: Sequence[Row], columns: Sequence[str] | None = None) -> str:
    """A table in GitHub's Markdown, the total in its last row."""
    chosen = choose_columns(columns, trace.backward, trace.convention, trace.memory is not None)
    rule = ["---:" if column.numeric else "---" for column in chosen]
    body = [[escape_markdown(cell) for cell in line] for line in _cells(rows, chosen, trace)]
    lines = [[column.heading for column in chosen], rule, *body]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"**{escape_markdown(_caption(trace))}**\n\n{table}{list_markdown_warnings(trace)}"


def list_markdown_warnings(trace: Trace) -> str:
    """Peak memory, what was not counted, notes: a list under a table, '' where it is empty."""
    remarks = [*describe_memory(trace), *list_warnings(trace)]
    lines = [f"- {escape_markdown(line)}\n" for line in remarks]
    return "".join(["\n", *lines]) if lines else ""


def render_latex(trace: Trace, rows: Sequence[Row], columns: Sequence[str] | None = None) -> str:
    r"""A `tabular` with the rules of booktabs (`\usepackage{booktabs}`)."""
    chosen = choose_columns(columns, trace.backward, trace.convention, trace.memory is not None)
    align = "".join("r" if column.numeric else "l" for column in chosen)
    lines = [[escape_latex(cell) for cell in line] for line in _cells(rows, chosen, trace)]
    body = [f"{' & '.join(line)} \\\\\n" for line in lines]
    header = " & ".join(escape_latex(column.heading) for column in chosen)
    remarks = [_caption(trace), *describe_memory(trace), *list_warnings(trace)]
    notes = "".join(f"% {line}\n" for line in remarks)
    return (
        f"{notes}\\begin{{tabular}}{{{align}}}\n\\toprule\n{header} \\\\\n\\midrule\n"
        f"{''.join(body[:-1])}\\midrule\n{body[-1]}\\bottomrule\n\\end{{tabular}}\n"
    )


def _caption(trace: Trace) -> str:
    """What was traced, and the convention of its numbers."""
    known = trace.convention
    return f"{trace.label}; {known.heading}: {known.counts}" if known else trace.label


def render_csv(
    rows: Sequence[Row],
    columns: Sequence[str] | None = None,
    convention: Convention | None = None,
) -> str:
    """A line a row, no total; integers without separators, shapes as 1x3x224x224.

    The last column names the convention of params and MACs, where they are shown;
    counts in FLOPs are headed `flops`.
    """
    names = [column.name for column in choose_columns(columns)] if columns else None
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    total = sum((row.cost for row in rows), Cost())
    records = [_record(row, total) for row in rows]
    known = MEMORY_COLUMNS if any(row.memory for row in rows) else ()
    whole = [*CSV_HEADER, *known]
    header = [_CSV_NAMES.get(name, name) for name in names] if names else whole
    key, own = (convention.key, convention.name) if convention else ("macs", DEFAULT)
    renamed = {"macs": key, "macs_share": f"{key}_share"}
    label = [own] if _CONVENED & set(header) else []
    writer.writerow([*(renamed.get(n, n) for n in header), *(["convention"] if label else [])])
    writer.writerows([*(record[column] for column in header), *label] for record in records)
    return buffer.getvalue()


_CSV_NAMES = {"input": "input_shape", "output": "output_shape"}
_CONVENED = {"macs", "macs_share", "params", "params_share"}  # what a convention changes


def _record(row: Row, total: Cost) -> dict[str, object]:
    return {
        "layer": row.name,
        "kind": row.kind,
        "input_shape": format_shape(row.input_shape).strip("-"),
        "filter": row.filter.strip("-"),
        "output_shape": format_shape(row.output_shape).strip("-"),
        "params": row.cost.params,
        "params_share": row.cost.params / total.params if total.params else "",
        "weights": row.cost.weights,
        "weights_share": row.cost.weights / total.weights if total.weights else "",
        "macs": row.cost.macs,
        "macs_share": row.cost.macs / total.macs if total.macs else "",
        "activations": row.cost.activations,
        "elementwise": row.cost.elementwise,
        "backward_macs": row.cost.backward_macs,
        "layers": row.layers,
        "memory": row.memory.peak if row.memory else "",
        "allocated": row.memory.allocated if row.memory else "",
    }


def _cells(rows: Sequence[Row], columns: Sequence[Column], trace: Trace) -> list[list[str]]:
    lines = (*rows, make_total(trace, rows))
    return [[column.cell(row, trace.total) for column in columns] for row in lines]


def escape_markdown(text: str) -> str:
    """A text whose characters Markdown leaves alone."""
    text = " ".join(text.splitlines())
    for character in "\\|_*`<>[]~&":
        text = text.replace(character, "\\" + character)
    return text


def escape_latex(text: str) -> str:
    """A text whose characters LaTeX leaves alone."""
    return "".join(_LATEX.get(character, character) for character in text)
