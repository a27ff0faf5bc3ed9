"""`mobilenet-profiler profile`: where the time of a network goes, layer by layer."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import (
    Settings,
    gives_model_options,
    is_saved,
    keep_stdout,
    spare_garbage,
    takes_settings,
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
from mobilenet_profiler.cli.progress import show_progress
from mobilenet_profiler.cli.table import check_rows
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.columns import Sheet, make_sheet
from mobilenet_profiler.measured.profile import DEVICES, DTYPES, RUN_MODES, Profile
from mobilenet_profiler.measured.rows import TIME_SORT_KEYS, make_timed_rows
from mobilenet_profiler.measured.training import OPTIMIZERS, fill_training_settings
from mobilenet_profiler.rows import GROUPINGS
from mobilenet_profiler.spec import ModelSpec, make_spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from mobilenet_profiler.measured.roofline import Ceiling

FORMATS = ("table", "markdown", "csv", "json")
# How a network runs where nothing is asked for; what is not here is None.
_UNASKED = {
    **{"device": "cpu", "channels_last": False, "compile": False, "mode": RUN_MODES[0]},
    **{"optimizer": OPTIMIZERS[0], "seed": 0},
}


@takes_settings
def profile(
    settings: Settings,
    model: opt.Model = "mobilenet_v1",
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N…]",
            help="Images in the input (1; training 64); several are measured in turns.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[str, typer.Option(help=", ".join(RUN_MODES))] = "inference",
    optimizer: Annotated[
        str | None,
        typer.Option(
            help=f"Of a training step: {', '.join(OPTIMIZERS)} (rmsprop).", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="D", help="cpu, cuda, cuda:N, mps.")] = "cpu",
    dtype: opt.Dtype = None,
    threads: opt.Threads = None,
    channels_last: opt.ChannelsLast = False,
    compile: Annotated[
        bool, typer.Option("--compile", help="Time the whole under torch.compile too.")
    ] = False,
    iterations: Annotated[
        int | None,
        typer.Option(metavar="N", help="Passes in all, half of them clean.", show_default=False),
    ] = None,
    min_time: opt.MinTime = None,
    precision: opt.Precision = None,
    warmup: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Passes that do not count (until they no longer get faster).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of weights, inputs, labels.")] = 0,
    by: Annotated[str | None, typer.Option(help=", ".join(GROUPINGS), show_default=False)] = None,
    depth: Annotated[
        int | None, typer.Option(help="Add up by the first N names of a path.", metavar="N")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help=", ".join(TIME_SORT_KEYS), show_default=False)
    ] = None,
    top: Annotated[
        int | None, typer.Option(help="The first N rows, and one for the rest.", metavar="N")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="List layers without MACs one by one too.")
    ] = False,
    no_ceiling: Annotated[
        bool, typer.Option("--no-ceiling", help="Leave the machine's measured ceiling out.")
    ] = False,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE.json", help="Keep every sample.", show_default=False),
    ] = None,
    trace_out: Annotated[
        str | None,
        typer.Option(metavar="FILE.json", help="One pass for ui.perfetto.dev.", show_default=False),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Draw a roofline: .png, .svg or .pdf.", show_default=False
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help=", ".join(FORMATS))] = "table",
    output: opt.Output = "-",
) -> None:
    """Time a network, whole and layer by layer, beside its exact costs.

    Clean and instrumented passes alternate; every figure has its interval. A file of --save
    is shown again. Exits 2 if something given cannot be used.
    """
    view = {"by": by, "depth": depth, "sort": sort, "top": top, "every": every}
    check_view(format, view)
    how = {
        "device": device,
        "dtype": dtype,
        "threads": threads,
        "channels_last": channels_last,
        "compile": compile,
        "mode": mode,
        "optimizer": check_optimizer(optimizer, mode),
        "warmup": warmup,
        "seed": seed,
        **check_end(iterations, min_time, precision),
    }
    check_machine(how)
    batches = parse_batches(batch)
    known = read_again(model, settings, batches, how) if is_saved(model) else ()
    specs = [] if known else make_specs(model, settings, batches, mode)
    own = [item.setup.batch for item in known] or [spec.batch for spec in specs]
    if plot is not None and no_ceiling:
        raise UsageError("--plot draws the machine's ceiling, given --no-ceiling")
    files = Files(save, trace_out, plot, tuple(own))
    files.check(output)
    profiles = known or measure(specs, how)
    ceilings = find_ceilings(profiles, not no_ceiling, plot is not None and not known)
    if plot is not None and not all(ceilings):
        raise UsageError(f"--plot draws the ceiling of the machine that {model!r} is of: none kept")
    files.write(profiles, ceilings)
    hints = () if no_ceiling else hint(profiles, ceilings)
    show(make_sheets(profiles, ceilings, view), format, output, view, hints)


def check_view(format: str, view: dict[str, Any]) -> None:
    """Refuse what the format cannot show, before anything is measured."""
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    check_rows({**view, "by": view["by"] or "layer"}, TIME_SORT_KEYS)
    given = [name for name, value in view.items() if value]
    if format == "json" and given:
        option = "all" if given[0] == "every" else given[0]
        allowed = ", ".join(name for name in FORMATS if name != "json")
        raise UsageError(f"--{option} does not apply to format 'json'; it does to: {allowed}")


def check_optimizer(optimizer: str | None, mode: str) -> str:
    """The optimizer of a training step; refused where there is none."""
    if mode not in RUN_MODES:
        raise unknown_name("mode", mode, RUN_MODES)
    if optimizer is None:
        return OPTIMIZERS[0]
    if optimizer not in OPTIMIZERS:
        raise unknown_name("optimizer", optimizer, OPTIMIZERS)
    if mode != "train":
        raise UsageError(f"--optimizer is of --mode train, given with mode {mode!r}")
    return optimizer


def check_end(
    iterations: int | None, min_time: float | None, precision: str | None, fewest: int = 2
) -> dict[str, int | float]:
    """The rule that ends the measurement, as `profile_specs` takes it; one at most.

    fewest: iterations, of which a profile has one half clean.
    """
    given = {"iterations": iterations, "min_time": min_time, "precision": precision}
    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise UsageError(
            f"give one of --iterations, --min-time and --precision, given {' and '.join(named)}"
        )
    if iterations is not None:
        if iterations < fewest:
            half = ", half of them clean" if fewest > 1 else ""
            raise UsageError(f"--iterations must be at least {fewest}{half}, given {iterations}")
        return {"iterations": iterations}
    if min_time is not None:
        if not 0 < min_time < math.inf:
            raise UsageError(f"--min-time must be seconds above 0, given {min_time:g}")
        return {"min_time": min_time}
    return {} if precision is None else {"precision": parse_precision(precision)}


def parse_precision(text: str) -> float:
    """The part that `2%` stands for."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*%", text.strip(), re.ASCII)
    if not found or not 0 < float(found[1]) < 100:
        raise UsageError(f"--precision must be per cent of the median, such as 2%, given {text!r}")
    return float(found[1]) / 100


