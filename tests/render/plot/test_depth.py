"""Networks along their depth, over a pass and side by side: bars that add up to the totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color

import mobilenet_profiler as mp
from mobilenet_profiler.comparing import Accuracy, compare
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.proportion import Proportion
from mobilenet_profiler.measured.rows import add_up_times, make_timed_rows
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.memory import MemoryUse
from mobilenet_profiler.render.plot.compare import draw_comparison
from mobilenet_profiler.render.plot.depth import choose_numbers, draw_depth, list_stages
from mobilenet_profiler.render.plot.families import list_families
from mobilenet_profiler.render.plot.inline import encode_inline
from mobilenet_profiler.render.plot.memory import draw_memory, list_held
from mobilenet_profiler.render.plot.residuals import (
    Timed,
    describe,
    draw_residuals,
    list_misled,
    list_timed,
)
from mobilenet_profiler.render.plot.style import DARK, LIGHT, THEMES, WIDTHS, Drawing, Theme
from mobilenet_profiler.rows import name_layers
from mobilenet_profiler.trace.lifetimes import predict_memory
from mobilenet_profiler.units import format_bytes
from tests.profiles import make_profile, trace_small
from tests.render.plot.layout import (
    assert_readable,
    list_legend,
    list_offsets,
    list_values,
    read_caption,
)
from tests.sweeps import make_published_sweep

PROFILE = make_profile()


@cache
def trace_with_memory(training: bool = False) -> Trace:
    use = predict_memory("mobilenet_v1", alpha=0.25, resolution=128, training=training)
    return replace(trace_small(), memory=use)


@cache
def trace_large() -> Trace:
    return mp.trace("mobilenet_v3_large")


def list_heights(axes: Axes) -> Mapping[str, float]:
    """How high all bars of a family are together."""
    heights: dict[str, float] = {}
    for drawn in axes.collections:
        for path in drawn.get_paths():
            box = path.get_extents()
            label = str(drawn.get_label())
            heights[label] = heights.get(label, 0.0) + box.height
    return heights


def list_widths(axes: Axes, place: int) -> Mapping[str, float]:
    """How long the parts of one horizontal bar are."""
    widths: dict[str, float] = {}
    for drawn in axes.collections:
        for path in drawn.get_paths():
            box = path.get_extents()
            if box.y0 < place < box.y1:
                label = str(drawn.get_label())
                widths[label] = widths.get(label, 0.0) + box.width
    return widths


def test_bars_add_up_to_the_total_of_each_kind() -> None:
    trace = trace_small()
    axes = draw_depth(trace).axes[0]
    assert axes.get_ylabel() == "MACs (millions)"
    heights = list_heights(axes)
    assert sum(heights.values()) * 1e6 == pytest.approx(trace.total.macs)
    pointwise = sum(own.macs for own in trace.layers if own.kind == "pointwise 1x1")
    assert heights["pointwise 1x1"] * 1e6 == pytest.approx(pointwise)


def test_a_profile_has_a_panel_of_times_that_adds_up_to_its_layers() -> None:
    figure = draw_depth(PROFILE)
    macs, _, params, _, time, shares = figure.axes
    assert [axes.get_ylabel() for axes in (macs, params, time)] == [
        *("MACs (millions)", "params (thousands)", "time (µs)"),
    ]
    layers = sum(row.nanoseconds for row in make_timed_rows(PROFILE, every=True))
    assert sum(list_heights(time).values()) * 1e3 == pytest.approx(layers)
    assert sum(list_heights(shares).values()) == pytest.approx(1)
    assert layers == pytest.approx(add_up_times(PROFILE).layers.value, rel=0.05)


def test_a_bar_is_a_layer_that_multiplies_with_what_follows_it() -> None:
    stages = list_stages(trace_small())
    assert [stage.name for stage in stages[:3]] == [
        *("Conv2d_0", "Conv2d_1.depthwise", "Conv2d_1.pointwise"),
    ]
    assert len(stages) == 28
    assert [part.kind for part in stages[0].parts] == ["full 3x3", "batch norm", "relu6"]
    assert sum(len(stage.parts) for stage in stages) == len(trace_small().layers)
    lowest = draw_depth(trace_small()).axes[2]
    names = [label.get_text() for label in lowest.get_xticklabels()]
    assert names == [stage.name for stage in stages]


def test_shares_are_written_beside_their_bar_where_they_have_room() -> None:
    figure = draw_depth(trace_small())
    trace = trace_small()
    pointwise = sum(own.macs for own in trace.layers if own.kind == "pointwise 1x1")
    assert f"{pointwise / trace.total.macs:.0%}" in [t.get_text() for t in figure.axes[1].texts]
    assert choose_numbers({0.4: 0.8, 0.85: 0.1, 0.92: 0.05, 0.99: 0.01}) == [
        (0.4, 0.8),
        (0.85, 0.1),
    ]


def test_the_caption_says_what_ran_where_and_what_is_not_shown() -> None:
    caption = read_caption(draw_depth(PROFILE))
    assert caption.startswith(f"{PROFILE.label} (A Processor): medians of a pass. Counts exact")
    assert "stacked on the one before" in caption
    assert "Not shown: between layers, " in caption
    assert "between" not in read_caption(draw_depth(trace_small()))


def test_a_convention_in_flops_says_so_at_its_axis() -> None:
    figure = draw_depth(trace_small().convert("flop_counter"))
    assert figure.axes[0].get_ylabel().startswith("FLOPs (")
    assert "convention flop_counter" in read_caption(figure)


@pytest.mark.parametrize(
    ("quantities", "words"),
    [
        (("mac",), "did you mean 'macs'"),
        (("time",), "time is of a profile"),
        ((), "give a quantity"),
    ],
)
def test_what_a_trace_has_not_is_refused(quantities: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        draw_depth(trace_small(), quantities)


def test_many_layers_have_some_names() -> None:
    figure = draw_depth(trace_large())
    lowest = figure.axes[2]
    assert len(lowest.get_xticklabels()) <= 30
    assert lowest.get_xlabel().endswith("one of 3 is named")


FIGURES = {
    "depth": lambda **look: draw_depth(PROFILE, **look),
    "depth of many": lambda **look: draw_depth(trace_large(), **look),
    "one panel": lambda **look: draw_depth(trace_small(), ("activations",), **look),
    "residuals": lambda **look: draw_residuals(PROFILE, **look),
    "residuals of a sweep": lambda **look: draw_residuals(make_published_sweep(), **look),
    "memory": lambda **look: draw_memory(trace_with_memory(), **look),
    "memory of training": lambda **look: draw_memory(trace_with_memory(True), **look),
    "compare": lambda **look: draw_comparison(compare(trace_small(), trace_large()), **look),
    "profiles": lambda **look: draw_comparison(compare(PROFILE, make_profile(seed=1)), **look),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_another_or_outside(name: str, width: str) -> None:
    assert_readable(FIGURES[name](width=width))


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("name", FIGURES)
def test_every_mark_of_a_page_says_what_it_is_and_has_its_colours(name: str, theme: Theme) -> None:
    figure = FIGURES[name](theme=theme)
    assert isinstance(figure, Drawing)
    text = encode_inline(figure, theme)
    assert text.count("<title>") == sum(len(lines) for lines in figure.titles.values()) > 0
    assert "<title></title>" not in text
    assert text == encode_inline(FIGURES[name](theme=theme), theme)


def test_kinds_of_a_family_have_one_colour_and_the_rest_have_greys() -> None:
    amounts = {"full 3x3": 5.0, "full 7x7": 1.0, "depthwise 3x3": 9.0, "pool": 0.0}
    names = ["batch norm", "relu", "add", "softmax"]
    families = list_families({**amounts, **dict.fromkeys(names, 0.5)}, LIGHT)
    assert [own.name for own in families] == [
        *("depthwise 3x3", "full 3x3, 7x7", "batch norm", "relu", "other"),
    ]
    assert families[-1].kinds == {"add", "softmax"}
    assert len({own.colour for own in families}) == 5


def test_residuals_show_each_layer_with_macs_against_its_time() -> None:
    figure = draw_residuals(PROFILE)
    above, below = figure.axes
    points = set(list_offsets(above))
    timed = list_timed(PROFILE)
    assert len(timed) == 28
    assert points == {(p.macs / 1e3, p.time.value / 1e3) for p in timed}
    assert (above.get_xscale(), above.get_yscale(), below.get_yscale()) == ("log",) * 3
    assert above.get_ylabel() == "measured time (µs)"
    assert below.get_xlabel() == "MACs (thousands)"
    rate = sum(p.macs for p in timed) / sum(p.time.value for p in timed)
    assert f"{rate:.1f} GMAC/s" in read_caption(figure)


def test_the_fit_has_a_slope_of_one_and_lies_between_half_and_twice() -> None:
    above = draw_residuals(PROFILE).axes[0]
    fit, half, twice = (
        next(line for line in above.lines if line.get_label() == f"_fit x{factor}")
        for factor in ("1", "0.5", "2")
    )
    ends = [list_values(line.get_ydata()) for line in (fit, half, twice)]
    across = list_values(fit.get_xdata())
    assert ends[0][1] / ends[0][0] == pytest.approx(across[1] / across[0])
    assert ends[1] == pytest.approx([value / 2 for value in ends[0]])
    assert ends[2] == pytest.approx([value * 2 for value in ends[0]])


def test_the_layers_that_macs_mislead_about_most_are_named() -> None:
    from mobilenet_profiler.measured.proportion import fit_proportion

    points = list_timed(PROFILE)
    fit = fit_proportion([p.macs for p in points], [p.time.value for p in points])
    misled = [point.name for point, _ in list_misled(points, fit)]
    names = [text.get_text() for text in draw_residuals(PROFILE, width="page").axes[1].texts]
    assert names
    assert set(names) <= set(misled[:12])
    assert names[0] == misled[0]


def test_a_sweep_is_fitted_by_its_networks() -> None:
    figure = draw_residuals(make_published_sweep())
    assert len(list_offsets(figure.axes[0])) == 16
    assert "Named by alpha, resolution" in read_caption(figure)
    with pytest.raises(UsageError, match="given 0"):
        draw_residuals(replace(make_published_sweep(), results=()))


@pytest.mark.parametrize("training", [False, True])
def test_what_is_held_adds_up_to_what_is_live(training: bool) -> None:
    use = trace_with_memory(training).memory
    assert use is not None
    held = list_held(use)
    assert tuple(own.total for own in held) == use.live
    assert any(own.amounts[1] for own in held) == training


def test_the_peak_is_marked_named_and_as_high_as_predicted() -> None:
    trace = trace_with_memory()
    assert trace.memory is not None
    figure = draw_memory(trace, width="page")
    (axes,) = figure.axes
    (mark,) = (line for line in axes.lines if line.get_label() == "_peak")
    (place,), (height,) = list_values(mark.get_xdata()), list_values(mark.get_ydata())
    assert place == trace.memory.peak_index
    tops = [path.get_extents().y1 for own in axes.collections for path in own.get_paths()]
    assert max(tops) == pytest.approx(height)
    assert axes.get_ylabel() == "held besides weights and inputs (KiB)"
    assert height * 2**10 == pytest.approx(trace.memory.activations)
    (name,) = (text.get_text() for text in axes.texts if "peak" in text.get_text())
    step = trace.memory.peak_step
    assert step is not None
    assert name.startswith(f"peak {format_bytes(trace.memory.activations)}: ")
    assert name.endswith(f" of {name_layers(trace)[step.path]}")
    assert f"weights {format_bytes(trace.memory.weights)}" in read_caption(figure)


def test_a_training_step_is_divided_into_its_phases() -> None:
    (axes,) = draw_memory(trace_with_memory(True), width="page").axes
    texts = [text.get_text() for text in axes.texts]
    assert {"forward", "backward"} <= set(texts)


def test_memory_that_is_not_known_is_refused() -> None:
    for subject in (trace_small(), MemoryUse(1, 1, (), ())):
        with pytest.raises(UsageError, match="table --memory"):
            draw_memory(subject)


def test_networks_side_by_side_are_as_long_as_their_totals() -> None:
    traces = trace_small(), trace_large()
    accuracies = (None, Accuracy("75.2%", "a paper, Table 1"))
    figure = draw_comparison(compare(*traces, accuracies=accuracies), theme=DARK)
    macs, params = figure.axes
    for place, trace in enumerate(traces):
        assert sum(list_widths(macs, place).values()) * 1e6 == pytest.approx(trace.total.macs)
        assert sum(list_widths(params, place).values()) * 1e6 == pytest.approx(trace.total.params)
    assert [label.get_text() for label in macs.get_yticklabels()] == [
        *("mobilenet_v1 alpha=0.25", "mobilenet_v3_large"),
    ]
    assert [text.get_text() for text in macs.texts] == ["13.6", "217  (top-1 75.2%)"]
    assert "a paper, Table 1" in read_caption(figure)
    assert list_legend(figure)[0] == "pointwise 1x1"


def test_several_sources_of_accuracies_are_told_apart_at_the_bars() -> None:
    traces = trace_small(), trace_large(), trace_small()
    papers = ("a paper, Table 1", "a README, V3", "a paper, Table 1")
    accuracies = [Accuracy(f"{70 + place}%", own) for place, own in enumerate(papers)]
    figure = draw_comparison(compare(*traces, accuracies=accuracies))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text.split("top-1 ")[1] for text in texts] == ["70%¹)", "71%²)", "72%¹)"]
    assert read_caption(figure).endswith("Accuracies: ¹ a paper, Table 1; ² a README, V3.")
    params = draw_comparison(compare(*traces, accuracies=accuracies), ("params",))
    assert "Accuracies" not in read_caption(params)


def test_a_bar_has_one_block_for_each_entry_of_the_legend() -> None:
    figure = draw_comparison(compare(trace_small(), trace_large()))
    for axes in figure.axes:
        for marks in axes.collections:
            bars = [path.get_extents().y0 for path in marks.get_paths()]
            assert len(bars) == len(set(bars))


def test_two_profiles_are_compared_by_the_time_of_their_kinds() -> None:
    comparison = compare(PROFILE, make_profile(seed=1))
    (axes,) = draw_comparison(comparison).axes
    assert axes.get_xlabel() == "time of layers (ms)"
    for place, own in enumerate((PROFILE, make_profile(seed=1))):
        whole = add_up_times(own).together.value
        assert sum(list_widths(axes, place).values()) * 1e6 == pytest.approx(whole, rel=0.05)
    with pytest.raises(UsageError, match="compared by time"):
        draw_comparison(comparison, ("macs",))


def test_too_many_networks_side_by_side_are_refused() -> None:
    with pytest.raises(UsageError, match="24 networks side by side at most, given 25"):
        draw_comparison(compare(*[trace_small()] * 25))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_bar_too_narrow_for_lines_beside_it_keeps_its_colour(width: str) -> None:
    trace = mp.trace("mobilenet_v1")
    layers = tuple(
        replace(layer, path=f"{layer.path}.{copy}") for copy in range(36) for layer in trace.layers
    )
    for own, pale in ((trace, True), (replace(trace, layers=layers), False)):
        panel = draw_depth(own, width=width).axes[0]
        edges: list[Any] = [drawn.get_edgecolor()[0] for drawn in panel.collections]
        assert edges
        assert [same_color(edge, LIGHT.background) for edge in edges] == [pale] * len(edges)


def test_a_rank_correlation_of_nothing_has_no_sign() -> None:
    fit = Proportion(1.0, (1.0, 1.0), 0.0, -0.001)
    points = [Timed("a", "k", 10, Estimate(1.0, 1.0, 1.0, 9))] * 2
    assert "rank correlation 0.00." in describe(PROFILE, points, fit)
