"""Conditions of a sweep: what they say, what they leave out, what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.conditions import allows_cell, allows_result, parse_conditions
from mobilenet_profiler.grid.quantities import QUANTITIES
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.measured.statistics import Estimate

AXES = ("alpha", "layers")


def make_result(**given: Any) -> CellResult:
    cost = Cost(params=2_000_000, weights=1_900_000, macs=300_000_000, activations=5_000)
    time = Estimate(10e6, 9e6, 11e6, 9)
    known = {"cost": cost, "memory": 2_000_000, "latency": time, "accuracy": Accuracy("68.4%", "x")}
    return CellResult(Cell("mobilenet_v1", {"alpha": 0.75}), **{**known, **given})


def meets(text: str, result: CellResult) -> bool:
    conditions = parse_conditions([text], AXES)
    return allows_cell(conditions, result.cell) and allows_result(
        conditions, result, list(QUANTITIES)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("macs < 300M", False),
        ("macs <= 300M", True),
        ("macs < 300,000,001", True),
        ("macs=0.3G", True),
        ("params > 2M", False),
        ("weights >= 1.9M and params == 2M", True),
        ("weights >= 1.9M AND params != 2M", False),
        ("memory <= 2MB", True),
        ("memory <= 1.9 MiB", False),  # 1,992,294 bytes
        ("latency < 10ms", False),
        ("latency <= 10000 us", True),
        ("accuracy > 68.3%", True),
        ("top1 > 68.4", False),
        ("alpha >= 0.75", True),
        ("alpha<.75", False),
        ("layers == [3,4]", True),  # a network that has no such axis is not bound by it
        ("model == mobilenet_v1", True),
        ("model != mobilenet_v1", False),
    ],
)
def test_a_condition_holds_a_cell_against_what_it_says(text: str, expected: bool) -> None:
    assert meets(text, make_result()) is expected


def test_lists_are_values_of_axes() -> None:
    cell = Cell("resnet", {"layers": (3, 4)})
    assert allows_cell(parse_conditions(["layers == [3,4]"], AXES), cell)
    assert not allows_cell(parse_conditions(["layers != [3,4]"], AXES), cell)


def test_an_axis_comes_before_a_quantity_of_its_name() -> None:
    (condition,) = parse_conditions(["memory < 3"], ["memory"], measured=())
    assert (condition.quantity, condition.value) == (False, 3)


def test_what_is_not_known_meets_no_condition() -> None:
    assert not meets("top1 > 0", make_result(accuracy=None))
    assert not meets("top1 < 100", make_result(accuracy=None))


def test_a_cell_that_failed_is_kept_to_be_seen() -> None:
    assert meets("macs < 1k", CellResult(Cell("mobilenet_v1"), error="ValueError: no"))


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_less_than_and_no_less_than_part_all_cells(limit: int, macs: int) -> None:
    result = make_result(cost=Cost(macs=macs))
    below, above = meets(f"macs < {limit}", result), meets(f"macs >= {limit}", result)
    assert (below, above) == (macs < limit, macs >= limit)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("macs", "must be a name, then <"),
        ("", "must be a name, then <"),
        ("macs <", "must be a name, then <"),
        ("macs < 300M or alpha > 1", "joined by 'and' alone"),
        ("300M > macs", "must be a name, then <"),
        ("100M < macs < 300M", "must be a name, then <"),
        ("mac < 300M", "did you mean 'macs'?"),
        ("alhpa < 1", "did you mean 'alpha'?"),
        ("macs < 1.5", "whole number above 0"),
        ("memory < big", "must be bytes such as 2MB"),
        ("latency < 10", "latency in condition"),
        ("top1 > high", "must be per cent"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_conditions([text], AXES)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["memory", "latency"])
def test_a_quantity_that_nobody_asked_for_is_refused(name: str) -> None:
    value = "2MB" if name == "memory" else "2ms"
    with pytest.raises(UsageError, match=f"ask for it too .--{name}"):
        parse_conditions([f"{name} < {value}"], AXES, measured=())


def test_values_that_cannot_be_compared_are_refused() -> None:
    conditions = parse_conditions(["alpha < wide"], AXES)
    with pytest.raises(UsageError, match=r"compares 0\.75 with 'wide'"):
        allows_cell(conditions, Cell("mobilenet_v1", {"alpha": 0.75}))
