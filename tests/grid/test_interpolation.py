"""Amounts between the cells of a grid."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.grid.interpolation import Surface, make_surface


def make_plane(a: float, b: float, c: float) -> Surface:
    """Linear in the logarithms: what an interpolation must give back everywhere."""
    return make_surface(
        ("alpha", "resolution"),
        {
            (x, y): a + b * log(x) + c * log(y)
            for x in (0.25, 0.5, 0.75, 1.0)
            for y in (128.0, 160.0, 192.0, 224.0)
        },
    )


FACTORS = st.floats(-20, 20)


@given(FACTORS, FACTORS, FACTORS, st.floats(0.25, 1), st.floats(128, 224))
def test_what_is_linear_in_the_logarithms_is_found_again(
    a: float, b: float, c: float, x: float, y: float
) -> None:
    surface = make_plane(a, b, c)
    assert surface.find((x, y)) == pytest.approx(a + b * log(x) + c * log(y), abs=1e-6)
    assert all(abs(miss) < 1e-6 for miss in surface.find_misses().values())


def test_a_known_cell_has_its_own_amount() -> None:
    surface = make_surface(("alpha",), {(0.5,): 63.3, (1.0,): 70.9})
    assert surface.find((0.5,)) == 63.3
    assert surface.find_sides((0.5,)) == ((0.5,),)
    assert surface.find_sides((0.7,)) == ((0.5, 1.0),)


@pytest.mark.parametrize("place", [(0.2, 160.0), (1.1, 160.0), (0.5, 100.0), (0.5, 300.0)])
def test_beyond_the_last_cell_there_is_nothing(place: tuple[float, float]) -> None:
    assert make_plane(1, 1, 1).find(place) is None


def test_where_a_corner_is_not_known_there_is_nothing() -> None:
    amounts: dict[tuple[float, ...], float] = {
        (0.5, 128.0): 1.0,
        (0.5, 224.0): 2.0,
        (1.0, 128.0): 3.0,
    }
    surface = make_surface(("alpha", "resolution"), amounts)
    assert surface.find((0.75, 160.0)) is None
    assert surface.find((0.5, 160.0)) is not None
    assert surface.find((1.0, 224.0)) is None


def test_a_miss_is_what_its_neighbours_say_less_what_a_cell_is() -> None:
    surface = make_surface(("alpha",), {(0.25,): 40.0, (0.5,): 63.0, (1.0,): 70.0})
    # halfway in the logarithm: (40 + 70) / 2 = 55
    assert surface.find_misses() == {(0.5,): pytest.approx(-8.0)}


def test_a_surface_without_amounts_finds_nothing() -> None:
    assert make_surface(("alpha",), {}).find((0.5,)) is None
