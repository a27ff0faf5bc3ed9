"""A ceiling's own plot: bandwidth against working set."""

from __future__ import annotations

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from mobilenet_profiler.measured.roofline import PATTERNS, Ceiling
from mobilenet_profiler.render.plot.style import (
    LIGHT,
    Theme,
    add_foot,
    make_figure,
    use_theme,
)
from mobilenet_profiler.units import format_size

_STYLES: dict[str, tuple[Any, str]] = {"copy": ("-", "o"), "triad": ("--", "s"), "read": (":", "^")}
_GIGA = 1e9


def draw_bandwidths(ceiling: Ceiling, theme: Theme = LIGHT, width: str = "column") -> Figure:
    """Bytes a second against the bytes of all arrays, a colour a thread count, a line a pattern."""
    with use_theme(theme):
        figure = make_figure(width, 2.9 if width == "column" else 3.6)
        axes = figure.add_subplot()
        for colour, count in zip(theme.series * 9, ceiling.threads, strict=False):
            draw_threads(axes, ceiling, count, colour)
        frame_axes(axes, ceiling)
        handles = _list_handles(ceiling, theme)
        add_foot(figure, handles, describe(ceiling), theme)
    return figure


def draw_threads(axes: Axes, ceiling: Ceiling, threads: int, colour: str) -> None:
    """The lines of one thread count."""
    for pattern in PATTERNS:
        own = [
            point
            for point in ceiling.bandwidths
            if (point.threads, point.pattern) == (threads, pattern)
        ]
        style, marker = _STYLES[pattern]
        axes.plot(
            [point.working_set for point in own],
            [point.bytes_per_second / _GIGA for point in own],
            color=colour,
            linestyle=style,
            linewidth=1.0,
            marker=marker,
            markersize=3,
            label=f"{pattern}, {threads}",
        )


def frame_axes(axes: Axes, ceiling: Ceiling) -> None:
    """Logarithmic axes; a tick at every fourth working set, from the smallest on."""
    sets = sorted({point.working_set for point in ceiling.bandwidths})
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("working set: bytes of all arrays")
    axes.set_ylabel("bandwidth (GB/s)")
    axes.xaxis.set_major_locator(FixedLocator(sets[::2]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, place: format_size(round(size))))
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _list_handles(ceiling: Ceiling, theme: Theme) -> list[Artist]:
    """A line in each colour and a grey line in each style, instead of one for every pair."""
    counts = [
        Line2D([], [], color=colour, label=f"{count} thread{'s' * (count != 1)}")
        for colour, count in zip(theme.series * 9, ceiling.threads, strict=False)
        if count
    ]
    patterns = [
        Line2D([], [], color=theme.muted, linestyle=style, marker=marker, markersize=3, label=name)
        for name, (style, marker) in _STYLES.items()
    ]
    return [*patterns, *counts]


def describe(ceiling: Ceiling) -> str:
    """The caption: what was measured, on what and when."""
    return (
        f"{ceiling.hardware}, measured {ceiling.date[:10]}, not from a data sheet: the best "
        "sample of each. copy: b = a; triad: c = a + 3 b; read: a · b."
    )