def check_machine(how: dict[str, Any]) -> None:
    """Refuse a device, dtype or number that can be none, before torch is asked for it."""
    device, dtype = how["device"], how["dtype"]
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", device, re.ASCII):
        raise unknown_name("device", device, DEVICES, also="cuda:N")
    if dtype is not None and dtype not in DTYPES:
        raise unknown_name("dtype", dtype, DTYPES)
    for name, least in (("threads", 1), ("warmup", 0), ("seed", 0)):
        if how[name] is not None and how[name] < least:
            raise UsageError(f"--{name} must be at least {least}, given {how[name]}")
    opt.check_thread_limit(how["threads"])
    if how["threads"] is not None and device != "cpu":
        raise UsageError(f"--threads is of device 'cpu', given with device {device!r}")


def parse_batches(text: str | None) -> tuple[int | None, ...]:
    """The batch sizes that `1,8,32` lists, each once; the default one where none is given."""
    if text is None:
        return (None,)
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"0*[1-9]\d{0,8}", part, re.ASCII) for part in parts):
        raise UsageError(
            f"--batch must be whole numbers of at least 1, such as 8 or 1,8,32, given {text!r}"
        )
    return tuple(dict.fromkeys(map(int, parts)))


def make_specs(
    model: str, settings: Settings, batches: Sequence[int | None], mode: str
) -> list[ModelSpec]:
    """A spec for each batch; training has the reference's settings where none are given."""
    specs = []
    for batch in batches:
        own = settings if batch is None else {**settings, "batch": batch}
        own = fill_training_settings(model, own) if mode == "train" else own
        specs.append(make_spec(model, **{**own, "mode": "train" if mode == "train" else "eval"}))
    return specs


