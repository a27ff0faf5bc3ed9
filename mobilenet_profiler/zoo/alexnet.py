"""AlexNet, in one tower and as it was first trained, in two.

Papers: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", NIPS 2012, section 3 (grouped convolutions, local
response normalisation); Krizhevsky, "One weird trick for parallelizing convolutional
neural networks", arXiv 1404.5997, section 3 (one tower). Layers have the names of Caffe.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import nn

from mobilenet_profiler.zoo.arguments import check_classes
from mobilenet_profiler.zoo.layers import FlattenMap, ImageNetwork, initialise


class Conv(NamedTuple):
    """Kernel, channels, stride, padding, groups; then normalisation, then a pool of 3x3 / 2."""

    kernel: int
    depth: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    normalised: bool = False
    pooled: bool = False


ONE_TOWER_ROWS = (
    Conv(11, 64, 4, 2, pooled=True),
    Conv(5, 192, 1, 2, pooled=True),
    Conv(3, 384, 1, 1),
    Conv(3, 256, 1, 1),
    Conv(3, 256, 1, 1, pooled=True),
)
GROUPED_ROWS = (
    Conv(11, 96, 4, 0, normalised=True, pooled=True),
    Conv(5, 256, 1, 2, groups=2, normalised=True, pooled=True),
    Conv(3, 384, 1, 1),
    Conv(3, 384, 1, 1, groups=2),
    Conv(3, 256, 1, 1, groups=2, pooled=True),
)
MAP = 6  # height and width that reach the first fully connected layer
HIDDEN = 4096
NEIGHBOURS = 5  # n of section 3.3
WEIGHT_STDDEV = 0.01


class AlexNet(ImageNetwork):
    """The network.

    rows: the convolutions. adaptive: average the last map to 6x6 whatever the size of
    the image; without, only images that lead to 6x6 are taken. num_classes: None or 0
    for the last map. Raises UsageError on an argument outside these.
    """

    def __init__(
        self, rows: Sequence[Conv], *, adaptive: bool, num_classes: int | None = 1000
    ) -> None:
        check_classes(num_classes)
        parts: OrderedDict[str, nn.Module] = OrderedDict(_make_convolutions(rows))
        if adaptive:
            parts["pool"] = nn.AdaptiveAvgPool2d(MAP)
        if num_classes:
            parts.update(_make_classifier(rows[-1].depth, num_classes))
        super().__init__(parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal with a deviation of 0.01, as the paper has it (section 5).

        The paper starts the biases of some layers at 1; here all start at zero.
        """
        initialise(self, lambda kernel: nn.init.normal_(kernel, std=WEIGHT_STDDEV))


def _make_convolutions(rows: Sequence[Conv]) -> Iterator[tuple[str, nn.Module]]:
    channels = 3
    for index, row in enumerate(rows, 1):
        kernel, depth, stride, padding, groups, normalised, pooled = row
        yield f"conv{index}", nn.Conv2d(channels, depth, kernel, stride, padding, groups=groups)
        yield f"relu{index}", nn.ReLU()
        if normalised:
            yield f"norm{index}", make_response_norm()
        if pooled:
            yield f"pool{index}", nn.MaxPool2d(3, 2)
        channels = depth


def make_response_norm() -> nn.Module:
    """Section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75; PyTorch divides alpha by n."""
    return nn.LocalResponseNorm(NEIGHBOURS, alpha=NEIGHBOURS * 1e-4, beta=0.75, k=2.0)


def _make_classifier(channels: int, classes: int) -> Iterator[tuple[str, nn.Module]]:
    sizes = (channels * MAP * MAP, HIDDEN, HIDDEN, classes)
    yield "flatten", FlattenMap(MAP, "use resolution 227, or num_classes = 0")
    for index in (6, 7):
        yield f"drop{index}", nn.Dropout(0.5)
        yield f"fc{index}", nn.Linear(sizes[index - 6], sizes[index - 5])
        yield f"relu{index}", nn.ReLU()
    yield "fc8", nn.Linear(HIDDEN, classes)


def alexnet(*, num_classes: int | None = 1000) -> AlexNet:
    """AlexNet in one tower (arXiv 1404.5997)."""
    return AlexNet(ONE_TOWER_ROWS, adaptive=True, num_classes=num_classes)


def alexnet_grouped(*, num_classes: int | None = 1000) -> AlexNet:
    """AlexNet as of 2012: two groups, normalised responses, images of 227x227."""
    return AlexNet(GROUPED_ROWS, adaptive=False, num_classes=num_classes)
