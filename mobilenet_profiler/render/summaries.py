"""Results of a few lines: a count in a convention, memory, a latency against its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from mobilenet_profiler.memory import MemoryUse, describe_peak
from mobilenet_profiler.render.compare import Lines, draw_lines, write_html
from mobilenet_profiler.render.table import describe_convention, draw_text
from mobilenet_profiler.units import (
    format_bytes,
    format_count,
    format_estimate,
    format_shape,
    format_share,
    format_time,
)

if TYPE_CHECKING:
    from mobilenet_profiler.conventions.counting import Count
    from mobilenet_profiler.measured.limit import LatencyLimit

_HELD = 5  # tensors that a table of memory names


@dataclass(frozen=True, slots=True)
class Summary:
    """A heading, tables and sentences.

    tables: each a heading, then a line a row. texts: headings of columns that are no numbers.
    """

    title: str
    tables: tuple[Lines, ...]
    texts: tuple[str, ...]
    sentences: tuple[str, ...] = field(default=())

    def draw(self, width: int = 100) -> str:
        """As plain text."""
        parts: list[RenderableType] = [Text(self.title, style="bold")]
        for table in self.tables:
            parts += [Text(), draw_lines(table, self.texts)]
        parts += [Text(), *map(Text, self.sentences)] if self.sentences else []
        return draw_text(Group(*parts), width)

    def write_html(self) -> str:
        """For a notebook, every text escaped."""
        tables = [write_html(table, self.texts) for table in self.tables]
        sentences = [f"<p>{escape(line)}</p>" for line in self.sentences]
        return "".join([f"<p><b>{escape(self.title)}</b></p>", *tables, *sentences])


def summarise_count(count: Count) -> Summary:
    """What a convention counts: its items, which add up to the total, and its params."""
    known, total = count.convention, count.total
    lines: Lines = [("family", known.unit, "%")]
    for family, amount in count.items.items():
        lines.append((family, format_count(amount), format_share(amount, total or 0)))
    if total is not None:
        lines.append(("total", format_count(total), format_share(total, total)))
    title = f"{known.name}: {known.title}"
    params = f"{format_count(count.params)} {known.params_heading}."
    sentences = (params, describe_convention(known))
    return Summary(title, (lines,) if total is not None else (), ("family",), sentences)


def summarise_memory(use: MemoryUse) -> Summary:
    """What a pass needs: its parts, which add up to the peak, and what is held there."""
    lines: Lines = [("memory", "size", "bytes")]
    lines += [(name, format_bytes(size), format_count(size)) for name, size in _list_parts(use)]
    held: Lines = [("held at the peak", "made by", "shape", "size")]
    for tensor in use.held[:_HELD]:
        made = tensor.name.partition("::")[2] or tensor.name
        place = tensor.path or "(model)"
        held.append((place, made, format_shape(tensor.shape), format_bytes(tensor.bytes)))
    rest = use.held[_HELD:]
    if rest:
        size = sum(tensor.bytes for tensor in rest)
        held.append((f"{len(rest)} more", "", "", format_bytes(size)))
    texts = ("memory", "held at the peak", "made by", "shape")
    tables = (lines, held) if use.held else (lines,)
    sentences = (describe_peak(use, {}), *(f"note: {note}" for note in use.notes))
    return Summary(f"peak {format_bytes(use.peak)}", tables, texts, sentences)


def _list_parts(use: MemoryUse) -> Iterator[tuple[str, int]]:
    yield "weights", use.weights
    yield "inputs", use.inputs
    if use.optimizer:
        yield "optimizer state", use.optimizer
    yield "activations and gradients" if use.gradients else "activations", use.activations
    yield "peak", use.peak


def summarise_limit(limit: LatencyLimit) -> Summary:
    """A latency, its limit, and what became of it."""
    lines: Lines = [("latency", "limit", "verdict")]
    lines.append((format_estimate(limit.latency), format_time(limit.limit), limit.verdict))
    needed = limit.passes_needed if limit.verdict == "undecided" else None
    advice = (f"{needed:,} clean passes would decide.",) if needed else ()
    return Summary("latency", (lines,), ("verdict",), advice)
