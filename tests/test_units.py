"""Numbers as text and back: exact where they say so."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.units import (
    format_count,
    format_percent,
    format_ratio,
    parse_amount,
)

COUNTS = st.integers(1, 10**18)


@given(COUNTS)
def test_an_amount_is_read_as_it_is_written(count: int) -> None:
    for text in (str(count), format_count(count), f"{count:_}", f" {count} "):
        assert parse_amount("limit", text) == count
    assert parse_amount("limit", count) == count


@given(st.integers(1, 10**6), st.sampled_from([(3, "kK"), (6, "mM"), (9, "gGbB"), (12, "tT")]))
def test_a_unit_is_a_power_of_ten_in_either_case(thousandths: int, unit: tuple[int, str]) -> None:
    power, letters = unit
    number = f"{thousandths // 1000}.{thousandths % 1000:03}"
    for letter in (*letters, f"e{power}", f"E+{power}"):
        assert parse_amount("limit", number + letter) == thousandths * 10 ** (power - 3)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("300M", 300_000_000),
        ("4.3M", 4_300_000),
        ("1.5G", 1_500_000_000),
        ("300_000_000", 300_000_000),
        ("4,231,976", 4_231_976),
        ("1e9", 10**9),
        ("2.0", 2),
        # 0.1 + 0.2 in floats is not 0.3; a text is exact.
        ("0.3k", 300),
        ("1.000000000000000001e18", 10**18 + 1),
    ],
)
def test_amounts_by_hand(text: str, count: int) -> None:
    assert parse_amount("limit", text) == count


@pytest.mark.parametrize(
    "given_",
    [
        *("", "M", "4,3M", "4.3.1", "-3", "+3", "0", "0.0M", "1.5", "1.2345k", "12,34", "1__0"),
        *("1e999", "1e9M", "300 M", "300MB", "٣", "²", "nan", "inf", "0x10", "1" * 200),
        *(0, -1, True, False, 1.5, 3e8, None, [1]),
    ],
)
def test_anything_else_is_refused_in_a_line_that_says_what_is_allowed(given_: object) -> None:
    with pytest.raises(UsageError, match=r"^limit must be .*300M, 4\.3M") as error:
        parse_amount("limit", given_)
    assert "\n" not in str(error.value)


@given(st.integers(-(10**12), 10**12), COUNTS)
def test_per_cent_says_all_and_nothing_only_where_that_is_so(part: int, whole: int) -> None:
    text = format_percent(part, whole)
    assert (text == "100%") == (part == whole)
    assert (text == "0%") == (part == 0)
    shown = Fraction(text.rstrip("%"))
    assert (shown == 100) == (part == whole)
    assert abs(shown - Fraction(100 * part, whole)) <= Fraction(1, 20)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 2, "0.500"),
        (7, 7, "1"),
        (0, 7, "0"),
        (1, 0, "-"),
        (1, 3000, "0.000333"),
        (27, 1, "27.000"),
    ],
)
def test_ratios(part: int, whole: int, text: str) -> None:
    assert format_ratio(part, whole) == text
