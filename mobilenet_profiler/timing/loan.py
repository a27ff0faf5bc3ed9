"""A network made ready to run on a device, and the caller's given back as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap

import torch
from torch import Tensor, nn

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.timing.capacity import measure_free
from mobilenet_profiler.timing.instruments import is_compiled
from mobilenet_profiler.trace.blame import describe_failure
from mobilenet_profiler.trace.isolation import lend_tensors
from mobilenet_profiler.trace.modules import Structure
from mobilenet_profiler.trace.tracer import check_modules
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

    It is the caller's own where nothing has to be converted and nothing is trained, with all
    that it holds put back after; it runs on its own parameters. Else it is a copy. Raises
    UsageError where a module cannot be copied.
    """
    structure = Structure(module)
    check_modules(structure)
    if train or channels_last or _needs_conversion(module, device, dtype):
        yield convert_module(_copy(module), device, dtype, channels_last)
        return
    _refuse_meta(module)
    with _keep_parameters(module), lend_tensors(structure, "values", parameters=False):
        yield module


@contextmanager
def _keep_parameters(module: nn.Module) -> Iterator[None]:
    """Give parameters their marks and, where the body wrote to them, their values back.

    The values are kept aside where the machine has ample room for them.
    """
    kept = [
        (parameter, parameter.requires_grad, _count_writes(parameter))
        for parameter in module.parameters()
    ]
    fits = _fits_twice(module)
    aside = [_set_aside(parameter) if fits else None for parameter, _, _ in kept]
    try:
        yield
    finally:
        for (parameter, flag, writes), values in zip(kept, aside, strict=True):
            if parameter.requires_grad != flag:
                parameter.requires_grad_(flag)
            if values is not None and _count_writes(parameter) != writes:
                with torch.no_grad():
                    parameter.copy_(values)


def _count_writes(tensor: Tensor) -> int:
    """How often a tensor was written to; inference tensors do not count."""
    return 0 if tensor.is_inference() else tensor._version


def _set_aside(tensor: Tensor) -> Tensor | None:
    """A copy in memory of its own; None where there can be none.

    One from the allocator would change where a pass puts its tensors, and so its time.
    """
    if not tensor.numel() or tensor.layout is not torch.strided or tensor.is_quantized:
        return None
    room = mmap(-1, tensor.numel() * tensor.element_size())
    copied = torch.frombuffer(room, dtype=tensor.dtype).view(tensor.shape)
    return copied.copy_(tensor.detach())


def _fits_twice(module: nn.Module) -> bool:
    """Whether the machine has ample room for copies of the parameters too."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in module.parameters())
    free = measure_free("cpu")
    return free is None or 2 * size < free


def list_eager_parts(module: nn.Module, lent: nn.Module) -> tuple[str, ...]:
    """That what the caller compiled in place is not compiled in a copy, where it is not."""
    pairs = zip(module.named_modules(), lent.modules(), strict=True)
    lost = [path for (path, part), own in pairs if is_compiled(part) and not is_compiled(own)]
    if not lost:
        return ()
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    name = lost[0] or "the network"
    return (f"{name}{more}: compiled by itself, but not in the copy that runs here",)


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
    _refuse_meta(module)
    try:
        return copy.deepcopy(module)
    except Exception as error:
        reason = describe_failure(error)
        raise UsageError(f"cannot copy {type(module).__name__} to run it: {reason}") from error


def _refuse_meta(module: nn.Module) -> None:
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        raise UsageError(
            f"{type(module).__name__} is on the meta device and has no values to run on; "
            "give it values (to_empty, load_state_dict) or name its factory"
        )
