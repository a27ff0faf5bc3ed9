"""What a device reaches at its best: matrix products, bandwidth, operations without work.

A ceiling is the best that was reached, so every point is measured several times and the best
sample counts; all are kept. Every setting of torch that is changed is set back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise, repeat
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from torch import Tensor

from mobilenet_profiler.measured.contention import OTHERS, STEAL, WAITED
from mobilenet_profiler.measured.profile import Contention
from mobilenet_profiler.measured.roofline import (
    CONVOLUTION,
    DEPTHWISE,
    ELEMENTWISE,
    LINEAR,
    PATTERNS,
    Bandwidth,
    Ceiling,
    Overhead,
    Peak,
    Point,
)
from mobilenet_profiler.timing.caches import find_last_cache
from mobilenet_profiler.timing.capacity import measure_free
from mobilenet_profiler.timing.clocks import Clock, make_clock
from mobilenet_profiler.timing.contention import ContentionMeter

DTYPES = {
    "cpu": ("float32", "bfloat16", "float16"),
    "cuda": ("float32", "tf32", "bfloat16", "float16"),
    "mps": ("float32", "bfloat16", "float16"),
}
SIZES = {  # rows of square matrices
    "cpu": (128, 256, 512, 1024, 2048),
    "cuda": (512, 1024, 2048, 4096, 8192),
    "mps": (512, 1024, 2048, 4096),
}
SMALLEST_SET = 96 << 10  # bytes; it and its doubles divide into two arrays and into three
LEAST_SET, MOST_SET = 192 << 20, 384 << 20  # what the largest working set lies between
BEYOND = 4  # times the last cache: what is left in it from the pass before no longer shows
_MOST_CALLS = 1 << 14
_LONG = 25  # samples: who takes longer needs no estimate without its set-up
_AGREES = 1.05  # a best sample is believed where another comes so near

Call = Callable[[], object]
Measure = Callable[["Bench"], Iterable[Point | str]]
OnProgress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one point is measured, nanoseconds.

    sample: as many calls as take so long are timed together. point: all samples together;
    longer where too few fit in, or where the best is not reached again. limit: a product
    that would take longer is not begun. least, most: samples of a point.
    """

    sample: int = 200_000
    point: int = 25_000_000
    limit: int = 150_000_000
    least: int = 3
    most: int = 40


@dataclass(frozen=True, slots=True)
class Bench:
    """What points are measured on: the device, its clock, how patiently."""

    device: str
    clock: Clock
    patience: Patience = Patience()
    threads: int = 0

    def time(self, call: Call) -> tuple[int, tuple[int, ...]]:
        """Calls a sample, and nanoseconds of each sample."""
        return time_calls(self.clock, call, self.patience)


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the measurement: what it is, and how it is done; it yields points and notes."""

    what: str
    bench: Bench
    measure: Measure


def measure_ceiling(
    device: str,
    environment: Mapping[str, Any],
    threads: Sequence[int] = (),
    on_progress: OnProgress | None = None,
    clock: Clock | None = None,
    patience: Patience = Patience(),
) -> Ceiling:
    """The ceiling of a device, in some seconds.

    device: 'cpu', 'cuda:0', 'mps'. environment: what it is kept for, of `choose_conditions`.
    threads: of the CPU, besides 1 and as many as torch takes by itself; another device has
    none. on_progress: called before each step with the part that is done, 0 to 1, and what comes.
    """
    bench = Bench(device, clock or make_clock(device), patience)
    counts, notes = list_threads(device, threads), list[str]()
    points: list[Point] = []
    with torch.inference_mode(), keep_threads(), ContentionMeter() as meter:
        steps = list_steps(bench, counts, notes.append)
        for done, step in enumerate(steps):
            if on_progress:
                on_progress(done / len(steps), step.what)
            for found in take_step(step):
                notes.append(found) if isinstance(found, str) else points.append(found)
    notes[:0] = note_contention(meter.contention, max(counts))
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    return Ceiling(
        device,
        dict(environment),
        tuple(point for point in points if isinstance(point, Peak)),
        tuple(point for point in points if isinstance(point, Bandwidth)),
        tuple(point for point in points if isinstance(point, Overhead)),
        datetime.now(UTC).isoformat(timespec="seconds"),
        tuple(notes),
    )


def list_threads(device: str, asked: Sequence[int] = ()) -> tuple[int, ...]:
    """Thread counts to measure with: 1, those asked for, torch's own; 0 on another device."""
    if device != "cpu":
        return (0,)
    return tuple(sorted({1, *asked, torch.get_num_threads()}))


