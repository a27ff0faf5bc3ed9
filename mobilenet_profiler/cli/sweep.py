"""`mobilenet-profiler sweep`: a grid of networks, what each costs, as tables of two axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    gives_model_options,
    keep_stdout,
    spare_garbage,
    takes_settings,
    trace_spec,
)
from mobilenet_profiler.cli.output import (
    check_figure_path,
    check_writable,
    measure_width,
    write_bytes,
    write_figure,
    write_note,
    write_renderable,
    write_text,
)
from mobilenet_profiler.cli.profile import check_end, check_machine
from mobilenet_profiler.cli.progress import show_progress
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.axes import MODEL, NODE, Axis, make_axis, parse_axis, parse_values
from mobilenet_profiler.grid.order import make_order
from mobilenet_profiler.grid.pivot import list_axis_names
from mobilenet_profiler.grid.quantities import QUANTITIES, find_quantity
from mobilenet_profiler.grid.saved import SUFFIXES, read_kept, read_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mobilenet_profiler.grid.order import Order
    from mobilenet_profiler.grid.results import Sweep

FORMATS = ("table", "csv", "json", "markdown", "latex", "parquet")
_DRAWN = ("table", "markdown", "latex")  # formats that have tables of two axes


def _axis(what: str) -> Any:
    return typer.Option(metavar="V[,V…]", help=what, show_default=False)


@takes_settings
def sweep(
    settings: Settings,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL…",
            help="One or several, as `compare` takes them (mobilenet_v1); or a saved sweep.",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ] = None,
    alpha: Annotated[list[str] | None, _axis("Width multipliers: 1,0.75 or 0.25:1:0.05.")] = None,
    resolution: Annotated[list[str] | None, _axis("Input heights and widths, pixels.")] = None,
    beta: Annotated[list[str] | None, _axis("Resolution multipliers.")] = None,
    batch: Annotated[list[str] | None, _axis("Images in the input.")] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V,V…",
            help="Any other: depth=18,34, groups=1:8:2, layers=[3,4],[2,2].",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Only cells such as 'macs < 300M and alpha >= 0.5'.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[
        bool, typer.Option("--memory", help="Predict the peak of activations too.")
    ] = False,
    accuracy: Annotated[
        str | None,
        typer.Option(metavar="FILE.csv", help="Accuracies of your own.", show_default=False),
    ] = None,
    source: opt.Source = None,
    convention: opt.InConvention = DEFAULT,
    latency: Annotated[
        bool, typer.Option("--latency", help="Time a pass of each cell too, all in turns.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(metavar="D", help="cpu, cuda, cuda:N, mps (cpu).", show_default=False),
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
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A Ray cluster that counts: auto, HOST:PORT.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="A kind of its nodes that times each cell: cpu, gpu, gpu:h100, NAME.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE.jsonl", help="Grows by a line a cell.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the file of --save.")
    ] = False,
    quantity: Annotated[
        str | None,
        typer.Option(
            metavar="Q[,Q…]",
            help="A table for each: " + ", ".join(QUANTITIES) + ".",
            show_default=False,
        ),
    ] = None,
    down: Annotated[
        str | None, typer.Option(metavar="AXIS", help="Runs down.", show_default=False)
    ] = None,
    across: Annotated[
        str | None, typer.Option(metavar="AXIS", help="Runs across.", show_default=False)
    ] = None,
    long: Annotated[bool, typer.Option("--long", help="A row a cell too.")] = False,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Draw accuracy against MACs, or a heat map: .png, .svg or .pdf.",
            show_default=False,
        ),
    ] = None,
    paper: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE",
            help="A published table instead, ours beside it: 3, 6, 7, checkpoints, all.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if a cell failed or has uncounted work.")
    ] = False,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """What every network of a grid costs: widths, resolutions, any argument of any factory.

    Exact by default; a cell that fails is a row with its error. MobileNet V1 without an
    axis has the alphas and resolutions of its paper. A saved sweep is shown again.
    """
    view = {"quantities": parse_names(quantity), "long": long, "down": down, "across": across}
    check_view(format, view, output, plot)
    given = {"alpha": alpha, "resolution": resolution, "beta": beta, "batch": batch}
    axes = list(gather_axes(given, axis or ()))
    how = {
        **{"device": device, "dtype": dtype, "threads": threads, "channels_last": channels_last},
        **{"compile": compile, **check_end(iterations, min_time, precision, fewest=1)},
    }
    wanted = {
        **{"where": tuple(where or ()), "memory": memory, "latency": latency},
        **{"convention": convention, "nodes": tuple(on or ())},
    }
    accuracies = {"source": source, "file": accuracy}
    run = {"jobs": jobs, "ray": ray, "save": save, "resume": resume}
    asked = {**given, "axis": axis, **how, **wanted, **accuracies, **run}
    if paper:
        asked = {"MODEL": models, **asked, **view, "plot": plot}
        raise typer.Exit(show_paper(paper, settings, asked, format, output))
    if any(map(is_saved_sweep, models or ())):
        found = read_again(models or (), settings, asked)
    else:
        check_machine({"warmup": None, "seed": None, **how, "device": device or "cpu"})
        wanted["nodes"] = wanted["nodes"] or ("",)
        texts = models or ["mobilenet_v1"]
        order = make_order(texts, axes, settings, how, accuracies, **wanted)
        check_places(order, down, across)
        found = run_order(order, **run)
        note_unmatched(order)
    show(found, format, output, view)
    if plot is not None:
        write_figure(draw(found), plot)
    raise typer.Exit((strict and has_failed(found)) or has_nothing(found))


def parse_names(text: str | None) -> tuple[str, ...]:
    """The names of quantities that `macs,params` lists. Raises UsageError."""
    names = [name.strip() for name in text.split(",")] if text is not None else []
    return tuple(find_quantity(name).name for name in names)


def check_view(format: str, view: dict[str, Any], output: str, plot: str | None) -> None:
    """Refuse what the format cannot show, before anything is counted."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    given = [name for name, value in view.items() if value]
    if given and format not in _DRAWN:
        option = "quantity" if given[0] == "quantities" else given[0]
        allowed = ", ".join(_DRAWN)
        raise UsageError(f"--{option} does not apply to format {format!r}; it does to: {allowed}")
    if format == "parquet" and output == "-":
        raise UsageError("format 'parquet' is no text: give a file with --output FILE.parquet")
    if plot is not None:
        check_figure_path(plot)
        check_writable(plot)
    check_writable(output)


