"""A network as one CUDA graph, or the reason why not; nothing is left half captured."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mobilenet_profiler.timing.cuda_graph import WARMUP, explain_failure, replay_graph

SYNCHRONISES = "called a synchronizing CUDA operation"


class SideStream:
    def __init__(self, name: str) -> None:
        self.name = name
        self.waited_for: list[str] = []

    def wait_stream(self, other: SideStream) -> None:
        self.waited_for.append(other.name)


class Generator:
    def __init__(self) -> None:
        self.state = "fresh"

    def clone_state(self) -> str:
        return f"copy of {self.state}"

    def graphsafe_set_state(self, state: str) -> None:
        self.state = state


class Event:
    def __init__(self, cuda: Cuda) -> None:
        self.cuda, self.stamp = cuda, 0.0

    def record(self, stream: SideStream) -> None:
        assert stream.name == "side"
        self.stamp = self.cuda.milliseconds

    def elapsed_time(self, end: Event) -> float:
        return end.stamp - self.stamp


class Graph:
    def __init__(self, cuda: Cuda) -> None:
        self.cuda, self.state = cuda, "new"

    def replay(self) -> None:
        assert self.state == "captured"
        self.cuda.replays += 1
        self.cuda.milliseconds += 0.25 if self.cuda.replays <= WARMUP else 0.125

    def reset(self) -> None:
        self.cuda.log.append("reset")
        self.state = "reset"


class Cuda:
    """Stands for `torch.cuda`: keeps what it was told, and fails as it would.

    breaks: a capture that was interrupted cannot be ended, as in CUDA.
    """

    def __init__(self, breaks: bool = False, empty: bool = False) -> None:
        self.breaks, self.empty = breaks, empty
        self.main, self.side = SideStream("main"), SideStream("side")
        self.current = self.main
        self.mode: Any = 0
        self.capturing = False
        self.milliseconds, self.replays = 0.0, 0
        self.log: list[str] = []
        self.default_generators = [Generator()]
        self.graphs: list[Graph] = []
        self.pools: dict[tuple[int, int], str] = {}
        self.memory = SimpleNamespace(
            _cuda_endAllocateToPool=self.end_pool, _cuda_releasePool=self.release_pool
        )

    def end_pool(self, index: int, pool: tuple[int, int]) -> None:
        if self.pools[pool] != "open":
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.pools[pool] = "ended"

    def release_pool(self, index: int, pool: tuple[int, int]) -> None:
        assert self.pools[pool] == "ended"
        self.pools[pool] = "released"

    def current_device(self) -> int:
        return 0

    def current_stream(self, index: int = 0) -> SideStream:
        return self.current

    def Stream(self) -> SideStream:
        return self.side

    def Event(self, enable_timing: bool) -> Event:
        return Event(self)

    def CUDAGraph(self) -> Graph:
        self.graphs.append(Graph(self))
        return self.graphs[-1]

    def graph_pool_handle(self) -> tuple[int, int]:
        self.pools[0, 7] = "new"
        return 0, 7

    def get_sync_debug_mode(self) -> Any:
        return self.mode

    def set_sync_debug_mode(self, mode: Any) -> None:
        self.mode = mode

    def synchronize(self, *index: int) -> None:
        assert not self.capturing
        assert self.mode == 0
        self.log.append("synchronize")

    def empty_cache(self) -> None:
        self.log.append("empty_cache")

    @contextmanager
    def device(self, index: int) -> Iterator[None]:
        yield

    @contextmanager
    def stream(self, stream: SideStream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def graph(
        self, graph: Graph, pool: tuple[int, int], stream: SideStream, capture_error_mode: str
    ) -> Iterator[None]:
        assert stream is self.side
        self.capturing, self.pools[pool] = True, "open"
        self.default_generators[0].state = "capturing"
        try:
            yield
        except BaseException:
            self.capturing = False
            if self.breaks:
                raise RuntimeError("CUDA error: operation failed due to a previous error") from None
            raise
        finally:
            self.capturing = False
            if not self.breaks:
                self.pools[pool] = "ended"
        self.default_generators[0].state = "after"
        graph.state = "captured"
        if self.empty:
            warnings.warn("The CUDA Graph is empty. This usually means", stacklevel=1)


def replay(cuda: Cuda, run: Callable[[], Any], repeats: int = 4) -> Any:
    return replay_graph(run, "cuda:0", repeats, cuda)


def assert_clean(cuda: Cuda) -> None:
    assert cuda.current is cuda.main
    assert cuda.main.waited_for == ["side"]
    assert cuda.side.waited_for == ["main"]
    assert cuda.mode == 0
    assert all(graph.state == "reset" for graph in cuda.graphs)
    assert cuda.log[-2:] == ["synchronize", "empty_cache"]


def test_each_replay_is_timed_after_some_that_are_not() -> None:
    cuda = Cuda()
    found = replay(cuda, lambda: None, repeats=4)
    assert found.times == (125_000,) * 4
    assert found.reason == ""
    assert cuda.replays == WARMUP + 4
    assert_clean(cuda)


def test_the_pass_runs_on_the_side_stream_and_waits_nowhere_in_the_end() -> None:
    cuda = Cuda()
    seen: list[tuple[str, Any, bool]] = []
    replay(cuda, lambda: seen.append((cuda.current.name, cuda.mode, cuda.capturing)))
    assert seen[:WARMUP] == [("side", 0, False)] * WARMUP
    assert seen[WARMUP:] == [("side", "error", False), ("side", 0, True)]


def test_a_network_that_waits_for_its_device_is_not_captured() -> None:
    cuda = Cuda()

    def run() -> None:
        if cuda.mode == "error":
            raise RuntimeError(SYNCHRONISES)

    found = replay(cuda, run)
    assert found == ((), "no CUDA graph: the network waits for the device inside its pass")
    assert cuda.graphs == []
    assert_clean(cuda)


@pytest.mark.parametrize("breaks", [False, True])
def test_a_capture_that_fails_leaves_nothing_behind(breaks: bool) -> None:
    cuda = Cuda(breaks)

    def run() -> None:
        if cuda.capturing:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nMore")

    found = replay(cuda, run)
    assert found.times == ()
    assert found.reason == (
        "no CUDA graph: CUDA error: operation not permitted when stream is capturing"
    )
    assert cuda.default_generators[0].state == "copy of fresh"
    assert cuda.pools == {(0, 7): "released" if breaks else "ended"}
    assert_clean(cuda)


def test_an_interrupted_capture_is_cleared_away_too() -> None:
    cuda = Cuda()

    def run() -> None:
        if cuda.capturing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(cuda, run)
    assert cuda.default_generators[0].state == "copy of fresh"
    assert_clean(cuda)


def test_a_pass_that_queues_nothing_is_no_floor() -> None:
    cuda = Cuda(empty=True)
    found = replay(cuda, lambda: None)
    assert found == ((), "no CUDA graph: the pass queued nothing on this device")
    assert cuda.replays == 0
    assert_clean(cuda)


def test_a_failure_during_warm_up_is_a_reason() -> None:
    cuda = Cuda()

    def run() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    found = replay(cuda, run)
    assert found.reason == "no CUDA graph: CUDA out of memory. Tried to allocate 2.00 GiB"
    assert_clean(cuda)


def test_an_error_from_before_is_no_reason() -> None:
    cuda = Cuda()

    def run() -> None:
        raise RuntimeError("no kernel image")

    try:
        raise ValueError("of the caller")
    except ValueError:
        assert replay(cuda, run).reason == "no CUDA graph: no kernel image"


def test_an_error_without_words_is_named() -> None:
    assert explain_failure(NotImplementedError(), None) == "no CUDA graph: NotImplementedError"


def test_the_stand_in_has_nothing_that_torch_has_not() -> None:
    own = {name for name in vars(Cuda) if not name.startswith("_")} - {"end_pool", "release_pool"}
    assert own | {"default_generators", "memory"} <= set(dir(torch.cuda))
    assert {"_cuda_endAllocateToPool", "_cuda_releasePool"} <= set(dir(torch.cuda.memory))
    assert {"clone_state", "graphsafe_set_state"} <= set(dir(torch.Generator))
    assert {"replay", "reset"} <= set(dir(torch.cuda.CUDAGraph))
    given = inspect.signature(torch.cuda.graph.__init__).parameters
    assert {"pool", "stream", "capture_error_mode"} <= set(given)


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Looks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.sum().item()


@pytest.mark.gpu
@gpu
def test_a_real_network_is_replayed() -> None:
    model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3)).cuda().eval()
    image = torch.rand(8, 3, 64, 64, device="cuda")
    with torch.inference_mode():
        found = replay_graph(lambda: model(image), "cuda:0", 10)
    assert found.reason == ""
    assert len(found.times) == 10
    assert min(found.times) > 0


@pytest.mark.gpu
@gpu
def test_after_a_network_that_cannot_be_captured_the_device_works_on() -> None:
    image = torch.rand(4, 4, device="cuda")
    with torch.inference_mode():
        found = replay_graph(lambda: Looks()(image), "cuda:0", 3)
        assert "waits for the device" in found.reason
        assert torch.rand(3, device="cuda").sum().item() > 0
        again = replay_graph(lambda: image @ image, "cuda:0", 3)
    assert len(again.times) == 3


@pytest.mark.gpu
@gpu
def test_after_a_capture_that_breaks_the_device_works_on() -> None:
    image = torch.rand(4, 4, device="cuda")

    def run() -> None:
        image.mul_(2)
        if torch.cuda.is_current_stream_capturing():
            torch.cuda.synchronize()  # what no capture allows

    found = replay_graph(run, "cuda:0", 3)
    assert found.times == ()
    assert found.reason.startswith("no CUDA graph: ")
    assert not torch.cuda.is_current_stream_capturing()
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    assert torch.rand(3, device="cuda").sum().item() > 0
    assert replay_graph(lambda: image @ image, "cuda:0", 3).reason == ""
