"""What a trace takes at scale: calls, seconds and memory, each in a process of its own.

    python -m tests.scale decoder
    python -m tests.scale variants 300 1000

Prints JSON. Memory is that of the process alone, as Linux tells it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.trace import memory
from tests.networks import Decoder

STATUS = Path("/proc/self/status")
TOKENS = 4096


def run_alone(name: str, *arguments: object) -> Any:
    """One of the measurements below in a fresh process."""
    command = [sys.executable, "-m", "tests.scale", name, *map(str, arguments)]
    root = Path(__file__).parents[1]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    return json.loads(found.stdout)


def read_memory(field: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at most so far."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measure_decoder() -> dict[str, float]:
    """The 70-billion-parameter decoder, built and traced."""
    start = time.perf_counter()
    with torch.device("meta"):
        decoder = Decoder()
    trace = mp.trace(decoder, f"1x{TOKENS}:int64")
    return {
        "seconds": time.perf_counter() - start,
        "peak": read_memory("VmHWM"),
        "params": trace.total.params,
        "macs": trace.total.macs,
        "unknown": len(trace.uncounted),
        "operations": len(trace.ops),
    }


def measure_variants(early: str, late: str) -> dict[str, list[int]]:
    """Memory after the first `early` and after `late` variants of MobileNet V1, all different."""
    resident = []
    for index in range(int(late)):
        trace_variant(index)
        if index + 1 in (int(early), int(late)):
            resident.append(read_memory("VmRSS"))
    return {"resident": resident}


def measure_objects(early: str, late: str) -> dict[str, list[int]]:
    """Bytes of Python's objects after the first `early` and after `late` variants.

    Fewer uses are remembered than otherwise, so that few variants fill the memory.
    """
    memory.LIMIT = 512
    tracemalloc.start()
    allocated = []
    for index in range(int(late)):
        trace_variant(index)
        if index + 1 in (int(early), int(late)):
            allocated.append(tracemalloc.get_traced_memory()[0])
    return {"allocated": allocated}


def trace_variant(index: int) -> None:
    """One of a thousand widths, at one of five sizes."""
    mp.trace("mobilenet_v1", alpha=0.25 + index / 1000, resolution=96 + 32 * (index % 5))


def count_calls(network: nn.Module, width: int = 8) -> int:
    """Calls of functions, Python's and C's, that a trace makes; the same every time."""
    calls = 0

    def notice(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(notice)
    try:
        mp.trace(network, (1, width))
    finally:
        sys.setprofile(None)
    return calls


MEASURES: dict[str, Callable[..., Any]] = {
    "decoder": measure_decoder,
    "variants": measure_variants,
    "objects": measure_objects,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
