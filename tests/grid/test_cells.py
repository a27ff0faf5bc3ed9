"""The cells of a grid."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import Axis, make_axis
from mobilenet_profiler.grid.cells import Cell, list_cells

NAMES = ("width", "depth", "groups", "resolution")
VALUES = st.lists(st.integers(1, 50) | st.sampled_from([(3, 4), "wide"]), min_size=1, max_size=4)


@st.composite
def draw_axes(draw: st.DrawFn) -> tuple[Axis, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    return tuple(make_axis(name, dict.fromkeys(draw(VALUES))) for name in names)


@given(draw_axes())
def test_the_cells_are_the_product_of_the_axes_the_last_running_fastest(
    axes: tuple[Axis, ...],
) -> None:
    cells = list_cells(("net.py:Net",), axes, ("cpu", "gpu"))
    expected = [
        (dict(zip([axis.name for axis in axes], values, strict=True)), node)
        for values in product(*(axis.values for axis in axes))
        for node in ("cpu", "gpu")
    ]
    assert [(dict(cell.point), cell.on) for cell in cells] == expected


@given(draw_axes())
def test_the_key_of_a_cell_is_that_of_no_other(axes: tuple[Axis, ...]) -> None:
    cells = list_cells(("net.py:Net", "net.py:Other"), axes, ("", "cpu"))
    assert len({cell.key for cell in cells}) == len(cells)


def test_one_and_one_point_zero_are_one_key() -> None:
    assert Cell("m", {"alpha": 1}).key == Cell("m", {"alpha": 1.0}).key
    assert Cell("m", {"alpha": 1.5}).key != Cell("m", {"alpha": 1}).key
    assert Cell("m", {"layers": (3, 4)}).key == Cell("m", {"layers": [3, 4]}).key


def test_a_network_without_an_option_takes_part_once_without_that_axis() -> None:
    axes = (make_axis("alpha", (1.0, 0.5)), make_axis("resolution", (224, 128)))
    cells = list_cells(("mobilenet_v1", "resnet50"), axes)
    assert [cell.label for cell in cells[4:]] == [
        "resnet50 resolution=224",
        "resnet50 resolution=128",
    ]


def test_a_spec_has_the_point_of_its_cell_and_the_settings_of_all() -> None:
    cell = Cell("mobilenet_v1", {"alpha": 0.5, "resolution": 160})
    spec = cell.make_spec({"num_classes": 10, "arguments": {"dropout_keep": 0.5}})
    assert spec.label == (
        "mobilenet_v1 dropout_keep=0.5 num_classes=10 alpha=0.5 input=1x3x160x160"
    )
    assert Cell("mobilenet_v1", {"input": "2x3x64x64"}).make_spec({}).known_inputs[0].shape == (
        *(2, 3, 64, 64),
    )


@pytest.mark.parametrize(
    ("models", "axis", "message"),
    [
        (("vgg16", "vgg16"), "resolution=64,32", "model 'vgg16' is given twice"),
        (("vgg16",), "alpha=1,2", "unknown axis 'alpha'"),
        (("mobilenet_v1",), "alhpa=1,2", "did you mean 'alpha'"),
        (("mobilenet_v1 alpha=1",), "alpha=1,2", "has a value for the axis alpha already"),
        (("mobilenet_v1 beta=1",), "resolution=64,32", "has a value for the axis resolution"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(models: tuple[str, ...], axis: str, message: str) -> None:
    name, _, values = axis.partition("=")
    with pytest.raises(UsageError, match=message):
        list_cells(models, (make_axis(name, map(int, values.split(","))),))


def test_more_cells_than_a_sweep_can_hold_are_refused_before_they_are_listed() -> None:
    axes = tuple(make_axis(name, range(1, 1001)) for name in ("width", "depth", "groups"))
    with pytest.raises(UsageError, match="the grid has 1,000,000,000 cells, at most 1,000,000"):
        list_cells(("net.py:Net",), axes)
