"""A machine's ceiling: terminal, Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import measure_lines
from mobilenet_profiler.measured.kept import encode_ceiling
from mobilenet_profiler.measured.roofline import (
    OPERATIONS,
    PATTERNS,
    Ceiling,
    find_overhead,
    find_ridge,
)
from mobilenet_profiler.render.table import add_text_column, start_table
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.units import format_digits, format_size

_CSV_HEADER = (
    *("measured", "name", "dtype", "size", "threads"),
    *("value", "unit", "samples"),
)
_MISSING = "-"

Lines = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class View:
    """One of the tables of a ceiling: its lines, the first of them its headings, and a legend."""

    lines: Lines
    legend: str


def list_views(ceiling: Ceiling) -> tuple[View, ...]:
    """Products, bandwidths and overheads, each with a column for every thread count."""
    views = (make(ceiling) for make in _VIEWS)
    return tuple(view for view in views if len(view.lines) > 1)


def view_peaks(ceiling: Ceiling) -> View:
    """The fastest product of each dtype, the size it was reached at, and the ridge."""
    heads = ("GMAC/s", "rows", "ridge")
    lines: Lines = [("matrix product", *_head_columns(ceiling, heads))]
    for dtype in ceiling.dtypes:
        cells = [cell for count in ceiling.threads for cell in _list_peak(ceiling, dtype, count)]
        lines.append((dtype, *cells))
    return View(
        lines,
        "GMAC/s: 10⁹ multiply-accumulates a second, at the number of rows and columns where they "
        "were the most. ridge: MACs a byte; with fewer, memory binds what no cache holds.",
    )


def _list_peak(ceiling: Ceiling, dtype: str, threads: int) -> tuple[str, str, str]:
    own = [peak for peak in ceiling.peaks if (peak.dtype, peak.threads) == (dtype, threads)]
    if not own:
        return (_MISSING,) * 3
    peak = max(own, key=lambda peak: peak.macs_per_second)
    ridge = find_ridge(ceiling, dtype, threads)
    rate = format_digits(peak.macs_per_second / 1e9)
    return rate, f"{peak.size}", format_digits(ridge) if ridge else _MISSING


def view_bandwidths(ceiling: Ceiling) -> View:
    """Every pattern by working set."""
    lines: Lines = [("GB/s of", *_head_columns(ceiling, PATTERNS))]
    known = {
        (point.working_set, point.threads, point.pattern): point.bytes_per_second
        for point in ceiling.bandwidths
    }
    for size in sorted({point.working_set for point in ceiling.bandwidths}):
        rates = (known.get((size, n, name)) for n in ceiling.threads for name in PATTERNS)
        cells = (format_digits(rate / 1e9) if rate else _MISSING for rate in rates)
        lines.append((format_size(size), *cells))
    return View(
        lines,
        "GB/s: 10⁹ bytes a second that are read and written, by the bytes of all arrays together. "
        "copy: b = a; triad: c = a + 3 b; read: a · b.",
    )


def view_overheads(ceiling: Ceiling) -> View:
    """What each operation costs when it does no work."""
    dtypes = list(dict.fromkeys(point.dtype for point in ceiling.overheads))
    lines: Lines = [("µs of", *_head_columns(ceiling, dtypes))]
    for operation in OPERATIONS:
        own = {(p.dtype, p.threads) for p in ceiling.overheads if p.operation == operation}
        cells = [
            format_digits((find_overhead(ceiling, operation, dtype, count) or 0) / 1e3)
            if (dtype, count) in own
            else _MISSING
            for count in ceiling.threads
            for dtype in dtypes
        ]
        lines += [(operation, *cells)] if own else []
    return View(lines, "µs: one operation on tensors too small to matter; what starting it costs.")


_VIEWS: tuple[Callable[[Ceiling], View], ...] = (view_peaks, view_bandwidths, view_overheads)


def _head_columns(ceiling: Ceiling, names: Sequence[str]) -> Iterator[str]:
    """Each name below each thread count."""
    for count in ceiling.threads:
        for name in names:
            yield f"{name}\n{name_threads(count)}" if count else name


def name_threads(count: int) -> str:
    """`1 thread`, `2 threads`."""
    return f"{count} thread{'s' * (count != 1)}"


def describe(ceiling: Ceiling) -> str:
    """What was measured, with what and when."""
    torch = ceiling.environment.get("torch")
    parts = [ceiling.device, ceiling.hardware, f"torch {torch}" if torch else "", ceiling.date[:10]]
    return ", ".join(part for part in dict.fromkeys(parts) if part)


def render_ceiling(ceiling: Ceiling, width: int) -> Group:
    """Products, bandwidths and overheads, one table below the other.

    Thread counts that do not fit `width` stand in tables of their own.
    """
    parts: list[RenderableType] = [Text(f"ceiling of {describe(ceiling)}", style="bold")]
    for view in list_views(ceiling):
        for lines in _split(view.lines, len(ceiling.threads), width):
            parts += [Text(), _make_table(lines)]
        parts += [Text(), Text(view.legend, style="dim")]
    notes = [Text(f"note: {note}", style="yellow") for note in ceiling.notes]
    return Group(*parts, *([Text()] if notes else []), *notes)


def _split(lines: Lines, groups: int, width: int) -> Iterator[Lines]:
    """The lines with all groups of columns, or once for each group where that is too wide."""
    if groups < 2 or measure_lines(lines) <= width:
        yield lines
        return
    size = (len(lines[0]) - 1) // groups
    for start in range(1, len(lines[0]), size):
        yield [(line[0], *line[start : start + size]) for line in lines]


def _make_table(lines: Lines) -> Table:
    table = start_table(footer=False)
    for index, column in enumerate(zip(*lines, strict=True)):
        add_text_column(table, list(column), numeric=index > 0)
    for line in lines[1:]:
        table.add_row(*map(Text, line))
    return table


def render_ceiling_markdown(ceiling: Ceiling) -> str:
    """A table in GitHub's Markdown for each of the three, legends between."""
    parts = [f"**{escape_markdown('ceiling of ' + describe(ceiling))}**\n"]
    for view in list_views(ceiling):
        head, *body = [tuple(map(escape_markdown, line)) for line in view.lines]
        rule = ("---", *("---:" for _ in head[1:]))
        parts.append("".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *body)))
        parts.append(escape_markdown(view.legend) + "\n")
    notes = "".join(f"- {escape_markdown(note)}\n" for note in ceiling.notes)
    return "\n".join([*parts, *([notes] if notes else [])])


def render_ceiling_csv(ceiling: Ceiling) -> str:
    """A line a point, with the rate of its best sample; samples as a count."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    writer.writerows(_list_records(ceiling))
    return buffer.getvalue()


def _list_records(ceiling: Ceiling) -> Iterator[tuple[object, ...]]:
    for peak in ceiling.peaks:
        yield (
            *("product", "", peak.dtype, peak.size, peak.threads),
            *(round(peak.macs_per_second), "MAC/s", len(peak.samples)),
        )
    for point in ceiling.bandwidths:
        yield (
            *("bandwidth", point.pattern, "float32", point.working_set, point.threads),
            *(round(point.bytes_per_second), "B/s", len(point.samples)),
        )
    for start in ceiling.overheads:
        yield (
            *("overhead", start.operation, start.dtype, "", start.threads),
            *(round(start.nanoseconds), "ns", len(start.samples)),
        )


FORMATS: dict[str, Callable[[Ceiling], str]] = {
    "markdown": render_ceiling_markdown,
    "csv": render_ceiling_csv,
    "json": encode_ceiling,
}
