"""Passes that take ever longer are said; those that merely vary are not."""

from __future__ import annotations

import random

import pytest

from mobilenet_profiler.measured.remarks import list_remarks
from tests.measured.building import build_profile

US = 1_000


def find_trend(clean: list[int]) -> list[str]:
    remarks = list_remarks(build_profile(clean=[US * time for time in clean]))
    return [remark for remark in remarks if remark.startswith("the last quarter")]


def test_passes_that_take_ever_longer_are_no_samples_of_one_thing() -> None:
    (remark,) = find_trend(list(range(200, 320, 10)))
    assert remark == (
        "the last quarter of the passes took 1.4 times as long as the first: the machine slows "
        "down, or the network keeps something from pass to pass"
    )


@pytest.mark.parametrize(
    ("clean", "said"),
    [
        ([100] * 9 + [111, 112, 150], True),
        ([100] * 9 + [110, 112, 150], False),  # a tenth is no more than a tenth
        ([100] * 9 + [150, 150, 100], False),  # one late pass is as fast as ever
        ([100, 150, 100] + [100] * 6 + [150] * 3, False),  # one early pass is as slow
        ([100] * 8 + [150] * 3, False),  # quarters of two passes say nothing
        ([150] * 3 + [100] * 9, False),  # faster is a warm-up
    ],
)
def test_every_late_pass_must_be_slower_than_every_early_one(clean: list[int], said: bool) -> None:
    assert bool(find_trend(clean)) is said


def test_passes_that_only_vary_show_no_trend() -> None:
    chance = random.Random(3)
    assert not any(find_trend([chance.randint(90, 160) for _ in range(40)]) for _ in range(50))
