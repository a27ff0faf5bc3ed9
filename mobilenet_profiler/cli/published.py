"""`mobilenet-profiler published`: figures that were printed elsewhere, with their sources."""

from __future__ import annotations

from typing import Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.output import measure_width, write_renderable, write_text
from mobilenet_profiler.errors import unknown_name

FORMATS = ("table", "markdown", "csv", "json")


def published(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="M",
            help="Of this network, under whatever options.",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ] = None,
    source: opt.Source = None,
    quantity: Annotated[
        str | None,
        typer.Option(help="macs, params, top1, latency, …", show_default=False),
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """List published figures as they were printed, with their sources."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    from mobilenet_profiler.published.catalogue import list_figures, list_sources
    from mobilenet_profiler.render.figures import FORMATS as RENDERERS
    from mobilenet_profiler.render.figures import render_figures

    figures = list_figures(model, source, quantity)
    if format == "table":
        width = measure_width(output)
        write_renderable(render_figures(list_sources(), figures, width), output, width)
    else:
        write_text(RENDERERS[format](list_sources(), figures), output)
