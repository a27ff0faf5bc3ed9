"""Which plots a report has: those for which it knows enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.grid.pivot import list_axis_names
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.reach import find_dtype, list_points
from mobilenet_profiler.measured.roofline import CONVOLUTION, Ceiling, find_peak
from mobilenet_profiler.render.plot.compare import MOST, draw_comparison
from mobilenet_profiler.render.plot.depth import draw_depth
from mobilenet_profiler.render.plot.heatmap import draw_heatmap
from mobilenet_profiler.render.plot.memory import draw_memory
from mobilenet_profiler.render.plot.residuals import draw_residuals
from mobilenet_profiler.render.plot.roofline import draw_roofline
from mobilenet_profiler.render.plot.tradeoff import draw_tradeoff
from mobilenet_profiler.report import Report

_AGAINST = {"macs": "MACs", "params": "params", "latency": "latency"}


class Plot(NamedTuple):
    """A plot.

    name: of its file. title: of its section. about: what it shows, in a sentence.
    draw: makes it as wide as a 'column' or a 'page'.
    """

    name: str
    title: str
    about: str
    draw: Callable[[str], Figure]


def list_plots(report: Report) -> Iterator[Plot]:
    """Every plot of a report, the tradeoff first."""
    if report.sweep:
        yield from _plot_sweep(report.sweep)
    several, comparison = len(report.traces) > 1, report.comparison
    if comparison and len(report.traces) <= MOST:
        yield Plot(
            "comparison",
            "Side by side",
            f"MACs and params of {', '.join(report.names)}, by kind of layer",
            _draw_with(draw_comparison, comparison),
        )
    for place, (name, trace) in enumerate(zip(report.names, report.traces, strict=True), 1):
        suffix, of = (f"-{place}", f": {name}") if several else ("", "")
        yield from _plot_network(trace, suffix, of, timed=bool(report.find_profiles(trace)))
    measured = zip(report.profiles, report.ceilings, strict=True)
    for place, (profile, ceiling) in enumerate(measured, 1):
        yield from _plot_profile(profile, ceiling, f"-{place}" if len(report.profiles) > 1 else "")


def _plot_network(trace: Trace, suffix: str, of: str, timed: bool) -> Iterator[Plot]:
    """Along the depth, unless a profile shows that with its times; memory over the pass."""
    if trace.total.macs and not timed:
        yield Plot(
            f"depth{suffix}",
            f"Along the depth{of}",
            f"MACs and params of each layer of {trace.label} in the order of the pass, by kind",
            _draw_with(draw_depth, trace),
        )
    if trace.memory is not None and trace.memory.activations:
        yield Plot(
            f"memory{suffix}",
            f"Memory over the pass{of}",
            f"Bytes that {trace.label} holds while each operation runs, and their peak",
            _draw_with(draw_memory, trace),
        )


def _plot_sweep(sweep: Sweep) -> Iterator[Plot]:
    known = {quantity.name for quantity in sweep.quantities}
    for name, title in _AGAINST.items():
        if {name, "top1"} <= known:
            yield Plot(
                f"tradeoff-{name}",
                f"Accuracy against {title}",
                f"ImageNet top-1 accuracy of each cell of the grid against its {title}",
                _draw_with(draw_tradeoff, sweep, name),
            )
    if len(list_axis_names(sweep)) == 2:
        for name in ("macs", "latency"):
            if name in known:
                title = _AGAINST[name]
                yield Plot(
                    f"heatmap-{name}",
                    f"{title} over the grid",
                    f"{title} of each cell of the grid",
                    _draw_with(draw_heatmap, sweep, name),
                )


def _plot_profile(profile: Profile, ceiling: Ceiling | None, suffix: str) -> Iterator[Plot]:
    label = profile.label
    yield Plot(
        f"time{suffix}",
        f"Time along the depth: {label}",
        f"MACs, params and time of each layer in the order of the pass, by kind: {label}",
        _draw_with(draw_depth, profile),
    )
    if len([point for point in list_points(profile) if point.macs_per_second > 0]) > 1:
        yield Plot(
            f"residuals{suffix}",
            f"Time against MACs: {label}",
            f"Time of each layer against its MACs, and which layers these mislead about: {label}",
            _draw_with(draw_residuals, profile),
        )
    dtype, threads = find_dtype(profile, CONVOLUTION), profile.setup.threads
    if ceiling is not None and find_peak(ceiling, dtype, threads) is not None:
        yield Plot(
            f"roofline{suffix}",
            f"Roofline: {label}",
            f"MACs a second that each layer reached, under the machine's ceilings: {label}",
            _draw_with(draw_roofline, list_points(profile), ceiling, dtype, threads, label),
        )


def _draw_with(draw: Callable[..., Figure], *given: Any) -> Callable[[str], Figure]:
    """A plot but for its width."""
    return lambda width: draw(*given, width=width)
