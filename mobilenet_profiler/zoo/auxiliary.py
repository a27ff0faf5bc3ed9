"""Auxiliary classifiers: heads that look on while a network trains."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.zoo.arguments import check_classes, check_images, check_switches


class TrainingOutput(NamedTuple):
    """What the loss is made of: the logits, and those of each auxiliary head in order."""

    logits: Tensor
    auxiliary: tuple[Tensor, ...]


class AuxiliaryHead(nn.Sequential):
    """A classifier on a map inside the network; it runs in training alone."""


class AuxiliaryNetwork(nn.Sequential):
    """Named parts, one after another; a head among them takes the map and hands it on."""

    def forward(self, images: Tensor) -> Tensor | TrainingOutput:
        """Logits, or pooled features; a `TrainingOutput` where there are heads to train."""
        check_images(images)
        auxiliary = []
        for part in self:
            if not isinstance(part, AuxiliaryHead):
                images = part(images)
            elif self.training:
                auxiliary.append(part(images))
        return TrainingOutput(images, tuple(auxiliary)) if auxiliary else images


def check_heads(aux_heads: Any, num_classes: Any) -> None:
    """Auxiliary heads classify: they need classes."""
    check_switches(aux_heads=aux_heads)
    check_classes(num_classes)
    if aux_heads and not num_classes:
        raise UsageError(f"aux_heads need num_classes of at least 1, given {num_classes}")
