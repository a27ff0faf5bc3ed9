"""The peak of a run, from what the allocators record."""

from typing import Any

import pytest
import torch

from mobilenet_profiler.timing.allocations import find_peak, measure_peak


def test_the_peak_is_the_highest_running_total() -> None:
    assert find_peak([100, 50, -100, 20, -50]) == 150
    assert find_peak([-100, 60]) == 0
    assert find_peak([]) == 0


def test_a_run_on_the_cpu_is_measured_to_the_byte() -> None:
    def run() -> None:
        first = torch.empty(1000, dtype=torch.float32)
        second = torch.empty(500, dtype=torch.float64)
        del first
        torch.empty(100, dtype=torch.uint8)
        del second

    assert measure_peak(run, "cpu") == 4000 + 4000


def test_memory_that_was_there_before_is_not_counted() -> None:
    held = torch.empty(10_000)
    assert measure_peak(lambda: held[:1000].neg(), "cpu") == 4000


def test_other_devices_of_unknown_peak_have_none() -> None:
    assert measure_peak(lambda: None, "meta") is None


def test_a_gpu_is_asked_for_its_peak_between_two_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def note(name: str, value: Any = None) -> None:
        def call(device: torch.device) -> Any:
            calls.append(name)
            return value

        monkeypatch.setattr(f"torch.cuda.{name}", call)

    note("synchronize")
    note("reset_peak_memory_stats")
    note("memory_allocated", 300)
    note("max_memory_allocated", 1000)
    assert measure_peak(lambda: calls.append("run"), "cuda:0") == 700
    assert calls == [
        *("synchronize", "reset_peak_memory_stats", "memory_allocated"),
        *("run", "synchronize", "max_memory_allocated"),
    ]
