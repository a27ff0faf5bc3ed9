"""The table for people, as a rich renderable or as plain text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.box import Box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import Column, choose_columns, fit_columns, wrap_heading
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.rows import (
    Row,
    describe_memory,
    list_costless,
    list_warnings,
    make_rows,
    make_total,
    summarise_kinds,
)
from mobilenet_profiler.units import format_rounded

if TYPE_CHECKING:
    from mobilenet_profiler.conventions.convention import Convention

_RULED = Box("    \n    \n ── \n    \n ── \n ── \n    \n    \n")
_STYLES = {
    "pointwise": "cyan",
    "depthwise": "green",
    "full": "yellow",
    "fully": "magenta",
    "matrix": "blue",
}
CONVENTION = (
    "MACs: multiply-accumulates of convolutions, linear layers, matrix products, attention "
    "and recurrent layers; no bias, norm or activation. params: every learned number, once; "
    "weights: those of kernels alone, as in the paper."
)


def render_table(
    trace: Trace,
    rows: Sequence[Row] | None = None,
    columns: Sequence[str] | None = None,
    width: int = 100,
    brackets: bool = True,
    summary: bool = True,
    every: bool = False,
) -> Group:
    """Heading, rows, total, summary by kind, what was not counted.

    rows: of `make_rows`; the layers by default. columns: names, or as many of the
    default ones as fit `width` characters. every: show rows without any cost too,
    instead of naming them below.
    """
    rows = make_rows(trace) if rows is None else rows
    folded = () if every else list_costless(rows)
    shown = [row for row in rows if row not in folded] or list(rows)
    chosen = choose_columns(columns, trace.backward, trace.convention, trace.memory is not None)
    whole = make_total(trace, rows)
    fitted = chosen if columns else fit_columns(chosen, shown, whole, width)
    parts: list[RenderableType] = [
        Text(trace.label, style="bold"),
        Text(),
        _make_table(shown, fitted, whole, brackets),
        Text(),
        Text(_describe_rest(trace, shown, folded), style="dim"),
    ]
    for line in describe_memory(trace):
        parts += [Text(), Text(line)]
    if summary:
        parts += [Text(), _make_summary(trace, width)]
    return Group(*parts, *warn(trace))


def render_text(trace: Trace, width: int = 100) -> str:
    """The same as plain text."""
    return draw_text(render_table(trace, width=width), width)


def draw_text(renderable: RenderableType, width: int) -> str:
    """A renderable as lines of at most `width` characters, without colours."""
    console = Console(
        file=io.StringIO(),
        width=width,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,  # in a notebook rich would show it there instead
    )
    with console.capture() as capture:
        console.print(renderable)
    lines = capture.get().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def start_table(footer: bool = True) -> Table:
    """A table in this house's style, its columns to come."""
    return Table(
        box=_RULED,
        show_footer=footer,
        show_edge=False,
        padding=(0, 1),
        pad_edge=False,
        collapse_padding=True,
    )


def add_text_column(table: Table, texts: Sequence[str], numeric: bool) -> None:
    """A column headed by the first of its texts: numbers are never cut, names are folded."""
    table.add_column(
        Text(texts[0]),  # a user's name may hold what rich takes for markup
        justify="right" if numeric else "left",
        overflow="fold",
        no_wrap=numeric,
        min_width=max(len(line) for text in texts for line in text.split("\n"))
        if numeric
        else None,
    )


def _make_table(
    rows: Sequence[Row], columns: Sequence[Column], whole: Row, brackets: bool
) -> Table:
    table, total = start_table(), whole.cost
    for column in columns:
        cells = [column.cell(row, total) for row in (*rows, whole)]
        add_text_column(table, ["\n".join(wrap_heading(column.heading)), *cells], column.numeric)
        if column.name not in ("kind", "input", "filter", "output"):
            table.columns[-1].footer = Text(cells[-1])
    marks = mark_blocks(rows) if brackets else [""] * len(rows)
    for row, mark in zip(rows, marks, strict=True):
        cells = [column.cell(row, total) for column in columns]
        if columns[0].name == "layer":
            cells[0] = mark + cells[0]
        table.add_row(*map(Text, cells), style=style_kind(row.kind))
    return table


def style_kind(kind: str) -> str:
    """The colour of a kind of layer."""
    return _STYLES.get(kind.split(" ")[0], "")


def mark_blocks(rows: Sequence[Row]) -> Iterator[str]:
    """A bracket before the rows of each block of several."""
    blocks = [row.block for row in rows]
    for index, block in enumerate(blocks):
        before = index > 0 and blocks[index - 1] == block
        after = index + 1 < len(blocks) and blocks[index + 1] == block
        yield {(0, 1): "╭\u00a0", (1, 1): "│\u00a0", (1, 0): "╰\u00a0"}.get((before, after), "  ")


def _describe_rest(trace: Trace, shown: Sequence[Row], folded: Sequence[Row]) -> str:
    names = ", ".join(row.name for row in folded)
    unit = trace.convention.unit if trace.convention else "MACs"
    free = f"No params and no {unit}: {names}." if names else ""
    convention = describe_convention(trace.convention) if trace.convention else CONVENTION
    parts = (_count_all(trace), convention, _describe_tied(shown), free)
    return " ".join(part for part in parts if part)


def describe_convention(convention: Convention) -> str:
    """What the numbers count, and where that was read."""
    about = [f"Convention {convention.name} ({convention.source})."]
    if convention.rules:
        about.append(f"{convention.unit}: {convention.counts}.")
    if convention.params:
        about.append(f"params: {convention.params.text}.")
    return " ".join(about)


def _count_all(trace: Trace) -> str:
    total = trace.total
    known = trace.convention
    heading, params = (known.heading, known.params_heading) if known else ("MACs", "params")
    counts = [f"{format_rounded(total.macs)} {heading}"]
    if total.backward_macs:
        step = format_rounded(total.macs + total.backward_macs)
        counts += [f"{format_rounded(total.backward_macs)} MACs backward ({step} together)"]
    counts += [f"{format_rounded(total.params)} {params}"]
    return ", ".join(counts) + "."


def _describe_tied(rows: Sequence[Row]) -> str:
    names = [f"{row.name} with {row.tied_to}" for row in rows if row.tied and not row.cost.params]
    return f"(In brackets: params shared and counted once: {', '.join(names)}.)" if names else ""


def _make_summary(trace: Trace, width: int) -> Table:
    rows = [row for row in summarise_kinds(trace) if row.cost.macs or row.cost.params]
    names = ["layer", "params", "params_share", "macs", "macs_share"]
    names.insert(5 if trace.backward else 3, "backward_macs" if trace.backward else "weights_share")
    names += ["memory"] if trace.memory else []
    chosen = choose_columns(names, convention=trace.convention)
    whole = make_total(trace, rows)
    columns = fit_columns(chosen, rows, whole, width)
    table = _make_table(rows, columns, whole, brackets=False)
    table.columns[0].header = "by kind"
    return table


def warn(trace: Trace) -> Iterator[Text]:
    """What was not counted, and the notes of a trace, a line each."""
    lines = list_warnings(trace)
    if lines:
        yield Text()
    for line in lines:
        yield Text(line, style="yellow" if line.startswith("note:") else "bold red")
