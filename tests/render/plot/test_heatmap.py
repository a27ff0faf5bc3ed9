"""Heat maps: a number a cell, its colour, and what is said where there is no room for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.render.plot.heatmap import choose_ink, draw_heatmap, make_ramp
from mobilenet_profiler.render.plot.style import THEMES, WIDTHS, Theme
from tests.render.plot.layout import assert_readable, read_caption
from tests.sweeps import make_published_sweep, make_sweep

SWEEP = make_published_sweep()


def list_numbers(axes: Axes) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in axes.texts}


def list_ticks(axes: Axes) -> tuple[list[str], list[str]]:
    across, down = ([own.get_text() for own in axis.get_ticklabels()] for axis in _axes(axes))
    return across, down


def _axes(axes: Axes) -> tuple[Any, Any]:
    return axes.xaxis, axes.yaxis


def test_every_cell_has_its_number_where_its_row_and_column_meet() -> None:
    figure = draw_heatmap(SWEEP)
    (axes,) = figure.axes
    assert list_ticks(axes) == (["224", "192", "160", "128"], ["1", "0.75", "0.5", "0.25"])
    numbers = list_numbers(axes)
    assert len(numbers) == 16
    assert numbers[0.5, 0.5] == "569"
    assert numbers[3.5, 0.5] == "186"
    assert numbers[0.5, 3.5] == "41.0"
    assert numbers[3.5, 3.5] == "13.6"
    low, high = axes.get_ylim()
    assert low > high  # the first row on top
    assert axes.get_title(loc="left") == "MACs (millions)"
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        *("resolution (pixels)", "alpha (width multiplier)"),
    )


def test_more_is_further_along_the_ramp() -> None:
    (axes,) = draw_heatmap(SWEEP).axes
    mesh: Any = axes.collections[0]
    shades = mesh.norm(mesh.get_array()).ravel()
    macs = [result.cost.macs for result in SWEEP.results if result.cost]
    ranked = sorted(range(16), key=macs.__getitem__)
    assert [shades[place] for place in ranked] == sorted(shades)
    assert (min(shades), max(shades)) == (0, pytest.approx(1))


def test_a_time_has_the_digits_that_its_interval_supports_and_an_accuracy_those_printed() -> None:
    (axes,) = draw_heatmap(SWEEP, "latency").axes
    assert list_numbers(axes)[0.5, 0.5] == "11.8"
    assert axes.get_title(loc="left") == "latency (ms)"
    figure = draw_heatmap(SWEEP, "top1")
    assert list_numbers(figure.axes[0])[1.5, 0.5] == "70.0"
    assert "mobilenet_v1.md" in read_caption(figure)


def test_axes_can_be_turned() -> None:
    (axes,) = draw_heatmap(SWEEP, down="resolution", across="alpha").axes
    assert list_ticks(axes)[0] == ["1", "0.75", "0.5", "0.25"]
    assert list_numbers(axes)[0.5, 3.5] == "186"


def make_cost(cell: Cell) -> dict[str, Any]:
    point = cell.point
    alpha, size, batch = point.get("alpha", 1), point.get("resolution", 224), point.get("batch", 1)
    if alpha == 0.5 and batch == 8:
        return {"error": "no room"}
    return {"cost": Cost(macs=round(5e8 * alpha**2 * (size / 224) ** 2) * batch)}


def make_grid(*axes: Any, models: tuple[str, ...] = ("mobilenet_v1",)) -> Sweep:
    return make_sweep(tuple(make_axis(*axis) for axis in axes), make_cost, models)


PANELS = make_grid(
    *(("alpha", (1.0, 0.5)), ("resolution", (224, 128)), ("batch", (1, 8, 32))),
    models=("mobilenet_v1", "mobilenet_v2"),
)
LARGE = make_grid(
    ("alpha", [0.25 + place / 80 for place in range(60)]), ("resolution", range(96, 224, 2))
)
SHAPES: dict[str, Callable[[], Sweep]] = {
    "panels": lambda: PANELS,
    "large": lambda: LARGE,
    "row": lambda: make_grid(("resolution", (224, 192))),
    "column": lambda: make_grid(("alpha", (1.0, 0.75, 0.5))),
    "one": lambda: make_grid(("alpha", (1.0,))),
    "models": lambda: make_grid(models=("mobilenet_v1", "mobilenet_v2")),
    "long names": lambda: make_grid(
        ("final_endpoint", ("Conv2d_11_pointwise_with_a_long_name", "Conv2d_13_pointwise")),
        *(("alpha", (1.0, 0.75)), ("resolution", (224, 128))),
    ),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_grid_of_any_shape_can_be_read(shape: str, width: str) -> None:
    assert_readable(draw_heatmap(SHAPES[shape](), width=width))


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_no_text_lies_on_another_in_any_theme(theme: Theme) -> None:
    assert_readable(draw_heatmap(SWEEP, theme=theme))


def test_all_other_axes_are_panels_with_one_range_of_colours() -> None:
    figure = draw_heatmap(PANELS, width="page")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"{model}, batch {batch}"
        for model in ("mobilenet_v1", "mobilenet_v2")
        for batch in (1, 8, 32)
    ]
    ranges = {(own.collections[0].norm.vmin, own.collections[0].norm.vmax) for own in figure.axes}
    assert len(ranges) == 1
    assert figure.get_suptitle() == "MACs (billions)"


def test_what_is_not_known_is_blank_and_told_of() -> None:
    figure = draw_heatmap(PANELS, width="page")
    assert read_caption(figure).endswith("Blank: 4 not known.")
    assert len(list_numbers(figure.axes[1])) == 2


def test_cells_too_small_for_numbers_have_a_bar_of_colours() -> None:
    figure = draw_heatmap(LARGE)
    axes, bar = figure.axes
    assert not axes.texts
    assert bar.get_ylabel() == "MACs (millions)"
    assert len(list_ticks(axes)[1]) <= 12


def test_numbers_can_be_read_on_every_colour() -> None:
    # WCAG 2.2, 1.4.3: a contrast of 4.5 for text.
    for theme in THEMES.values():
        for step in range(101):
            colour = make_ramp(theme)(step / 100)
            lights = sorted(map(find_luminance, (choose_ink(colour), colour)))
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


def find_luminance(colour: Any) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def draw_many() -> Figure:
    return draw_heatmap(
        make_grid(("alpha", (1.0, 0.5)), ("resolution", (224, 128)), ("batch", tuple(range(1, 15))))
    )


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: draw_heatmap(SWEEP, "mcas"), "did you mean 'macs'"),
        (lambda: draw_heatmap(SWEEP, "weights", down="depth"), "unknown axis 'depth'"),
        (lambda: draw_heatmap(replace(SWEEP, results=SWEEP.results[:0])), "no cell has macs"),
        (lambda: SWEEP.plot.heatmap(width="pgae"), "did you mean 'page'"),
        (lambda: SWEEP.plot.heatmap(theme="drak"), "did you mean 'dark'"),
        (draw_many, "14 panels, one for each batch, at most 12"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(draw: Callable[[], Figure], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        draw()
