"""A function as a network, its parameters as inputs, and what every trace must hold."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.trace.policy import RULES

Shapes = tuple[tuple[int, ...], ...]


class Calling(nn.Module):
    """Runs a function of its inputs, and of modules where some are given."""

    def __init__(self, function: Callable[..., Any], *modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(modules)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*self.parts, *args, **kwargs)


def count(function: Callable[..., Any], *shapes: Any, **options: Any) -> mp.Trace:
    """The trace of a function on inputs of these shapes; its ledger is checked."""
    model = function if isinstance(function, nn.Module) else Calling(function)
    inputs = [torch.empty(s, device="meta") if isinstance(s, tuple) else s for s in shapes]
    return check_ledger(mp.trace(model, tuple(inputs), **options))


def count_both(function: Callable[..., Any], *shapes: Any, **options: Any) -> tuple[int, int]:
    """Forward and backward MACs where every input needs a gradient."""
    inputs = [torch.empty(s, device="meta", requires_grad=True) for s in shapes]
    total = count(function, *inputs, backward=True, **options).total
    return total.macs, total.backward_macs


def check_ledger(trace: mp.Trace) -> mp.Trace:
    """Every operation is one of three things, and layers hold all of them."""
    for operation in trace.ops:
        assert operation.status in ("counted", "free", "unknown")
        assert (operation.rule in RULES) == (operation.status == "free")
        assert operation.macs == 0 or operation.status == "counted"
        assert operation.elementwise == 0 or operation.status == "free"
        in_code = operation.status == "unknown" and operation.phase == "forward"
        assert bool(operation.site) == in_code
    forward = [operation for operation in trace.ops if operation.phase == "forward"]
    backward = [operation for operation in trace.ops if operation.phase == "backward"]
    assert trace.total.macs == sum(operation.macs for operation in forward)
    assert trace.total.elementwise == sum(operation.elementwise for operation in forward)
    assert trace.total.backward_macs == sum(operation.macs for operation in backward)
    unknown = [operation for operation in trace.ops if operation.status == "unknown"]
    assert sum(item.calls for item in trace.uncounted) == len(unknown)
    return trace


def list_paths(trace: mp.Trace) -> dict[str, int]:
    """MACs by path, of the layers that multiply."""
    return {layer.path: layer.macs for layer in trace.counted}


def is_same(first: Tensor, second: Tensor) -> bool:
    """Bit for bit, NaN included."""
    return first.dtype == second.dtype and torch.equal(
        first.detach().reshape(-1).view(torch.uint8), second.detach().reshape(-1).view(torch.uint8)
    )
