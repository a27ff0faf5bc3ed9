"""`mobilenet-profiler compare`: models side by side, or two profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    holds_profile,
    read_saved_profile,
    takes_settings,
    trace_all,
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
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.rows import list_warnings

if TYPE_CHECKING:
    from mobilenet_profiler.comparing import ModelComparison
    from mobilenet_profiler.cost import Trace
    from mobilenet_profiler.measured.comparing import ProfileComparison
    from mobilenet_profiler.measured.profile import Profile

FORMATS = ("table", "markdown", "csv", "json")


@takes_settings
def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL MODEL…",
            help="Two or more: as in `table`, 'mobilenet_v1 alpha=0.75', or a file of its JSON; "
            "or two files of `profile --save`.",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ],
    settings: Settings,
    layers: Annotated[
        bool, typer.Option("--layers/--no-layers", help="Show layers of the same path.")
    ] = True,
    every: Annotated[
        bool, typer.Option("--all", help="List layers without MACs one by one too.")
    ] = False,
    source: opt.Source = None,
    values: opt.Values = False,
    convention: opt.InConvention = DEFAULT,
    strict: opt.Strict = False,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Draw them side by side: .png, .svg or .pdf.", show_default=False
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Lay models side by side: totals, kinds of layers, and layers of the same path.

    Published top-1 accuracies stand beside the totals; --source takes those of one source.
    Of two profiles: how many times faster, as a whole, by kind and layer by layer.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if len(models) < 2:
        raise UsageError(f"compare takes two models or more, given {len(models)}")
    if every and not layers:
        raise UsageError("--all lists layers, given --no-layers")
    if plot is not None:
        check_figure_path(plot)
        check_writable(plot)
    profiled = [text for text in models if holds_profile(text)]
    if profiled:
        _refuse_mixture(models, profiled)
        of_models = {"source": source, "values": values, "convention": convention != DEFAULT}
        before, after = (read_saved_profile(text, settings, **of_models) for text in models)
        uncounted = _show_profiles(before, after, format, output, layers, every, plot)
    else:
        traces = trace_all(models, settings, convention, values)
        uncounted = _show_models(traces, source, format, output, layers, every, plot)
    raise typer.Exit(strict and uncounted)


def _write_plot(comparison: ModelComparison | ProfileComparison, plot: str | None) -> None:
    if plot is not None:
        from mobilenet_profiler.render.plot.compare import draw_comparison

        write_figure(draw_comparison(comparison, width="page"), plot)


def _refuse_mixture(models: Sequence[str], profiled: Sequence[str]) -> None:
    others = [text for text in models if text not in profiled]
    if others:
        raise UsageError(
            f"{profiled[0]!r} holds a profile and {others[0]!r} does not: give two files of "
            "`profile --save`, or models alone"
        )
    if len(models) > 2:
        raise UsageError(f"profiles are compared by twos, before and after, given {len(models)}")


def _show_models(
    traces: Sequence[Trace],
    source: str | None,
    format: str,
    output: str,
    layers: bool,
    every: bool,
    plot: str | None,
) -> bool:
    """Models side by side; whether any has work that is not counted."""
    from mobilenet_profiler.comparing import compare as compare_traces
    from mobilenet_profiler.published.accuracies import find_accuracies
    from mobilenet_profiler.render.compare import COMPARISONS, render_comparison

    accuracies = find_accuracies([trace.spec for trace in traces], source)
    comparison = compare_traces(*traces, accuracies=accuracies)
    if format == "table":
        width = measure_width(output)
        write_renderable(render_comparison(comparison, width, layers, every), output, width)
    else:
        write_text(COMPARISONS[format](comparison, layers, every), output)
    _write_plot(comparison, plot)
    if format == "csv":
        _note_warnings(comparison)
    return any(trace.uncounted for trace in comparison.traces)


def _show_profiles(
    before: Profile,
    after: Profile,
    format: str,
    output: str,
    layers: bool,
    every: bool,
    plot: str | None,
) -> bool:
    """Profiles side by side; whether any has work that is not counted."""
    from mobilenet_profiler.measured.comparing import compare_profiles
    from mobilenet_profiler.render import compare_profiles as render

    comparison = compare_profiles(before, after)
    if format == "table":
        width = measure_width(output)
        write_renderable(render.render_comparison(comparison, width, layers, every), output, width)
    else:
        write_text(render.COMPARISONS[format](comparison, layers, every), output)
    _write_plot(comparison, plot)
    if format == "csv":
        remarks = render.list_all_remarks(comparison)
        for line in (*comparison.differences, *comparison.sentences, *remarks):
            write_note(line)
    return bool(before.trace.uncounted or after.trace.uncounted)


def _note_warnings(comparison: ModelComparison) -> None:
    for name, trace in zip(comparison.names, comparison.traces, strict=True):
        for line in list_warnings(trace):
            write_note(f"{name}: {line}")
