"""MACs against measured time, the fit of one rate, and which points it misleads about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.measured.profile import FORWARD, Profile
from mobilenet_profiler.measured.proportion import Proportion, fit_proportion
from mobilenet_profiler.measured.rows import make_timed_rows
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.render.plot.amounts import (
    MOST_TICKS,
    Scale,
    choose_scale,
    find_limits,
    format_value,
    frame_axis,
)
from mobilenet_profiler.render.plot.labels import Ground, Label, place_labels
from mobilenet_profiler.render.plot.provenance import (
    describe_convention,
    describe_latency,
    describe_networks,
    describe_profile,
    title_macs,
)
from mobilenet_profiler.render.plot.style import (
    LIGHT,
    MARKERS,
    SMALL,
    Mark,
    Theme,
    add_foot,
    choose_marks,
    make_figure,
    make_mark_handle,
    title_marks,
    use_theme,
)
from mobilenet_profiler.units import format_digits

NAMED = {"column": 8, "page": 12}  # points that are named at most
MISLED = 1.5  # a point that took so many times longer or shorter than the fit may be named
_AREA = 17.0  # square points of a mark


@dataclass(frozen=True, slots=True)
class Timed:
    """A layer or a network: its name, kind, MACs and time in nanoseconds."""

    name: str
    kind: str
    macs: int
    time: Estimate


def draw_residuals(subject: Profile | Sweep, theme: Theme = LIGHT, width: str = "column") -> Figure:
    """Time against MACs, each layer of a profile or each network of a sweep, and below it how
    many times longer each took than the rate says that all have in common.

    Raises UsageError where fewer than two have MACs and a time.
    """
    points = list_timed(subject)
    fit = fit_proportion([p.macs for p in points], [p.time.value for p in points])
    scales = (
        choose_scale("", [p.macs for p in points]),
        choose_scale("ns", [p.time.value for p in points]),
    )
    with use_theme(theme):
        figure = make_figure(width, 4.4 if width == "column" else 5.4)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        marks = mark_kinds(subject, points, theme)
        frame_axes(above, below, points, fit, scales, width)
        draw_fit(above, below, fit, scales, theme)
        draw_points(above, below, points, fit, scales, marks, theme)
        above.set_ylabel(scales[1].title("measured time"))
        below.set_ylabel("time / fit")
        below.set_xlabel(scales[0].title(_title(subject)))
        add_foot(figure, list_handles(marks, theme), describe(subject, points, fit), theme)
        figure.align_ylabels()
        figure.draw_without_rendering()  # the layout is final from here on
        name_misled(below, points, fit, scales, theme, NAMED[width])
    return figure


def _title(subject: Profile | Sweep) -> str:
    return title_macs(subject.trace, "macs") if isinstance(subject, Profile) else "MACs"


def list_timed(subject: Profile | Sweep) -> list[Timed]:
    """What has MACs and a time: layers in their forward pass, or cells."""
    if isinstance(subject, Profile):
        rows = make_timed_rows(subject, every=True)
        found = [(row, row.estimate_phase(FORWARD[0])) for row in rows]
        points = [
            Timed(row.row.name, row.row.kind, row.row.cost.macs, time)
            for row, time in found
            if time and time.value > 0 and row.row.cost.macs
        ]
    else:
        points = [
            Timed(
                _name_cell(own.cell.point) or own.cell.model,
                " ".join(filter(None, (own.cell.model, own.cell.on))),
                macs,
                own.latency,
            )
            for own in subject.results
            if own.latency and own.latency.value > 0 and (macs := own.cost.macs if own.cost else 0)
        ]
    if len(points) < 2:
        raise UsageError(f"a fit needs two with MACs and a time at least, given {len(points)}")
    return points


def _name_cell(point: Mapping[str, Any]) -> str:
    """A cell of a sweep: `0.75, 192`."""
    return ", ".join(map(format_value, point.values()))


def mark_kinds(subject: Profile | Sweep, points: Sequence[Timed], theme: Theme) -> dict[str, Mark]:
    """A mark for each kind of layer, or for each network."""
    kinds = list_kinds(points)
    if isinstance(subject, Profile):
        return choose_marks(kinds, theme)
    pairs = zip(kinds, cycle(theme.series), cycle(MARKERS), strict=False)
    return {kind: Mark(colour, marker) for kind, colour, marker in pairs}


def list_kinds(points: Sequence[Timed]) -> list[str]:
    """The kinds by their time, the longest first."""
    times: dict[str, float] = {}
    for point in points:
        times[point.kind] = times.get(point.kind, 0.0) + point.time.value
    return sorted(times, key=lambda kind: -times[kind])


def frame_axes(
    above: Axes,
    below: Axes,
    points: Sequence[Timed],
    fit: Proportion,
    scales: tuple[Scale, Scale],
    width: str,
) -> None:
    """Logarithmic axes that hold every point with its interval."""
    x = find_limits([scales[0].convert(point.macs) for point in points], True)
    ends = [end for p in points for end in (p.time.low, p.time.value, p.time.high) if end > 0]
    y = find_limits([scales[1].convert(end) for end in ends], True)
    around = min(0.4, min(fit.factors) / 1.8), max(2.5, 1.4 * max(fit.factors))
    for axes, limits, most in ((above, y, 8), (below, around, 5)):
        axes.set(xscale="log", yscale="log", xlim=x, ylim=limits)
        frame_axis(axes.xaxis, True, MOST_TICKS[width], *x)
        frame_axis(axes.yaxis, True, most, *limits)


def draw_fit(
    above: Axes, below: Axes, fit: Proportion, scales: tuple[Scale, Scale], theme: Theme
) -> None:
    """What MACs alone say, and half and twice as long."""
    ends = above.get_xlim()
    for factor in (1.0, 0.5, 2.0):
        times = [scales[1].convert(factor * fit.predict(end * scales[0].size)) for end in ends]
        for axes, values in ((above, times), (below, [factor, factor])):
            axes.plot(
                *(ends, values),
                color=theme.muted,
                linewidth=0.8,
                linestyle="-" if factor == 1 else ":",
                zorder=2,
                scalex=False,
                scaley=False,
                label=f"_fit x{factor:g}",
            )


def draw_points(
    above: Axes,
    below: Axes,
    points: Sequence[Timed],
    fit: Proportion,
    scales: tuple[Scale, Scale],
    marks: dict[str, Mark],
    theme: Theme,
) -> None:
    """A scatter a kind in both panels, with the interval of each time above."""
    for kind, mark in marks.items():
        own = [(p, factor) for p, factor in zip(points, fit.factors, strict=True) if p.kind == kind]
        x = [scales[0].convert(point.macs) for point, _ in own]
        for point, _ in own:
            time = point.time
            above.plot(
                [scales[0].convert(point.macs)] * 2,
                [scales[1].convert(max(end, time.value / 1e3)) for end in (time.low, time.high)],
                color=mark.colour,
                linewidth=0.7,
                zorder=3,
                label="_interval",
            )
        titles = [describe_point(point, factor) for point, factor in own]
        y = [scales[1].convert(point.time.value) for point, _ in own]
        for axes, values in ((above, y), (below, [factor for _, factor in own])):
            drawn = axes.scatter(
                *(x, values),
                s=_AREA,
                c=mark.colour,
                marker=mark.marker,
                edgecolors=theme.background,
                linewidths=0.3,
                zorder=4,
                label=kind,
            )
            title_marks(drawn, titles)


def describe_point(point: Timed, factor: float) -> str:
    """A point in a line, for a tooltip."""
    scale = choose_scale("ns", [point.time.value])
    shown = format_digits(scale.convert(point.time.value))
    kind = f" ({point.kind})" if point.kind != point.name else ""
    return (
        f"{point.name}{kind}: {point.macs:,} MACs, {shown} {scale.name}, "
        f"{format_digits(factor, 2)} times what the fit says"
    )


def list_misled(points: Sequence[Timed], fit: Proportion) -> list[tuple[Timed, float]]:
    """Points far from the fit, those first whose time it misses by most."""
    far = [
        (point, factor)
        for point, factor in zip(points, fit.factors, strict=True)
        if max(factor, 1 / factor) >= MISLED
    ]
    return sorted(far, key=lambda item: -abs(item[0].time.value - fit.predict(item[0].macs)))


def name_misled(
    axes: Axes,
    points: Sequence[Timed],
    fit: Proportion,
    scales: tuple[Scale, Scale],
    theme: Theme,
    most: int,
) -> None:
    """Names at the points that MACs mislead about, where they find room."""
    radius = _AREA**0.5 / 2
    labels = [
        Label(point.name, scales[0].convert(point.macs), factor, radius)
        for point, factor in list_misled(points, fit)[:most]
    ]
    reach = radius * axes.figure.dpi / 72
    places = axes.transData.transform(
        [(scales[0].convert(p.macs), f) for p, f in zip(points, fit.factors, strict=True)]
    )
    boxes = [Bbox.from_extents(x - reach, y - reach, x + reach, y + reach) for x, y in places]
    lines = [axes.transData.transform_path(line.get_path()) for line in axes.lines]
    ground = Ground(axes.get_window_extent(), tuple(boxes), tuple(lines))
    place_labels(axes, labels, ground, SMALL, theme.text)


def list_handles(marks: dict[str, Mark], theme: Theme) -> list[Artist]:
    """A mark a kind, where there are several, and what the lines are."""
    kinds: list[Artist] = [make_mark_handle(mark, kind) for kind, mark in marks.items()]
    return [
        *(kinds if len(kinds) > 1 else []),
        Line2D([], [], color=theme.muted, linewidth=0.8, label="fit: one rate for all"),
        Line2D([], [], color=theme.muted, linewidth=0.8, linestyle=":", label="half, twice that"),
    ]


def describe(subject: Profile | Sweep, points: Sequence[Timed], fit: Proportion) -> str:
    """The caption: what was measured, the rate, and how far it misleads."""
    if isinstance(subject, Profile):
        source, each = describe_profile(subject), f"{len(points)} layers with MACs, forward pass"
    else:
        source = (
            f"{describe_networks(subject)}. {describe_latency(subject)} "
            f"{describe_convention(subject)}"
        )
        names = ", ".join(axis.name for axis in subject.axes)
        each = f"Named by {names}" if names else f"{len(points)} networks"
    return (
        f"{source} {each}. Fit: all MACs over all their time, "
        f"{format_digits(1 / fit.nanoseconds)} GMAC/s; {fit.misplaced:.0%} of the time is "
        f"elsewhere than MACs say; rank correlation {_show_rank(fit)}."
    )


def _show_rank(fit: Proportion) -> str:
    """A rank correlation; what rounds to nothing has no sign."""
    return f"{round(fit.correlation, 2) + 0.0:.2f}"
