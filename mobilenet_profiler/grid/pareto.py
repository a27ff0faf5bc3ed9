"""The cells that no other beats: the Pareto front of two quantities. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mobilenet_profiler.grid.quantities import Quantity
from mobilenet_profiler.grid.results import CellResult


def find_front(
    results: Iterable[CellResult], quantities: Sequence[Quantity]
) -> tuple[CellResult, ...]:
    """The cells to which none is better in one quantity and as good in the others.

    By the first quantity, the best last where more of it is better, else first. Cells that
    lack an amount take no part; of cells alike in all, each does.
    """
    placed = [(_place(result, quantities), result) for result in results]
    known = [(place, result) for place, result in placed if place is not None]
    front = [
        (place, result)
        for place, result in known
        if not any(_beats(other, place) for other, _ in known)
    ]
    return tuple(result for _, result in sorted(front, key=lambda pair: pair[0][0]))


def _place(result: CellResult, quantities: Sequence[Quantity]) -> tuple[float, ...] | None:
    """Its amounts, turned so that less is better; None where one is not known."""
    place = []
    for quantity in quantities:
        amount = quantity.amount(result)
        if amount is None:
            return None
        place.append(-amount if quantity.more_is_better else amount)
    return tuple(place)


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
