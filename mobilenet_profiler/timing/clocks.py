"""Clocks: points in a device's time that are cheap to take and are read after the pass.

    clock = make_clock("cuda:0")
    marks = [clock.mark()]
    model(images)
    marks.append(clock.mark())
    clock.wait()
    start, end = clock.read(marks)

A clock waits for its device where it is told to, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, Protocol

import torch

_ANCHORED = 32.0  # milliseconds; a float32 of them still tells 4 ns apart there


class Clock(Protocol):
    """The time of the device that a network runs on, and of its host."""

    def now(self) -> int:
        """The host's time in nanoseconds, from an arbitrary start."""
        ...

    def wait(self) -> None:
        """Return when the device has done all it was given; on a CPU at once."""
        ...

    def mark(self) -> Any:
        """This point in the device's time, for `read`.

        A mark is good until the first one that follows a `read`: events are used again.
        """
        ...

    def read(self, marks: Sequence[Any]) -> list[int]:
        """Nanoseconds of each mark since the first of them; on a device after `wait`."""
        ...


class CpuClock:
    """The host's clock. Its marks are nanoseconds, at the cost of one call into C."""

    def __init__(self) -> None:
        # Attributes, not methods: a method around it would double what a mark costs.
        self.now: Callable[[], int] = perf_counter_ns
        self.mark: Callable[[], int] = perf_counter_ns

    def wait(self) -> None:
        """Nothing: an operation on a CPU has run when it returns."""

    def read(self, marks: Sequence[int]) -> list[int]:
        """Nanoseconds of each mark since the first of them."""
        return [mark - marks[0] for mark in marks]


class EventClock:
    """A device's own clock, by events in the stream of its work.

    A mark queues an event and waits for nothing; the device stamps it when it gets there.
    CUDA resolves half a microsecond (CUDA Runtime API, cudaEventElapsedTime); MPS stamps an
    event when the host is told of it, so that its short layers are not to be relied upon.

    module: `torch.cuda`, `torch.mps`, or another with `Event` and `synchronize`.
    index: of the device; None where the module knows one device alone.
    """

    def __init__(self, module: Any, index: int | None = None) -> None:
        self.now: Callable[[], int] = perf_counter_ns
        self._module, self._index = module, index
        self._events: list[Any] = []
        self._used = 0

    def wait(self) -> None:
        """Return when every stream of the device is empty."""
        self._module.synchronize(*self._place())

    def mark(self) -> Any:
        """An event in the stream that is current on this clock's device."""
        if self._used == len(self._events):
            self._events.append(self._module.Event(enable_timing=True))
        event = self._events[self._used]
        self._used += 1
        if self._index is None:
            event.record()
        else:  # named, since `record` alone takes the stream of the current device
            event.record(self._module.current_stream(self._index))
        return event

    def read(self, marks: Sequence[Any]) -> list[int]:
        """Nanoseconds of each mark since the first; then all events are free for new marks."""
        self._used = 0
        times: list[int] = []
        anchor: Any = marks[0] if marks else None
        passed = 0
        for mark in marks:
            since = 0.0 if mark is anchor else anchor.elapsed_time(mark)
            times.append(passed + round(since * 1e6))
            if since > _ANCHORED:
                anchor, passed = mark, times[-1]
        return times

    def _place(self) -> tuple[int, ...]:
        return () if self._index is None else (self._index,)


def make_clock(device: str) -> Clock:
    """The clock of a device as `parse_device` names it: 'cpu', 'cuda:0', 'mps'."""
    place = torch.device(device)
    if place.type == "cpu":
        return CpuClock()
    if place.type == "mps":
        return EventClock(torch.mps)
    index = torch.cuda.current_device() if place.index is None else place.index
    return EventClock(torch.cuda, index)
