"""A grid under a budget: the cells that fit, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mobilenet_profiler.columns import measure_lines
from mobilenet_profiler.grid.fit import Between, Fit
from mobilenet_profiler.grid.fit_words import (
    LEFT,
    POINTS,
    describe_front,
    describe_heading,
    list_lines,
    list_quantities,
    list_records,
    list_sentences,
    record_cell,
    rename,
)
from mobilenet_profiler.grid.remarks import list_remarks, list_warnings
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.grid.tables import Lines
from mobilenet_profiler.render.compare import draw_lines, write_html, write_markdown
from mobilenet_profiler.render.json import SCHEMA_VERSION
from mobilenet_profiler.render.table import draw_text
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.spec import make_plain

TOP = 10  # cells that a table shows
_OUTSIDE = 3  # better ones that do not fit


def render_fit(fit: Fit, width: int = 100, top: int = TOP) -> Group:
    """What fits, the best first; better cells outside; sentences; remarks.

    top: how many cells of each the tables show at the most.
    """
    parts: list[RenderableType] = [Text(describe_heading(fit), style="bold")]
    for title, results in _list_tables(fit, top):
        parts += [Text(), *([Text(title)] if title else [])]
        parts.append(_draw(fit, results, width))
        if results[0] in fit.ranked:
            parts.append(Text(describe_front(fit), style="dim"))
    parts += [Text(), *map(Text, list_sentences(fit))]
    remarks = [Text(line, style="dim") for line in _list_notes(fit)]
    parts += [Text(), *remarks] if remarks else []
    return Group(*parts, *(Text(line, style="bold red") for line in list_warnings(fit.sweep)))


def _list_tables(fit: Fit, top: int) -> Iterator[tuple[str, Sequence[CellResult]]]:
    if fit.ranked:
        yield _name_rest("", fit.ranked, top), fit.ranked[:top]
    better = fit.better[: min(top, _OUTSIDE)]
    if better:
        title = "better, but outside" if fit.ranked else "none fits; the nearest"
        yield _name_rest(title, fit.better, len(better)), better


def _name_rest(title: str, results: Sequence[CellResult], shown: int) -> str:
    if len(results) <= shown:
        return title
    first = f"{title}, " if title else ""
    return f"{first}the first {shown:,} of {len(results):,}"


def _draw(fit: Fit, results: Sequence[CellResult], width: int) -> RenderableType:
    lines, texts = list_lines(fit, results)
    return draw_lines(_narrow(lines, width), texts)


def _narrow(lines: Lines, width: int) -> Lines:
    """Without what is left of each limit where that does not fit."""
    if measure_lines(lines) <= width:
        return lines
    kept = [index for index, heading in enumerate(lines[0]) if heading not in (LEFT, POINTS)]
    return [tuple(line[index] for index in kept) for line in lines]


def render_text(fit: Fit, width: int = 100) -> str:
    """The same as plain text."""
    return draw_text(render_fit(fit, width), width)


def render_markdown(fit: Fit, top: int = TOP) -> str:
    """The same in GitHub's Markdown."""
    blocks = [f"**{escape_markdown(describe_heading(fit))}**\n"]
    for title, results in _list_tables(fit, top):
        lines, texts = list_lines(fit, results)
        head = f"{escape_markdown(title)}\n\n" if title else ""
        blocks.append(head + "".join(write_markdown(lines, texts)))
    front = [describe_front(fit)] if fit.ranked else []
    told = [*front, *list_sentences(fit), *_list_remarks(fit)]
    return "\n".join([*blocks, "".join(f"- {escape_markdown(line)}\n" for line in told)])


def render_html(fit: Fit) -> str:
    """The same for a notebook, every text escaped."""
    blocks = [f"<p><b>{escape(describe_heading(fit))}</b></p>"]
    for title, results in _list_tables(fit, TOP):
        blocks += [f"<p>{escape(title)}</p>"] if title else []
        blocks.append(write_html(*list_lines(fit, results)))
    lines = [*([describe_front(fit)] if fit.ranked else []), *list_sentences(fit)]
    return "".join([*blocks, *(f"<p>{escape(own)}</p>" for own in (*lines, *_list_remarks(fit)))])


def _list_remarks(fit: Fit) -> list[str]:
    return [*_list_notes(fit), *list_warnings(fit.sweep)]


def _list_notes(fit: Fit) -> list[str]:
    """What the numbers are; cells that take no part are in the heading already."""
    return list_remarks(replace(fit.sweep, results=fit.known), list_quantities(fit))


_FACTS = ("params", "weights", "macs", "activations", "memory", "latency", "top1")


def render_csv(fit: Fit, top: int = TOP) -> str:
    """A line a cell, those that fit first and ranked; what it leaves of each limit as a part.

    memory in bytes, latency in nanoseconds; counts in FLOPs are headed `flops`.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    axes = [axis.name for axis in fit.sweep.axes]
    facts = [rename(fit, name) for name in _FACTS]
    left = [rename(fit, bound.quantity.name) for bound in fit.bounds]
    lefts = [f"left_{name}" for name in left]
    writer.writerow(
        ["rank", "on_front", "model", *axes, *facts, "top1_source", *lefts, "convention"]
    )
    for own in list_records(fit):
        writer.writerow(
            [
                *(own["rank"] or "", str(own["on_front"]).lower(), own["model"]),
                *(make_plain(own["point"].get(name, "")) for name in axes),
                *(own["amounts"].get(name, "") for name in facts),
                *(own["top1_source"] or "", *(own["left"][name] for name in left)),
                fit.sweep.convention,
            ]
        )
    return buffer.getvalue()


def render_json(fit: Fit, top: int = TOP) -> str:
    """`heading`, `budget`, `goal`, `cells` that fit first, `best`, `between`, `sentences`."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "heading": describe_heading(fit),
        "convention": fit.sweep.convention,
        "budget": [
            {
                "quantity": bound.quantity.name,
                "unit": bound.quantity.unit,
                "limit": bound.limit,
                "least": bound.least,
            }
            for bound in fit.bounds
        ],
        "goal": {"quantity": fit.goal.quantity.name, "most": fit.goal.most},
        "cells": [_plain(own) for own in list_records(fit)],
        "best": _plain(record_cell(fit, fit.best)) if fit.best else None,
        "between": _describe_between(fit, fit.between) if fit.between else None,
        "sentences": list_sentences(fit),
        "remarks": _list_remarks(fit),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "point": make_plain(record["point"])}


def _describe_between(fit: Fit, own: Between) -> dict[str, Any]:
    return {
        **_plain(record_cell(fit, own.result)),
        "top1_interpolated": own.top1,
        "between": {name: list(values) for name, values in own.sides.items()},
        "misses": list(own.misses),
    }


FITS: Mapping[str, Callable[[Fit, int], str]] = {
    "markdown": render_markdown,
    "csv": render_csv,
    "json": render_json,
}
