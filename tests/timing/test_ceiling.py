"""The best that a device reaches: the loop on fake clocks, the operations on the real CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch

from mobilenet_profiler.measured.profile import Contention
from mobilenet_profiler.measured.roofline import (
    Bandwidth,
    Overhead,
    Peak,
    find_memory_bandwidth,
    find_overhead,
    find_peak,
)
from mobilenet_profiler.timing import ceiling as module
from mobilenet_profiler.timing.ceiling import (
    DTYPES,
    Bench,
    Patience,
    Step,
    choose_calls,
    list_threads,
    list_working_sets,
    make_arrays,
    make_pass,
    make_product,
    make_tiny,
    measure_ceiling,
    measure_peaks,
    note_contention,
    take_step,
    time_calls,
    use_tf32,
)
from tests.timing.fakes import FakeCpuClock, FakeCudaClock, drift_by

PATIENCE = Patience(sample=1_000, point=20_000, limit=10_000, least=3, most=40)
HASTE = Patience(sample=1, point=1, limit=1, least=1, most=1)


def test_short_calls_are_timed_together() -> None:
    clock = FakeCpuClock()
    # 1, 2, 4, 8, 16 calls of 70 ns: 16 are the first to take a sample's 1,000 ns.
    calls, samples = time_calls(clock, partial(clock.run, 70), PATIENCE)
    assert calls == 16
    assert samples == (16 * 70,) * (20_000 // (16 * 70))
    assert clock.operations == 1 + (1 + 2 + 4 + 8 + 16) + 16 * len(samples)


def test_a_long_call_is_timed_alone_and_three_times() -> None:
    clock = FakeCpuClock()
    assert time_calls(clock, partial(clock.run, 30_000), PATIENCE) == (1, (30_000,) * 3)
    assert clock.operations == 1 + 3  # the first tells how long; it needs no second


def test_the_first_call_is_no_sample() -> None:
    clock = FakeCpuClock(spikes={0: 5_000})  # set-up
    calls, samples = time_calls(clock, partial(clock.run, 2_000), PATIENCE)
    assert calls == 1
    assert samples == (2_000,) * 10


def test_there_are_no_more_samples_than_asked_for() -> None:
    clock = FakeCpuClock()
    patience = Patience(sample=1_000, point=10**9, least=3, most=7)
    assert time_calls(clock, partial(clock.run, 2_000), patience) == (1, (2_000,) * 7)


def test_a_spike_is_kept_and_is_not_the_best() -> None:
    clock = FakeCpuClock(spikes={4: 900})
    _, samples = time_calls(clock, partial(clock.run, 2_000), PATIENCE)
    assert sorted(samples) == [2_000] * 9 + [2_900]
    assert Peak("float32", 10, 1, 1, samples).macs_per_second == 1_000 / 2e-6


def test_a_best_sample_that_stays_alone_asks_for_more() -> None:
    busy = set(range(3, 200)) - {9}  # calls that take 6 us and not 5; the third is quiet
    clock = FakeCpuClock(spikes=dict.fromkeys(busy, 1_000))
    _, samples = time_calls(clock, partial(clock.run, 5_000), PATIENCE)
    # Four samples in 20 us, the first of them alone; four more, among them its equal.
    assert samples == (5_000, 6_000, 6_000, 6_000, 6_000, 6_000, 6_000, 5_000)


def test_a_machine_that_slows_down_ends_a_point_in_time() -> None:
    clock = FakeCpuClock(drift=drift_by(1.0, 2_000))
    time_calls(clock, partial(clock.run, 2_000), PATIENCE)
    assert clock.time < 20 * PATIENCE.point


def test_a_device_never_idles_between_samples() -> None:
    clock = FakeCudaClock(launch_cost=100, synchronise_cost=500)
    calls, samples = time_calls(clock, partial(clock.run, 300), PATIENCE)
    # A sample of n calls of 300 ns on the device, though the host waits for it only at the end.
    assert set(samples[1:]) == {calls * 300}
    assert samples[0] == calls * 300 + 100  # the first kernel is on its way


def test_a_device_that_waits_for_its_host_shows_the_pace_of_launches() -> None:
    clock = FakeCudaClock(launch_cost=5_000)
    calls, samples = time_calls(clock, partial(clock.run, 300), PATIENCE)
    assert set(samples[1:]) == {calls * 5_000}


def test_calls_that_cost_nothing_end_the_search() -> None:
    calls, passed = choose_calls(FakeCpuClock(), lambda: None, PATIENCE)
    assert (calls, passed) == (1 << 14, 1)


def test_a_product_that_would_take_too_long_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, begun = FakeCpuClock(), []

    def make(dtype: str, size: int, device: str) -> Callable[[], object]:
        begun.append(size)
        return partial(clock.run, size**3 // 1_000)

    monkeypatch.setattr(module, "make_product", make)
    found = list(measure_peaks("float16", (100, 200, 400), Bench("cpu", clock, PATIENCE, 2)))
    # 1 us; 8 us; 64 us would be more than 10 us.
    assert [point.size for point in found if isinstance(point, Peak)] == begun == [100, 200]
    assert found[-1] == ("float16, 2 threads: no product of 400 or more rows: one would take 0.0 s")


def test_what_a_device_refuses_is_a_note_and_what_was_measured_before_stays() -> None:
    point = Overhead("linear", "float32", 1, 1, (1,))

    def measure(bench: Bench) -> Iterator[Overhead]:
        yield point
        raise RuntimeError("\"mm\" not implemented for 'Half'\nand more")

    step = Step("products, float16", Bench("cpu", FakeCpuClock()), measure)
    assert list(take_step(step)) == [
        point,
        "products, float16: not measured: \"mm\" not implemented for 'Half'",
    ]


@pytest.mark.parametrize(
    ("cache", "free", "largest"),
    [
        (None, None, 384 << 20),  # 96 KiB doubled until what is wanted is reached
        (32 << 20, None, 192 << 20),
        (64 << 20, None, 384 << 20),
        (300 << 20, None, 384 << 20),
        (None, 1 << 30, 192 << 20),  # no more than a quarter of what is free
        (None, 0, 96 << 10),
    ],
)
def test_working_sets_reach_from_a_cache_to_far_beyond_the_last(
    cache: int | None, free: int | None, largest: int
) -> None:
    sets = list_working_sets(cache, free)
    assert sets[0] == 96 << 10
    assert sets[-1] == largest
    assert all(after == 2 * before for before, after in pairwise(sets))
    assert all(size % 24 == 0 for size in sets)  # two or three arrays of float32, to the byte


@pytest.mark.parametrize(("pattern", "arrays"), [("copy", 2), ("triad", 3), ("read", 2)])
def test_a_pass_touches_every_byte_of_its_working_set_once(pattern: str, arrays: int) -> None:
    size = 96 << 10
    call: Any = make_pass(pattern, make_arrays("cpu", 2 * size), size)
    tensors = [*call.args, *call.keywords.values(), getattr(call.func, "__self__", None)]
    touched = [tensor for tensor in tensors if isinstance(tensor, torch.Tensor)]
    assert len({tensor.data_ptr() for tensor in touched}) == arrays
    assert sum(tensor.nbytes for tensor in touched) == size
    call()


def test_a_triad_adds_three_times_the_second_array() -> None:
    arrays = make_arrays("cpu", 96 << 10)
    arrays[1].fill_(2.0)
    make_pass("triad", arrays, 96 << 10)()
    assert set(arrays[2].tolist()) == {7.0}


@pytest.mark.parametrize("dtype", DTYPES["cuda"])
def test_a_product_is_one_of_full_matrices(dtype: str) -> None:
    call: Any = make_product(dtype, 16, "cpu")
    left, right = call.args
    assert left.shape == right.shape == (16, 16)
    assert str(left.dtype).endswith("float32" if dtype == "tf32" else dtype)
    assert torch.equal(call(), left @ right)


def test_tiny_operations_are_what_their_names_say() -> None:
    calls: dict[str, Any] = {**make_tiny("float32", "cpu")}
    shapes = {name: tuple(call().shape) for name, call in calls.items()}
    assert shapes == {
        "convolution": (1, 16, 4, 4),
        "depthwise": (1, 16, 4, 4),
        "linear": (1, 1),
        "elementwise": (1, 1),
    }


def test_thread_counts_are_one_all_and_those_asked_for() -> None:
    own = torch.get_num_threads()
    assert list_threads("cpu") == tuple(sorted({1, own}))
    assert list_threads("cpu", [3]) == tuple(sorted({1, 3, own}))
    assert list_threads("cuda:0", [3]) == (0,)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "list_working_sets", lambda cache, free: (96 << 10, 192 << 10))
    monkeypatch.setattr(module, "SIZES", {"cpu": (8, 16)})


@pytest.mark.usefixtures("small")
def test_everything_is_measured_with_every_thread_count() -> None:
    told: list[tuple[float, str]] = []
    patience = Patience(sample=1, point=1, limit=10**12, least=1, most=1)
    found = measure_ceiling(
        "cpu", {"torch": "x"}, [2], lambda *step: told.append(step), patience=patience
    )
    counts = list_threads("cpu", [2])
    assert found.threads == counts
    assert {(p.dtype, p.size, p.threads) for p in found.peaks} == {
        (dtype, size, count) for dtype in DTYPES["cpu"] for size in (8, 16) for count in counts
    }
    assert {(p.pattern, p.working_set, p.threads) for p in found.bandwidths} == {
        (pattern, size, count)
        for pattern in ("copy", "triad", "read")
        for size in (96 << 10, 192 << 10)
        for count in counts
    }
    assert {(p.operation, p.dtype, p.threads) for p in found.overheads} == {
        (operation, dtype, count)
        for operation in ("convolution", "depthwise", "linear", "elementwise")
        for dtype in DTYPES["cpu"]
        for count in counts
    }
    steps = 9 * len(counts)
    assert [done for done, _ in told] == [n / steps for n in range(steps)]
    assert told[0][1] == "bandwidth, copy, 1 thread"
    assert (found.device, found.environment) == ("cpu", {"torch": "x"})
    assert found.date.startswith("20")


@pytest.mark.usefixtures("small")
def test_settings_of_torch_are_as_they_were() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    precisions = read_precisions()
    measure_ceiling("cpu", {}, [threads + 1], patience=HASTE)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert read_precisions() == precisions
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.usefixtures("small")
def test_an_interrupted_measurement_leaves_no_setting_behind() -> None:
    threads, grown = torch.get_num_threads(), torch.get_num_threads() + 1

    def interrupt(done: float, what: str) -> None:
        if torch.get_num_threads() == grown:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_ceiling("cpu", {}, [grown], interrupt, patience=HASTE)
    assert torch.get_num_threads() == threads


def read_precisions() -> list[str]:
    rooms: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    return [room.fp32_precision for room in rooms]


def test_tf32_is_set_for_as_long_as_it_is_asked_for() -> None:
    before = read_precisions()
    with use_tf32(True):
        assert read_precisions() == ["tf32", "tf32"]
        with use_tf32(False):
            assert read_precisions() == ["ieee", "ieee"]
        assert read_precisions() == ["tf32", "tf32"]
    assert read_precisions() == before


@pytest.mark.parametrize(
    ("contention", "threads", "seen"),
    [
        (Contention(10**9, 9 * 10**8, waited=10**8), 1, "waited 10% of its time for a processor"),
        (Contention(10**9, 10**9, others=1.2, cores=4), 1, "other work kept 1.2 of 4 cores busy"),
        (Contention(10**9, 10**9, steal=0.05), 1, "the hypervisor took 5% of the processor"),
        (Contention(10**9, 9 * 10**8, waited=10**8, cores=2), 3, ""),  # its own threads'
        (Contention(10**9, 10**9, waited=10**6, others=0.1, steal=0.0), 1, ""),
        (Contention(), 0, ""),
    ],
)
def test_a_busy_machine_is_told_of(contention: Contention, threads: int, seen: str) -> None:
    notes = list(note_contention(contention, threads))
    assert len(notes) == bool(seen)
    assert all(seen in note and "measure again" in note for note in notes)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_is_measured_and_left_as_it_was() -> None:
    precisions, used = read_precisions(), torch.cuda.memory_allocated()
    found = measure_ceiling("cuda:0", {})
    assert found.threads == (0,)
    assert found.dtypes == DTYPES["cuda"]
    assert all(isinstance(point, Bandwidth) for point in found.bandwidths)
    for dtype in ("tf32", "float16", "bfloat16"):
        assert (find_peak(found, dtype) or 0) >= 0.9 * (find_peak(found, "float32") or 0)
    assert 1e10 < (find_memory_bandwidth(found) or 0) < 1e14
    assert 100 < (find_overhead(found, "elementwise") or 0) < 1e6
    assert read_precisions() == precisions
    assert torch.cuda.memory_allocated() - used < 128 << 20  # workspaces of cuBLAS stay, arrays go
