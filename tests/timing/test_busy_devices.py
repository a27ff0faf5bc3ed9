"""A device that waits for its host and one that is busy: layers are exact on both."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import nn

from mobilenet_profiler.measured.correction import correct_samples
from mobilenet_profiler.measured.profile import TRAINING, Profile
from mobilenet_profiler.measured.rows import add_up_times, list_rest
from mobilenet_profiler.timing.gathering import gather_layers
from mobilenet_profiler.timing.measuring import CLEAN, INSTRUMENTED, StopRule, Subject, measure
from mobilenet_profiler.timing.records import join_kernels
from tests.measured.building import build_profile
from tests.timing.fakes import FakeCudaClock
from tests.timing.test_backward import Works
from tests.timing.test_instruments import Work
from tests.timing.test_measuring import Fake
from tests.timing.test_training import make_step

MARK, EVENT = 3_000, 700  # what a mark costs the host, and the device
LAUNCH = 9_000
LONG = {"0": 80_000, "1": 30_000, "2": 70_000}  # far longer than a launch
SHORT = {"0": 1_000, "1": 1_400, "2": 500}  # done, backward too, before the host's next mark is


def make_clock() -> FakeCudaClock:
    return FakeCudaClock(launch_cost=LAUNCH, mark_cost=MARK, event_cost=EVENT)


def measure_profile(
    subject: Subject, clock: FakeCudaClock, kernels: dict[tuple[str, str], int]
) -> Profile:
    """What was measured of a subject, with records of its kernels where there are any."""
    (recording,) = measure([subject], clock, StopRule(iterations=6), warmup=1)
    known = {key: (time,) * 5 for key, time in kernels.items()}
    return replace(
        build_profile(),
        phases=TRAINING if len(recording.passes[CLEAN][0].phases) > 1 else ("forward",),
        clean=tuple(recording.passes[CLEAN]),
        instrumented=tuple(recording.passes[INSTRUMENTED]),
        layers=join_kernels(gather_layers(recording, {}), known),
        empty=recording.empty,
    )


def measure_forward(durations: dict[str, int], first: int, records: bool = True) -> Profile:
    """Layers of known durations after an operation that lies between layers."""
    clock = make_clock()
    subject = Fake(clock)
    subject.network = Work(clock, first, *(Work(clock, time) for time in durations.values()))
    known = {(path, "forward"): time for path, time in durations.items()} if records else {}
    return measure_profile(subject, clock, known)


def list_times(profile: Profile) -> dict[tuple[str, str], set[float]]:
    return {(own.path, own.phase): {*correct_samples(profile, own)} for own in profile.layers}


@pytest.mark.parametrize("records", [True, False])
def test_layers_that_keep_a_device_busy_lose_what_marks_cost_the_device(records: bool) -> None:
    made = measure_forward(LONG, 500_000, records)
    assert {sample for own in made.layers[:1] for sample in own.samples} == {80_000 + EVENT}
    assert list_times(made) == {(path, "forward"): {time} for path, time in LONG.items()}
    assert add_up_times(made).closing.value == 0


def test_layers_that_wait_for_their_launches_lose_what_marks_cost_the_host() -> None:
    made = measure_forward(SHORT, 1_000)
    assert {sample for own in made.layers for sample in own.samples} == {LAUNCH + MARK}
    assert list_times(made) == {(path, "forward"): {LAUNCH} for path in SHORT}
    assert add_up_times(made).closing.value == 0
    assert {own for row in list_rest(made) for own in row.samples} == {1_000 + LAUNCH + MARK}


def test_without_records_a_device_is_taken_to_be_busy() -> None:
    made = measure_forward(SHORT, 1_000, records=False)
    assert list_times(made) == {(path, "forward"): {LAUNCH + MARK - EVENT} for path in SHORT}


@pytest.mark.parametrize(("durations", "first"), [(LONG, 500_000), (SHORT, 1_000)])
def test_nodes_of_a_backward_pass_are_exact_on_both(durations: dict[str, int], first: int) -> None:
    clock, busy = make_clock(), durations is LONG
    network = nn.Sequential(OrderedDict(linear=nn.Linear(2, 2), first=Works(clock, first, 1_000)))
    for path, time in durations.items():
        network.add_module(path, Works(clock, time, 2 * time))
    subject = make_step(network, torch.rand(2, 2), timed=tuple(durations))
    known = {
        (path, phase): factor * time
        for path, time in durations.items()
        for phase, factor in (("forward", 1), ("backward", 2))
    }
    made = measure_profile(subject, clock, known)
    assert list_times(made) == {key: {time if busy else LAUNCH} for key, time in known.items()}
    assert add_up_times(made).closing.value == 0
