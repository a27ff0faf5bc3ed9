"""What a GPU itself tells of a network: kernels by layer, a graph's replays, memory at its peak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from mobilenet_profiler.measured.kernels import KernelTimes, Key
from mobilenet_profiler.measured.profile import LayerSamples
from mobilenet_profiler.measured.statistics import find_median
from mobilenet_profiler.timing.cuda_graph import Replays, replay_graph
from mobilenet_profiler.timing.kernels import measure_kernels
from mobilenet_profiler.trace.modules import Structure


class Runs(Protocol):
    """What the records are taken of: a network that is ready to run."""

    structure: Structure
    timed: Sequence[str]

    def run_once(self) -> None:
        """One eager pass that nothing watches."""
        ...


@dataclass(frozen=True)
class DeviceRecords:
    """kernels: by path and phase, nanoseconds, a sample a pass. graph: of each replay of a whole
    pass. memory: bytes by name. notes: what is missing, and why."""

    kernels: Mapping[Key, tuple[int, ...]] = field(default_factory=dict)
    graph: tuple[int, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def take_records(
    subject: Runs,
    device: str,
    replays: bool,
    measure: Callable[..., KernelTimes] = measure_kernels,
    replay: Callable[..., Replays] = replay_graph,
    cuda: Any = torch.cuda,
) -> DeviceRecords:
    """The records of a GPU, taken after the timed passes; nothing on any other device.

    replays: capture the pass as a CUDA graph too, which a training step is not. measure,
    replay, cuda: what is asked, for tests.
    """
    if torch.device(device).type != "cuda":
        return DeviceRecords()
    cuda.reset_peak_memory_stats(device)
    subject.run_once()
    cuda.synchronize(device)
    memory = {"measured_peak": int(cuda.max_memory_allocated(device))}
    kernels = measure(subject.run_once, subject.structure, subject.timed, device)
    graph = replay(subject.run_once, device) if replays else Replays()
    return DeviceRecords(
        kernels.layers, graph.times, memory, tuple(_list_notes(kernels, graph.reason))
    )


def _list_notes(kernels: KernelTimes, reason: str) -> Iterator[str]:
    yield from (text for text in (kernels.reason, reason) if text)
    if any(kernels.unattributed):
        alone, whole = find_median(kernels.unattributed), find_median(kernels.total)
        yield f"kernels that no layer launched take {alone / whole:.1%} of all kernel time"


def join_kernels(
    layers: Sequence[LayerSamples], kernels: Mapping[Key, tuple[int, ...]]
) -> tuple[LayerSamples, ...]:
    """The layers with the time of their kernels; a layer that launched none has none."""
    if not kernels:
        return tuple(layers)
    nothing = (0,) * len(next(iter(kernels.values())))
    return tuple(
        replace(layer, kernels=kernels.get((layer.path, layer.phase), nothing)) for layer in layers
    )
