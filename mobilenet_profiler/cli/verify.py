"""`mobilenet-profiler verify`: counts beside what was published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    gives_model_options,
    takes_settings,
    trace_spec,
)
from mobilenet_profiler.cli.output import measure_width, write_renderable, write_text
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from mobilenet_profiler.verification.choice import Question
    from mobilenet_profiler.verification.verdicts import Verification

FORMATS = ("table", "markdown", "csv", "json", "junit")


@takes_settings
def verify(
    settings: Settings,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Networks of the zoo, variants with [[figure]] tables, or one of any source.",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ] = None,
    source: opt.Source = None,
    figures: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Your own figures, TOML or CSV.", show_default=False),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="QUANTITY=FIGURE",
            help="macs=325M, params=2.6M; repeatable.",
            show_default=False,
        ),
    ] = None,
    convention: opt.InConvention = DEFAULT,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="FIGURE",
            help="One figure, by its name or a part of it, under every convention.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List the figures that agree too.")] = False,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Verify counts against published figures, or against your own.

    Without MODEL, everything that is published of the zoo. Exits 1 if any figure differs.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    question = _ask(models, source, figures, expect, convention, settings)
    if explain is not None:
        raise typer.Exit(_explain(question, explain, format, output))
    from mobilenet_profiler.verification.choice import answer

    known = answer(question, trace_spec)
    _show(known, format, output, every)
    raise typer.Exit(0 if known.agrees else 1)


def _ask(
    models: list[str] | None,
    source: str | None,
    figures: list[Path] | None,
    expect: list[str] | None,
    convention: str,
    settings: Settings,
) -> Question:
    from mobilenet_profiler.published.catalogue import find_source
    from mobilenet_profiler.verification.choice import Question

    if source is not None:
        find_source(source)
    if convention != DEFAULT and not expect:
        raise UsageError(f"--convention {convention} is that of --expect; figures name their own")
    if not models and gives_model_options(settings):
        raise UsageError("options of a model need one: mobilenet-profiler verify MODEL")
    return Question(models or (), source, figures or (), expect or (), convention, settings)


def _show(known: Verification, format: str, output: str, every: bool) -> None:
    from mobilenet_profiler.render.verdicts import render_verification

    every = every or all(verdict.figure.line for verdict in known.verdicts)
    if format == "table":
        width = measure_width(output)
        write_renderable(render_verification(known, width, every), output, width)
    else:
        write_text(_render(known, format, every), output)


def _render(known: Verification, format: str, every: bool) -> str:
    from mobilenet_profiler.render import verdicts
    from mobilenet_profiler.render.junit import render_junit

    if format == "markdown":
        return verdicts.render_verification_markdown(known, every)
    renderers = {
        "csv": verdicts.render_verification_csv,
        "json": verdicts.render_verification_json,
        "junit": render_junit,
    }
    return renderers[format](known)


def _explain(question: Question, name: str, format: str, output: str) -> int:
    from mobilenet_profiler.published.catalogue import find_source
    from mobilenet_profiler.render.fits import render_fits
    from mobilenet_profiler.verification.choice import explain_figure

    if format != "table":
        raise UsageError(f"--explain does not apply to format {format!r}; it does to: table")
    verdict, fits = explain_figure(question, name, trace_spec)
    source = verdict.figure.source
    own = verdict.figure.line
    title = own or f"{find_source(source).title}, {find_source(source).where}"
    write_renderable(render_fits(verdict, title, fits), output, measure_width(output))
    return 1 if verdict.status == "differs" else 0
