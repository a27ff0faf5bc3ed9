"""Cells timed in turns: by a clock that is told the time, and on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.measured.profile import Contention
from mobilenet_profiler.measured.statistics import estimate_median, find_median
from mobilenet_profiler.sweeping import latencies
from mobilenet_profiler.sweeping.latencies import (
    CellTimes,
    make_request,
    measure_in_turns,
    time_block,
)
from mobilenet_profiler.timing.contention import ContentionMeter
from mobilenet_profiler.timing.measuring import CLEAN, PATIENCE
from mobilenet_profiler.timing.preparing import cut_batch, prepare
from tests.sweeping.test_sweep import NET
from tests.timing.fakes import FakeCpuClock, drift_by
from tests.timing.test_measuring import Fake

RULE: dict[str, Any] = {"iterations": 4, "threads": 1}
HOW = {"device": "cpu", "threads": 1, "iterations": 4}


class Quiet(ContentionMeter):
    """A machine that does nothing else, whatever this one does."""

    @property
    def contention(self) -> Contention:
        return Contention()

    @contention.setter
    def contention(self, value: Contention) -> None:
        pass


def take(subjects: list[Fake], clock: Any, iterations: int, *notes: Any) -> list[CellTimes]:
    request = make_request({"iterations": iterations})
    return measure_in_turns(subjects, clock, request, notes, Quiet)


def make_subjects(clock: FakeCpuClock, durations: list[int]) -> list[Fake]:
    return [Fake(clock, (duration,)) for duration in durations]


def test_on_a_quiet_machine_every_sample_is_exact() -> None:
    clock = FakeCpuClock()
    subjects = make_subjects(clock, [100_000, 30_000_000])
    fast, slow = take(subjects, clock, 20)
    assert fast.samples == (101_000,) * 20
    assert slow.samples == (30_001_000,) * 20
    assert (fast.notes, fast.error) == ((), "")


def test_only_clean_passes_are_taken() -> None:
    clock = FakeCpuClock()
    (subject,) = subjects = make_subjects(clock, [100_000])
    take(subjects, clock, 20)
    assert set(subject.ran) == {CLEAN}


def test_drift_favours_no_cell() -> None:
    # By the end everything takes twice as long, and equal cells still have equal times.
    clock = FakeCpuClock(drift=drift_by(1.0, 1_600_000_000))
    subjects = make_subjects(clock, [1_000_000] * 4)
    times = take(subjects, clock, 400)
    medians = [find_median(own.samples) for own in times]
    assert max(own.samples[-1] for own in times) > 1.8 * min(own.samples[0] for own in times)
    assert max(medians) / min(medians) < 1.02
    # Measured one after the other the last would have taken half as long again as the first.
    alone = FakeCpuClock(drift=drift_by(1.0, 1_600_000_000))
    medians = [
        find_median(take([own], alone, 400)[0].samples)
        for own in make_subjects(alone, [1_000_000] * 4)
    ]
    assert medians[-1] / medians[0] > 1.3


def test_a_warm_up_that_did_not_end_is_a_note() -> None:
    clock = FakeCpuClock(drift=lambda time: 10 * 0.995 ** (time / 1e6))
    subjects = make_subjects(clock, [1_000_000])
    (times,) = take(subjects, clock, 20)
    assert times.notes == ("it still got faster when its warm-up ended",)


def test_what_is_known_before_stays_a_note() -> None:
    clock = FakeCpuClock()
    subjects = make_subjects(clock, [100_000])
    (times,) = take(subjects, clock, 20, ("one",))
    assert times.notes == ("one",)


def test_many_cells_in_turns_have_more_time_for_a_precision() -> None:
    assert make_request({}, cells=1).rule.patience == PATIENCE
    assert make_request({}, cells=64).rule.patience == 128.0


def test_latencies_have_samples_an_interval_and_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    how: dict[str, Any] = {"latency": True, "iterations": 8, "threads": 1}
    sweep = mp.sweep(alpha=[0.25, 0.5], resolution=32, save=path, **how)
    assert mp.read_sweep(path) == sweep
    assert dict(sweep.setup) == {"device": "cpu", "threads": 1, "iterations": 8}
    (machine,) = sweep.machines
    for result in sweep.results:
        assert len(result.samples) == 8
        assert result.latency == estimate_median(result.samples)
        assert result.machine == machine
        alpha = result.cell.point["alpha"]
        assert result.cost == mp.trace("mobilenet_v1", alpha=alpha, resolution=32).total
    assert "cpu" in sweep.machines[machine]


def test_conditions_of_counts_are_met_before_anything_is_timed() -> None:
    given: dict[str, Any] = {"width": [4, 8], "inputs": ["1x3x8x8"], "where": "macs < 800"}
    sweep = mp.sweep(NET, **given, latency=True, **RULE)
    assert [own.cell.point for own in sweep.results] == [{"width": 4}]
    assert sweep.results[0].latency is not None
    assert sweep.left_out == 1


def test_conditions_of_latency_leave_cells_out_after() -> None:
    given: dict[str, Any] = {"width": [4], "inputs": ["1x3x8x8"], "latency": True, **RULE}
    assert mp.sweep(NET, **given, where="latency < 1ns").left_out == 1
    assert mp.sweep(NET, **given, where="latency < 100 s").left_out == 0


def test_a_cell_that_cannot_be_timed_keeps_its_counts() -> None:
    axes = {"trouble": ["", "raise"]}
    arguments = {"where": "timed"}
    given: dict[str, Any] = {"arguments": arguments, "inputs": ["1x3x8x8"], **RULE}
    good, bad = mp.sweep(NET, axes=axes, **given, latency=True).results
    assert good.latency is not None
    assert bad.latency is None
    assert bad.cost == good.cost
    assert bad.error.startswith("not timed: ")
    assert "RuntimeError: first line second line (" in bad.error


def test_a_cell_that_fails_later_does_not_take_the_others_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measure, calls = latencies.measure_in_turns, []

    def fail_together(subjects: Any, *given: Any) -> Any:
        calls.append(len(subjects))
        names = [subject.name for subject in subjects]
        if any("alpha=0.5" in name for name in names):
            raise UsageError("the pass failed")
        return measure(subjects, *given)

    monkeypatch.setattr(latencies, "measure_in_turns", fail_together)
    cells = [Cell("mobilenet_v1", {"alpha": alpha}) for alpha in (0.25, 0.5, 0.75)]
    times = time_block(cells, {"resolution": 32}, HOW).cells
    assert [own.error for own in times] == ["", "not timed: the pass failed", ""]
    assert calls == [3, 1, 1, 1]
    assert [len(own.samples) for own in times] == [4, 0, 4]


def test_a_batch_that_memory_does_not_hold_is_told_and_not_halved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def halve(module: Any, spec: Any, inputs: Any, request: Any) -> Any:
        return prepare(module, spec, cut_batch(inputs, 4, 2), request)

    monkeypatch.setattr(latencies, "prepare", halve)
    (times,) = time_block([Cell("mobilenet_v1", {"batch": 4})], {"resolution": 32}, HOW).cells
    assert times.error == "not timed: out of memory at batch 4"


def test_a_timed_sweep_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    given: dict[str, Any] = {"width": [4, 8, 16], "inputs": ["1x3x8x8"], "latency": True, **RULE}
    first = mp.sweep(NET, **given, save=path)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:-2], lines[-2][:9]]))  # the last cell's line is torn
    again = mp.sweep(NET, **given, save=path, resume=True)
    known = mp.read_sweep(path)
    assert again == known
    same = [one == other for one, other in zip(first.results, again.results, strict=True)]
    assert sorted(same) == [False, True, True]  # two kept their samples, one was timed anew
    assert list(again.machines) == list(first.machines)


def test_nothing_of_a_machine_names_anybody() -> None:
    sweep = mp.sweep(NET, inputs=["1x3x8x8"], latency=True, **RULE)
    text = str(sweep.machines)
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text
