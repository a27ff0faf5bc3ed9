"""`mobilenet-profiler compare`: models side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import Settings, takes_settings, trace_all
from mobilenet_profiler.cli.output import measure_width, write_note, write_renderable, write_text
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.rows import list_warnings

if TYPE_CHECKING:
    from mobilenet_profiler.comparing import ModelComparison

FORMATS = ("table", "markdown", "csv", "json")


@takes_settings
def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL MODEL…",
            help="Two or more: as in `table`, 'mobilenet_v1 alpha=0.75', or a file of its JSON.",
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
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Lay models side by side: totals, kinds of layers, and layers of the same path.

    Published top-1 accuracies stand beside the totals; --source takes those of one source.
    """
    from mobilenet_profiler.comparing import compare as compare_traces
    from mobilenet_profiler.published.accuracies import find_accuracies

    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if len(models) < 2:
        raise UsageError(f"compare takes two models or more, given {len(models)}")
    if every and not layers:
        raise UsageError("--all lists layers, given --no-layers")
    traces = trace_all(models, settings, convention, values)
    accuracies = find_accuracies([trace.spec for trace in traces], source)
    comparison = compare_traces(*traces, accuracies=accuracies)
    _show(comparison, format, output, layers, every)
    raise typer.Exit(strict and any(trace.uncounted for trace in comparison.traces))


def _show(comparison: ModelComparison, format: str, output: str, layers: bool, every: bool) -> None:
    from mobilenet_profiler.render.compare import COMPARISONS, render_comparison

    if format == "table":
        width = measure_width(output)
        write_renderable(render_comparison(comparison, width, layers, every), output, width)
    else:
        write_text(COMPARISONS[format](comparison, layers, every), output)
    if format == "csv":
        _note_warnings(comparison)


def _note_warnings(comparison: ModelComparison) -> None:
    for name, trace in zip(comparison.names, comparison.traces, strict=True):
        for line in list_warnings(trace):
            write_note(f"{name}: {line}")