def read_again(
    path: str, settings: Settings, batches: Sequence[int | None], how: dict[str, Any]
) -> tuple[Profile, ...]:
    """What `--save` kept, to be shown anew; it takes no options of a model or of a run."""
    from mobilenet_profiler.measured.saved import read_profiles

    given = [name for name, value in how.items() if value != _UNASKED.get(name)]
    if gives_model_options(settings) or batches != (None,) or given:
        raise UsageError(f"{path!r} is measured: options of a model or of a run do not apply")
    return read_profiles(path)


def measure(specs: Sequence[ModelSpec], how: dict[str, Any]) -> tuple[Profile, ...]:
    """The profiles of all specs, measured in turns; torch is imported here."""
    with spare_garbage():
        from mobilenet_profiler.timing.profiler import profile_specs
    with show_progress(specs[0].model) as tell, keep_stdout():
        return profile_specs(specs, on_progress=tell, **how)


def find_ceiling(profile: Profile) -> Ceiling | None:
    """The ceiling that is kept for the machine and the threads that a profile is of."""
    from mobilenet_profiler.measured import kept

    conditions = kept.choose_conditions(profile.environment)
    found = kept.find_ceiling(profile.setup.device, conditions, write_note)
    return found if found is not None and found.covers(profile.setup.threads) else None


def find_ceilings(
    profiles: Sequence[Profile], wanted: bool, measured: bool
) -> list[Ceiling | None]:
    """The ceiling of each profile. measured: what is not known is measured, in seconds."""
    found = [find_ceiling(profile) if wanted else None for profile in profiles]
    if not measured or all(found):
        return found
    from mobilenet_profiler.cli.ceiling import prepare_ceiling

    setup = profiles[0].setup
    prepared = prepare_ceiling(setup.device, setup.threads if setup.device == "cpu" else 0)
    return [ceiling or prepared for ceiling in found]


def hint(profiles: Sequence[Profile], ceilings: Sequence[Ceiling | None]) -> tuple[str, ...]:
    """What to run so that the ceiling is known, where it is not."""
    if all(ceilings):
        return ()
    setup = profiles[0].setup
    option = f" --threads {setup.threads}" if setup.device == "cpu" else f" --device {setup.device}"
    return (
        "how near each layer comes to what this machine can do is not known: "
        f"`mobilenet-profiler ceiling{option}` measures that in seconds, once",
    )


@dataclass(frozen=True)
class Files:
    """Where profiles go besides the table: all samples in one file, the others one a batch."""

    save: str | None
    trace_out: str | None
    plot: str | None
    batches: tuple[int | None, ...]

    def check(self, output: str) -> None:
        """Refuse names that cannot be written, before anything is measured."""
        if self.plot is not None:
            check_figure_path(self.plot)
        taken: dict[str, str] = {}
        for option, name in self._list_names(output):
            if name == "-" and option != "--output":
                raise UsageError(f"{option} takes a file, given '-'; stdout is for --format")
            other = taken.setdefault(os.path.realpath(name), option)
            if other != option:
                raise UsageError(f"{other} and {option} name one file, {name!r}")
            check_writable(name)

    def _list_names(self, output: str) -> Iterator[tuple[str, str]]:
        yield "--output", output
        if self.save is not None:
            yield "--save", self.save
        for option, path in (("--trace-out", self.trace_out), ("--plot", self.plot)):
            if path is not None:
                yield from ((option, self.name(path, batch)) for batch in self.batches)

    def name(self, path: str, batch: int | None) -> str:
        """`pass.json`, or `pass.batch8.json` where there are several batches."""
        if len(self.batches) == 1 or path == "-":
            return path
        file = Path(path)
        return str(file.with_name(f"{file.stem}.batch{batch}{file.suffix}"))

    def write(self, profiles: Sequence[Profile], ceilings: Sequence[Ceiling | None]) -> None:
        """Every file that was asked for, each whole or not at all."""
        if self.save is not None:
            write_text(encode(profiles), self.save)
        for batch, profile, ceiling in zip(self.batches, profiles, ceilings, strict=True):
            if self.trace_out is not None:
                from mobilenet_profiler.render.perfetto import render_trace_events

                write_text(render_trace_events(profile), self.name(self.trace_out, batch))
            if self.plot is not None and ceiling is not None:
                self._write_plot(profile, ceiling, self.name(self.plot, batch))

    def _write_plot(self, profile: Profile, ceiling: Ceiling, path: str) -> None:
        from mobilenet_profiler.measured.reach import find_dtype
        from mobilenet_profiler.measured.roofline import CONVOLUTION, find_peak

        dtype = find_dtype(profile, CONVOLUTION)
        if find_peak(ceiling, dtype, profile.setup.threads) is None:
            write_note(f"no plot: the ceiling of this machine has no {dtype}")
        else:
            write_figure(draw(profile, ceiling), path)


