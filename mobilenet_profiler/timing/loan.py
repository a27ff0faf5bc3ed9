"""A network made ready to run on a device, and the caller's given back as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.trace.blame import describe_failure
from mobilenet_profiler.trace.isolation import Snapshot
from mobilenet_profiler.trace.modules import Structure
from mobilenet_profiler.units import format_bytes


@contextmanager
def lend_module(
    module: nn.Module,
    device: torch.device,
    dtype: torch.dtype | None,
    channels_last: bool,
    train: bool,
) -> Iterator[nn.Module]:
    """The module on a device, in a dtype and memory format, for a while.

    It is the caller's own where nothing has to be converted and nothing is trained; its
    attributes, modes and buffers are put back. Else it is a copy. Raises UsageError where a
    module cannot be copied.
    """
    if train or channels_last or _needs_conversion(module, device, dtype):
        yield convert_module(_copy(module), device, dtype, channels_last)
        return
    with _keep_state(module):
        yield module


def convert_module(
    module: nn.Module, device: torch.device, dtype: torch.dtype | None, channels_last: bool
) -> nn.Module:
    """The module moved and cast in place; raises UsageError where it does not fit or cannot."""
    try:
        module.to(device=device, dtype=dtype)
        if channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    except torch.OutOfMemoryError as error:
        size = sum(tensor.numel() * tensor.element_size() for tensor in module.parameters())
        raise UsageError(
            f"{type(module).__name__} does not fit on {device}: "
            f"{format_bytes(size)} of parameters; choose a smaller dtype or another device"
        ) from error
    except (RuntimeError, NotImplementedError, TypeError) as error:
        reason = describe_failure(error)
        raise UsageError(f"cannot move {type(module).__name__} to {device}: {reason}") from error
    return module


def _needs_conversion(module: nn.Module, device: torch.device, dtype: torch.dtype | None) -> bool:
    tensors = [*module.parameters(), *module.buffers()]
    return any(
        tensor.device != device
        or (dtype is not None and tensor.is_floating_point() and tensor.dtype != dtype)
        for tensor in tensors
    )


def _copy(module: nn.Module) -> nn.Module:
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        raise UsageError(
            f"{type(module).__name__} is on the meta device and has no values to run on; "
            "give it values (to_empty, load_state_dict) or name its factory"
        )
    try:
        return copy.deepcopy(module)
    except Exception as error:
        reason = describe_failure(error)
        raise UsageError(f"cannot copy {type(module).__name__} to run it: {reason}") from error


@contextmanager
def _keep_state(module: nn.Module) -> Iterator[None]:
    structure, kept = Structure(module), Snapshot()
    for held, paths in structure.modules.values():
        kept.keep_module(held, paths[0] in structure.leaves)
    buffers: list[tuple[Tensor, Tensor]] = [(b, b.detach().clone()) for b in module.buffers()]
    try:
        yield
    finally:
        kept.restore()
        with torch.no_grad():
            for buffer, values in buffers:
                buffer.copy_(values)
