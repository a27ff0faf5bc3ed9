"""Two profiles side by side: what differs, then ratios of the whole, by kind and by layer."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import inf
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import fit_lines, measure_lines
from mobilenet_profiler.measured.comparing import (
    ProfileComparison,
    TimedPair,
    count_fewest,
    pair_layers,
)
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.remarks import list_remarks
from mobilenet_profiler.measured.statistics import CONFIDENCE, Estimate, Ratio
from mobilenet_profiler.render.compare import Lines, draw_lines, write_html, write_markdown
from mobilenet_profiler.render.json import SCHEMA_VERSION, describe_interval
from mobilenet_profiler.render.table import draw_text
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.units import (
    TimeUnit,
    choose_time_unit,
    format_estimate,
    format_ratio_estimate,
    format_supported,
)

NAMES = ("before", "after")
_WHOLE, _KINDS, _LAYERS = "whole pass", "by kind", "layer"
_TEXTS = (_WHOLE, _KINDS, _LAYERS, "kind", "phase", "verdict")


def render_comparison(
    comparison: ProfileComparison, width: int, layers: bool = True, every: bool = False
) -> Group:
    """Labels, what differs, the latency in words, tables of ratios, notes.

    layers: show the table of layers. every: with those that multiply nothing one by one.
    """
    parts: list[RenderableType] = [_render_labels(comparison)]
    parts += [Text(line, style="yellow") for line in _space(comparison.differences)]
    parts += [Text(line, style="bold") for line in _space(comparison.sentences)]
    for heading, rows in list_tables(comparison, layers, every):
        parts += [Text(), draw_lines(_fit_lines(heading, rows, width), _TEXTS)]
    notes = list_notes(comparison, layers, every)
    parts += [Text(line, style="dim") for line in _space(notes)]
    parts += [Text(line, style="yellow") for line in _space(list_all_remarks(comparison))]
    return Group(*parts)


def render_text(comparison: ProfileComparison, width: int = 100) -> str:
    """The same as plain text."""
    return draw_text(render_comparison(comparison, width), width)


def _space(lines: Sequence[str]) -> Sequence[str]:
    """The lines below an empty one, if there are any."""
    return ("", *lines) if lines else ()


def list_tables(
    comparison: ProfileComparison, layers: bool, every: bool
) -> Iterator[tuple[str, Sequence[TimedPair]]]:
    """A heading and its rows: the whole, kinds of layers, layers where any lie beside another."""
    yield _WHOLE, comparison.whole
    if comparison.kinds:
        yield _KINDS, comparison.kinds
    if layers and comparison.lined_up:
        yield _LAYERS, _choose_layers(comparison, every)


def _choose_layers(comparison: ProfileComparison, every: bool) -> tuple[TimedPair, ...]:
    return (
        pair_layers(comparison.before, comparison.after, every=True) if every else comparison.layers
    )


def _render_labels(comparison: ProfileComparison) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    for name, profile in zip(NAMES, (comparison.before, comparison.after), strict=True):
        grid.add_row(Text(name, style="bold"), Text(profile.label))
    return grid


def _fit_lines(heading: str, rows: Sequence[TimedPair], width: int) -> Lines:
    """As much of a table as fits: without kinds, then without the spread of each time."""
    lines = _list_lines(heading, rows)
    kept = fit_lines(lines, width, [1] if "kind" in lines[0] else [])
    cut = [tuple(line[index] for index in kept) for line in lines]
    if measure_lines(cut) <= width:
        return cut
    short = _list_lines(heading, rows, spread=False)
    return [tuple(line[index] for index in kept) for line in short]


def _list_lines(heading: str, rows: Sequence[TimedPair], spread: bool = True) -> Lines:
    """A heading and a line a row; times in one unit, that of the longest."""
    unit = choose_time_unit(max(own.value for row in rows for own in row.estimates if own))
    kinds, phases = heading == _LAYERS, any(row.phase for row in rows)
    texts = [*(["kind"] if kinds else []), *(["phase"] if phases else [])]
    times = [f"{name} {unit.sign}" for name in NAMES]
    lines: Lines = [(heading, *texts, *times, "ratio", "verdict")]
    for row in rows:
        own = [*([row.kind] if kinds else []), *([row.phase] if phases else [])]
        shown = [_show_time(estimate, unit, spread) for estimate in row.estimates]
        ratio = format_ratio_estimate(row.ratio) if row.ratio else "-"
        lines.append((row.name, *own, *shown, ratio, row.verdict or "-"))
    return lines


def _show_time(estimate: Estimate | None, unit: TimeUnit, spread: bool) -> str:
    if estimate is None:
        return "-"
    if spread:
        return format_estimate(estimate, unit)
    own = estimate.scale(1 / unit.nanoseconds)
    return format_supported(own.value, own.half_width)


def list_notes(
    comparison: ProfileComparison, layers: bool = True, every: bool = False
) -> list[str]:
    """What the numbers are, and how many rows may be named."""
    held = f"{100 * CONFIDENCE:.0f} of 100"
    notes = [
        "ratio: time before over time after, above 1 is faster. ±, to: the interval that holds "
        f"it in {held} cases, each row by itself."
    ]
    tables = list(list_tables(comparison, layers, every))
    if layers and tables[-1][0] != _LAYERS and comparison.layers:
        notes.append("No timed layer has the same path in both: no table of layers.")
    if len(tables) > 1:
        notes += _describe_naming([row for row in tables[-1][1] if row.ratio], held)
    if comparison.layers:
        notes.append("Layers: own time in a pass, what the instruments cost taken off.")
    return notes


def _describe_naming(rows: Sequence[TimedPair], held: str) -> Iterator[str]:
    """How many of the rows differ beyond chance; how many passes it takes to say so of any."""
    if not rows:
        return
    named = sum(row.named for row in rows)
    yield (
        f"verdict: {named} of {len(rows)} rows differ beyond chance; were all equal, none would "
        f"be named in {held} such tables (Holm's correction)."
    )
    count = min(own.count for row in rows for own in row.estimates if own)
    if count < (fewest := count_fewest(len(rows))):
        yield (
            f"{count} instrumented passes are too few to name any of {len(rows)} rows: it takes "
            f"{fewest}; profile again with --iterations {2 * fewest} or more."
        )


def list_all_remarks(comparison: ProfileComparison) -> list[str]:
    """What each profile says of itself, and what both say once."""
    before, after = (list_remarks(own) for own in (comparison.before, comparison.after))
    return [
        *(f"before: {line}" for line in before if line not in after),
        *(f"after: {line}" for line in after if line not in before),
        *(f"both: {line}" for line in before if line in after),
    ]


def render_markdown(comparison: ProfileComparison, layers: bool = True, every: bool = False) -> str:
    """The same in GitHub's Markdown: lists and tables."""
    before, after = (escape_markdown(own.label) for own in (comparison.before, comparison.after))
    tables = [
        "".join(write_markdown(_list_lines(heading, rows), _TEXTS))
        for heading, rows in list_tables(comparison, layers, every)
    ]
    notes = [*list_notes(comparison, layers, every), *list_all_remarks(comparison)]
    blocks = [
        f"**{before}** → **{after}**\n",
        _list_points(comparison.differences),
        _list_points(comparison.sentences),
        *tables,
        _list_points(notes),
    ]
    return "\n".join(block for block in blocks if block)


