"""The measuring loop, to the nanosecond, on clocks that tell what they are told."""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.statistics import find_median, find_outliers
from mobilenet_profiler.timing.instruments import Instruments, Watch, measure_both, measure_empty
from mobilenet_profiler.timing.measuring import (
    CLEAN,
    INSTRUMENTED,
    KEPT,
    LONGEST_ROW,
    LONGEST_WARMUP,
    Recording,
    StopRule,
    has_settled,
    measure,
)
from mobilenet_profiler.trace.modules import Structure
from tests.timing.fakes import FakeCpuClock, FakeCudaClock, drift_by
from tests.timing.test_instruments import Work

DURATIONS = (100_000, 30_000, 70_000)


class Fake:
    """A network of layers of known durations, with 1,000 ns of code before each pass."""

    kinds: tuple[str, ...] = (CLEAN, INSTRUMENTED)

    def __init__(self, clock: Any, durations: tuple[int, ...] = DURATIONS, name: str = "") -> None:
        self.clock, self.name = clock, name
        self.network: nn.Module = nn.Sequential(*(Work(clock, duration) for duration in durations))
        self.paths = [str(index) for index in range(len(durations))]
        self.ran: list[str] = []

    def run(self, kind: str, watch: Watch) -> None:
        self.ran.append(kind)
        self.clock.think(1_000)
        self.network(None)
        watch.end("forward")

    def reset(self) -> None:
        self.resets = getattr(self, "resets", 0) + 1

    def make_instruments(self, clock: Any) -> Instruments:
        return Instruments(clock, Structure(self.network), self.paths)

    def measure_empty(self, clock: Any) -> dict[str, float]:
        return measure_both(clock, partial(measure_empty, clock))


def close(recording: Recording, layers: int) -> list[float]:
    """By how much corrected passes miss the clean ones of their rounds."""
    empty = recording.empty
    cost = layers * (find_median(empty.inside) + find_median(empty.outside))
    pairs = zip(recording.passes[CLEAN], recording.passes[INSTRUMENTED], strict=True)
    return [(both.time - cost) / alone.time - 1 for alone, both in pairs]


def test_on_a_quiet_machine_layers_are_exact_and_the_parts_close() -> None:
    clock = FakeCpuClock(before=20, after=25)
    subject = Fake(clock)
    (recording,) = measure([subject], clock, StopRule(iterations=20))
    assert [own.time - 45 for own in recording.decoded[3].layers.values()] == [*DURATIONS]
    assert {sample.time for sample in recording.passes[CLEAN]} == {201_000 + 45}
    assert close(recording, 3) == [0.0] * 10


def test_drift_within_a_run_does_not_open_the_gap_that_two_runs_would_have() -> None:
    # Everything takes twice as long by the end.
    clock = FakeCpuClock(drift=drift_by(1.0, 20_000_000))
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=100), warmup=0)
    clean = [sample.time for sample in recording.passes[CLEAN]]
    assert clean[-1] > 1.9 * clean[0]
    assert abs(find_median(close(recording, 3))) < 0.01
    # Neither kind is favoured: as many rounds begin with one as with the other.
    signs = [gap > 0 for gap in close(recording, 3)]
    assert signs == [True, False] * 25


def test_a_spike_is_one_outlier_of_one_pass() -> None:
    clock = FakeCpuClock(spikes={3 * 2 * 10 + 1: 5_000_000})
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=40), warmup=0)
    clean = [sample.time for sample in recording.passes[CLEAN]]
    instrumented = [sample.time for sample in recording.passes[INSTRUMENTED]]
    assert find_median(clean) == find_median(instrumented) == 201_000
    assert max(clean + instrumented) == 5_201_000
    assert len({*clean, *instrumented}) == 2


def test_outliers_stay_among_the_samples() -> None:
    clock = FakeCpuClock(spikes={60: 5_000_000})
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=40), warmup=0)
    clean = [sample.wall for sample in recording.passes[CLEAN]]
    assert find_outliers(clean) == (10,)
    assert clean[10] == 5_201_000


