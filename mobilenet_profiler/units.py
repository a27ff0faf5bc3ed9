"""Numbers as text, at the very edge: counts, shares, shapes."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from itertools import count

from mobilenet_profiler.errors import UsageError

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


_AMOUNT = re.compile(
    r"(?P<whole>\d{1,3}(,\d{3})+|\d+(_\d+)*)(\.(?P<part>\d+))?(e\+?(?P<power>\d{1,2})|(?P<unit>[kmgbt]))?",
    re.ASCII | re.IGNORECASE,
)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}


def parse_amount(what: str, value: object) -> int:
    """The count that `300M`, `1.5G`, `4,231,976`, `300_000_000` or `1e9` stands for, exactly.

    k, M, G or B, and T in either case. what: whose amount it is, for the UsageError that
    anything but a whole number above 0 raises.
    """
    exact = _parse_number(value) if isinstance(value, str) else value
    if isinstance(exact, bool) or not isinstance(exact, int) or exact < 1:
        raise UsageError(
            f"{what} must be a whole number above 0, such as 300M, 4.3M, 1.5G, 4,231,976, "
            f"300_000_000 or 1e9, given {value!r}"
        )
    return exact


def _parse_number(text: str) -> int | None:
    """A text as a whole number; None where it is none."""
    found = _AMOUNT.fullmatch(text.strip())
    if not found or len(text) > 100:
        return None
    digits = found["whole"].replace(",", "").replace("_", "")
    exact = Fraction(f"{digits}.{found['part'] or 0}") * 10 ** int(found["power"] or 0)
    exact *= _UNITS[(found["unit"] or "").lower()]
    return exact.numerator if exact.denominator == 1 else None
