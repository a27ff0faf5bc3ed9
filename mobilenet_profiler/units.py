"""Numbers as text, at the very edge: counts, shares, shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from itertools import count
from math import ceil, floor, inf, log10
from typing import TYPE_CHECKING, NamedTuple

from mobilenet_profiler.errors import UsageError

if TYPE_CHECKING:
    from mobilenet_profiler.measured.statistics import Estimate, Ratio

_BINARY = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_PREFIXES = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def format_count(value: int) -> str:
    """An exact integer with thousands separators: `106,002,432`."""
    return f"{value:,}"


def format_rounded(value: int) -> str:
    """A count to two decimals with its SI prefix: `106.00M`; exact below 1,000."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.2f}{prefix}"
    return str(value)


def format_bytes(value: int) -> str:
    """Bytes in binary units, to two decimals: `19.44 MiB` (MiB = 2**20); exact below 1 KiB."""
    for size, unit in _BINARY:
        if abs(value) >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value} B"


def format_short(value: int) -> str:
    """A whole number with a prefix where that leaves nothing out: `150M`, `1.5M`, `1,999,999`."""
    size, prefix = next((own for own in _PREFIXES if value >= own[0]), (1, ""))
    if size == 1 or value % (size // 1000):
        return format_count(value)
    return f"{format_exact(Fraction(value, size))}{prefix}"


class ByteUnit(NamedTuple):
    """A unit of bytes for a column: its sign, its size, and the places that its numbers have."""

    sign: str
    size: int
    places: int


def choose_byte_unit(values: Iterable[int]) -> ByteUnit:
    """The unit that suits the middle one of these sizes; the least keeps three digits in it."""
    known = sorted(value for value in values if value)
    middle = known[len(known) // 2] if known else 0
    size, sign = next((own for own in _BINARY if middle >= own[0]), (1, "B"))
    if size == 1:
        return ByteUnit(sign, 1, 0)
    return ByteUnit(sign, size, min(max(2 - floor(log10(known[0] / size)), 2), 6))


def format_digits(value: float, digits: int = 3) -> str:
    """A number to so many digits, and all those before its point: `98.8`, `0.412`, `1,234`."""
    if not value:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    return f"{rounded:,.{max(digits - 1 - floor(log10(abs(rounded))), 0)}f}"


def format_size(size: int) -> str:
    """Bytes in units of 1,024: `96 KiB`, `1.5 MiB`, `384 MiB`."""
    for power, unit in _BINARY:
        if size >= power:
            return f"{size / power:.3g} {unit}"
    return f"{size} B"


def format_share(part: int, whole: int) -> str:
    """`part` of `whole` in per cent with two decimals; a dash where nothing is shared."""
    return f"{100 * part / whole:.2f}" if whole and part else ("0" if whole else "-")


def format_shape(shape: tuple[int, ...] | None, cross: str = "x") -> str:
    """`(1, 3, 128, 128)` as `1x3x128x128`; a dash where there is no shape."""
    return cross.join(str(size) for size in shape) if shape else "-"


def format_decimal(value: Fraction, places: int) -> str:
    """An exact number rounded to so many places, with separators: `1.9056`."""
    return f"{Decimal(value.numerator) / Decimal(value.denominator):,.{places}f}"


def format_percent(part: int, whole: int) -> str:
    """`part` of `whole` in words: `57.2%`; `100%` and `0%` only where that is exact."""
    exact = Fraction(100 * part, whole)
    if exact.denominator == 1:
        return f"{exact}%"
    for digits in count(1):
        rounded = round(exact, digits)
        if rounded not in (0, 100):
            return f"{float(rounded):.{digits}f}%"
    raise AssertionError


def format_ratio(part: int, whole: int) -> str:
    """`part` over `whole`: `1` and `0` only where that is exact; a dash over nothing."""
    if not whole or part in (0, whole):
        return "-" if not whole else "1" if part else "0"
    ratio = part / whole
    return f"{ratio:.3f}" if ratio >= 0.1 else f"{ratio:.3g}"


def format_change(before: int, after: int) -> str:
    """How much was added, with its sign: `+1,024`, `-96`, `0`."""
    return f"{after - before:+,}" if after != before else "0"


_DURATION = re.compile(r"(?P<number>\d+(\.\d+)?) ?(?P<unit>ns|us|µs|μs|ms|s)", re.ASCII)
_DURATIONS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9}


def parse_duration(what: str, value: object) -> int:
    """The nanoseconds that `20ms`, `1.5s` or `800us` stands for, rounded to a whole number.

    what: whose time it is, for the UsageError that anything but a time above 0 raises; a
    number without a unit is none.
    """
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    exact = Fraction(found["number"]) * _DURATIONS[found["unit"]] if found else Fraction(0)
    if not 1 <= exact < 10**18:
        raise UsageError(
            f"{what} must be a time above 0 with its unit (ns, us, ms, s), such as 20ms, 1.5s "
            f"or 800us, given {value!r}"
        )
    return round(exact)


def format_time(nanoseconds: int) -> str:
    """An exact time in the largest unit that it has one of: `20 ms`, `1.5 s`, `800 µs`."""
    unit = choose_time_unit(nanoseconds)
    return f"{format_exact(Fraction(nanoseconds, unit.nanoseconds))} {unit.sign}"


def format_duration(nanoseconds: float) -> str:
    """A long time in words, two units at most: `3 h 12 min`, `45 s`."""
    seconds = round(nanoseconds / 1e9)
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} days {hours % 24} h"


