"""Models side by side: totals, what differs in words, kinds of layers, layers of one path."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from html import escape

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import (
    choose_columns,
    fit_lines,
    fold_heading,
    measure_lines,
    wrap_heading,
)
from mobilenet_profiler.comparing import (
    AlignedCost,
    ModelComparison,
    align_layers,
    name_convention,
)
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.render.json import SCHEMA_VERSION, describe_convention, describe_cost
from mobilenet_profiler.render.table import add_text_column, draw_text, start_table, warn
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.rows import list_warnings
from mobilenet_profiler.units import format_change, format_count, format_ratio

Lines = list[tuple[str, ...]]
_HEADING = 12  # a longer name is wider than most of its numbers
_TOTALS = ("macs", "params", "backward_macs", "weights", "activations")
# What a table of kinds or layers shows of each model, the widest that fits.
_LAYOUTS = (
    ("kind", "params", "macs", "difference"),
    ("params", "macs", "difference"),
    ("params", "macs"),
    ("macs",),
)


def render_comparison(
    comparison: ModelComparison, width: int, layers: bool = True, every: bool = False
) -> Group:
    """Labels, totals with ratios, sentences, tables by kind and by layer, notes.

    layers: show the table of layers. every: with those that multiply in no model, one by one.
    """
    parts: list[RenderableType] = [
        _render_labels(comparison),
        Text(),
        _render_totals(comparison, width),
        Text(),
        *map(Text, comparison.sentences),
    ]
    for heading, rows in _list_tables(comparison, layers, every):
        for table in _render_panels(comparison, heading, rows, width):
            parts += [Text(), table]
    notes = [Text(line, style="dim") for line in list_notes(comparison, layers)]
    return Group(*parts, Text(), *notes, *_warn_all(comparison))


def render_text(comparison: ModelComparison, width: int = 100) -> str:
    """The same as plain text."""
    return draw_text(render_comparison(comparison, width), width)


def list_notes(comparison: ModelComparison, layers: bool = True) -> list[str]:
    """What the numbers are, where accuracies are from, why layers are not shown."""
    lines = []
    if layers and not comparison.lined_up:
        lines.append(
            "No layer that multiplies has the same path in two of these: no table of layers."
        )
    lines.append(f"ratio, difference: to {comparison.names[0]}. -: it has none.")
    if any(comparison.accuracies):
        lines.append(f"accuracy: ImageNet top-1, as published in {_list_accuracies(comparison)}.")
    if known := comparison.convention:
        lines.append(f"Convention {known.name} ({known.source}): {known.counts}.")
    return lines


def _list_accuracies(comparison: ModelComparison) -> str:
    """The source of all accuracies, or of each."""
    named = zip(comparison.names, comparison.accuracies, strict=True)
    sources = {name: item.source for name, item in named if item}
    if len(set(sources.values())) == 1:
        return next(iter(sources.values()))
    return "; ".join(f"{source} ({name})" for name, source in sources.items())


def _list_tables(
    comparison: ModelComparison, layers: bool, every: bool
) -> Iterator[tuple[str, Sequence[AlignedCost]]]:
    yield "by kind", [row for row in comparison.kinds if every or not row.costless]
    if layers and comparison.lined_up:
        rows = align_layers(comparison.traces, every)
        yield "layer", [row for row in rows if every or not row.costless]


def _render_labels(comparison: ModelComparison) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for name, trace in zip(comparison.names, comparison.traces, strict=True):
        grid.add_row(Text(name, style="bold"), Text(trace.label))
    return grid


def _render_totals(comparison: ModelComparison, width: int) -> Table:
    lines = _list_totals(comparison)
    names = lines[0]
    order = ("activations", "weights", "backward_macs", "params", "macs")
    headings = [name_quantity(quantity, comparison.convention) for quantity in order]
    ratios = [names.index(name) + 1 for name in headings if name in names]
    numbers = [names.index(name) for name in headings[:3] if name in names]
    room = [("".ljust(min(len(line[0]), width // 4)), *line[1:]) for line in lines]
    kept = fit_lines(room, width, (*ratios[:-2], *numbers, *ratios[-2:]))
    return draw_lines([tuple(line[index] for index in kept) for line in lines], ("model",))


def _list_totals(comparison: ModelComparison) -> Lines:
    """A heading, then a line a model: accuracy if any is known, amounts and ratios."""
    total, known = comparison.total, comparison.convention
    backward = any(trace.backward for trace in comparison.traces)
    shown = [name for name in _TOTALS if name != "backward_macs" or backward]
    accurate = ("accuracy",) if any(comparison.accuracies) else ()
    headings = [cell for name in shown for cell in (name_quantity(name, known), "ratio")]
    lines: Lines = [("model", *accurate, *headings)]
    for index, name in enumerate(comparison.names):
        published = comparison.accuracies[index]
        text = (published.text if published else "-",) if accurate else ()
        cells = [cell for quantity in shown for cell in _compare_cell(total, index, quantity)]
        lines.append((name, *text, *cells))
    return lines


def _compare_cell(total: AlignedCost, index: int, quantity: str) -> tuple[str, str]:
    amount = total.amount(index, quantity)
    return format_count(amount), format_ratio(amount, total.amount(0, quantity))


def name_quantity(quantity: str, convention: Convention | None) -> str:
    """The heading of a quantity, in a convention."""
    if quantity == "difference":
        return quantity
    return choose_columns((quantity,), convention=convention)[0].heading


def _render_panels(
    comparison: ModelComparison, heading: str, rows: Sequence[AlignedCost], width: int
) -> Iterator[Table]:
    """As few tables as fit the width, the first model in each, with what of each fits."""
    for models, layout in _choose_panels(comparison, heading, rows, width):
        yield draw_lines(
            _list_lines(comparison, heading, rows, models, layout), (heading, "kind"), True
        )


def _choose_panels(
    comparison: ModelComparison, heading: str, rows: Sequence[AlignedCost], width: int
) -> list[tuple[tuple[int, ...], Sequence[str]]]:
    others = range(1, len(comparison.traces))
    groups: list[tuple[int, ...]] = []
    for size in range(len(others), 0, -1):
        groups = [(0, *others[start : start + size]) for start in range(0, len(others), size)]
        for layout in _LAYOUTS:
            lines = [_list_lines(comparison, heading, rows, own, layout) for own in groups]
            if all(measure_lines(own) <= width for own in lines):
                return [(own, layout) for own in groups]
    return [(own, _LAYOUTS[-1]) for own in groups]


def _list_lines(
    comparison: ModelComparison,
    heading: str,
    rows: Sequence[AlignedCost],
    models: Sequence[int],
    layout: Sequence[str],
    folded: bool = True,
) -> Lines:
    """A heading, a line a row, the total. folded: long names of models in several lines."""
    known, names = comparison.convention, comparison.names
    if folded:
        names = tuple(fold_heading(name, _HEADING) for name in names)
    kind = "kind" in layout and heading != "by kind"
    heads = [
        "\n".join([*wrap_heading(name_quantity(quantity, known)), names[index]])
        for quantity, index in _list_cells(layout, models)
    ]
    lines: Lines = [(heading, *(["kind"] if kind else []), *heads)]
    shown = [row for row in rows if "params" in layout or row.multiplies]
    for row in (*shown, comparison.total):
        cells = [_show_cell(row, name, index) for name, index in _list_cells(layout, models)]
        lines.append((row.name, *([row.kind] if kind else []), *cells))
    return lines


def _list_cells(layout: Sequence[str], models: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The quantity and the model of each column of numbers; a difference is one of MACs."""
    for quantity in layout:
        if quantity != "kind":
            chosen = models[1:] if quantity == "difference" else models
            yield from ((quantity, index) for index in chosen)


