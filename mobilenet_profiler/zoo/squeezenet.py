"""SqueezeNet 1.0 and 1.1.

Paper: Iandola et al., "SqueezeNet", arXiv 1602.07360, Table 1. Version 1.1 is the
authors' own, https://github.com/forresti/SqueezeNet. Layers have the paper's names. The maps
of Table 1 (111x111 first) are those of images of 227 pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mobilenet_profiler.zoo.arguments import check_classes
from mobilenet_profiler.zoo.layers import ImageNetwork, initialise


class Conv(NamedTuple):
    """A convolution: name, kernel, stride, channels."""

    name: str
    kernel: int
    stride: int
    depth: int


class MaxPool(NamedTuple):
    """A pool of 3x3 / 2 whose windows may reach over the edge."""

    name: str


class Fire(NamedTuple):
    """Channels of the 1x1 that squeezes, and of the 1x1 and the 3x3 that expand."""

    name: str
    squeeze: int
    expand: int


Row = Conv | MaxPool | Fire

SQUEEZENET_1_0_ROWS: tuple[Row, ...] = (
    Conv("conv1", 7, 2, 96),
    MaxPool("maxpool1"),
    Fire("fire2", 16, 64),
    Fire("fire3", 16, 64),
    Fire("fire4", 32, 128),
    MaxPool("maxpool4"),
    Fire("fire5", 32, 128),
    Fire("fire6", 48, 192),
    Fire("fire7", 48, 192),
    Fire("fire8", 64, 256),
    MaxPool("maxpool8"),
    Fire("fire9", 64, 256),
)
SQUEEZENET_1_1_ROWS: tuple[Row, ...] = (
    Conv("conv1", 3, 2, 64),
    MaxPool("maxpool1"),
    Fire("fire2", 16, 64),
    Fire("fire3", 16, 64),
    MaxPool("maxpool3"),
    Fire("fire4", 32, 128),
    Fire("fire5", 32, 128),
    MaxPool("maxpool5"),
    Fire("fire6", 48, 192),
    Fire("fire7", 48, 192),
    Fire("fire8", 64, 256),
    Fire("fire9", 64, 256),
)
LAST_STDDEV = 0.01


class SqueezeNet(ImageNetwork):
    """The network.

    rows: the architecture. num_classes: None or 0 for the pooled features of the last
    fire module. Raises UsageError on an argument outside these.
    """

    def __init__(self, rows: Sequence[Row], *, num_classes: int | None = 1000) -> None:
        check_classes(num_classes)
        parts: OrderedDict[str, nn.Module] = OrderedDict(_make_body(rows))
        last = 2 * next(row.expand for row in reversed(rows) if isinstance(row, Fire))
        if num_classes:
            parts["drop9"] = nn.Dropout(0.5)
            parts["conv10"] = nn.Conv2d(last, num_classes, 1)
            parts["relu10"] = nn.ReLU()
        parts["avgpool10"] = nn.AdaptiveAvgPool2d(1)
        if num_classes:
            parts["flatten"] = nn.Flatten()
        super().__init__(parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As released: uniform, but the last convolution normal with a deviation of 0.01."""
        initialise(self, nn.init.xavier_uniform_)
        last = getattr(self, "conv10", None)
        if last is not None:
            nn.init.normal_(last.weight, std=LAST_STDDEV)


class FireModule(nn.Module):
    """Squeeze with a 1x1, expand with a 1x1 and a 3x3 side by side (Figure 1)."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        squeezed = self.relu(self.squeeze1x1(images))
        expanded = self.expand1x1(squeezed), self.expand3x3(squeezed)
        output: Tensor = self.relu(torch.cat(expanded, 1))
        return output


def _make_body(rows: Sequence[Row]) -> Iterator[tuple[str, nn.Module]]:
    channels = 3
    for row in rows:
        if isinstance(row, Conv):
            yield row.name, nn.Conv2d(channels, row.depth, row.kernel, row.stride)
            yield row.name.replace("conv", "relu"), nn.ReLU()
            channels = row.depth
        elif isinstance(row, Fire):
            yield row.name, FireModule(channels, row.squeeze, row.expand)
            channels = 2 * row.expand
        else:
            yield row.name, nn.MaxPool2d(3, 2, ceil_mode=True)


def squeezenet1_0(*, num_classes: int | None = 1000) -> SqueezeNet:
    """SqueezeNet 1.0 (Table 1)."""
    return SqueezeNet(SQUEEZENET_1_0_ROWS, num_classes=num_classes)


def squeezenet1_1(*, num_classes: int | None = 1000) -> SqueezeNet:
    """SqueezeNet 1.1: pools earlier, 349.15 M multiply-accumulates against 818.92 M of 1.0."""
    return SqueezeNet(SQUEEZENET_1_1_ROWS, num_classes=num_classes)
