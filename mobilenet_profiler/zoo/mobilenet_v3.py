"""MobileNet V3, large and small, and the variant for the Edge TPU.

Paper: Howard et al., "Searching for MobileNetV3", arXiv 1905.02244, Tables 1 and 2.
Layers have the names of the reference, tensorflow/models,
research/slim/nets/mobilenet/mobilenet_v3.py, where the Edge TPU's network and the
minimalistic form are too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import nn

from mobilenet_profiler.zoo.arguments import check_alpha, check_classes, check_switches
from mobilenet_profiler.zoo.inverted_residual import (
    InvertedResidual,
    InvertedResidualNetwork,
    round_channels,
)
from mobilenet_profiler.zoo.layers import convolve

RE, HS = nn.ReLU, nn.Hardswish


class Bneck(NamedTuple):
    """A row of Tables 1 and 2: kernel, exp size, #out, SE, NL, s."""

    kernel: int
    expanded: int
    depth: int
    squeeze: bool
    activation: type[nn.Module]
    stride: int


class EdgeBneck(NamedTuple):
    """A row of the Edge TPU's network: expansion of the input, and whether it is fused."""

    kernel: int
    expansion: int
    depth: int
    stride: int
    fused: bool = False
    residual: bool = True


LARGE_ROWS = (
    Bneck(3, 16, 16, False, RE, 1),
    Bneck(3, 64, 24, False, RE, 2),
    Bneck(3, 72, 24, False, RE, 1),
    Bneck(5, 72, 40, True, RE, 2),
    Bneck(5, 120, 40, True, RE, 1),
    Bneck(5, 120, 40, True, RE, 1),
    Bneck(3, 240, 80, False, HS, 2),
    Bneck(3, 200, 80, False, HS, 1),
    Bneck(3, 184, 80, False, HS, 1),
    Bneck(3, 184, 80, False, HS, 1),
    Bneck(3, 480, 112, True, HS, 1),
    Bneck(3, 672, 112, True, HS, 1),
    Bneck(5, 672, 160, True, HS, 2),
    Bneck(5, 960, 160, True, HS, 1),
    Bneck(5, 960, 160, True, HS, 1),
)
LARGE_LAST = (960, 1280)
SMALL_ROWS = (
    Bneck(3, 16, 16, True, RE, 2),
    Bneck(3, 72, 24, False, RE, 2),
    Bneck(3, 88, 24, False, RE, 1),
    Bneck(5, 96, 40, True, HS, 2),
    Bneck(5, 240, 40, True, HS, 1),
    Bneck(5, 240, 40, True, HS, 1),
    Bneck(5, 120, 48, True, HS, 1),
    Bneck(5, 144, 48, True, HS, 1),
    Bneck(5, 288, 96, True, HS, 2),
    Bneck(5, 576, 96, True, HS, 1),
    Bneck(5, 576, 96, True, HS, 1),
)
SMALL_LAST = (576, 1024)
EDGE_TPU_ROWS = (
    EdgeBneck(3, 1, 16, 1, fused=True),
    EdgeBneck(3, 8, 32, 2, fused=True),
    *(EdgeBneck(3, 4, 32, 1, fused=True),) * 3,
    EdgeBneck(3, 8, 48, 2, fused=True),
    *(EdgeBneck(3, 4, 48, 1, fused=True),) * 3,
    EdgeBneck(3, 8, 96, 2),
    *(EdgeBneck(3, 4, 96, 1),) * 3,
    EdgeBneck(3, 8, 96, 1, residual=False),
    *(EdgeBneck(3, 4, 96, 1),) * 3,
    EdgeBneck(5, 8, 160, 2),
    *(EdgeBneck(5, 4, 160, 1),) * 3,
    EdgeBneck(3, 8, 192, 1),
)
FIRST_DEPTH = 16
EDGE_TPU_FIRST_DEPTH = 32
EDGE_TPU_LAST_DEPTH = 1280
BATCH_NORM_EPSILON = 1e-3


