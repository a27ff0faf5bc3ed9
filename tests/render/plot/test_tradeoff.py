"""One quantity against another: the paper's Figures 4 and 5, by points, scales and names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.pareto import find_front
from mobilenet_profiler.grid.quantities import QUANTITIES
from mobilenet_profiler.grid.references import list_references
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.render.plot.style import LIGHT, THEMES, WIDTHS, Theme
from mobilenet_profiler.render.plot.tradeoff import choose_colours, draw_tradeoff
from tests.render.plot.layout import (
    assert_readable,
    list_legend,
    list_pairs,
    list_values,
    read_caption,
)
from tests.sweeps import ALPHAS, RESOLUTIONS, make_published_sweep, make_sweep

SWEEP = make_published_sweep()


def find_axes(figure: Figure) -> Axes:
    (axes,) = figure.axes
    return axes


def list_colours(faces: Any) -> set[str]:
    return {to_hex(face) for face in faces}


def list_points(figure: Figure) -> dict[tuple[float, float], tuple[str, str]]:
    """The colour and the label of the mark at each point."""
    found = {}
    for marks in find_axes(figure).collections:
        (colour,) = list_colours(marks.get_facecolor())
        for place in list_pairs(marks.get_offsets()):
            found[place] = colour, str(marks.get_label())
    return found


def list_names(figure: Figure) -> list[str]:
    return [text.get_text() for text in find_axes(figure).texts]


@pytest.mark.parametrize(("quantity", "title"), [("macs", "MACs"), ("params", "params")])
def test_every_cell_and_every_reference_is_a_point(quantity: str, title: str) -> None:
    figure = draw_tradeoff(SWEEP, quantity)
    expected = {
        (QUANTITIES[quantity].amount(result) / 1e6, result.accuracy.percent)  # type: ignore[operator, union-attr]
        for result in (*SWEEP.results, *list_references())
    }
    assert set(list_points(figure)) == expected
    axes = find_axes(figure)
    assert axes.get_xscale() == "log"
    assert axes.get_yscale() == "linear"
    assert axes.get_xlabel() == f"{title} (millions)"
    assert axes.get_ylabel() == "ImageNet top-1 accuracy (%)"


def test_a_colour_is_a_resolution_and_a_mark_an_alpha() -> None:
    points = list_points(draw_tradeoff(SWEEP))
    looks = {
        (result.cell.point["alpha"], result.cell.point["resolution"]): points[
            result.cost.macs / 1e6, result.accuracy.percent
        ]
        for result in SWEEP.results
        if result.cost and result.accuracy
    }
    for place, resolution in enumerate(RESOLUTIONS):
        assert {looks[alpha, resolution][0] for alpha in ALPHAS} == {LIGHT.series[place]}
    assert looks[1.0, 224][1] == "resolution 224 alpha 1"
    assert looks[0.25, 128][1] == "resolution 128 alpha 0.25"


def test_marks_differ_by_alpha() -> None:
    figure = draw_tradeoff(SWEEP)
    shapes: dict[str, set[str]] = {}
    for marks in find_axes(figure).collections:
        label = str(marks.get_label())
        if "alpha" in label:
            shape = str(marks.get_paths()[0].vertices)
            shapes.setdefault(label.partition("alpha ")[2], set()).add(shape)
    assert all(len(own) == 1 for own in shapes.values())
    assert len(set.union(*shapes.values())) == len(ALPHAS)


def test_the_legend_says_what_colours_and_marks_are() -> None:
    figure = draw_tradeoff(SWEEP)
    assert list_legend(figure) == [
        *("224", "192", "160", "128"),
        *("1", "0.75", "0.5", "0.25"),
        *("Pareto front of the sweep", "other networks"),
    ]
    assert [text.get_text() for text in figure.texts[1:]] == ["alpha", "resolution"]


def test_other_networks_are_named_at_their_points() -> None:
    assert set(list_names(draw_tradeoff(SWEEP))) == {"AlexNet", "SqueezeNet", "GoogLeNet", "VGG16"}


def test_the_front_is_drawn_in_steps_through_the_cells_that_none_beats() -> None:
    (line,) = find_axes(draw_tradeoff(SWEEP)).lines
    front = find_front(SWEEP.results, (QUANTITIES["macs"], QUANTITIES["top1"]))
    assert line.get_drawstyle() == "steps-post"
    assert list_values(line.get_xdata()) == [
        result.cost.macs / 1e6 for result in front if result.cost
    ]


def test_the_caption_names_network_convention_and_sources() -> None:
    assert read_caption(draw_tradeoff(SWEEP)) == (
        "mobilenet_v1, 16 networks. Counts exact, convention macs. Accuracies: tensorflow/models, "
        "research/slim/nets/mobilenet_v1.md (465354df8f96), float; of the other networks: arXiv "
        "1704.04861, Tables 8 and 9."
    )


def test_times_have_their_intervals_and_no_reference_stands_beside_them() -> None:
    figure = draw_tradeoff(SWEEP, "latency")
    axes = find_axes(figure)
    assert axes.get_xlabel() == "latency (ms)"
    times = sorted(result.latency.value / 1e6 for result in SWEEP.results if result.latency)
    assert sorted(x for x, _ in list_points(figure)) == pytest.approx(times)
    spans = [line for line in axes.lines if line.get_label() == "_time"]
    ends = sorted(tuple(list_values(line.get_xdata())) for line in spans)
    assert ends == [pytest.approx((0.98 * time, 1.03 * time)) for time in times]
    caption = read_caption(figure)
    assert "median of a pass with its 95% interval, cpu, 1 thread, float32, batch 1" in caption
    assert "a made machine" in caption
    assert "Counts" not in caption


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("quantity", ["macs", "params", "latency", "memory"])
def test_no_text_lies_on_another_or_outside(quantity: str, theme: Theme, width: str) -> None:
    assert_readable(draw_tradeoff(SWEEP, quantity, theme=theme, width=width))


def make_random_sweep(amounts: list[tuple[int, float]], colours: int) -> Sweep:
    axes = (
        make_axis("alpha", [place / 100 for place in range(1, 1 + len(amounts) // colours)]),
        make_axis("resolution", range(32, 32 + colours)),
    )
    left = iter(amounts)

    def fill(cell: object) -> dict[str, Any]:
        macs, top1 = next(left)
        return {"cost": Cost(macs=macs), "accuracy": Accuracy(f"{top1:.1f}%", "a paper, Table 1")}

    return make_sweep(axes, fill)


@given(
    st.lists(st.tuples(st.integers(1, 10**12), st.floats(0, 100)), min_size=12, max_size=60),
    st.integers(1, 12),
)
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate))
def test_whatever_the_points_the_figure_can_be_read(
    amounts: list[tuple[int, float]], colours: int
) -> None:
    assert_readable(draw_tradeoff(make_random_sweep(amounts, colours)))


def test_more_values_than_colours_are_a_ramp_and_more_than_marks_are_not_told_apart() -> None:
    sweep = make_random_sweep([(10**6 + place, place / 10) for place in range(400)], 20)
    figure = draw_tradeoff(sweep, references=())
    assert len({colour for colour, _ in list_points(figure).values()}) == 20
    assert list_legend(figure)[:5] == ["32", "37", "42", "46", "51"]
    assert [text.get_text() for text in figure.texts[1:]] == ["resolution"]


def test_a_ramp_has_as_many_colours_as_are_asked_for() -> None:
    for theme in THEMES.values():
        assert len(set(choose_colours(100, theme))) == 100
        assert choose_colours(3, theme) == list(theme.series[:3])


def test_other_axes_can_be_asked_for() -> None:
    figure = draw_tradeoff(SWEEP, colour="alpha", marker="")
    assert list_legend(figure)[:4] == ["1", "0.75", "0.5", "0.25"]
    assert len(find_axes(figure).texts) == 4


def test_many_networks_are_told_apart_by_name() -> None:
    models = tuple(f"torchvision/net_{place}" for place in range(9))
    macs = iter(range(1, 10))

    def fill(cell: object) -> dict[str, Any]:
        place = next(macs)
        return {"cost": Cost(macs=place**3 * 10**6), "accuracy": Accuracy(f"{50 + place}%", "me")}

    figure = draw_tradeoff(make_sweep((), fill, models), references=())
    assert set(list_names(figure)) <= set(models)
    assert len(list_names(figure)) > 4
    assert list_legend(figure) == ["Pareto front of the sweep"]


def test_a_reference_that_is_in_the_sweep_is_one_point() -> None:
    sweep = replace(SWEEP, models=("mobilenet_v1", "vgg16"))
    assert "VGG16" not in list_names(draw_tradeoff(sweep))


def test_references_stand_beside_counts_of_one_image_in_our_convention_alone() -> None:
    batch = tuple(
        replace(result, spec={**result.spec, "inputs": [[8, 3, 224, 224]]})
        for result in SWEEP.results
    )
    for sweep in (replace(SWEEP, convention="thop"), replace(SWEEP, results=batch)):
        assert list_names(draw_tradeoff(sweep)) == []
    assert list_names(draw_tradeoff(SWEEP, references=())) == []


def test_cells_without_an_amount_are_told_of() -> None:
    results = (replace(SWEEP.results[0], accuracy=None), *SWEEP.results[1:])
    caption = read_caption(draw_tradeoff(replace(SWEEP, results=results)))
    assert caption.endswith("Not shown: 1 of 16 cells, of which no accuracy is known.")
    bare = (replace(SWEEP.results[0], cost=None), replace(SWEEP.results[1], accuracy=None))
    caption = read_caption(draw_tradeoff(replace(SWEEP, results=(*bare, *SWEEP.results[2:]))))
    assert caption.endswith("2 of 16 cells, of which no MACs or no accuracy is known.")


def test_an_axis_that_has_neither_colour_nor_mark_is_told_of() -> None:
    sizes = iter(range(1, 9))

    def fill(cell: object) -> dict[str, Any]:
        place = next(sizes)
        return {"cost": Cost(macs=place * 10**6), "accuracy": Accuracy(f"{50 + place}%", "me")}

    axes = make_axis("alpha", (1, 0.5)), make_axis("resolution", (64, 32))
    sweep = make_sweep(axes, fill, ("mobilenet_v1", "mobilenet_v2"))
    told = "Neither colour nor mark tells resolution apart."
    assert read_caption(draw_tradeoff(sweep, references=())).endswith(told)
    assert "Neither" not in read_caption(draw_tradeoff(SWEEP))
    assert "tells alpha apart" in read_caption(draw_tradeoff(SWEEP, marker=""))


def test_a_machine_that_is_known_by_its_name_alone_is_named() -> None:
    sweep = replace(SWEEP, setup={}, machines={})
    caption = read_caption(draw_tradeoff(sweep, "latency"))
    assert "median of a pass with its 95% interval; a made machine." in caption


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"x": "mac"}, "unknown quantity 'mac' \\(did you mean 'macs'"),
        ({"x": "top1"}, "two quantities, given 'top1' twice"),
        ({"colour": "resolutoin"}, "did you mean 'resolution'"),
        ({"x": "weights"}, "no cell has both weights and top1; known of the cells: macs"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        draw_tradeoff(SWEEP, **given)


def test_one_point_alone_is_drawn() -> None:
    sweep = replace(SWEEP, results=SWEEP.results[:1])
    figure = draw_tradeoff(sweep, references=())
    assert len(list_points(figure)) == 1
    assert list_legend(figure) == []
    assert len(find_axes(figure).lines) == 0
    assert_readable(figure)


def test_every_interval_lies_within_the_axes() -> None:
    axes = find_axes(draw_tradeoff(SWEEP, "latency"))
    low, high = axes.get_xlim()
    for line in axes.lines:
        assert low <= min(list_values(line.get_xdata()))
        assert max(list_values(line.get_xdata())) <= high


def test_a_time_without_a_sure_lower_end_is_drawn() -> None:
    wide = replace(SWEEP.results[0], latency=Estimate(5e6, 0.0, 9e6, 3))
    figure = draw_tradeoff(replace(SWEEP, results=(wide, *SWEEP.results[1:])), "latency")
    assert_readable(figure)
