"""How time grows with the number of operations, and what large and many networks take.

    python -m pytest benchmarks/test_scale.py --benchmark-only -s
    python -m benchmarks.test_scale

Prints processor time of a chain of layers against one twice as long, taken in turns;
seconds and peak memory of a 70-billion-parameter decoder; and the memory of a process
after 300 and after 1,000 variants of MobileNet V1. Nothing is asserted here;
tests/test_scale.py holds the bounds.
"""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
from torch import nn

import mobilenet_profiler as mp
from tests.networks import make_chain
from tests.scale import run_alone

LENGTH, ROUNDS, START, WIDTHS = 10_000, 5, 8, {"alike": 0, "different": 1}
MB = 1 << 20


def time_trace(network: nn.Module) -> float:
    """Processor seconds of a trace, no garbage of the one before in it."""
    gc.collect()
    start = time.process_time()
    mp.trace(network, (1, START))
    return time.process_time() - start


def measure_growth(kind: str) -> str:
    """The least time of a chain and of one twice as long, taken in turns.

    Layers that differ are more than are remembered, so that none is met again.
    """
    chains = [make_chain(length, START, WIDTHS[kind]) for length in (LENGTH, 2 * LENGTH)]
    times = [[time_trace(chain) for chain in chains] for _ in range(ROUNDS)]
    short, long = map(min, zip(*times, strict=True))
    each = f"{short / LENGTH * 1e6:.0f} and {long / LENGTH / 2 * 1e6:.0f} us a layer"
    return f"{LENGTH:,} and {2 * LENGTH:,} layers, {kind}: {long / short:.2f} times, {each}"


def measure_decoder() -> str:
    """The decoder of 70 billion parameters and 4,096 tokens, in a process of its own."""
    found = run_alone("decoder")
    size = f"{found['params'] / 1e9:.2f} G params, {found['macs'] / 1e12:.1f} T MACs"
    taken = f"{found['seconds']:.2f} s to build and trace, {found['peak'] / MB:.0f} MB at most"
    return f"decoder: {size}, {found['operations']} operations: {taken}"


def measure_variants() -> str:
    """Memory after many variants, in a process of its own."""
    early, late = run_alone("variants", 300, 1_000)["resident"]
    return f"variants: {early / MB:.0f} MB after 300, {late / MB:.0f} MB after 1,000"


@pytest.mark.parametrize("kind", WIDTHS)
def test_growth(benchmark: Any, kind: str) -> None:
    print(f"\n{benchmark.pedantic(measure_growth, (kind,), rounds=1, iterations=1)}", end="")


@pytest.mark.parametrize("measure", [measure_decoder, measure_variants])
def test_memory(benchmark: Any, measure: Any) -> None:
    print(f"\n{benchmark.pedantic(measure, rounds=1, iterations=1)}", end="")


def main() -> None:
    """All of it."""
    for kind in WIDTHS:
        print(measure_growth(kind), flush=True)
    print(measure_decoder(), flush=True)
    print(measure_variants(), flush=True)


if __name__ == "__main__":
    main()
