"""MobileNet V2.

Paper: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
arXiv 1801.04381, Table 2. Layers have the names of the reference, tensorflow/models,
research/slim/nets/mobilenet/mobilenet_v2.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import nn

from mobilenet_profiler.zoo.arguments import check_alpha, check_classes, check_size
from mobilenet_profiler.zoo.inverted_residual import (
    InvertedResidual,
    InvertedResidualNetwork,
    round_channels,
)
from mobilenet_profiler.zoo.layers import convolve


class Bottleneck(NamedTuple):
    """t, c, n, s of Table 2: expansion, channels, repeats, stride of the first."""

    expansion: int
    depth: int
    repeats: int
    stride: int


MOBILENET_V2_ROWS = (
    Bottleneck(1, 16, 1, 1),
    Bottleneck(6, 24, 2, 2),
    Bottleneck(6, 32, 3, 2),
    Bottleneck(6, 64, 4, 2),
    Bottleneck(6, 96, 3, 1),
    Bottleneck(6, 160, 3, 2),
    Bottleneck(6, 320, 1, 1),
)
FIRST_DEPTH = 32
LAST_DEPTH = 1280


class MobileNetV2(InvertedResidualNetwork):
    """The network.

    alpha: width multiplier; the last layer keeps its 1280 channels below 1.
    round_to: what the channels of every layer are a multiple of. num_classes:
    None or 0 for pooled features. Raises UsageError on an argument outside these.
    """

    def __init__(
        self, *, alpha: float = 1.0, round_to: int = 8, num_classes: int | None = 1000
    ) -> None:
        check_alpha(alpha)
        check_size("round_to", round_to)
        check_classes(num_classes)
        first = round_channels(FIRST_DEPTH * alpha, round_to)
        last = round_channels(LAST_DEPTH * max(1.0, alpha), round_to)
        stem = convolve(3, first, 3, 2, activation=nn.ReLU6)
        blocks = tuple(_make_blocks(first, alpha, round_to))
        after = {
            "Conv_1": convolve(blocks[-1].depth, last, 1, activation=nn.ReLU6),
            "AvgPool": nn.AdaptiveAvgPool2d(1),
        }
        super().__init__(stem, blocks, after, last, num_classes)


def _make_blocks(channels: int, alpha: float, round_to: int) -> Iterator[InvertedResidual]:
    for row in MOBILENET_V2_ROWS:
        depth = round_channels(row.depth * alpha, round_to)
        for index in range(row.repeats):
            stride = 1 if index else row.stride
            inner = channels * row.expansion
            yield InvertedResidual(channels, inner, depth, 3, stride, activation=nn.ReLU6)
            channels = depth


def mobilenet_v2(**options: Any) -> MobileNetV2:
    """MobileNet V2 (Table 2)."""
    return MobileNetV2(**options)
