"""One quantity of a sweep against another: the paper's Figures 4 and 5, and any other pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid import references as known
from mobilenet_profiler.grid.axes import MODEL, NODE
from mobilenet_profiler.grid.pareto import find_front
from mobilenet_profiler.grid.pivot import find_value, list_axis_names
from mobilenet_profiler.grid.quantities import Quantity, find_quantity
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.render.plot.amounts import (
    MOST_TICKS,
    Scale,
    choose_scale,
    describe_amount,
    find_limits,
    format_value,
    frame_axis,
)
from mobilenet_profiler.render.plot.labels import Ground, Label, place_labels
from mobilenet_profiler.render.plot.provenance import (
    describe_convention,
    describe_latency,
    describe_networks,
    list_sources,
)
from mobilenet_profiler.render.plot.style import (
    LIGHT,
    MARKERS,
    SMALL,
    Row,
    Theme,
    add_foot,
    make_figure,
    title_marks,
    use_theme,
)

_SIZED = ("resolution", "beta", "input", "batch")  # axes that have the colours where nobody says
_REFERENCE = "*"
_AREA, _REFERENCE_AREA = 17.0, 30.0  # square points of a mark
_RING_WIDTH = 0.8  # points, of the line of a hollow mark
_MANY = 200  # cells: more have smaller marks
_FURTHEST = 10  # times a median that its interval reaches in a plot, at most: an end may be 0
_RAMP = "viridis"  # colours of more values than a theme has


@dataclass(frozen=True, slots=True)
class Look:
    """How the values of an axis of the grid show: what stands for each."""

    axis: str
    values: Mapping[Any, str]

    def find(self, result: CellResult, default: str) -> str:
        """What stands for a cell's value."""
        return self.values.get(_freeze(find_value(result, self.axis)), default)


@dataclass(frozen=True, slots=True)
class Ring:
    """A hollow mark at a place that a reader looks for. x, y: amounts, as `Quantity` has them.

    name: in the legend. text: a sentence of the caption. area: of the mark, square points.
    """

    name: str
    x: float
    y: float
    marker: str
    area: float
    text: str


@dataclass(frozen=True, slots=True)
class Sides:
    """What both axes show, and in which units."""

    x: Quantity
    y: Quantity
    x_scale: Scale
    y_scale: Scale

    def place(self, result: CellResult) -> tuple[float, float]:
        """Where a cell that has both amounts stands."""
        x, y = self.x.amount(result), self.y.amount(result)
        assert x is not None
        assert y is not None
        return self.x_scale.convert(x), self.y_scale.convert(y)


def draw_tradeoff(
    sweep: Sweep,
    x: str = "macs",
    y: str = "top1",
    *,
    colour: str | None = None,
    marker: str | None = None,
    references: Sequence[CellResult] | None = None,
    rings: Sequence[Ring] = (),
    theme: Theme = LIGHT,
    width: str = "column",
) -> Figure:
    """Every cell that has both quantities, the Pareto front among them, and other networks.

    x, y: names of quantities; counts, bytes and times are on logarithmic axes. colour, marker:
    the axes of the grid that these stand for; '' for none. references: networks beside the
    sweep; None takes AlexNet, SqueezeNet, GoogLeNet and VGG16 where their counts compare.
    rings: places that are marked besides, among the cells.
    Raises UsageError where no cell has both, and for a name that there is not.
    """
    quantities = find_quantity(x), find_quantity(y)
    shown = list_shown(sweep, *quantities)
    others = list_others(sweep, quantities, references)
    sides = choose_sides(quantities, [*shown, *others])
    looks = choose_looks(sweep, shown, colour, marker, theme)
    with use_theme(theme):
        figure = make_figure(width, 3.6 if width == "column" else 4.4)
        axes = figure.add_subplot()
        frame_axes(axes, sides, [*shown, *others], width)
        front = find_front(shown, quantities)
        draw_front(axes, front, sides, theme)
        draw_cells(axes, shown, front, sides, looks, theme)
        draw_references(axes, others, sides, theme)
        draw_rings(axes, rings, sides, theme)
        drawn = has_steps(front, sides)
        told = [describe(sweep, shown, others, sides), describe_untold(sweep, shown, looks)]
        told += [ring.text for ring in rings]
        add_foot(
            *(figure, list_handles(looks, drawn, bool(others), theme, rings)),
            *(" ".join(filter(None, told)), theme),
        )
        figure.draw_without_rendering()  # the layout is final from here on
        named = shown if needs_names(looks[0], shown) else []
        name_points(axes, [*others, *named], shown, others, sides, theme)
    return figure


