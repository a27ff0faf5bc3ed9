"""Small networks of the kinds that counters differ on, each with the shape of its input."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def make_block(
    inside: int, outside: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def make_alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 11, 4, 2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 16, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(256, 32),
        nn.ReLU(inplace=True),
        nn.Linear(32, 10),
        nn.Softmax(1),
    )


def make_vgg() -> nn.Module:
    return nn.Sequential(
        make_block(3, 8),
        nn.MaxPool2d(2),
        make_block(8, 16),
        make_block(16, 16),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d((7, 5)),
        nn.Flatten(),
        nn.Linear(560, 10),
    )


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=2)
        self.bn2 = nn.BatchNorm2d(width, affine=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(x + y)  # type: ignore[no-any-return]


def make_resnet() -> nn.Module:
    return nn.Sequential(
        make_block(3, 8, 7, 2),
        nn.MaxPool2d(3, 2, 1),
        Residual(8),
        Residual(8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


class Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = make_block(3, 8)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(8 + 4 * i), nn.ReLU(), nn.Conv2d(8 + 4 * i, 4, 3, padding=1)
            )
            for i in range(3)
        )
        self.head = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for layer in self.layers:
            features.append(layer(torch.cat(features, 1)))
        y = F.relu(torch.cat(features, 1), inplace=True)
        y = F.adaptive_avg_pool2d(y, (1, 1))
        return self.head(torch.flatten(y, 1))  # type: ignore[no-any-return]


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = make_block(3, 4, 1), make_block(3, 6)
        self.wide = nn.Conv2d(3, 2, (1, 7), padding=(0, 3))
        self.head = nn.Linear(15, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 3, stride=1, padding=1)
        y = torch.cat([self.one(x), self.three(x), self.wide(x), pooled], 1)
        y = F.max_pool2d(y, 2)
        return self.head(y.mean((2, 3)))  # type: ignore[no-any-return]


class Squeeze(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.one = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 1)
        self.three, self.activation = nn.Conv2d(4, 8, 3, padding=1), nn.PReLU()
        self.classifier = nn.Conv2d(16, 10, 1)
        self.pool = nn.AdaptiveAvgPool2d((1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.squeeze(x))
        x = torch.cat([self.activation(self.one(x)), self.activation(self.three(x))], 1)
        return torch.flatten(self.pool(self.classifier(F.dropout(x, training=False))), 1)


class Excited(nn.Module):
    """An EfficientNet block: expand, depthwise, squeeze and excite, project."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(4, 16, 1, bias=False), nn.BatchNorm2d(16), nn.SiLU())
        self.depthwise = nn.Conv2d(16, 16, 5, padding=2, groups=16, bias=False)
        self.norm, self.activation = nn.BatchNorm2d(16), nn.Hardswish()
        self.pool, self.fc1, self.fc2 = (
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(16, 4, 1),
            nn.Conv2d(4, 16, 1),
        )
        self.gate, self.project = nn.Hardsigmoid(), nn.Conv2d(16, 4, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.norm(self.depthwise(self.expand(x))))
        scale = self.gate(self.fc2(F.silu(self.fc1(self.pool(y)))))
        return x + self.project(y * scale)  # type: ignore[no-any-return]


def make_efficientnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1),
        nn.ReLU6(),
        Excited(),
        Excited(),
        nn.LeakyReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 10),
        nn.Sigmoid(),
    )


class Shuffle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = make_block(3, 8)
        self.branch = nn.Sequential(make_block(4, 4, 1), make_block(4, 4, 3, groups=4), nn.ELU())
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.stem(x).chunk(2, dim=1)
        y = torch.cat([left, self.branch(right)], 1)
        batch, channels, height, width = y.shape
        y = y.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(y.shape)
        return self.head(y.mean([2, 3]))  # type: ignore[no-any-return]


