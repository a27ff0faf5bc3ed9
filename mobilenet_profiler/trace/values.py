"""Tensors that have values while a network is traced on tensors that have none.

A forward pass makes small constants for itself (`torch.arange(3)`), and a module may
hold plain tensors that are neither parameters nor buffers. Work on such tensors alone
is done, on the CPU, so that the pass may look at their values. A tensor of the user's
that is written to is copied first and given its values back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mobilenet_profiler.trace.operations import Operation, list_tensors


class ValuesNeeded(BaseException):
    """The forward pass looks at values that meta tensors do not have.

    Not an Exception: a network that catches errors of its own must not catch this.
    """


class Constants:
    """Which real tensors may be computed with during a pass on meta tensors."""

    def __init__(self) -> None:
        self._own: dict[int, Tensor] = {}
        self._lost: dict[int, Tensor] = {}
        self._kept: list[tuple[Tensor, Tensor]] = []

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
        if operation.mutable:
            self._keep(args)
        output = func(*args, **kwargs)
        for tensor in list_tensors(output):
            if not operation.view and not operation.mutable and not self._is_input(tensor, args):
                self._own[_storage(tensor)] = tensor
        return output

    def lose(self, tensor: Tensor) -> None:
        """A constant that is written from tensors without values has none any more."""
        self._lost[_storage(tensor)] = tensor

    def restore(self) -> None:
        """Give the user's tensors their values back."""
        for tensor, values in reversed(self._kept):
            with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                tensor.copy_(values)

    def _keep(self, args: Any) -> None:
        for tensor in list_tensors(args[:1]):
            if _storage(tensor) not in self._own:
                whole = tensor.detach()
                self._kept.append((whole, whole.clone()))

    def _is_input(self, tensor: Tensor, args: Any) -> bool:
        storage = _storage(tensor)
        return any(_storage(other) == storage for other in list_tensors(args))


def _storage(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):  # sparse tensors have none
        return id(tensor)


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
    text = str(error).lower()
    missing = isinstance(error, NotImplementedError)
    return missing or any(word in text for word in ("meta tensor", "meta device", "data-dependent"))


def fill_tensor(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy of an input; where it has no values, floats in [0, 1), as an image has; zeros else."""
    if not tensor.is_meta:
        return tensor.detach().to(device, copy=True).requires_grad_(tensor.requires_grad)
    filled = torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
    if tensor.dtype.is_floating_point:
        numbers = torch.Generator(device).manual_seed(0)  # not those of the caller
        filled.uniform_(generator=numbers)
    return filled.requires_grad_(tensor.requires_grad)
