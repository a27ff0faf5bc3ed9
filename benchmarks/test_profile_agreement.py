"""Whether the latency of a profile is that of `torch.utils.benchmark`, in turns in one run.

    python -m pytest benchmarks/test_profile_agreement.py --benchmark-only -s
    python -m benchmarks.test_profile_agreement
    python -m benchmarks.test_profile_agreement --device cuda
    python -m benchmarks.test_profile_agreement --quick     # few samples: wide intervals

Both time the same network in this process with the same threads: a few passes by
`Timer.timeit(1)`, which runs two before each that it times, then a short profile, whose
clean passes count; every other turn the other way round. Prints both medians with the
intervals that this package takes of samples, whether they overlap, and the ratio of the two
medians of a turn: its median over the turns with its interval, and whether that holds 1.
Nothing is asserted, since machines are noisy.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from benchmarks.timed_networks import LABELS, NETWORKS, Network, describe_estimate, read_arguments
from mobilenet_profiler.measured.statistics import Estimate, estimate_median
from mobilenet_profiler.timing.profiler import profile

SECONDS, QUICK_SECONDS = 50.0, 4.0  # a network
FEWEST = 6  # turns: the fewest whose extremes hold the median with 95 per cent
SAMPLES = 5  # of each in a turn
STATEMENT = "with torch.no_grad():\n    module(image)"


@dataclass
class Agreement:
    """Seconds of passes by both, a list a turn."""

    label: str
    ours: list[list[float]] = field(default_factory=list)
    theirs: list[list[float]] = field(default_factory=list)

    @property
    def ratio(self) -> Estimate:
        """Our median over theirs in the same turn."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return estimate_median([statistics.median(a) / statistics.median(b) for a, b in pairs])

    def __str__(self) -> str:
        ours, theirs = (estimate_median([*chain(*turns)]) for turns in (self.ours, self.theirs))
        overlap = ours.low <= theirs.high and theirs.low <= ours.high
        agree = self.ratio.low <= 1 <= self.ratio.high
        return (
            f"{self.label}: profile {describe_estimate(ours, 1e3, ' ms')}, "
            f"Timer {describe_estimate(theirs, 1e3, ' ms')}, {ours.count} passes each: "
            f"the intervals {'overlap' if overlap else 'do not overlap'}; "
            f"ratio {describe_estimate(self.ratio)}, {'with' if agree else 'without'} 1 in it"
        )


def time_by_timer(timer: Timer) -> list[float]:
    """Seconds of single passes by PyTorch's timer."""
    return [timer.timeit(1).raw_times[0] for _ in range(SAMPLES)]


def time_by_profile(module: nn.Module, image: Tensor, device: str) -> list[float]:
    """Seconds of the clean passes of a short profile."""
    found = profile(module, image, iterations=2 * SAMPLES, warmup=2, device=device)
    return [sample.wall / 1e9 for sample in found.clean]


def measure_agreement(network: Network, quick: bool = False, device: str = "cpu") -> Agreement:
    """Both in turns for a while."""
    module, image = network.build(device)
    names = {"module": module, "image": image, "torch": torch}
    timer = Timer(STATEMENT, globals=names, num_threads=torch.get_num_threads())
    agreement = Agreement(network.label)
    sides: list[tuple[list[list[float]], Callable[[], list[float]]]] = [
        (agreement.theirs, lambda: time_by_timer(timer)),
        (agreement.ours, lambda: time_by_profile(module, image, device)),
    ]
    for _, measure in sides:
        measure()  # the first of each does not count
    start = time.perf_counter()
    while len(agreement.ours) < FEWEST or time.perf_counter() - start < (
        QUICK_SECONDS if quick else SECONDS
    ):
        for samples, measure in sides if len(agreement.ours) % 2 else sides[::-1]:
            samples.append(measure())
    return agreement


@pytest.mark.parametrize("label", LABELS)
def test_agreement(benchmark: Any, label: str) -> None:
    print(f"\n{benchmark.pedantic(measure_agreement, (LABELS[label],), rounds=1)}", end="")


def main() -> None:
    """Every network."""
    arguments = read_arguments(__doc__)
    for network in NETWORKS:
        print(measure_agreement(network, arguments.quick, arguments.device), flush=True)


if __name__ == "__main__":
    main()