def list_steps(
    bench: Bench, threads: Sequence[int], tell: Callable[[str], None]
) -> tuple[Step, ...]:
    """All that is measured. tell: gets a sentence about what can not be."""
    cache, free = find_last_cache(bench.device), measure_free(bench.device)
    sets = list_working_sets(cache, free)
    if cache and sets[-1] < BEYOND * cache:
        tell(
            f"the largest working set, {sets[-1] >> 20} MiB, is less than {BEYOND} times the last "
            f"cache, {cache >> 20} MiB: memory may be slower than this says"
        )
    arrays = make_arrays(bench.device, sets[-1])
    kind = bench.device.partition(":")[0]
    dtypes, sizes = DTYPES[kind], SIZES[kind]
    measures: dict[str, Measure] = {
        **{
            f"bandwidth, {name}": partial(measure_bandwidths, name, arrays, sets)
            for name in PATTERNS
        },
        **{f"products, {name}": partial(measure_peaks, name, sizes) for name in dtypes},
        **{f"overhead, {name}": partial(measure_overheads, name) for name in dtypes},
    }
    return tuple(
        Step(f"{what}{_name_threads(count)}", replace(bench, threads=count), measure)
        for count in threads
        for what, measure in measures.items()
    )


def take_step(step: Step) -> Iterator[Point | str]:
    """The points of a step, with its threads; a note where the device refuses it."""
    if step.bench.threads:
        torch.set_num_threads(step.bench.threads)
    try:
        yield from step.measure(step.bench)
    except (RuntimeError, TypeError) as error:  # no such operation in this dtype; out of memory
        yield f"{step.what}: not measured: {str(error).splitlines()[0]}"


