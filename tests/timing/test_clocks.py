"""Marks become nanoseconds since the first, on the host and by a device's events."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from mobilenet_profiler.timing.clocks import Clock, CpuClock, EventClock, make_clock
from tests.timing.fakes import FakeCpuClock, FakeCudaClock, drift_by


class Device:
    """Stands for `torch.cuda`: events are stamped by a counter in milliseconds."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self.made = 0
        self.streams: list[int] = []
        self.synchronised: list[tuple[int, ...]] = []

    def Event(self, enable_timing: bool) -> Event:
        assert enable_timing
        self.made += 1
        return Event(self)

    def current_stream(self, index: int) -> int:
        return 100 + index

    def synchronize(self, *index: int) -> None:
        self.synchronised.append(index)


class Event:
    def __init__(self, device: Device) -> None:
        self.device, self.stamp = device, -1.0

    def record(self, *stream: int) -> None:
        self.device.streams.extend(stream)
        self.stamp = self.device.milliseconds

    def elapsed_time(self, end: Event) -> float:
        assert end is not self, "MPS refuses an event against itself"
        single = torch.tensor(end.stamp - self.stamp, dtype=torch.float32)  # as CUDA returns it
        return float(single)


def mark_at(clock: EventClock, device: Device, *milliseconds: float) -> list[Any]:
    marks = []
    for device.milliseconds in milliseconds:
        marks.append(clock.mark())
    return marks


def test_a_mark_on_the_cpu_is_the_builtin_itself() -> None:
    clock = CpuClock()
    assert clock.mark is time.perf_counter_ns
    assert clock.now is time.perf_counter_ns


def test_marks_on_the_cpu_count_from_the_first() -> None:
    assert CpuClock().read([1_000, 1_000, 1_250, 4_000]) == [0, 0, 250, 3_000]
    assert CpuClock().read([]) == []


def test_events_are_read_in_whole_nanoseconds_since_the_first() -> None:
    device = Device()
    clock = EventClock(device, 0)
    marks = mark_at(clock, device, 5.0, 5.0005, 6.25, 7.0)
    assert clock.read(marks) == [0, 500, 1_250_000, 2_000_000]
    assert clock.read([]) == []


def test_a_long_pass_keeps_its_nanoseconds() -> None:
    # As float32 milliseconds since the first mark, 9,000.0005 would read 9,000.0.
    device = Device()
    clock = EventClock(device, 0)
    marks = mark_at(clock, device, 0.0, *(30.0 * step for step in range(1, 301)), 9_000.0005)
    assert clock.read(marks)[-2:] == [9_000_000_000, 9_000_000_500]


def test_events_are_used_again_after_a_read_and_more_are_made_when_needed() -> None:
    device = Device()
    clock = EventClock(device, 0)
    first = mark_at(clock, device, 1.0, 2.0)
    clock.read(first)
    again = mark_at(clock, device, 3.0, 4.0, 6.0)
    assert again[:2] == first
    assert clock.read(again) == [0, 1_000_000, 3_000_000]
    assert device.made == 3


def test_marks_may_be_read_twice_before_the_next_is_taken() -> None:
    device = Device()
    clock = EventClock(device, 0)
    marks = mark_at(clock, device, 1.0, 2.0, 4.0)
    assert clock.read(marks[::2]) == [0, 3_000_000]
    assert clock.read(marks[1:]) == [0, 2_000_000]


def test_events_go_into_the_current_stream_of_the_clocks_own_device() -> None:
    device = Device()
    clock = EventClock(device, 1)
    clock.mark()
    clock.wait()
    assert device.streams == [101]
    assert device.synchronised == [(1,)]


def test_a_module_of_one_device_is_asked_for_no_index() -> None:
    device = Device()
    clock = EventClock(device)
    clock.mark()
    clock.wait()
    assert device.streams == []
    assert device.synchronised == [()]


@pytest.mark.parametrize("module", [torch.cuda, torch.mps])
def test_the_stand_in_has_nothing_that_torch_has_not(module: Any) -> None:
    assert {"Event", "synchronize"} <= set(dir(module))
    assert {"record", "elapsed_time"} <= set(dir(module.Event))
    assert "current_stream" in dir(torch.cuda)


def test_the_cpu_has_the_hosts_clock() -> None:
    assert isinstance(make_clock("cpu"), CpuClock)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_events_of_a_gpu_bracket_its_work() -> None:
    clock = make_clock("cuda")
    left, right = (torch.rand(2048, 2048, device="cuda") for _ in range(2))
    left @ right
    clock.wait()
    begin = clock.now()
    marks = [clock.mark()]
    for _ in range(3):
        left @ right
        marks.append(clock.mark())
    clock.wait()
    wall = clock.now() - begin
    times = clock.read(marks)
    assert times[0] == 0
    assert times == sorted(times)
    assert 0 < times[-1] <= wall


def test_the_fakes_are_clocks() -> None:
    clocks: list[Clock] = [FakeCpuClock(), FakeCudaClock(), CpuClock(), EventClock(Device())]
    for clock in clocks:
        mark = clock.mark()
        clock.wait()
        assert clock.read([mark]) == [0]


def test_a_fake_cpu_counts_work_marks_drift_and_spikes() -> None:
    clock = FakeCpuClock(before=20, after=30, spikes={1: 7_000})
    marks = [clock.mark()]
    clock.run(1_000)
    marks.append(clock.mark())
    clock.run(1_000)
    marks.append(clock.mark())
    assert clock.read(marks) == [0, 30 + 1_000 + 20, 1_050 + 30 + 8_000 + 20]
    assert clock.time == 3 * (20 + 30) + 1_000 + 8_000
    slow = FakeCpuClock(drift=drift_by(0.5, 1_000))
    slow.run(1_000)
    slow.run(1_000)
    assert slow.time == 1_000 + 1_500


def test_a_fake_gpu_runs_behind_its_host() -> None:
    clock = FakeCudaClock(launch_cost=5, synchronise_cost=100)
    marks = [clock.mark()]
    clock.run(50)  # queued at 5, done at 55
    marks.append(clock.mark())
    clock.run(50)  # queued at 10, begun at 55, done at 105
    marks.append(clock.mark())
    assert (clock.time, clock.idle_at) == (10, 105)
    with pytest.raises(RuntimeError, match="before the device"):
        clock.read(marks)
    clock.wait()
    assert clock.time == 205
    assert clock.read(marks) == [0, 55, 105]


def test_a_fake_gpu_that_is_launched_too_slowly_waits_for_its_host() -> None:
    clock = FakeCudaClock(launch_cost=50)
    marks = [clock.mark()]
    for _ in range(2):
        clock.run(5)
        marks.append(clock.mark())
    clock.wait()
    assert clock.read(marks) == [0, 55, 105]


def test_a_fake_gpu_tells_of_marks_that_were_taken_over() -> None:
    clock = FakeCudaClock()
    old = clock.mark()
    clock.wait()
    clock.read([old])
    clock.mark()
    with pytest.raises(RuntimeError, match="taken its event"):
        clock.read([old])
