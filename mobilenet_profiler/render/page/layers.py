"""The layers of a network for the page: a table by blocks, and what each kind has of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mobilenet_profiler.columns import Column, choose_columns
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.render.page.tables import (
    Block,
    Cell,
    Heading,
    Line,
    PageTable,
    colour_kinds,
)
from mobilenet_profiler.rows import Row, make_rows, make_total, summarise_kinds
from mobilenet_profiler.units import format_share

_COLUMNS = ("layer", "kind", "macs", "macs_share", "params", "params_share", "activations")
_SHAPES = ("filter", "output")
_KIND_COLUMNS = ("layer", "layers", "macs", "macs_share", "params", "params_share", "weights_share")
_SUMS = ("params", "weights", "macs", "activations", "backward_macs", "allocated")
_SHARED = {"params_share": "params", "macs_share": "macs"}
_ABOUT = {
    "filter": "kernel height x width x channels in x channels out; dw: depthwise; /2: stride",
    "params": "learned numbers, each counted once",
    "macs": "multiply-accumulates of one forward pass",
    "activations": "elements that the counted operations write",
    "memory": "the most that is held while this layer runs",
    "backward_macs": "multiply-accumulates of the backward pass",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A kind's part of the whole: its colour, its name, per cent of a quantity as text."""

    name: str
    colour: int
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One quantity by kind of layer, as parts of a bar."""

    name: str
    parts: tuple[Part, ...]


def make_layer_table(trace: Trace, name: str, title: str) -> PageTable:
    """Every layer in the order of the pass, in its block; the counts add up to the total."""
    columns = _choose_columns(trace)
    rows = {path: row for row in make_rows(trace, every=True) for path in row.paths}
    blocks = tuple(_list_blocks(trace, rows, columns))
    total = replace(make_total(trace, tuple(rows.values())), name="total of all layers")
    return PageTable(
        name,
        title,
        tuple(map(_make_heading, columns)),
        blocks,
        tuple(
            Cell("") if column.name in _SHAPES else _make_cell(column, total, trace)
            for column in columns
        ),
        minor="layers without MACs",
        noun="layers",
        colours=colour_kinds(layer.kind for layer in trace.layers),
    )


def _choose_columns(trace: Trace) -> tuple[Column, ...]:
    more = [*(["backward_macs"] if trace.backward else []), *(["memory"] if trace.memory else [])]
    return choose_columns((*_COLUMNS, *more, *_SHAPES), convention=trace.convention)


def _make_heading(column: Column) -> Heading:
    about = _ABOUT.get(column.name, "")
    return Heading(column.heading, column.numeric, column.name in _SUMS, about)


def _list_blocks(
    trace: Trace, rows: Mapping[str, Row], columns: tuple[Column, ...]
) -> Iterator[Block]:
    """A block with a head where it has several layers that multiply; else its rows alone."""
    most = {
        quantity: max((getattr(row.cost, quantity) for row in rows.values()), default=0)
        for quantity in _SHARED.values()
    }
    for whole in make_rows(trace, by="block"):
        own = [rows[path] for path in whole.paths]
        headed = sum(row.multiplies for row in own) > 1
        lines = tuple(
            Line(
                tuple(_make_cell(column, row, trace, most) for column in columns),
                row.kind,
                minor=not row.multiplies,
            )
            for row in own
        )
        if headed:
            yield Block(
                tuple(_tuck(line, f"{whole.name}.") for line in lines),
                _make_head(whole, trace, columns),
            )
        else:
            yield Block(lines)


def _tuck(line: Line, under: str) -> Line:
    """A row below the head of its block, whose name it need not say again."""
    first, *others = line.cells
    if not first.text.startswith(under):
        return line
    name = replace(first, text=first.text.removeprefix(under), under=under)
    return replace(line, cells=(name, *others))


def _make_head(row: Row, trace: Trace, columns: tuple[Column, ...]) -> tuple[Cell, ...]:
    """The sums of a block; what only one layer has is left empty."""
    own = ("layer", *_SUMS, *_SHARED, "memory")
    return tuple(
        _make_cell(column, row, trace) if column.name in own else Cell("") for column in columns
    )


def _make_cell(
    column: Column, row: Row, trace: Trace, most: Mapping[str, int] | None = None
) -> Cell:
    """A cell; most: what the longest bar of each quantity stands for, none draws no bar."""
    text = column.cell(row, trace.total)
    if column.name in _SHARED:
        quantity = _SHARED[column.name]
        whole = most[quantity] if most else 0
        return Cell(text, share=getattr(row.cost, quantity) / whole if whole else None)
    if column.name == "memory" and row.memory:
        return Cell(text, key=row.memory.peak)
    if column.name == "params" and row.tied and not row.cost.params:
        return Cell(text, key=0, about=f"shared with {row.tied_to}" if row.tied_to else "shared")
    return Cell(text)


def make_kind_table(trace: Trace, name: str) -> PageTable:
    """By kind of layer, the most MACs first: the paper's Table 2."""
    columns = choose_columns(_KIND_COLUMNS, convention=trace.convention)
    rows = [replace(row, name=row.kind) for row in summarise_kinds(trace)]
    kinds = [row for row in rows if row.cost.params or row.multiplies]
    whole = {quantity: getattr(trace.total, quantity) for quantity in _SHARED.values()}
    lines = tuple(
        Line(tuple(_make_cell(column, row, trace, whole) for column in columns), row.kind)
        for row in kinds
    )
    total = make_total(trace, kinds)
    headings = [Heading("kind of layer", False), *map(_make_heading, columns[1:])]
    return PageTable(
        name,
        "By kind of layer",
        tuple(headings),
        (Block(lines),),
        tuple(_make_cell(column, total, trace) for column in columns),
        filtered=False,
        colours=colour_kinds(layer.kind for layer in trace.layers),
    )


def make_bars(trace: Trace) -> tuple[Bar, ...]:
    """MACs and params by kind, as parts of a whole; none where the whole is nothing."""
    unit = trace.convention.heading if trace.convention else "MACs"
    named = (("macs", unit), ("params", "params"))
    return tuple(
        Bar(title, _make_parts(trace, quantity))
        for quantity, title in named
        if getattr(trace.total, quantity)
    )


def _make_parts(trace: Trace, quantity: str) -> tuple[Part, ...]:
    whole = getattr(trace.total, quantity)
    colours = colour_kinds(layer.kind for layer in trace.layers)
    return tuple(
        Part(row.kind, colours[row.kind], amount / whole, format_share(amount, whole))
        for row in summarise_kinds(trace)
        if (amount := getattr(row.cost, quantity))
    )


def describe_main(trace: Trace) -> str:
    """Where most of the MACs are, in a sentence; '' where nothing multiplies."""
    total = trace.total
    if not total.macs:
        return ""
    first, *_ = summarise_kinds(trace)
    unit = trace.convention.unit if trace.convention else "MACs"
    layers = "one layer" if first.layers == 1 else f"{first.layers} layers"
    share = f"{format_share(first.cost.macs, total.macs)}% of the {unit}"
    params = format_share(first.cost.params, total.params)
    beside = f" and {params}% of the params" if total.params else ""
    return f"{share}{beside} are in {layers} of kind {first.kind}."
