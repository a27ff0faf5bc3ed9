"""`mobilenet-profiler check`: a budget for a network, for continuous integration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import Settings, read_in_convention, takes_settings, trace_all
from mobilenet_profiler.cli.output import measure_width, write_renderable, write_text
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from mobilenet_profiler.budget import BudgetCheck

FORMATS = ("table", "markdown", "github", "json")


@takes_settings
def check(
    settings: Settings,
    model: opt.Model = "mobilenet_v1",
    max_macs: Annotated[str | None, opt.limit("MACs")] = None,
    max_params: Annotated[str | None, opt.limit("params")] = None,
    max_weights: Annotated[str | None, opt.limit("weights")] = None,
    max_activations: Annotated[str | None, opt.limit("activations")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A file of `table --format json`: growth; without a limit, its MACs and params.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="The first N layers, and a row for the rest.")] = 10,
    values: opt.Values = False,
    convention: opt.InConvention = DEFAULT,
    strict: opt.Strict = False,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Check that a network is within its budget; exits 1 where it is over.

    Limits are those given; with a baseline alone, its MACs and params. --strict exits 1 on
    uncounted work too; 2 is wrong use.
    """
    from mobilenet_profiler.budget import LIMITED, check_budget, parse_limits

    _check_view(format, top)
    given = (max_macs, max_params, max_weights, max_activations)
    amounts = parse_limits(dict(zip(LIMITED, given, strict=True)), "--max-")
    if not amounts and baseline is None:
        raise UsageError("nothing to check: give --max-macs, --max-params or --baseline")
    known = read_in_convention(baseline, convention) if baseline is not None else None
    (trace,) = trace_all([model], settings, convention, values)
    checked = check_budget(trace, amounts, known)
    _show(checked, format, output, top)
    raise typer.Exit(not checked.within or (strict and bool(trace.uncounted)))


def _check_view(format: str, top: int) -> None:
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if top < 1:
        raise UsageError(f"--top must be at least 1, given {top}")


def _show(checked: BudgetCheck, format: str, output: str, top: int) -> None:
    from mobilenet_profiler.render.budget import CHECKS, render_check

    if format == "table":
        width = measure_width(output)
        write_renderable(render_check(checked, width, top), output, width)
    else:
        write_text(CHECKS[format](checked, top), output)
