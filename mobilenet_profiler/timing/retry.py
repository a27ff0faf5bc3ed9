"""Out of memory: half the batch, and so on, and a sentence that says so."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.timing.subjects import is_out_of_memory

T = TypeVar("T")


def fit_batch(attempt: Callable[[int], T], batch: int) -> tuple[T, int, list[str]]:
    """What `attempt` gives for the largest of batch, batch // 2, … 1 that memory holds.

    Gives that batch too, and notes, a sentence each, where it is not the first. What a
    failed attempt held is freed before the next. Other errors are passed on. Raises
    UsageError where not even one image fits.
    """
    failed: list[int] = []
    while True:
        try:
            return attempt(batch), batch, describe_batches(failed, batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler: the error holds the frames, and these hold the tensors.
        failed.append(batch)
        free_memory()
        if batch <= 1:
            raise UsageError(_describe_defeat(failed))
        batch //= 2


def free_memory() -> None:
    """Give back what nothing refers to any more, and what allocators keep for later."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def describe_batches(failed: Sequence[int], batch: int) -> list[str]:
    """A note on the batches that did not fit; none where the first did."""
    if not failed:
        return []
    return [f"out of memory at batch {_join(failed)}: measured at {batch}"]


def _describe_defeat(failed: Sequence[int]) -> str:
    return (
        f"out of memory at batch {_join(failed)}: "
        "give smaller inputs or a smaller dtype, or choose another device"
    )


def _join(numbers: Sequence[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} and {last}" if most else last
