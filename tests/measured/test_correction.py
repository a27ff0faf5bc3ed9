"""The instruments' own cost goes off what they measured: by hand."""

from dataclasses import replace

import pytest

from mobilenet_profiler.measured.correction import (
    correct_samples,
    cost_instruments,
    find_call_costs,
)
from mobilenet_profiler.measured.profile import EmptyCosts, LayerSamples, Pass, Profile
from mobilenet_profiler.measured.rows import add_up_times, list_rest, make_timed_rows
from tests.profiles import make_profile

COSTS = EmptyCosts((10, 30, 20), (100, 100, 130), (-5.0, -15.0, -10.0), (400, 500, 450))


def make_step(layers: tuple[LayerSamples, ...]) -> Profile:
    passes = (Pass((100_000, 7_000, 200_000, 9_000), 320_000),) * 2
    training = make_profile(training=True, rounds=2)
    return replace(training, layers=layers, empty=COSTS, clean=passes, instrumented=passes)


FORWARD = LayerSamples("Conv2d_0.conv", "forward", (50_000, 60_000), calls=2, inner=3)
BACKWARD = LayerSamples("Conv2d_0.conv", "backward", (80_000, 90_000), calls=4, inner=1)


def test_calls_and_nodes_have_costs_of_their_own() -> None:
    step = make_step((FORWARD, BACKWARD))
    assert find_call_costs(step) == find_call_costs(step, "forward") == (20, 100)
    assert find_call_costs(step, "backward") == (-10, 450)
    assert correct_samples(step, FORWARD) == [50_000 - 2 * 20 - 3 * 100, 60_000 - 340]
    assert correct_samples(step, BACKWARD) == [80_000 + 4 * 10 - 450, 90_000 - 410]


def test_a_pass_costs_what_its_calls_and_nodes_cost() -> None:
    step = make_step((FORWARD, BACKWARD))
    assert cost_instruments(step, "forward") == 2 * 120
    assert cost_instruments(step, "backward") == 4 * 440
    assert cost_instruments(step) == add_up_times(step).instruments.value == 2 * 120 + 4 * 440
    assert cost_instruments(step, "optimizer") == 0


def test_layers_and_the_rest_are_a_step_less_its_instruments() -> None:
    step = make_step((FORWARD, BACKWARD))
    rows = [row for row in make_timed_rows(step, every=True) if row.samples]
    rest = list_rest(step)
    for index, taken in enumerate(step.instrumented):
        parts = sum(row.samples[index] for row in (*rows, *rest))
        assert parts == pytest.approx(taken.time - cost_instruments(step))
    between = next(row for row in rest if "backward" in row.phases)
    assert between.phases["backward"][0] == 200_000 - 4 * 440 - (80_000 - 410)


def test_a_time_does_not_fall_below_nothing() -> None:
    short = replace(FORWARD, samples=(5, 1_000))
    assert correct_samples(make_step((short,)), short) == [0.0, 660.0]


def test_where_nothing_was_measured_nothing_goes_off() -> None:
    step = replace(make_step((FORWARD, BACKWARD)), empty=EmptyCosts())
    assert cost_instruments(step) == 0
    assert correct_samples(step, BACKWARD) == [80_000, 90_000]