def _show_cell(row: AlignedCost, quantity: str, index: int) -> str:
    if quantity == "difference":
        return format_change(row.amount(0, "macs"), row.amount(index, "macs"))
    return "-" if row.costs[index] is None else format_count(row.amount(index, quantity))


def draw_lines(lines: Lines, texts: Sequence[str], footer: bool = False) -> Table:
    """Lines as a table; texts: headings of columns that are no numbers."""
    table = start_table(footer)
    body = lines[1:-1] if footer else lines[1:]
    for column in zip(*lines, strict=True):
        add_text_column(table, column, numeric=column[0] not in texts)
        table.columns[-1].footer = Text(column[-1] if footer else "")
    for line in body:
        table.add_row(*map(Text, line))
    return table


def _warn_all(comparison: ModelComparison) -> Iterator[Text]:
    for name, trace in zip(comparison.names, comparison.traces, strict=True):
        for line in warn(trace):
            yield Text(f"{name}: ").append_text(line) if line.plain else line


def render_markdown(comparison: ModelComparison, layers: bool = True, every: bool = False) -> str:
    """Tables in GitHub's Markdown, the sentences as a list."""
    models = range(len(comparison.traces))
    blocks = [write_markdown(_list_totals(comparison), ("model",))]
    blocks.append([f"- {escape_markdown(line)}\n" for line in comparison.sentences])
    for heading, rows in _list_tables(comparison, layers, every):
        lines = _list_lines(comparison, heading, rows, models, _LAYOUTS[0], folded=False)
        blocks.append(write_markdown(lines, (heading, "kind")))
    notes = [*list_notes(comparison, layers), *_list_all_warnings(comparison)]
    blocks.append([f"- {escape_markdown(line)}\n" for line in notes])
    labels = [f"**{escape_markdown(trace.label)}**" for trace in comparison.traces]
    return f"{' / '.join(labels)}\n\n" + "\n".join("".join(block) for block in blocks)


