"""What the papers call one layer: a convolution, its BatchNorm and its activation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.zoo.arguments import check_images

Kernel = int | tuple[int, int]
BATCH_NORM_EPSILON = 1e-5


class ImageNetwork(nn.Sequential):
    """Named parts that a batch of images passes through, one after another."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits, or pooled features without classes."""
        check_images(images)
        for part in self:
            images = part(images)
        return images


class FlattenMap(nn.Module):
    """The map as a vector; refused where it is not the square that the next layer takes.

    advice: what to do about it.
    """

    def __init__(self, size: int, advice: str) -> None:
        super().__init__()
        self.size = size
        self.advice = advice

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        if (height, width) != (self.size, self.size):
            raise UsageError(
                f"a fully connected layer takes maps of {self.size}x{self.size}, "
                f"given {height}x{width}; {self.advice}"
            )
        return images.flatten(1)


def convolve(
    channels: int,
    depth: int,
    kernel: Kernel,
    stride: int = 1,
    *,
    padding: Kernel | None = None,
    groups: int = 1,
    bias: bool = False,
    epsilon: float | None = BATCH_NORM_EPSILON,
    activation: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution `conv`, BatchNorm `norm` and `activation`, each where it is asked for.

    padding: half the kernel if left out. epsilon: of the BatchNorm; None for none.
    """
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    pads = (kernel[0] // 2, kernel[1] // 2) if padding is None else padding
    conv = nn.Conv2d(channels, depth, kernel, stride, pads, groups=groups, bias=bias)
    parts: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if epsilon is not None:
        parts["norm"] = nn.BatchNorm2d(depth, eps=epsilon)
    if activation is not None:
        parts["activation"] = activation()
    return nn.Sequential(parts)


def initialise(network: nn.Module, fill: Callable[[Tensor], object]) -> None:
    """Every kernel by `fill`, biases zero, BatchNorm as if it were not there."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fill(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


def fill_for_relu(kernel: Tensor) -> None:
    """He's initialisation (arXiv 1502.01852): normal, the variance 2 over the fan-out."""
    nn.init.kaiming_normal_(kernel, mode="fan_out", nonlinearity="relu")


def fill_truncated(stddev: float) -> Callable[[Tensor], object]:
    """A normal cut at two standard deviations."""
    return lambda kernel: nn.init.trunc_normal_(kernel, std=stddev, a=-2 * stddev, b=2 * stddev)
