"""One figure under every convention: what each counts, how far it is, which would fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.render.table import add_text_column, start_table
from mobilenet_profiler.render.verdicts import describe_numbers, show_exact
from mobilenet_profiler.units import format_count, format_decimal
from mobilenet_profiler.verification.fits import Fit
from mobilenet_profiler.verification.verdicts import Verdict

_HEADINGS = ("counts", "count - printed", "fits", "convention, and what it adds up")


def render_fits(verdict: Verdict, source: str, fits: Sequence[Fit]) -> Group:
    """The figure, its verdict, and each way of counting it, its own first."""
    figure = verdict.figure
    about = ", ".join(part for part in (source, figure.place, figure.subject) if part)
    how = f" ({verdict.how})" if verdict.how else ""
    reason = f": {verdict.reason}" if verdict.reason else ""
    return Group(
        Text(figure.name, style="bold"),
        Text(about),
        Text(describe_numbers(verdict)),
        Text(f"{verdict.status}{how}{reason}", style="bold"),
        Text(),
        *_list_ways(verdict, fits),
    )


def _list_ways(verdict: Verdict, fits: Sequence[Fit]) -> Iterator[RenderableType]:
    if fits:
        yield _make_table(verdict, fits)
        yield Text()
        yield Text(name_nearest(fits), style="bold")


def name_way(fit: Fit) -> str:
    """`slim`, `macs, torchvision`, or `paper with num_classes=1001`."""
    options = " ".join(f"{key}={value}" for key, value in fit.options.items())
    return " with ".join(part for part in (", ".join(fit.conventions) or "-", options) if part)


def name_nearest(fits: Sequence[Fit]) -> str:
    """The way of counting that fits, or the one that comes nearest."""
    own, *others = fits
    fitting = next((fit for fit in others if fit.how), None)
    if own.how:
        return f"It fits its own convention, {name_way(own)} ({own.how})."
    if fitting:
        return f"What fits, the nearest first: {name_way(fitting)} ({fitting.how})."
    nearest = min(fits, key=lambda fit: abs(fit.gap))
    return f"None fits; the nearest is {name_way(nearest)}."


def _make_table(verdict: Verdict, fits: Sequence[Fit]) -> Table:
    lines = [_HEADINGS[:3], *(_list_cells(verdict, fit) for fit in fits)]
    table = start_table(footer=False)
    for column in zip(*lines, strict=True):
        add_text_column(table, column, numeric=column[0] != "fits")
    table.add_column(_HEADINGS[3], overflow="fold")
    for line, fit in zip(lines[1:], fits, strict=True):
        way = Group(Text(name_way(fit), style="bold"), Text(fit.made_of, style="dim"))
        table.add_row(*map(Text, line), way)
    return table


def _list_cells(verdict: Verdict, fit: Fit) -> tuple[str, ...]:
    counted = show_exact(verdict.figure, fit.exact)
    return (counted, _show_gap(verdict, fit), fit.how or "no")


def _show_gap(verdict: Verdict, fit: Fit) -> str:
    if verdict.figure.unit == "%":
        text = f"{format_decimal(100 * fit.gap, 4)} %"
    elif fit.gap.denominator == 1:
        text = format_count(int(fit.gap))
    else:
        text = format_decimal(fit.gap, 4)
    return f"+{text}" if fit.gap > 0 else text
