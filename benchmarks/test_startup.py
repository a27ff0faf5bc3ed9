"""What the command line costs beside `import torch`, in one interleaved run.

    python -m pytest benchmarks/test_startup.py --benchmark-only -s

Prints the median of the ratios; nothing is asserted, since machines are noisy.
"""

import statistics
import subprocess
import sys
import time
from typing import Any

ROUNDS = 15
IMPORT = [sys.executable, "-c", "import torch"]
COMMANDS = {
    "table": [sys.executable, "-m", "mobilenet_profiler", "table"],
    "--help": [sys.executable, "-m", "mobilenet_profiler", "--help"],
    "models": [sys.executable, "-m", "mobilenet_profiler", "models"],
}


def time_once(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure_ratios() -> dict[str, float]:
    """Wall time of each command over that of `import torch`, taken in turns."""
    ratios: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        base = time_once(IMPORT)
        for name, command in COMMANDS.items():
            ratios[name].append(time_once(command) / base)
    return {name: statistics.median(values) for name, values in ratios.items()}


def test_startup(benchmark: Any) -> None:
    ratios = benchmark.pedantic(measure_ratios, rounds=1, iterations=1)
    for name, ratio in ratios.items():
        print(f"\nmobilenet-profiler {name}: {ratio:.2f} times `import torch`", end="")
