"""A layer is launch-bound where its kernels leave it idle for more than a launch."""

from __future__ import annotations

import pytest

from mobilenet_profiler.measured.kernels import (
    KernelTimes,
    find_launch_bound,
    is_launch_bound,
)


@pytest.mark.parametrize(
    ("wall", "kernels", "bound"),
    [
        (100_000, 20_000, True),  # idle for four fifths
        (100_000, 69_000, True),
        (100_000, 71_000, False),  # busy enough
        (9_000, 4_500, False),  # half idle, but for less than a launch and its marks
        (11_000, 4_500, True),
        (20_000, 22_000, False),  # records and marks are two clocks
        (0, 0, False),
    ],
)
def test_kernels_well_under_the_wall_time_show_it(wall: int, kernels: int, bound: bool) -> None:
    assert is_launch_bound(wall, kernels) is bound


def test_layers_with_both_times_are_judged_in_their_order() -> None:
    walls = {("b", "forward"): 50_000, ("a", "forward"): 90_000, ("c", "forward"): 90_000}
    kernels = {("a", "forward"): 10_000, ("b", "forward"): 10_000, ("c", "backward"): 1}
    assert find_launch_bound(walls, kernels) == [("b", "forward"), ("a", "forward")]


def test_the_total_is_every_layer_and_what_no_layer_launched() -> None:
    times = KernelTimes({("a", "forward"): (1, 2), ("b", "forward"): (10, 20)}, (100, 200))
    assert times.total == (111, 222)
    assert KernelTimes(reason="no kernel times").total == ()
