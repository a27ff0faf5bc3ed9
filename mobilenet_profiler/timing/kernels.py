"""Kernel time of each layer, from the profiler's records of a GPU (CUPTI).

Ranges around the calls of layers are recorded together with operations, launches and
kernels; each kernel is charged to the innermost range around what launched it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from mobilenet_profiler.measured.kernels import KernelTimes, Key
from mobilenet_profiler.timing.clocks import CpuClock, make_clock
from mobilenet_profiler.timing.instruments import Instruments
from mobilenet_profiler.trace.modules import Structure, choose_path

PASSES = 5
LAYER = "mobilenet_profiler.layer:"  # the path follows
PASS = "mobilenet_profiler.pass:"  # the number follows

# `activity_type` of what a device did, of a launch by the host, of a range of ours; a range
# is shown on the device a second time, as 'gpu_user_annotation', which is no work.
WORK = frozenset(["kernel", "gpu_memcpy", "gpu_memset"])
LAUNCHES = frozenset(["cuda_runtime", "cuda_driver"])
RANGE = "user_annotation"


class Interval(Protocol):
    """Microseconds since the profiler began."""

    start: float
    end: float


class Record(Protocol):
    """What is used here of a `torch.autograd.profiler_util.FunctionEvent`.

    id: of an operation its own; of a launch and its kernel the same one.
    linked_correlation_id: of a launch or a kernel, the operation's id, or 0.
    sequence_nr, fwd_thread: of a backward node those of the operation that made it, of a
    forward operation the number of the node that it may make, and 0.
    """

    id: int
    name: str
    activity_type: str | None
    time_range: Interval
    thread: int
    cpu_parent: Any
    linked_correlation_id: int
    sequence_nr: int
    fwd_thread: int | None


class Charge(NamedTuple):
    """A kernel's time, nanoseconds, and whose it is: None where no layer launched it.

    launched: microseconds, when the host queued it.
    """

    layer: Key | None
    launched: float
    time: int


class KernelInstruments(Instruments):
    """Ranges of the profiler around the calls of layers, in place of marks."""

    def __init__(self, structure: Structure, paths: Iterable[str]) -> None:
        super().__init__(CpuClock(), structure, paths)
        self.stack: list[str] = []
        self.calls: dict[str, int] = {}

    def make_call(self, call: Callable[..., Any], number: int) -> Callable[..., Any]:
        """The call in a range that has the layer's path."""
        paths, stack, calls = self.sites[number].paths, self.stack, self.calls

        def run(*args: Any, **kwargs: Any) -> Any:
            path = choose_path(paths, stack[-1] if stack else "", calls)
            calls[path] = calls.get(path, 0) + 1
            stack.append(path)
            try:
                with record_function(LAYER + path):
                    return call(*args, **kwargs)
            finally:
                stack.pop()

        return run


def measure_kernels(
    run: Callable[[], Any],
    structure: Structure,
    paths: Iterable[str],
    device: str,
    passes: int = PASSES,
) -> KernelTimes:
    """Kernel time of each layer in some passes under the profiler.

    run: one eager pass of the network. structure, paths: its modules and the layers among
    them. The passes are slower than others, on the host; how long a kernel takes does not
    change. Without records the result says why.
    """
    if torch.autograd._profiler_enabled():  # type: ignore[attr-defined]
        return KernelTimes(reason="no kernel times: another profiler is at work")
    return attribute_kernels(record_passes(run, structure, paths, device, passes))


def record_passes(
    run: Callable[[], Any],
    structure: Structure,
    paths: Iterable[str],
    device: str,
    passes: int = PASSES,
) -> list[Record]:
    """The profiler's records of some passes, each ended by an idle device."""
    clock, instruments = make_clock(device), KernelInstruments(structure, paths)
    activities = [ProfilerActivity.CPU]
    if torch.device(device).type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    clock.wait()
    with instruments.attach(), profile(activities=activities) as profiler:
        for number in range(passes):
            instruments.calls.clear()
            with record_function(f"{PASS}{number}"):
                run()
                clock.wait()
    return list(profiler.events())


