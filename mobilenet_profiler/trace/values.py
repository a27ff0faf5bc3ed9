"""Tensors that have values while a network is traced on tensors that have none.

A forward pass makes small constants for itself (`torch.arange(3)`), and a module may
hold plain tensors that are neither parameters nor buffers. Work on such tensors alone
is done, on the CPU, so that the pass may look at their values. A tensor of the user's
that is written to is copied first and given its values back.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from mobilenet_profiler.trace.operations import Operation, find_written, list_tensors

_WITHOUT_VALUES = re.compile(
    r"\bmeta\b|data-dependent|unallocated storage|format string passed to tensor|dlpack"
)
_WITHOUT_FORWARD = 'missing the required "forward" function'


class ValuesNeeded(BaseException):
    """The forward pass looks at values that meta tensors do not have.

    Not an Exception: a network that catches errors of its own must not catch this.
    """


class Constants:
    """Which real tensors may be computed with during a pass on meta tensors."""

    def __init__(self) -> None:
        self._own: dict[int, Any] = {}
        self._lost: dict[int, Tensor] = {}
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._values: dict[Any, tuple[Tensor, Tensor]] = {}

    def hold(self, args: Any, kwargs: Any) -> bool:
        """Whether this use can be done on values: every tensor has them, on the CPU."""
        tensors = list_tensors(args) + list_tensors(list(kwargs.values()))
        if not tensors:
            return str(kwargs.get("device")) == "cpu"
        return all(
            tensor.device.type == "cpu" and _storage(tensor) not in self._lost for tensor in tensors
        )

    def compute(self, func: Any, operation: Operation, args: Any, kwargs: Any) -> Any:
        """The result of work on constants; what it writes to is kept first."""
        if operation.written:
            self._keep(find_written(operation, args, kwargs))
        output = func(*args, **kwargs)
        for tensor in list_tensors(output):
            if not operation.view and not operation.mutable and not self._is_input(tensor, args):
                self._own[_storage(tensor)] = _refer_to(tensor)
        return output

    def lose(self, tensor: Tensor) -> None:
        """A constant that is written from tensors without values has none any more."""
        self._lost[_storage(tensor)] = tensor

    def restore(self) -> None:
        """Give the user's tensors their values and their shapes back."""
        for whole, values in reversed(self._values.values()):
            with torch.inference_mode(whole.is_inference()), torch.no_grad():
                whole.copy_(values)
        for tensor, whole in self._kept.values():
            if _layout(tensor) != _layout(whole):
                with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                    tensor.set_(whole)  # type: ignore[call-overload]

    def _keep(self, tensors: list[Tensor]) -> None:
        for tensor in tensors:
            if id(tensor) in self._kept or _storage(tensor) in self._own:
                continue
            whole = tensor.detach() if tensor.layout is torch.strided else tensor
            self._kept[id(tensor)] = (tensor, whole)
            if _layout(whole) not in self._values:
                self._values[_layout(whole)] = (whole, whole.clone())

    def _is_input(self, tensor: Tensor, args: Any) -> bool:
        storage = _storage(tensor)
        return any(_storage(other) == storage for other in list_tensors(args))


def _storage(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):  # sparse tensors have none
        return id(tensor)


def _refer_to(tensor: Tensor) -> Any:
    """What keeps a tensor's key its own, but not its memory, which a pass may free."""
    try:
        return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
    except (RuntimeError, NotImplementedError):
        return tensor


def _layout(tensor: Tensor) -> Any:
    """The memory that a tensor looks at, and how."""
    if tensor.layout is not torch.strided:
        return id(tensor)
    return _storage(tensor), tensor.storage_offset(), tuple(tensor.shape), tensor.stride()


def to_meta(value: Any) -> Any:
    """Tensors, devices and lists of them without values."""
    if isinstance(value, Tensor):
        return value if value.is_meta else value.to("meta")
    if isinstance(value, torch.device):
        return torch.device("meta")
    if isinstance(value, list | tuple):
        return type(value)(to_meta(item) for item in value)
    return value


def lacks_values(error: Exception) -> bool:
    """Whether PyTorch says that a meta tensor cannot do this, rather than that it is wrong."""
    text = str(error)
    missing = isinstance(error, NotImplementedError) and _WITHOUT_FORWARD not in text
    return missing or _WITHOUT_VALUES.search(text.lower()) is not None


def fill_tensor(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy of an input; where it has no values, floats in [0, 1), as an image has; zeros else."""
    if not tensor.is_meta:
        return tensor.detach().to(device, copy=True).requires_grad_(tensor.requires_grad)
    filled = torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
    if tensor.dtype.is_floating_point:
        numbers = torch.Generator(device).manual_seed(0)  # not those of the caller
        filled.uniform_(generator=numbers)
    return filled.requires_grad_(tensor.requires_grad)
