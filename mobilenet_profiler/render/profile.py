"""A profile for people: layers with their times, totals, kinds of layers, what to know of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import align_lines, fit_lines, fold_heading, measure_lines
from mobilenet_profiler.measured.columns import (
    Sheet,
    TimedColumn,
    choose_columns,
    describe_sheet,
    fit_columns,
    list_columns,
    list_lines,
    make_sheet,
)
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.remarks import list_remarks
from mobilenet_profiler.measured.rows import TimedRow, make_timed_rows, summarise_times
from mobilenet_profiler.measured.statistics import find_median
from mobilenet_profiler.measured.summary import describe_machine, list_phases, list_totals
from mobilenet_profiler.render.compare import Lines, write_html, write_markdown
from mobilenet_profiler.render.table import draw_text, mark_blocks, start_table, style_kind
from mobilenet_profiler.render.text import escape_markdown

if TYPE_CHECKING:
    from mobilenet_profiler.measured.roofline import Ceiling

TEXTS = ("layer", "kind", "by kind", "bound by", "phase")  # headings of columns of no numbers
_KIND_COLUMNS = (
    *("layer", "params_share", "macs_share", "time_share", "time", "spread", "rate", "reach"),
    "bound",
)
_PHASE_LEAST = (6, 2, 1, 5)  # columns of the phases that go first where they do not fit
_NARROW = 8  # characters of a name in a line, at the least
_BESIDE = 24  # characters that are worth a column


def render_profile(
    sheet: Sheet,
    width: int = 100,
    brackets: bool = True,
    summary: bool = True,
    hints: Sequence[str] = (),
) -> Group:
    """Heading, layers, totals, phases of training, kinds of layers, warnings and notes.

    sheet: of `make_sheet`. brackets: around blocks, whose rows stand together. summary: by
    kind. hints: what else to say at the end.
    """
    profile = sheet.profile
    parts: list[RenderableType] = [
        render_layers(sheet, width, brackets),
        Text(),
        _draw_totals(profile, width),
    ]
    if phases := list_phases(profile):
        kept = fit_lines(align_lines(phases, TEXTS), width, _PHASE_LEAST)
        parts += [Text(), draw_aligned([tuple(line[index] for index in kept) for line in phases])]
    if summary:
        parts += [Text(), _draw_kinds(sheet, width)]
    return Group(*parts, *draw_remarks([*list_remarks(profile), *hints]))


def render_layers(sheet: Sheet, width: int = 100, brackets: bool = True) -> Group:
    """Heading, a line for each row of the sheet, and what the columns are."""
    columns = fit_columns(list_columns(sheet), sheet, width)
    return Group(
        *_draw_heading(sheet.profile),
        Text(),
        _draw_sheet(sheet, columns, width, brackets),
        Text(),
        Text(describe_sheet(sheet, columns), style="dim"),
    )


def render_text(profile: Profile, width: int = 100, ceiling: Ceiling | None = None) -> str:
    """The same as plain text."""
    sheet = make_sheet(profile, make_timed_rows(profile), ceiling)
    return draw_text(render_profile(sheet, width), width)


def _draw_heading(profile: Profile) -> Iterator[Text]:
    yield Text(profile.label, style="bold")
    if machine := describe_machine(profile):
        yield Text(machine, style="dim")


def _draw_sheet(sheet: Sheet, columns: Sequence[TimedColumn], width: int, brackets: bool) -> Table:
    heading, *body, total = list_lines(sheet, columns)
    others = measure_lines(align_lines([line[1:] for line in (heading, *body, total)], TEXTS))
    marks = list(mark_blocks([row.row for row in sheet.lines])) if brackets else [""] * len(body)
    room = width - others - 2 - max(map(len, marks))
    named = [
        (_mark_lines(fold_heading(name, max(room, _NARROW)), mark), *cells)
        for (name, *cells), mark in zip(body, marks, strict=True)
    ]
    return draw_aligned([heading, *named, total], [_style_row(row) for row in sheet.lines])


def _mark_lines(name: str, mark: str) -> str:
    """A bracket before each line of a name; it goes on beside a row that is not the last."""
    following = "│\u00a0" if mark[:1] in ("╭", "│") else " " * len(mark)
    return mark + f"\n{following}".join(name.split("\n"))


def _style_row(row: TimedRow) -> str:
    return style_kind(row.row.kind) if row.row.layers else "dim"


def draw_aligned(lines: Lines, styles: Sequence[str] = (), footer: bool = True) -> Table:
    """A heading, rows, a total where there is a footer: points stand below each other."""
    table = start_table(footer)
    aligned = align_lines(lines, TEXTS)
    for heading, texts in zip(lines[0], zip(*aligned, strict=True), strict=True):
        named = heading in TEXTS
        size = None if named else max(len(line) for line in texts[0].split("\n"))
        table.add_column(
            Text(texts[0]),
            Text(texts[-1] if footer else ""),
            no_wrap=not named,
            overflow="fold",
            min_width=size,
        )
    body = aligned[1:-1] if footer else aligned[1:]
    for line, style in zip(body, styles or [""] * len(body), strict=True):
        table.add_row(*map(Text, line), style=style)
    return table


def _draw_totals(profile: Profile, width: int) -> Table:
    """Names and values, which are never cut, and what they are made of, folded."""
    lines = list_totals(profile)
    sizes = [max(len(line[column]) for line in lines) for column in (0, 1)]
    beside = width - sum(sizes) - 4 >= _BESIDE
    grid = Table.grid(padding=(0, 2))
    for size in sizes if beside else sizes[:1]:
        grid.add_column(no_wrap=True, min_width=size)
    grid.add_column(style="dim" if beside else "")
    for name, value, about in lines:
        cells = (value, about) if beside else ("\n".join(filter(None, (value, about))),)
        grid.add_row(*map(Text, (name, *cells)))
    return grid


def _list_kinds(sheet: Sheet, width: int | None = None) -> Lines:
    """The paper's Table 2 with a third column: params, MACs, time."""
    rows = [row for row in summarise_times(sheet.profile) if row.time or row.row.cost.params]
    kinds = make_sheet(sheet.profile, rows, sheet.ceiling)
    columns = [column for column in choose_columns(*_KIND_COLUMNS) if column.shown(kinds)]
    fitted = columns if width is None else fit_columns(columns, kinds, width)
    heading, *rest = list_lines(kinds, fitted)
    return [("by kind", *heading[1:]), *rest]


