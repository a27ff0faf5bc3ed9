"""`mobilenet-profiler fit`: the best networks under a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    keep_stdout,
    spare_garbage,
    takes_settings,
)
from mobilenet_profiler.cli.output import (
    check_figure_path,
    check_writable,
    measure_width,
    write_figure,
    write_note,
    write_renderable,
    write_text,
)
from mobilenet_profiler.cli.profile import check_end, check_machine
from mobilenet_profiler.cli.progress import show_progress
from mobilenet_profiler.cli.sweep import gather_axes, is_saved_sweep, name_asked, note_unmatched
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.fit import Bound, Fit, Goal, make_goal, parse_bounds
from mobilenet_profiler.grid.fit_order import make_fit_order
from mobilenet_profiler.grid.quantities import ALIASES, QUANTITIES
from mobilenet_profiler.grid.saved import read_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mobilenet_profiler.grid.order import Order

FORMATS = ("table", "markdown", "csv", "json")
_NAMES = ", ".join([*ALIASES, *(name for name in QUANTITIES if name not in ALIASES.values())])


def _most(what: str, metavar: str) -> Any:
    return typer.Option(metavar=metavar, help=what, show_default=False)


def _values(what: str) -> Any:
    return typer.Option(metavar="V[,V…]", help=what, show_default=False)


@takes_settings
def fit(
    settings: Settings,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL…",
            help="One or several, as `sweep` takes them (mobilenet_v1); or a saved sweep.",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ] = None,
    max_macs: Annotated[str | None, opt.limit("MACs")] = None,
    max_params: Annotated[str | None, opt.limit("params")] = None,
    max_weights: Annotated[str | None, opt.limit("weights")] = None,
    max_activations: Annotated[str | None, opt.limit("activations")] = None,
    max_memory: Annotated[
        str | None, _most("The most that activations may take: 2MB, 1.5MiB.", "BYTES")
    ] = None,
    max_latency: Annotated[
        str | None, _most("The longest that a pass may take, measured: 10ms, 800us.", "TIME")
    ] = None,
    min_accuracy: Annotated[
        str | None, _most("The least top-1 accuracy, per cent: 65.", "P%")
    ] = None,
    maximize: Annotated[
        str | None, _most(f"What there should be most of (accuracy): {_NAMES}.", "Q")
    ] = None,
    minimize: Annotated[
        str | None, _most("What there should be least of, instead: macs.", "Q")
    ] = None,
    between: Annotated[
        bool,
        typer.Option(
            "--between/--no-between",
            help="Look between the cells too, with accuracies interpolated.",
        ),
    ] = True,
    alpha: Annotated[list[str] | None, _values("Width multipliers (the published ones).")] = None,
    resolution: Annotated[
        list[str] | None, _values("Input heights and widths (the published ones).")
    ] = None,
    beta: Annotated[list[str] | None, _values("Resolution multipliers.")] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=V,V…", help="Any other: depth=18,34.", show_default=False),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION", help="Only cells such as 'alpha >= 0.5'.", show_default=False
        ),
    ] = None,
    accuracy: Annotated[
        str | None,
        typer.Option(metavar="FILE.csv", help="Accuracies of your own.", show_default=False),
    ] = None,
    source: opt.Source = None,
    convention: opt.InConvention = DEFAULT,
    device: Annotated[
        str | None,
        typer.Option(metavar="D", help="Where latency is measured (cpu).", show_default=False),
    ] = None,
    dtype: opt.Dtype = None,
    threads: opt.Threads = None,
    channels_last: opt.ChannelsLast = False,
    compile: Annotated[
        bool, typer.Option("--compile", help="Time passes under torch.compile.")
    ] = False,
    iterations: Annotated[
        int | None, typer.Option(metavar="N", help="Passes of each cell.", show_default=False)
    ] = None,
    min_time: opt.MinTime = None,
    precision: opt.Precision = None,
    jobs: Annotated[
        int, typer.Option(metavar="N", help="Processes that count; what is timed is timed alone.")
    ] = 1,
    top: Annotated[int, typer.Option(help="The first N cells.")] = 10,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Draw the cells and the limits: .png, .svg or .pdf.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Find the best networks under a budget, and what lies between the published ones.

    Among the widths and resolutions whose accuracies are published, or those given. Exits 1
    where none fits.
    """
    check_view(format, top, output, plot)
    given = {
        **{"macs": max_macs, "params": max_params, "weights": max_weights},
        **{"activations": max_activations, "memory": max_memory, "latency": max_latency},
        "min_accuracy": min_accuracy,
    }
    bounds, goal = parse_bounds(given, "--max-"), make_goal(maximize, minimize)
    how = {
        **{"device": device, "dtype": dtype, "threads": threads, "channels_last": channels_last},
        **{"compile": compile, **check_end(iterations, min_time, precision, fewest=1)},
    }
    sizes = {"alpha": alpha, "resolution": resolution, "beta": beta}
    axes = list(gather_axes(sizes, axis or ()))
    conditions = tuple(where or ())
    accuracies = {"source": source, "file": accuracy}
    if any(map(is_saved_sweep, models or ())):
        grid = {"axis": axis, "where": conditions, "convention": convention}
        asked: dict[str, Any] = {**sizes, **grid, **how, **accuracies}
        found = fit_saved(models or [], settings, asked, bounds, goal, between)
    else:
        check_machine({"warmup": None, "seed": None, **how, "device": device or "cpu"})
        texts = models or ["mobilenet_v1"]
        order = make_fit_order(
            *(texts, axes, settings, bounds, goal, how, accuracies, conditions, convention)
        )
        found = fit_order(order, bounds, goal, between, jobs)
        note_unmatched(order)
    show(found, format, output, top)
    if plot is not None:
        write_figure(draw(found), plot)
    raise typer.Exit(not found)