class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm, self.inner, self.outer = nn.LayerNorm(8), nn.Linear(8, 32), nn.Linear(32, 8)
        self.activation, self.scale = nn.GELU(), nn.Parameter(torch.full((8, 1, 1), 1e-6))
        self.group, self.head = nn.GroupNorm(2, 8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.outer(self.activation(self.inner(y))).permute(0, 3, 1, 2)
        x = self.group(x + self.scale * y)
        return self.head(F.layer_norm(x.mean([-2, -1]), (8,)))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """A small ViT: patches, nn.MultiheadAttention without weights, a class token."""

    def __init__(self, weights: bool = False) -> None:
        super().__init__()
        self.patches, self.weights = nn.Conv2d(3, 16, 8, 8), weights
        self.token, self.position = (
            nn.Parameter(torch.zeros(1, 1, 16)),
            nn.Parameter(torch.zeros(1, 17, 16)),
        )
        self.norm1, self.attention = (
            nn.LayerNorm(16),
            nn.MultiheadAttention(16, 4, batch_first=True),
        )
        self.norm2, self.inner, self.outer = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)
        self.activation, self.head = nn.GELU(), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=self.weights)[0]
        x = x + self.outer(self.activation(self.inner(self.norm2(x))))
        return self.head(x[:, 0])  # type: ignore[no-any-return]


class Windows(nn.Module):
    """Attention as Swin writes it: F.linear, torch.matmul, F.softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv, self.out = (
            nn.Conv2d(3, 16, 8, 8),
            nn.Linear(16, 48),
            nn.Linear(16, 16),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).permute(0, 2, 3, 1).flatten(1, 2)
        q, k, v = F.linear(x, self.qkv.weight, self.qkv.bias).chunk(3, -1)
        weights = F.softmax(torch.matmul(q, k.transpose(-2, -1)) * 0.25, dim=-1)
        return F.linear(torch.matmul(weights, v), self.out.weight, self.out.bias)


class Fused(nn.Module):
    """Attention in one call, and functional convolution and BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.shift = (
            nn.Parameter(torch.zeros(8, 3, 3, 3)),
            nn.Parameter(torch.zeros(8)),
        )
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("variance", torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.kernel, self.shift, stride=4, padding=1)
        x = F.batch_norm(
            x, self.get_buffer("mean"), self.get_buffer("variance"), self.shift, self.shift
        )
        y = F.relu6(x).flatten(2).transpose(1, 2)
        y = F.scaled_dot_product_attention(y, y, y)
        return torch.bmm(y, y.transpose(1, 2))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.pool, self.middle = make_block(3, 8), nn.MaxPool2d(2), make_block(8, 16)
        self.norm, self.up = nn.InstanceNorm2d(16, affine=True), nn.ConvTranspose2d(16, 8, 2, 2)
        self.grouped = nn.ConvTranspose2d(16, 16, 3, 2, 1, 1, groups=4, bias=False)
        self.smooth = nn.Upsample(scale_factor=2, mode="bilinear")
        self.near, self.out = nn.Upsample(scale_factor=2), nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        y = self.norm(self.middle(self.pool(x)))
        y = self.out(torch.cat([x, self.up(y)], 1)) + self.out(self.grouped(y))
        y = self.near(self.smooth(self.pool(self.pool(y))))
        return F.interpolate(y, size=(48, 40), mode="bilinear")


class Recurrent(nn.Module):
    """Every recurrent layer of torch.nn but the LSTM, which tools see in other ways."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(12, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.rnn = nn.RNN(12, 5, bias=False, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(self.gru(x)[0])[0][:, -1])  # type: ignore[no-any-return]


class LongShort(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(12, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.cell, self.head = nn.LSTMCell(12, 7), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = self.cell(self.lstm(x)[0][:, -1])
        return self.head(state[0])  # type: ignore[no-any-return]


ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "alexnet": (make_alexnet, (1, 3, 96, 96)),
    "vgg": (make_vgg, (1, 3, 40, 32)),
    "resnet": (make_resnet, (1, 3, 48, 48)),
    "densenet": (Dense, (1, 3, 24, 24)),
    "inception": (Inception, (1, 3, 32, 32)),
    "squeezenet": (Squeeze, (1, 3, 32, 32)),
    "efficientnet": (make_efficientnet, (1, 3, 32, 32)),
    "shufflenet": (Shuffle, (1, 3, 32, 32)),
    "convnext": (ConvNeXt, (1, 3, 32, 32)),
    "vit": (Transformer, (1, 3, 32, 32)),
    "vit with weights": (lambda: Transformer(weights=True), (1, 3, 32, 32)),
    "swin": (Windows, (1, 3, 32, 32)),
    "functional": (Fused, (1, 3, 32, 32)),
    "unet": (UNet, (1, 3, 32, 32)),
    "gru": (Recurrent, (1, 9, 12)),
    "lstm": (LongShort, (1, 9, 12)),
}