def _list_points(lines: Sequence[str]) -> str:
    return "".join(f"- {escape_markdown(line)}\n" for line in lines)


_CSV = (
    *("level", "name", "path", "kind", "phase"),
    *("before_ns", "before_low_ns", "before_high_ns", "after_ns", "after_low_ns", "after_high_ns"),
    *("ratio", "ratio_low", "ratio_high", "verdict"),
)


def render_csv(comparison: ProfileComparison, layers: bool = True, every: bool = False) -> str:
    """A line a row, its level whole, kind or layer; nanoseconds, unrounded.

    A layer that one has not, or an interval without an end, is an empty cell.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_CSV)
    for level, rows in _list_levels(comparison, layers, every):
        for row in rows:
            times = [cell for own in row.estimates for cell in _list_ends(own)]
            ratio = _list_ends(row.ratio)
            texts = (level, row.name, row.path, row.kind, row.phase)
            writer.writerow([*texts, *times, *ratio, row.verdict])
    return buffer.getvalue()


def _list_levels(
    comparison: ProfileComparison, layers: bool, every: bool
) -> list[tuple[str, Sequence[TimedPair]]]:
    """Every row, also where no layer lies beside another."""
    shown = [("layer", _choose_layers(comparison, every))] if layers else []
    return [("whole", comparison.whole), ("kind", comparison.kinds), *shown]


def _list_ends(estimate: Estimate | Ratio | None) -> list[float | str]:
    if estimate is None:
        return ["", "", ""]
    ends = (estimate.value, estimate.low, estimate.high)
    return [end if end < inf else "" for end in ends]


def render_json(comparison: ProfileComparison, layers: bool = True, every: bool = False) -> str:
    """`differences`, `sentences`, `whole`, `kinds`, `layers` as one object; nanoseconds."""
    levels = dict(_list_levels(comparison, layers, every))
    data = {
        "schema_version": SCHEMA_VERSION,
        "kind": "profile comparison",
        "before": _describe_profile(comparison.before),
        "after": _describe_profile(comparison.after),
        "differences": list(comparison.differences),
        "sentences": list(comparison.sentences),
        "whole": [_describe_row(row) for row in levels["whole"]],
        "kinds": [_describe_row(row) for row in levels["kind"]],
        "layers": [_describe_row(row) for row in levels.get("layer", ())],
        "notes": [*list_notes(comparison, layers, every), *list_all_remarks(comparison)],
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _describe_profile(profile: Profile) -> dict[str, Any]:
    return {
        "label": profile.label,
        "spec": dict(profile.trace.spec),
        "clean_passes": len(profile.clean),
        "instrumented_passes": len(profile.instrumented),
    }


def _describe_row(row: TimedPair) -> dict[str, Any]:
    before, after = (describe_interval(own) if own else None for own in row.estimates)
    return {
        "name": row.name,
        "path": row.path,
        "kind": row.kind,
        "phase": row.phase,
        "before_ns": before,
        "after_ns": after,
        "ratio": describe_interval(row.ratio) if row.ratio else None,
        "verdict": row.verdict,
    }


def render_html(comparison: ProfileComparison) -> str:
    """The tables for a notebook, every text escaped."""
    before, after = (own.label for own in (comparison.before, comparison.after))
    labels = (f"before: {before}", f"after: {after}")
    heads = (*labels, *comparison.differences, *comparison.sentences)
    tables = [
        write_html(_list_lines(heading, rows), _TEXTS)
        for heading, rows in list_tables(comparison, layers=True, every=False)
    ]
    notes = [*list_notes(comparison), *list_all_remarks(comparison)]
    return "".join(
        [
            *(f"<p>{escape(line)}</p>" for line in heads),
            *tables,
            *(f"<p>{escape(line)}</p>" for line in notes),
        ]
    )


COMPARISONS: dict[str, Callable[[ProfileComparison, bool, bool], str]] = {
    "markdown": render_markdown,
    "csv": render_csv,
    "json": render_json,
}
