"""ResNets for ImageNet and for CIFAR-10.

Paper: He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385,
Table 1 and section 4.2.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.zoo.arguments import check_classes, check_switches, is_whole
from mobilenet_profiler.zoo.layers import ImageNetwork, convolve, fill_for_relu, initialise


class Conv(NamedTuple):
    """Kernel and channels of a layer of a block."""

    kernel: int
    depth: int


class Stage(NamedTuple):
    """A row of Table 1: the layers of a block, and how many such blocks."""

    name: str
    layers: tuple[Conv, ...]
    blocks: int


RESNET_18_ROWS = (
    Stage("conv2", (Conv(3, 64), Conv(3, 64)), 2),
    Stage("conv3", (Conv(3, 128), Conv(3, 128)), 2),
    Stage("conv4", (Conv(3, 256), Conv(3, 256)), 2),
    Stage("conv5", (Conv(3, 512), Conv(3, 512)), 2),
)
RESNET_34_ROWS = (
    Stage("conv2", (Conv(3, 64), Conv(3, 64)), 3),
    Stage("conv3", (Conv(3, 128), Conv(3, 128)), 4),
    Stage("conv4", (Conv(3, 256), Conv(3, 256)), 6),
    Stage("conv5", (Conv(3, 512), Conv(3, 512)), 3),
)
RESNET_50_ROWS = (
    Stage("conv2", (Conv(1, 64), Conv(3, 64), Conv(1, 256)), 3),
    Stage("conv3", (Conv(1, 128), Conv(3, 128), Conv(1, 512)), 4),
    Stage("conv4", (Conv(1, 256), Conv(3, 256), Conv(1, 1024)), 6),
    Stage("conv5", (Conv(1, 512), Conv(3, 512), Conv(1, 2048)), 3),
)
RESNET_101_ROWS = (
    Stage("conv2", (Conv(1, 64), Conv(3, 64), Conv(1, 256)), 3),
    Stage("conv3", (Conv(1, 128), Conv(3, 128), Conv(1, 512)), 4),
    Stage("conv4", (Conv(1, 256), Conv(3, 256), Conv(1, 1024)), 23),
    Stage("conv5", (Conv(1, 512), Conv(3, 512), Conv(1, 2048)), 3),
)
RESNET_152_ROWS = (
    Stage("conv2", (Conv(1, 64), Conv(3, 64), Conv(1, 256)), 3),
    Stage("conv3", (Conv(1, 128), Conv(3, 128), Conv(1, 512)), 8),
    Stage("conv4", (Conv(1, 256), Conv(3, 256), Conv(1, 1024)), 36),
    Stage("conv5", (Conv(1, 512), Conv(3, 512), Conv(1, 2048)), 3),
)
FIRST_DEPTH = 64
CIFAR_DEPTHS = (16, 32, 64)  # of section 4.2, on maps of 32x32, 16x16, 8x8
DEEPEST = 1202


class ResNet(ImageNetwork):
    """The network.

    rows: the architecture. stride_in_1x1: a block strides in its first layer, as in the
    paper (v1), and not in its 3x3 (v1.5). conv_bias: biases on the convolutions, as in
    Keras. num_classes: None or 0 for pooled features. Raises UsageError on an argument
    outside these.
    """

    def __init__(
        self,
        rows: Sequence[Stage],
        *,
        stride_in_1x1: bool = False,
        conv_bias: bool = False,
        num_classes: int | None = 1000,
    ) -> None:
        check_switches(stride_in_1x1=stride_in_1x1, conv_bias=conv_bias)
        check_classes(num_classes)
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=convolve(3, FIRST_DEPTH, 7, 2, bias=conv_bias),
            pool1=nn.MaxPool2d(3, 2, padding=1),
        )
        parts.update(_make_stages(rows, stride_in_1x1, conv_bias))
        parts.update(_make_head(rows[-1].layers[-1].depth, num_classes))
        super().__init__(parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He's initialisation (arXiv 1502.01852), as in section 3.4."""
        initialise(self, fill_for_relu)


