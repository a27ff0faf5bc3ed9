"""`mobilenet-profiler check`: a budget for a network, for continuous integration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    holds_profile,
    is_saved,
    read_in_convention,
    read_saved_profile,
    takes_settings,
    trace_all,
)
from mobilenet_profiler.cli.output import measure_width, write_renderable, write_text
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.statistics import FEWEST
from mobilenet_profiler.spec import ModelSpec, read_spec

if TYPE_CHECKING:
    from mobilenet_profiler.budget import BudgetCheck
    from mobilenet_profiler.cost import Trace
    from mobilenet_profiler.measured.profile import Profile

FORMATS = ("table", "markdown", "github", "json")


@takes_settings
def check(
    settings: Settings,
    model: opt.Model = "mobilenet_v1",
    max_macs: Annotated[str | None, opt.limit("MACs")] = None,
    max_params: Annotated[str | None, opt.limit("params")] = None,
    max_weights: Annotated[str | None, opt.limit("weights")] = None,
    max_activations: Annotated[str | None, opt.limit("activations")] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The longest that a pass may take, measured: 20ms, 1.5s, 800us.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="D", help="Where it is measured (cpu).", show_default=False),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="Of what is measured (the network's own).", show_default=False
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of one operation on the CPU.", show_default=False),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(metavar="N", help="Passes in all, half of them clean.", show_default=False),
    ] = None,
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

    Limits are those given; with a baseline and no limit of MACs or the like, its MACs and
    params. A latency is over only where the whole interval of its median is; MODEL may be a
    file of `profile --save`. --strict exits 1 on uncounted work too; 2 is wrong use.
    """
    from mobilenet_profiler.budget import LIMITED, check_budget, parse_limits
    from mobilenet_profiler.units import parse_duration

    _check_view(format, top)
    given = (max_macs, max_params, max_weights, max_activations)
    amounts = parse_limits(dict(zip(LIMITED, given, strict=True)), "--max-")
    limit = None if max_latency is None else parse_duration("--max-latency", max_latency)
    how = {"device": device, "dtype": dtype, "threads": threads, "iterations": iterations}
    if limit is None:
        _refuse_measuring(how)
        if not amounts and baseline is None:
            raise UsageError(
                "nothing to check: give --max-macs, --max-params, --max-latency or --baseline"
            )
    known = read_in_convention(baseline, convention) if baseline is not None else None
    trace, profile = _find(model, settings, convention, values, how, limit is not None)
    checked = check_budget(trace, amounts, known, profile, limit)
    _show(checked, format, output, top)
    raise typer.Exit(not checked.within or (strict and bool(trace.uncounted)))


def _refuse_measuring(how: dict[str, Any]) -> None:
    for name, value in how.items():
        if value is not None:
            raise UsageError(f"--{name} is of --max-latency, which is not given")


def _find(
    model: str,
    settings: Settings,
    convention: str,
    values: bool,
    how: dict[str, Any],
    timed: bool,
) -> tuple[Trace, Profile | None]:
    """The trace of a model and, where it is timed, its profile; both of a saved profile."""
    if holds_profile(model):
        given = {**how, "values": values, "convention": convention != DEFAULT}
        profile = read_saved_profile(model, settings, **given)
        return profile.trace, profile if timed else None
    if timed:
        _check_measuring(model, settings, how)
    (trace,) = trace_all([model], settings, convention, values)
    return trace, _measure(read_spec(model, **settings), how) if timed else None


def _check_measuring(model: str, settings: Settings, how: dict[str, Any]) -> None:
    """Refuse what cannot be measured before anything is traced."""
    from mobilenet_profiler.cli.profile import check_end, check_machine

    if is_saved(model):
        raise UsageError(
            f"{model!r} holds a trace, which has no times: give a model, or a file of "
            "`profile --save`"
        )
    if settings["mode"] == "train":
        raise UsageError("--max-latency is of inference, given --train")
    check_end(how["iterations"], None, None)
    if how["iterations"] is not None and how["iterations"] < 2 * FEWEST:
        raise UsageError(
            f"--iterations must be at least {2 * FEWEST} to decide a latency, "
            f"given {how['iterations']}"
        )
    check_machine({**how, "device": how["device"] or "cpu", "warmup": None, "seed": None})


def _measure(spec: ModelSpec, how: dict[str, Any]) -> Profile:
    """Time the network; torch is imported here."""
    from mobilenet_profiler.cli.profile import measure

    return measure([spec], {**how, "device": how["device"] or "cpu"})[0]


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