def _draw_kinds(sheet: Sheet, width: int) -> Table:
    lines = _list_kinds(sheet, width)
    return draw_aligned(lines, [style_kind(line[0]) for line in lines[1:-1]])


def draw_remarks(lines: Sequence[str]) -> Iterator[Text]:
    """A line for each thing to know, in its colour, after an empty one."""
    if lines:
        yield Text()
    for line in lines:
        yield Text(line, style="bold red" if line.startswith("not counted:") else "yellow")


def render_markdown(sheet: Sheet, hints: Sequence[str] = ()) -> str:
    """The same tables in GitHub's Markdown, what to know as a list."""
    profile = sheet.profile
    totals: Lines = [("total", "value", "what it is"), *list_totals(profile)]
    tables = [
        (totals, totals[0]),
        (list_phases(profile), TEXTS),
        (_list_kinds(sheet), TEXTS),
    ]
    blocks = ["".join(write_markdown(lines, texts)) for lines, texts in tables if lines]
    remarks = write_remarks([*list_remarks(profile), *hints])
    return "\n".join(filter(None, [render_layers_markdown(sheet), *blocks, remarks]))


def render_layers_markdown(sheet: Sheet) -> str:
    """Heading, rows, and what the columns are."""
    profile, columns = sheet.profile, list_columns(sheet)
    texts = (f"**{escape_markdown(profile.label)}**", escape_markdown(describe_machine(profile)))
    table = "".join(write_markdown(list_lines(sheet, columns), TEXTS))
    legend = escape_markdown(describe_sheet(sheet, columns))
    return "\n\n".join(filter(None, (*texts, table.rstrip("\n"), legend))) + "\n"


def write_remarks(lines: Sequence[str]) -> str:
    """Lines as a list in Markdown."""
    return "".join(f"- {escape_markdown(line)}\n" for line in lines)


CSV_HEADER = (
    *("batch", "layer", "kind", "layers", "params", "macs", "time_share"),
    *("time_ns", "time_low_ns", "time_high_ns", "forward_ns", "backward_ns", "kernels_ns"),
    *("macs_per_second", "bytes_moved", "macs_per_byte", "ceiling_share", "bound_by"),
)


def render_csv(sheets: Sequence[Sheet]) -> str:
    """A line a row of each profile, no total; whole nanoseconds, shares of 1, '' for nothing."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for sheet in sheets:
        for row in sheet.lines:
            record = _record(row, sheet)
            writer.writerow("" if record[name] is None else record[name] for name in CSV_HEADER)
    return buffer.getvalue()


def _record(row: TimedRow, sheet: Sheet) -> dict[str, object]:
    time, work, reach = row.time, row.work, sheet.find_reach(row)
    return {
        "batch": sheet.profile.setup.batch,
        "layer": row.row.name,
        "kind": row.row.kind.strip("-"),
        "layers": row.row.layers,
        "params": row.row.cost.params,
        "macs": row.row.cost.macs,
        "time_share": time.value / sheet.whole if time and sheet.whole else None,
        "time_ns": round(time.value) if time else None,
        "time_low_ns": round(time.low) if time else None,
        "time_high_ns": round(time.high) if time else None,
        "forward_ns": _round_phase(row, "forward"),
        "backward_ns": _round_phase(row, "backward"),
        "kernels_ns": round(find_median(row.kernels)) if row.kernels else None,
        "macs_per_second": row.macs_per_second and round(row.macs_per_second),
        "bytes_moved": work.bytes_moved if row.row.layers else None,
        "macs_per_byte": work.macs / work.bytes_moved if work.macs and work.bytes_moved else None,
        "ceiling_share": reach.share if reach else None,
        "bound_by": reach.binds if reach else None,
    }


def _round_phase(row: TimedRow, phase: str) -> int | None:
    estimate = row.estimate_phase(phase)
    return round(estimate.value) if estimate else None


def render_html(profile: Profile, ceiling: Ceiling | None = None) -> str:
    """The tables for a notebook, every text escaped."""
    sheet = make_sheet(profile, make_timed_rows(profile), ceiling)
    columns = list_columns(sheet)
    totals: Lines = [("total", "value", "what it is"), *list_totals(profile)]
    tables = [
        (list_lines(sheet, columns), TEXTS),
        (totals, totals[0]),
        (list_phases(profile), TEXTS),
        (_list_kinds(sheet), TEXTS),
    ]
    shown = [write_html(lines, texts) for lines, texts in tables if lines]
    shown.insert(1, f"<p>{escape(describe_sheet(sheet, columns))}</p>")
    head = f"<p><b>{escape(profile.label)}</b></p><p>{escape(describe_machine(profile))}</p>"
    return "".join([head, *shown, *(f"<p>{escape(line)}</p>" for line in list_remarks(profile))])
