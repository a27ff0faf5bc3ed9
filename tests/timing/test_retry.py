"""A batch that does not fit is halved until it does, and the profile says so."""

from __future__ import annotations

import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.timing.retry import fit_batch

CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory:"
    " you tried to allocate 1099511627776 bytes. Error code 12 (Cannot allocate memory)"
)
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(CPU),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
]


class Device:
    """Holds so many images; keeps the batches that it was given."""

    def __init__(self, room: int, error: BaseException = ERRORS[0]) -> None:
        self.room, self.error = room, error
        self.asked: list[int] = []

    def attempt(self, batch: int) -> str:
        self.asked.append(batch)
        if batch > self.room:
            raise self.error
        return f"{batch} images"


def test_a_batch_that_fits_is_run_once_and_needs_no_note() -> None:
    device = Device(64)
    assert fit_batch(device.attempt, 64) == ("64 images", 64, [])
    assert device.asked == [64]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:20])
def test_a_batch_that_does_not_fit_is_halved(error: BaseException) -> None:
    device = Device(32, error)
    assert fit_batch(device.attempt, 64) == (
        "32 images",
        32,
        ["out of memory at batch 64: measured at 32"],
    )


def test_every_batch_that_did_not_fit_is_named() -> None:
    device = Device(10)
    found = fit_batch(device.attempt, 65)
    assert found == ("8 images", 8, ["out of memory at batch 65, 32 and 16: measured at 8"])
    assert device.asked == [65, 32, 16, 8]


def test_where_not_even_one_image_fits_it_is_given_up_in_one_line() -> None:
    device = Device(0)
    with pytest.raises(UsageError) as refused:
        fit_batch(device.attempt, 3)
    assert device.asked == [3, 1]
    assert str(refused.value) == (
        "out of memory at batch 3 and 1: give smaller inputs or a smaller dtype,"
        " or choose another device"
    )


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), UsageError("no"), ValueError(CPU)],
)
def test_another_error_is_passed_on(error: Exception) -> None:
    device = Device(1, error)
    with pytest.raises(type(error)):
        fit_batch(device.attempt, 64)
    assert device.asked == [64]


def test_what_a_failed_attempt_held_is_freed_before_the_next() -> None:
    held: list[weakref.ref[Tensor]] = []

    def attempt(batch: int) -> int:
        assert all(reference() is None for reference in held)
        images = torch.zeros(batch)
        held.append(weakref.ref(images))
        if batch > 2:
            raise RuntimeError(CPU)
        return batch

    assert fit_batch(attempt, 8)[1] == 2
    assert len(held) == 3


def test_the_allocator_of_the_cpu_really_says_so() -> None:
    def attempt(batch: int) -> int:
        torch.empty(1 if batch == 1 else 2**60, dtype=torch.uint8)
        return batch

    assert fit_batch(attempt, 2) == (1, 1, ["out of memory at batch 2: measured at 1"])


@given(batch=st.integers(1, 10**6), room=st.integers(1, 10**6))
def test_the_batch_that_is_measured_fits_and_its_double_does_not(batch: int, room: int) -> None:
    _, found, notes = fit_batch(Device(room).attempt, batch)
    assert 1 <= found <= min(batch, room)
    assert found == batch or 2 * found + 1 > room
    assert bool(notes) is (found != batch)
