"""What a cell has an amount of: names, units, which way is better. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobilenet_profiler.errors import unknown_name

if TYPE_CHECKING:
    from mobilenet_profiler.grid.results import CellResult


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of a cell. title: for headings and axes. unit: of `amount`.

    more_is_better: whether one looks for much of it, as for accuracy.
    """

    name: str
    title: str
    unit: str
    more_is_better: bool = False

    def amount(self, result: CellResult) -> float | None:
        """How much a cell has; None where that is not known. Counts are whole numbers."""
        if self.name == "top1":
            return result.accuracy.percent if result.accuracy else None
        if self.name == "latency":
            return result.latency.value if result.latency else None
        if self.name == "memory":
            return result.memory
        return getattr(result.cost, self.name) if result.cost else None


QUANTITIES: Mapping[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("macs", "MACs", "MACs"),
        Quantity("params", "params", "params"),
        Quantity("weights", "weights", "weights"),
        Quantity("activations", "activations", "elements"),
        Quantity("memory", "peak activation memory", "bytes"),
        Quantity("latency", "latency", "ns"),
        Quantity("top1", "ImageNet top-1 accuracy", "%", more_is_better=True),
    )
}
ALIASES = {"accuracy": "top1"}


def find_quantity(name: str) -> Quantity:
    """The quantity of that name; `accuracy` is top1. Raises UsageError with the nearest."""
    found = QUANTITIES.get(ALIASES.get(name, name))
    if found is None:
        raise unknown_name("quantity", name, [*QUANTITIES, *ALIASES])
    return found
