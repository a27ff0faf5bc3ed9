"""The cells that no other beats: the Pareto front of two quantities. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mobilenet_profiler.grid.quantities import Quantity
from mobilenet_profiler.grid.results import CellResult


def find_front(
    results: Iterable[CellResult], quantities: Sequence[Quantity]
) -> tuple[CellResult, ...]:
    """The cells to which none is better in one quantity and as good in the others.

    From least to most of the first quantity, then of the second, and so on. Cells that lack
    an amount take no part; of cells alike in all, each does. Two quantities of n cells take
    n log n steps; more of them n times the length of the front.
    """
    placed = [(_place(result, quantities), result) for result in results]
    known = [(place, result) for place, result in placed if place is not None]
    known.sort(key=lambda pair: pair[0])
    front: list[tuple[tuple[float, ...], CellResult]] = []
    for place, result in known:
        # Whatever beats a cell comes before it. With two quantities the last cell of the front
        # has the best of the second, so that it beats this one if any does.
        rivals = front if len(quantities) > 2 else front[-1:]
        if not any(_beats(other, place) for other, _ in rivals):
            front.append((place, result))
    front.sort(key=lambda pair: [quantity.amount(pair[1]) for quantity in quantities])
    return tuple(result for _, result in front)


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
