"""Profiles for the page: what a pass takes, by kind and layer by layer, what to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobilenet_profiler.measured.columns import (
    Sheet,
    TimedColumn,
    choose_columns,
    describe_sheet,
    list_columns,
    list_lines,
    make_sheet,
    name_column,
)
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.remarks import list_remarks
from mobilenet_profiler.measured.roofline import Ceiling
from mobilenet_profiler.measured.rows import TimedRow, make_timed_rows, summarise_times
from mobilenet_profiler.measured.summary import Line as TotalLine
from mobilenet_profiler.measured.summary import describe_machine, list_phases, list_totals
from mobilenet_profiler.render.page.tables import (
    Block,
    Cell,
    Heading,
    Line,
    PageTable,
    colour_kinds,
    make_plain_table,
)

_KIND_COLUMNS = (
    *("layer", "params_share", "macs_share", "time_share", "time", "spread", "rate", "reach"),
    "bound",
)


@dataclass(frozen=True)
class Measured:
    """One profile as the page shows it."""

    name: str
    label: str
    machine: str
    date: str
    totals: tuple[TotalLine, ...]
    phases: PageTable | None
    kinds: PageTable
    layers: PageTable
    legend: str
    remarks: tuple[str, ...]


def make_measured(profile: Profile, ceiling: Ceiling | None, name: str) -> Measured:
    """What a profile tells. name: of its elements in the page."""
    sheet = make_sheet(profile, make_timed_rows(profile), ceiling)
    columns = list_columns(sheet)
    phases = list_phases(profile)
    return Measured(
        name,
        profile.label,
        describe_machine(profile),
        str(profile.environment.get("date", ""))[:10],
        tuple(list_totals(profile)),
        make_plain_table(f"{name}-phases", "By phase", phases, ("phase",), True)
        if phases
        else None,
        _make_kinds(sheet, f"{name}-kinds"),
        _make_table(sheet, columns, f"{name}-layers", "Layer by layer, with times"),
        describe_sheet(sheet, columns),
        tuple(list_remarks(profile)),
    )


def _make_kinds(sheet: Sheet, name: str) -> PageTable:
    rows = [row for row in summarise_times(sheet.profile) if row.time or row.row.cost.params]
    kinds = make_sheet(sheet.profile, rows, sheet.ceiling)
    columns = [column for column in choose_columns(*_KIND_COLUMNS) if column.shown(kinds)]
    return _make_table(kinds, columns, name, "Time by kind of layer", filtered=False)


def _make_table(
    sheet: Sheet, columns: Sequence[TimedColumn], name: str, title: str, filtered: bool = True
) -> PageTable:
    _, *body, total = list_lines(sheet, columns)
    lines = [
        _make_line(row, texts, columns, sheet) for row, texts in zip(sheet.lines, body, strict=True)
    ]
    return PageTable(
        name,
        title,
        tuple(Heading(name_column(column, sheet), column.numeric) for column in columns),
        (Block(tuple(lines)),),
        tuple(map(Cell, total)),
        noun="layers",
        filtered=filtered,
        colours=colour_kinds(row.row.kind for row in sheet.rows),
    )


def _make_line(
    row: TimedRow, texts: Sequence[str], columns: Sequence[TimedColumn], sheet: Sheet
) -> Line:
    cells = tuple(
        Cell(text, share=_find_share(row, column.name, sheet))
        for text, column in zip(texts, columns, strict=True)
    )
    kind = row.row.kind if row.row.kind != "-" else row.row.name  # the time between layers has none
    return Line(cells, kind)


def _find_share(row: TimedRow, column: str, sheet: Sheet) -> float | None:
    """The part of the whole that is drawn behind a cell."""
    if column == "time_share" and sheet.whole:
        return row.nanoseconds / sheet.whole
    if column == "macs_share" and sheet.cost.macs:
        return row.row.cost.macs / sheet.cost.macs
    return None