def check_places(order: Order, *names: str | None) -> None:
    """Refuse what cannot run down or across, before anything is counted."""
    allowed = (MODEL, NODE, *(axis.name for axis in order.axes))
    if names[0] is not None and len(set(names)) < len(names):
        raise UsageError(f"one axis runs down and another across, given {names[0]!r} for both")
    for name in names:
        if name is not None and name not in allowed:
            raise unknown_name("axis", name, allowed)


def gather_axes(given: dict[str, list[str] | None], texts: Sequence[str]) -> Iterator[Axis]:
    """The axes of the command line; sizes of the input run fastest, as they need no new network.

    What is given of one in several places is one list.
    """
    named = {name: ",".join(texts) for name, texts in given.items() if texts}
    if "alpha" in named:
        yield read_numbers("alpha", named.pop("alpha"))
    yield from map(parse_axis, texts)
    for name, text in named.items():
        yield read_numbers(name, text)


def read_numbers(name: str, text: str) -> Axis:
    """An axis of numbers. Raises UsageError for anything else."""
    axis = make_axis(name, parse_values(name, text))
    for value in axis.values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"--{name} must be numbers such as 1,0.75, given {value!r}")
    return axis


def is_saved_sweep(text: str) -> bool:
    """Whether a text names a file of a sweep rather than a model."""
    return text.casefold().endswith(SUFFIXES)


def read_again(models: Sequence[str], settings: Settings, asked: dict[str, Any]) -> Sweep:
    """A saved sweep, which takes no options of a grid or of how to measure it."""
    path = next(filter(is_saved_sweep, models))
    if len(models) > 1:
        raise UsageError(f"{path!r} is a sweep already: give it alone, given {len(models)} models")
    if option := name_asked(settings, asked):
        raise UsageError(f"{path!r} is a sweep already: {option} does not apply to it")
    return read_sweep(path)