def format_exact(value: Fraction) -> str:
    """A number that ends after at most nine decimals, with no more digits than it has."""
    text = format_decimal(value, 9)
    return text.rstrip("0").rstrip(".")


def format_ratio_estimate(ratio: Ratio) -> str:
    """A measured ratio with its spread, `1.42 ± 0.05`; a dash where it has no interval.

    The spread is the end of the interval that lies further away: an interval that is longer
    on one side is not made to look shorter. Both ends, `1.1 to 3.0`, where the spread is
    half as large as the ratio, or would hold 1 although the interval does not.
    """
    reach = max(ratio.high - ratio.value, ratio.value - ratio.low)
    if not ratio.low or reach == inf:
        return "-"
    if not reach:
        return format_supported(ratio.value, 0.0, digits=4)
    if 2 * reach > ratio.value or (ratio.differs and _holds_one(ratio.value, reach)):
        return _show_range(ratio.low, ratio.high)
    return f"{format_supported(ratio.value, reach)} ± {format_supported(reach, reach)}"


def _holds_one(value: float, reach: float) -> bool:
    """Whether 1 lies within a spread as it is printed."""
    spread = round(reach, count_places(reach, reach))
    return round(abs(round(value, count_places(value, reach)) - 1), 9) <= spread


def describe_ratio(ratio: Ratio) -> str:
    """What a time before over a time after means: `1.42 ± 0.05 times faster`, in words."""
    if not ratio.differs:
        return f"no difference that this data can show ({_describe_range(ratio)})"
    word, shown = ("faster", ratio) if ratio.value > 1 else ("slower", ratio.inverse)
    text = format_ratio_estimate(shown)
    return f"{_show_range(shown.low, shown.high) if text == '-' else text} times {word}"


def _describe_range(ratio: Ratio) -> str:
    if ratio.low == 0 or ratio.high == inf:
        return "too few samples" if (ratio.low, ratio.high) == (0, inf) else "one may be 0"
    if ratio.low == ratio.high:
        return f"ratio {format_supported(ratio.value, 0.0, digits=4)}"
    return f"ratio {_show_range(ratio.low, ratio.high)}"


def _show_range(low: float, high: float) -> str:
    """Both ends, rounded outwards to the first digit of half their distance: `0.97 to 1.04`.

    An end to a finer one where it would have no digit left, or where 1 would come to lie
    between them although it does not.
    """
    places = 2 if high == inf else count_places(low, (high - low) / 2)
    below = above = places
    while low > 1 >= _round_outwards(low, below, floor):
        below += 1
    while high < 1 <= _round_outwards(high, above, ceil):
        above += 1
    shown = f"{_round_outwards(low, below, floor):,.{max(below, 0)}f}"
    if high == inf:
        return f"more than {shown}"
    return f"{shown} to {_round_outwards(high, above, ceil):,.{max(above, 0)}f}"


def _round_outwards(value: float, places: int, outwards: Callable[[Fraction], int]) -> float:
    exact = Fraction(str(value)) * Fraction(10) ** places  # as it is written: 0.29 is 29 / 100
    return float(outwards(exact) / Fraction(10) ** places)


_AMOUNT = re.compile(
    r"(?P<whole>\d{1,3}(,\d{3})+|\d+(_\d+)*)(\.(?P<part>\d+))?(e\+?(?P<power>\d{1,2})|(?P<unit>[kmgbt]))?",
    re.ASCII | re.IGNORECASE,
)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}


def parse_amount(what: str, value: object) -> int:
    """The count that `300M`, `1.5G`, `4,231,976`, `300_000_000` or `1e9` stands for, exactly.

    k, M, G or B, and T in either case; a float that is a whole number too, such as 150e6.
    what: whose amount it is, for the UsageError that anything but a whole number above 0 raises.
    """
    exact = _parse_number(value) if isinstance(value, str) else _make_whole(value)
    if isinstance(exact, bool) or not isinstance(exact, int) or exact < 1:
        raise UsageError(
            f"{what} must be a whole number above 0, such as 300M, 4.3M, 1.5G, 4,231,976, "
            f"300_000_000 or 1e9, given {value!r}"
        )
    return exact