def check_view(format: str, top: int, output: str, plot: str | None) -> None:
    """Refuse what cannot be shown, before anything is counted."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if top < 1:
        raise UsageError(f"--top must be at least 1, given {top}")
    if plot is not None:
        check_figure_path(plot)
        check_writable(plot)
    check_writable(output)


def fit_saved(
    models: list[str],
    settings: Settings,
    asked: dict[str, Any],
    bounds: tuple[Bound, ...],
    goal: Goal,
    between: bool,
) -> Fit:
    """What of a saved sweep fits; torch is imported only to look between its cells."""
    from mobilenet_profiler.grid.fit import find_fit

    path = next(filter(is_saved_sweep, models))
    if len(models) > 1:
        raise UsageError(f"{path!r} is a sweep already: give it alone, given {len(models)} models")
    if option := name_asked(settings, asked):
        raise UsageError(f"{path!r} is a sweep already: {option} does not apply to it")
    sweep = read_sweep(path)
    if not between:
        return find_fit(sweep, bounds, goal)
    with spare_garbage():
        from mobilenet_profiler.sweeping.fit import fit_sweep
    with keep_stdout():
        return fit_sweep(sweep, bounds, goal)


def fit_order(order: Order, bounds: tuple[Bound, ...], goal: Goal, between: bool, jobs: int) -> Fit:
    """What of a grid fits; torch is imported here."""
    with spare_garbage():
        from mobilenet_profiler.sweeping.fit import fit_order
    with show_progress("fit") as tell, keep_stdout():
        return fit_order(order, bounds, goal, between, jobs, tell)


def show(found: Fit, format: str, output: str, top: int) -> None:
    """What fits to stdout or a file; what CSV has no room for goes to stderr."""
    from mobilenet_profiler.render.fit import FITS, render_fit

    if format == "table":
        width = measure_width(output)
        write_renderable(render_fit(found, width, top), output, width)
    else:
        write_text(FITS[format](found, top), output)
    if format == "csv":
        from mobilenet_profiler.grid.fit_words import describe_heading, list_sentences

        for line in (f"{describe_heading(found)}.", *list_sentences(found)):
            write_note(line)


def draw(found: Fit) -> Figure:
    """The goal against what is limited, with the limits."""
    from mobilenet_profiler.render.plot.fit import draw_fit

    return draw_fit(found, width="page")
