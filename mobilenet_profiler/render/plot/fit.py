"""A grid under a budget: its cells, with the limits drawn among them."""

from __future__ import annotations

from matplotlib.figure import Figure

from mobilenet_profiler.grid.fit import Bound, Fit
from mobilenet_profiler.grid.fit_words import show_limit
from mobilenet_profiler.grid.quantities import QUANTITIES, Quantity
from mobilenet_profiler.render.plot.style import LIGHT, Theme, use_theme
from mobilenet_profiler.render.plot.tradeoff import choose_sides, draw_tradeoff, list_shown


def draw_fit(fit: Fit, theme: Theme = LIGHT, width: str = "column") -> Figure:
    """Accuracy, or the goal, against what is limited first; a line at each limit of the two.

    Raises UsageError where no cell has both.
    """
    x, y = choose_quantities(fit)
    figure = draw_tradeoff(fit.sweep, x.name, y.name, references=(), theme=theme, width=width)
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
