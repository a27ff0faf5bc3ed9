"""The pictures of a sweep, as its `.plot` gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobilenet_profiler.errors import unknown_name
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.render.plot.style import THEMES, WIDTHS, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Plots:
    """What can be drawn of a sweep. Each is a matplotlib Figure, which a notebook shows."""

    sweep: Sweep

    def tradeoff(
        self,
        x: str = "macs",
        y: str = "top1",
        *,
        colour: str | None = None,
        marker: str | None = None,
        references: Sequence[CellResult] | None = None,
        theme: str = "light",
        width: str = "column",
    ) -> Figure:
        """One quantity against another, the Pareto front, and other networks beside them.

        colour, marker: axes of the grid. references: see `draw_tradeoff`. theme: light or
        dark. width: column or page. Raises UsageError.
        """
        from mobilenet_profiler.render.plot.tradeoff import draw_tradeoff

        return draw_tradeoff(
            *(self.sweep, x, y),
            colour=colour,
            marker=marker,
            references=references,
            theme=find_theme(theme),
            width=check_width(width),
        )

    def heatmap(
        self,
        quantity: str = "macs",
        down: str | None = None,
        across: str | None = None,
        *,
        theme: str = "light",
        width: str = "column",
    ) -> Figure:
        """One quantity over two axes, the number in each cell. Raises UsageError."""
        from mobilenet_profiler.render.plot.heatmap import draw_heatmap

        return draw_heatmap(
            *(self.sweep, quantity),
            down=down,
            across=across,
            theme=find_theme(theme),
            width=check_width(width),
        )


def find_theme(name: str) -> Theme:
    """The theme of that name. Raises UsageError."""
    if name not in THEMES:
        raise unknown_name("theme", name, THEMES)
    return THEMES[name]


def check_width(name: str) -> str:
    """The name of a width, if there is such a one. Raises UsageError."""
    if name not in WIDTHS:
        raise unknown_name("width", name, WIDTHS)
    return name
