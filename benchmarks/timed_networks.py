"""The networks whose time is measured, and how long each benchmark takes over them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.spec import ModelSpec, make_spec
from mobilenet_profiler.timing.clocks import make_clock
from mobilenet_profiler.trace.build import build_model


@dataclass(frozen=True)
class Network:
    """A network of the zoo. iterations: passes that take a few seconds on a CPU."""

    name: str
    iterations: int
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> ModelSpec:
        return make_spec(self.name, **self.options)

    @property
    def label(self) -> str:
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.options.items())])

    def build(self, device: str) -> tuple[nn.Module, Tensor]:
        """The network on the device, to evaluate, and an image for it."""
        spec = self.spec
        numbers = torch.Generator().manual_seed(0)
        image = torch.rand(spec.input_shape, generator=numbers)
        return build_model(spec, device="cpu").to(device), image.to(device)


# The last one has the least work in each of its layers, where instruments weigh most.
NETWORKS = (
    Network("mobilenet_v1", 200),
    Network("resnet50", 50),
    Network("mobilenet_v1", 500, {"alpha": 0.25, "resolution": 128}),
)
LABELS = {network.label: network for network in NETWORKS}


def make_pass(network: Network, device: str) -> Callable[[], None]:
    """A plain forward pass without gradients, until the device is idle; it has run before."""
    module, image = network.build(device)
    wait = make_clock(device).wait

    def run() -> None:
        with torch.no_grad():
            module(image)
        wait()

    for _ in range(3):
        run()
    return run


def describe_estimate(estimate: Estimate, scale: float = 1.0, unit: str = "") -> str:
    """A median with its interval: '29.71 ms (29.50 to 30.02)'. scale: into the unit."""
    scaled = estimate.scale(scale)
    return f"{scaled.value:.3f}{unit} ({scaled.low:.3f} to {scaled.high:.3f})"


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark of time has."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="in seconds, to see that it works")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=int, help="of one operation on the CPU")
    return parser


def read_arguments(description: str | None) -> argparse.Namespace:
    """The command line; PyTorch takes the threads that it asks for."""
    arguments = make_parser(description).parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return arguments
