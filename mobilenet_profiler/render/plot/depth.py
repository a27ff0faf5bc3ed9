"""A network along its depth: what each layer has of MACs, params and time, by kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.rows import list_rest, make_timed_rows
from mobilenet_profiler.render.plot.amounts import Scale, choose_scale, format_tick
from mobilenet_profiler.render.plot.families import (
    Block,
    Family,
    draw_blocks,
    find_family,
    is_crowded,
    list_families,
    list_patches,
)
from mobilenet_profiler.render.plot.provenance import describe_profile, describe_trace, title_macs
from mobilenet_profiler.render.plot.style import (
    LIGHT,
    SMALL,
    Theme,
    add_foot,
    make_figure,
    use_theme,
)
from mobilenet_profiler.rows import make_rows
from mobilenet_profiler.units import format_digits, format_percent

QUANTITIES = ("macs", "params", "weights", "activations", "backward_macs", "time")
_TITLES = {"backward_macs": "backward MACs", "time": "time"}
_NAMES = {"column": 30, "page": 62}  # layers that are named below the axis, at most
_LONGEST = 26  # characters of such a name
_BAR = 0.82  # of the distance between two
_LEAST, _APART = 0.03, 0.11  # parts of the bar at the side: that have a number; between two
_PANEL, _FOOT, _LETTER = 1.05, 1.0, 0.051  # inches of a panel; below all; of a letter of a name


@dataclass(frozen=True)
class Stage:
    """A layer that multiplies, and what comes after it until the next that does.

    name: of that layer. parts: name, kind and amounts by quantity of each layer in it.
    """

    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Part:
    """A layer of a stage. amounts: by quantity; times in nanoseconds."""

    name: str
    kind: str
    amounts: Mapping[str, float] = field(default_factory=dict)


def draw_depth(
    subject: Trace | Profile,
    quantities: Sequence[str] | None = None,
    theme: Theme = LIGHT,
    width: str = "column",
) -> Figure:
    """A panel a quantity: a bar a layer, in the order in which they run, and how kinds share.

    subject: a profile has times besides counts. quantities: see QUANTITIES; None is MACs and
    params, and time where there is a profile. What does not multiply is stacked on the layer
    before it. Raises UsageError for a quantity that there is not.
    """
    trace = subject if isinstance(subject, Trace) else subject.trace
    asked = check_quantities(subject, quantities)
    stages = list_stages(subject)
    with use_theme(theme):
        figure = make_figure(width, find_height(stages, len(asked)))
        grid = figure.add_gridspec(len(asked), 2, width_ratios=(14 if width == "page" else 9, 1))
        families = list_families(_add_up_kinds(stages, asked), theme)
        for index, quantity in enumerate(asked):
            axes = figure.add_subplot(grid[index, 0])
            scale = draw_panel(axes, stages, quantity, families, theme)
            axes.set_ylabel(scale.title(_TITLES.get(quantity) or title_macs(trace, quantity)))
            name_stages(axes, stages if index == len(asked) - 1 else (), width)
            draw_shares(figure.add_subplot(grid[index, 1]), stages, quantity, families, theme)
        add_foot(figure, list_patches(families, theme), describe(subject, stages), theme)
        figure.align_ylabels()
    return figure


def find_height(stages: Sequence[Stage], panels: int) -> float:
    """Inches: of all panels, the names below them, the legend and the caption."""
    longest = max((len(_shorten(stage.name)) for stage in stages), default=0)
    return panels * _PANEL + longest * _LETTER + _FOOT


def check_quantities(subject: Trace | Profile, asked: Sequence[str] | None) -> tuple[str, ...]:
    """What to draw. Raises UsageError for what there is not, or what nothing has any of."""
    known = tuple(name for name in QUANTITIES if name != "time" or isinstance(subject, Profile))
    if asked is None:
        return tuple(name for name in ("macs", "params", "time") if name in known)
    for name in asked:
        if name not in QUANTITIES:
            raise unknown_name("quantity", name, QUANTITIES)
        if name not in known:
            raise UsageError("time is of a profile, given a trace: measure it with `profile`")
    if not asked:
        raise UsageError(f"give a quantity to draw: {', '.join(known)}")
    return tuple(dict.fromkeys(asked))


def list_stages(subject: Trace | Profile) -> tuple[Stage, ...]:
    """All layers, each with the one that multiplies and came last before it."""
    stages: list[tuple[str, list[Part]]] = []
    for part, multiplies in _list_parts(subject):
        if multiplies or not stages:
            stages.append((part.name, []))
        stages[-1][1].append(part)
    return tuple(Stage(name, tuple(parts)) for name, parts in stages)


def _list_parts(subject: Trace | Profile) -> Iterator[tuple[Part, bool]]:
    """Every layer in order, and whether it multiplies."""
    trace = subject if isinstance(subject, Trace) else subject.trace
    times = _list_times(subject) if isinstance(subject, Profile) else {}
    for row in make_rows(trace, every=True):
        counts = {name: getattr(row.cost, name) for name in QUANTITIES if name != "time"}
        amounts = {**counts, "time": times.pop(row.paths, 0.0)}
        yield Part(row.name, row.kind, amounts), row.multiplies
    for paths, time in times.items():
        yield Part(paths[0] or "(model)", "other", {"time": time}), False


def _list_times(profile: Profile) -> dict[tuple[str, ...], float]:
    """Nanoseconds of each layer that was timed, by its path."""
    return {row.row.paths: row.nanoseconds for row in make_timed_rows(profile, every=True)}


def _add_up_kinds(stages: Sequence[Stage], quantities: Sequence[str]) -> dict[str, float]:
    """How much of all quantities each kind has, as shares added up."""
    totals: dict[str, float] = {}
    for quantity in quantities:
        kinds = add_up(stages, quantity)
        whole = sum(kinds.values()) or 1
        for kind, amount in kinds.items():
            totals[kind] = totals.get(kind, 0.0) + amount / whole
    return totals


def add_up(stages: Sequence[Stage], quantity: str) -> dict[str, float]:
    """How much of a quantity each kind has."""
    kinds: dict[str, float] = {}
    for stage in stages:
        for part in stage.parts:
            kinds[part.kind] = kinds.get(part.kind, 0.0) + part.amounts.get(quantity, 0)
    return kinds


def draw_panel(
    axes: Axes, stages: Sequence[Stage], quantity: str, families: Sequence[Family], theme: Theme
) -> Scale:
    """A bar a stage, stacked by family."""
    sums = [sum(part.amounts.get(quantity, 0) for part in stage.parts) for stage in stages]
    highest = max(sums, default=0)
    scale = choose_scale("ns" if quantity == "time" else "", [highest])
    blocks: dict[int, list[Block]] = {}
    for place, stage in enumerate(stages):
        for index, block in _stack(place, stage, quantity, scale, families, sum(sums)):
            blocks.setdefault(index, []).append(block)
    joined = is_crowded(axes, len(stages))
    for index, own in blocks.items():
        draw_blocks(axes, own, families[index], theme, joined)
    axes.set_xlim(-0.7, len(stages) - 0.3)
    axes.set_ylim(0, scale.convert(highest) * 1.06 or 1)
    axes.grid(False, axis="x")
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: format_tick(value)))
    return scale


def _stack(
    place: int,
    stage: Stage,
    quantity: str,
    scale: Scale,
    families: Sequence[Family],
    whole: float,
) -> Iterator[tuple[int, Block]]:
    """The parts of a stage on one another, in the order of the families."""
    low = 0.0
    placed = [(find_family(families, part.kind), part) for part in stage.parts]
    known = [(index, part) for index, part in placed if index is not None]
    for index, part in sorted(known, key=lambda item: item[0]):
        amount = part.amounts.get(quantity, 0)
        high = low + scale.convert(amount)
        title = f"{part.name} ({part.kind}): {_describe(quantity, amount, whole)}"
        yield index, Block(place - _BAR / 2, place + _BAR / 2, low, high, title)
        low = high


def _describe(quantity: str, amount: float, whole: float) -> str:
    """An amount with its part of the whole, for a tooltip."""
    share = format_percent(round(amount), round(whole)) if round(whole) else "-"
    if quantity == "time":
        scale = choose_scale("ns", [amount])
        return f"{format_digits(scale.convert(amount))} {scale.name}, {share} of the time of layers"
    return f"{round(amount):,} {_TITLES.get(quantity, quantity).replace('macs', 'MACs')}, {share}"


def name_stages(axes: Axes, stages: Sequence[Stage], width: str) -> None:
    """The names of layers below the axis, of every second or third where there are many."""
    step = ceil(len(stages) / _NAMES[width]) or 1
    places = range(0, len(stages), step)
    axes.set_xticks([*places], [_shorten(stages[place].name) for place in places], rotation=90)
    axes.tick_params(axis="x", length=1.5, pad=1.5)
    if step > 1:
        axes.set_xlabel(f"layers in the order in which they run; one of {step} is named")


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def draw_shares(
    axes: Axes, stages: Sequence[Stage], quantity: str, families: Sequence[Family], theme: Theme
) -> None:
    """One bar of a hundred per cent: the part that each family has, with its number."""
    kinds = add_up(stages, quantity)
    whole = sum(kinds.values())
    middles: dict[float, float] = {}
    low = 0.0
    for family in families:
        share = sum(kinds.get(kind, 0) for kind in family.kinds) / whole if whole else 0.0
        block = Block(0, 1, low, low + share, f"{family.name}: {share:.1%}")
        draw_blocks(axes, [block], family, theme)
        middles[low + share / 2] = share
        low += share
    for middle, share in choose_numbers(middles):
        axes.text(1.15, middle, f"{share:.0%}", fontsize=SMALL, va="center")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def choose_numbers(middles: Mapping[float, float]) -> list[tuple[float, float]]:
    """The shares that are written beside a bar, the largest first: those that have room."""
    chosen: list[tuple[float, float]] = []
    for middle, share in sorted(middles.items(), key=lambda item: -item[1]):
        free = all(abs(middle - other) >= _APART for other, _ in chosen)
        if share >= _LEAST and free:
            chosen.append((middle, share))
    return chosen


def describe(subject: Trace | Profile, stages: Sequence[Stage]) -> str:
    """The caption: which network, counted and timed how, and what is stacked on what."""
    stacked = any(len(stage.parts) > 1 for stage in stages)
    parts = [
        describe_profile(subject) if isinstance(subject, Profile) else describe_trace(subject),
        "Layers that do not multiply are stacked on the one before them." if stacked else "",
        "At the right: how kinds of layers share all.",
        _describe_rest(subject) if isinstance(subject, Profile) else "",
    ]
    return " ".join(part for part in parts if part)


def _describe_rest(profile: Profile) -> str:
    """How much time lies between the layers."""
    rest = list_rest(profile)
    between = sum(row.nanoseconds for row in rest)
    if between <= 0:
        return ""
    scale = choose_scale("ns", [between])
    names = " and ".join(dict.fromkeys(row.row.name for row in rest))
    return f"Not shown: {names}, {format_digits(scale.convert(between), 2)} {scale.name}."
