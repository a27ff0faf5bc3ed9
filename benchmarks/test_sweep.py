"""A sweep of 10,000 exact cells: time, peak memory, and an interruption without loss.

    python -m pytest benchmarks/test_sweep.py --benchmark-only -s
    python -m benchmarks.test_sweep [CELLS]

Runs `mobilenet-profiler sweep` on MobileNet V1 at 100 alphas and 100 resolutions with one
process and with two, then once more with a Ctrl-C at a third and `--resume`, and compares the
bytes of both files. Prints seconds, processor seconds, and of every process the most memory
that it held. Of pytest only the interruption is asserted.
"""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import pytest

CELLS = 10_000
MB = 1 << 20
_LOOK = 0.25  # seconds between looks at the processes


@dataclass(frozen=True)
class Run:
    """One run of the command. peaks: bytes of each process, the first the one that was started."""

    code: int
    seconds: float
    processor: float
    peaks: tuple[int, ...]

    def __str__(self) -> str:
        first, *workers = (f"{peak / MB:.0f} MB" for peak in self.peaks)
        beside = f", {' and '.join(workers)} in its processes" if workers else ""
        return f"{self.seconds:.0f} s, {self.processor:.0f} s of processors, {first}{beside}"


def list_axes(cells: int) -> list[str]:
    """Options of a square grid of so many cells."""
    side = isqrt(cells)
    alphas = f"0.25:{0.25 + (side - 1) / 100:.2f}:0.01"
    return ["--alpha", alphas, "--resolution", f"32:{32 + 2 * (side - 1)}:2"]


def run_sweep(
    path: Path, cells: int, *options: str, stop: Callable[[], bool] = lambda: False
) -> Run:
    """The command in a session of its own; Ctrl-C reaches it when `stop` says so."""
    command = [sys.executable, "-m", "mobilenet_profiler", "sweep", *list_axes(cells)]
    command += ["--save", str(path), "--format", "csv", "--output", os.devnull, *options]
    start, before = time.perf_counter(), count_processor()
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    peaks: dict[int, int] = {}
    stopped = False
    while process.poll() is None:
        peaks.update(read_peaks(process.pid))
        if not stopped and stop():
            os.killpg(process.pid, signal.SIGINT)
            stopped = True
        time.sleep(_LOOK)
    seconds = time.perf_counter() - start
    working = [peak for _, peak in sorted(peaks.items()) if peak > 100 * MB]  # those with torch
    return Run(process.returncode, seconds, count_processor() - before, tuple(working))


def count_processor() -> float:
    """Processor seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_peaks(session: int) -> Iterator[tuple[int, int]]:
    """Every process of a session with the most bytes that it has held (Linux)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(folder.name)
            if os.getsid(pid) == session:
                status = (folder / "status").read_text()
                yield pid, int(status.partition("VmHWM:")[2].split()[0]) * 1024
        except (OSError, IndexError):  # it has just ended
            continue


def measure(folder: Path, jobs: int, cells: int = CELLS) -> str:
    """A whole sweep."""
    path = folder / f"jobs{jobs}.jsonl"
    run = run_sweep(path, cells, "--jobs", str(jobs))
    assert run.code == 0
    return f"{cells:,} cells, {jobs} jobs: {run}; a file of {path.stat().st_size / 1e6:.1f} MB"


def interrupt(folder: Path, jobs: int, cells: int = CELLS) -> str:
    """A sweep that is interrupted at a third and goes on, beside one that was not."""
    path, whole = folder / "interrupted.jsonl", folder / f"jobs{jobs}.jsonl"
    size = whole.stat().st_size // 3
    options = ("--jobs", str(jobs))
    first = run_sweep(
        path, cells, *options, stop=lambda: path.exists() and path.stat().st_size > size
    )
    kept = path.read_bytes()
    second = run_sweep(path, cells, *options, "--resume")
    assert (first.code, second.code) == (130, 0)
    assert path.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    same = digest(path) == digest(whole)
    assert same
    lines = kept.count(b"\n") - 1
    return (
        f"interrupted after {first.seconds:.0f} s with {lines:,} cells in the file, "
        f"resumed in {second.seconds:.0f} s: the same bytes as without"
    )


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.mark.parametrize("jobs", [1, 2])
def test_ten_thousand_cells(benchmark: Any, folder: Path, jobs: int) -> None:
    print(f"\n{benchmark.pedantic(measure, (folder, jobs), rounds=1, iterations=1)}", end="")


def test_interruption(benchmark: Any, folder: Path) -> None:
    print(f"\n{benchmark.pedantic(interrupt, (folder, 2), rounds=1, iterations=1)}", end="")


def main() -> None:
    """All of it."""
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else CELLS
    with tempfile.TemporaryDirectory() as name:
        for jobs in (1, 2):
            print(measure(Path(name), jobs, cells), flush=True)
        print(interrupt(Path(name), 2, cells), flush=True)


if __name__ == "__main__":
    main()
