"""What a pass holds of memory while each of its operations runs, and where the peak is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETDOWN
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.memory import MemoryStep, MemoryUse
from mobilenet_profiler.render.plot.amounts import Scale, choose_scale, format_tick
from mobilenet_profiler.render.plot.families import (
    Block,
    Family,
    draw_blocks,
    list_patches,
)
from mobilenet_profiler.render.plot.labels import Ground, Label, measure_text, place_labels
from mobilenet_profiler.render.plot.style import (
    LIGHT,
    SMALL,
    Theme,
    add_foot,
    make_figure,
    use_theme,
)
from mobilenet_profiler.rows import name_layers
from mobilenet_profiler.units import format_bytes

_PARTS = (("activations", 0), ("gradients", 1), ("workspace", 4))  # names and colours
_NAMES = {"column": 26, "page": 56}  # layers that are named below the axis, at most
_LONGEST = 22
_LETTER = 0.051  # inches of a letter of such a name


@dataclass(frozen=True, slots=True)
class Held:
    """What is held while an operation runs, bytes, in the order of the parts.

    amounts: activations, gradients of parameters, workspace.
    """

    step: MemoryStep
    amounts: tuple[int, int, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.amounts)


def draw_memory(
    subject: Trace | MemoryUse,
    label: str = "",
    theme: Theme = LIGHT,
    width: str = "column",
) -> Figure:
    """Bytes held besides weights and inputs while each operation runs; the peak is named.

    subject: a trace with its memory, or the memory alone. label: of the network, where that
    is not the trace's. Raises UsageError where the memory was not predicted, or nothing ran.
    """
    use = subject if isinstance(subject, MemoryUse) else subject.memory
    names = {} if isinstance(subject, MemoryUse) else name_layers(subject)
    leading = None if isinstance(subject, MemoryUse) else {own.path for own in subject.counted}
    label = label or ("" if isinstance(subject, MemoryUse) else subject.label)
    if use is None or not use.steps:
        raise UsageError(
            "the memory of no operation is known: predict it with `table --memory --format json`"
        )
    held = list_held(use)
    scale = choose_scale("bytes", [use.activations])
    with use_theme(theme):
        figure = make_figure(width, find_height(list_starts(held, names, leading), width))
        axes = figure.add_subplot()
        shown = draw_held(axes, held, scale, names, theme)
        frame_axes(axes, use, scale)
        name_steps(axes, list_starts(held, names, leading), len(held), width)
        add_foot(figure, list_patches(shown, theme), describe(use, label), theme)
        figure.draw_without_rendering()  # the layout is final from here on
        phases = divide_phases(axes, held, theme)
        name_peak(axes, use, held, scale, names, phases, theme)
    return figure


def list_held(use: MemoryUse) -> list[Held]:
    """What is held while each operation runs; it adds up to `use.live`."""
    gradients, rest = ([0] * (len(use.steps) + 1) for _ in range(2))
    for tensor in use.tensors:
        changes = gradients if tensor.gradient else rest
        changes[tensor.made] += tensor.bytes
        changes[tensor.freed] -= tensor.bytes
    totals = zip(use.steps, accumulate(rest), accumulate(gradients), strict=False)
    return [Held(step, (own, grown, step.workspace)) for step, own, grown in totals]


def list_starts(
    held: Sequence[Held], names: Mapping[str, str], leading: Collection[str] | None
) -> list[tuple[int, str]]:
    """Where each layer begins, and its name. leading: the paths of layers that are named, those
    that multiply; None for all."""
    starts = []
    for name, run in groupby(enumerate(held), key=lambda item: _name(item[1].step, names)):
        place, own = next(run)
        if leading is None or own.step.path in leading or own.step.phase in ("loss", "optimizer"):
            starts.append((place, name))
    return starts


def find_height(starts: Sequence[tuple[int, str]], width: str) -> float:
    """Inches: of the plot, and the names below it."""
    longest = max((len(name) for _, name in starts), default=0)
    return (2.2 if width == "column" else 2.8) + min(longest, _LONGEST) * _LETTER + 0.7


def _name(step: MemoryStep, names: Mapping[str, str]) -> str:
    """The layer of an operation."""
    if step.phase in ("loss", "optimizer"):
        return step.phase
    return names.get(step.path, step.path) or "(model)"


def draw_held(
    axes: Axes, held: Sequence[Held], scale: Scale, names: Mapping[str, str], theme: Theme
) -> list[Family]:
    """A bar an operation, without a gap, its parts on one another; the parts that there are."""
    shown = []
    for part, (name, colour) in enumerate(_PARTS):
        family = Family(name, theme.series[colour], frozenset())
        blocks = list(_list_blocks(held, part, name, scale, names))
        if blocks:
            draw_blocks(axes, blocks, family, theme, joined=True)
            shown.append(family)
    return shown


def _list_blocks(
    held: Sequence[Held], part: int, name: str, scale: Scale, names: Mapping[str, str]
) -> Iterator[Block]:
    for place, own in enumerate(held):
        if not own.amounts[part]:
            continue
        low = scale.convert(sum(own.amounts[:part]))
        high = scale.convert(sum(own.amounts[: part + 1]))
        operation = own.step.name.partition("::")[2] or own.step.name
        backward = " backward" if own.step.phase == "backward" else ""
        title = (
            f"{_name(own.step, names)}{backward}, {operation}: "
            f"{name} {format_bytes(own.amounts[part])} of {format_bytes(own.total)}"
        )
        yield Block(place - 0.5, place + 0.5, low, high, title)


def frame_axes(axes: Axes, use: MemoryUse, scale: Scale) -> None:
    """From nothing to somewhat above the peak, for its name."""
    axes.set_xlim(-0.5, len(use.steps) - 0.5)
    axes.set_ylim(0, scale.convert(use.activations) * 1.25 or 1)
    axes.grid(False, axis="x")
    axes.set_ylabel(scale.title("held besides weights and inputs"))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: format_tick(value)))


def name_steps(axes: Axes, starts: Sequence[tuple[int, str]], count: int, width: str) -> None:
    """The layers of the operations, each where it begins, as far as they have room."""
    chosen: list[tuple[int, str]] = []
    for place, name in starts:
        if not chosen or place - chosen[-1][0] >= count / _NAMES[width]:
            chosen.append((place, name))
    axes.set_xticks([place for place, _ in chosen], [_shorten(n) for _, n in chosen], rotation=90)
    axes.tick_params(axis="x", length=1.5, pad=1.5)
    axes.set_xlabel(f"operations in the order in which they run ({count:,})")


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def divide_phases(axes: Axes, held: Sequence[Held], theme: Theme) -> list[Bbox]:
    """A line where another phase begins, and what each is called, where it has room; the
    boxes of these names, pixels."""
    phases = [(name, len(list(run))) for name, run in groupby(held, key=lambda o: o.step.phase)]
    boxes, start = [], 0
    for name, count in phases if len(phases) > 1 else ():
        if start:
            axes.axvline(start - 0.5, color=theme.muted, linewidth=0.6, linestyle=":", zorder=4)
        left, right = axes.transData.transform([(start - 0.5, 0), (start + count - 0.5, 0)])[:, 0]
        start += count
        if measure_text(axes, name, SMALL)[0] > right - left:
            continue
        text = axes.text(
            start - count / 2 - 0.5,
            axes.get_ylim()[1],
            name,
            fontsize=SMALL,
            color=theme.muted,
            ha="center",
            va="top",
        )
        text.set_in_layout(False)
        boxes.append(text.get_window_extent())
    return boxes


def name_peak(
    axes: Axes,
    use: MemoryUse,
    held: Sequence[Held],
    scale: Scale,
    names: Mapping[str, str],
    taken: Sequence[Bbox],
    theme: Theme,
) -> None:
    """How much is held at the peak, and by which operation of which layer."""
    place = use.peak_index
    assert place is not None
    step = use.steps[place]
    operation = step.name.partition("::")[2] or step.name
    words = f"peak {format_bytes(use.activations)}"
    y = scale.convert(use.activations)
    axes.plot(
        [place], [y], marker=CARETDOWN, color=theme.text, markersize=4, zorder=5, label="_peak"
    )
    heights = [scale.convert(own.total) for own in held]
    top = [(x, y) for i, height in enumerate(heights) for x, y in _list_top(i, height)]
    outline = Path(axes.transData.transform(top))
    ground = Ground(axes.get_window_extent(), tuple(taken), (outline,))
    for text in (f"{words}: {operation} of {_name(step, names)}", words):
        for note in place_labels(axes, [Label(text, place, y, 3)], ground, SMALL, theme.text):
            note.set_bbox({"facecolor": theme.background, "edgecolor": "none", "pad": 0.5})
            return


def _list_top(place: int, height: float) -> tuple[tuple[float, float], tuple[float, float]]:
    return (place - 0.5, height), (place + 0.5, height)


def describe(use: MemoryUse, label: str) -> str:
    """The caption: what is shown, and what is held besides."""
    state = f", optimizer state {format_bytes(use.optimizer)}" if use.optimizer else ""
    counted = (
        f"as {use.device} allocates it"
        if use.device
        else "tensors alone, without what a device's library takes inside an operation"
    )
    parts = [
        f"{label}." if label else "",
        f"Predicted from the lifetimes of tensors: {counted}.",
        f"Held throughout besides: weights {format_bytes(use.weights)}, inputs "
        f"{format_bytes(use.inputs)}{state}; {format_bytes(use.peak)} in all at the peak.",
    ]
    return " ".join(part for part in parts if part)