def _make_whole(value: object) -> object:
    """A float as the whole number that it is; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _parse_number(text: str) -> int | None:
    """A text as a whole number; None where it is none."""
    found = _AMOUNT.fullmatch(text.strip())
    if not found or len(text) > 100:
        return None
    digits = found["whole"].replace(",", "").replace("_", "")
    exact = Fraction(f"{digits}.{found['part'] or 0}") * 10 ** int(found["power"] or 0)
    exact *= _UNITS[(found["unit"] or "").lower()]
    return exact.numerator if exact.denominator == 1 else None


_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?) ?(?P<prefix>[kmgt]?)(?P<binary>i?)b", re.ASCII | re.I)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_bytes(what: str, value: object) -> int:
    """The bytes that `2MB`, `1.5 GiB`, `512 KiB` or `4096` stands for, rounded down.

    kB, MB, GB and TB are powers of 1,000, KiB, MiB, … of 1,024; a float that is a whole number
    is one of bytes. what: whose size it is, for the UsageError that anything but a size above 0
    raises.
    """
    text = value.strip() if isinstance(value, str) else _make_whole(value)
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found and not (found["binary"] and not found["prefix"]):
        base = 1024 if found["binary"] else 1000
        exact = int(Fraction(found["number"]) * base ** _POWERS[found["prefix"].lower()])
    else:
        exact = int(str(text)) if str(text).isdecimal() else 0
    if exact < 1:
        raise UsageError(f"{what} must be bytes such as 2MB, 1.5 GiB or 4096, given {value!r}")
    return exact


_FINEST = 3  # places after the point of a number whose uncertainty is not known


class TimeUnit(NamedTuple):
    """A unit of time: its sign, and its length in nanoseconds."""

    sign: str
    nanoseconds: int


_TIME_UNITS = (TimeUnit("s", 10**9), TimeUnit("ms", 10**6), TimeUnit("µs", 10**3))


def choose_time_unit(nanoseconds: float) -> TimeUnit:
    """The largest unit that a time has one of; microseconds at the least."""
    return next(
        (unit for unit in _TIME_UNITS if abs(nanoseconds) >= unit.nanoseconds), _TIME_UNITS[-1]
    )


def count_places(value: float, half_width: float) -> int:
    """Places after the point that an uncertainty supports: its first digit is the last of them.

    Below 0 where that digit stands before the point: tens, hundreds. The first digit of the
    value is always one of them.
    """
    if half_width <= 0:
        return _FINEST
    supported = -_find_first_digit(half_width)
    return max(supported, -_find_first_digit(value)) if value else supported


def _find_first_digit(value: float) -> int:
    """Its power of ten, rounded to it: 0.96 is 1, whose digit stands one place before."""
    first = floor(log10(abs(value)))
    return floor(log10(round(abs(value), -first)) + 1e-9)


def format_supported(
    value: float, half_width: float, most: int | None = None, digits: int | None = None
) -> str:
    """A number without a digit that its uncertainty does not support: `22.5`, `1,240`.

    most: places after the point. digits: that count, where there are more.
    """
    places = count_places(value, half_width)
    places = places if most is None else min(places, most)
    if digits is not None and value:
        places = min(places, max(digits - 1 - floor(log10(abs(value))), 0))
    return f"{round(value, places):,.{max(places, 0)}f}"


def format_estimate(estimate: Estimate, unit: TimeUnit | None = None) -> str:
    """A time in nanoseconds with its spread, in the unit that suits it: `22.5 ± 0.4 ms`.

    unit: that of a whole column, whose sign stands in its heading: `22.5 ± 0.4`. Samples that
    are all alike show no spread: four digits at most. `8 to 40 ms` where the spread is half as
    large as the time.
    """
    sign = "" if unit else f" {choose_time_unit(estimate.value).sign}"
    own = estimate.scale(1 / (unit or choose_time_unit(estimate.value)).nanoseconds)
    half = own.half_width
    if not half:
        return (format_supported(own.value, 0.0, digits=4) if own.value else "0") + sign
    if 2 * half > own.value > 0:
        return _show_range(own.low, own.high) + sign
    return f"{format_supported(own.value, half)} ± {format_supported(half, half)}{sign}"


def format_interval(estimate: Estimate) -> str:
    """The ends of a time's interval, rounded outwards, in one unit: `19.6 to 20.3 ms`."""
    unit = choose_time_unit(estimate.value)
    own = estimate.scale(1 / unit.nanoseconds)
    if not own.half_width:
        return f"{format_supported(own.value, 0.0, digits=4)} {unit.sign}"
    return f"{_show_range(own.low, own.high)} {unit.sign}"
