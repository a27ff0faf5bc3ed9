"""Units, ticks and numbers of axes: round, plain, and as many as have room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.grid.quantities import QUANTITIES
from mobilenet_profiler.render.plot.amounts import (
    choose_scale,
    choose_steps,
    count_ticks,
    describe_amount,
    find_limits,
    format_amount,
    format_tick,
    format_value,
)
from tests.sweeps import make_published_sweep


@pytest.mark.parametrize(
    ("unit", "amounts", "name"),
    [
        ("MACs", [13e6, 569e6, 15e9], "millions"),
        ("MACs", [1e9, 2e9], "billions"),
        ("params", [500], ""),
        ("params", [], ""),
        ("bytes", [3 * 2**20], "MiB"),
        ("bytes", [2**10 - 1], "bytes"),
        ("ns", [2_500_000], "ms"),
        ("ns", [999_000], "µs"),
        ("%", [70.9], "%"),
    ],
)
def test_a_unit_is_the_largest_that_the_middle_amount_has_one_of(
    unit: str, amounts: list[float], name: str
) -> None:
    assert choose_scale(unit, amounts).name == name


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (1000, "1,000"), (1e7, "1e+07"), (1e-5, "1e-05"), (0.001, "0.001")],
)
def test_ticks_have_no_more_digits_than_they_need(value: float, text: str) -> None:
    assert format_tick(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.75, "0.75"), (224, "224"), (True, "true"), (None, "none"), ((1, 2), "[1, 2]")],
)
def test_values_of_axes_are_as_they_were_given(value: object, text: str) -> None:
    assert format_value(value) == text


@given(st.floats(1e-6, 1e6), st.floats(1.0001, 1e9), st.integers(4, 15))
def test_logarithmic_ticks_are_few_but_for_powers_of_ten(
    low: float, factor: float, most: int
) -> None:
    high = low * factor
    steps = choose_steps(low, high, most)
    count = count_ticks(low, high, steps)
    assert not steps or steps == (1,) or 2 <= count <= most


def test_few_numbers_between_near_ends_come_from_linear_steps() -> None:
    assert choose_steps(1.21, 1.29, 8) == ()
    assert choose_steps(10, 1000, 8) == (1, 2, 5)
    assert choose_steps(7, 25_000, 8) == (1, 3)


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=9), st.booleans())
def test_an_axis_has_room_around_all_that_it_holds(values: list[float], log: bool) -> None:
    low, high = find_limits(values, log)
    assert low < min(values)
    assert high > max(values)
    assert low > 0 or not log


def test_an_amount_in_full_says_its_unit() -> None:
    result = make_published_sweep().results[0]
    said = {name: describe_amount(own, result) for name, own in QUANTITIES.items()}
    assert said["macs"] == "568,740,352 MACs"
    assert said["params"] == "4,231,976 params"
    assert said["latency"] == "latency 11.8 ms"
    assert said["top1"] == "ImageNet top-1 accuracy 70.9%"
    assert said["memory"] == "peak activation memory 18.4 MiB"


def test_a_cell_without_an_amount_shows_none() -> None:
    from dataclasses import replace

    bare = replace(make_published_sweep().results[0], cost=None)
    assert format_amount(QUANTITIES["macs"], bare, choose_scale("", [1])) == ""
    assert describe_amount(QUANTITIES["macs"], bare) == "MACs not known"
