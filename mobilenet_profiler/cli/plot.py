"""`mobilenet-profiler plot`: a picture of a saved sweep, profile or trace, or of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import holds_profile, is_saved, trace_spec
from mobilenet_profiler.cli.output import (
    check_figure_path,
    check_writable,
    write_figure,
    write_note,
)
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.saved import SUFFIXES
from mobilenet_profiler.spec import read_spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mobilenet_profiler.cost import Trace
    from mobilenet_profiler.grid.results import Sweep
    from mobilenet_profiler.measured.profile import Profile
    from mobilenet_profiler.measured.roofline import Ceiling

THEMES = ("light", "dark")
WIDTHS = ("column", "page")
# What each kind takes besides what all of them do.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "tradeoff": ("x", "y", "colour", "marker", "no_references"),
    "heatmap": ("quantity", "down", "across"),
    "depth": ("quantity",),
    "residuals": (),
    "roofline": ("ceiling",),
    "memory": (),
    "compare": ("quantity", "source"),
}
KINDS = tuple(_OPTIONS)
_SWEPT = (".csv", ".jsonl")  # what only files of sweeps end in
_UNCOUNTED = ("residuals", "roofline", "memory")  # kinds that no convention changes


def plot(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=", ".join(KINDS))],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="A .png, .svg or .pdf.")
    ],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|MODEL…",
            help="A file of `sweep --save`, `profile --save` or `table -f json`; or networks, "
            "each as `compare` takes it (mobilenet_v1).",
            autocompletion=opt.complete_model,
            show_default=False,
        ),
    ] = None,
    theme: Annotated[str, typer.Option(help=", ".join(THEMES))] = "light",
    width: Annotated[str, typer.Option(help="Of a paper: " + ", ".join(WIDTHS))] = "column",
    x: Annotated[
        str | None, typer.Option(metavar="Q", help="tradeoff: across (macs).", show_default=False)
    ] = None,
    y: Annotated[
        str | None, typer.Option(metavar="Q", help="tradeoff: up (top1).", show_default=False)
    ] = None,
    colour: Annotated[
        str | None,
        typer.Option(metavar="AXIS", help="tradeoff: what colours tell.", show_default=False),
    ] = None,
    marker: Annotated[
        str | None,
        typer.Option(metavar="AXIS", help="tradeoff: what marks tell.", show_default=False),
    ] = None,
    no_references: Annotated[
        bool, typer.Option("--no-references", help="tradeoff: no networks beside the sweep.")
    ] = False,
    quantity: Annotated[
        str | None,
        typer.Option(
            metavar="Q[,Q…]",
            help="heatmap: one (macs); depth, compare: a panel each.",
            show_default=False,
        ),
    ] = None,
    down: Annotated[
        str | None, typer.Option(metavar="AXIS", help="heatmap: runs down.", show_default=False)
    ] = None,
    across: Annotated[
        str | None, typer.Option(metavar="AXIS", help="heatmap: runs across.", show_default=False)
    ] = None,
    ceiling: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.json",
            help="roofline: of `ceiling -f json` (what is kept of this machine).",
            show_default=False,
        ),
    ] = None,
    source: opt.Source = None,
    convention: Annotated[
        str | None,
        typer.Option(
            "--convention",
            metavar="NAME",
            help="Count networks as another tool or paper does.",
            autocompletion=opt.complete_convention,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw a sweep, a profile, a trace, or networks side by side.

    A plot is a function of what was saved: nothing is measured for it. Networks that are named
    are counted first, MobileNet V1 at the widths and resolutions of its paper where none is.
    """
    given = {
        **{"x": x, "y": y, "colour": colour, "marker": marker, "no_references": no_references},
        **{"quantity": quantity, "down": down, "across": across},
        **{"ceiling": ceiling, "source": source},
    }
    asked = Asked(tuple(sources or ()), convention, given, {"theme": theme, "width": width})
    check(kind, asked, output)
    write_figure(_DRAWERS[kind](asked), output)


@dataclass(frozen=True)
class Asked:
    """What is to be drawn, and how. given: options of single kinds; look: theme and width."""

    sources: tuple[str, ...]
    convention: str | None
    given: Mapping[str, Any]
    look: Mapping[str, str]

    @property
    def style(self) -> dict[str, Any]:
        """The theme and the width, as every figure takes them."""
        from mobilenet_profiler.render.plot.style import THEMES

        return {"theme": THEMES[self.look["theme"]], "width": self.look["width"]}

    @property
    def quantities(self) -> tuple[str, ...] | None:
        """The names that --quantity lists; None where it was not given."""
        text = self.given["quantity"]
        return None if text is None else tuple(name.strip() for name in text.split(","))

    def take_one(self, what: str, default: str | None = None) -> str:
        """The only source. what: it must be. Raises UsageError for none or several."""
        sources = self.sources or ((default,) if default else ())
        if len(sources) != 1:
            raise UsageError(f"give one {what}, given {len(sources)}")
        return sources[0]


