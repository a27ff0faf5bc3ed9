"""The columns that a view of rows can show: names, headings, cells. Pure text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import unknown_name
from mobilenet_profiler.rows import Row
from mobilenet_profiler.units import format_bytes, format_count, format_shape, format_share

if TYPE_CHECKING:
    from mobilenet_profiler.conventions.convention import Convention


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name on the command line, its heading, its cell for a row of a total."""

    name: str
    heading: str
    cell: Callable[[Row, Cost], str]
    numeric: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("layer", "layer", lambda row, total: row.name),
    Column("kind", "kind", lambda row, total: row.kind),
    Column("input", "input", lambda row, total: format_shape(row.input_shape)),
    Column("filter", "filter", lambda row, total: row.filter),
    Column("output", "output", lambda row, total: format_shape(row.output_shape)),
    Column("params", "params", lambda row, total: _show_params(row), True),
    Column(
        "params_share",
        "params %",
        lambda row, total: format_share(row.cost.params, total.params),
        True,
    ),
    Column("weights", "weights", lambda row, total: format_count(row.cost.weights), True),
    Column(
        "weights_share",
        "weights %",
        lambda row, total: format_share(row.cost.weights, total.weights),
        True,
    ),
    Column("macs", "MACs", lambda row, total: format_count(row.cost.macs), True),
    Column(
        "macs_share", "MACs %", lambda row, total: format_share(row.cost.macs, total.macs), True
    ),
    Column(
        "activations", "activations", lambda row, total: format_count(row.cost.activations), True
    ),
    Column(
        "elementwise", "elementwise", lambda row, total: format_count(row.cost.elementwise), True
    ),
    Column(
        "backward_macs",
        "backward MACs",
        lambda row, total: format_count(row.cost.backward_macs),
        True,
    ),
    Column("layers", "layers", lambda row, total: str(row.layers), True),
    Column(
        "memory",
        "peak memory",
        lambda row, total: format_bytes(row.memory.peak) if row.memory else "-",
        True,
    ),
    Column(
        "allocated",
        "allocated",
        lambda row, total: format_bytes(row.memory.allocated) if row.memory else "-",
        True,
    ),
)
MEMORY_COLUMNS = ("memory", "allocated")
_ON_REQUEST = ("weights", "weights_share", "layers")
_WITH_BACKWARD = ("backward_macs",)
_HEADING = 14  # a longer heading is wider than most of its numbers
# Left out first where the terminal is too narrow.
_LEAST_NEEDED = (
    *("elementwise", "input", "filter", "activations", "output", "params_share", "kind"),
    *("weights_share", "macs_share", "allocated"),
)


def list_default_columns(backward: bool = False, memory: bool = False) -> tuple[Column, ...]:
    """The columns that are shown where none are asked for."""
    hidden = _ON_REQUEST if backward else (*_ON_REQUEST, *_WITH_BACKWARD)
    hidden = hidden if memory else (*hidden, *MEMORY_COLUMNS)
    return tuple(column for column in COLUMNS if column.name not in hidden)


def choose_columns(
    names: Sequence[str] | None,
    backward: bool = False,
    convention: Convention | None = None,
    memory: bool = False,
) -> tuple[Column, ...]:
    """The columns of these names, in this order; None for the default ones.

    backward, memory: whether these were counted. convention: what the headings of MACs
    and params say; None is ours.
    """
    chosen = _choose(names, backward, memory)
    return tuple(_name_column(column, convention) for column in chosen) if convention else chosen


def _name_column(column: Column, convention: Convention) -> Column:
    headings = {
        "macs": convention.heading,
        "macs_share": f"{convention.unit} %",
        "params": convention.params_heading,
    }
    return replace(column, heading=headings.get(column.name, column.heading))


def _choose(names: Sequence[str] | None, backward: bool, memory: bool) -> tuple[Column, ...]:
    if not names:
        return list_default_columns(backward, memory)
    known = {column.name: column for column in COLUMNS}
    for name in names:
        if name not in known:
            raise unknown_name("column", name, known)
    return tuple(known[name] for name in dict.fromkeys(names))


def _show_params(row: Row) -> str:
    """A count; in brackets where it is shared with an earlier layer and counted there."""
    if row.tied and not row.cost.params:
        return f"({format_count(row.tied)})"
    return format_count(row.cost.params)


def fit_columns(
    columns: Sequence[Column], rows: Sequence[Row], whole: Row, width: int
) -> tuple[Column, ...]:
    """As many of the columns as fit `width` characters, with two between any two."""
    kept = list(columns)
    for name in ("", *_LEAST_NEEDED):
        kept = [column for column in kept if column.name != name]
        if measure(kept, rows, whole) <= width:
            break
    return tuple(kept)


def fit_lines(lines: Sequence[Sequence[str]], width: int, least: Sequence[int]) -> list[int]:
    """Which columns of these lines fit `width`, with two characters between any two.

    least: those that are left out where they do not, the first one first.
    """
    kept = list(range(len(lines[0])))
    for index in least:
        if measure_lines([[line[column] for column in kept] for line in lines]) <= width:
            break
        kept.remove(index)
    return kept


def measure_lines(lines: Sequence[Sequence[str]]) -> int:
    """Characters that a table of these lines needs; a cell may have several lines."""
    sizes = [
        max(len(part) for cell in column for part in cell.split("\n"))
        for column in zip(*lines, strict=True)
    ]
    return sum(sizes) + 2 * (len(sizes) - 1)


def align_points(texts: Sequence[str]) -> tuple[str, ...]:
    """Numbers of one width with their points below each other; the first text is a heading."""
    heading, *numbers = texts
    after = [len(number) - number.index(".") if "." in number else 0 for number in numbers]
    padded = [
        number + " " * (max(after) - own) if number else ""
        for number, own in zip(numbers, after, strict=True)
    ]
    lines = heading.split("\n")
    size = max(len(text) for text in (*lines, *padded))
    return ("\n".join(line.rjust(size) for line in lines), *(text.rjust(size) for text in padded))


def align_lines(lines: Sequence[Sequence[str]], texts: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """Lines whose columns of numbers are aligned; texts: headings of the others."""
    columns = [
        tuple(column) if column[0] in texts else align_points(column)
        for column in zip(*lines, strict=True)
    ]
    return list(zip(*columns, strict=True))


def wrap_heading(heading: str) -> list[str]:
    """A heading in lines: a long convention stands below its unit."""
    unit, bracket, name = heading.partition(" (")
    return [unit, f"({name}"] if bracket and len(heading) > _HEADING else [heading]


def fold_heading(text: str, width: int = _HEADING) -> str:
    """A name in lines of at most `width` characters, broken where its words or parts end."""
    lines = [""]
    for part in re.findall(rf"[^ _=./:-]{{1,{width}}}[ _=./:-]?|[ _=./:-]", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def measure(columns: Sequence[Column], rows: Sequence[Row], whole: Row) -> int:
    """Characters that a table of these columns needs, its last row among them."""
    widths = [
        max(
            *map(len, wrap_heading(column.heading)),
            *(len(column.cell(row, whole.cost)) for row in (*rows, whole)),
        )
        for column in columns
    ]
    bracket = 2
    return sum(widths) + 2 * (len(columns) - 1) + bracket
