"""How much memory a run really takes, by the record of PyTorch's own allocators."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

_MEMORY = "[memory]"  # the profiler's name for an allocation, or for memory given back
_LOG_LEVEL = "KINETO_LOG_LEVEL"
_SILENT = "6"  # above every level: its notes of start and stop would go to stderr


def measure_peak(run: Callable[[], Any], device: torch.device | str) -> int | None:
    """The most bytes that a run holds at once, above what is held when it starts.

    run: runs once; what it returns is thrown away. None on a device whose allocator keeps
    no record of its peak. Run it before, so that what PyTorch keeps from then on is there.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return measure_peak_cuda(run, torch.device(device))
    return measure_peak_cpu(run) if kind == "cpu" else None


def measure_peak_cpu(run: Callable[[], Any]) -> int:
    """The same on the CPU, from the profiler's record of every allocation.

    Memory of the CPU alone, of all threads. Of memory that was there before, the record
    does not hold that it is freed; of what a library allocates past PyTorch, nothing.
    """
    with keep_quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    return find_peak(list_allocations(record))


def list_allocations(record: profile) -> list[int]:
    """Bytes of each allocation on the CPU in order, negative where they are given back."""
    results: Any = record.profiler
    events = results.kineto_results.events()
    cpu = torch._C._autograd.DeviceType.CPU
    memory = [event for event in events if event.name() == _MEMORY and event.device_type() == cpu]
    return [event.nbytes() for event in sorted(memory, key=lambda event: event.start_ns())]


def find_peak(allocations: list[int]) -> int:
    """The highest running total, from 0."""
    return max(accumulate(allocations, initial=0))


def measure_peak_cuda(run: Callable[[], Any], device: torch.device) -> int:
    """The same on a GPU, from the statistics of PyTorch's caching allocator.

    Counts what it gave out, workspaces of cuDNN and cuBLAS among it, not what it reserves.
    """
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


@contextmanager
def keep_quiet() -> Iterator[None]:
    """The profiler reads its level of logging from the environment, the first time it starts."""
    before = os.environ.get(_LOG_LEVEL)
    os.environ.setdefault(_LOG_LEVEL, _SILENT)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_LOG_LEVEL, None)