class MobileNetV3(InvertedResidualNetwork):
    """The network.

    rows, last: the architecture, and the channels of the layers before and after the
    pool. alpha: width multiplier; the layer after the pool keeps its channels below 1,
    as in the checkpoints of 0.75. minimalistic: no squeeze and excite, kernels of 3x3,
    ReLU. num_classes: None or 0 for pooled features. Raises UsageError on an argument
    outside these.
    """

    def __init__(
        self,
        rows: Sequence[Bneck],
        last: tuple[int, int],
        *,
        alpha: float = 1.0,
        minimalistic: bool = False,
        num_classes: int | None = 1000,
    ) -> None:
        check_alpha(alpha)
        check_switches(minimalistic=minimalistic)
        check_classes(num_classes)
        activation = RE if minimalistic else HS
        rows = [simplify(row) for row in rows] if minimalistic else rows
        first, before = round_channels(FIRST_DEPTH * alpha), round_channels(last[0] * alpha)
        after = round_channels(last[1] * max(1.0, alpha))
        blocks = tuple(_make_blocks(rows, first, alpha))
        layers = {
            "Conv_1": _convolve(blocks[-1].depth, before, 1, 1, activation),
            "AvgPool": nn.AdaptiveAvgPool2d(1),
        }
        if num_classes:
            layers["Conv_2"] = convolve(
                before, after, 1, bias=True, epsilon=None, activation=activation
            )
        stem = _convolve(3, first, 3, 2, activation)
        super().__init__(stem, blocks, layers, after, num_classes)


class MobileNetEdgeTPU(InvertedResidualNetwork):
    """The network.

    alpha: width multiplier; the last layer keeps its 1280 channels below 1.
    num_classes: None or 0 for pooled features.
    """

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = 1000) -> None:
        check_alpha(alpha)
        check_classes(num_classes)
        first = round_channels(EDGE_TPU_FIRST_DEPTH * alpha)
        last = round_channels(EDGE_TPU_LAST_DEPTH * max(1.0, alpha))
        blocks = tuple(_make_edge_blocks(first, alpha))
        after = {
            "Conv_1": _convolve(blocks[-1].depth, last, 1, 1, RE),
            "AvgPool": nn.AdaptiveAvgPool2d(1),
        }
        super().__init__(_convolve(3, first, 3, 2, RE), blocks, after, last, num_classes)


def simplify(row: Bneck) -> Bneck:
    """The row of the minimalistic form."""
    return row._replace(kernel=3, squeeze=False, activation=RE)


def _make_blocks(rows: Sequence[Bneck], channels: int, alpha: float) -> Iterator[InvertedResidual]:
    """The reference scales what a block takes and gives, and expands by the ratio of the paper."""
    unscaled = FIRST_DEPTH
    for row in rows:
        depth = round_channels(row.depth * alpha)
        yield InvertedResidual(
            channels,
            round_channels(channels * (row.expanded / unscaled)),
            depth,
            row.kernel,
            row.stride,
            activation=row.activation,
            epsilon=BATCH_NORM_EPSILON,
            squeeze=row.squeeze,
        )
        channels, unscaled = depth, row.depth


def _make_edge_blocks(channels: int, alpha: float) -> Iterator[InvertedResidual]:
    for row in EDGE_TPU_ROWS:
        depth = round_channels(row.depth * alpha)
        yield InvertedResidual(
            channels,
            channels * row.expansion,
            depth,
            row.kernel,
            row.stride,
            activation=RE,
            epsilon=BATCH_NORM_EPSILON,
            fused=row.fused,
            residual=row.residual,
        )
        channels = depth


def _convolve(
    channels: int, depth: int, kernel: int, stride: int, activation: type[nn.Module]
) -> nn.Module:
    return convolve(
        channels, depth, kernel, stride, epsilon=BATCH_NORM_EPSILON, activation=activation
    )


def mobilenet_v3_large(**options: Any) -> MobileNetV3:
    """MobileNet V3-Large (Table 1)."""
    return MobileNetV3(LARGE_ROWS, LARGE_LAST, **options)


def mobilenet_v3_small(**options: Any) -> MobileNetV3:
    """MobileNet V3-Small (Table 2)."""
    return MobileNetV3(SMALL_ROWS, SMALL_LAST, **options)


def mobilenet_edgetpu(**options: Any) -> MobileNetEdgeTPU:
    """The network for the Edge TPU (the reference's V3_EDGETPU)."""
    return MobileNetEdgeTPU(**options)