def write_markdown(lines: Lines, texts: Sequence[str]) -> list[str]:
    """Lines as a table in GitHub's Markdown."""
    rule = tuple("---" if heading in texts else "---:" for heading in lines[0])
    cells = [tuple(escape_markdown(cell) for cell in line) for line in lines]
    return [f"| {' | '.join(line)} |\n" for line in (cells[0], rule, *cells[1:])]


def _list_all_warnings(comparison: ModelComparison) -> list[str]:
    both = zip(comparison.names, comparison.traces, strict=True)
    return [f"{name}: {line}" for name, trace in both for line in list_warnings(trace)]


def render_csv(comparison: ModelComparison, layers: bool = True, every: bool = False) -> str:
    """A line for each model and row: its total, each kind, each layer; no ratios.

    level: model, kind or layer. A layer or a kind that a model has not has no line.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    key = comparison.convention.key if comparison.convention else "macs"
    names = list(describe_cost(Cost(), key))
    writer.writerow(["model", "level", "name", "kind", *names, "convention"])
    levels = [("kind", comparison.kinds)]
    levels += [("layer", align_layers(comparison.traces, every=True))] if layers else []
    own = name_convention(comparison.traces[0])
    for index, model in enumerate(comparison.names):
        for level, rows in (("model", (comparison.total,)), *levels):
            for row in rows:
                if cost := row.costs[index]:
                    name = row.path or row.name
                    numbers = describe_cost(cost, key).values()
                    writer.writerow([model, level, name, row.kind, *numbers, own])
    return buffer.getvalue()


def render_json(comparison: ModelComparison, layers: bool = True, every: bool = False) -> str:
    """`models`, `kinds`, `layers` as one object; costs in the models' order, null for none."""
    key = comparison.convention.key if comparison.convention else "macs"
    rows = align_layers(comparison.traces, every) if layers else ()
    data = {
        "schema_version": SCHEMA_VERSION,
        "convention": describe_convention(comparison.convention or find_convention(DEFAULT)),
        "models": [
            _describe_model(comparison, index, key) for index in range(len(comparison.names))
        ],
        "kinds": [_describe_row(row, key) for row in comparison.kinds],
        "layers": [_describe_row(row, key) for row in rows],
        "layers_lined_up": comparison.lined_up,
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _describe_model(comparison: ModelComparison, index: int, key: str) -> dict[str, object]:
    trace, accuracy = comparison.traces[index], comparison.accuracies[index]
    total, first = describe_cost(trace.total, key), describe_cost(comparison.traces[0].total, key)
    return {
        "name": comparison.names[index],
        "label": trace.label,
        "spec": dict(trace.spec),
        "total": total,
        "ratios": {name: total[name] / first[name] if first[name] else None for name in total},
        "accuracy": asdict(accuracy) if accuracy else None,
        "difference": comparison.sentences[index - 1] if index else None,
        "uncounted": [asdict(item) for item in trace.uncounted],
        "notes": list(trace.notes),
    }


def _describe_row(row: AlignedCost, key: str) -> dict[str, object]:
    costs = [describe_cost(cost, key) if cost else None for cost in row.costs]
    return {"name": row.name, "path": row.path, "kind": row.kind, "costs": costs}


def render_html(comparison: ModelComparison) -> str:
    """The tables for a notebook, every text escaped."""
    models = range(len(comparison.traces))
    tables = [write_html(_list_totals(comparison), ("model",))]
    for heading, rows in _list_tables(comparison, layers=True, every=False):
        lines = _list_lines(comparison, heading, rows, models, _LAYOUTS[0])
        tables.append(write_html(lines, (heading, "kind")))
    sentences = "".join(f"<p>{escape(line)}</p>" for line in comparison.sentences)
    notes = [*list_notes(comparison), *_list_all_warnings(comparison)]
    return (
        tables[0]
        + sentences
        + "".join(tables[1:])
        + "".join(f"<p>{escape(line)}</p>" for line in notes)
    )


def write_html(lines: Lines, texts: Sequence[str]) -> str:
    """Lines as a `<table>`."""
    align = ["left" if heading in texts else "right" for heading in lines[0]]
    heading = "".join(f"<th>{escape(cell).replace(chr(10), '<br>')}</th>" for cell in lines[0])
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{side}">{escape(cell)}</td>'
            for side, cell in zip(align, line, strict=True)
        )
        + "</tr>"
        for line in lines[1:]
    )
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>"


COMPARISONS: dict[str, Callable[[ModelComparison, bool, bool], str]] = {
    "markdown": render_markdown,
    "csv": render_csv,
    "json": render_json,
}
