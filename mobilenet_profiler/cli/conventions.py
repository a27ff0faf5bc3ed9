"""`mobilenet-profiler conventions`: why a number differs from another tool's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    gives_model_options,
    takes_settings,
    trace_spec,
)
from mobilenet_profiler.cli.output import measure_width, write_renderable, write_text
from mobilenet_profiler.cli.table import report_warnings
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import ModelSpec, make_spec

FORMATS = ("table", "markdown", "csv", "json")


@takes_settings
def conventions(
    settings: Settings,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="As in `table`; without it, the conventions are listed.",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ] = None,
    convention: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this one; repeatable.",
            autocompletion=opt.complete_convention,
            show_default=False,
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """List the conventions of counting, or count MODEL in each and say why they differ."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    names = _choose(convention)
    if model is not None:
        _show_comparison(make_spec(model, **settings), names, format, output)
    elif gives_model_options(settings):
        raise UsageError("options of a model need one: mobilenet-profiler conventions MODEL")
    else:
        _show_list(names, format, output, every=convention is not None)


def _choose(given: Sequence[str] | None) -> tuple[str, ...]:
    """The names asked for, each once, or all."""
    from mobilenet_profiler.conventions.catalogue import find_convention, list_names

    names = tuple(dict.fromkeys(given or list_names()))
    return tuple(find_convention(name).name for name in names)


def _show_list(names: Sequence[str], format: str, output: str, every: bool) -> None:
    from mobilenet_profiler.conventions.catalogue import find_convention
    from mobilenet_profiler.render.conventions import LISTS, render_list

    known = [find_convention(name) for name in names]
    if format == "table":
        write_renderable(render_list(known, every), output, measure_width(output))
    else:
        write_text(LISTS[format](known), output)


def _show_comparison(spec: ModelSpec, names: Sequence[str], format: str, output: str) -> None:
    from mobilenet_profiler.conventions.comparison import compare_conventions
    from mobilenet_profiler.render.conventions import COMPARISONS, render_comparison

    trace = trace_spec(spec)
    rows = compare_conventions(trace, names)
    if format == "table":
        width = measure_width(output)
        write_renderable(render_comparison(trace, rows, width), output, width)
    else:
        write_text(COMPARISONS[format](trace, rows), output)
    report_warnings(trace, format, strict=False)
