"""A warning says what was seen and what to do; a quiet machine gets none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.measured.contention import list_contention_warnings
from mobilenet_profiler.measured.profile import Contention

SECOND = 1_000_000_000


def make(
    wall: float = 10.0, cpu: float = 10.0, waited: float | None = 0.0, **given: float | int | None
) -> Contention:
    """What was counted in so many seconds, on two cores unless given."""
    known: dict[str, object] = {"cores": 2, "load": 0.0, "steal": 0.0, **given}
    return Contention(
        wall=round(wall * SECOND),
        cpu=round(cpu * SECOND),
        waited=None if waited is None else round(waited * SECOND),
        **known,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_a_quiet_machine_gets_no_warning(threads: int) -> None:
    # As read on an idle machine: some interruptions, a little steal, a last minute's load.
    quiet = make(
        cpu=9.97, waited=0.02, involuntary=80, voluntary=30, steal=0.001, load=0.4, others=0.03
    )
    assert list_contention_warnings(quiet, 100, threads) == []


def test_nothing_counted_gives_no_warning() -> None:
    assert list_contention_warnings(Contention(), 0, 1) == []


def test_a_network_that_does_not_fill_its_threads_is_not_disturbed() -> None:
    # The second thread ran for a fifth of the time and wanted no more.
    assert list_contention_warnings(make(cpu=12.0, waited=0.05, voluntary=9_000), 500, 2) == []


def test_a_run_just_before_this_one_is_no_load_of_others() -> None:
    assert list_contention_warnings(make(cpu=19.9, load=2.0), 100, 2) == []
    assert list_contention_warnings(make(load=33.0, cores=64), 100, 1) == []


def test_threads_that_waited_for_a_processor_are_told_with_what_to_do() -> None:
    shared = make(cpu=6.0, waited=4.0, involuntary=1_069)
    assert list_contention_warnings(shared, 170, 1) == [
        "the process waited 40% of its time for a processor (1,069 involuntary switches in"
        " 170 passes): stop other work"
    ]
    shared = make(cpu=12.0, waited=8.0, involuntary=1, load=1.0)
    assert list_contention_warnings(shared, 1, 2) == [
        "the process waited 40% of its time for a processor (1 involuntary switch in"
        " 1 pass): stop other work or use --threads 1"
    ]


def test_waiting_counts_from_two_per_cent_on() -> None:
    assert list_contention_warnings(make(cpu=9.81, waited=0.19), 100, 1) == []
    assert len(list_contention_warnings(make(cpu=9.79, waited=0.21), 100, 1)) == 1


def test_a_slice_lost_in_a_short_measurement_is_no_warning() -> None:
    # 8 ms are 8% of 100 ms, but one slice: the median knows nothing of it.
    assert list_contention_warnings(make(0.1, 0.092, 0.008), 20, 1) == []


def test_steal_is_told() -> None:
    assert list_contention_warnings(make(steal=0.06), 100, 1) == [
        "the hypervisor took 6% of the processor: measure again when its other guests are quiet,"
        " or on a machine of your own"
    ]
    assert list_contention_warnings(make(steal=0.019), 100, 1) == []


def test_a_tick_of_steal_in_a_short_measurement_is_no_warning() -> None:
    # One tick of 10 ms in 0.2 s of two cores is 2.5%.
    assert list_contention_warnings(make(0.2, 0.2, steal=0.025), 100, 1) == []


def test_more_threads_than_cores_take_turns() -> None:
    # That they wait for each other is said once, not as other work.
    crowd = make(cpu=20.0, waited=20.0, involuntary=5_000)
    assert list_contention_warnings(crowd, 100, 4) == [
        "4 threads on 2 cores take turns: use --threads 2"
    ]


def test_work_on_other_cores_is_told() -> None:
    assert list_contention_warnings(make(others=1.04), 100, 1) == [
        "other work kept 1.0 of 2 cores busy: stop it, for it shares caches, memory and the clock"
    ]
    assert list_contention_warnings(make(others=0.4), 100, 1) == []
    assert list_contention_warnings(make(others=3.0, cores=64), 100, 1) == []


def test_work_that_took_cores_from_this_process_is_told_once() -> None:
    shared = make(cpu=6.0, waited=4.0, involuntary=1_069, others=1.4)
    assert len(list_contention_warnings(shared, 170, 1)) == 1


def test_load_that_was_gone_when_the_measurement_began_is_not_told() -> None:
    assert list_contention_warnings(make(others=0.02, load=5.8), 100, 1) == []


def test_load_is_told_where_nothing_better_is_known() -> None:
    assert list_contention_warnings(make(load=3.6), 100, 2) == [
        "load 3.6 on 2 cores when the measurement began: stop other work, or wait until it is done"
    ]
    assert list_contention_warnings(make(load=1.6, cores=1), 100, 1) == [
        "load 1.6 on 1 core when the measurement began: stop other work, or wait until it is done"
    ]


def test_sleep_that_no_network_needs_is_told() -> None:
    assert list_contention_warnings(make(cpu=7.1, voluntary=3_400), 100, 1) == [
        "the process slept 29% of the time (3,400 voluntary switches in 100 passes): see that"
        " memory is not swapped and that the network waits for no disk, lock or thread"
    ]


def test_a_host_may_sleep_while_its_gpu_works() -> None:
    assert list_contention_warnings(make(cpu=1.0, voluntary=3_400), 100, 0) == []
    assert list_contention_warnings(make(cpu=1.0, waited=None, involuntary=100), 100, 0) == []


def test_a_host_that_cannot_launch_is_told_beside_a_gpu_too() -> None:
    assert list_contention_warnings(make(cpu=6.0, waited=4.0, involuntary=900), 100, 0) == [
        "the process waited 40% of its time for a processor (900 involuntary switches in"
        " 100 passes): stop other work"
    ]


def test_where_waiting_is_not_counted_interruptions_with_a_low_share_tell() -> None:
    shared = make(cpu=14.2, waited=None, involuntary=2_140)
    assert list_contention_warnings(shared, 100, 2) == [
        "the process had 71% of the processor time that its 2 threads could use (2,140"
        " involuntary switches in 100 passes): stop other work or use --threads 1"
    ]
    alone = make(cpu=7.1, waited=None, involuntary=2_140)
    assert list_contention_warnings(alone, 100, 1) == [
        "the process had 71% of the processor time that its 1 thread could use (2,140"
        " involuntary switches in 100 passes): stop other work"
    ]


def test_where_waiting_is_not_counted_neither_sign_alone_tells() -> None:
    assert list_contention_warnings(make(cpu=14.2, waited=None, involuntary=90), 100, 2) == []
    assert list_contention_warnings(make(cpu=19.9, waited=None, involuntary=9_000), 100, 2) == []


@given(
    wall=st.integers(0, 10**12),
    cpu=st.integers(0, 10**12),
    waited=st.none() | st.integers(0, 10**12),
    switches=st.integers(0, 10**6),
    steal=st.none() | st.floats(0, 1),
    load=st.none() | st.floats(0, 500),
    cores=st.integers(1, 256),
    others=st.none() | st.floats(0, 256),
    threads=st.integers(0, 256),
    passes=st.integers(0, 10**6),
)
def test_a_warning_is_one_line_that_says_what_to_do(
    wall: int,
    cpu: int,
    waited: int | None,
    switches: int,
    steal: float | None,
    load: float | None,
    cores: int,
    others: float | None,
    threads: int,
    passes: int,
) -> None:
    contention = Contention(wall, cpu, switches, switches, steal, load, cores, waited, others)
    for line in list_contention_warnings(contention, passes, threads):
        seen, colon, advice = line.partition(": ")
        assert "\n" not in line
        assert colon
        assert any(character.isdigit() for character in seen)
        assert advice.split()[0] in ("stop", "use", "measure", "see")


@given(waited=st.integers(0, 10 * SECOND), more=st.integers(0, 10 * SECOND))
def test_more_waiting_never_warns_less(waited: int, more: int) -> None:
    def warn(waiting: int) -> bool:
        contention = Contention(wall=10 * SECOND, cpu=10 * SECOND, cores=2, waited=waiting)
        return bool(list_contention_warnings(contention, 100, 2))

    assert warn(waited) <= warn(waited + more)
