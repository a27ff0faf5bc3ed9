"""How much faster a trace is than PyTorch's own counter, on the same meta model in one run.

    python -m pytest benchmarks/test_speed.py --benchmark-only -s
    python -m benchmarks.test_speed

`torch.utils.flop_counter.FlopCounterMode` counts one forward pass without gradients;
`mobilenet_profiler.trace` counts it, with its layers, and gives the model back. Both in
turns: warm, in this process; and as the first of a fresh process that has torch and the
network, where each brings its own imports. torchvision's import brings most of what
PyTorch's counter imports at its first count, so MobileNet V2 is also taken without it.
Both work on one core and wait for nothing, so processor time is taken, which other
processes disturb least. Prints the median of the ratios, the smallest and the largest;
nothing is asserted, since machines are noisy.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from tests.networks import MobileNetV2
from tests.torchvision_stub import define_operators

ROUNDS, REPEATS, FRESH_ROUNDS = 15, 3, 11
SHAPE = (1, 3, 224, 224)
GOALS = {"mobilenet_v1": 15, "mobilenet_v2": 15, "resnet50": 8, "vit_b_16": 6, "swin_t": 6}
FRESH_GOALS = {"mobilenet_v1": 4, "plain mobilenet_v2": 4, "mobilenet_v2": 4}
NEED_NOTHING = ("mobilenet_v1", "plain mobilenet_v2")
COUNTERS = ("flop_counter", "trace")


@dataclass(frozen=True)
class Ratio:
    """Times of PyTorch's counter over ours, taken in turns."""

    name: str
    goal: int
    values: list[float]
    ours: float
    theirs: float

    def __str__(self) -> str:
        middle, low, high = statistics.median(self.values), min(self.values), max(self.values)
        times = f"{self.theirs * 1e3:.1f} ms against {self.ours * 1e3:.1f} ms"
        return (
            f"{self.name}: {middle:.1f} times ({low:.1f} to {high:.1f}), {times}, goal {self.goal}"
        )


def build_network(name: str) -> nn.Module:
    """MobileNet V1 of the zoo, V2 of the tests, the others of torchvision, on meta to evaluate."""
    with torch.device("meta"):
        if name == "mobilenet_v1":
            from mobilenet_profiler.zoo.mobilenet_v1 import MobileNetV1

            return MobileNetV1().eval()
        if name == "plain mobilenet_v2":
            return MobileNetV2().eval()
        define_operators()
        from torchvision import models

        network: nn.Module = models.get_model(name, weights=None).eval()
    return network


def count_with_flop_counter(network: nn.Module) -> int:
    """MACs as a user of PyTorch's counter takes them."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(SHAPE, device="meta"))
    return int(counter.get_total_flops()) // 2


def count_with_trace(network: nn.Module) -> int:
    """MACs as a user of this package takes them."""
    import mobilenet_profiler as mp

    return mp.trace(network, SHAPE).total.macs


def time_counts(count: Callable[[nn.Module], int], network: nn.Module, repeats: int = 1) -> float:
    """Processor seconds of a count, the least of a few in a row."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        count(network)
        times.append(time.process_time() - start)
    return min(times)


def measure_warm(name: str) -> Ratio:
    """Ratios in this process, a few counts of one kind and as many of the other in turn."""
    network = build_network(name)
    theirs, ours = [], []
    assert count_with_flop_counter(network) == count_with_trace(network)
    for _ in range(ROUNDS):
        theirs.append(time_counts(count_with_flop_counter, network, REPEATS))
        ours.append(time_counts(count_with_trace, network, REPEATS))
    return _make_ratio(name, GOALS[name], theirs, ours)


def measure_fresh(name: str) -> Ratio:
    """Ratios of the first count in a process, both from bytecode, as what pip installs is."""
    times: dict[str, list[float]] = {counter: [] for counter in COUNTERS}
    for turn in range(1 + FRESH_ROUNDS):
        for counter in COUNTERS:
            seconds = _time_fresh(counter, name)
            if turn:
                times[counter].append(seconds)
    return _make_ratio(f"{name}, first of a process", FRESH_GOALS[name], *times.values())


def _time_fresh(counter: str, name: str) -> float:
    command = [sys.executable, "-m", "benchmarks.test_speed", counter, name]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(found.stdout)


def _make_ratio(name: str, goal: int, theirs: list[float], ours: list[float]) -> Ratio:
    ratios = [left / right for left, right in zip(theirs, ours, strict=True)]
    return Ratio(name, goal, ratios, statistics.median(ours), statistics.median(theirs))


@pytest.mark.parametrize("name", GOALS)
def test_warm(benchmark: Any, name: str) -> None:
    if name not in NEED_NOTHING and not define_operators():
        pytest.skip("torchvision is not installed")
    print(f"\n{benchmark.pedantic(measure_warm, (name,), rounds=1, iterations=1)}", end="")


@pytest.mark.parametrize("name", FRESH_GOALS)
def test_fresh(benchmark: Any, name: str) -> None:
    if name not in NEED_NOTHING and not define_operators():
        pytest.skip("torchvision is not installed")
    print(f"\n{benchmark.pedantic(measure_fresh, (name,), rounds=1, iterations=1)}", end="")


def measure_all() -> Iterator[Ratio | str]:
    """Every ratio, or why there is none."""
    missing = not define_operators()
    for measure, goals in ((measure_warm, GOALS), (measure_fresh, FRESH_GOALS)):
        for name in goals:
            skipped = missing and name not in NEED_NOTHING
            yield f"{name}: torchvision is not installed" if skipped else measure(name)


def main() -> None:
    """All of it; with the name of a counter and a network, the seconds of one first count."""
    if len(sys.argv) == 3:
        count = {"flop_counter": count_with_flop_counter, "trace": count_with_trace}[sys.argv[1]]
        print(time_counts(count, build_network(sys.argv[2])))
        return
    for ratio in measure_all():
        print(ratio, flush=True)


if __name__ == "__main__":
    main()