def name_asked(settings: Settings, asked: dict[str, Any]) -> str:
    """The first option that was given of a grid and of how to measure it; '' where none was."""
    unasked = {"jobs": 1, "convention": DEFAULT}
    given = [name for name, value in asked.items() if value and value != unasked.get(name)]
    if not given:
        return "an option of a model" if gives_model_options(settings) else ""
    renamed = {"file": "accuracy", "nodes": "on", "quantities": "quantity"}
    name = renamed.get(given[0], given[0]).replace("_", "-")
    return name if name.isupper() else f"--{name}"


def show_paper(
    names: Sequence[str], settings: Settings, asked: dict[str, Any], format: str, output: str
) -> bool:
    """Published tables beside our counts; whether any number of them differs."""
    from mobilenet_profiler.render.printed import PRINTED, render_printed
    from mobilenet_profiler.verification.printed import choose_places, make_printed

    choose_places(names)
    if option := name_asked(settings, asked):
        raise UsageError(f"a published table has its networks: {option} does not apply to --paper")
    if format not in ("table", *PRINTED):
        raise UsageError(f"--paper has no format {format!r}; allowed: table, {', '.join(PRINTED)}")
    tables = make_printed(names, trace_spec)
    if format == "table":
        width = measure_width(output)
        write_renderable(render_printed(tables, width), output, width)
    else:
        write_text(PRINTED[format](tables), output)
    return any(not table.known.agrees for table in tables)


def run_order(order: Order, **run: Any) -> Sweep:
    """The sweep that was asked for; torch is imported here."""
    with spare_garbage():
        from mobilenet_profiler.sweeping.sweep import run_order
    try:
        with show_progress("sweep") as tell, keep_stdout():
            return run_order(order, on_progress=tell, **run)
    except KeyboardInterrupt:
        write_note(describe_rest(run["save"], len(order.cells)))
        raise


def note_unmatched(order: Order) -> None:
    """Tell which rows of the user's accuracies speak of no cell."""
    path = order.accuracies.get("file")
    if path is None:
        return
    from mobilenet_profiler.grid.accuracies import list_unmatched

    found = [cell.try_spec(order.settings) for cell in order.cells]
    specs = [None if isinstance(spec, UsageError) else spec for spec in found]
    for line in list_unmatched(specs, order.cells, path):
        write_note(line)


def describe_rest(save: str | None, cells: int) -> str:
    """What is left after Ctrl-C, and how to go on."""
    if save is None or not Path(save).exists():
        return "nothing was kept; --save FILE.jsonl keeps what is done"
    done = len(read_kept(save).results)
    return f"{save} has {done:,} of {cells:,} cells; the same command with --resume goes on"


def show(found: Sweep, format: str, output: str, view: dict[str, Any]) -> None:
    """The sweep to stdout or a file; what a format has no room for goes to stderr."""
    if format == "table":
        from mobilenet_profiler.render.sweep import render_sweep

        width = measure_width(output)
        write_renderable(render_sweep(found, width, **view), output, width)
    elif format == "parquet":
        from mobilenet_profiler.frames import encode_parquet

        write_bytes(encode_parquet(found), output)
    else:
        write_text(_encode(found, format, view), output)
    if format not in _DRAWN:
        from mobilenet_profiler.grid.remarks import list_warnings

        for line in list_warnings(found):
            write_note(line)


def _encode(found: Sweep, format: str, view: dict[str, Any]) -> str:
    if format == "json":
        from mobilenet_profiler.render.sweep_json import render_sweep

        return render_sweep(found)
    from mobilenet_profiler.render.sweep import SWEEPS, render_csv

    return render_csv(found) if format == "csv" else SWEEPS[format](found, **view)


def draw(found: Sweep) -> Figure:
    """Accuracy against MACs where accuracies are known, else a heat map."""
    names = [quantity.name for quantity in found.quantities]
    if "top1" in names or not list_axis_names(found):
        from mobilenet_profiler.render.plot.tradeoff import draw_tradeoff

        return draw_tradeoff(found, width="page")
    from mobilenet_profiler.render.plot.heatmap import draw_heatmap

    return draw_heatmap(found, "latency" if "latency" in names else "macs", width="page")


def has_nothing(found: Sweep) -> bool:
    """Whether no cell could be counted."""
    return bool(found.failed) and len(found.failed) == len(found.results)


def has_failed(found: Sweep) -> bool:
    """Whether a cell failed, is missing or has work that no number includes."""
    uncounted = any(result.uncounted for result in found.results)
    return bool(found.failed or found.missing or uncounted)