def check(kind: str, asked: Asked, output: str) -> None:
    """Refuse what cannot be drawn or written, before anything is read or counted."""
    if kind not in KINDS:
        raise unknown_name("kind of plot", kind, KINDS)
    for what, allowed in (("theme", THEMES), ("width", WIDTHS)):
        if asked.look[what] not in allowed:
            raise unknown_name(what, asked.look[what], allowed)
    for name, value in asked.given.items():
        if value and name not in _OPTIONS[kind]:
            others = ", ".join(own for own, names in _OPTIONS.items() if name in names)
            option = name.replace("_", "-")
            raise UsageError(f"--{option} does not apply to plot {kind!r}; it does to: {others}")
    if asked.convention is not None and kind in _UNCOUNTED:
        raise UsageError(f"--convention does not apply to plot {kind!r}")
    check_figure_path(output)
    check_writable(output)


def draw_tradeoff(asked: Asked) -> Figure:
    """One quantity of a sweep against another."""
    from mobilenet_profiler.render.plot.tradeoff import draw_tradeoff

    given = asked.given
    x, y = given["x"] or "macs", given["y"] or "top1"
    return draw_tradeoff(
        *(find_sweep(asked, (x, y)), x, y),
        colour=given["colour"],
        marker=given["marker"],
        references=() if given["no_references"] else None,
        **asked.style,
    )


def draw_heatmap(asked: Asked) -> Figure:
    """A quantity of a sweep over two axes."""
    from mobilenet_profiler.render.plot.heatmap import draw_heatmap

    quantity = asked.given["quantity"] or "macs"
    sweep = find_sweep(asked, (quantity,))
    down, across = asked.given["down"], asked.given["across"]
    return draw_heatmap(sweep, quantity, down=down, across=across, **asked.style)


def find_sweep(asked: Asked, quantities: Sequence[str]) -> Sweep:
    """The sweep of a file, or of the networks that are named, counted now."""
    from mobilenet_profiler.grid.quantities import find_quantity
    from mobilenet_profiler.grid.saved import read_sweep

    names = {find_quantity(name).name for name in quantities}
    saved = [text for text in asked.sources if text.casefold().endswith(SUFFIXES)]
    if saved:
        if asked.convention is not None:
            raise UsageError(f"{saved[0]!r} is a sweep already: --convention does not apply to it")
        return read_sweep(asked.take_one("saved sweep, or models"))
    if "latency" in names:
        raise UsageError(
            "a plot measures nothing: `sweep --latency --save FILE.jsonl` does; give that file"
        )
    return _count(asked, "memory" in names)


def _count(asked: Asked, memory: bool) -> Sweep:
    """A sweep of networks, at the published grid where MobileNet V1 stands alone."""
    from mobilenet_profiler.cli.sweep import run_order
    from mobilenet_profiler.grid.order import make_order

    models = asked.sources or ("mobilenet_v1",)
    order = make_order(models, (), {}, memory=memory, convention=asked.convention or DEFAULT)
    return run_order(order, jobs=1, ray=None, save=None, resume=False)


def draw_depth(asked: Asked) -> Figure:
    """A profile or a trace, layer by layer."""
    from mobilenet_profiler.render.plot.depth import draw_depth

    text = asked.take_one("model or file", "mobilenet_v1")
    subject = read_profile(text) if holds_profile(text) else find_trace(text, asked.convention)
    return draw_depth(subject, asked.quantities, **asked.style)


def find_trace(text: str, convention: str | None, memory: bool = False) -> Trace:
    """The trace of a file as it is, or of a network, in a convention."""
    from mobilenet_profiler.comparing import name_convention
    from mobilenet_profiler.conventions.catalogue import find_convention
    from mobilenet_profiler.saved import read_trace

    _refuse_sweep(text)
    if not is_saved(text):
        find_convention(convention or DEFAULT)
        return trace_spec(read_spec(text), memory=memory).convert(convention or DEFAULT)
    trace = read_trace(text)
    own = name_convention(trace)
    if convention not in (None, own):
        raise UsageError(f"{text}: counts in convention {own!r}, asked for {convention!r}")
    return trace


def _refuse_sweep(text: str) -> None:
    """A file of a sweep holds no layers."""
    if text.casefold().endswith(_SWEPT) or _holds_sweep(text):
        kinds = "tradeoff, heatmap, residuals"
        raise UsageError(
            f"{text!r} is a sweep; give a model, or a file of a trace or a profile (a sweep is "
            f"for: {kinds})"
        )


