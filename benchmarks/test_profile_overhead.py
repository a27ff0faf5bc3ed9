"""What a profile of N iterations takes beside N plain forward passes, in turns in one run.

    python -m pytest benchmarks/test_profile_overhead.py --benchmark-only -s
    python -m benchmarks.test_profile_overhead
    python -m benchmarks.test_profile_overhead --device cuda
    python -m benchmarks.test_profile_overhead --quick     # few iterations: no figure to keep

A profile is timed whole, from the name of the network on: it is built, traced, warmed up
and measured, half of the passes with instruments. The plain passes run without gradients on a
network that is built and warm. The goal: no more than 1.2 times the plain passes and a
second. Prints both, and (profile - 1 s) / plain: the medians of the turns, the ratios'
smallest and largest; nothing is asserted, since machines are noisy.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.timed_networks import LABELS, NETWORKS, Network, make_pass, read_arguments
from mobilenet_profiler.timing.profiler import profile

TURNS, GOAL, ALLOWANCE = 5, 1.2, 1.0
QUICK_TURNS, QUICK_PART = 2, 10


@dataclass(frozen=True)
class Overhead:
    """Seconds of profiles and of as many plain passes, a pair a turn."""

    label: str
    iterations: int
    profiles: list[float]
    plain: list[float]

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.profiles, self.plain, strict=True)
        return [(taken - ALLOWANCE) / plain for taken, plain in pairs]

    def __str__(self) -> str:
        ours, plain = statistics.median(self.profiles), statistics.median(self.plain)
        middle, low, high = statistics.median(self.ratios), min(self.ratios), max(self.ratios)
        return (
            f"{self.label}, {self.iterations} iterations: profile {ours:.2f} s, "
            f"plain {plain:.2f} s, (profile - {ALLOWANCE:.0f} s) / plain "
            f"{middle:.2f} ({low:.2f} to {high:.2f}), goal {GOAL}"
        )


def time_call(call: Callable[[], Any]) -> float:
    """Seconds of the wall clock."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure_overhead(network: Network, quick: bool = False, device: str = "cpu") -> Overhead:
    """Profiles and plain passes in turns, every other turn the other way round."""
    count = network.iterations // (QUICK_PART if quick else 1)
    run = make_pass(network, device)
    measured: tuple[Callable[[], Any], Callable[[], Any]] = (
        lambda: profile(network.spec, iterations=count, device=device),
        lambda: [run() for _ in range(count)],
    )
    profiles, plain = list[float](), list[float]()
    for turn in range(QUICK_TURNS if quick else TURNS):
        order = (0, 1) if turn % 2 == 0 else (1, 0)
        taken = {index: time_call(measured[index]) for index in order}
        profiles.append(taken[0])
        plain.append(taken[1])
    return Overhead(network.label, count, profiles, plain)


@pytest.mark.parametrize("label", LABELS)
def test_overhead(benchmark: Any, label: str) -> None:
    print(f"\n{benchmark.pedantic(measure_overhead, (LABELS[label],), rounds=1)}", end="")


def main() -> None:
    """Every network."""
    arguments = read_arguments(__doc__)
    for network in NETWORKS:
        print(measure_overhead(network, arguments.quick, arguments.device), flush=True)


if __name__ == "__main__":
    main()