def list_shown(sweep: Sweep, x: Quantity, y: Quantity) -> list[CellResult]:
    """The cells that have both amounts, above 0 where their axis is logarithmic."""
    if x == y:
        raise UsageError(f"a tradeoff is of two quantities, given {x.name!r} twice")
    shown = [result for result in sweep.results if _has(result, x) and _has(result, y)]
    if not shown:
        known = ", ".join(quantity.name for quantity in sweep.quantities) or "none"
        raise UsageError(f"no cell has both {x.name} and {y.name}; known of the cells: {known}")
    return shown


def _has(result: CellResult, quantity: Quantity) -> bool:
    amount = quantity.amount(result)
    return amount is not None and (amount > 0 or not _is_log(quantity))


def _is_log(quantity: Quantity) -> bool:
    return quantity.unit != "%"


def list_others(
    sweep: Sweep, quantities: Sequence[Quantity], references: Sequence[CellResult] | None
) -> list[CellResult]:
    """The networks that can stand beside a sweep: by both amounts, in its convention."""
    if references is not None:
        return [own for own in references if all(_has(own, quantity) for quantity in quantities)]
    names = {quantity.name for quantity in quantities}
    counts = names <= {*known.QUANTITIES, "top1"} and "top1" in names
    images = {_count_images(result) for result in sweep.results if result.cost}
    alike = sweep.convention == DEFAULT and images <= {1}
    swept = {model.partition(" ")[0] for model in sweep.models}
    found = known.list_references() if counts and alike else ()
    return [own for own in found if own.cell.model not in swept]


def _count_images(result: CellResult) -> int:
    """How many images its input holds."""
    inputs = result.spec.get("inputs") or [[1]]
    return int(inputs[0][0]) if inputs[0] else 1


def choose_sides(quantities: Sequence[Quantity], results: Sequence[CellResult]) -> Sides:
    """Both quantities in the units that suit these cells."""
    x, y = quantities
    scales = [
        choose_scale(quantity.unit, [quantity.amount(result) or 0 for result in results])
        for quantity in quantities
    ]
    return Sides(x, y, *scales)


def choose_looks(
    sweep: Sweep,
    shown: Sequence[CellResult],
    colour: str | None,
    marker: str | None,
    theme: Theme,
) -> tuple[Look, Look]:
    """What colours and markers stand for: a resolution and an alpha where nobody says."""
    names = list_axis_names(sweep)
    for name in (colour, marker):
        if name and name not in names:
            raise unknown_name("axis", name, names)
    colour, marker = _choose_names(names, colour, marker)
    values = _list_values(shown, colour)
    if colour == MODEL and len(values) > len(theme.series):
        values = ()  # names that no ramp of colours orders: they stand at the points
    colours = dict(zip(values, choose_colours(len(values), theme), strict=True))
    marked = _list_values(shown, marker)
    markers = dict(zip(marked, MARKERS, strict=False)) if len(marked) <= len(MARKERS) else {}
    return Look(colour, colours), Look(marker, markers)


def _choose_names(names: Sequence[str], colour: str | None, marker: str | None) -> tuple[str, str]:
    """The axis of the colours and of the markers; '' where there is none left."""
    own = [name for name in names if name not in (MODEL, NODE)]
    sizes = [name for name in own if name in _SIZED]
    models = [name for name in names if name in (MODEL, NODE)]
    wanted = [*models, *sizes, *own]
    if colour is None:
        colour = next((name for name in wanted if name != marker), "")
    if marker is None:
        rest = [*(name for name in own if name not in _SIZED), *wanted]
        marker = next((name for name in rest if name != colour), "")
    return colour, marker


