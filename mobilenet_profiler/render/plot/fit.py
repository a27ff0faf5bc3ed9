"""A grid under a budget: its cells, with the limits drawn among them."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from mobilenet_profiler.grid.fit import Bound, Fit
from mobilenet_profiler.grid.fit_words import show_limit
from mobilenet_profiler.grid.quantities import QUANTITIES, Quantity
from mobilenet_profiler.grid.remarks import name_cell
from mobilenet_profiler.render.plot.style import LIGHT, Theme, use_theme
from mobilenet_profiler.render.plot.tradeoff import Ring, choose_sides, draw_tradeoff, list_shown

_AROUND, _ALONE = 55.0, 17.0  # square points of a mark around a cell, and of one with none


def draw_fit(fit: Fit, theme: Theme = LIGHT, width: str = "column") -> Figure:
    """Accuracy, or the goal, against what is limited first; a line at each limit of the two.

    The best cell and the network between the cells are marked.
    Raises UsageError where no cell has both.
    """
    x, y = choose_quantities(fit)
    rings = tuple(list_rings(fit, x, y))
    figure = draw_tradeoff(
        *(fit.sweep, x.name, y.name), references=(), rings=rings, theme=theme, width=width
    )
    (axes, *_) = figure.axes
    sides = choose_sides((x, y), list_shown(fit.sweep, x, y))
    with use_theme(theme):
        for bound in fit.bounds:
            line = axes.axvline if bound.quantity is x else axes.axhline
            scale = sides.x_scale if bound.quantity is x else sides.y_scale
            if bound.quantity in (x, y):
                line(
                    scale.convert(bound.limit),
                    color=theme.series[1],
                    linewidth=0.8,
                    linestyle=(0, (4, 2)),
                    zorder=1,
                    label="_limit",
                )
        axes.set_title(f"budget: {_join(fit, (x, y))}", fontsize="medium", loc="left")
    return figure


def list_rings(fit: Fit, x: Quantity, y: Quantity) -> Iterator[Ring]:
    """Marks for the best cell, and for the network between the cells where there is one."""
    best = fit.best
    across, up = (q.amount(best) if best else None for q in (x, y))
    if best is not None and across is not None and up is not None:
        yield Ring("best cell", across, up, "o", _AROUND, f"Best: {name_cell(best)}.")
    own = fit.between
    across = x.amount(own.result) if own else None
    if own is not None and across is not None and y.name == "top1":
        text = (
            f"Between the cells: {name_cell(own.result)}, about {own.top1:.1f}% top-1, "
            "interpolated."
        )
        yield Ring("between the cells", across, own.top1, "D", _ALONE, text)


def choose_quantities(fit: Fit) -> tuple[Quantity, Quantity]:
    """What is limited first, and accuracy where it is known, else the goal."""
    known = fit.sweep.quantities
    y = QUANTITIES["top1"] if QUANTITIES["top1"] in known else fit.goal.quantity
    limited = [bound.quantity for bound in fit.bounds]
    x = next((own for own in (*limited, fit.goal.quantity) if own is not y), QUANTITIES["macs"])
    return x, y


def _join(fit: Fit, shown: tuple[Quantity, ...]) -> str:
    """The limits in words, and which of them are drawn."""

    def name(bound: Bound) -> str:
        text = ("at least " if bound.least else "at most ") + show_limit(fit, bound)
        return f"{text} (dashed)" if bound.quantity in shown else text

    return ", ".join(map(name, fit.bounds))
