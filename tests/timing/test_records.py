"""What a GPU tells is joined to layers, and what it does not tell is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.measured.kernels import KernelTimes
from mobilenet_profiler.measured.profile import LayerSamples
from mobilenet_profiler.timing.cuda_graph import Replays
from mobilenet_profiler.timing.records import DeviceRecords, join_kernels, take_records
from mobilenet_profiler.trace.modules import Structure


class Ran:
    def __init__(self) -> None:
        self.structure, self.passes = Structure(nn.ReLU()), 0
        self.timed: Sequence[str] = ("",)

    def run_once(self) -> None:
        self.passes += 1


class FakeCuda:
    def __init__(self) -> None:
        self.told = list[str]()

    def reset_peak_memory_stats(self, device: str) -> None:
        self.told.append("reset")

    def synchronize(self, device: str) -> None:
        self.told.append("synchronize")

    def max_memory_allocated(self, device: str) -> int:
        self.told.append("read")
        return 4096


def take(kernels: KernelTimes, graph: Replays, replays: bool = True) -> DeviceRecords:
    def measure(run: Any, structure: Structure, timed: Any, device: str) -> KernelTimes:
        assert (timed, device) == (("",), "cuda:0")
        return kernels

    def replay(run: Any, device: str) -> Replays:
        return graph

    cuda = FakeCuda()
    records = take_records(Ran(), "cuda:0", replays, measure, replay, cuda)
    assert cuda.told == ["reset", "synchronize", "read"]
    return records


def test_kernels_graph_and_memory_are_taken() -> None:
    kernels = KernelTimes({("", "forward"): (30, 31)}, (0, 0))
    records = take(kernels, Replays((40, 41)))
    assert records == DeviceRecords(kernels.layers, (40, 41), {"measured_peak": 4096}, ())


def test_what_is_missing_is_said() -> None:
    records = take(KernelTimes(reason="no kernel times"), Replays(reason="no CUDA graph"))
    assert records.notes == ("no kernel times", "no CUDA graph")
    assert not records.graph


def test_kernels_of_no_layer_are_said() -> None:
    kernels = KernelTimes({("", "forward"): (300, 300)}, (100, 100))
    assert take(kernels, Replays((1,))).notes == (
        "kernels that no layer launched take 25.0% of all kernel time",
    )


def test_a_training_step_is_no_graph() -> None:
    kernels = KernelTimes({("", "forward"): (30,)}, (0,))
    assert take(kernels, Replays((40,)), replays=False).graph == ()


def test_a_cpu_has_no_such_records() -> None:
    subject = Ran()
    assert take_records(subject, "cpu", True) == DeviceRecords()
    assert subject.passes == 0


def test_kernels_stand_beside_their_layers() -> None:
    layers = [LayerSamples("a", "forward", (5,)), LayerSamples("b", "forward", (5,))]
    joined = join_kernels(layers, {("a", "forward"): (3, 4)})
    assert [layer.kernels for layer in joined] == [(3, 4), (0, 0)]
    assert join_kernels(layers, {}) == tuple(layers)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_profile_on_a_gpu_has_kernels_a_graph_and_memory() -> None:
    profile = mp.profile("mobilenet_v1", alpha=0.25, device="cuda", iterations=20)
    assert profile.graph
    assert profile.memory["measured_peak"] > 0
    assert sum(sum(layer.kernels) for layer in profile.layers) > 0