def _list_values(results: Sequence[CellResult], name: str) -> tuple[Any, ...]:
    """The values of an axis that occur, in the order of the sweep."""
    if not name:
        return ()
    return tuple(dict.fromkeys(_freeze(find_value(result, name)) for result in results))


def _freeze(value: Any) -> Any:
    """A value that can be a key: lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(_freeze, value))
    return repr(value) if isinstance(value, dict) else value


def choose_colours(count: int, theme: Theme) -> list[str]:
    """A theme's own, or of a ramp where it has not so many."""
    if count <= len(theme.series):
        return list(theme.series[:count])
    dark = sum(to_rgb(theme.background)) < 1.5
    low, high = (0.18, 1.0) if dark else (0.0, 0.88)  # without those that the ground would hide
    ramp = colormaps[_RAMP]
    return [to_hex(ramp(low + (high - low) * step / (count - 1))) for step in range(count)]


def frame_axes(axes: Axes, sides: Sides, results: Sequence[CellResult], width: str) -> None:
    """Axes that hold every point and interval, with room around and for names."""
    for axis, quantity, scale in (("x", sides.x, sides.x_scale), ("y", sides.y, sides.y_scale)):
        values = [scale.convert(end) for own in results for end in list_ends(quantity, own)]
        low, high = find_limits(values, _is_log(quantity))
        getattr(axes, f"set_{axis}label")(scale.title(quantity.title))
        if _is_log(quantity):
            getattr(axes, f"set_{axis}scale")("log")
        getattr(axes, f"set_{axis}lim")(low, high)
        most = MOST_TICKS[width if axis == "x" else "column"]
        frame_axis(getattr(axes, f"{axis}axis"), _is_log(quantity), most, low, high)


def list_ends(quantity: Quantity, result: CellResult) -> tuple[float, ...]:
    """A cell's amount, and of a time the ends of its interval, as far as these are above 0."""
    amount, time = quantity.amount(result), result.latency
    assert amount is not None
    if quantity.name != "latency" or time is None:
        return (amount,)
    return (max(time.low, amount / _FURTHEST), amount, min(time.high, amount * _FURTHEST))


def has_steps(front: Sequence[CellResult], sides: Sides) -> bool:
    """Whether a front is a line: of one cell it is its mark alone."""
    return len(front) > 1 and not sides.x.more_is_better


def draw_front(axes: Axes, front: Sequence[CellResult], sides: Sides, theme: Theme) -> None:
    """The best that can be had up to each x, as a flight of steps through the Pareto front."""
    if not has_steps(front, sides):
        return
    x, y = zip(*(sides.place(result) for result in front), strict=True)
    axes.plot(
        *(x, y),
        drawstyle="steps-post",
        color=theme.muted,
        linewidth=0.8,
        zorder=2,
        label="_front",
        solid_joinstyle="miter",
    )


def draw_cells(
    axes: Axes,
    shown: Sequence[CellResult],
    front: Sequence[CellResult],
    sides: Sides,
    looks: tuple[Look, Look],
    theme: Theme,
) -> None:
    """A scatter for each colour and marker, those of the front above all others.

    Latencies have the interval of their median.
    """
    colours, markers = looks
    ahead = set(map(id, front))
    groups: dict[tuple[str, str, bool], list[CellResult]] = {}
    for result in shown:
        look = colours.find(result, theme.series[0]), markers.find(result, MARKERS[0])
        groups.setdefault((*look, id(result) in ahead), []).append(result)
    for (colour, marker, leads), own in groups.items():
        x, y = zip(*(sides.place(result) for result in own), strict=True)
        draw_intervals(axes, own, sides, colour)
        marks = axes.scatter(
            *(x, y),
            s=_AREA if len(shown) <= _MANY else _AREA / 3,
            c=colour,
            marker=marker,
            edgecolors=theme.background,
            linewidths=0.3 if len(shown) <= _MANY else 0,
            zorder=4.5 if leads else 4,
            label=" ".join(_name(look, own[0]) for look in looks if look.values),
        )
        title_marks(marks, [describe_cell(result, sides) for result in own])


def _name(look: Look, result: CellResult) -> str:
    return f"{look.axis} {format_value(find_value(result, look.axis))}"