def test_a_costly_synchronise_is_in_what_a_caller_waits_and_in_no_layer() -> None:
    clock = FakeCudaClock(launch_cost=2_000, synchronise_cost=400_000, event_cost=0)
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=20), warmup=0)
    for taken, decoded in zip(recording.passes[INSTRUMENTED], recording.decoded, strict=True):
        # The first layer's launch is waited for; the others are queued behind its work.
        assert [own.time for own in decoded.layers.values()] == [102_000, 30_000, 70_000]
        assert taken.time == 203_000
        assert taken.wall == 203_000 + 400_000


def test_a_pass_waits_for_the_device_before_and_after_and_not_within() -> None:
    clock = FakeCudaClock()
    measure([Fake(clock)], clock, StopRule(iterations=20), warmup=0)
    assert clock.waits == 20 * 2 + 10 * 2  # and once for each measurement of empty marks


def test_the_order_turns_round_from_round_to_round() -> None:
    clock = FakeCpuClock()
    subject = Fake(clock)
    measure([subject], clock, StopRule(iterations=8), warmup=0)
    assert subject.ran == [CLEAN, INSTRUMENTED, INSTRUMENTED, CLEAN] * 2


def test_several_networks_are_measured_in_turns() -> None:
    clock = FakeCpuClock(drift=drift_by(1.0, 20_000_000))
    first, second = Fake(clock, (100_000,)), Fake(clock, (100_000,))
    recordings = measure([first, second], clock, StopRule(iterations=80), warmup=0)
    medians = [find_median([p.time for p in item.passes[CLEAN]]) for item in recordings]
    assert medians[0] == pytest.approx(medians[1], rel=0.01)


@pytest.mark.parametrize(("iterations", "rounds"), [(1, 1), (2, 1), (7, 4), (10, 5)])
def test_iterations_are_passes_in_all(iterations: int, rounds: int) -> None:
    clock = FakeCpuClock()
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=iterations))
    assert len(recording.passes[CLEAN]) == len(recording.passes[INSTRUMENTED]) == rounds


def test_a_least_time_is_one_of_clean_passes() -> None:
    clock = FakeCpuClock()
    (recording,) = measure([Fake(clock)], clock, StopRule(min_time=0.00201), warmup=0)
    assert len(recording.passes[CLEAN]) == 10  # 201 us each


def test_a_precision_ends_the_run_as_soon_as_there_are_samples_enough() -> None:
    clock = FakeCpuClock()
    (recording,) = measure([Fake(clock)], clock, StopRule(precision=0.02), warmup=0)
    assert len(recording.passes[CLEAN]) == 6


def test_a_precision_that_does_not_come_is_given_up_in_time_and_said() -> None:
    clock = FakeCpuClock(drift=lambda time: 1 + (time // 1_000_003) % 7)
    rule = StopRule(precision=0.0001)
    (recording,) = measure([Fake(clock, (50_000_000,))], clock, rule, warmup=0)
    spent = sum(p.wall for kind in recording.passes.values() for p in kind)
    assert 10e9 <= spent < 12e9
    assert rule.describe(9, 0.3).startswith("10 s, the median within 30.0%")


def test_progress_never_goes_beyond_one_and_ends_there() -> None:
    clock, seen = FakeCpuClock(), []
    rule = StopRule(iterations=9)
    measure(
        [Fake(clock, (30_000_000,), name="net")],
        clock,
        rule,
        None,
        lambda done, text: seen.append((done, text)),
    )
    assert seen[0] == (0.0, "warming up net")
    parts = [done for done, _ in seen[1:]]
    assert parts == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_short_passes_run_a_few_in_a_row_and_long_ones_alone() -> None:
    clock = FakeCpuClock()
    subject = Fake(clock, (3_000_000,))  # and 1 us before it
    (recording,) = measure([subject], clock, StopRule(iterations=24))
    assert recording.row == 6
    ran = subject.ran[recording.warmup :]
    assert ran == [CLEAN] * 6 + [INSTRUMENTED] * 12 + [CLEAN] * 6
    slow = Fake(clock, (30_000_000,))
    assert measure([slow], clock, StopRule(iterations=4))[0].row == 1


def test_the_last_row_is_no_longer_than_what_is_left() -> None:
    clock = FakeCpuClock()
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=20))
    assert recording.row == LONGEST_ROW
    assert [len(passes) for passes in recording.passes.values()] == [10, 10]