def _holds_sweep(text: str) -> bool:
    """Whether a file says that it holds a sweep."""
    if not is_saved(text):
        return False
    from mobilenet_profiler.saved import read_json

    data = read_json(text)
    return isinstance(data, dict) and data.get("kind") == "sweep"


def read_profile(text: str) -> Profile:
    """The profile in a file. Raises UsageError where that is something else."""
    from mobilenet_profiler.measured.saved import read_profile

    _refuse_sweep(text)
    if not holds_profile(text):
        raise UsageError(f"{text!r} is no profile: `profile --save FILE.json` writes one")
    return read_profile(text)


def draw_residuals(asked: Asked) -> Figure:
    """Times of a profile's layers, or of a sweep's networks, against MACs."""
    from mobilenet_profiler.grid.saved import read_sweep
    from mobilenet_profiler.render.plot.residuals import draw_residuals

    text = asked.take_one("profile or sweep with times")
    sweep = text.casefold().endswith(SUFFIXES) and not _names_profile(text)
    return draw_residuals(read_sweep(text) if sweep else read_profile(text), **asked.style)


def _names_profile(text: str) -> bool:
    """Whether a file says that it holds a profile."""
    if not is_saved(text):
        return False
    from mobilenet_profiler.saved import find_kind, read_json

    return find_kind(read_json(text)) in ("profile", "profiles")


def draw_roofline(asked: Asked) -> Figure:
    """A profile's layers below the ceiling of a file, or of the machine that it is of."""
    from mobilenet_profiler.measured.reach import find_dtype, list_points
    from mobilenet_profiler.measured.roofline import CONVOLUTION
    from mobilenet_profiler.render.plot.roofline import draw_roofline

    profile = read_profile(asked.take_one("profile"))
    ceiling = _find_ceiling(profile, asked.given["ceiling"])
    dtype, threads = find_dtype(profile, CONVOLUTION), profile.setup.threads
    date = str(profile.environment.get("date", ""))
    try:
        return draw_roofline(
            *(list_points(profile), ceiling, dtype, threads, profile.label, date), **asked.style
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _find_ceiling(profile: Profile, path: str | None) -> Ceiling:
    from mobilenet_profiler.measured import kept

    if path is not None:
        from mobilenet_profiler.grid.saved import read_text
        from mobilenet_profiler.saved import blame_file

        text = read_text(path)
        with blame_file(path):
            try:
                return kept.decode_ceiling(text)
            except ValueError as error:
                raise UsageError(str(error)) from None
    conditions = kept.choose_conditions(profile.environment)
    found = kept.find_ceiling(profile.setup.device, conditions, write_note)
    if found is None:
        raise UsageError(
            "no ceiling is kept of the machine that this profile is of: measure it there with "
            "`ceiling -f json -o FILE.json` and give it with --ceiling"
        )
    return found


def draw_memory(asked: Asked) -> Figure:
    """What is held while each operation runs."""
    from mobilenet_profiler.render.plot.memory import draw_memory

    text = asked.take_one("model or file of `table --memory -f json`", "mobilenet_v1")
    return draw_memory(find_trace(text, None, memory=True), **asked.style)


def draw_comparison(asked: Asked) -> Figure:
    """Networks side by side, or two profiles."""
    from mobilenet_profiler.comparing import compare
    from mobilenet_profiler.published.accuracies import find_accuracies
    from mobilenet_profiler.render.plot.compare import draw_comparison

    if len(asked.sources) < 2:
        raise UsageError(f"compare takes two models or files or more, given {len(asked.sources)}")
    profiled = [text for text in asked.sources if holds_profile(text)]
    if len(profiled) == len(asked.sources) == 2:
        before, after = map(read_profile, asked.sources)
        return draw_comparison(compare(before, after), asked.quantities, **asked.style)
    if profiled:
        raise UsageError(f"{profiled[0]!r} is a profile: give two of them, or models alone")
    traces = [find_trace(text, asked.convention) for text in asked.sources]
    accuracies = find_accuracies([trace.spec for trace in traces], asked.given["source"])
    comparison = compare(*traces, accuracies=accuracies)
    return draw_comparison(comparison, asked.quantities, **asked.style)


_DRAWERS: Mapping[str, Callable[[Asked], Figure]] = {
    "tradeoff": draw_tradeoff,
    "heatmap": draw_heatmap,
    "depth": draw_depth,
    "residuals": draw_residuals,
    "roofline": draw_roofline,
    "memory": draw_memory,
    "compare": draw_comparison,
}
