"""Inception V3.

Paper: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
arXiv 1512.00567, Table 1 and Figures 5 to 7. What the paper leaves open is as in
TF-slim and torchvision, and so are the names of the layers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mobilenet_profiler.zoo.auxiliary import AuxiliaryHead, AuxiliaryNetwork, check_heads
from mobilenet_profiler.zoo.layers import convolve, fill_truncated, initialise


class Conv(NamedTuple):
    """Kernel (height, width), channels, stride, and whether the size is kept by padding."""

    kernel: tuple[int, int]
    depth: int
    stride: int = 1
    padded: bool = True


class MaxPool(NamedTuple):
    """A pool of 3x3 / 2."""


class AvgPool(NamedTuple):
    """A pool of 3x3 that keeps the size."""


Layer = Conv | MaxPool | AvgPool


class Branch(NamedTuple):
    """Layers one after another; the last `ends` of them side by side."""

    layers: tuple[Layer, ...]
    ends: int = 1


Row = Layer | tuple[Branch, ...]


def draw_figure_5(pooled: int) -> tuple[Branch, ...]:
    """The module on 35x35; pooled: channels after the pool."""
    return (
        Branch((Conv((1, 1), 64),)),
        Branch((Conv((1, 1), 48), Conv((5, 5), 64))),
        Branch((Conv((1, 1), 64), Conv((3, 3), 96), Conv((3, 3), 96))),
        Branch((AvgPool(), Conv((1, 1), pooled))),
    )


def draw_figure_6(inner: int) -> tuple[Branch, ...]:
    """The module on 17x17, n = 7; inner: channels of the factorised layers."""
    row, column = Conv((1, 7), inner), Conv((7, 1), inner)
    return (
        Branch((Conv((1, 1), 192),)),
        Branch((Conv((1, 1), inner), row, Conv((7, 1), 192))),
        Branch((Conv((1, 1), inner), column, row, column, Conv((1, 7), 192))),
        Branch((AvgPool(), Conv((1, 1), 192))),
    )


FIGURE_7 = (
    Branch((Conv((1, 1), 320),)),
    Branch((Conv((1, 1), 384), Conv((1, 3), 384), Conv((3, 1), 384)), ends=2),
    Branch((Conv((1, 1), 448), Conv((3, 3), 384), Conv((1, 3), 384), Conv((3, 1), 384)), ends=2),
    Branch((AvgPool(), Conv((1, 1), 192))),
)
TO_17X17 = (
    Branch((Conv((3, 3), 384, 2, padded=False),)),
    Branch((Conv((1, 1), 64), Conv((3, 3), 96), Conv((3, 3), 96, 2, padded=False))),
    Branch((MaxPool(),)),
)
TO_8X8 = (
    Branch((Conv((1, 1), 192), Conv((3, 3), 320, 2, padded=False))),
    Branch(
        (
            Conv((1, 1), 192),
            Conv((1, 7), 192),
            Conv((7, 1), 192),
            Conv((3, 3), 192, 2, padded=False),
        )
    ),
    Branch((MaxPool(),)),
)
INCEPTION_V3_ROWS: dict[str, Row] = {
    "Conv2d_1a_3x3": Conv((3, 3), 32, 2, padded=False),
    "Conv2d_2a_3x3": Conv((3, 3), 32, padded=False),
    "Conv2d_2b_3x3": Conv((3, 3), 64),
    "MaxPool_3a_3x3": MaxPool(),
    "Conv2d_3b_1x1": Conv((1, 1), 80),
    "Conv2d_4a_3x3": Conv((3, 3), 192, padded=False),
    "MaxPool_5a_3x3": MaxPool(),
    "Mixed_5b": draw_figure_5(pooled=32),
    "Mixed_5c": draw_figure_5(pooled=64),
    "Mixed_5d": draw_figure_5(pooled=64),
    "Mixed_6a": TO_17X17,
    "Mixed_6b": draw_figure_6(inner=128),
    "Mixed_6c": draw_figure_6(inner=160),
    "Mixed_6d": draw_figure_6(inner=160),
    "Mixed_6e": draw_figure_6(inner=192),
    "Mixed_7a": TO_8X8,
    "Mixed_7b": FIGURE_7,
    "Mixed_7c": FIGURE_7,
}
HEAD_AFTER = "Mixed_6e"
BATCH_NORM_EPSILON = 1e-3
WEIGHT_STDDEV = 0.1
DROPOUT = 0.5


class InceptionV3(AuxiliaryNetwork):
    """The network.

    aux_heads: the auxiliary classifier of section 4; it runs in training alone.
    num_classes: None or 0 for pooled features. Raises UsageError on an argument
    outside these.
    """

    def __init__(self, *, aux_heads: bool = False, num_classes: int | None = 1000) -> None:
        check_heads(aux_heads, num_classes)
        heads = num_classes if aux_heads else None
        body = OrderedDict(_make_body(heads))
        body["AvgPool"] = nn.AdaptiveAvgPool2d(1)
        if num_classes:
            body["Dropout"] = nn.Dropout(DROPOUT)
            body["Flatten"] = nn.Flatten()
            body["Logits"] = nn.Linear(count_channels(FIGURE_7, 0), num_classes)
        super().__init__(body)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Truncated normal with a deviation of 0.1."""
        initialise(self, fill_truncated(WEIGHT_STDDEV))