def test_empty_instruments_are_called_once_a_round_however_many_passes_it_has() -> None:
    clock = FakeCpuClock()
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=4 * LONGEST_ROW))
    assert len(recording.empties) == 2


def test_spans_are_kept_of_the_latest_passes_alone() -> None:
    clock = FakeCpuClock()
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=4 * KEPT))
    assert len(recording.decoded) == 2 * KEPT
    assert len(recording.latest) == KEPT
    assert not any(decoded.spans for decoded in recording.decoded)


def test_layers_inside_layers_close_however_deep_they_are() -> None:
    clock = FakeCpuClock(before=20, after=25)
    subject, network = Fake(clock), Work(clock, 10)
    for _ in range(120):
        network = Work(clock, 10, network)
    subject.network, subject.paths = network, [path for path, _ in network.named_modules()]
    (recording,) = measure([subject], clock, StopRule(iterations=4))
    inner = {path: own.inner for (path, _), own in recording.decoded[0].layers.items()}
    assert sorted(inner.values()) == [0] + [1] * 120
    own = [item.time - 45 - 45 * item.inner for item in recording.decoded[0].layers.values()]
    assert own == [10] * 121
    assert close(recording, 121) == [0.0] * 2


@given(st.integers(1, 10**6))
def test_medians_are_looked_at_more_seldom_the_more_samples_there_are(turn: int) -> None:
    rule = StopRule(precision=0.02)
    looks = [later for later in range(turn, turn + turn // 8 + 2) if rule.is_due(later)]
    assert looks
    assert len(looks) <= 4 or turn <= 32
    assert StopRule(iterations=5).is_due(turn)


def test_a_warm_up_ends_when_passes_no_longer_get_faster() -> None:
    clock = FakeCpuClock(drift=lambda time: max(3 - time / 1_000_000, 1.0))
    (recording,) = measure([Fake(clock)], clock, StopRule(precision=0.02))
    assert recording.settled
    assert {p.time for p in recording.passes[CLEAN]} == {201_000}


def test_a_warm_up_that_does_not_end_is_cut_and_said() -> None:
    clock = FakeCpuClock(drift=lambda time: max(1e6 / (time + 1e3), 1e-3))
    (recording,) = measure([Fake(clock)], clock, StopRule(min_time=1e-9))
    assert not recording.settled
    assert recording.warmup == LONGEST_WARMUP + 1


def test_a_warm_up_can_be_counted() -> None:
    clock = FakeCpuClock()
    subject = Fake(clock)
    (recording,) = measure([subject], clock, StopRule(iterations=2), warmup=4)
    assert recording.warmup == 4
    assert recording.settled
    assert len(subject.ran) == 4 + 2


@given(st.lists(st.integers(1, 10**9), max_size=20))
def test_settled_is_what_the_last_two_windows_say(times: list[int]) -> None:
    assert has_settled(times) == (len(times) >= 6 and has_settled(times[-6:]))


def test_settling_by_hand() -> None:
    assert not has_settled([10, 10, 10, 9, 9, 9])
    assert has_settled([10, 10, 10, 9, 10, 99])
    assert has_settled([10] * 6)


def test_the_timeline_is_that_of_a_pass_near_the_median() -> None:
    clock = FakeCpuClock(spikes={3: 5_000_000, 50: 900_000})
    (recording,) = measure([Fake(clock)], clock, StopRule(iterations=20), warmup=0)
    assert [span.duration for span in recording.timeline] == [*DURATIONS, 201_000]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"iterations": 3, "precision": 0.1}, "one of iterations"),
        ({"iterations": 0}, "iterations must be a whole number of at least 1, given 0"),
        ({"min_time": -1.0}, "min_time must be a number above 0"),
        ({"precision": float("nan")}, "precision must be a number above 0 and below 1"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        StopRule(**given)


def test_no_garbage_is_collected_while_passes_run() -> None:
    seen = list[bool]()

    class Looks(Fake):
        def run(self, kind: str, watch: Watch) -> None:
            seen.append(gc.isenabled())
            super().run(kind, watch)

    clock = FakeCpuClock()
    assert gc.isenabled()
    measure([Looks(clock)], clock, StopRule(iterations=4))
    assert gc.isenabled()
    assert set(seen) == {False}
