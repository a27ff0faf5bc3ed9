"""Whether a network computes with numbers so small that a CPU takes far longer over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mobilenet_profiler.timing.instruments import is_compiled

_SLOW = 0.01  # of a layer's output: what can be seen in its time


def find_denormals(module: nn.Module, run: Callable[[], Any]) -> str | None:
    """A sentence on the layer whose output has most denormal numbers, or None where few do.

    run: one forward pass. A float32 below 1.18e-38 in size takes many CPUs a hundred times
    the time of any other; random weights can lead there, trained ones seldom do.
    """
    shares: dict[str, float] = {}
    compiled = any(map(is_compiled, module.modules()))  # a hook would have it compiled again
    hooks = [
        held.register_forward_hook(_make_hook(path, shares))
        for path, held in module.named_modules()
        if not held._modules and not compiled
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    path, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
    if share < _SLOW:
        return None
    return (
        f"{share:.0%} of what {path or 'the network'} puts out are denormal numbers, which slow a "
        "CPU down: profile with trained weights, or call torch.set_flush_denormal(True)"
    )


def _make_hook(path: str, shares: dict[str, float]) -> Callable[[nn.Module, Any, Any], None]:
    def look(module: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dtype in (torch.float32, torch.float64):
            smallest = torch.finfo(output.dtype).tiny
            denormal = (output != 0) & (output.abs() < smallest)
            share = float(denormal.float().mean()) if output.numel() else 0.0
            shares[path] = max(share, shares.get(path, 0.0))

    return look