def attribute_kernels(records: Sequence[Record]) -> KernelTimes:
    """Add the kernels of each pass up by layer; what no layer launched is an entry too.

    A kernel belongs to the latest pass that began before its launch. The sum of all
    entries is the time of all kernels.
    """
    starts = sorted(
        record.time_range.start
        for record in records
        if record.activity_type == RANGE and record.name.startswith(PASS)
    )
    count = max(len(starts), 1)
    layers: defaultdict[Key, list[int]] = defaultdict(lambda: [0] * count)
    unattributed = [0] * count
    charges = list(charge_kernels(records))
    for charge in charges:
        number = max(bisect_right(starts, charge.launched) - 1, 0)
        own = unattributed if charge.layer is None else layers[charge.layer]
        own[number] += charge.time
    if not charges:
        return KernelTimes(reason="no kernel times: the profiler has no records of a GPU (CUPTI)")
    return KernelTimes({key: tuple(own) for key, own in layers.items()}, tuple(unattributed))


def charge_kernels(records: Sequence[Record]) -> Iterator[Charge]:
    """Whose each kernel, copy and fill of memory is, in the order of the records."""
    launches = _Launches(records)
    for record in records:
        if record.activity_type in WORK:
            interval = record.time_range
            launch = launches.find(record)
            launched = interval.start if launch is None else launch.time_range.start
            time = round((interval.end - interval.start) * 1000)
            yield Charge(launches.find_layer(record, launch), launched, time)


class _Launches:
    """What launched kernels, and the layers around it.

    records: of operations, ranges and launches, each with its parent on the same thread.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._launches = {r.id: r for r in records if r.activity_type in LAUNCHES}
        self._operations = {r.id: r for r in records if r.activity_type == "cpu_op"}
        self._makers = _find_makers(self._operations.values())
        self._ranges = sorted(
            (record for record in records if _get_path(record) is not None),
            key=lambda record: record.time_range.start,
        )
        self._starts = [record.time_range.start for record in self._ranges]

    def find(self, kernel: Record) -> Record | None:
        """The launch on the host, or the operation that it is linked to.

        An operation inside one of the same name may be missing: the profiler joins them.
        """
        launch = self._launches.get(kernel.id)
        if launch is not None and (launch.cpu_parent is not None or not _is_linked(kernel)):
            return launch
        return self._operations.get(kernel.linked_correlation_id, launch)

    def find_layer(self, kernel: Record, launch: Record | None) -> Key | None:
        """The innermost layer around a launch, or around the forward operation behind it."""
        record: Record | None = launch
        while record is not None:
            path = _get_path(record)
            if path is not None:
                return path, "forward"
            if _is_backward(record):
                maker = self._makers.get((record.fwd_thread or 0, record.sequence_nr))
                path = _climb(maker)
                return None if path is None else (path, "backward")
            record = record.cpu_parent
        if launch is None or _is_linked(kernel):
            return None
        path = self._find_range(launch.time_range.start)
        return None if path is None else (path, "forward")

    def _find_range(self, time: float) -> str | None:
        """The layer that ran at a time, for a launch that no operation made (Triton)."""
        for place in reversed(range(bisect_right(self._starts, time))):
            if self._ranges[place].time_range.end >= time:
                return _get_path(self._ranges[place])
        return None


def _find_makers(operations: Iterable[Record]) -> dict[tuple[int, int], Record]:
    """The forward operation that made each node of the graph, by thread and sequence number.

    Operations see the number of the next node, so several have one: the last to begin
    made it.
    """
    makers: dict[tuple[int, int], Record] = {}
    for record in sorted(operations, key=lambda record: record.time_range.start):
        if record.sequence_nr >= 0 and not record.fwd_thread:
            makers[record.thread, record.sequence_nr] = record
    return makers


def _climb(record: Record | None) -> str | None:
    """The path of the innermost layer around an operation."""
    while record is not None:
        path = _get_path(record)
        if path is not None:
            return path
        record = record.cpu_parent
    return None


def _get_path(record: Record) -> str | None:
    """The layer whose range this is; None for any other record."""
    if record.activity_type != RANGE or not record.name.startswith(LAYER):
        return None
    return record.name.removeprefix(LAYER)


def _is_backward(record: Record) -> bool:
    return bool(record.fwd_thread) and record.sequence_nr >= 0


def _is_linked(kernel: Record) -> bool:
    return kernel.linked_correlation_id > 0
