"""`mobilenet-profiler report`: everything about a network, or several, in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    gives_model_options,
    is_saved,
    keep_stdout,
    read_saved,
    takes_settings,
    trace_spec,
)
from mobilenet_profiler.cli.output import (
    check_folder,
    read_before,
    write_folder,
    write_note,
    write_text,
)
from mobilenet_profiler.cli.progress import show_progress
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.spec import read_spec

if TYPE_CHECKING:
    from mobilenet_profiler.cost import Trace
    from mobilenet_profiler.grid.axes import Axis
    from mobilenet_profiler.grid.results import Sweep
    from mobilenet_profiler.measured.profile import Profile
    from mobilenet_profiler.measured.roofline import Ceiling
    from mobilenet_profiler.verification.verdicts import Verification

_SIZES = ("resolution", "beta")  # two ways to say one thing


@takes_settings
def report(
    settings: Settings,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL…]",
            help="As in `table`, 'mobilenet_v1 alpha=0.75', or a file of its JSON; mobilenet_v1 "
            "where nothing is named.",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option(
            "--profile", metavar="FILE", help="A file of `profile --save`.", show_default=False
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A saved sweep, in place of one.", show_default=False),
    ] = None,
    alpha: Annotated[
        str | None,
        typer.Option(help="The network's; several (1,0.75) are the grid's.", show_default=False),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option(help="Pixels; several (224,128) are the grid's.", show_default=False),
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid/--no-grid", help="Count a grid around networks with an alpha.")
    ] = True,
    source: opt.Source = None,
    convention: opt.InConvention = DEFAULT,
    strict: opt.Strict = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FOLDER", help="Write the files here.")
    ] = "reports",
) -> None:
    """Write a report: one HTML page that needs no network, Markdown, plots, CSV and JSON.

    Layers, the grid of alpha and resolution, published figures with verdicts, and what was
    measured. Prints the page's path.
    """
    from mobilenet_profiler.conventions.catalogue import find_convention
    from mobilenet_profiler.published.catalogue import find_source

    check_folder(output)
    find_convention(convention)
    if source is not None:
        find_source(source)
    measured = read_profiles(profiles or ())
    axes, own = split_values({"alpha": alpha, "resolution": resolution})
    settings |= own
    saved = read_saved_sweep(sweep, axes, grid)
    texts = models or choose_models(measured, saved, settings)
    traces = trace_models(texts, settings, convention, measured)
    known = verify_models(traces, source)
    swept = saved or sweep_models(texts, axes, grid, settings, source, convention)
    write_files(traces, known, swept, measured, source, output)
    tell_missing(traces, swept)
    raise typer.Exit(strict and any(trace.uncounted for trace in traces))


def read_profiles(files: Sequence[str]) -> tuple[Profile, ...]:
    """Every profile of these files."""
    from mobilenet_profiler.measured.saved import read_profiles as read

    return tuple(profile for file in files for profile in read(file))


def split_values(given: Mapping[str, str | None]) -> tuple[tuple[Axis, ...], Settings]:
    """The axes of which several values were given, and the one value of each other option."""
    from mobilenet_profiler.grid.axes import make_axis, parse_values

    axes = [make_axis(name, parse_values(name, text)) for name, text in given.items() if text]
    return (
        tuple(axis for axis in axes if len(axis.values) > 1),
        {axis.name: axis.values[0] for axis in axes if len(axis.values) == 1},
    )


def read_saved_sweep(file: str | None, axes: Sequence[Axis], grid: bool) -> Sweep | None:
    """A saved sweep, beside which no axes are given."""
    if axes and not grid:
        raise UsageError(f"several of --{axes[0].name} are a grid, given --no-grid")
    if file is None:
        return None
    if axes:
        raise UsageError(f"several of --{axes[0].name} are a grid, given --sweep {file}")
    if not grid:
        raise UsageError(f"--no-grid is of a grid that is counted, given --sweep {file}")
    from mobilenet_profiler.grid.saved import read_sweep

    return read_sweep(file)


def choose_models(
    profiles: Sequence[Profile], sweep: Sweep | None, settings: Settings
) -> list[str]:
    """What a report is of where no model is named: what was measured or swept, or the default."""
    if not profiles:
        return list(sweep.models) if sweep else ["mobilenet_v1"]
    if gives_model_options(settings):
        raise UsageError("a profile has its network: name a MODEL for the options of one")
    return []


def trace_models(
    texts: Sequence[str], settings: Settings, convention: str, profiles: Sequence[Profile]
) -> list[Trace]:
    """A trace with its memory for each text, or those of the profiles, each network once.

    What can be refused without torch is refused before any is traced.
    """
    if not texts:
        found = {repr(own.trace.spec): own.trace for own in profiles}
        return [trace.convert(convention) for trace in found.values()]
    saved = {text: read_saved(text, settings, convention) for text in texts if is_saved(text)}
    specs = {text: read_spec(text, **settings) for text in texts if text not in saved}
    traced = {text: trace_spec(spec, memory=True) for text, spec in specs.items()}
    return [saved[text] if text in saved else traced[text].convert(convention) for text in texts]


def verify_models(traces: Sequence[Trace], source: str | None) -> Verification:
    """The verdicts on the published figures of these networks; none for those of no figure."""
    from mobilenet_profiler.verification.choice import choose_traced
    from mobilenet_profiler.verification.verdicts import Networks, verify_figures

    figures = {own.name: own for trace in traces for own in choose_traced(trace, source)}
    return verify_figures(figures.values(), Networks(trace_spec))


def sweep_models(
    texts: Sequence[str],
    axes: Sequence[Axis],
    grid: bool,
    settings: Settings,
    source: str | None,
    convention: str,
) -> Sweep | None:
    """The grid around the networks that have an alpha; of the others where axes were given.

    Where none was given, networks of inputs of their own have none.
    """
    from mobilenet_profiler.grid.order import PUBLISHED_GRID

    chosen_axes = tuple(axes) or PUBLISHED_GRID
    kept = strip_settings(settings, chosen_axes)
    named = [strip_text(text, chosen_axes) for text in texts if not is_saved(text)]
    scaled = [text for text in named if axes or has_grid(text, kept)]
    if not grid or not scaled:
        return None
    from mobilenet_profiler.sweeping.sweep import sweep

    with show_progress("grid") as tell, keep_stdout():
        return sweep(
            list(dict.fromkeys(scaled)),
            axes=chosen_axes,
            memory=True,
            source=source,
            convention=convention,
            on_progress=tell,
            **kept,
        )


def has_grid(text: str, settings: Settings) -> bool:
    """Whether a network, by name or as a variant's file, has an alpha and a default input."""
    from mobilenet_profiler.zoo.catalogue import find_model

    spec = read_spec(text, **settings)
    entry = find_model(spec.model)
    return bool(entry and "alpha" in entry.options and not spec.inputs and not spec.inputs_from)


