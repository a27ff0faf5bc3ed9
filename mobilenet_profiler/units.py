"""Numbers as text, at the very edge: counts, shares, shapes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

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


def format_share(part: int, whole: int) -> str:
    """`part` of `whole` in per cent with two decimals; a dash where nothing is shared."""
    return f"{100 * part / whole:.2f}" if whole and part else ("0" if whole else "-")


def format_shape(shape: tuple[int, ...] | None, cross: str = "x") -> str:
    """`(1, 3, 128, 128)` as `1x3x128x128`; a dash where there is no shape."""
    return cross.join(str(size) for size in shape) if shape else "-"


def format_decimal(value: Fraction, places: int) -> str:
    """An exact number rounded to so many places, with separators: `1.9056`."""
    return f"{Decimal(value.numerator) / Decimal(value.denominator):,.{places}f}"
