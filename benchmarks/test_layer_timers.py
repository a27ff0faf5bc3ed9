"""The ways to time layers beside each other; see `layer_timers`.

python -m pytest benchmarks/test_layer_timers.py --benchmark-only -s
"""

from typing import Any

import pytest

from benchmarks.layer_timers import choose_threads, measure_timers, write_table
from benchmarks.timed_networks import LABELS


@pytest.mark.parametrize("threads", choose_threads("cpu"))
@pytest.mark.parametrize("label", LABELS)
def test_layer_timers(benchmark: Any, label: str, threads: int) -> None:
    result = benchmark.pedantic(measure_timers, (LABELS[label], threads), rounds=1)
    print(f"\n{write_table([result])}", end="")
