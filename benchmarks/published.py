"""What torchvision says of its own networks: multiply-accumulates and parameters of each weights.

The numbers are those in the metadata of the weights (`_ops`, in G with three decimals,
and `num_params`); the weights themselves are never loaded.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from mobilenet_profiler.spec import ModelSpec, make_spec
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.packages import SEGMENTATION_SIZE, VIDEO_FRAMES
from tests.torchvision_stub import define_operators

UNIT = 1e-3  # of the last decimal that is printed, in G
_LEFT_OUT = ("quantization", "detection", "optical_flow")


@dataclass(frozen=True, slots=True)
class Published:
    """One entry: a network, the name of its weights, its input, and what is printed of it."""

    model: str
    weights: str
    family: str
    shape: tuple[int, ...]
    params: int
    gmacs: float

    @property
    def name(self) -> str:
        return f"{self.model} {self.weights}"

    @property
    def network(self) -> Hashable:
        """The same for weights of one network at one size."""
        return self.model, self.shape, self.params

    def agrees(self, macs: float | None) -> bool:
        """Whether a count is within one unit of the last decimal that is printed."""
        return macs is not None and abs(macs / 1e9 - self.gmacs) < UNIT

    def make_spec(self) -> ModelSpec:
        """The network as the weights want it, by its source."""
        arguments = {"model": self.model, "weights": self.weights}
        return make_spec("benchmarks.published:make_network", arguments=arguments)


def list_published() -> list[Published]:
    """Every classification, segmentation and video entry of the installed torchvision."""
    models = import_models()
    return [entry for name in models.list_models() for entry in _read_entries(models, name)]


def import_models() -> Any:
    """`torchvision.models`, also beside a CPU build of torch."""
    define_operators()
    from torchvision import models

    return models


def make_network(model: str, weights: str) -> nn.Module:
    """The network that an entry describes, by torchvision's own builder, loading nothing.

    The builder takes classes, sizes and auxiliary heads from the metadata of the weights.
    """
    models = import_models()
    entry = models.get_model_weights(model)[weights]
    with (
        patch.object(models.WeightsEnum, "get_state_dict", lambda *args, **options: {}),
        patch.object(nn.Module, "load_state_dict", lambda *args, **options: None),
    ):
        network: nn.Module = models.get_model(model, weights=entry)
    return network


def build_network(entry: Published, device: str) -> nn.Module:
    """The network of an entry in eval mode; on the CPU its numbers are all zero.

    Zeros cost a kernel no more than other numbers and need no initialisation.
    """
    network = build_model(entry.make_spec())
    if device == "meta":
        return network.to("meta")
    network.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.zero_()
    return network


def _read_entries(models: Any, name: str) -> Iterator[Published]:
    builder = models.get_model_builder(name)
    family = builder.__module__.removeprefix("torchvision.models.").partition(".")[0]
    if family in _LEFT_OUT:
        return
    for entry in models.get_model_weights(builder):
        meta = entry.meta
        shape = _choose_shape(family, getattr(entry.transforms, "keywords", {}))
        kind = family if family in ("segmentation", "video") else "classification"
        yield Published(name, entry.name, kind, shape, meta["num_params"], meta["_ops"])


def _choose_shape(family: str, transforms: dict[str, Any]) -> tuple[int, ...]:
    """One image or clip, of the size that the entry's transforms cut."""
    crop = transforms.get("crop_size", SEGMENTATION_SIZE)
    size = (crop, crop) if isinstance(crop, int) else tuple(crop)
    frames = (VIDEO_FRAMES,) if family == "video" else ()
    return (1, 3, *frames, *size)
