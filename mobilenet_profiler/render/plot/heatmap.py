"""Heat maps of a sweep: a quantity over two axes of the grid, numbers in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, nan
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import MODEL
from mobilenet_profiler.grid.pivot import Pivot, list_values, make_pivots
from mobilenet_profiler.grid.quantities import Quantity, find_quantity
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.render.plot.amounts import (
    Scale,
    choose_scale,
    describe_amount,
    format_amount,
    format_value,
    frame_axis,
    title_axis,
)
from mobilenet_profiler.render.plot.families import blend
from mobilenet_profiler.render.plot.labels import measure_text
from mobilenet_profiler.render.plot.provenance import (
    describe_convention,
    describe_latency,
    describe_memory,
    describe_networks,
    list_sources,
)
from mobilenet_profiler.render.plot.style import (
    FONT,
    LIGHT,
    SMALL,
    WIDTHS,
    Theme,
    add_foot,
    make_figure,
    title_marks,
    use_theme,
)

MOST_PANELS = 12
_PER_ROW = {"column": 2, "page": 3}  # panels beside each other
_ROW = 0.26  # inches of a row of cells; less where there are many
_LOWEST, _HIGHEST = 0.55, 3.6  # inches of a panel
_ROWS_OF_TITLE = 3  # that leave room for the whole title of an axis beside them
_LETTER, _BESIDE = 0.054, 0.3  # inches of a letter of a title; left of the cells of a panel
_NUMBER, _LONGEST = 4, 18  # letters of a number in a cell; of a value at an axis
_MOST_TICKS = 12  # values that are written at an axis
# Numbers on cells: not a theme's own black and white, for they stay where the theme changes.
_INKS = ("#010101", "#fefefe")


@dataclass(frozen=True, slots=True)
class Shade:
    """What the colours of all panels stand for."""

    scale: Scale
    colours: LinearSegmentedColormap
    norm: Normalize


def draw_heatmap(
    sweep: Sweep,
    quantity: str = "macs",
    *,
    down: str | None = None,
    across: str | None = None,
    theme: Theme = LIGHT,
    width: str = "column",
) -> Figure:
    """A quantity over two axes of the grid; a panel for each value of all the others.

    down, across: names of axes; alpha and resolution where nobody says. Numbers are in the
    cells where these are large enough, else there is a bar of colours. Colours are
    logarithmic for counts, bytes and times.
    Raises UsageError where no cell has the quantity, or there are too many panels.
    """
    asked = find_quantity(quantity)
    pivots = make_pivots(sweep, quantity, down, across)
    check_panels(sweep, asked, pivots)
    with use_theme(theme):
        shade = choose_shade(asked, pivots, theme)
        figure = make_figure(width, find_height(pivots, width))
        if len(pivots) > 1:
            title = shade.scale.title(asked.title)
            figure.suptitle(title, x=0.01, ha="left", fontsize=FONT)
        panels = draw_panels(figure, pivots, shade, theme, width)
        add_foot(figure, (), describe(sweep, asked, pivots), theme)
        figure.draw_without_rendering()  # the layout is final from here on
        written = [write_numbers(axes, pivot, shade) for axes, pivot in panels]
        if not all(written):
            add_bar(figure, [axes for axes, _ in panels], asked, shade)
    return figure


def check_panels(sweep: Sweep, quantity: Quantity, pivots: Sequence[Pivot]) -> None:
    """Refuse what shows nothing, or too much to be read."""
    if not any(True for _ in list_values(pivots)):
        known = ", ".join(own.name for own in sweep.quantities) or "none"
        raise UsageError(f"no cell has {quantity.name}; known of the cells: {known}")
    if len(pivots) > MOST_PANELS:
        others = ", ".join(pivots[0].fixed)
        raise UsageError(
            f"{len(pivots)} panels, one for each {others}, at most {MOST_PANELS}: "
            "sweep fewer values, or put other axes down and across"
        )


def choose_shade(quantity: Quantity, pivots: Sequence[Pivot], theme: Theme) -> Shade:
    """One unit and one range of colours for all panels; what is most stands out most."""
    amounts = list(list_values(pivots))
    scale = choose_scale(quantity.unit, amounts)
    values = [scale.convert(amount) for amount in amounts]
    low, high = min(values), max(values)
    colours = make_ramp(theme)
    if low == high:
        return Shade(scale, colours, Normalize(low - 1, high + 1))
    log = quantity.unit != "%" and low > 0
    return Shade(scale, colours, (LogNorm if log else Normalize)(low, high))


def make_ramp(theme: Theme) -> LinearSegmentedColormap:
    """From a theme's ground over its first colour half-way to its text.

    None of them is quite the theme's own: they stay where a page changes its theme, for the
    ink on them does.
    """
    series = theme.series[0]
    stops = (
        blend(theme.grid, series, 0.03),
        blend(series, theme.text, 0.03),
        blend(series, theme.text),
    )
    return LinearSegmentedColormap.from_list("amounts", stops)


def find_height(pivots: Sequence[Pivot], width: str) -> float:
    """Inches: as the rows of cells need, and what stands around them."""
    lines = ceil(len(pivots) / count_columns(pivots, width))
    rows = max(len(pivot.rows) for pivot in pivots)
    panel = min(max(rows * _ROW, _LOWEST), _HIGHEST)
    return lines * (panel + 0.35) + 0.75 + 0.2 * (len(pivots) > 1)


def count_columns(pivots: Sequence[Pivot], width: str) -> int:
    """How many panels stand beside each other, so that what is fixed in each has room."""
    longest = max(len(name_fixed(pivot)) for pivot in pivots)
    rows = max(len(_shorten(row)) for pivot in pivots for row in pivot.rows)
    columns = max(len(pivot.columns) for pivot in pivots) * _NUMBER
    room = WIDTHS[width] / ((max(longest, columns) + rows) * _LETTER + _BESIDE)
    return max(min(_PER_ROW[width], len(pivots), int(room)), 1)


def draw_panels(
    figure: Figure, pivots: Sequence[Pivot], shade: Shade, theme: Theme, width: str
) -> list[tuple[Axes, Pivot]]:
    """The cells of every panel in their colours, its axes and what is fixed in it."""
    columns = count_columns(pivots, width)
    grid = figure.add_gridspec(ceil(len(pivots) / columns), columns)
    panels = []
    for index, pivot in enumerate(pivots):
        axes = figure.add_subplot(grid[index // columns, index % columns])
        draw_cells(axes, pivot, shade, theme)
        name_values(axes, pivot)
        below = index + columns >= len(pivots)
        axes.set_xlabel(title_axis(pivot.across) if below and pivot.across else "")
        short = pivot.down if len(pivot.rows) < _ROWS_OF_TITLE else title_axis(pivot.down)
        axes.set_ylabel("" if index % columns else short)
        alone = shade.scale.title(pivot.quantity.title) if len(pivots) == 1 else ""
        axes.set_title(alone or _cut(name_fixed(pivot), width), fontsize=SMALL, loc="left", pad=3)
        panels.append((axes, pivot))
    return panels


def name_fixed(pivot: Pivot) -> str:
    """What is fixed in a panel: `mobilenet_v1, depth 3`."""
    return ", ".join(
        str(value) if name == MODEL else f"{name} {format_value(value)}"
        for name, value in pivot.fixed.items()
    )


def _cut(title: str, width: str) -> str:
    """A title that is as long as one panel is wide, at most."""
    most = int((WIDTHS[width] - _BESIDE) / _LETTER)
    return title if len(title) <= most else f"{title[: most - 1]}…"


def draw_cells(axes: Axes, pivot: Pivot, shade: Shade, theme: Theme) -> QuadMesh:
    """A rectangle for each cell, the first row on top; none where the amount is not known."""
    amounts = [
        [_convert(shade.scale, pivot.amount(row, column)) for column in pivot.columns]
        for row in pivot.rows
    ]
    few = max(len(pivot.rows), len(pivot.columns)) <= _MOST_TICKS
    mesh = axes.pcolormesh(
        amounts,
        cmap=shade.colours,
        norm=shade.norm,
        edgecolors=theme.background if few else "none",
        linewidth=0.8 if few else 0,
        label="_cells",
    )
    title_marks(
        mesh, [describe_cell(pivot, row, column) for row in pivot.rows for column in pivot.columns]
    )
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return mesh


def _convert(scale: Scale, amount: float | None) -> float:
    return nan if amount is None else scale.convert(amount)


def describe_cell(pivot: Pivot, row: Any, column: Any) -> str:
    """A cell in a line, for a tooltip: `alpha 0.5, resolution 160: 77,194,048 MACs`."""
    pairs = [(pivot.down, row), (pivot.across, column)]
    place = ", ".join(f"{name} {format_value(value)}" for name, value in pairs if name)
    result = pivot.cells.get((row, column))
    if result is None:
        return f"{place}: no cell"
    return f"{place}: {result.error or describe_amount(pivot.quantity, result)}"


def name_values(axes: Axes, pivot: Pivot) -> None:
    """The values of both axes at the middle of their cells, a dozen at most."""
    for axis, name, values in (
        (axes.xaxis, pivot.across, pivot.columns),
        (axes.yaxis, pivot.down, pivot.rows),
    ):
        step = ceil(len(values) / _MOST_TICKS)
        places = range(0, len(values), step) if name else ()
        axis.set_ticks(
            [place + 0.5 for place in places], [_shorten(values[place]) for place in places]
        )


def _shorten(value: Any) -> str:
    """A value of an axis, its middle left out where it is long."""
    text = format_value(value)
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def write_numbers(axes: Axes, pivot: Pivot, shade: Shade) -> bool:
    """The amount in each cell, where every one has room; whether it has."""
    texts = {
        (x + 0.5, y + 0.5): format_amount(pivot.quantity, pivot.cells[row, column], shade.scale)
        for y, row in enumerate(pivot.rows)
        for x, column in enumerate(pivot.columns)
        if pivot.amount(row, column) is not None
    }
    frame = axes.get_window_extent()
    room = frame.width / len(pivot.columns), frame.height / len(pivot.rows)
    longest = max(texts.values(), key=len, default="")
    width, height = measure_text(axes, longest, SMALL)
    if width > 0.92 * room[0] or height > 0.95 * room[1]:
        return False
    for (x, y), text in texts.items():
        amount = pivot.amount(pivot.rows[int(y)], pivot.columns[int(x)])
        colour = shade.colours(shade.norm(_convert(shade.scale, amount)))
        note = axes.text(
            x, y, text, fontsize=SMALL, color=choose_ink(colour), ha="center", va="center"
        )
        note.set_in_layout(False)
    return True


def choose_ink(colour: Any) -> str:
    """Black or white, whichever is read better on a colour (WCAG 2.2's contrast)."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    light = sum(part * weight for part, weight in zip(parts, (0.2126, 0.7152, 0.0722), strict=True))
    return _INKS[0] if light > 0.179 else _INKS[1]


def add_bar(figure: Figure, panels: Sequence[Axes], quantity: Quantity, shade: Shade) -> None:
    """What the colours stand for, where the cells hold no numbers."""
    bar = figure.colorbar(
        ScalarMappable(shade.norm, shade.colours), ax=list(panels), aspect=30, pad=0.02
    )
    bar.set_label(shade.scale.title(quantity.title))
    bar.outline.set_visible(False)
    low, high = shade.norm.vmin or 0.0, shade.norm.vmax or 0.0
    frame_axis(bar.ax.yaxis, isinstance(shade.norm, LogNorm), 8, low, high)


def describe(sweep: Sweep, quantity: Quantity, pivots: Sequence[Pivot]) -> str:
    """The caption: what is shown and where it comes from; what is not known."""
    results = [result for pivot in pivots for result in pivot.cells.values()]
    empty = sum(quantity.amount(result) is None for result in results)
    sources = {
        "top1": f"Accuracies: {list_sources(results)}.",
        "latency": describe_latency(sweep, "with the digits that its interval supports"),
        "memory": describe_memory(sweep),
    }
    parts = [
        f"{describe_networks(sweep)}.",
        sources.get(quantity.name, describe_convention(sweep)),
        f"Blank: {empty} not known." if empty else "",
    ]
    return " ".join(part for part in parts if part)
