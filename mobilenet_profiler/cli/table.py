"""`mobilenet-profiler table`: what every layer of a network costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import Settings, keep_stdout, takes_settings, trace_spec
from mobilenet_profiler.cli.output import measure_width, write_note, write_renderable, write_text
from mobilenet_profiler.columns import COLUMNS, MEMORY_COLUMNS, choose_columns
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.rows import GROUPINGS, SORT_KEYS, list_warnings, make_rows
from mobilenet_profiler.spec import ModelSpec, make_spec

if TYPE_CHECKING:
    from mobilenet_profiler.cost import Trace

FORMATS = ("table", "slim", "paper", "markdown", "csv", "json", "latex")
_WHOLE_FORMATS = ("slim", "paper", "json")
_BARE_FORMATS = ("slim", "paper", "csv")


@takes_settings
def table(
    settings: Settings,
    model: opt.Model = "mobilenet_v1",
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
    sort: Annotated[str | None, typer.Option(help=", ".join(SORT_KEYS), show_default=False)] = None,
    top: Annotated[
        int | None, typer.Option(help="The first N rows, and one for the rest.", metavar="N")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Add up by the first N names of a path.", metavar="N")
    ] = None,
    by: Annotated[str, typer.Option(help=", ".join(GROUPINGS))] = "layer",
    every: Annotated[
        bool, typer.Option("--all", help="List layers without MACs one by one too.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Separated by commas: " + ", ".join(column.name for column in COLUMNS),
            show_default=False,
        ),
    ] = None,
    backward: opt.Backward = False,
    values: opt.Values = False,
    memory: Annotated[
        bool, typer.Option("--memory", help="Predict the memory that the tensors take too.")
    ] = False,
    convention: opt.InConvention = DEFAULT,
    strict: opt.Strict = False,
    cross_check: Annotated[
        bool,
        typer.Option("--cross-check", help="Count with PyTorch and fvcore too; exit 1 if unequal."),
    ] = False,
) -> None:
    """Print the cost of every layer: parameters and MACs, traced, exact.

    Exits 1 if --cross-check finds a difference, or --strict uncounted work;
    2 if something given cannot be used.
    """
    view = {"by": by, "depth": depth, "sort": sort, "top": top, "every": every}
    names = [name.strip() for name in columns.split(",")] if columns else None
    check_view(format, view, names)
    memory |= bool({*(names or ()), sort} & {*MEMORY_COLUMNS})
    check_convention(convention, format, backward)
    check_memory_format(memory, format)
    spec = make_spec(model, **settings)
    trace = trace_spec(spec, backward, values, memory)
    show(trace.convert(convention), format, output, view, names)
    failed = report_warnings(trace, format, strict)
    if cross_check:
        failed |= report_cross_check(spec, trace)
    raise typer.Exit(failed)


def check_view(format: str, view: dict[str, Any], columns: list[str] | None) -> None:
    """Refuse what the format cannot show, before anything is traced."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    check_rows(view, SORT_KEYS)
    choose_columns(columns)
    given = [name for name in ("depth", "sort", "top", "every") if view[name]]
    given += ["by"] if view["by"] != "layer" else []
    given += ["columns"] if columns else []
    if format in _WHOLE_FORMATS and given:
        option = "all" if given[0] == "every" else given[0]
        allowed = ", ".join(name for name in FORMATS if name not in _WHOLE_FORMATS)
        raise UsageError(f"--{option} does not apply to format {format!r}; it does to: {allowed}")


def check_rows(view: dict[str, Any], sort_keys: Sequence[str]) -> None:
    """Refuse rows that cannot be made of any trace."""
    if view["by"] not in GROUPINGS:
        raise unknown_name("grouping", view["by"], GROUPINGS)
    if view["sort"] is not None and view["sort"] not in sort_keys:
        raise unknown_name("sort key", view["sort"], sort_keys)
    for name in ("top", "depth"):
        if view[name] is not None and view[name] < 1:
            raise UsageError(f"--{name} must be at least 1, given {view[name]}")
    if view["depth"] is not None and view["by"] != "layer":
        raise UsageError("give --depth or --by, not both: each adds layers up its own way")


def check_convention(name: str, format: str, backward: bool) -> None:
    """Refuse a convention that there is not, or that the format or a backward pass has not."""
    if name == DEFAULT:
        return
    from mobilenet_profiler.conventions.catalogue import find_convention

    find_convention(name)
    if format in ("slim", "paper"):
        allowed = ", ".join(known for known in FORMATS if known not in ("slim", "paper"))
        raise UsageError(f"--convention does not apply to format {format!r}; it does to: {allowed}")
    if backward:
        raise UsageError(f"convention {name!r} counts the forward pass alone, given --backward")


def check_memory_format(memory: bool, format: str) -> None:
    """Refuse memory in a format that has no room for it."""
    if memory and format in ("slim", "paper"):
        allowed = ", ".join(known for known in FORMATS if known not in ("slim", "paper"))
        raise UsageError(f"--memory does not apply to format {format!r}; it does to: {allowed}")


def show(
    trace: Trace, format: str, output: str, view: dict[str, Any], columns: list[str] | None
) -> None:
    """One view of the trace to stdout or a file."""
    if format == "table":
        from mobilenet_profiler.render.table import render_table

        width = measure_width(output)
        plain = view["sort"] is None and not view["every"] and view["by"] == "layer"
        plain = plain and view["depth"] is None
        rows = make_rows(trace, **view)
        summary, every = view["by"] != "kind", view["every"]
        shown = render_table(trace, rows, columns, width, plain, summary, every)
        write_renderable(shown, output, width)
    else:
        write_text(_render(trace, format, view, columns), output)


def _render(trace: Trace, format: str, view: dict[str, Any], columns: list[str] | None) -> str:
    if format == "slim":
        from mobilenet_profiler.render.slim import render_slim

        return render_slim(trace)
    if format == "paper":
        from mobilenet_profiler.render.paper import render_paper

        return render_paper(trace)
    if format == "json":
        from mobilenet_profiler.render.json import render_json

        return render_json(trace)
    from mobilenet_profiler.render.text import render_csv, render_latex, render_markdown

    if format == "csv":
        rows = make_rows(trace, **{**view, "every": True})
        return render_csv(rows, columns, trace.convention)
    render = render_markdown if format == "markdown" else render_latex
    return render(trace, make_rows(trace, **view), columns)


def report_cross_check(spec: ModelSpec, trace: Trace) -> int:
    """The three counts side by side on stderr; 0 if they are equal, else 1."""
    from mobilenet_profiler.trace.cross_check import cross_check

    with keep_stdout():
        check = cross_check(spec, trace)
    verdict = "equal" if check.agrees else "DIFFERENT"
    write_note("MACs by three counters: " + verdict)
    write_note(f"  mobilenet-profiler        {check.ours:>20,}")
    write_note(f"  torch flop_counter / 2    {check.flop_counter:>20,}")
    write_note(f"  fvcore conv and linear    {check.fvcore:>20,}")
    return 0 if check.agrees else 1


def report_warnings(trace: Trace, format: str, strict: bool) -> int:
    """What a format has no room for, on stderr; 1 if strict and any work is not counted."""
    for line in list_warnings(trace) if format in _BARE_FORMATS else ():
        write_note(line)
    return 1 if strict and trace.uncounted else 0
