"""Clocks that only tell the time they are told, so that a measuring loop has exact oracles.

    clock = FakeCudaClock(launch_cost=5_000, synchronise_cost=20_000)
    clock.run(80_000)      # an operation: queued for the host, 80 us for the device
    clock.think(1_000)     # code of the host between operations
    clock.time             # the host's time now; clock.idle_at: when the device is done

Durations are those at a speed of 1; `drift` maps the time to how much longer all work takes
there, `spikes` adds nanoseconds to the nth operation (from 0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Drift = Callable[[int], float]


def no_drift(time: int) -> float:
    return 1.0


def drift_by(share: float, period: int) -> Drift:
    """Work takes `share` longer for each `period` that has passed: 0.3 is 30 per cent."""
    return lambda time: 1.0 + share * time / period


@dataclass
class FakeCpuClock:
    """A CPU: work and marks take time one after another.

    before, after: nanoseconds that reading the clock costs before and after the moment that
    it tells; so two marks in a row differ by after + before.
    """

    before: int = 0
    after: int = 0
    drift: Drift = no_drift
    spikes: Mapping[int, int] = field(default_factory=dict)
    time: int = 0
    operations: int = 0
    reads: int = 0
    waits: int = 0

    def now(self) -> int:
        self.reads += 1
        self.time += self.before
        told = self.time
        self.time += self.after
        return told

    def mark(self) -> int:
        return self.now()

    def wait(self) -> None:
        self.waits += 1

    def read(self, marks: Sequence[int]) -> list[int]:
        return [mark - marks[0] for mark in marks]

    def run(self, duration: int) -> None:
        """An operation of so many nanoseconds."""
        self.time += stretch(duration, self.drift(self.time))
        self.time += self.spikes.get(self.operations, 0)
        self.operations += 1

    def think(self, duration: int) -> None:
        """Code between operations."""
        self.time += stretch(duration, self.drift(self.time))


@dataclass
class FakeEvent:
    time: int = 0
    turn: int = 0


@dataclass
class FakeCudaClock:
    """A GPU: the host queues work and runs ahead; the device does one thing after another.

    launch_cost: of an operation, on the host. mark_cost: of a mark, on the host; event_cost:
    on the device, after the moment that it tells. synchronise_cost: of `wait`, once the
    device is done. now_cost: of reading the host's clock, after the moment that it tells.
    resolution: of events, nanoseconds. Reading an event that the device has not reached, or
    that a later mark has taken over, is an error, as it would be with events.
    """

    launch_cost: int = 5_000
    mark_cost: int = 0
    event_cost: int = 0
    synchronise_cost: int = 0
    now_cost: int = 0
    resolution: int = 1
    drift: Drift = no_drift
    spikes: Mapping[int, int] = field(default_factory=dict)
    time: int = 0
    idle_at: int = 0
    operations: int = 0
    waits: int = 0
    events: list[FakeEvent] = field(default_factory=list)
    used: int = 0
    turn: int = 0

    def now(self) -> int:
        told = self.time
        self.time += self.now_cost
        return told

    def mark(self) -> tuple[FakeEvent, int]:
        self.time += self.mark_cost
        if self.used == len(self.events):
            self.events.append(FakeEvent())
        event = self.events[self.used]
        self.used += 1
        self.turn += 1
        event.time, event.turn = max(self.time, self.idle_at), self.turn
        self.idle_at = event.time + self.event_cost
        return event, self.turn

    def wait(self) -> None:
        self.waits += 1
        self.time = max(self.time, self.idle_at) + self.synchronise_cost

    def read(self, marks: Sequence[tuple[FakeEvent, int]]) -> list[int]:
        self.used = 0
        if any(event.turn != turn for event, turn in marks):
            raise RuntimeError("a mark was read after another had taken its event")
        if any(event.time > self.time for event, _ in marks):
            raise RuntimeError("a mark was read before the device had reached it")
        first = marks[0][0].time if marks else 0
        return [
            round((event.time - first) / self.resolution) * self.resolution for event, _ in marks
        ]

    def run(self, duration: int) -> None:
        """An operation: queued by the host, done by the device when it gets there."""
        self.think(self.launch_cost)
        start = max(self.time, self.idle_at)
        spike = self.spikes.get(self.operations, 0)
        self.idle_at = start + stretch(duration, self.drift(start)) + spike
        self.operations += 1

    def think(self, duration: int) -> None:
        """Code of the host."""
        self.time += stretch(duration, self.drift(self.time))


def stretch(duration: int, factor: float) -> int:
    return duration if factor == 1.0 else round(duration * factor)