def list_said(axes: Sequence[Axis]) -> set[str]:
    """The options that axes say of each cell."""
    names = {axis.name for axis in axes}
    return {*names, *_SIZES} if names & set(_SIZES) else names


def strip_settings(settings: Settings, axes: Sequence[Axis]) -> Settings:
    """Settings without what the grid says of each cell."""
    said = list_said(axes)
    return {name: value for name, value in settings.items() if name not in said}


def strip_text(text: str, axes: Sequence[Axis]) -> str:
    """A network without what the grid says of each cell."""
    said = list_said(axes)
    return " ".join(word for word in text.split(" ") if word.partition("=")[0] not in said)


def tell_missing(traces: Sequence[Trace], sweep: Sweep | None) -> None:
    """What no number of the report includes, to stderr too."""
    from mobilenet_profiler.grid.remarks import list_warnings
    from mobilenet_profiler.rows import describe_uncounted

    lines = [line for trace in traces for line in describe_uncounted(trace)]
    for line in (*lines, *(list_warnings(sweep) if sweep else ())):
        write_note(line)


def find_ceilings(profiles: Sequence[Profile]) -> list[Ceiling | None]:
    """The ceilings that are kept for the machines of these profiles."""
    from mobilenet_profiler.cli.profile import find_ceiling

    return [find_ceiling(profile) for profile in profiles]


def write_files(
    traces: Sequence[Trace],
    known: Verification,
    sweep: Sweep | None,
    profiles: Sequence[Profile],
    source: str | None,
    output: str,
) -> None:
    """The report of all that to its folder."""
    from mobilenet_profiler.render.report import PAGE, SUMMARY, list_files, list_stale
    from mobilenet_profiler.report import make_report

    made = make_report(traces, known, sweep, profiles, find_ceilings(profiles), source)
    files = list_files(made)
    write_folder(files, output, list_stale(read_before(output, SUMMARY), files))
    write_text(f"{Path(output) / PAGE}\n")
