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


# On a GPU: 20 and 110 ns a call where it waits for its host, 2 and 3 where it is busy.
GPU = EmptyCosts((20,), (110,), busy_inside=(2,), busy_outside=(3,))
HOLDER = LayerSamples("0", "forward", (90_000,) * 2, calls=1, inner=2, kernels=(10_000,) * 5)
WAITS = LayerSamples("0.0", "forward", (50_000,) * 2, calls=1, kernels=(10_000,) * 5)
BUSY = LayerSamples("0.1", "forward", (60_000,) * 2, calls=1, kernels=(59_000,) * 5)
OUTER = LayerSamples("1", "forward", (700_000,) * 2, calls=1, kernels=(690_000,) * 5)


def make_pass(*layers: LayerSamples, whole: int = 1_000_000) -> Profile:
    passes = (Pass((whole,), whole),) * 2
    inference = make_profile(rounds=2)
    return replace(inference, layers=layers, empty=GPU, clean=passes, instrumented=passes)


def test_each_layer_loses_what_marks_cost_a_device_that_waits_or_one_that_is_busy() -> None:
    made = make_pass(HOLDER, WAITS, BUSY, OUTER)
    assert correct_samples(made, WAITS) == [50_000 - 20] * 2
    assert correct_samples(made, BUSY) == [60_000 - 2] * 2
    # What calls inside cost outside their marks is a part of the layer that holds them.
    assert correct_samples(made, HOLDER) == [90_000 - 20 - 2 * 110] * 2


def test_between_layers_a_device_waits_if_it_does_in_all_of_them_together() -> None:
    busy = make_pass(HOLDER, WAITS, BUSY, OUTER)  # for 769 of 900 us
    assert cost_instruments(busy) == (20 + 2 * 110) + 20 + 2 + 2 + 2 * 3
    waiting = make_pass(HOLDER, WAITS, BUSY)  # for 79 of 200 us
    assert cost_instruments(waiting) == (20 + 2 * 110) + 20 + 2 + 1 * 110


@pytest.mark.parametrize("layers", [(HOLDER, WAITS, BUSY, OUTER), (HOLDER, WAITS, BUSY)])
def test_whichever_costs_go_off_the_parts_are_the_pass(layers: tuple[LayerSamples, ...]) -> None:
    made = make_pass(*layers)
    own = sum(correct_samples(made, layer)[0] for layer in layers)
    (rest,) = list_rest(made)
    assert own + rest.samples[0] + cost_instruments(made) == 1_000_000


def test_without_kernel_records_a_gpu_is_taken_to_be_busy() -> None:
    made = make_pass(replace(WAITS, kernels=()))
    assert correct_samples(made, made.layers[0]) == [50_000 - 2] * 2
    assert cost_instruments(made) == 2 + 3


def test_kernels_beside_one_cost_change_nothing() -> None:
    made = replace(make_pass(WAITS, OUTER), empty=EmptyCosts((20,), (110,)))
    assert [correct_samples(made, layer)[0] for layer in made.layers] == [49_980, 699_980]


def test_where_nothing_was_measured_nothing_goes_off() -> None:
    step = replace(make_step((FORWARD, BACKWARD)), empty=EmptyCosts())
    assert cost_instruments(step) == 0
    assert correct_samples(step, BACKWARD) == [80_000, 90_000]