def make_sheets(
    profiles: Sequence[Profile], ceilings: Sequence[Ceiling | None], view: dict[str, Any]
) -> list[Sheet]:
    """The rows that were asked for, of each profile."""
    chosen = {**view, "by": view["by"] or GROUPINGS[0]}
    return [
        make_sheet(profile, make_timed_rows(profile, **chosen), ceiling)
        for profile, ceiling in zip(profiles, ceilings, strict=True)
    ]


def show(
    sheets: Sequence[Sheet], format: str, output: str, view: dict[str, Any], hints: Sequence[str]
) -> None:
    """The profiles to stdout or a file; what a format has no room for goes to stderr."""
    if format == "table":
        width = measure_width(output)
        write_renderable(_draw(sheets, view, width, hints), output, width)
    elif format == "markdown":
        write_text(_write_markdown(sheets, view, hints), output)
    else:
        write_text(_encode(sheets, format), output)
        from mobilenet_profiler.render.batches import list_batch_remarks

        for line in (*list_batch_remarks([sheet.profile for sheet in sheets]), *hints):
            write_note(line)


def _draw(
    sheets: Sequence[Sheet], view: dict[str, Any], width: int, hints: Sequence[str]
) -> RenderableType:
    """One profile whole; of several what sets them apart, and rows where they were asked for."""
    from rich.console import Group
    from rich.text import Text

    from mobilenet_profiler.render.batches import render_batches
    from mobilenet_profiler.render.profile import render_layers, render_profile

    brackets = (view["by"] or "layer") == "layer" and not any(
        view[name] for name in ("depth", "sort", "every")
    )
    if len(sheets) == 1:
        return render_profile(sheets[0], width, brackets, view["by"] != "kind", hints)
    shown = sheets if any(view.values()) else ()
    tables = [part for s in shown for part in (Text(), render_layers(s, width, brackets))]
    return Group(render_batches([sheet.profile for sheet in sheets], width, hints), *tables)


def _write_markdown(sheets: Sequence[Sheet], view: dict[str, Any], hints: Sequence[str]) -> str:
    from mobilenet_profiler.render import batches
    from mobilenet_profiler.render.profile import render_layers_markdown, render_markdown

    if len(sheets) == 1:
        return render_markdown(sheets[0], hints)
    shown = sheets if any(view.values()) else ()
    whole = batches.render_markdown([sheet.profile for sheet in sheets], hints)
    return "\n".join([whole, *map(render_layers_markdown, shown)])


def _encode(sheets: Sequence[Sheet], format: str) -> str:
    if format == "csv":
        from mobilenet_profiler.render.profile import render_csv

        return render_csv(sheets)
    return encode([sheet.profile for sheet in sheets])


def encode(profiles: Sequence[Profile]) -> str:
    """Every sample, to be read back."""
    from mobilenet_profiler.render.profile_json import render_profiles

    return render_profiles(profiles)


def draw(profile: Profile, ceiling: Ceiling) -> Figure:
    """A roofline of the layers."""
    from mobilenet_profiler.measured.reach import find_dtype, list_points
    from mobilenet_profiler.measured.roofline import CONVOLUTION
    from mobilenet_profiler.render.plot.roofline import draw_roofline

    dtype = find_dtype(profile, CONVOLUTION)
    points, threads = list_points(profile), profile.setup.threads
    return draw_roofline(points, ceiling, dtype, threads, profile.label, width="page")
