"""What lies between the cells of a grid, and how far that can be trusted. Pure.

Between neighbours an amount is linear in the logarithm of each axis; where a neighbour is not
known, or beyond the last cell, there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import log, prod

Place = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Surface:
    """Amounts that are known at some places of a grid.

    names: of the axes. values: of each, from least to most, all above 0. amounts: by place.
    """

    names: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    amounts: Mapping[Place, float]

    def find(self, place: Sequence[float]) -> float | None:
        """The amount at a place; None outside, or where a neighbour is not known."""
        sides = self.find_sides(place)
        if sides is None:
            return None
        corners = [tuple(corner) for corner in product(*sides)]
        if any(corner not in self.amounts for corner in corners):
            return None
        weights = (
            prod(_weigh(at, side, own) for at, side, own in zip(place, sides, corner, strict=True))
            for corner in corners
        )
        return sum(
            weight * self.amounts[corner] for weight, corner in zip(weights, corners, strict=True)
        )

    def find_sides(self, place: Sequence[float]) -> tuple[tuple[float, ...], ...] | None:
        """The values on either side of a place on each axis, one where it is there itself."""
        sides = [_find_side(own, at) for own, at in zip(self.values, place, strict=True)]
        return None if () in sides else tuple(sides)

    def find_misses(self) -> dict[Place, float]:
        """By how much each cell would be missed if it alone were not known.

        Only cells that lie between others along an axis; the first such axis is asked. Above 0
        where too much would be found.
        """
        found = {}
        for place, amount in self.amounts.items():
            guess = next((own for own in self._list_guesses(place)), None)
            if guess is not None:
                found[place] = guess - amount
        return found

    def _list_guesses(self, place: Place) -> Iterable[float]:
        """What the neighbours on either side say of a cell, an axis at a time."""
        for index, at in enumerate(place):
            known = [
                value
                for value in self.values[index]
                if value != at and _put(place, index, value) in self.amounts
            ]
            side = _find_side(known, at)
            if len(side) == 2:
                yield sum(
                    _weigh(at, side, own) * self.amounts[_put(place, index, own)] for own in side
                )


def make_surface(names: Sequence[str], amounts: Mapping[Place, float]) -> Surface:
    """The surface of these amounts; axes on which they do not differ have one value."""
    columns = zip(*amounts, strict=True) if amounts else [() for _ in names]
    return Surface(tuple(names), tuple(tuple(sorted(set(own))) for own in columns), amounts)


def _find_side(values: Sequence[float], at: float) -> tuple[float, ...]:
    """The value itself, or its neighbours; none outside."""
    if at in values:
        return (at,)
    below = [value for value in values if value < at]
    above = [value for value in values if value > at]
    return (below[-1], above[0]) if below and above else ()


def _weigh(at: float, side: Sequence[float], own: float) -> float:
    """How much a neighbour says of a place between both."""
    if len(side) == 1:
        return 1.0
    low, high = side
    share = log(at / low) / log(high / low)
    return share if own == high else 1 - share


def _put(place: Place, index: int, value: float) -> Place:
    return (*place[:index], value, *place[index + 1 :])
