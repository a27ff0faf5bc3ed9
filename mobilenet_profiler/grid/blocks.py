"""Which cells are timed together, and what the machine that timed them is called. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet_profiler.grid.results import CellResult

MOST_TOGETHER = 64  # cells: a round over all of them is to be short beside what drifts
_SEED = 0
_MOMENTARY = ("date", "state")


def make_blocks(
    results: Sequence[CellResult], room: int | None, item_size: int = 4
) -> list[list[CellResult]]:
    """Cells that are timed in turns, by chance, so that what drifts in between follows no axis.

    One block where all fit: into `room` bytes, of tensors whose items have `item_size` bytes,
    and MOST_TOGETHER. A cell that has no room by itself is a block by itself. The order is
    the same each time.
    """
    shuffled = list(results)
    random.Random(_SEED).shuffle(shuffled)
    blocks: list[list[CellResult]] = []
    taken = 0
    for result in shuffled:
        size = bound_size(result, item_size)
        full = not blocks or len(blocks[-1]) >= MOST_TOGETHER
        if full or (room is not None and taken + size > room):
            blocks.append([])
            taken = 0
        blocks[-1].append(result)
        taken += size
    return blocks


def bound_size(result: CellResult, item_size: int) -> int:
    """Bytes that a network takes while it runs, no less: weights, and twice all activations.

    Twice, since what norms and activations write is not among them.
    """
    cost = result.cost
    return item_size * (cost.params + 2 * cost.activations) if cost else 0


def name_machine(environment: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> str:
    """The name among `known` of this very machine and its settings, or a new one.

    That of its GPU, where there is one, else of its processor; with a number where another
    machine, or this one set otherwise, has the name.
    """
    own = _drop_momentary(environment)
    for name, other in known.items():
        if _drop_momentary(other) == own:
            return name
    part = environment.get("gpu") or environment.get("cpu") or {}
    first = str(part.get("name") or part.get("model") or "a machine")
    name, number = first, 2
    while name in known:
        name, number = f"{first} ({number})", number + 1
    return name


def _drop_momentary(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What a machine has for good."""
    return {
        key: _drop_momentary(value) if isinstance(value, Mapping) else value
        for key, value in environment.items()
        if key not in _MOMENTARY
    }
