"""`mobilenet-profiler report`: everything about a network, or several, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    is_saved,
    keep_stdout,
    read_saved,
    takes_settings,
    trace_spec,
)
from mobilenet_profiler.cli.output import check_folder, read_before, write_folder, write_text
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

_FIXED = ("alpha=", "resolution=", "beta=")  # what a grid says of each cell


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
        str | None, typer.Option(help="Alphas of the grid: 1,0.75.", show_default=False)
    ] = None,
    resolution: Annotated[
        str | None, typer.Option(help="Its resolutions: 224,128.", show_default=False)
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
    saved = read_saved_sweep(sweep, alpha, resolution, grid)
    texts = models or choose_models(measured, saved)
    axes = make_axes(alpha, resolution)
    traces = trace_models(texts, settings, convention, measured)
    known = verify_models(texts, settings, source)
    swept = saved or sweep_models(texts, axes, grid, settings, source, convention)
    write_files(traces, known, swept, measured, source, output)
    raise typer.Exit(strict and any(trace.uncounted for trace in traces))


def read_profiles(files: Sequence[str]) -> tuple[Profile, ...]:
    """Every profile of these files."""
    from mobilenet_profiler.measured.saved import read_profiles as read

    return tuple(profile for file in files for profile in read(file))


def read_saved_sweep(
    file: str | None, alpha: str | None, resolution: str | None, grid: bool
) -> Sweep | None:
    """A saved sweep, beside which no axes are given."""
    if file is None:
        if not grid and (alpha or resolution):
            raise UsageError(
                f"--{'alpha' if alpha else 'resolution'} is of a grid, given --no-grid"
            )
        return None
    for name, value in (("alpha", alpha), ("resolution", resolution), ("no-grid", not grid)):
        if value:
            raise UsageError(f"--{name} is of a grid that is counted, given --sweep {file}")
    from mobilenet_profiler.grid.saved import read_sweep

    return read_sweep(file)


def choose_models(profiles: Sequence[Profile], sweep: Sweep | None) -> list[str]:
    """What a report is of where no model is named: what was measured or swept, or the default."""
    if profiles:
        return []
    return list(sweep.models) if sweep else ["mobilenet_v1"]


def make_axes(alpha: str | None, resolution: str | None) -> tuple[Axis, ...]:
    """The axes of the grid that were given."""
    from mobilenet_profiler.grid.axes import make_axis, parse_values

    given = (("alpha", alpha), ("resolution", resolution))
    return tuple(make_axis(name, parse_values(name, text)) for name, text in given if text)


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


def verify_models(texts: Sequence[str], settings: Settings, source: str | None) -> Verification:
    """The verdicts on the published figures of these networks; none for those of no figure."""
    from mobilenet_profiler.verification.choice import Question, choose_published
    from mobilenet_profiler.verification.verdicts import Networks, verify_figures

    figures = {}
    for text in texts:
        try:
            chosen = choose_published(Question([text], source, settings=settings))
        except UsageError:  # no figure speaks of it
            continue
        figures.update({figure.name: figure for figure in chosen})
    return verify_figures(figures.values(), Networks(trace_spec))


def sweep_models(
    texts: Sequence[str],
    axes: Sequence[Axis],
    grid: bool,
    settings: Settings,
    source: str | None,
    convention: str,
) -> Sweep | None:
    """The grid around the networks that have an alpha; of the others where axes were given."""
    from mobilenet_profiler.grid.order import PUBLISHED_GRID
    from mobilenet_profiler.zoo.catalogue import find_model

    named = list(dict.fromkeys(_strip(text) for text in texts if not is_saved(text)))
    entries = {text: find_model(text.partition(" ")[0]) for text in named}
    scaled = [text for text, entry in entries.items() if entry and "alpha" in entry.options]
    chosen = named if axes else scaled
    if not grid or not chosen:
        return None
    from mobilenet_profiler.sweeping.sweep import sweep

    with show_progress("grid") as tell, keep_stdout():
        return sweep(
            chosen,
            axes=axes or PUBLISHED_GRID,
            memory=True,
            source=source,
            convention=convention,
            on_progress=tell,
            **settings,
        )


def _strip(text: str) -> str:
    """A network without what the grid says of each cell."""
    return " ".join(word for word in text.split(" ") if not word.startswith(_FIXED))


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
