"""VGG with 11, 13, 16 and 19 layers.

Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", arXiv 1409.1556, Table 1, columns A, B, D and E. Layers have the names of
the released models: conv1_1 to conv5_4, fc6 to fc8.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import nn

from mobilenet_profiler.zoo.arguments import check_classes, check_switches
from mobilenet_profiler.zoo.layers import (
    BATCH_NORM_EPSILON,
    ImageNetwork,
    convolve,
    initialise,
)


class Stage(NamedTuple):
    """So many convolutions of 3x3 to `depth`, then a pool of 2x2 / 2."""

    convolutions: int
    depth: int


A_ROWS = (Stage(1, 64), Stage(1, 128), Stage(2, 256), Stage(2, 512), Stage(2, 512))
B_ROWS = (Stage(2, 64), Stage(2, 128), Stage(2, 256), Stage(2, 512), Stage(2, 512))
D_ROWS = (Stage(2, 64), Stage(2, 128), Stage(3, 256), Stage(3, 512), Stage(3, 512))
E_ROWS = (Stage(2, 64), Stage(2, 128), Stage(4, 256), Stage(4, 512), Stage(4, 512))
MAP = 7  # height and width that reach the first fully connected layer
HIDDEN = 4096


class VGG(ImageNetwork):
    """The network.

    batch_norm: BatchNorm after each convolution, which keeps its bias. num_classes:
    None or 0 for the last map, averaged to 7x7. Raises UsageError on an argument
    outside these.
    """

    def __init__(
        self,
        rows: Sequence[Stage],
        *,
        batch_norm: bool = False,
        num_classes: int | None = 1000,
    ) -> None:
        check_switches(batch_norm=batch_norm)
        check_classes(num_classes)
        parts: OrderedDict[str, nn.Module] = OrderedDict(_make_stages(rows, batch_norm))
        parts["pool"] = nn.AdaptiveAvgPool2d(MAP)
        if num_classes:
            parts.update(_make_classifier(rows[-1].depth, num_classes))
        super().__init__(parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's initialisation, which the paper finds good without pre-training (3.1)."""
        initialise(self, nn.init.xavier_uniform_)


def _make_stages(rows: Sequence[Stage], batch_norm: bool) -> Iterator[tuple[str, nn.Module]]:
    channels, epsilon = 3, BATCH_NORM_EPSILON if batch_norm else None
    for stage, row in enumerate(rows, 1):
        for index in range(1, row.convolutions + 1):
            conv = convolve(channels, row.depth, 3, bias=True, epsilon=epsilon)
            yield f"conv{stage}_{index}", conv
            channels = row.depth
        yield f"pool{stage}", nn.MaxPool2d(2)


def _make_classifier(channels: int, classes: int) -> Iterator[tuple[str, nn.Module]]:
    sizes = (channels * MAP * MAP, HIDDEN, HIDDEN)
    yield "flatten", nn.Flatten()
    for index in (6, 7):
        yield f"fc{index}", nn.Linear(sizes[index - 6], sizes[index - 5])
        yield f"relu{index}", nn.ReLU()
        yield f"drop{index}", nn.Dropout(0.5)
    yield "fc8", nn.Linear(HIDDEN, classes)


def vgg11(**options: Any) -> VGG:
    """VGG-11 (column A)."""
    return VGG(A_ROWS, **options)


def vgg13(**options: Any) -> VGG:
    """VGG-13 (column B)."""
    return VGG(B_ROWS, **options)


def vgg16(**options: Any) -> VGG:
    """VGG-16 (column D)."""
    return VGG(D_ROWS, **options)


def vgg19(**options: Any) -> VGG:
    """VGG-19 (column E)."""
    return VGG(E_ROWS, **options)
