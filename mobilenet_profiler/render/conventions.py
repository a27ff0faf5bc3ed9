"""Conventions: the list of them, and one model under all, each with its sum."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import fit_lines
from mobilenet_profiler.conventions.comparison import Comparison, describe_sum
from mobilenet_profiler.conventions.convention import FAMILIES, Convention
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.render.json import SCHEMA_VERSION, describe_convention
from mobilenet_profiler.render.table import add_text_column, start_table, warn
from mobilenet_profiler.render.text import escape_markdown, list_markdown_warnings
from mobilenet_profiler.units import format_count

WIDE = 150  # characters from which a sum stands beside its numbers
_HEADINGS = ("convention", "unit", "count", "params", "difference", "%")
NOTE = (
    "difference: to macs, this package's own; of FLOPs, to twice macs. "
    "without: work that macs counts and the convention does not."
)


def render_list(conventions: Sequence[Convention], every: bool = False) -> Group:
    """Name, unit, what it counts, source. every: the limits too."""
    table = _make_grid()
    for convention in conventions:
        unit = convention.unit if convention.rules else "-"
        table.add_row(Text(convention.name, style="bold"), Text(unit), _describe(convention, every))
    return Group(table)


def _describe(convention: Convention, every: bool) -> Group:
    lines: list[RenderableType] = [Text(f"{convention.title}: {convention.counts}")]
    if convention.params:
        lines.append(Text(f"params: {convention.params.text}"))
    if every:
        lines += [Text(f"limit: {limit}") for limit in convention.limits]
    return Group(*lines, Text(convention.source, style="dim"))


def render_comparison(trace: Trace, rows: Sequence[Comparison], width: int) -> Group:
    """One model under several conventions: numbers, then the sum behind each."""
    wide = width >= WIDE
    table = start_table(footer=False)
    lines = [_HEADINGS, *map(_list_cells, rows)]
    kept = fit_lines(lines, width, (5, 1))
    for index in kept:
        add_text_column(table, [line[index] for line in lines], numeric=index >= 2)
    if wide:
        table.add_column("made of")
    for row, cells in zip(rows, lines[1:], strict=True):
        made = (describe_sum(row),) if wide else ()
        table.add_row(*map(Text, (*(cells[index] for index in kept), *made)))
    sums: list[RenderableType] = [] if wide else [Text(), _render_sums(rows)]
    title = Text(trace.label, style="bold")
    return Group(title, Text(), table, *sums, Text(), Text(NOTE, style="dim"), *warn(trace))


def _render_sums(rows: Sequence[Comparison]) -> Table:
    grid = _make_grid(columns=2)
    for row in rows:
        grid.add_row(Text(row.count.convention.name, style="bold"), Text(describe_sum(row)))
    return grid


def _make_grid(columns: int = 3) -> Table:
    grid = Table.grid(padding=(0, 2))
    for _ in range(columns - 1):
        grid.add_column(no_wrap=True)
    grid.add_column()
    return grid


def _list_cells(row: Comparison) -> tuple[str, ...]:
    count, difference = row.count, row.difference
    params = format_count(count.params)
    if count.total is None or difference is None:
        return (count.convention.name, "-", "-", params, "-", "-")
    share = f"{100 * difference / row.ours:+.2f}" if row.ours and difference else "0"
    shown = f"{difference:+,}" if difference else "0"
    total = format_count(count.total)
    return (count.convention.name, count.unit, total, params, shown, share)


def render_comparison_markdown(trace: Trace, rows: Sequence[Comparison]) -> str:
    """A table in GitHub's Markdown, each sum in its last column."""
    lines = [(*_HEADINGS, "made of"), ("---", "---", *(["---:"] * 4), "---")]
    lines += [(*_list_cells(row), describe_sum(row)) for row in rows]
    body = "".join(f"| {' | '.join(map(escape_markdown, line))} |\n" for line in lines)
    notes = list_markdown_warnings(trace)
    return f"**{escape_markdown(trace.label)}**\n\n{body}\n{escape_markdown(NOTE)}\n{notes}"


def render_comparison_csv(trace: Trace, rows: Sequence[Comparison]) -> str:
    """A line a convention; the families that any of them counts, each a column."""
    families = [name for name in FAMILIES if any(name in row.count.items for row in rows)]
    keys = [name.lower().replace(" ", "_") for name in families]
    records: list[Sequence[object]] = [
        ("model", "convention", "unit", "count", "params", "difference", *keys)
    ]
    for row in rows:
        count = row.count
        known = count.total is not None
        records.append(
            (
                *(trace.label, count.convention.name, count.unit if known else ""),
                *(count.total if known else "", count.params, row.difference if known else ""),
                *(count.items.get(name, 0) if known else "" for name in families),
            )
        )
    return _write_csv(records)


def render_comparison_json(trace: Trace, rows: Sequence[Comparison]) -> str:
    """`spec` and `conventions`: count, params, items and difference of each."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "spec": dict(trace.spec),
        "conventions": [
            {
                **describe_convention(row.count.convention),
                "total": row.count.total,
                "total_params": row.count.params,
                "difference": row.difference,
                "items": dict(row.count.items) if row.count.total is not None else {},
                "missing": row.missing,
                "extra": row.extra,
            }
            for row in rows
        ],
        "uncounted": [asdict(item) for item in trace.uncounted],
        "notes": list(trace.notes),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def render_list_markdown(conventions: Sequence[Convention]) -> str:
    """A table in GitHub's Markdown."""
    lines = [_LIST_HEADINGS, ("---",) * 6, *map(_list_texts, conventions)]
    return "".join(f"| {' | '.join(map(escape_markdown, line))} |\n" for line in lines)


def render_list_csv(conventions: Sequence[Convention]) -> str:
    """A line a convention."""
    return _write_csv([_LIST_HEADINGS, *map(_list_texts, conventions)])


def render_list_json(conventions: Sequence[Convention]) -> str:
    """`conventions`, each with its limits."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "conventions": [describe_convention(convention) for convention in conventions],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


_LIST_HEADINGS = ("name", "title", "unit", "counts", "params", "source")
COMPARISONS: dict[str, Callable[[Trace, Sequence[Comparison]], str]] = {
    "markdown": render_comparison_markdown,
    "csv": render_comparison_csv,
    "json": render_comparison_json,
}
LISTS: dict[str, Callable[[Sequence[Convention]], str]] = {
    "markdown": render_list_markdown,
    "csv": render_list_csv,
    "json": render_list_json,
}


def _list_texts(convention: Convention) -> tuple[str, ...]:
    known = describe_convention(convention)
    return (*(str(known[name]) if name in known else convention.title for name in _LIST_HEADINGS),)


def _write_csv(records: Sequence[Sequence[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(records)
    return buffer.getvalue()
