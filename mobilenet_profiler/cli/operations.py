"""`mobilenet-profiler operations`: what every operation costs, and what makes work free."""

from __future__ import annotations

from typing import Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import Settings, takes_settings, trace_spec
from mobilenet_profiler.cli.output import measure_width, write_renderable, write_text
from mobilenet_profiler.cli.table import report_warnings
from mobilenet_profiler.errors import unknown_name
from mobilenet_profiler.spec import make_spec

FORMATS = ("table", "markdown", "csv", "json")


@takes_settings
def operations(
    settings: Settings,
    model: opt.Model = "mobilenet_v1",
    rules: Annotated[
        bool, typer.Option("--rules", help="List the rules that make work free, and stop.")
    ] = False,
    backward: opt.Backward = False,
    values: opt.Values = False,
    strict: opt.Strict = False,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Print every operation that ran: counted, free by rule, or unknown."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if rules:
        _show_rules(output)
        return
    trace = trace_spec(make_spec(model, **settings), backward, values)
    from mobilenet_profiler.render.ledger import LEDGERS, render_ledger

    if format == "table":
        width = measure_width(output)
        write_renderable(render_ledger(trace, width), output, width)
    else:
        write_text(LEDGERS[format](trace), output)
    raise typer.Exit(report_warnings(trace, format, strict))


def _show_rules(output: str) -> None:
    from mobilenet_profiler.render.ledger import render_rules
    from mobilenet_profiler.trace.policy import list_rules

    write_renderable(render_rules(list_rules()), output, measure_width(output))
