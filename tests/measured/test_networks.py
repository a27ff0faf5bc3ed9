"""Several networks side by side: what each line says, by hand."""

from __future__ import annotations

from typing import Any

import mobilenet_profiler as mp
from mobilenet_profiler.measured.networks import list_grid, list_latencies, list_shares
from mobilenet_profiler.measured.profile import Profile
from tests.measured.building import build_profile


def time_network(nanoseconds: int, **options: Any) -> Profile:
    trace = mp.trace("mobilenet_v1", global_pool=True, **options)
    return build_profile(trace, clean=(nanoseconds,) * 9)


def test_a_grid_has_alpha_downwards_and_resolution_across() -> None:
    profiles = [
        time_network(4_000_000, alpha=0.25, resolution=64),
        time_network(9_000_000, alpha=0.5, resolution=64),
        time_network(2_500_000, alpha=0.25, resolution=32),
    ]
    assert list_grid(profiles) == [
        ("alpha", "64", "32"),
        ("0.5", "9.000 ± 0", "-"),
        ("0.25", "4.000 ± 0", "2.500 ± 0"),
    ]


def test_a_line_a_network_has_its_cost_and_its_latency() -> None:
    profiles = [time_network(4_000_000, alpha=0.25), time_network(8_000_000, alpha=0.5)]
    heading, first, second = list_latencies(profiles)
    assert heading[:4] == ("network", "MACs", "params", "latency ms")
    # 41,030,200 MACs in 4 ms, 149,494,400 in 8 ms.
    assert (first[1], first[3], second[1]) == ("41.03M", "4.000", "149.50M")
    assert len({len(line) for line in (heading, first, second)}) == 1


def test_families_have_their_share_of_the_macs() -> None:
    (heading, line) = list_shares([time_network(4_000_000, alpha=0.25, resolution=128)])
    shares = dict(zip(heading, line, strict=True))
    macs = [float(shares[f"{name} MACs %"]) for name in ("pointwise", "depthwise", "full")]
    assert macs == [81.13, 10.46, 6.52]
