"""When a count and a printed number agree."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mobilenet_profiler.verification.rule import cut_place, judge

counts = st.integers(0, 10**13)
places = st.integers(0, 10).map(lambda power: 10**power)


@pytest.mark.parametrize(
    ("count", "printed", "place", "how"),
    [
        (568_740_352, 569_000_000, 10**6, "rounded"),
        (290_675_200, 290_000_000, 10**6, "truncated"),
        (149_497_088, 150_000_000, 10**6, "rounded up"),
        (567_716_352, 567_716_352, 1, "exact"),
        (567_716_353, 567_716_352, 1, None),
        (325_401_216, 317_000_000, 10**6, None),
        (500_000, 1_000_000, 10**6, "rounded"),  # half a unit away, up or down
        (1_500_000, 1_000_000, 10**6, "rounded"),
        (2_000_000, 1_000_000, 10**6, None),  # a whole unit is too far
    ],
)
def test_a_figure_agrees_within_one_unit_of_its_last_place(
    count: int, printed: int, place: int, how: str | None
) -> None:
    assert judge(Fraction(count), Fraction(printed), Fraction(place)) == how


@given(counts, places)
def test_what_was_truncated_rounded_or_rounded_up_agrees(count: int, place: int) -> None:
    assume(count >= place)  # else the last place says nothing of the count
    down = count // place * place
    for printed in (down, down + place):
        exact = count % place == 0 and printed != count
        assert (judge(Fraction(count), Fraction(printed), Fraction(place)) is None) == exact


@pytest.mark.parametrize(
    ("count", "printed", "place"),
    [(568_740_352, 10**12, 10**12), (568_740_352, 0, 10**9), (3, 10**400, 10**400)],
)
def test_a_place_larger_than_the_count_says_nothing(count: int, printed: int, place: int) -> None:
    assert judge(Fraction(count), Fraction(printed), Fraction(place)) is None


@given(counts, places, st.integers(2, 9), st.sampled_from([-1, 1]))
def test_two_units_away_from_what_agrees_never_agrees(
    count: int, place: int, units: int, side: int
) -> None:
    printed = count // place * place
    assert judge(Fraction(count), Fraction(printed + side * units * place), Fraction(place)) is None


@given(counts, counts, places)
def test_the_rule_knows_no_scale(count: int, printed: int, place: int) -> None:
    scaled = [Fraction(value, 10**6) for value in (count, printed, place)]
    assert judge(*scaled) == judge(Fraction(count), Fraction(printed), Fraction(place))


@pytest.mark.parametrize(
    ("printed", "digits", "place"), [(15300, 3, 100), (720, 2, 10), (5000, 1, 1000), (42, 5, 1)]
)
def test_leading_digits_have_a_place(printed: int, digits: int, place: int) -> None:
    assert cut_place(Fraction(printed), Fraction(1), digits) == place


@given(st.integers(1, 10**9), st.integers(1, 9))
def test_a_cut_place_keeps_so_many_digits(printed: int, digits: int) -> None:
    place = cut_place(Fraction(printed), Fraction(1), digits)
    assume(digits <= len(str(printed)))
    assert place == 10 ** (len(str(printed)) - digits)