def draw_intervals(axes: Axes, own: Sequence[CellResult], sides: Sides, colour: str) -> None:
    """The interval of each measured time, where that is one of the quantities."""
    for result in own:
        (x, y), time = sides.place(result), result.latency
        if time is None:
            continue
        style: dict[str, Any] = {"color": colour, "linewidth": 0.7, "zorder": 3, "label": "_time"}
        if sides.x.name == "latency":
            low, _, high = map(sides.x_scale.convert, list_ends(sides.x, result))
            axes.plot([low, high], [y, y], **style)
        if sides.y.name == "latency":
            low, _, high = map(sides.y_scale.convert, list_ends(sides.y, result))
            axes.plot([x, x], [low, high], **style)


def describe_cell(result: CellResult, sides: Sides) -> str:
    """A cell in a line: its name, both amounts, whose accuracy."""
    parts = [describe_amount(quantity, result) for quantity in (sides.x, sides.y)]
    known = (result.accuracy,) if "top1" in (sides.x.name, sides.y.name) else ()
    sources = [f"({accuracy.source})" for accuracy in known if accuracy and accuracy.source]
    return f"{result.label or result.cell.label}: {', '.join(parts)} {' '.join(sources)}".strip()


def draw_references(axes: Axes, others: Sequence[CellResult], sides: Sides, theme: Theme) -> None:
    """Networks beside the sweep, in the colour of text."""
    if not others:
        return
    x, y = zip(*(sides.place(result) for result in others), strict=True)
    marks = axes.scatter(
        *(x, y),
        s=_REFERENCE_AREA,
        c=theme.text,
        marker=_REFERENCE,
        linewidths=0,
        zorder=4,
        label="_references",
    )
    title_marks(marks, [describe_cell(result, sides) for result in others])


def draw_rings(axes: Axes, rings: Sequence[Ring], sides: Sides, theme: Theme) -> None:
    """Hollow marks around cells, or where there is none."""
    for ring in rings:
        marks = axes.scatter(
            sides.x_scale.convert(ring.x),
            sides.y_scale.convert(ring.y),
            s=ring.area,
            facecolors="none",
            edgecolors=theme.text,
            marker=ring.marker,
            linewidths=_RING_WIDTH,
            zorder=5,
            label="_ring",
        )
        title_marks(marks, [ring.text])


def needs_names(colours: Look, shown: Sequence[CellResult]) -> bool:
    """Whether networks are told apart by their names alone: more than there are colours."""
    return colours.axis == MODEL and not colours.values and len(shown) > 1


def name_points(
    axes: Axes,
    named: Sequence[CellResult],
    shown: Sequence[CellResult],
    others: Sequence[CellResult],
    sides: Sides,
    theme: Theme,
) -> None:
    """Names at marks, those of the networks beside the sweep first, where they find room."""
    beside = set(map(id, others))
    labels = [
        Label(
            result.label if id(result) in beside else result.cell.model,
            *sides.place(result),
            (_REFERENCE_AREA if id(result) in beside else _AREA) ** 0.5 / 2,
        )
        for result in named
    ]
    boxes = [
        _find_box(axes, sides.place(result), area**0.5 / 2)
        for results, area in ((shown, _AREA), (others, _REFERENCE_AREA))
        for result in results
    ]
    lines = tuple(_trace_line(axes, line) for line in axes.lines)
    place_labels(
        axes, labels, Ground(axes.get_window_extent(), tuple(boxes), lines), SMALL, theme.text
    )


def _trace_line(axes: Axes, line: Line2D) -> Path:
    """Where a line runs, its steps too; pixels."""
    xs, ys = (list(map(float, np.asarray(data))) for data in line.get_data())
    points = list(zip(xs, ys, strict=True))
    if line.get_drawstyle() == "steps-post":
        corners = [(after[0], before[1]) for before, after in pairwise(points)]
        points = [points[0], *chain.from_iterable(zip(corners, points[1:], strict=True))]
    return Path(axes.transData.transform(points))


def _find_box(axes: Axes, place: tuple[float, float], radius: float) -> Bbox:
    x, y = axes.transData.transform(place)
    reach = radius * axes.figure.dpi / 72
    return Bbox.from_extents(x - reach, y - reach, x + reach, y + reach)


