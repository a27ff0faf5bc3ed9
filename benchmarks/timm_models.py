"""Every architecture of timm, traced with its default input.

    python -m benchmarks.timm_models --jobs 2
    python -m benchmarks.timm_models --models 'vit_*'
    python -m benchmarks.timm_models --beside     # PyTorch's counter on meta, too

Prints how many trace without error, which operations are unknown in how many of them,
how many needed values, and the time. `--beside` names the networks where PyTorch's
counter, halved, gives another number.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from multiprocessing import get_context
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import mobilenet_profiler as mp
from benchmarks.counters import silence
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.inputs import make_inputs
from tests.torchvision_stub import define_operators


@dataclass(frozen=True)
class Row:
    """What a trace of one architecture gives, or the line that says why it gives nothing."""

    name: str
    macs: int = 0
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""
    beside: int | str | None = None


def import_timm() -> Any:
    """`timm`, also beside a CPU build of torch."""
    define_operators()
    import timm

    return timm


def trace_architecture(name: str, beside: bool) -> Row:
    """One architecture of timm, built on meta and traced."""
    import_timm()
    try:
        with silence():
            found = mp.trace(f"timm/{name}")
    except Exception as error:
        return Row(name, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
    unknown = tuple(sorted({f"{item.name} at {item.site}" for item in found.uncounted}))
    other = count_beside(name) if beside else None
    return Row(name, found.total.macs, unknown, found.notes, beside=other)


def count_beside(name: str) -> int | str:
    """PyTorch's counter on the same meta model, or how it fails.

    Parameters are frozen: it cannot follow one that is passed from module to module.
    """
    spec = mp.make_spec(f"timm/{name}")
    try:
        with silence():
            model = build_model(spec).requires_grad_(False)
            inputs = make_inputs(model, spec).without_values()
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                model(*inputs.args, **inputs.kwargs)
        return int(counter.get_total_flops()) // 2
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"


def trace_all(names: Sequence[str], jobs: int, beside: bool) -> list[Row]:
    """Every architecture, in `jobs` processes."""
    work = partial(trace_architecture, beside=beside)
    if jobs == 1:
        return list(map(work, names))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, names, chunksize=8))


def show(rows: Sequence[Row]) -> None:
    """How many traced, and by name what failed, is unknown or needed values."""
    traced = [row for row in rows if not row.error]
    print(f"{len(traced)} of {len(rows)} architectures trace without error")
    print(f"{sum(bool(row.unknown) for row in traced)} have unknown operations")
    for name, number in Counter(item for row in traced for item in row.unknown).most_common():
        print(f"  {name}: in {number}")
    print(f"{sum(bool(row.notes) for row in traced)} come with a note")
    for row in traced:
        for note in row.notes:
            print(f"  {row.name}: {note}")
    for row in rows:
        if row.error:
            print(f"failed: {row.name}: {row.error}")


def show_beside(rows: Sequence[Row]) -> None:
    """Where PyTorch's counter gives another number."""
    differ = [row for row in rows if row.beside != row.macs]
    print(f"torch's flop_counter on meta, halved, is equal for {len(rows) - len(differ)}")
    for row in differ:
        print(f"  {row.name}: ours {row.macs}, flop_counter {row.beside}")


def main() -> None:
    """Trace and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default="*", help="pattern of names")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--beside", action="store_true", help="count with flop_counter too")
    arguments = parser.parse_args()
    names = [name for name in import_timm().list_models() if fnmatch(name, arguments.models)]
    start = time.perf_counter()
    rows = trace_all(names, arguments.jobs, arguments.beside)
    show(rows)
    if arguments.beside:
        show_beside(rows)
    print(f"{time.perf_counter() - start:.0f} s, {arguments.jobs} at a time")


if __name__ == "__main__":
    main()
