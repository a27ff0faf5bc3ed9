"""GoogLeNet, as published and with BatchNorm.

Paper: Szegedy et al., "Going Deeper with Convolutions", arXiv 1409.4842, Table 1.
Layers have the names of the table's columns. The form with BatchNorm is that of
TF-slim and torchvision: no biases, no response normalisation, a last pool of 2x2, and
the branch that is called 5x5 convolves with 3x3.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mobilenet_profiler.zoo.arguments import check_switches
from mobilenet_profiler.zoo.auxiliary import AuxiliaryHead, AuxiliaryNetwork, check_heads
from mobilenet_profiler.zoo.layers import FlattenMap, convolve, initialise


class Conv(NamedTuple):
    """A convolution: name, kernel, stride, channels."""

    name: str
    kernel: int
    stride: int
    depth: int


class MaxPool(NamedTuple):
    """A pool with stride 2 whose windows may reach over the edge."""

    name: str
    kernel: int = 3


class ResponseNorm(NamedTuple):
    """Local response normalisation."""

    name: str


class Inception(NamedTuple):
    """#1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj of Table 1."""

    name: str
    ones: int
    reduce3: int
    threes: int
    reduce5: int
    fives: int
    pooled: int

    @property
    def depth(self) -> int:
        """Channels of the four branches together."""
        return self.ones + self.threes + self.fives + self.pooled


Row = Conv | MaxPool | ResponseNorm | Inception

LAST_ROW = Inception("inception_5b", 384, 192, 384, 48, 128, 128)
GOOGLENET_ROWS: tuple[Row, ...] = (
    Conv("conv1", 7, 2, 64),
    MaxPool("pool1"),
    ResponseNorm("norm1"),
    Conv("conv2_reduce", 1, 1, 64),
    Conv("conv2", 3, 1, 192),
    ResponseNorm("norm2"),
    MaxPool("pool2"),
    Inception("inception_3a", 64, 96, 128, 16, 32, 32),
    Inception("inception_3b", 128, 128, 192, 32, 96, 64),
    MaxPool("pool3"),
    Inception("inception_4a", 192, 96, 208, 16, 48, 64),
    Inception("inception_4b", 160, 112, 224, 24, 64, 64),
    Inception("inception_4c", 128, 128, 256, 24, 64, 64),
    Inception("inception_4d", 112, 144, 288, 32, 64, 64),
    Inception("inception_4e", 256, 160, 320, 32, 128, 128),
    MaxPool("pool4"),
    Inception("inception_5a", 256, 160, 320, 32, 128, 128),
    LAST_ROW,
)
BATCH_NORM_ROWS: tuple[Row, ...] = tuple(
    MaxPool("pool4", 2) if row == MaxPool("pool4") else row
    for row in GOOGLENET_ROWS
    if not isinstance(row, ResponseNorm)
)
HEADS = {"inception_4a": "aux1", "inception_4d": "aux2"}  # section 5
HEAD_MAP, HEAD_DEPTH, HEAD_HIDDEN = 4, 128, 1024
BATCH_NORM_EPSILON = 1e-3
DROPOUT, HEAD_DROPOUT = 0.4, 0.7


