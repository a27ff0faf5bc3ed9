"""Published tables as they print, ours beside theirs: terminal, Markdown, LaTeX, CSV, JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from mobilenet_profiler.columns import measure_lines
from mobilenet_profiler.render.compare import Lines, draw_lines, write_markdown
from mobilenet_profiler.render.sweep import write_comment, write_tabular
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.render.verdicts import (
    count_verdicts,
    group_reasons,
    render_verification_csv,
    render_verification_json,
    show_exact,
)
from mobilenet_profiler.verification.printed import PrintedRow, PrintedTable, show_printed
from mobilenet_profiler.verification.verdicts import Verdict, Verification

Tables = Sequence[PrintedTable]
COUNTED, VERDICT = "counted", "verdict"
COUNTED_QUANTITIES = ("macs", "params")
MARKS: Mapping[str, str] = {
    "exact": "=",
    "rounded": "≈",
    "truncated": "↓",
    "rounded up": "↑",
    "known difference": "*",
    "differs": "≠",
}
NOTE = "A number agrees where the count is less than one unit of its last place away."


def render_printed(tables: Tables, width: int) -> Group:
    """Each table as it was printed; beside each count ours, and how the one became the other.

    In words where they fit, else by a mark that is explained below.
    """
    parts: list[RenderableType] = []
    for table in tables:
        parts += [*_render_table(table, width), Text()]
    return Group(*parts, Text(NOTE, style="dim"))


def _render_table(table: PrintedTable, width: int) -> Iterator[RenderableType]:
    yield Text(_name(table), style="bold")
    lines = list_lines(table)
    marked = measure_lines(lines) > width
    yield draw_lines(_mark_lines(table) if marked else lines, _list_texts(table))
    if marked:
        yield Text(_explain_marks(table), style="dim")
    for line in _list_reasons(table):
        yield Padding(Text(line, style="yellow"), (0, 0, 0, 2))
    yield Text(count_verdicts(table.known))


def _name(table: PrintedTable) -> str:
    place = table.place.place if table.place.place.startswith("Table") else ""
    return f"{table.place.title} ({', '.join(filter(None, (table.source.where, place)))})"


def list_lines(table: PrintedTable) -> Lines:
    """A heading, then a line a row: what is printed; beside each count ours and a verdict."""
    return _list_lines(table, _Counted((COUNTED, " "), _show_verdict))


def _mark_lines(table: PrintedTable) -> Lines:
    """The same with a mark behind each count."""
    return _list_lines(table, _Counted((f"{COUNTED}  ",), _show_marked))


class _Counted(NamedTuple):
    """What stands behind a printed count: headings, and the cells of a verdict."""

    heads: tuple[str, ...]
    show: Callable[[Verdict], tuple[str, ...]]


def _list_lines(table: PrintedTable, counted: _Counted) -> Lines:
    heads = (table.place.heading, *_list_heads(table.place.columns, counted))
    return [heads, *((row.subject, *_list_cells(table, row, counted)) for row in table.rows)]


def _list_heads(columns: Mapping[str, str], counted: _Counted) -> Iterator[str]:
    for name, heading in columns.items():
        yield "\n".join(heading.split(" ", 1))
        yield from counted.heads if name in COUNTED_QUANTITIES else ()


def _list_cells(table: PrintedTable, row: PrintedRow, counted: _Counted) -> Iterator[str]:
    for name in table.place.columns:
        verdict = row.verdicts[name]
        yield show_printed(verdict.figure)
        yield from counted.show(verdict) if name in COUNTED_QUANTITIES else ()


def _show_verdict(verdict: Verdict) -> tuple[str, ...]:
    return (show_exact(verdict.figure, verdict.exact), _show_how(verdict))


def _show_marked(verdict: Verdict) -> tuple[str, ...]:
    return (f"{show_exact(verdict.figure, verdict.exact)} {MARKS[_show_how(verdict)]}",)


def _list_texts(table: PrintedTable) -> tuple[str, ...]:
    return (table.place.heading, " ")


def _show_how(verdict: Verdict) -> str:
    return verdict.how or verdict.status


def _explain_marks(table: PrintedTable) -> str:
    used = {_show_how(verdict) for verdict in table.known.verdicts}
    return ", ".join(f"{mark} {how}" for how, mark in MARKS.items() if how in used) + "."


def _list_reasons(table: PrintedTable) -> Iterator[str]:
    for reason, verdicts in group_reasons(table.known).items():
        names = dict.fromkeys(f"{own.figure.subject} {own.figure.quantity}" for own in verdicts)
        yield f"known difference: {', '.join(names)}: {reason}"
    for verdict in table.known.select("differs"):
        yield f"differs: {verdict.figure.subject} {verdict.figure.quantity}: {verdict.reason}"


def render_markdown(tables: Tables) -> str:
    """The same tables in GitHub's Markdown, verdicts in words."""
    return "\n".join([*map(_write_markdown, tables), f"{escape_markdown(NOTE)}\n"])


def _write_markdown(table: PrintedTable) -> str:
    body = "".join(write_markdown(_list_flat(table), (table.place.heading, VERDICT)))
    remarks = [*_list_reasons(table), count_verdicts(table.known)]
    notes = "".join(f"- {escape_markdown(line)}\n" for line in remarks)
    return f"**{escape_markdown(_name(table))}**\n\n{body}\n{notes}"


def _list_flat(table: PrintedTable) -> Lines:
    heading, *lines = list_lines(table)
    names = (VERDICT if cell == " " else cell.replace("\n", " ") for cell in heading)
    return [tuple(names), *lines]


def render_latex(tables: Tables) -> str:
    r"""A `tabular` for each, with the rules of booktabs (`\usepackage{booktabs}`)."""
    return "\n".join(map(_write_latex, tables))


def _write_latex(table: PrintedTable) -> str:
    remarks = [_name(table), *_list_reasons(table), count_verdicts(table.known)]
    return write_comment(remarks) + write_tabular(_list_flat(table), (table.place.heading, VERDICT))


def _gather(tables: Tables) -> Verification:
    """Every number of the tables, accuracies too."""
    rows = (row for table in tables for row in table.rows)
    return Verification(tuple(verdict for row in rows for verdict in row.verdicts.values()))


def render_csv(tables: Tables) -> str:
    """A line a printed number, as `verify --format csv` writes it."""
    return render_verification_csv(_gather(tables))


def render_json(tables: Tables) -> str:
    """As `verify --format json` writes them."""
    return render_verification_json(_gather(tables))


PRINTED: Mapping[str, Callable[[Tables], str]] = {
    "markdown": render_markdown,
    "latex": render_latex,
    "csv": render_csv,
    "json": render_json,
}
