"""What else the machine did while samples were taken: counters of the system, read twice.

    with ContentionMeter() as meter:
        measure()

`meter.contention` is what was counted in between.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from mobilenet_profiler.measured.profile import Contention
from mobilenet_profiler.timing.processor import (
    ROOT,
    count_usable_cores,
    find_usable_cpus,
    read_line,
)

# Places in a processor's line of /proc/stat; what follows the last is in others already (proc(5)).
_IDLE, _IOWAIT, _STEAL = 3, 4, 7


class Ticks(NamedTuple):
    """Time of some processors together, in the kernel's unit.

    processors: how many. stolen: by a hypervisor. busy: with work of anyone here.
    """

    processors: int = 0
    whole: int = 0
    stolen: int = 0
    busy: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """What the system counted until one moment.

    wall, cpu: nanoseconds. ticks: of the processors in use. waits: by thread, nanoseconds
    ready and without a processor, or None.
    """

    wall: int
    cpu: int
    voluntary: int = 0
    involuntary: int = 0
    ticks: Ticks = field(default_factory=Ticks)
    load: float | None = None
    waits: Mapping[int, int] | None = field(default_factory=dict)


class ContentionMeter:
    """Counts from `start` to `stop`, or as long as a `with` lasts."""

    def __init__(self, read: Callable[[], Counters] | None = None, cores: int = 0) -> None:
        self._read = read or read_counters
        self._cores = cores or count_usable_cores()
        self._begin: Counters | None = None
        self.contention = Contention(cores=self._cores)

    def start(self) -> None:
        """Begin to count."""
        self._begin = self._read()

    def stop(self) -> Contention:
        """What was counted since `start`; kept in `contention` too."""
        if self._begin is not None:
            self.contention = subtract_counters(self._begin, self._read(), self._cores)
        return self.contention

    def __enter__(self) -> ContentionMeter:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def subtract_counters(begin: Counters, end: Counters, cores: int) -> Contention:
    """What happened between two readings."""
    wall, cpu = end.wall - begin.wall, end.cpu - begin.cpu
    whole = end.ticks.whole - begin.ticks.whole
    stolen, busy = end.ticks.stolen - begin.ticks.stolen, end.ticks.busy - begin.ticks.busy
    known = whole > 0 and wall > 0
    return Contention(
        wall=wall,
        cpu=cpu,
        voluntary=end.voluntary - begin.voluntary,
        involuntary=end.involuntary - begin.involuntary,
        steal=stolen / whole if known else None,
        load=begin.load,
        cores=cores,
        waited=subtract_waits(begin.waits, end.waits),
        others=max(busy / whole * end.ticks.processors - cpu / wall, 0.0) if known else None,
    )


def subtract_waits(begin: Mapping[int, int] | None, end: Mapping[int, int] | None) -> int | None:
    """How long the threads that are there in the end waited since the beginning."""
    if begin is None or end is None:
        return None
    return sum(waited - begin.get(thread, 0) for thread, waited in end.items())


def read_counters(root: Path = ROOT) -> Counters:
    """The counters now."""
    voluntary, involuntary = _read_switches()
    cpus = find_usable_cpus()
    return Counters(
        wall=time.perf_counter_ns(),
        cpu=time.process_time_ns(),
        voluntary=voluntary,
        involuntary=involuntary,
        ticks=parse_stat(read_line(root / "proc/stat") or "", cpus),
        load=_read_load(cpus),
        waits=read_waits(root),
    )


def parse_stat(text: str, cpus: Collection[int]) -> Ticks:
    """The ticks of these processors in /proc/stat's text; zeros if not told."""
    names = {f"cpu{cpu}" for cpu in cpus}
    lines = [line.split() for line in text.splitlines()]
    counts = [
        [int(value) for value in values[: _STEAL + 1]]
        for name, *values in filter(None, lines)
        if name in names and len(values) > _STEAL
    ]
    whole, stolen = sum(map(sum, counts)), sum(own[_STEAL] for own in counts)
    idle = sum(own[_IDLE] + own[_IOWAIT] for own in counts)
    return Ticks(len(counts), whole, stolen, whole - stolen - idle)


def read_waits(root: Path = ROOT) -> dict[int, int] | None:
    """By thread of this process, how long it waited for a processor; None if not counted.

    The second number of /proc/self/task/N/schedstat (Documentation/scheduler/sched-stats of
    Linux); a kernel that does not count prints zeros, for time that ran too.
    """
    waits, ran = {}, 0
    for file in (root / "proc/self/task").glob("[0-9]*/schedstat"):
        numbers = (read_line(file) or "").split()  # a thread may have ended meanwhile
        if len(numbers) >= 2:
            waits[int(file.parent.name)] = int(numbers[1])
            ran += int(numbers[0])
    return waits if ran else None


def _read_load(cpus: Collection[int]) -> float | None:
    """The load of the last minute; None where this process has a part of the machine alone.

    How much of the machine's load falls upon that part is not told.
    """
    if not hasattr(os, "getloadavg") or (cpus and len(cpus) != os.cpu_count()):
        return None
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _read_switches() -> tuple[int, int]:
    """Voluntary and involuntary context switches of all threads; zeros where not counted."""
    if sys.platform == "win32":
        return 0, 0
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw, usage.ru_nivcsw
