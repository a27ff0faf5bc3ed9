"""Networks of other papers as plain modules, for tests and benchmarks of the tracer."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Expansion, channels, repeats, stride: Sandler et al., arXiv 1801.04381, Table 2.
_BOTTLENECKS = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)),
    *((6, 160, 3, 2), (6, 320, 1, 1)),
)


def _convolve(
    inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU6(),
    )


class Bottleneck(nn.Module):
    """An inverted residual of MobileNet V2."""

    def __init__(self, inside: int, outside: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.expand = _convolve(inside, wide, 1) if expansion > 1 else nn.Identity()
        self.filter = _convolve(wide, wide, 3, stride, groups=wide)
        self.project = nn.Conv2d(wide, outside, 1, bias=False)
        self.norm = nn.BatchNorm2d(outside)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.project(self.filter(self.expand(x))))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """MobileNet V2 of width 1: 3,504,872 parameters, 300,774,272 MACs at 224 pixels."""

    def __init__(self) -> None:
        super().__init__()
        channels, blocks = 32, []
        for expansion, outside, repeats, stride in _BOTTLENECKS:
            for index in range(repeats):
                blocks.append(Bottleneck(channels, outside, expansion, 1 if index else stride))
                channels = outside
        self.stem = _convolve(3, 32, 3, stride=2)
        self.blocks = nn.Sequential(*blocks)
        self.head = _convolve(channels, 1280, 1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits


class Decoder(nn.Module):
    """A decoder of Llama's shape; the defaults are those of the 70-billion-parameter one."""

    def __init__(
        self,
        layers: int = 80,
        width: int = 8192,
        heads: int = 64,
        shared: int = 8,
        inner: int = 28672,
        vocabulary: int = 128256,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(
            DecoderLayer(width, heads, shared, inner) for _ in range(layers)
        )
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


class DecoderLayer(nn.Module):
    """Causal attention with shared key and value heads, then a gated MLP."""

    def __init__(self, width: int, heads: int, shared: int, inner: int) -> None:
        super().__init__()
        self.size = width // heads
        narrow = shared * self.size
        self.before_attention, self.before_mlp = nn.RMSNorm(width), nn.RMSNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, narrow, bias=False)
        self.value = nn.Linear(width, narrow, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(self.before_attention(x))
        y = self.before_mlp(x)
        gated: Tensor = self.down(F.silu(self.gate(y)) * self.up(y))
        return x + gated

    def _attend(self, x: Tensor) -> Tensor:
        query, key, value = self._split(self.query(x)), self.key(x), self.value(x)
        attended = F.scaled_dot_product_attention(
            rotate(query),
            rotate(self._split(key)),
            self._split(value),
            is_causal=True,
            enable_gqa=True,
        )
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.size).transpose(1, 2)


def rotate(x: Tensor) -> Tensor:
    """Rotary position embedding: the two halves of a head as pairs, turned by position."""
    half = x.shape[-1] // 2
    rates = 500_000 ** -(torch.arange(half, device=x.device) / half)
    angles = torch.arange(x.shape[-2], device=x.device)[:, None] * rates
    left, right = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


class Blank(nn.Linear):
    """A linear layer that spends no time on its numbers."""

    def reset_parameters(self) -> None:
        pass


def make_chain(length: int, start: int = 8, step: int = 0) -> nn.Module:
    """Linear layers one after another, all alike or, with a step, no two of one shape."""
    sizes = [start + step * index for index in range(length + 1)]
    with torch.device("meta"):
        return nn.Sequential(*(Blank(left, right) for left, right in pairwise(sizes)))
