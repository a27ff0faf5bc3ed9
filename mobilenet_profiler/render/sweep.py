"""A sweep: pivots and the long table for people, CSV, Markdown, LaTeX and HTML."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mobilenet_profiler.columns import measure_lines
from mobilenet_profiler.grid.axes import MODEL, NODE
from mobilenet_profiler.grid.remarks import describe_sweep, list_remarks, list_warnings
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.grid.tables import (
    Lines,
    SweepTable,
    choose_quantities,
    find_known_convention,
    list_tables,
)
from mobilenet_profiler.render.compare import draw_lines, write_html, write_markdown
from mobilenet_profiler.render.table import draw_text
from mobilenet_profiler.render.text import escape_latex, escape_markdown
from mobilenet_profiler.spec import make_plain

_MANY = 400  # lines of a table


def render_sweep(
    sweep: Sweep,
    width: int = 100,
    quantities: Sequence[str] = (),
    long: bool = False,
    down: str | None = None,
    across: str | None = None,
) -> Group:
    """Heading, a table of two axes for each quantity, the long table, remarks.

    Counts are exact where `width` characters hold them, else rounded; a table that is wider
    still comes in parts, exact. quantities, long, down, across: as `list_tables` takes them.
    Raises UsageError for a quantity or an axis that there is not.
    """
    tables = list_tables(sweep, quantities, long, down, across)
    parts: list[RenderableType] = [Text(describe_sweep(sweep), style="bold")]
    for table in tables:
        parts += [Text(), *_draw_table(table, width)]
    chosen = choose_quantities(sweep, quantities)
    remarks = [Text(line, style="dim") for line in list_remarks(sweep, chosen)]
    parts += [Text(), *remarks] if remarks else []
    warnings = [Text(line, style="bold red") for line in list_warnings(sweep)]
    return Group(*parts, *([Text()] if warnings else []), *warnings)


def render_text(sweep: Sweep, width: int = 100, **options: Any) -> str:
    """The same as plain text."""
    return draw_text(render_sweep(sweep, width, **options), width)


def _draw_table(table: SweepTable, width: int) -> Iterator[RenderableType]:
    if table.title:
        yield Text(table.title)
    for index, lines in enumerate(fit_table(table, width)):
        if index:
            yield Text()
        if len(lines) > _MANY and measure_lines(lines) <= width:
            yield Text(write_plain(lines, table.texts), no_wrap=True)
        else:
            yield draw_lines(lines, table.texts)


def write_plain(lines: Lines, texts: Sequence[str]) -> str:
    """What `draw_lines` draws, where no cell is too wide; rich takes long over many rows."""
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    left = [column[0] in texts for column in columns]
    rows = [
        "  ".join(
            cell.ljust(size) if side else cell.rjust(size)
            for cell, size, side in zip(line, widths, left, strict=True)
        )
        for line in lines
    ]
    return "\n".join([rows[0], "─" * (sum(widths) + 2 * (len(widths) - 1)), *rows[1:]])


def fit_table(table: SweepTable, width: int) -> list[Lines]:
    """The lines of a table: exact, or else rounded, or else exact in parts that fit the width."""
    for lines in (table.lines, table.short):
        if measure_lines(lines) <= width:
            return [lines]
    return list(_split(table.lines, table.places, width))


def _split(lines: Lines, places: int, width: int) -> Iterator[Lines]:
    """Parts of at most so many characters, each with the columns that say which row it is."""
    start, last = places, len(lines[0])
    while start < last:
        end = start + 1
        while end < last and measure_lines(_cut(lines, places, start, end + 1)) <= width:
            end += 1
        yield _cut(lines, places, start, end)
        start = end


def _cut(lines: Lines, places: int, start: int, end: int) -> Lines:
    return [(*line[:places], *line[start:end]) for line in lines]


def render_markdown(
    sweep: Sweep,
    quantities: Sequence[str] = (),
    long: bool = False,
    down: str | None = None,
    across: str | None = None,
) -> str:
    """The same tables in GitHub's Markdown, exact, the remarks as a list."""
    blocks = [f"**{escape_markdown(describe_sweep(sweep))}**\n"]
    for table in list_tables(sweep, quantities, long, down, across):
        title = f"{escape_markdown(table.title)}\n\n" if table.title else ""
        blocks.append(title + "".join(write_markdown(table.lines, table.texts)))
    remarks = _list_all_remarks(sweep, quantities)
    blocks += ["".join(f"- {escape_markdown(line)}\n" for line in remarks)] if remarks else []
    return "\n".join(blocks)


