"""The block that MobileNet V2, V3 and EdgeTPU are made of, with the names of TF-slim.

Paper: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
arXiv 1801.04381, section 3.3; squeeze and excite as in arXiv 1905.02244, section 5.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from mobilenet_profiler.zoo.layers import (
    BATCH_NORM_EPSILON,
    ImageNetwork,
    convolve,
    fill_truncated,
    initialise,
)

SQUEEZE_FACTOR = 4
WEIGHT_STDDEV = 0.09
DROPOUT = 0.2


def round_channels(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, at least one, and never below 90% of what is asked."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class SqueezeExcite(nn.Module):
    """Scale each channel by what two 1x1 convolutions say of the pooled map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = round_channels(channels / SQUEEZE_FACTOR)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.Conv = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU()
        self.Conv_1 = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, images: Tensor) -> Tensor:
        squeezed = self.relu(self.Conv(self.pool(images)))
        output: Tensor = images * self.gate(self.Conv_1(squeezed))
        return output


class InvertedResidual(nn.Sequential):
    """Expand, filter each channel, squeeze and excite, project; add the input where it fits.

    inner: channels between; `expand` is left out where they are the input's.
    squeeze: with `squeeze_excite`. fused: a full convolution expands and filters at
    once, as EdgeTPU does. residual: False to add nothing even where it fits.
    """

    def __init__(
        self,
        channels: int,
        inner: int,
        depth: int,
        kernel: int,
        stride: int,
        *,
        activation: type[nn.Module],
        epsilon: float = BATCH_NORM_EPSILON,
        squeeze: bool = False,
        fused: bool = False,
        residual: bool = True,
    ) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        size, step = (kernel, stride) if fused else (1, 1)
        if inner != channels:
            parts["expand"] = convolve(
                channels, inner, size, step, epsilon=epsilon, activation=activation
            )
        if not fused:
            parts["depthwise"] = convolve(
                inner, inner, kernel, stride, groups=inner, epsilon=epsilon, activation=activation
            )
        if squeeze:
            parts["squeeze_excite"] = SqueezeExcite(inner)
        parts["project"] = convolve(inner, depth, 1, epsilon=epsilon, activation=None)
        super().__init__(parts)
        self.depth = depth
        self.residual = residual and stride == 1 and channels == depth

    def forward(self, images: Tensor) -> Tensor:
        net = images
        for part in self:
            net = part(net)
        return images + net if self.residual else net


class InvertedResidualNetwork(ImageNetwork):
    """A stem, blocks, what comes after them, and a classifier.

    after: layers between the blocks and the classifier, the pool among them.
    last: channels that reach the classifier. num_classes: None or 0 for none.
    """

    def __init__(
        self,
        stem: nn.Module,
        blocks: Iterable[nn.Module],
        after: Mapping[str, nn.Module],
        last: int,
        num_classes: int | None,
    ) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(Conv=stem)
        for index, block in enumerate(blocks):
            parts[f"expanded_conv_{index}" if index else "expanded_conv"] = block
        parts.update(after)
        if num_classes:
            parts["Logits"] = _make_logits(last, num_classes)
        super().__init__(parts)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The reference's initialisation: truncated normal (stddev 0.09), zero bias."""
        initialise(self, fill_truncated(WEIGHT_STDDEV))


def _make_logits(channels: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            Dropout=nn.Dropout(DROPOUT),
            Conv2d_1c_1x1=nn.Conv2d(channels, classes, 1),
            Flatten=nn.Flatten(),
        )
    )