class Mixed(nn.Module):
    """Branches side by side."""

    def __init__(self, channels: int, branches: tuple[Branch, ...]) -> None:
        super().__init__()
        for index, branch in enumerate(branches):
            self.add_module(f"Branch_{index}", MixedBranch(channels, branch))

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([branch(images) for branch in self.children()], 1)


class MixedBranch(nn.Sequential):
    """Layers one after another, `Conv2d_0a_1x1` first; the last ones side by side."""

    def __init__(self, channels: int, branch: Branch) -> None:
        super().__init__()
        self.ends = branch.ends
        straight = len(branch.layers) - branch.ends
        for index, layer in enumerate(branch.layers):
            name = name_layer(layer, "abcde"[index])
            self.add_module(name, _make_layer(layer, channels))
            if index < straight:
                channels = count_channels(layer, channels)

    def forward(self, images: Tensor) -> Tensor:
        layers = list(self)
        for layer in layers[: -self.ends]:
            images = layer(images)
        ends = [layer(images) for layer in layers[-self.ends :]]
        return torch.cat(ends, 1) if len(ends) > 1 else ends[0]


def name_layer(layer: Layer, letter: str) -> str:
    """The name that TF-slim gives a layer of a branch."""
    kind = "Conv2d" if isinstance(layer, Conv) else type(layer).__name__
    height, width = getattr(layer, "kernel", (3, 3))
    return f"{kind}_0{letter}_{height}x{width}"


def count_channels(row: Row, channels: int) -> int:
    """Channels after a row that takes so many."""
    match row:
        case Conv():
            return row.depth
        case MaxPool() | AvgPool():
            return channels
    return sum(
        count_channels(end, channels) for branch in row for end in branch.layers[-branch.ends :]
    )


def _make_body(heads: int | None) -> Iterator[tuple[str, nn.Module]]:
    """The rows as layers; heads: classes of the auxiliary classifier, if there is one."""
    channels = 3
    for name, row in INCEPTION_V3_ROWS.items():
        yield name, _make_layer(row, channels)
        channels = count_channels(row, channels)
        if heads and name == HEAD_AFTER:
            yield "AuxLogits", _make_head(channels, heads)


def _make_layer(row: Row, channels: int) -> nn.Module:
    match row:
        case Conv():
            return _convolve(channels, *row)
        case MaxPool():
            return nn.MaxPool2d(3, 2)
        case AvgPool():
            return nn.AvgPool2d(3, 1, padding=1)
    return Mixed(channels, row)


def _make_head(channels: int, classes: int) -> AuxiliaryHead:
    return AuxiliaryHead(
        OrderedDict(
            AvgPool_1a_5x5=nn.AvgPool2d(5, 3),
            Conv2d_1b_1x1=_convolve(channels, (1, 1), 128, 1),
            Conv2d_2a_5x5=_convolve(128, (5, 5), 768, 1, padded=False),
            AvgPool=nn.AdaptiveAvgPool2d(1),
            Flatten=nn.Flatten(),
            Logits=nn.Linear(768, classes),
        )
    )


def _convolve(
    channels: int, kernel: tuple[int, int], depth: int, stride: int, padded: bool = True
) -> nn.Module:
    padding = None if padded else 0
    return convolve(channels, depth, kernel, stride, padding=padding, epsilon=BATCH_NORM_EPSILON)


def inception_v3(*, aux_heads: bool = False, num_classes: int | None = 1000) -> InceptionV3:
    """Inception V3 (Table 1)."""
    return InceptionV3(aux_heads=aux_heads, num_classes=num_classes)
