"""Axes as text gives them."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import Axis, make_axes, make_axis, parse_axis, parse_values

NUMBERS = st.integers(-1000, 1000) | st.decimals(-10, 10, places=2).map(float)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("depth=18,34,50", "depth", (18, 34, 50)),
        ("groups=1:8:2", "groups", (1, 3, 5, 7)),
        ("alpha=0.25:1:0.25", "alpha", (0.25, 0.5, 0.75, 1.0)),
        ("size=3:1:-1", "size", (3, 2, 1)),
        ("n=1:3", "n", (1, 2, 3)),
        ("alpha=1,0.5:0.7:0.1", "alpha", (1, 0.5, 0.6, 0.7)),
        ("layers=[3,4,6,3],[2,2,2,2]", "layers", ((3, 4, 6, 3), (2, 2, 2, 2))),
        ("norm=batch, none", "norm", ("batch", None)),
        ("bias=true,false", "bias", (True, False)),
        ("classes=10,1000", "num_classes", (10, 1000)),
        ("input=1x3x64x64,1x3x32x32", "input", ("1x3x64x64", "1x3x32x32")),
        ("place=a:b", "place", ("a:b",)),
    ],
)
def test_the_values_of_a_text(text: str, name: str, values: tuple[Any, ...]) -> None:
    axis = parse_axis(text)
    assert (axis.name, axis.values) == (name, values)
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@given(st.lists(NUMBERS, min_size=1, max_size=20, unique=True))
def test_numbers_that_are_listed_are_read_again(values: list[float]) -> None:
    assert parse_values("width", ",".join(map(str, values))) == tuple(values)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=5, unique_by=tuple))
def test_lists_that_are_listed_are_read_again(values: list[list[int]]) -> None:
    axis = parse_axis(f"layers={','.join(map(str, values))}")
    assert axis.values == tuple(map(tuple, values))


@given(
    st.decimals(-5, 5, places=2),
    st.integers(0, 30),
    st.decimals("0.01", 2, places=2),
    st.booleans(),
)
def test_a_range_has_its_first_and_last_value_and_even_steps(
    first: Decimal, count: int, step: Decimal, down: bool
) -> None:
    by = -step if down else step
    last = first + count * by
    values = parse_values("x", f"{first}:{last}:{by}")
    assert len(values) == count + 1
    assert values[0] == float(first)
    assert values[-1] == float(last)  # exactly: 0.1 + 0.2 is 0.3 here
    assert all(value == float(first + index * by) for index, value in enumerate(values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alpha", "an axis must be name=value,value or name=first:last:step, given 'alpha'"),
        ("a b=1", "an axis must be name=value"),
        ("alpha=1,,2", "axis alpha has an empty value"),
        ("alpha=", "axis alpha has an empty value"),
        ("alpha=1,1.0", "axis alpha has the value 1.0 twice"),
        ("alpha=1:0:0.5", "'1:0:0.5' has no values"),
        ("alpha=1:2:0", "'1:2:0' has no values"),
        ("alpha=1:0.7:0.15", "its step is negative: 1:0.7:-0.15"),
        ("alpha=1e400", "must be finite, given inf"),
        ("alpha=0:1:0.000001", "has 1,000,001 values, at most 100,000"),
        ("inputs=1", "'inputs' is no axis"),
        ("model=a,b", "'model' is no axis"),
    ],
)
def test_what_is_no_axis_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_axis(text)


@pytest.mark.parametrize(
    "values", [np.array([0.5, 1.0]), np.linspace(0.5, 1, 2), (np.float64(0.5), 1.0)]
)
def test_values_may_be_numpys_and_become_pythons(values: Sequence[Any]) -> None:
    axis = make_axis("alpha", values)
    assert axis.values == (0.5, 1.0)
    assert {type(value) for value in axis.values} == {float}


def test_values_that_cannot_be_looked_up_are_refused() -> None:
    with pytest.raises(UsageError, match="values are numbers, texts and lists of these"):
        make_axis("options", [{"a": 1}])
    with pytest.raises(UsageError, match="axis alpha needs a value, given none"):
        make_axis("alpha", [])


def test_axes_that_do_not_go_together_are_refused() -> None:
    alpha, beta = Axis("alpha", (1.0, 0.5)), Axis("beta", (1.0, 0.5))
    assert make_axes([alpha, beta], {"num_classes": 10}) == (alpha, beta)
    with pytest.raises(UsageError, match="axis alpha is given twice"):
        make_axes([alpha, alpha], {})
    with pytest.raises(UsageError, match=r"alpha is an axis and has the value 0\.5 too"):
        make_axes([alpha], {"alpha": 0.5})
    with pytest.raises(UsageError, match="resolution or of beta, not both"):
        make_axes([beta, Axis("resolution", (224,))], {})
