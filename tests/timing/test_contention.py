"""Counters of the system, read twice and taken from each other."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from mobilenet_profiler.measured.profile import Contention
from mobilenet_profiler.timing.contention import (
    ContentionMeter,
    Counters,
    Ticks,
    parse_stat,
    read_counters,
    read_waits,
    subtract_counters,
    subtract_waits,
)

STAT = """cpu  300 0 100 1000 10 0 5 40 7 0
cpu0 100 0 50 400 10 0 5 30 7 0
cpu1 200 0 50 600 0 0 0 10 0 0
intr 199866 0 0
"""


def test_steal_is_the_eighth_number_of_a_processors_line() -> None:
    # Time of guests, the ninth and tenth, is in the first two already.
    whole = (100 + 50 + 400 + 10 + 5 + 30) + (200 + 50 + 600 + 10)
    assert parse_stat(STAT, {0, 1}) == Ticks(2, whole, 40, 100 + 50 + 5 + 200 + 50)


def test_only_the_processors_in_use_are_read() -> None:
    assert parse_stat(STAT, {1}) == Ticks(1, 860, 10, 250)
    assert parse_stat(STAT, set()) == parse_stat("", {0}) == Ticks()
    assert parse_stat("cpu0 1 2 3\n\n", {0}) == Ticks()  # before Linux 2.6.11


def test_what_happened_is_the_difference_and_the_load_that_of_the_beginning() -> None:
    begin = Counters(100, 50, 1, 2, Ticks(2, 1_000, 10, 500), load=0.5, waits={1: 5, 2: 9})
    end = Counters(1_100, 950, 11, 32, Ticks(2, 1_200, 16, 650), 2.5, waits={1: 25, 3: 4})
    assert subtract_counters(begin, end, 2) == Contention(
        wall=1_000,
        cpu=900,
        voluntary=10,
        involuntary=30,
        steal=0.03,
        load=0.5,
        cores=2,
        waited=24,
        others=150 / 200 * 2 - 0.9,  # busy three quarters of two, nine tenths of one by itself
    )


def test_work_of_this_process_alone_is_no_others() -> None:
    begin, end = Counters(0, 0), Counters(1_000, 1_000, ticks=Ticks(2, 200, 0, 98))
    assert subtract_counters(begin, end, 2).others == 0.0


def test_what_the_system_does_not_count_is_none() -> None:
    begin, end = Counters(0, 0, waits=None), Counters(10, 10, waits=None)
    found = subtract_counters(begin, end, 1)
    assert found.steal is found.load is found.waited is found.others is None
    assert subtract_waits({}, None) is None


def test_a_thread_that_began_meanwhile_waited_all_it_waited() -> None:
    assert subtract_waits({1: 100}, {1: 130, 2: 50}) == 80


def put_thread(root: Path, thread: int, text: str) -> None:
    file = root / f"proc/self/task/{thread}/schedstat"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_waits_are_the_second_number_of_each_thread(tmp_path: Path) -> None:
    put_thread(tmp_path, 10, "5000 200 7\n")
    put_thread(tmp_path, 11, "100 30 1\n")
    put_thread(tmp_path, 12, "")  # it ended
    assert read_waits(tmp_path) == {10: 200, 11: 30}


def test_a_kernel_that_does_not_count_is_none(tmp_path: Path) -> None:
    put_thread(tmp_path, 10, "0 0 0\n")
    assert read_waits(tmp_path) is None
    assert read_waits(tmp_path / "absent") is None


def test_a_meter_counts_between_start_and_stop() -> None:
    readings = iter([Counters(5, 1, load=1.5), Counters(25, 11, 3, 4)])
    meter = ContentionMeter(lambda: next(readings), cores=4)
    assert meter.contention == Contention(cores=4)
    meter.start()
    expected = Contention(20, 10, 3, 4, None, 1.5, 4, 0)
    assert meter.stop() == expected
    assert meter.contention == expected


def test_a_meter_that_was_not_started_has_counted_nothing() -> None:
    assert ContentionMeter(lambda: Counters(1, 1), cores=1).stop() == Contention(cores=1)


def test_a_meter_counts_when_the_body_fails() -> None:
    readings = iter([Counters(5, 1), Counters(25, 11)])
    meter = ContentionMeter(lambda: next(readings), cores=1)
    with pytest.raises(ValueError, match="no such layer"), meter:
        raise ValueError("no such layer")
    assert meter.contention.wall == 20


def test_the_systems_counters_only_rise() -> None:
    begin = read_counters()
    stop = threading.Event()
    spinner = threading.Thread(target=stop.wait)
    spinner.start()
    total = sum(index * index for index in range(20_000))
    time.sleep(0.001)
    end = read_counters()
    stop.set()
    spinner.join()
    found = subtract_counters(begin, end, 1)
    assert total > 0
    assert found.wall > 0
    assert found.cpu > 0
    assert min(found.voluntary, found.involuntary) >= 0
    assert found.steal is None or 0 <= found.steal <= 1
    assert found.waited is None or found.waited >= 0
    assert found.others is None or found.others >= 0