class CifarResNet(ImageNetwork):
    """The network of section 4.2: 6n + 2 layers, shortcuts without parameters.

    depth: 6n + 2. num_classes: None or 0 for pooled features. Raises UsageError on an
    argument outside these.
    """

    def __init__(self, *, depth: int = 20, num_classes: int | None = 10) -> None:
        _check_depth(depth)
        check_classes(num_classes)
        first, last = CIFAR_DEPTHS[0], CIFAR_DEPTHS[-1]
        parts: OrderedDict[str, nn.Module] = OrderedDict(conv1=convolve(3, first, 3))
        parts.update(_make_cifar_stages((depth - 2) // 6))
        parts.update(_make_head(last, num_classes))
        super().__init__(parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He's initialisation (arXiv 1502.01852), as in section 3.4."""
        initialise(self, fill_for_relu)


class Block(nn.Module):
    """Layers `conv1`, `conv2`, ... whose output is added to the input, or to its shortcut.

    strided: the layer that takes the stride.
    """

    def __init__(
        self,
        channels: int,
        layers: Sequence[Conv],
        stride: int,
        shortcut: nn.Module | None,
        *,
        strided: int = 0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        for index, (kernel, depth) in enumerate(layers):
            step = stride if index == strided else 1
            activation = nn.ReLU if index < len(layers) - 1 else None
            layer = convolve(channels, depth, kernel, step, bias=bias, activation=activation)
            self.add_module(f"conv{index + 1}", layer)
            channels = depth
        self.layers = len(layers)
        self.shortcut = shortcut
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        net = images
        for index in range(self.layers):
            net = self.get_submodule(f"conv{index + 1}")(net)
        net = net + (images if self.shortcut is None else self.shortcut(images))
        output: Tensor = self.relu(net)
        return output


class PaddedShortcut(nn.Module):
    """Option A: every other pixel, and zeros for the channels that are not there."""

    def __init__(self, stride: int, extra: int) -> None:
        super().__init__()
        self.stride = stride
        self.extra = extra

    def forward(self, images: Tensor) -> Tensor:
        kept = images[:, :, :: self.stride, :: self.stride]
        return functional.pad(kept, (0, 0, 0, 0, 0, self.extra))


def _make_stages(
    rows: Sequence[Stage], stride_in_1x1: bool, bias: bool
) -> Iterator[tuple[str, nn.Module]]:
    channels = FIRST_DEPTH
    for row in rows:
        depth = row.layers[-1].depth
        strided = 0 if stride_in_1x1 else [conv.kernel for conv in row.layers].index(3)
        for index in range(row.blocks):
            stride = 2 if index == 0 and row is not rows[0] else 1
            shortcut = None
            if stride != 1 or channels != depth:
                shortcut = convolve(channels, depth, 1, stride, bias=bias, activation=None)
            block = Block(channels, row.layers, stride, shortcut, strided=strided, bias=bias)
            yield f"{row.name}_{index + 1}", block
            channels = depth


def _make_cifar_stages(blocks: int) -> Iterator[tuple[str, nn.Module]]:
    channels = CIFAR_DEPTHS[0]
    for stage, depth in enumerate(CIFAR_DEPTHS, 2):
        for index in range(blocks):
            stride = 1 if depth == channels else 2
            shortcut = PaddedShortcut(stride, depth - channels) if stride != 1 else None
            layers = (Conv(3, depth), Conv(3, depth))
            yield f"conv{stage}_{index + 1}", Block(channels, layers, stride, shortcut)
            channels = depth


def _make_head(channels: int, classes: int | None) -> Iterator[tuple[str, nn.Module]]:
    yield "pool", nn.AdaptiveAvgPool2d(1)
    if classes:
        yield "flatten", nn.Flatten()
        yield "fc", nn.Linear(channels, classes)


def _check_depth(depth: Any) -> None:
    if not is_whole(depth) or not 8 <= depth <= DEEPEST or depth % 6 != 2:
        raise UsageError(
            f"depth must be 6n + 2 from 8 to {DEEPEST} (20, 32, 44, 56, 110), given {depth!r}"
        )


def resnet18(**options: Any) -> ResNet:
    """ResNet-18 (Table 1)."""
    return ResNet(RESNET_18_ROWS, **options)


def resnet34(**options: Any) -> ResNet:
    """ResNet-34 (Table 1)."""
    return ResNet(RESNET_34_ROWS, **options)


def resnet50(**options: Any) -> ResNet:
    """ResNet-50 (Table 1)."""
    return ResNet(RESNET_50_ROWS, **options)


def resnet101(**options: Any) -> ResNet:
    """ResNet-101 (Table 1)."""
    return ResNet(RESNET_101_ROWS, **options)


def resnet152(**options: Any) -> ResNet:
    """ResNet-152 (Table 1)."""
    return ResNet(RESNET_152_ROWS, **options)


def resnet_cifar(**options: Any) -> CifarResNet:
    """The ResNet of 6n + 2 layers for CIFAR-10 (section 4.2)."""
    return CifarResNet(**options)
