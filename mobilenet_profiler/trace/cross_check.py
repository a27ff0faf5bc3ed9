"""Two independent counters beside ours: torch.utils.flop_counter and fvcore.

fvcore is imported here only. It needs real tensors, so the network is built once
more on the CPU and run; its count covers convolution and linear layers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.spec import ModelSpec
from mobilenet_profiler.trace.build import build_model, set_mode
from mobilenet_profiler.trace.inputs import make_inputs
from mobilenet_profiler.trace.isolation import lend_model
from mobilenet_profiler.trace.modules import Structure

_COUNTED_BY_FVCORE = ("conv", "linear", "matmul", "bmm", "einsum")


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """MACs of one forward pass by three counters."""

    ours: int
    flop_counter: int
    fvcore: int

    @property
    def agrees(self) -> bool:
        return self.ours == self.flop_counter == self.fvcore


def cross_check(spec: ModelSpec, trace: Trace) -> CrossCheck:
    """Count the network of a spec again, twice, independently of `trace`."""
    return CrossCheck(trace.total.macs, count_with_flop_counter(spec), count_with_fvcore(spec))


def count_with_flop_counter(spec: ModelSpec) -> int:
    """MACs by PyTorch's own counter on meta tensors: half its FLOPs."""
    from torch.utils.flop_counter import FlopCounterMode

    model = build_model(spec)
    inputs = make_inputs(model, spec).without_values()
    counter = FlopCounterMode(display=False)
    with set_mode(model, spec.mode), lend_model(Structure(model)), torch.no_grad(), counter:
        model(*inputs.args, **inputs.kwargs)
    return counter.get_total_flops() // 2


def count_with_fvcore(spec: ModelSpec) -> int:
    """MACs of convolutions and matrix products by fvcore, which calls one MAC one flop."""
    try:
        from fvcore.nn import FlopCountAnalysis
    except ImportError:
        raise UsageError("--cross-check needs fvcore: pip install fvcore") from None
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    model = build_model(spec, device="cpu")
    inputs = make_inputs(model, spec).map_tensors(_fill_with_zeros)
    if inputs.kwargs:
        raise UsageError(f"fvcore takes no inputs by name, given {', '.join(inputs.kwargs)}")
    analysis: Any = FlopCountAnalysis(model, inputs.args)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with set_mode(model, spec.mode):
        counts = analysis.by_operator()
    return sum(int(counts[name]) for name in _COUNTED_BY_FVCORE)


def _fill_with_zeros(tensor: Tensor) -> Tensor:
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor
