"""A machine's measured ceiling, and how near a layer comes to it. Pure; no torch.

The roofline model (Williams, Waterman, Patterson, CACM 52(4), 2009): work cannot take less
time than its arithmetic at the machine's best rate, nor less than its bytes at the best
bandwidth. Both are what this machine reached when it was asked, never from a data sheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from mobilenet_profiler.measured.profile import LayerWork

PATTERNS = ("copy", "triad", "read")
CONVOLUTION, DEPTHWISE, LINEAR, ELEMENTWISE = "convolution", "depthwise", "linear", "elementwise"
OPERATIONS = (CONVOLUTION, DEPTHWISE, LINEAR, ELEMENTWISE)
_GROUPED = ("depthwise", "grouped")
_PRODUCTS = ("fully", "matrix", "attention")


@dataclass(frozen=True, slots=True)
class Peak:
    """Products of two square matrices, one after another.

    dtype: 'float32', 'bfloat16', 'float16', or 'tf32': float32 that a GPU multiplies as
    TF32. size: rows and columns of each matrix. threads: of the CPU; 0 on another device.
    samples: nanoseconds of `calls` products each.
    """

    dtype: str
    size: int
    threads: int
    calls: int
    samples: tuple[int, ...]

    @property
    def macs_per_second(self) -> float:
        """Multiply-accumulates a second in the best sample."""
        return self.size**3 * self.calls * 1e9 / min(self.samples)


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Passes over arrays of float32, one after another.

    pattern: 'copy' (b = a) and 'triad' (c = a + 3 b), as in STREAM (McCalpin, 1995), and
    'read' (a . b), which layers with more weights than activations resemble.
    working_set: bytes of all arrays together, each of which a call reads or writes once;
    what the hardware moves besides (a line that is fetched to be overwritten) is no part
    of it, nor is it of a layer's bytes. threads: of the CPU; 0 on another device.
    samples: nanoseconds of `calls` passes each.
    """

    pattern: str
    working_set: int
    threads: int
    calls: int
    samples: tuple[int, ...]

    @property
    def bytes_per_second(self) -> float:
        """Bytes a second in the best sample."""
        return self.working_set * self.calls * 1e9 / min(self.samples)


@dataclass(frozen=True, slots=True)
class Overhead:
    """An operation on tensors too small to matter: what it costs to do no work.

    On a CPU that is its dispatch and set-up; on a GPU the pace at which one after another
    starts, the host's or the device's, whichever is slower.
    operation: 'convolution', 'depthwise', 'linear' or 'elementwise'. threads: of the CPU;
    0 on another device. samples: nanoseconds of `calls` operations each.
    """

    operation: str
    dtype: str
    threads: int
    calls: int
    samples: tuple[int, ...]

    @property
    def nanoseconds(self) -> float:
        """Of one operation in the best sample."""
        return min(self.samples) / self.calls


Point = Peak | Bandwidth | Overhead
AnyPoint = TypeVar("AnyPoint", Peak, Bandwidth, Overhead)


@dataclass(frozen=True)
class Ceiling:
    """The best that one device reached; it holds for the environment it was measured in.

    device: 'cpu', 'cuda:0', 'mps'. environment: what it depends on, JSON's types alone.
    date: when it was measured, as ISO 8601 has it. notes: what could not be measured, and
    why, a sentence each.
    """

    device: str
    environment: Mapping[str, Any] = field(default_factory=dict)
    peaks: tuple[Peak, ...] = ()
    bandwidths: tuple[Bandwidth, ...] = ()
    overheads: tuple[Overhead, ...] = ()
    date: str = ""
    notes: tuple[str, ...] = ()

    @property
    def threads(self) -> tuple[int, ...]:
        """The thread counts that it was measured with, the fewest first; 0 where there are none."""
        return tuple(sorted({point.threads for point in self.bandwidths}))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes of its matrix products, in the order in which they were measured."""
        return tuple(dict.fromkeys(peak.dtype for peak in self.peaks))

    @property
    def hardware(self) -> str:
        """The model of the processor or GPU; the device where that is not known."""
        room, key = ("cpu", "model") if self.device == "cpu" else ("gpu", "name")
        return str((self.environment.get(room) or {}).get(key) or self.device)

    def covers(self, threads: int) -> bool:
        """Whether it was measured with so many threads; on a GPU any number will do."""
        return bool(self.bandwidths) and (self.threads == (0,) or threads in self.threads)


@dataclass(frozen=True, slots=True)
class Bound:
    """A layer's time beside the least that its work takes on this machine, nanoseconds.

    compute: of its multiply-accumulates at the best rate of its dtype. memory: of its bytes
    at the best bandwidth for so many. overhead: of its operations if they did no work.
    """

    time: float
    compute: float
    memory: float
    overhead: float

    @property
    def binds(self) -> str:
        """'compute', 'memory' or 'overhead', whichever least time is the longest; '' for no work.

        Were the layer as fast as this machine can be, that is what it would wait for. It is
        'overhead' where starting the operations takes longer than the roofline allows for
        the work itself: then starting is most of the least time, whether it comes before the
        work, as on a CPU, or beside it, as on a GPU. How far the layer is from its bound is
        another question: see `share`.
        """
        known = {"compute": self.compute, "memory": self.memory, "overhead": self.overhead}
        binds = max(known, key=lambda name: known[name])
        return binds if known[binds] > 0 else ""

    @property
    def share(self) -> float | None:
        """The part of the ceiling that it reached: 1 is the roofline; None where it took no time.

        The longer of compute and memory over its time. Overhead is no work, so a layer that
        is bound by it stays far below 1. Above 1 the layer beat the measurement: an algorithm
        with fewer multiplications than are counted, or a machine busy at that moment.
        """
        return max(self.compute, self.memory) / self.time if self.time > 0 else None

    @property
    def percent(self) -> float | None:
        """The same in per cent."""
        return None if self.share is None else 100 * self.share


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """A layer on a roofline plot.

    intensity: multiply-accumulates a byte. macs_per_second: achieved. Both are 0 for a layer
    that multiplies nothing. share: of the time of the whole network, 0 to 1.
    """

    name: str
    kind: str
    intensity: float
    macs_per_second: float
    share: float


def find_peak(ceiling: Ceiling, dtype: str, threads: int = 0) -> float | None:
    """Multiply-accumulates a second of the best product of any size; None without one.

    What fewer threads reached, so many can reach too: the best of all up to `threads`.
    """
    peak = choose_peak(ceiling, dtype, threads)
    return peak.macs_per_second if peak else None


def choose_peak(ceiling: Ceiling, dtype: str, threads: int = 0) -> Peak | None:
    """The fastest product of a dtype, with the size at which it was reached."""
    known = [peak for peak in _choose(ceiling, ceiling.peaks, threads) if peak.dtype == dtype]
    return max(known, key=lambda peak: peak.macs_per_second, default=None)


def find_bandwidth(ceiling: Ceiling, threads: int = 0, bytes_moved: int = 0) -> float | None:
    """Bytes a second that so many bytes can be moved at; None where nothing was measured.

    The best of every pattern and of every working set from the last that these bytes fill:
    data that fit into a cache are judged by the cache, and more data never move faster.
    What fewer threads reached, so many can reach too.
    """
    point = choose_bandwidth(ceiling, threads, bytes_moved)
    return point.bytes_per_second if point else None


def choose_bandwidth(ceiling: Ceiling, threads: int = 0, bytes_moved: int = 0) -> Bandwidth | None:
    """The measurement behind `find_bandwidth`."""
    known = _choose(ceiling, ceiling.bandwidths, threads)
    filled = [point.working_set for point in known if point.working_set <= bytes_moved]
    least = max(filled, default=0)
    large = [point for point in known if point.working_set >= least]
    return max(large, key=lambda point: point.bytes_per_second, default=None)


def find_memory_bandwidth(ceiling: Ceiling, threads: int = 0) -> float | None:
    """Bytes a second of the largest working set, which is far larger than the caches."""
    point = choose_memory_bandwidth(ceiling, threads)
    return point.bytes_per_second if point else None


def choose_memory_bandwidth(ceiling: Ceiling, threads: int = 0) -> Bandwidth | None:
    """The measurement behind `find_memory_bandwidth`."""
    known = _choose(ceiling, ceiling.bandwidths, threads)
    largest = max((point.working_set for point in known), default=0)
    return choose_bandwidth(ceiling, threads, largest)


def find_overhead(
    ceiling: Ceiling, operation: str, dtype: str = "float32", threads: int = 0
) -> float | None:
    """Nanoseconds of an operation that does no work; that of float32 where its dtype has none."""
    known = [
        point
        for point in ceiling.overheads
        if point.operation == operation and point.threads in (0, threads)
    ]
    own = [point for point in known if point.dtype == dtype]
    plain = [point for point in known if point.dtype == "float32"]
    return min((point.nanoseconds for point in own or plain), default=None)


def find_ridge(ceiling: Ceiling, dtype: str, threads: int = 0) -> float | None:
    """Multiply-accumulates a byte from which on compute binds what no cache holds."""
    peak, memory = find_peak(ceiling, dtype, threads), find_memory_bandwidth(ceiling, threads)
    return peak / memory if peak and memory else None


def bound_layer(
    ceiling: Ceiling,
    work: LayerWork,
    nanoseconds: float,
    dtype: str = "float32",
    threads: int = 0,
    kind: str = "",
) -> Bound | None:
    """What binds a layer that took so long, and how near it came; None where that was not measured.

    dtype: 'tf32' for float32 that a GPU multiplies as TF32. threads: of the CPU; on another
    device it does not matter. kind: of the layer, as a trace names it ('depthwise 3x3'),
    which says what starting one of its operations costs.
    Its bytes are taken to be spread evenly over its operations: each is judged by the
    bandwidth for its own part of them.
    """
    each = work.bytes_moved // max(work.operations, 1)
    peak = find_peak(ceiling, dtype, threads) if work.macs else 1.0
    bandwidth = find_bandwidth(ceiling, threads, each)
    starting = _add_overheads(ceiling, work, dtype, threads, kind)
    if peak is None or bandwidth is None or starting is None:
        return None
    compute, memory = work.macs / peak * 1e9, work.bytes_moved / bandwidth * 1e9
    return Bound(nanoseconds, compute, memory, starting)


def _add_overheads(
    ceiling: Ceiling, work: LayerWork, dtype: str, threads: int, kind: str
) -> float | None:
    counted = find_overhead(ceiling, name_operation(kind), dtype, threads)
    other = find_overhead(ceiling, ELEMENTWISE, dtype, threads)
    if counted is None or other is None:
        return None
    return work.counted * counted + (work.operations - work.counted) * other


def name_operation(kind: str) -> str:
    """What a layer of this kind multiplies by: 'depthwise', 'linear' or 'convolution'."""
    first = kind.split(" ")[0]
    if first in _GROUPED:
        return DEPTHWISE
    return LINEAR if first in _PRODUCTS else CONVOLUTION


def find_intensity(work: LayerWork) -> float:
    """Arithmetic intensity, multiply-accumulates a byte; 0 where no byte is moved."""
    return work.macs / work.bytes_moved if work.bytes_moved else 0.0


def find_rate(macs: int, nanoseconds: float) -> float:
    """Achieved multiply-accumulates a second; 0 where it took no time."""
    return macs / nanoseconds * 1e9 if nanoseconds > 0 else 0.0


def make_point(
    name: str, kind: str, work: LayerWork, nanoseconds: float, share: float
) -> RooflinePoint:
    """Where a layer that took so long stands on a roofline."""
    rate = find_rate(work.macs, nanoseconds)
    return RooflinePoint(name, kind, find_intensity(work), rate, share)


def join_ceilings(kept: Ceiling, fresh: Ceiling) -> Ceiling:
    """Of two measurements in one environment the better point each: a ceiling only rises.

    Its date and notes are those of the fresh one; notes of the kept one remain where that
    has thread counts which were not measured again.
    """
    alone = set(kept.threads) - set(fresh.threads)
    return replace(
        fresh,
        peaks=_keep_best((*kept.peaks, *fresh.peaks)),
        bandwidths=_keep_best((*kept.bandwidths, *fresh.bandwidths)),
        overheads=_keep_best((*kept.overheads, *fresh.overheads)),
        notes=tuple(dict.fromkeys((*(kept.notes if alone else ()), *fresh.notes))),
    )


def _keep_best(points: Sequence[AnyPoint]) -> tuple[AnyPoint, ...]:
    """The fastest of what measured the same thing, by threads; else in the order of first sight."""
    best: dict[object, AnyPoint] = {}
    for point in points:
        key = replace(point, calls=1, samples=())
        known = best.get(key)
        if known is None or min(point.samples) / point.calls < min(known.samples) / known.calls:
            best[key] = point
    return tuple(sorted(best.values(), key=lambda point: point.threads))


def _choose(ceiling: Ceiling, points: Sequence[AnyPoint], threads: int) -> list[AnyPoint]:
    """The points with so many threads and with fewer; none where so many were not measured."""
    return (
        [point for point in points if point.threads <= threads] if ceiling.covers(threads) else []
    )
