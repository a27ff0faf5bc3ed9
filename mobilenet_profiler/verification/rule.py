"""When a count and a printed number agree: exact arithmetic, no percentage.

Authors truncate as often as they round, so a figure agrees where the count is less than one
unit of the last printed place away from it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

How = Literal["exact", "rounded", "truncated", "rounded up"]


def judge(count: Fraction, printed: Fraction, place: Fraction) -> How | None:
    """How the printed number came from the count, or None where they do not agree.

    place: one unit of the last printed place. 'truncated' and 'rounded up' are more than
    half of it away. A printed zero, or one that is further away than the whole count, says
    nothing of it and does not agree.
    """
    gap = count - printed
    if abs(gap) >= place or abs(gap) > abs(count) or (gap and not printed):
        return None
    if not gap:
        return "exact"
    if 2 * abs(gap) <= place:
        return "rounded"
    return "truncated" if gap > 0 else "rounded up"


def cut_place(printed: Fraction, place: Fraction, digits: int | None) -> Fraction:
    """One unit of the last of so many leading digits: of 15300 with three, 100.

    Never finer than the last printed place.
    """
    if digits is None or not printed:
        return place
    power = Fraction(1)
    while abs(printed) >= 10 * power:
        power *= 10
    while abs(printed) < power:
        power /= 10
    return max(place, power / Fraction(10 ** (digits - 1)))