class GoogLeNet(AuxiliaryNetwork):
    """The network.

    batch_norm: the form with BatchNorm instead of the paper's. aux_heads: the two
    auxiliary classifiers; they run in training alone. num_classes: None or 0 for
    pooled features. Raises UsageError on an argument outside these.
    """

    def __init__(
        self,
        *,
        batch_norm: bool = False,
        aux_heads: bool = False,
        num_classes: int | None = 1000,
    ) -> None:
        check_switches(batch_norm=batch_norm)
        check_heads(aux_heads, num_classes)
        heads = num_classes if aux_heads else None
        parts: OrderedDict[str, nn.Module] = OrderedDict(_make_body(batch_norm, heads))
        parts["pool5"] = nn.AdaptiveAvgPool2d(1)
        if num_classes:
            parts["flatten"] = nn.Flatten()
            parts["drop"] = nn.Dropout(DROPOUT)
            parts["fc"] = nn.Linear(LAST_ROW.depth, num_classes)
        super().__init__(parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's initialisation; the paper names none."""
        initialise(self, nn.init.xavier_uniform_)


class InceptionModule(nn.Module):
    """Four branches side by side (Figure 2b)."""

    def __init__(self, channels: int, row: Inception, batch_norm: bool) -> None:
        super().__init__()
        self.conv1x1 = _convolve(channels, row.ones, 1, 1, batch_norm)
        self.reduce3x3 = _convolve(channels, row.reduce3, 1, 1, batch_norm)
        self.conv3x3 = _convolve(row.reduce3, row.threes, 3, 1, batch_norm)
        self.reduce5x5 = _convolve(channels, row.reduce5, 1, 1, batch_norm)
        kernel = 3 if batch_norm else 5
        self.conv5x5 = _convolve(row.reduce5, row.fives, kernel, 1, batch_norm)
        self.pool = nn.MaxPool2d(3, 1, padding=1)
        self.pool_proj = _convolve(channels, row.pooled, 1, 1, batch_norm)

    def forward(self, images: Tensor) -> Tensor:
        branches = (
            self.conv1x1(images),
            self.conv3x3(self.reduce3x3(images)),
            self.conv5x5(self.reduce5x5(images)),
            self.pool_proj(self.pool(images)),
        )
        return torch.cat(branches, 1)


def _make_body(batch_norm: bool, heads: int | None) -> Iterator[tuple[str, nn.Module]]:
    """The rows as layers; heads: classes of the auxiliary classifiers, if there are any."""
    channels = 3
    for row in BATCH_NORM_ROWS if batch_norm else GOOGLENET_ROWS:
        yield row.name, _make_row(row, channels, batch_norm)
        channels = getattr(row, "depth", channels)
        if heads and row.name in HEADS:
            yield HEADS[row.name], _make_head(channels, heads, batch_norm)


def _make_row(row: Row, channels: int, batch_norm: bool) -> nn.Module:
    match row:
        case Conv():
            return _convolve(channels, row.depth, row.kernel, row.stride, batch_norm)
        case Inception():
            return InceptionModule(channels, row, batch_norm)
        case MaxPool():
            return nn.MaxPool2d(row.kernel, 2, ceil_mode=True)
        case ResponseNorm():
            return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)


def _make_head(channels: int, classes: int, batch_norm: bool) -> AuxiliaryHead:
    """Section 5: pool to 4x4, a 1x1 to 128 channels, two fully connected layers."""
    pool = nn.AdaptiveAvgPool2d(HEAD_MAP) if batch_norm else nn.AvgPool2d(5, 3)
    flatten = FlattenMap(HEAD_MAP, "use resolution 224, or aux_heads = false")
    return AuxiliaryHead(
        OrderedDict(
            pool=pool,
            conv=_convolve(channels, HEAD_DEPTH, 1, 1, batch_norm),
            flatten=flatten,
            fc1=nn.Linear(HEAD_DEPTH * HEAD_MAP**2, HEAD_HIDDEN),
            relu=nn.ReLU(),
            drop=nn.Dropout(HEAD_DROPOUT),
            fc2=nn.Linear(HEAD_HIDDEN, classes),
        )
    )


def _convolve(channels: int, depth: int, kernel: int, stride: int, batch_norm: bool) -> nn.Module:
    epsilon = BATCH_NORM_EPSILON if batch_norm else None
    return convolve(channels, depth, kernel, stride, bias=not batch_norm, epsilon=epsilon)


def googlenet(
    *, batch_norm: bool = False, aux_heads: bool = False, num_classes: int | None = 1000
) -> GoogLeNet:
    """GoogLeNet (Table 1)."""
    return GoogLeNet(batch_norm=batch_norm, aux_heads=aux_heads, num_classes=num_classes)