def list_handles(
    looks: tuple[Look, Look],
    steps: bool,
    others: bool,
    theme: Theme,
    rings: Sequence[Ring] = (),
) -> list[Row]:
    """A row for what colours stand for, one for markers, and one for all else.

    steps: whether a front is drawn; others: whether networks beside the sweep are.
    """
    colours, markers = looks
    rows = [
        Row(colours.axis, tuple(_list_swatches(colours.values, theme))),
        Row(
            markers.axis,
            tuple(
                _make_handle(format_value(value), marker, theme.muted)
                for value, marker in markers.values.items()
            ),
        ),
    ]
    front = Line2D([], [], color=theme.muted, linewidth=0.8, label="Pareto front of the sweep")
    rest = [front] if steps else []
    rest += [_make_handle("other networks", _REFERENCE, theme.text)] if others else []
    rest += [_make_ring(ring, theme) for ring in rings]
    return [*(row for row in rows if len(row.handles) > 1), Row("", tuple(rest))]


def _make_ring(ring: Ring, theme: Theme) -> Line2D:
    return Line2D(
        *([], []),
        linestyle="",
        marker=ring.marker,
        markersize=ring.area**0.5,
        markerfacecolor="none",
        markeredgecolor=theme.text,
        markeredgewidth=_RING_WIDTH,
        label=ring.name,
    )


def _list_swatches(values: Mapping[Any, str], theme: Theme) -> Iterable[Artist]:
    """A mark for each colour; of a ramp some, from end to end."""
    items = list(values.items())
    if len(items) > len(theme.series):
        steps = 5
        items = [items[round(step * (len(items) - 1) / (steps - 1))] for step in range(steps)]
    return (_make_handle(format_value(value), MARKERS[0], colour) for value, colour in items)


def _make_handle(label: str, marker: str, colour: str) -> Line2D:
    return Line2D(
        *([], []),
        linestyle="",
        color=colour,
        marker=marker,
        markersize=6 if marker == _REFERENCE else 4.5,
        markeredgewidth=0,
        label=label,
    )


def describe(
    sweep: Sweep, shown: Sequence[CellResult], others: Sequence[CellResult], sides: Sides
) -> str:
    """The caption: what is shown, counted how, measured where, and whose accuracies."""
    names = {sides.x.name, sides.y.name}
    parts = [
        f"{describe_networks(sweep)}.",
        describe_convention(sweep) if names - {"top1", "latency", "memory"} else "",
        describe_latency(sweep) if "latency" in names else "",
        describe_sources(shown, others) if "top1" in names else "",
        describe_missing(sweep, shown, sides),
    ]
    return " ".join(part for part in parts if part)


def describe_missing(sweep: Sweep, shown: Sequence[CellResult], sides: Sides) -> str:
    """How many cells are not shown, and which amount they have not."""
    there = set(map(id, shown))
    missing = [result for result in sweep.results if id(result) not in there]
    if not missing:
        return ""
    titles = {"top1": "accuracy"}
    lacking = [
        titles.get(quantity.name, quantity.title)
        for quantity in (sides.x, sides.y)
        if not all(_has(result, quantity) for result in missing)
    ]
    return (
        f"Not shown: {len(missing):,} of {len(sweep.results):,} cells, of which no "
        f"{' or no '.join(lacking)} is known."
    )


def describe_untold(sweep: Sweep, shown: Sequence[CellResult], looks: tuple[Look, Look]) -> str:
    """The axes on which these cells differ that neither colours nor marks tell apart."""
    told = {look.axis for look in looks if look.values}
    told |= {MODEL} if needs_names(looks[0], shown) else set()
    names = [
        name
        for name in list_axis_names(sweep)
        if name not in told and len(_list_values(shown, name)) > 1
    ]
    return f"Neither colour nor mark tells {' and '.join(names)} apart." if names else ""


def describe_sources(shown: Sequence[CellResult], others: Sequence[CellResult]) -> str:
    """Whose accuracies."""
    beside = f"; of the other networks: {list_sources(others)}" if others else ""
    return f"Accuracies: {list_sources(shown)}{beside}."
