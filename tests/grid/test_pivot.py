"""Sweeps as tables of two axes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mobilenet_profiler as mp
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.axes import Axis, make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.pivot import find_value, list_values, make_pivots
from tests.sweeps import make_published_sweep, make_sweep

NAMES = ("width", "depth", "resolution", "groups")
VALUES = st.lists(
    st.integers(1, 9) | st.sampled_from([(3, 4), (2, 2), "wide", True, 0.5]),
    min_size=1,
    max_size=4,
    unique_by=lambda value: repr(value) if value is not True else "1",
)


@st.composite
def draw_axes(draw: st.DrawFn) -> tuple[Axis, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    return tuple(make_axis(name, draw(VALUES)) for name in names)


def number(start: int = 0) -> Any:
    """Costs that tell cells apart: one more from each to the next."""
    count = iter(range(start, 10**9))
    return lambda cell: {"cost": Cost(macs=next(count))}


@given(draw_axes(), st.data())
def test_the_tables_hold_every_cell_once_in_its_place(
    axes: tuple[Axis, ...], data: st.DataObject
) -> None:
    sweep = make_sweep(axes, number(), ("net.py:Net", "net.py:Other"))
    names = [axis.name for axis in axes]
    down = data.draw(st.none() | st.sampled_from(names))
    others = [name for name in names if name != down]
    across = data.draw(st.none() | st.sampled_from(others) if others else st.none())
    pivots = make_pivots(sweep, "macs", down, across)
    assert sorted(list_values(pivots)) == list(range(len(sweep.results)))
    for pivot in pivots:
        for (row, column), result in pivot.cells.items():
            own = {pivot.down: row, pivot.across: column, **pivot.fixed}
            own.pop("", None)
            assert {name: find_value(result, name) for name in own} == own


def test_alpha_runs_down_and_resolution_across_in_whatever_order_they_are_given() -> None:
    axes = (make_axis("resolution", (224, 128)), make_axis("alpha", (1.0, 0.5)))
    (pivot,) = make_pivots(make_sweep(axes, number()), "macs")
    assert (pivot.down, pivot.across) == ("alpha", "resolution")
    assert (pivot.rows, pivot.columns) == ((1.0, 0.5), (224, 128))


def test_a_single_axis_is_a_list_also_where_it_is_a_size() -> None:
    sweep = make_sweep((make_axis("resolution", (224, 128)),), number())
    (pivot,) = make_pivots(sweep, "macs")
    assert (pivot.down, pivot.across) == ("resolution", "")
    assert (pivot.rows, pivot.columns) == ((224, 128), (None,))
    (pivot,) = make_pivots(sweep, "macs", across="resolution")
    assert (pivot.down, pivot.across) == ("", "resolution")


def test_an_axis_of_one_value_runs_down_where_there_is_no_other() -> None:
    axes = (make_axis("alpha", (0.5,)), make_axis("resolution", (224, 128)))
    (pivot,) = make_pivots(make_sweep(axes, number()), "macs")
    assert (pivot.down, pivot.across) == ("alpha", "resolution")
    assert (pivot.rows, pivot.columns) == ((0.5,), (224, 128))


def test_a_third_axis_makes_a_table_for_each_of_its_values() -> None:
    axes = (make_axis("alpha", (1.0, 0.5)), *(make_axis(name, (1, 2)) for name in ("batch", "k")))
    pivots = make_pivots(make_sweep(axes, number(), ("net.py:Net",)), "macs")
    assert [pivot.fixed for pivot in pivots] == [{"k": 1}, {"k": 2}]


def test_pivot_gives_a_frame_whose_cells_are_those_of_the_sweep() -> None:
    frame = make_published_sweep().pivot("macs")
    assert (frame.index.name, frame.columns.name) == ("alpha", "resolution")
    assert frame.at[0.5, 224] == 149_497_088
    assert frame.shape == (4, 4)
    assert str(frame.dtypes.iloc[0]) == "Int64"
    assert make_published_sweep().pivot("accuracy").at[0.25, 128] == 41.5


def test_a_frame_of_several_tables_has_the_other_axes_before_the_one_that_runs_down() -> None:
    axes = (make_axis("alpha", (1.0, 0.5)), make_axis("resolution", (224, 128)))
    sweep = make_sweep(axes, number(), ("mobilenet_v1", "mobilenet_v2"))
    frame = sweep.pivot("macs")
    assert frame.index.names == ["model", "alpha"]
    assert frame.loc[("mobilenet_v2", 0.5), 128] == 7


def test_a_frame_leaves_failed_cells_missing_and_takes_lists_as_values() -> None:
    axes = (make_axis("layers", ([3, 4], [2, 2])), make_axis("k", (1, 2)))

    def fill(cell: Cell) -> dict[str, Any]:
        return {"error": "no"} if cell.point["k"] == 2 else {"cost": Cost(macs=5)}

    frame = make_sweep(axes, fill, ("net.py:Net",)).pivot("macs")
    assert frame[1].tolist() == [5, 5]
    assert frame[2].isna().all()
    assert list(frame.index) == [(3, 4), (2, 2)]


def test_names_that_there_are_not_are_refused() -> None:
    sweep = make_published_sweep()
    with pytest.raises(mp.UsageError, match="did you mean 'resolution'"):
        sweep.pivot("macs", across="resoluton")
    with pytest.raises(mp.UsageError, match="unknown quantity 'speed'"):
        sweep.pivot("speed")


def test_rows_and_columns_stand_in_the_order_of_the_axes_whatever_cells_are_missing() -> None:
    axes = (make_axis("alpha", (1.0, 0.5, 0.75)), make_axis("resolution", (224, 64, 128)))
    whole = make_sweep(axes, number())
    holes = replace(whole, results=tuple(reversed(whole.results[1:])))  # without 1.0 at 224
    (pivot,) = make_pivots(holes, "macs")
    assert (pivot.rows, pivot.columns) == ((1.0, 0.5, 0.75), (224, 64, 128))
    assert pivot.amount(1.0, 224) is None


def test_tables_of_several_networks_stand_in_their_order() -> None:
    axes = (make_axis("alpha", (1.0, 0.5)), make_axis("resolution", (224, 64)))
    whole = make_sweep(axes, number(), models=("mobilenet_v2", "mobilenet_v1"))
    turned = replace(whole, results=tuple(reversed(whole.results)))
    names = [pivot.fixed["model"] for pivot in make_pivots(turned, "macs")]
    assert names == ["mobilenet_v2", "mobilenet_v1"]


def test_one_axis_cannot_run_both_down_and_across() -> None:
    with pytest.raises(mp.UsageError, match="given 'alpha' for both"):
        make_pivots(make_published_sweep(), "macs", "alpha", "alpha")
