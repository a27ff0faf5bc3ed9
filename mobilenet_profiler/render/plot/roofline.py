"""The roofline plot: a point a layer, below the ceilings that this machine was measured to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox, BboxTransformTo

from mobilenet_profiler.measured.roofline import (
    Bandwidth,
    Ceiling,
    RooflinePoint,
    choose_bandwidth,
    choose_memory_bandwidth,
    find_peak,
)
from mobilenet_profiler.render.plot.labels import (
    Ground,
    Label,
    Slanted,
    measure_text,
    place_labels,
)
from mobilenet_profiler.render.plot.style import (
    LIGHT,
    SMALL,
    Theme,
    add_foot,
    choose_marks,
    make_figure,
    make_mark_handle,
    title_marks,
    use_theme,
)
from mobilenet_profiler.units import format_digits, format_size

LABELLED = 6  # layers that are named, those with the most time first
_LEAST_AREA, _WHOLE_AREA = 9.0, 700.0  # square points of a mark: of no time, of all the time
_GIGA = 1e9
_NAMES = {"column": 0.52, "page": 0.2}  # of the width of the points: room for names beside them
# Along a line, from where it enters to its corner.
_PLACES = tuple(step / 40 for step in range(1, 28))


@dataclass(frozen=True, slots=True)
class Roof:
    """The measured lines above the points: MACs/s, and bandwidths of memory and of a cache."""

    peak: float
    memory: Bandwidth
    cache: Bandwidth

    @property
    def bandwidths(self) -> tuple[Bandwidth, ...]:
        """The cache's and the memory's, or one where no cache was faster than memory."""
        return (self.memory,) if self.cache == self.memory else (self.cache, self.memory)

    def name(self, bandwidth: Bandwidth) -> str:
        """'memory' or 'cache'."""
        return "memory" if bandwidth == self.memory else "cache"

    def find_corner(self, bandwidth: Bandwidth) -> float:
        """MACs a byte at which a bandwidth meets the peak."""
        return self.peak / bandwidth.bytes_per_second


def draw_roofline(
    points: Sequence[RooflinePoint],
    ceiling: Ceiling,
    dtype: str = "float32",
    threads: int = 0,
    label: str = "",
    date: str = "",
    theme: Theme = LIGHT,
    width: str = "column",
) -> Figure:
    """Achieved MACs a second of every layer against its MACs a byte, below the ceilings.

    points: of all layers; those without MACs are told of in the caption.
    dtype, threads: which of the ceiling's peaks and bandwidths hold. label: what was
    profiled, date: when. width: 'column' or 'page' of a paper.
    Raises ValueError where the ceiling has no such peak or bandwidth.
    """
    roof = choose_roof(ceiling, dtype, threads)
    shown = [point for point in points if point.intensity > 0 and point.macs_per_second > 0]
    with use_theme(theme):
        figure = make_figure(width, 3.4 if width == "column" else 4.2)
        axes = figure.add_subplot()
        frame_axes(axes, shown, roof, width)
        draw_roof(axes, roof, theme)
        handles = draw_points(axes, shown, theme)
        caption = describe(points, ceiling, roof, threads, label, date)
        add_foot(figure, handles, caption, theme)
        figure.draw_without_rendering()  # the layout is final from here on
        marks = [_find_box(axes, point) for point in shown]
        texts = name_roof(axes, roof, dtype, marks)
        name_largest(axes, shown, marks, texts, theme)
    return figure


def choose_roof(ceiling: Ceiling, dtype: str, threads: int) -> Roof:
    """The lines of a dtype and a thread count."""
    peak = find_peak(ceiling, dtype, threads)
    memory, cache = choose_memory_bandwidth(ceiling, threads), choose_bandwidth(ceiling, threads)
    if peak is None or memory is None or cache is None:
        raise ValueError(f"the ceiling has no {dtype} with {threads} threads")
    return Roof(peak, memory, cache)


def frame_axes(axes: Axes, points: Sequence[RooflinePoint], roof: Roof, width: str) -> None:
    """Logarithmic axes that hold every point and the corners of the roof, with room for names."""
    corners = [roof.find_corner(bandwidth) for bandwidth in roof.bandwidths]
    x = [point.intensity for point in points] + corners
    y = [point.macs_per_second / _GIGA for point in points]
    axes.set(xscale="log", yscale="log")
    room = (max(x) / min(x)) ** _NAMES[width]
    axes.set_xlim(min(x) / 1.8, max(x) * room)
    axes.set_ylim(min([*y, roof.peak / _GIGA / 10]) / 2.5, max([*y, roof.peak / _GIGA]) * 2.2)
    axes.set_xlabel("arithmetic intensity (MACs / byte)")
    axes.set_ylabel("achieved (GMAC/s)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, numticks=12))
        axis.set_minor_locator(LogLocator(base=10, subs=tuple(range(2, 10)), numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())


def draw_roof(axes: Axes, roof: Roof, theme: Theme) -> None:
    """The lines of the peak and of each bandwidth, from where they enter to where they meet."""
    left, right = axes.get_xlim()
    peak = roof.peak / _GIGA
    start = min(map(roof.find_corner, roof.bandwidths))
    axes.plot([start, right], [peak, peak], color=theme.text, linewidth=1.0, label="_peak")
    for bandwidth in roof.bandwidths:
        corner, name = roof.find_corner(bandwidth), roof.name(bandwidth)
        ends = [left, corner], [left * bandwidth.bytes_per_second / _GIGA, peak]
        style = "--" if name == "memory" else ":"
        axes.plot(*ends, color=theme.text, linewidth=1.0, linestyle=style, label=f"_{name}")


def name_roof(axes: Axes, roof: Roof, dtype: str, marks: Sequence[Bbox]) -> list[Path]:
    """The number of each line at that line; returns what the texts take, in pixels."""
    right, peak = axes.get_xlim()[1] / 1.05, roof.peak / _GIGA
    text = axes.text(
        right,
        peak * 1.08,
        f"{dtype} {format_digits(peak)} GMAC/s",
        fontsize=SMALL,
        ha="right",
        va="bottom",
    )
    text.set_in_layout(False)
    box = text.get_window_extent()
    taken = [Path.unit_rectangle().transformed(BboxTransformTo(box))]
    for bandwidth in roof.bandwidths:
        taken.append(_name_bandwidth(axes, bandwidth, roof, marks, taken))
    return taken


def _name_bandwidth(
    axes: Axes,
    bandwidth: Bandwidth,
    roof: Roof,
    marks: Sequence[Bbox],
    taken: Sequence[Path],
) -> Path:
    """The number of a bandwidth along its line, where the fewest marks are in its way."""
    rate = bandwidth.bytes_per_second / _GIGA
    words = f"{roof.name(bandwidth)} {format_digits(rate)} GB/s"
    inside = axes.get_window_extent()

    def count_collisions(place: Slanted) -> int:
        outline = place.outline(axes)
        reach = outline.get_extents()
        away = not (inside.contains(*reach.min) and inside.contains(*reach.max))
        crossing = any(outline.intersects_path(other) for other in taken)
        return sum(map(outline.intersects_bbox, marks)) + 100 * (away + crossing)

    low = max(axes.get_xlim()[0], axes.get_ylim()[0] / rate)
    span = roof.find_corner(bandwidth) / low
    extent = measure_text(axes, words, SMALL)
    places = [
        Slanted(words, SMALL, extent, low * span**part, rate, above)
        for part in _PLACES
        for above in (True, False)
    ]
    return min(places, key=count_collisions).write(axes)


def draw_points(axes: Axes, points: Sequence[RooflinePoint], theme: Theme) -> list[Artist]:
    """A scatter a kind, small marks on large ones; a legend's entries, the most time first."""
    kinds: dict[str, float] = {}
    for point in points:
        kinds[point.kind] = kinds.get(point.kind, 0.0) + point.share
    marks = choose_marks(sorted(kinds, key=lambda kind: -kinds[kind]), theme)
    for kind, mark in marks.items():
        own = sorted((point for point in points if point.kind == kind), key=lambda p: -p.share)
        drawn = axes.scatter(
            [point.intensity for point in own],
            [point.macs_per_second / _GIGA for point in own],
            s=[find_area(point.share) for point in own],
            c=mark.colour,
            marker=mark.marker,
            edgecolors=theme.background,
            linewidths=0.4,
            alpha=0.85,
            zorder=4,
            label=kind,
        )
        title_marks(drawn, [describe_point(point) for point in own])
    return [
        make_mark_handle(mark, f"{kind} ({format_part(kinds[kind])})")
        for kind, mark in marks.items()
    ]


