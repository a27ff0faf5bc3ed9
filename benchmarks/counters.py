"""Each tool that counts, called as its documentation shows: an entry in, MACs and params out.

Where a tool says FLOPs and means two a multiply-accumulate, half of them is taken.
What a tool adds beside products (biases, norms, activations) stays in its number.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

import mobilenet_profiler as mp
from benchmarks.published import Published, build_network

Count = tuple[float, int | None]  # MACs and params; None where a tool does not count these


@dataclass(frozen=True)
class Tool:
    """A counter by name; package: what has to be installed for it; device: where it runs."""

    name: str
    package: str
    count: Callable[[Published, str], Count]
    device: str = "meta"

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


def count_ours(entry: Published, device: str) -> Count:
    """This package, from the source of the network; it needs no device."""
    spec = entry.make_spec()
    total = mp.trace(spec.model, entry.shape, arguments=dict(spec.options)).total
    return total.macs, total.params


def count_flop_counter(entry: Published, device: str) -> Count:
    """PyTorch's own counter."""
    from torch.utils.flop_counter import FlopCounterMode

    network, image = build_network(entry, device), torch.zeros(entry.shape, device=device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return counter.get_total_flops() / 2, None


def count_fvcore(entry: Published, device: str) -> Count:
    """fvcore, whose flop is a multiply-accumulate."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    network = build_network(entry, device)
    analysis = FlopCountAnalysis(network, torch.zeros(entry.shape, device=device))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analysis.total(), parameter_count(network)[""]


def count_thop(entry: Published, device: str) -> Count:
    """thop."""
    import thop

    network = build_network(entry, device)
    macs, params = thop.profile(
        network, inputs=(torch.zeros(entry.shape, device=device),), verbose=False
    )
    return macs, int(params)


def count_ptflops(entry: Published, device: str, backend: str) -> Count:
    """ptflops; it catches what a network raises and returns nothing then."""
    from ptflops import get_model_complexity_info

    macs, params = get_model_complexity_info(
        build_network(entry, device),
        entry.shape[1:],
        input_constructor=lambda shape: torch.zeros(1, *shape, device=device),
        as_strings=False,
        print_per_layer_stat=False,
        verbose=False,
        backend=backend,
    )
    if macs is None:
        raise RuntimeError("it returned nothing")
    return macs, params


def count_torchinfo(entry: Published, device: str) -> Count:
    """torchinfo."""
    from torchinfo import summary

    found = summary(
        build_network(entry, device), input_data=torch.zeros(entry.shape, device=device), verbose=0
    )
    return found.total_mult_adds, found.total_params


def count_calflops(entry: Published, device: str) -> Count:
    """calflops."""
    from calflops import calculate_flops

    _, macs, params = calculate_flops(
        build_network(entry, device),
        input_shape=entry.shape,
        output_as_string=False,
        print_results=False,
        print_detailed=False,
    )
    return macs, params


def count_deepspeed(entry: Published, device: str) -> Count:
    """DeepSpeed's profiler."""
    from deepspeed.profiling.flops_profiler import get_model_profile

    _, macs, params = get_model_profile(
        build_network(entry, device),
        args=[torch.zeros(entry.shape, device=device)],
        print_profile=False,
        detailed=False,
        as_string=False,
    )
    return macs, params


# On meta where that gives the tool's own number, on the CPU where it does not: PyTorch
# answers with Python functions there, which call what several tools have patched.
OURS = "mobilenet-profiler"
TOOLS = (
    Tool(OURS, "mobilenet_profiler", count_ours),
    Tool("flop_counter (meta)", "torch", count_flop_counter),
    Tool("flop_counter (CPU)", "torch", count_flop_counter, "cpu"),
    Tool("fvcore", "fvcore", count_fvcore, "cpu"),
    Tool("thop", "thop", count_thop),
    Tool("ptflops (pytorch)", "ptflops", partial(count_ptflops, backend="pytorch"), "cpu"),
    Tool("ptflops (aten)", "ptflops", partial(count_ptflops, backend="aten"), "cpu"),
    Tool("torchinfo", "torchinfo", count_torchinfo),
    Tool("calflops", "calflops", count_calflops),
    Tool("deepspeed", "deepspeed", count_deepspeed, "cpu"),
)


def find_tool(name: str) -> Tool:
    """The tool of that name."""
    return next(tool for tool in TOOLS if tool.name == name)


@contextlib.contextmanager
def silence() -> Iterator[Any]:
    """What a tool prints and logs on the way goes nowhere."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            yield text
    finally:
        logging.disable(logging.NOTSET)