def time_calls(clock: Clock, call: Call, patience: Patience) -> tuple[int, tuple[int, ...]]:
    """How many calls make a sample, and nanoseconds of each sample.

    The first call is no sample: it may set up what later ones use again. Samples follow each
    other without a wait, so that a device which runs behind its host never idles. Where the
    best sample stays alone, more are taken.
    """
    calls, once = 1, time_once(clock, call, 1)
    if once < _LONG * patience.sample:
        calls, once = choose_calls(clock, call, patience)
    count = min(max(patience.point // once, patience.least), patience.most)
    samples: list[int] = []
    start = clock.now()
    while True:
        samples += take_samples(clock, call, calls, count, patience)
        best = sorted(samples)[:2]
        if best[-1] <= best[0] * _AGREES or clock.now() - start >= 2 * patience.point:
            return calls, tuple(samples)


def choose_calls(clock: Clock, call: Call, patience: Patience) -> tuple[int, int]:
    """So many calls, doubled from 1, that they take as long as a sample should; how long."""
    calls = 1
    while True:
        passed = time_once(clock, call, calls)
        if passed >= patience.sample or calls >= _MOST_CALLS:
            return calls, passed
        calls *= 2


def time_once(clock: Clock, call: Call, calls: int) -> int:
    """Nanoseconds from an idle device through so many calls to an idle device."""
    clock.wait()
    start = clock.now()
    for _ in repeat(None, calls):
        call()
    clock.wait()
    return max(clock.now() - start, 1)


def take_samples(
    clock: Clock, call: Call, calls: int, count: int, patience: Patience
) -> Iterator[int]:
    """Nanoseconds of `count` samples, or of fewer where they take much longer than foreseen."""
    start = clock.now()
    marks = [clock.mark()]
    while len(marks) <= count:
        for _ in repeat(None, calls):
            call()
        marks.append(clock.mark())
        if len(marks) > patience.least and clock.now() - start > 2 * patience.point:
            break
    clock.wait()
    yield from (max(end - begin, 1) for begin, end in pairwise(clock.read(marks)))


def measure_peaks(dtype: str, sizes: Sequence[int], bench: Bench) -> Iterator[Peak | str]:
    """Products of square matrices, each size as long as one product stays within the limit."""
    foreseen = 0.0
    for size in sizes:
        if foreseen > bench.patience.limit:
            yield (
                f"{dtype}{_name_threads(bench.threads)}: no product of {size} or more rows: one "
                f"would take {foreseen / 1e9:.1f} s"
            )
            return
        with use_tf32(dtype == "tf32"):
            calls, samples = bench.time(make_product(dtype, size, bench.device))
        yield Peak(dtype, size, bench.threads, calls, samples)
        foreseen = min(samples) / calls * 8  # the next size has twice the rows


def make_product(dtype: str, size: int, device: str) -> Call:
    """A product of two matrices of random numbers: those of zeros take less power, so less time."""
    numbers = torch.Generator(device=device).manual_seed(0)
    shape = (size, size)
    left, right = (
        torch.rand(shape, generator=numbers, device=device).to(choose_dtype(dtype))
        for _ in range(2)
    )
    return partial(torch.mm, left, right, out=torch.empty_like(left))


def measure_bandwidths(
    pattern: str, arrays: Sequence[Tensor], sets: Sequence[int], bench: Bench
) -> Iterator[Bandwidth]:
    """One pattern over every working set."""
    for size in sets:
        calls, samples = bench.time(make_pass(pattern, arrays, size))
        yield Bandwidth(pattern, size, bench.threads, calls, samples)


def make_arrays(device: str, largest: int) -> tuple[Tensor, ...]:
    """Three arrays that the largest working set and all smaller ones fit into."""
    parts = (largest // 2, largest // 2, largest // 3)
    return tuple(torch.full((part // 4,), 1.0, device=device) for part in parts)


def make_pass(pattern: str, arrays: Sequence[Tensor], size: int) -> Call:
    """A pass over so many bytes, every one of which it reads or writes once."""
    number = 3 if pattern == "triad" else 2
    first, second, third = (array[: size // number // 4] for array in arrays)
    if pattern == "copy":
        return partial(second.copy_, first)
    if pattern == "read":
        return partial(torch.dot, first, second)
    return partial(torch.add, first, second, alpha=3.0, out=third)


def measure_overheads(dtype: str, bench: Bench) -> Iterator[Overhead]:
    """Operations on tensors so small that their work does not show."""
    for operation, call in make_tiny(dtype, bench.device).items():
        with use_tf32(dtype == "tf32"):
            calls, samples = bench.time(call)
        yield Overhead(operation, dtype, bench.threads, calls, samples)


def make_tiny(dtype: str, device: str) -> dict[str, Call]:
    """One operation of each sort. Convolutions lie channels last, which spares a reordering."""
    kind = choose_dtype(dtype)
    image, full, grouped = (
        torch.ones(shape, device=device, dtype=kind).to(memory_format=torch.channels_last)
        for shape in ((1, 16, 4, 4), (16, 16, 1, 1), (16, 1, 3, 3))
    )
    row = torch.ones((1, 1), device=device, dtype=kind)
    return {
        CONVOLUTION: partial(F.conv2d, image, full),
        DEPTHWISE: partial(F.conv2d, image, grouped, padding=1, groups=16),
        LINEAR: partial(F.linear, row, row),
        ELEMENTWISE: partial(torch.relu, row),
    }


def choose_dtype(name: str) -> torch.dtype:
    """torch's dtype of a peak: TF32 is a way to multiply float32."""
    found: torch.dtype = getattr(torch, "float32" if name == "tf32" else name)
    return found


@contextmanager
def keep_threads() -> Iterator[None]:
    """The thread count that was set is set again afterwards."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def use_tf32(on: bool) -> Iterator[None]:
    """Whether a GPU may multiply float32 as TF32 until the end; then as it was set before.

    The newer of torch's two settings is the one that its kernels ask.
    """
    rooms: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [room.fp32_precision for room in rooms]
    try:
        for room in rooms:
            room.fp32_precision = "tf32" if on else "ieee"
        yield
    finally:
        for room, precision in zip(rooms, before, strict=True):
            room.fp32_precision = precision


def list_working_sets(cache: int | None, free: int | None) -> tuple[int, ...]:
    """Bytes of the working sets, each twice the one before, from the caches to far beyond them.

    cache: bytes of the last one, free: bytes of memory; None where that is not known.
    """
    wanted = MOST_SET if cache is None else max(BEYOND * cache, LEAST_SET)
    allowed = MOST_SET if free is None else min(free // 4, MOST_SET)
    sets = [SMALLEST_SET]
    while sets[-1] < wanted and 2 * sets[-1] <= allowed:
        sets.append(2 * sets[-1])
    return tuple(sets)


def note_contention(contention: Contention, threads: int) -> Iterator[str]:
    """A warning where others kept the machine busy, so that it may reach more than this.

    threads: the most that were used; more than there are cores wait for each other.
    """
    waited = 0 if threads > contention.cores else contention.waited or 0
    waited_share = waited / max(contention.cpu + waited, 1)
    others = contention.others or 0.0
    if waited_share >= WAITED:
        seen = f"the process waited {waited_share:.0%} of its time for a processor"
    elif others >= OTHERS * contention.cores:
        seen = f"other work kept {others:.1f} of {contention.cores} cores busy"
    elif (contention.steal or 0.0) >= STEAL:
        seen = f"the hypervisor took {contention.steal:.0%} of the processor"
    else:
        return
    yield f"{seen}: measure again on a quiet machine, which may reach more than this"


def _name_threads(count: int) -> str:
    return f", {count} thread{'s' * (count != 1)}" if count else ""