def describe_point(point: RooflinePoint) -> str:
    """A layer in a line, for a tooltip."""
    return (
        f"{point.name} ({point.kind}): {format_digits(point.macs_per_second / _GIGA)} GMAC/s at "
        f"{format_digits(point.intensity)} MACs/byte, {format_part(point.share)} of the time"
    )


def format_part(share: float) -> str:
    """A share of the time in whole per cent: `59%`, `<1%`."""
    return "<1%" if 0 < share < 0.005 else f"{100 * share:.0f}%"


def find_area(share: float) -> float:
    """Square points of the mark of a layer with so much of the time."""
    return _LEAST_AREA + (_WHOLE_AREA - _LEAST_AREA) * share


def name_largest(
    axes: Axes,
    points: Sequence[RooflinePoint],
    marks: Sequence[Bbox],
    texts: Sequence[Path],
    theme: Theme,
) -> None:
    """Names at the layers with the most time, where they find room."""
    largest = sorted(points, key=lambda point: -point.share)[:LABELLED]
    labels = [
        Label(point.name, point.intensity, point.macs_per_second / _GIGA, _find_radius(point))
        for point in largest
    ]
    lines = [Path(axes.transData.transform(line.get_xydata())) for line in axes.lines]
    ground = Ground(axes.get_window_extent(), tuple(marks), (*lines, *texts))
    place_labels(axes, labels, ground, SMALL, theme.text)


def _find_radius(point: RooflinePoint) -> float:
    return sqrt(find_area(point.share)) / 2


def _find_box(axes: Axes, point: RooflinePoint) -> Bbox:
    """The pixels that a point's mark takes."""
    x, y = axes.transData.transform((point.intensity, point.macs_per_second / _GIGA))
    reach = _find_radius(point) * axes.figure.dpi / 72
    return Bbox.from_extents(x - reach, y - reach, x + reach, y + reach)


def describe(
    points: Sequence[RooflinePoint],
    ceiling: Ceiling,
    roof: Roof,
    threads: int,
    label: str,
    date: str,
) -> str:
    """The caption: what ran, on what, and what the plot can not show."""
    ran = ", ".join(part for part in (label, date[:10]) if part)
    among = f", {threads} thread{'s' * (threads != 1)}" if threads else ""
    used = " and ".join(
        f"{roof.name(bandwidth)} with {format_size(bandwidth.working_set)} in use"
        for bandwidth in roof.bandwidths
    )
    hidden = sum(point.share for point in points if not point.intensity)
    parts = [
        f"{ran}." if ran else "",
        f"{ceiling.hardware}{among}: ceilings measured {ceiling.date[:10]}, not from a data sheet; "
        f"{used}.",
        "Area: share of the time.",
        f"Layers without MACs, not shown, take {format_part(hidden)} of it." if hidden else "",
    ]
    return " ".join(part for part in parts if part)
