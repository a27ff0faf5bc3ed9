"""Published figures with their sources: terminal, Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import fit_lines
from mobilenet_profiler.published.figure import Figure, Source
from mobilenet_profiler.render.json import SCHEMA_VERSION
from mobilenet_profiler.render.table import add_text_column, start_table
from mobilenet_profiler.render.text import escape_markdown

_HEADINGS = ("place", "row", "quantity", "of", "printed", "convention", "network")
_DROPPED = (6, 5, 3)  # where the terminal is too narrow
_KEYS = ("source", "place", "subject", "model", "quantity", "of", "printed", "unit", "convention")

Sources = Sequence[Source]
Figures = Sequence[Figure]


def render_figures(sources: Sources, figures: Figures, width: int) -> Group:
    """A table a source: place, row, quantity, the number as it was printed.

    A star marks a figure that is known to differ from what is counted; why stands below.
    """
    parts: list[RenderableType] = []
    for source in _list_used(sources, figures):
        own = [figure for figure in figures if figure.source == source.name]
        parts += [*_head(source), _make_table(own, width), *_list_known(own), Text()]
    total = f"{len(figures):,} figure{'s' * (len(figures) != 1)}."
    return Group(*parts, Text(total, style="bold"))


def _head(source: Source) -> Iterator[Text]:
    yield Text(source.name, style="bold")
    yield Text(f"{source.title}. {source.where}.")
    yield Text(f"Counts: {source.counts}.", style="dim")


def _list_known(figures: Figures) -> Iterator[RenderableType]:
    """What is known not to agree, each reason once."""
    reasons: dict[str, list[str]] = {}
    for figure in figures:
        if figure.difference:
            reasons.setdefault(figure.difference.reason, []).append(name_row(figure))
    for reason, rows in reasons.items():
        text = Text(f"* {'; '.join(rows)}: {reason}", style="yellow")
        yield Padding(text, (0, 0, 0, 2))


def _make_table(figures: Figures, width: int) -> Table:
    lines = [_HEADINGS, *map(_list_cells, figures)]
    table = start_table(footer=False)
    kept = fit_lines(lines, width, _DROPPED)
    for index in kept:
        add_text_column(table, [line[index] for line in lines], numeric=index == 4)
    for line in lines[1:]:
        table.add_row(*(Text(line[index]) for index in kept))
    return table


def name_row(figure: Figure) -> str:
    """`Table 4, MobileNet, macs`, with the layer that it speaks of."""
    parts = (figure.place, figure.subject, figure.quantity)
    of = f" of {figure.of}" if figure.of and figure.of not in figure.subject else ""
    return ", ".join(part for part in parts if part) + of


def _list_cells(figure: Figure) -> tuple[str, ...]:
    return (
        *(figure.place, figure.subject, figure.quantity, figure.of),
        f"{figure.text} *" if figure.difference else figure.text,
        *(figure.convention, figure.model),
    )


def _list_used(sources: Sources, figures: Figures) -> list[Source]:
    used = {figure.source for figure in figures}
    return [source for source in sources if source.name in used]


def render_figures_markdown(sources: Sources, figures: Figures) -> str:
    """A table in GitHub's Markdown a source, below its title."""
    parts = []
    for source in _list_used(sources, figures):
        rows = [_list_cells(figure) for figure in figures if figure.source == source.name]
        rule = tuple("---:" if name == "printed" else "---" for name in _HEADINGS)
        cells = [_HEADINGS, rule, *(tuple(map(escape_markdown, row)) for row in rows)]
        body = "".join(f"| {' | '.join(line)} |\n" for line in cells)
        about = escape_markdown(f"{source.title}. {source.where}. Counts: {source.counts}.")
        parts.append(f"**{escape_markdown(source.name)}**: {about}\n\n{body}")
    return "\n".join(parts)


def render_figures_csv(sources: Sources, figures: Figures) -> str:
    """A line a figure."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("name", *_KEYS))
    writer.writerows([figure.name, *(getattr(figure, key) for key in _KEYS)] for figure in figures)
    return buffer.getvalue()


def render_figures_json(sources: Sources, figures: Figures) -> str:
    """`sources` by name, and `figures`, each with its known difference."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "sources": {
            source.name: {"title": source.title, "where": source.where, "counts": source.counts}
            for source in _list_used(sources, figures)
        },
        "figures": [
            {
                "name": figure.name,
                **{key: getattr(figure, key) for key in _KEYS},
                "known_difference": figure.difference.reason if figure.difference else None,
            }
            for figure in figures
        ],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sources, Figures], str]] = {
    "markdown": render_figures_markdown,
    "csv": render_figures_csv,
    "json": render_figures_json,
}
