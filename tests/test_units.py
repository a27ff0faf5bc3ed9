"""Numbers as text and back: exact where they say so."""

from fractions import Fraction
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.statistics import Estimate, Ratio
from mobilenet_profiler.units import (
    TimeUnit,
    describe_ratio,
    format_count,
    format_duration,
    format_estimate,
    format_percent,
    format_ratio,
    format_ratio_estimate,
    format_time,
    parse_amount,
    parse_bytes,
    parse_duration,
)

COUNTS = st.integers(1, 10**18)


@given(COUNTS)
def test_an_amount_is_read_as_it_is_written(count: int) -> None:
    for text in (str(count), format_count(count), f"{count:_}", f" {count} "):
        assert parse_amount("limit", text) == count
    assert parse_amount("limit", count) == count


@given(st.integers(1, 2**53))
def test_a_float_that_is_a_whole_number_is_that_number(count: int) -> None:
    assert parse_amount("limit", float(count)) == count
    assert parse_bytes("limit", float(count)) == count


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
        *(0, -1, True, False, 1.5, 0.0, -3e8, float("nan"), float("inf"), None, [1]),
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


@pytest.mark.parametrize(
    ("text", "nanoseconds", "shown"),
    [
        ("20ms", 20_000_000, "20 ms"),
        ("1.5s", 1_500_000_000, "1.5 s"),
        ("800us", 800_000, "800 µs"),
        (" 0.8 ms ", 800_000, "800 µs"),
        ("16.666667µs", 16_667, "16.667 µs"),
        ("250ns", 250, "0.25 µs"),
        ("33.3ms", 33_300_000, "33.3 ms"),
    ],
)
def test_durations_by_hand(text: str, nanoseconds: int, shown: str) -> None:
    assert parse_duration("limit", text) == nanoseconds
    assert format_time(nanoseconds) == shown


@given(st.integers(1, 10**15))
def test_a_time_is_read_as_it_is_written(nanoseconds: int) -> None:
    assert parse_duration("limit", format_time(nanoseconds).replace(",", "")) == nanoseconds


@pytest.mark.parametrize(
    "given_",
    [
        *("", "20", "ms", "20 min", "-3ms", "0ms", "0.1ns", "1e3ms", "20  ms", "20MS", "1,5ms"),
        *("nan s", "٣ms", "1.ms", "9" * 40 + "s", 20, 0.02, None, True),
    ],
)
def test_no_time_is_refused_in_a_line_that_says_what_is_allowed(given_: object) -> None:
    with pytest.raises(UsageError, match=r"^limit must be a time above 0 .*20ms, 1\.5s") as error:
        parse_duration("limit", given_)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("estimate", "text", "in_milliseconds"),
    [
        (Estimate(22_512_345, 22_100_000, 22_900_000, 50), "22.5 ± 0.4 ms", "22.5 ± 0.4"),
        (Estimate(22_512_345, 22_480_000, 22_540_000, 50), "22.51 ± 0.03 ms", "22.51 ± 0.03"),
        (Estimate(12_300, 12_100, 12_500, 50), "12.3 ± 0.2 µs", "0.0123 ± 0.0002"),
        (Estimate(1.24e10, 1.1e10, 1.3e10, 50), "12 ± 1 s", "12,000 ± 1,000"),
        # 0.96 of a unit is 1 of it, whose digit stands one place before.
        (Estimate(5_000_000, 4_040_000, 5_960_000, 50), "5 ± 1 ms", "5 ± 1"),
        (Estimate(9_000_000, 8_800_000, 41_000_000, 50), "8 to 41 ms", "8 to 41"),
        (Estimate(22_512_345, 22_512_345, 22_512_345, 50), "22.51 ms", "22.51"),
        (Estimate(0, 0, 0, 50), "0 µs", "0"),
    ],
)
def test_an_estimate_has_no_digit_that_its_interval_does_not_support(
    estimate: Estimate, text: str, in_milliseconds: str
) -> None:
    assert format_estimate(estimate) == text
    assert format_estimate(estimate, TimeUnit("ms", 10**6)) == in_milliseconds


@pytest.mark.parametrize(
    ("ratio", "words", "cell"),
    [
        (Ratio(1.42, 1.37, 1.46), "1.42 ± 0.05 times faster", "1.42 ± 0.05"),
        (Ratio(1 / 1.1, 1 / 1.12, 1 / 1.08), "1.10 ± 0.02 times slower", "0.91 ± 0.02"),
        (
            Ratio(1.01, 0.972, 1.038),
            "no difference that this data can show (ratio 0.97 to 1.04)",
            "1.01 ± 0.04",
        ),
        # ± 0.02 would hold 1, which the interval does not.
        (Ratio(1.02, 1.003, 1.04), "1.003 to 1.04 times faster", "1.003 to 1.04"),
        (Ratio(0.87, 0.76, 0.99), "1.01 to 1.4 times slower", "0.7 to 0.99"),
        (Ratio(1.5, 1.1, 3), "1.1 to 3.0 times faster", "1.1 to 3.0"),
        (Ratio(2, 1.2, inf), "more than 1.20 times faster", "-"),
        (Ratio(0.5, 0, 0.7), "more than 1.42 times slower", "-"),
        (Ratio(2, 0, inf), "no difference that this data can show (too few samples)", "-"),
        (Ratio(2, 0, 2.5), "no difference that this data can show (one may be 0)", "-"),
        (Ratio(1, 1, 1), "no difference that this data can show (ratio 1.000)", "1.000"),
        (Ratio(1.5, 1.5, 1.5), "1.500 times faster", "1.500"),
    ],
)
def test_ratios_in_words(ratio: Ratio, words: str, cell: str) -> None:
    assert describe_ratio(ratio) == words
    assert format_ratio_estimate(ratio) == cell


@given(st.floats(0.1, 10), st.floats(1, 1.5), st.floats(1, 1.5))
def test_words_say_a_difference_where_there_is_one_and_show_it(
    value: float, below: float, above: float
) -> None:
    ratio = Ratio(value, value / below, value * above)
    assume(abs(ratio.low - 1) > 1e-6 and abs(ratio.high - 1) > 1e-6)
    text = describe_ratio(ratio)
    assert ("no difference" in text) == (not ratio.differs)
    if ratio.differs:
        assert text.endswith("faster" if ratio.value > 1 else "slower")
        number, _, rest = text.partition(" ")
        spread = float(rest.split()[1]) if rest.startswith("±") else 0.0
        assert float(number) - spread >= 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (11_520, "3 h 12 min"),
        (3_659.6, "1 h 1 min"),
        (47 * 3600, "47 h 0 min"),
        (49 * 3600, "2 days 1 h"),
    ],
)
def test_long_times_in_words(seconds: float, text: str) -> None:
    assert format_duration(seconds * 1e9) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("2MB", 2_000_000), ("2 MiB", 2 * 2**20), ("1.5GiB", 3 * 2**29), ("4096", 4096)),
        *(("512 kb", 512_000), ("1 TB", 10**12), ("8B", 8), ("0.5 KiB", 512), (7, 7)),
    ],
)
def test_bytes_are_powers_of_1000_or_with_an_i_of_1024(text: object, expected: int) -> None:
    assert parse_bytes("--max-memory", text) == expected


@pytest.mark.parametrize("text", ["", "2M", "MB", "-1MB", "0MB", "2iB", "0", True, 1.5, None])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(UsageError, match="--max-memory must be bytes such as 2MB"):
        parse_bytes("--max-memory", text)