def _list_all_remarks(sweep: Sweep, quantities: Sequence[str]) -> list[str]:
    return [*list_remarks(sweep, choose_quantities(sweep, quantities)), *list_warnings(sweep)]


def render_latex(
    sweep: Sweep,
    quantities: Sequence[str] = (),
    long: bool = False,
    down: str | None = None,
    across: str | None = None,
) -> str:
    r"""A `tabular` for each table, with the rules of booktabs (`\usepackage{booktabs}`).

    Titles and remarks are comments.
    """
    tables = list_tables(sweep, quantities, long, down, across)
    head = write_comment([describe_sweep(sweep), *_list_all_remarks(sweep, quantities)])
    return "\n".join([head, *map(_write_latex, tables)])


def _write_latex(table: SweepTable) -> str:
    title = write_comment([table.title]) if table.title else ""
    return title + write_tabular(table.lines, table.texts)


def write_comment(lines: Sequence[str]) -> str:
    """Lines that LaTeX passes over."""
    return "".join(f"% {' '.join(line.split())}\n" for line in lines)


def write_tabular(lines: Lines, texts: Sequence[str]) -> str:
    """Lines as a `tabular`; texts: headings of columns that are no numbers."""
    align = "".join("l" if heading in texts else "r" for heading in lines[0])
    rows = [f"{' & '.join(map(escape_latex, line))} \\\\\n" for line in lines]
    return (
        f"\\begin{{tabular}}{{{align}}}\n\\toprule\n{rows[0]}\\midrule\n"
        f"{''.join(rows[1:])}\\bottomrule\n\\end{{tabular}}\n"
    )


def render_html(sweep: Sweep) -> str:
    """The tables for a notebook, every text escaped."""
    parts = [f"<p><b>{escape(describe_sweep(sweep))}</b></p>"]
    for table in list_tables(sweep):
        parts += [f"<p>{escape(table.title)}</p>"] if table.title else []
        parts.append(write_html(table.lines, table.texts))
    return "".join([*parts, *(f"<p>{escape(line)}</p>" for line in _list_all_remarks(sweep, ()))])


CSV_FACTS = (
    *("params", "weights", "macs", "activations", "memory"),
    *("latency_ns", "latency_low_ns", "latency_high_ns", "latency_samples"),
    *("top1", "top1_source", "machine", "uncounted", "notes", "error", "convention"),
)


def list_csv_header(sweep: Sweep) -> tuple[str, ...]:
    """The columns of the long table: the model, the axes, the node, then CSV_FACTS.

    Counts in FLOPs are headed `flops`.
    """
    known = find_known_convention(sweep)
    key = known.key if known else "macs"
    nodes = (NODE,) if any(result.cell.on for result in sweep.results) else ()
    facts = tuple(key if name == "macs" else name for name in CSV_FACTS)
    return (MODEL, *(axis.name for axis in sweep.axes), *nodes, *facts)


def render_csv(sweep: Sweep) -> str:
    """The long table, a line a cell: counts whole, bytes, nanoseconds; empty where unknown."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    header = list_csv_header(sweep)
    writer.writerow(header)
    for result in sweep.results:
        facts = {**_record_place(result), **_record_facts(result, sweep.convention)}
        writer.writerow([facts.get("macs" if name == "flops" else name, "") for name in header])
    return buffer.getvalue()


def _record_place(result: CellResult) -> dict[str, Any]:
    point = {name: make_plain(value) for name, value in result.cell.point.items()}
    return {**point, MODEL: result.cell.model, NODE: result.cell.on}


def _record_facts(result: CellResult, convention: str) -> dict[str, Any]:
    cost, time, accuracy = result.cost, result.latency, result.accuracy
    counts = {name: getattr(cost, name) for name in CSV_FACTS[:4]} if cost else {}
    times = (time.value, time.low, time.high, time.count) if time else ()
    return {
        **counts,
        "memory": "" if result.memory is None else result.memory,
        **dict(zip(CSV_FACTS[5:9], times, strict=False)),
        "top1": accuracy.text.rstrip("% ") if accuracy else "",
        "top1_source": accuracy.source if accuracy else "",
        "machine": result.machine,
        "uncounted": result.uncounted,
        "notes": " | ".join(result.notes),
        "error": result.error,
        "convention": convention,
    }


SWEEPS: Mapping[str, Callable[..., str]] = {"markdown": render_markdown, "latex": render_latex}
