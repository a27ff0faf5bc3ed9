"""Networks side by side, or two profiles: a bar each, stacked by kind of layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mobilenet_profiler.comparing import Accuracy, ModelComparison, name_convention
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.comparing import ProfileComparison
from mobilenet_profiler.render.plot.amounts import Scale, choose_scale, format_tick
from mobilenet_profiler.render.plot.families import (
    Block,
    Family,
    draw_blocks,
    find_family,
    list_families,
    list_patches,
)
from mobilenet_profiler.render.plot.provenance import describe_run, title_macs
from mobilenet_profiler.render.plot.style import (
    LIGHT,
    SMALL,
    Theme,
    add_foot,
    make_figure,
    use_theme,
)
from mobilenet_profiler.units import format_digits, format_ratio_estimate, format_supported

QUANTITIES = ("macs", "params", "weights", "activations", "backward_macs")
MOST = 24  # networks side by side
_BAR, _HEIGHT = 0.72, 0.17  # of the distance between two bars; inches of it
_LONGEST = 30  # characters of the name of a network
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Bar:
    """One network or profile. amounts: by kind of layer. text: of its total, as it is shown."""

    name: str
    amounts: Mapping[str, float]
    text: str

    @property
    def total(self) -> float:
        """All kinds together."""
        return sum(self.amounts.values())


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity of all of them. title: with the unit. unit: as `choose_scale` takes it."""

    title: str
    unit: str
    bars: tuple[Bar, ...]
    scale: Scale


def draw_comparison(
    comparison: ModelComparison | ProfileComparison,
    quantities: Sequence[str] | None = None,
    theme: Theme = LIGHT,
    width: str = "column",
) -> Figure:
    """A panel a quantity: a bar for each network, the first on top, stacked by kind of layer.

    Of two profiles: the time of their layers. quantities: of traces, see QUANTITIES; None is
    MACs and params. Raises UsageError for a quantity that there is not, or too many networks.
    """
    panels = list_panels(comparison, quantities)
    count = len(panels[0].bars)
    if count > MOST:
        raise UsageError(f"a plot shows {MOST} networks side by side at most, given {count}")
    with use_theme(theme):
        figure = make_figure(width, len(panels) * (count * _HEIGHT + 0.45) + 0.75)
        families = list_families(_add_up(panels), theme)
        for index, panel in enumerate(panels):
            draw_panel(figure.add_subplot(len(panels), 1, index + 1), panel, families, theme)
        add_foot(figure, list_patches(families, theme), describe(comparison, quantities), theme)
        figure.draw_without_rendering()  # the layout is final from here on
        for axes, panel in zip(figure.axes, panels, strict=True):
            write_totals(axes, panel)
    return figure


def list_panels(
    comparison: ModelComparison | ProfileComparison, quantities: Sequence[str] | None
) -> list[Panel]:
    """What is shown: quantities of traces, or the times of two profiles."""
    if isinstance(comparison, ProfileComparison):
        if quantities:
            raise UsageError("profiles are compared by time; quantities are of networks")
        return [_make_time_panel(comparison)]
    asked = ("macs", "params") if quantities is None else tuple(dict.fromkeys(quantities))
    for name in asked:
        if name not in QUANTITIES:
            raise unknown_name("quantity", name, QUANTITIES)
    if not asked:
        raise UsageError(f"give a quantity to draw: {', '.join(QUANTITIES)}")
    return [_make_panel(comparison, name) for name in asked]


def _make_panel(comparison: ModelComparison, quantity: str) -> Panel:
    totals = [getattr(trace.total, quantity) for trace in comparison.traces]
    scale = choose_scale("", [max(totals)])
    bars, sources = [], list_sources(comparison)
    for index, name in enumerate(comparison.names):
        amounts = {row.kind or row.name: row.amount(index, quantity) for row in comparison.kinds}
        text = format_digits(scale.convert(totals[index]))
        accuracy = comparison.accuracies[index]
        beside = _show_accuracy(accuracy, sources) if accuracy and quantity == "macs" else ""
        bars.append(Bar(name, amounts, text + beside))
    title = title_macs(comparison.traces[0], quantity)
    return Panel(title, "", tuple(bars), scale)


def list_sources(comparison: ModelComparison) -> tuple[str, ...]:
    """The sources of all accuracies, each once, in the order of the bars."""
    accuracies = (accuracy for accuracy in comparison.accuracies if accuracy)
    return tuple(dict.fromkeys(accuracy.source for accuracy in accuracies))


def _show_accuracy(accuracy: Accuracy, sources: Sequence[str]) -> str:
    """An accuracy beside a total, with the number of its source where there are several."""
    mark = number_source(sources.index(accuracy.source)) if len(sources) > 1 else ""
    return f"  (top-1 {accuracy.text}{mark})"


def number_source(index: int) -> str:
    """The mark of a source, by its place: `¹`, `²`."""
    return str(index + 1).translate(_RAISED)


