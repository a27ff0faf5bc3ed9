"""`mobilenet-profiler ceiling`: the best that this machine reaches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import spare_garbage
from mobilenet_profiler.cli.output import (
    check_figure_path,
    check_writable,
    measure_width,
    write_figure,
    write_note,
    write_renderable,
    write_text,
)
from mobilenet_profiler.cli.progress import show_progress
from mobilenet_profiler.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from mobilenet_profiler.measured.roofline import Ceiling

FORMATS = ("table", "markdown", "csv", "json")


def ceiling(
    device: Annotated[str, typer.Option(metavar="D", help="cpu, cuda, cuda:N or mps.")] = "cpu",
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Of the CPU, besides 1 and as many as torch takes.",
            show_default=False,
        ),
    ] = None,
    kept: Annotated[
        bool, typer.Option("--kept", help="Show what was measured before; measure nothing.")
    ] = False,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Draw the bandwidths: .png, .svg or .pdf.", show_default=False
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Measure what this machine reaches: matrix products, bandwidth, operations without work.

    It takes some seconds and is kept for this environment; what is reached once stays, so
    that measuring again only raises it.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    check_threads(threads, device, kept)
    check_files(output, plot)
    found = find_kept(device) if kept else renew_ceiling(device, [threads] if threads else [])
    _show(found, format, output)
    if plot is not None:
        from mobilenet_profiler.render.plot.ceiling import draw_bandwidths

        write_figure(draw_bandwidths(found), plot)


def check_threads(threads: int | None, device: str, kept: bool) -> None:
    """Refuse a thread count that is none, that the device has not, or that measures nothing."""
    if threads is None:
        return
    if kept:
        raise UsageError("--threads is what to measure with, and --kept measures nothing")
    if threads < 1:
        raise UsageError(f"--threads must be at least 1, given {threads}")
    opt.check_thread_limit(threads)
    if device.strip().lower() != "cpu":
        raise UsageError(f"--threads is of device 'cpu', given with device {device!r}")


def check_files(output: str, plot: str | None) -> None:
    """Refuse names that cannot be written, before anything is measured."""
    check_writable(output)
    if plot is not None:
        check_figure_path(plot)
        check_writable(plot)


def find_kept(device: str) -> Ceiling:
    """What is kept for a device in this environment; UsageError where nothing is."""
    from mobilenet_profiler.measured.kept import find_ceiling

    device, conditions = find_conditions(device)
    found = find_ceiling(device, conditions, write_note)
    if found is None:
        raise UsageError(
            f"no ceiling of device {device!r} is kept for this environment; "
            f"`mobilenet-profiler ceiling --device {device}` measures it"
        )
    return found


def prepare_ceiling(device: str, threads: int = 0) -> Ceiling:
    """The ceiling that is kept; a new one where none is, or none with so many threads.

    threads: of the CPU; on another device it does not matter.
    """
    from mobilenet_profiler.measured.kept import find_ceiling

    found = find_ceiling(*find_conditions(device), write_note)
    if found is not None and found.covers(threads):
        return found
    return renew_ceiling(device, [threads] if threads else [])


def renew_ceiling(device: str, threads: Sequence[int] = ()) -> Ceiling:
    """Measure a ceiling, join it with what is kept, and keep the two together."""
    from mobilenet_profiler.measured.kept import find_ceiling
    from mobilenet_profiler.measured.roofline import join_ceilings

    device, conditions = find_conditions(device)
    from mobilenet_profiler.timing.ceiling import measure_ceiling

    with show_progress("ceiling") as tell:
        fresh = measure_ceiling(device, conditions, threads, tell)
    known = find_ceiling(device, conditions, write_note)
    joined = join_ceilings(known, fresh) if known else fresh
    keep_ceiling(joined)
    return joined


def find_conditions(device: str) -> tuple[str, dict[str, Any]]:
    """The device, checked, and what its ceiling depends on."""
    from mobilenet_profiler.measured.kept import choose_conditions

    with spare_garbage():
        from mobilenet_profiler.timing.environment import describe_environment, parse_device
    device = parse_device(device)
    return device, choose_conditions(describe_environment(device))


def keep_ceiling(ceiling: Ceiling) -> None:
    """Write it where it will be found, and say where; a folder that refuses is no failure."""
    from mobilenet_profiler.measured.kept import encode_ceiling, locate_ceiling

    path = locate_ceiling(ceiling.device, ceiling.environment)
    try:
        Path(path.parent).mkdir(parents=True, exist_ok=True)
        write_text(encode_ceiling(ceiling), str(path))
    except OSError as error:
        write_note(f"not kept: cannot make {str(path.parent)!r}: {error.strerror}")
    except UsageError as error:
        write_note(f"not kept: {error}")
    else:
        write_note(f"kept in {path}")


def _show(found: Ceiling, format: str, output: str) -> None:
    from mobilenet_profiler.render.ceiling import FORMATS as RENDERERS
    from mobilenet_profiler.render.ceiling import render_ceiling

    if format == "table":
        width = measure_width(output)
        write_renderable(render_ceiling(found, width), output, width)
    else:
        write_text(RENDERERS[format](found), output)
