"""A whole network as one CUDA graph: its time without a launch by the host, the floor.

The kernels are those of a plain pass; what a plain pass takes longer, the host was too slow.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from mobilenet_profiler.timing.clocks import EventClock

WARMUP = 3  # passes on the side stream: libraries choose kernels and take their memory then
REPEATS = 50

# The allocators keep a test that points to a graph whose capture could not be ended.
_failed: list[Any] = []


class Replays(NamedTuple):
    """Nanoseconds of each replay, or the reason, one line, why there are none."""

    times: tuple[int, ...] = ()
    reason: str = ""


def replay_graph(
    run: Callable[[], Any], device: str, repeats: int = REPEATS, cuda: Any = torch.cuda
) -> Replays:
    """Capture `run` as a CUDA graph and time its replays, back to back.

    run: a whole pass on the device, its inputs there already. Streams, random numbers and
    the allocator are left as they were, whether it could be captured or not; the graph and
    its memory are freed. cuda: `torch.cuda`.
    """
    place = torch.device(device)
    index = cuda.current_device() if place.index is None else place.index
    earlier = sys.exception()
    with cuda.device(index):
        side, before = cuda.Stream(), cuda.current_stream()
        side.wait_stream(before)
        try:
            with cuda.stream(side):
                return _replay(run, index, repeats, cuda)
        except Exception as error:
            return Replays(reason=explain_failure(error, earlier))
        finally:
            with suppress(RuntimeError):  # a device that failed has told so already
                before.wait_stream(side)
                cuda.synchronize()
                cuda.empty_cache()


def _replay(run: Callable[[], Any], index: int, repeats: int, cuda: Any) -> Replays:
    """The same on the current stream, which is not the default one."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _warm_up(run, cuda)
        graph = _capture(run, index, cuda)
    try:
        if any("graph is empty" in str(warning.message).lower() for warning in told):
            return Replays(reason="no CUDA graph: the pass queued nothing on this device")
        return Replays(_time_replays(graph, index, repeats, cuda))
    finally:
        cuda.synchronize()  # a graph in flight must not be freed
        graph.reset()


def _warm_up(run: Callable[[], Any], cuda: Any) -> None:
    """Passes before the capture; the last fails where the network waits for its device.

    Such a network cannot be captured, and a capture that fails is harder to clear away.
    """
    for _ in range(WARMUP):
        run()
    mode = cuda.get_sync_debug_mode()
    cuda.set_sync_debug_mode("error")
    try:
        run()
    finally:
        cuda.set_sync_debug_mode(mode)
    cuda.synchronize()


def _capture(run: Callable[[], Any], index: int, cuda: Any) -> Any:
    """The graph of one pass; where that fails, all is as before."""
    graph, pool = cuda.CUDAGraph(), cuda.graph_pool_handle()
    generator = cuda.default_generators[index]
    state = generator.clone_state()
    try:
        with cuda.graph(
            graph, pool=pool, stream=cuda.current_stream(), capture_error_mode="thread_local"
        ):
            run()
    except BaseException:
        _failed.append(graph)
        with suppress(RuntimeError):
            graph.reset()
        with suppress(RuntimeError):  # refused where the capture came to its end
            cuda.memory._cuda_endAllocateToPool(index, pool)
            cuda.memory._cuda_releasePool(index, pool)
        generator.graphsafe_set_state(state)  # the one before waits for the capture's end
        raise
    return graph


def _time_replays(graph: Any, index: int, repeats: int, cuda: Any) -> tuple[int, ...]:
    for _ in range(WARMUP):
        graph.replay()
    clock = EventClock(cuda, index)
    marks = [clock.mark()]
    for _ in range(repeats):
        graph.replay()
        marks.append(clock.mark())
    clock.wait()
    return tuple(end - start for start, end in pairwise(clock.read(marks)))


def explain_failure(error: BaseException, earlier: BaseException | None) -> str:
    """Why there is no graph, one line: the first error of those that followed each other.

    earlier: what the caller was handling already.
    """
    first = error
    while first.__context__ not in (None, earlier):
        first = first.__context__
    text = (str(first).strip() or type(first).__name__).splitlines()[0]
    if "synchronizing CUDA operation" in text:
        text = "the network waits for the device inside its pass"
    return f"no CUDA graph: {text.rstrip('.')}"