def _make_time_panel(comparison: ProfileComparison) -> Panel:
    """The layers' own times by kind, and what lies between; the clean pass in words."""
    latencies = comparison.latency.estimates
    times: list[dict[str, float]] = [{}, {}]
    for pair in comparison.kinds:
        for own, estimate in zip(times, pair.estimates, strict=True):
            kind = pair.kind if pair.kind not in ("", "-") else pair.name
            own[kind] = own.get(kind, 0.0) + max(estimate.value if estimate else 0.0, 0.0)
    scale = choose_scale("ns", [sum(own.values()) for own in times])
    bars = []
    for name, own, latency in zip(("before", "after"), times, latencies, strict=True):
        text = ""
        if latency:
            shown = latency.scale(1 / scale.size)
            text = f"{format_supported(shown.value, shown.half_width)} {scale.name} a pass"
        bars.append(Bar(name, own, text))
    return Panel("time of layers", "ns", tuple(bars), scale)


def _add_up(panels: Sequence[Panel]) -> dict[str, float]:
    """How much of all panels each kind has, as shares added up."""
    shares: dict[str, float] = {}
    for panel in panels:
        whole = sum(bar.total for bar in panel.bars) or 1
        for bar in panel.bars:
            for kind, amount in bar.amounts.items():
                shares[kind] = shares.get(kind, 0.0) + amount / whole
    return shares


def draw_panel(axes: Axes, panel: Panel, families: Sequence[Family], theme: Theme) -> None:
    """A bar each, the first on top."""
    placed = [
        (index, block)
        for place, bar in enumerate(panel.bars)
        for index, block in _stack(place, bar, panel, families)
    ]
    for index, group in groupby(sorted(placed, key=lambda item: item[0]), key=lambda item: item[0]):
        draw_blocks(axes, [block for _, block in group], families[index], theme)
    highest = panel.scale.convert(max(bar.total for bar in panel.bars))
    axes.set_xlim(0, highest * 1.02 or 1)
    axes.set_ylim(len(panel.bars) - 0.5, -0.5)
    axes.set_yticks(range(len(panel.bars)), [_shorten(bar.name) for bar in panel.bars])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_xlabel(panel.scale.title(panel.title))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: format_tick(value)))


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _stack(
    place: int, bar: Bar, panel: Panel, families: Sequence[Family]
) -> Iterator[tuple[int, Block]]:
    """The families of a bar beside each other, a block each; its title has every kind."""
    left = 0.0
    known = [(find_family(families, kind), kind) for kind in bar.amounts]
    ordered = sorted((i, kind) for i, kind in known if i is not None)
    for index, group in groupby(ordered, key=lambda item: item[0]):
        amounts = {kind: bar.amounts[kind] for _, kind in group}
        right = left + panel.scale.convert(sum(amounts.values()))
        kinds = "; ".join(
            f"{kind}: {_describe(panel, amount, bar.total)}" for kind, amount in amounts.items()
        )
        yield index, Block(left, right, place - _BAR / 2, place + _BAR / 2, f"{bar.name}, {kinds}")
        left = right


def _describe(panel: Panel, amount: float, whole: float) -> str:
    share = f"{amount / whole:.1%}" if whole else "-"
    if panel.unit == "ns":
        return f"{format_digits(panel.scale.convert(amount))} {panel.scale.name}, {share}"
    return f"{round(amount):,} {panel.title}, {share}"


def write_totals(axes: Axes, panel: Panel) -> None:
    """The total of each at the end of its bar; the axis ends where all of them have room."""
    notes = []
    for place, bar in enumerate(panel.bars):
        note = axes.annotate(
            bar.text,
            (panel.scale.convert(bar.total), place),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=SMALL,
            va="center_baseline",
        )
        note.set_in_layout(False)
        notes.append(note)
    room, gap = axes.get_window_extent().width, 5 * axes.figure.dpi / 72
    widths = [note.get_window_extent().width + gap for note in notes]
    totals = [panel.scale.convert(bar.total) for bar in panel.bars]
    needed = max(
        total / max(1 - own / room, 0.2) for total, own in zip(totals, widths, strict=True)
    )
    axes.set_xlim(0, max(axes.get_xlim()[1], needed))


def describe(
    comparison: ModelComparison | ProfileComparison, quantities: Sequence[str] | None = None
) -> str:
    """The caption: what is compared, counted or measured how, and whose accuracies.

    quantities: as `draw_comparison` takes them; accuracies stand beside MACs.
    """
    if isinstance(comparison, ProfileComparison):
        ratio = comparison.latency.ratio
        faster = format_ratio_estimate(ratio) if ratio else "-"
        return (
            f"Before: {describe_run(comparison.before)}. After: {describe_run(comparison.after)}. "
            f"Time before over time after: {faster}."
        )
    sources = list_sources(comparison) if "macs" in (quantities or ("macs",)) else ()
    told = "; ".join(f"{number_source(place)} {own}" for place, own in enumerate(sources))
    parts = [
        f"Counts exact, convention {name_convention(comparison.traces[0])}.",
        *_describe_inputs(comparison.traces),
        f"Accuracies: {told if len(sources) > 1 else sources[0]}." if sources else "",
    ]
    return " ".join(part for part in parts if part)


def _describe_inputs(traces: Sequence[Trace]) -> list[str]:
    """The input that all have, where it is one; what could not be counted."""
    inputs = {" ".join(trace.spec.get("arguments", ())) for trace in traces}
    calls = sum(item.calls for trace in traces for item in trace.uncounted)
    return [
        f"Input {next(iter(inputs))}." if len(inputs) == 1 and inputs != {""} else "",
        f"Not counted: {calls:,} call{'s' * (calls != 1)} of operations." if calls else "",
    ]
