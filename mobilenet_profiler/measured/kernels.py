"""Kernel times beside wall times: which layers wait for their launches. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BUSY = 0.7  # of a layer's time, what its kernels fill where they are what takes the time
LAUNCH = 5_000  # nanoseconds: about what queueing a kernel costs a host, and two marks a stream

Key = tuple[str, str]  # path and phase of a layer, as in `LayerSamples`


@dataclass(frozen=True, slots=True)
class KernelTimes:
    """What a GPU's own records say, nanoseconds, a sample for each pass.

    layers: by path and phase, without kernels of layers inside it. unattributed: kernels
    that no layer launched. reason: one line, where there are no records.
    """

    layers: Mapping[Key, tuple[int, ...]] = field(default_factory=dict)
    unattributed: tuple[int, ...] = ()
    reason: str = ""

    @property
    def total(self) -> tuple[int, ...]:
        """All kernels of each pass."""
        return tuple(map(sum, zip(*self.layers.values(), self.unattributed, strict=True)))


def is_launch_bound(wall: float, kernels: float) -> bool:
    """Whether a layer, or a network, waits for its host more than it computes.

    wall: nanoseconds between its marks on the device. kernels: of these, what its kernels
    took. They fill less than BUSY of it and leave more than one launch: a shorter gap may be
    what the marks themselves take.
    """
    return kernels < BUSY * wall and wall - kernels > LAUNCH


def find_launch_bound(walls: Mapping[Key, float], kernels: Mapping[Key, float]) -> list[Key]:
    """The layers, of those that have both times, that wait for their launches."""
    return [
        key for key, wall in walls.items() if key in kernels and is_launch_bound(wall, kernels[key])
    ]
