"""What else the machine did while samples were taken: counters of the system, read twice.

with ContentionMeter() as meter:
    measure()
meter.contention
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from mobilenet_profiler.measured.profile import Contention
from mobilenet_profiler.timing.processor import (
    ROOT,
    count_usable_cores,
    find_usable_cpus,
    read_line,
)

_STEAL = 7  # the place in a line of /proc/stat; what follows it is in others already (proc(5))


@dataclass(frozen=True, slots=True)
class Counters:
    """What the system counted until one moment.

    wall, cpu: nanoseconds. stolen, ticks: of the processors in use, in the kernel's unit.
    waits: by thread, nanoseconds ready and without a processor, or None.
    """

    wall: int
    cpu: int
    voluntary: int = 0
    involuntary: int = 0
    stolen: int = 0
    ticks: int = 0
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
    ticks = end.ticks - begin.ticks
    return Contention(
        wall=end.wall - begin.wall,
        cpu=end.cpu - begin.cpu,
        voluntary=end.voluntary - begin.voluntary,
        involuntary=end.involuntary - begin.involuntary,
        steal=(end.stolen - begin.stolen) / ticks if ticks > 0 else None,
        load=begin.load,
        cores=cores,
        waited=subtract_waits(begin.waits, end.waits),
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
    stolen, ticks = parse_stat(read_line(root / "proc/stat") or "", cpus)
    return Counters(
        wall=time.perf_counter_ns(),
        cpu=time.process_time_ns(),
        voluntary=voluntary,
        involuntary=involuntary,
        stolen=stolen,
        ticks=ticks,
        load=_read_load(cpus),
        waits=read_waits(root),
    )


def parse_stat(text: str, cpus: Collection[int]) -> tuple[int, int]:
    """Stolen and all ticks of these processors in /proc/stat's text; (0, 0) if not told."""
    stolen = ticks = 0
    names = {f"cpu{cpu}" for cpu in cpus}
    for line in text.splitlines():
        name, *values = line.split()
        if name in names and len(values) > _STEAL:
            counts = [int(value) for value in values[: _STEAL + 1]]
            stolen, ticks = stolen + counts[_STEAL], ticks + sum(counts)
    return stolen, ticks


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
