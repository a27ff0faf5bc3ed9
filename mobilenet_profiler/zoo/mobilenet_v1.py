"""MobileNet V1, as the paper tells it and as the reference code builds it.

Paper: Howard et al., "MobileNets", arXiv 1704.04861, Table 1 and section 3.
Reference: tensorflow/models, research/slim/nets/mobilenet_v1.py (d4a6670ade6e).

A network is a tuple of rows. Row 0 makes the block `Conv2d_0`; a separable row i
makes `Conv2d_i` with a `depthwise` and a `pointwise` layer, each a convolution
without bias, BatchNorm and ReLU6.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.zoo.arguments import (
    check_alpha,
    check_classes,
    check_images,
    check_size,
    check_switches,
    is_number,
    is_whole,
)


class Conv(NamedTuple):
    """A full convolution: kernel (height, width), stride, output channels at alpha 1."""

    kernel: tuple[int, int]
    stride: int
    depth: int


class DepthSepConv(NamedTuple):
    """A depthwise convolution with that kernel and stride, then a 1x1 to `depth`."""

    kernel: tuple[int, int]
    stride: int
    depth: int


Row = Conv | DepthSepConv

MOBILENET_V1_ROWS: tuple[Row, ...] = (
    Conv((3, 3), 2, 32),
    DepthSepConv((3, 3), 1, 64),
    DepthSepConv((3, 3), 2, 128),
    DepthSepConv((3, 3), 1, 128),
    DepthSepConv((3, 3), 2, 256),
    DepthSepConv((3, 3), 1, 256),
    DepthSepConv((3, 3), 2, 512),
    DepthSepConv((3, 3), 1, 512),
    DepthSepConv((3, 3), 1, 512),
    DepthSepConv((3, 3), 1, 512),
    DepthSepConv((3, 3), 1, 512),
    DepthSepConv((3, 3), 1, 512),
    DepthSepConv((3, 3), 2, 1024),
    DepthSepConv((3, 3), 1, 1024),
)
CONV_MOBILENET_V1_ROWS: tuple[Row, ...] = tuple(Conv(*row) for row in MOBILENET_V1_ROWS)
SHALLOW_MOBILENET_V1_ROWS: tuple[Row, ...] = MOBILENET_V1_ROWS[:7] + MOBILENET_V1_ROWS[12:]

OUTPUT_STRIDES = (8, 16, 32)
BATCH_NORM_DECAY = 0.9997
BATCH_NORM_EPSILON = 1e-3
WEIGHT_STDDEV = 0.09
WEIGHT_DECAY = 4e-5
_ROW_TYPES: dict[str, type[Conv] | type[DepthSepConv]] = {
    "Conv": Conv,
    "DepthSepConv": DepthSepConv,
}


def pad_same(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis so that it leaves with ceil(size / stride).

    TensorFlow's SAME rule: the odd zero goes after, so a 3-wide kernel with
    stride 2 pads (0, 1) on an even size and (1, 1) on an odd one.
    """
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def pad_explicit(kernel: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis, whatever its size (`use_explicit_padding`)."""
    total = (kernel - 1) * dilation
    return total // 2, total - total // 2


class PaddedConv2d(nn.Conv2d):
    """A convolution without bias, padded by the SAME rule or explicitly."""

    def __init__(self, channels: int, depth: int, kernel: tuple[int, int], **options: Any) -> None:
        self.explicit_padding: bool = options.pop("explicit_padding")
        super().__init__(channels, depth, kernel, bias=False, **options)

    def forward(self, images: Tensor) -> Tensor:
        rows = self._pad_axis(0, images.shape[2])
        columns = self._pad_axis(1, images.shape[3])
        if rows[0] == rows[1] and columns[0] == columns[1]:
            padding = (rows[0], columns[0])
        else:
            images, padding = functional.pad(images, (*columns, *rows)), (0, 0)
        return functional.conv2d(
            images, self.weight, None, self.stride, padding, self.dilation, self.groups
        )

    def _pad_axis(self, axis: int, size: int) -> tuple[int, int]:
        kernel, dilation = self.kernel_size[axis], self.dilation[axis]
        if self.explicit_padding:
            return pad_explicit(kernel, dilation)
        return pad_same(size, kernel, self.stride[axis], dilation)


def make_convolution(
    channels: int, depth: int, kernel: tuple[int, int], explicit_padding: bool, **options: Any
) -> nn.Conv2d:
    """PyTorch's own convolution where its padding can be one number on both sides.

    Tools that go by a layer's exact class see it, and miss `PaddedConv2d`.
    """
    pads = [pad_explicit(size, options.get("dilation", 1)) for size in kernel]
    if explicit_padding and all(before == after for before, after in pads):
        padding = (pads[0][0], pads[1][0])
        return nn.Conv2d(channels, depth, kernel, padding=padding, bias=False, **options)
    return PaddedConv2d(channels, depth, kernel, explicit_padding=explicit_padding, **options)


def make_layer(conv: nn.Conv2d) -> nn.Sequential:
    """Convolution, BatchNorm, ReLU6: what the paper counts as one layer."""
    momentum = 1 - BATCH_NORM_DECAY
    norm = nn.BatchNorm2d(conv.out_channels, eps=BATCH_NORM_EPSILON, momentum=momentum)
    return nn.Sequential(OrderedDict(conv=conv, norm=norm, relu6=nn.ReLU6()))


class MobileNetV1(nn.Module):
    """The network; arguments as in the reference, under the field's names.

    rows: the architecture. alpha: width multiplier; a layer has
    max(int(depth * alpha), min_depth) channels. output_stride: None or 8, 16, 32;
    where the running stride has reached it, strides turn into dilation of the
    depthwise convolutions. explicit_padding: pad (1, 1) instead of SAME.
    final_endpoint: stop there, without a head. num_classes: 1000 as in the paper,
    1001 as trained, None for pooled features. global_pool: mean over the map
    instead of a window of min(7, size). dropout_keep: probability of keeping.
    spatial_squeeze: logits (N, C) instead of (N, C, 1, 1).
    prediction: 'softmax', or None for no `Predictions`.

    Raises UsageError (a ValueError) on an argument outside these.
    """

    def __init__(
        self,
        rows: Sequence[Row] = MOBILENET_V1_ROWS,
        *,
        alpha: float = 1.0,
        min_depth: int = 8,
        output_stride: int | None = None,
        explicit_padding: bool = False,
        final_endpoint: str | None = None,
        num_classes: int | None = 1000,
        global_pool: bool = False,
        dropout_keep: float = 0.999,
        spatial_squeeze: bool = True,
        prediction: str | None = "softmax",
    ) -> None:
        super().__init__()
        rows = check_rows(rows)
        _check_options(alpha, min_depth, output_stride, num_classes, dropout_keep, prediction)
        check_switches(
            explicit_padding=explicit_padding,
            global_pool=global_pool,
            spatial_squeeze=spatial_squeeze,
        )
        names = list_body_endpoints(rows)
        if final_endpoint is not None and final_endpoint not in names:
            raise unknown_name("final endpoint", final_endpoint, names)
        self.final_endpoint = final_endpoint
        self.global_pool = global_pool
        self.spatial_squeeze = spatial_squeeze
        self.explicit_padding = explicit_padding
        depths = [max(int(row.depth * alpha), min_depth) for row in rows]
        self.blocks = self._make_body(rows, depths, output_stride)
        if final_endpoint is None:
            self._make_head(depths[-1], num_classes, dropout_keep, prediction)
        self.reset_parameters()

    def _make_body(
        self, rows: Sequence[Row], depths: Sequence[int], output_stride: int | None
    ) -> list[str]:
        channels, blocks = 3, []
        strides = plan_strides(rows, output_stride)
        for index, (row, depth, (stride, rate)) in enumerate(
            zip(rows, depths, strides, strict=True)
        ):
            name = f"Conv2d_{index}"
            block = self._make_block(row, channels, depth, stride, rate, name)
            self.add_module(name, block)
            blocks.append(name)
            if self.final_endpoint in (name, f"{name}_depthwise", f"{name}_pointwise"):
                break
            channels = depth
        return blocks

    def _make_block(
        self, row: Row, channels: int, depth: int, stride: int, rate: int, name: str
    ) -> nn.Sequential:
        explicit = self.explicit_padding
        if isinstance(row, Conv):
            return make_layer(
                make_convolution(channels, depth, row.kernel, explicit, stride=stride)
            )
        geometry = {"stride": stride, "dilation": rate, "groups": channels}
        block: OrderedDict[str, nn.Module] = OrderedDict(
            depthwise=make_layer(
                make_convolution(channels, channels, row.kernel, explicit, **geometry)
            )
        )
        if self.final_endpoint != f"{name}_depthwise":
            block["pointwise"] = make_layer(make_convolution(channels, depth, (1, 1), explicit))
        return nn.Sequential(block)

    def _make_head(
        self, channels: int, num_classes: int | None, dropout_keep: float, prediction: str | None
    ) -> None:
        self.pool = GlobalPool() if self.global_pool else ReducedPool()
        self.dropout = nn.Dropout(1 - dropout_keep) if num_classes else None
        self.logits = nn.Conv2d(channels, num_classes, 1) if num_classes else None
        softmax = num_classes and prediction == "softmax"
        self.predictions = nn.Softmax(dim=1) if softmax else None

    def reset_parameters(self) -> None:
        """The reference's initialisation: truncated normal (stddev 0.09), zero bias."""
        bound = 2 * WEIGHT_STDDEV
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=WEIGHT_STDDEV, a=-bound, b=bound)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def end_points(self, images: Tensor) -> dict[str, Tensor]:
        """Every named activation, in order: the body's 27, the pooled, Logits, Predictions.

        images: (N, 3, H, W). Raises UsageError if the rank is not 4.
        """
        return dict(self._walk(images))

    def _walk(self, net: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The end points one by one, each held only until the next is there."""
        check_images(net)
        for name in self.blocks:
            block = self.get_submodule(name)
            parts = [part for part in ("depthwise", "pointwise") if hasattr(block, part)]
            for part in parts:
                net = block.get_submodule(part)(net)
                yield f"{name}_{part}", net
            if not parts:
                net = block(net)
                yield name, net
        if self.final_endpoint is None:
            yield from self._walk_head(net)

    def _walk_head(self, net: Tensor) -> Iterator[tuple[str, Tensor]]:
        net = self.pool(net)
        yield "global_pool" if self.global_pool else "AvgPool_1a", net
        if self.dropout is None or self.logits is None:
            return
        net = self.logits(self.dropout(net))
        if self.spatial_squeeze:
            net = _squeeze_spatial(net)
        yield "Logits", net
        if self.predictions is not None:
            yield "Predictions", self.predictions(net)

    def forward(self, images: Tensor) -> Tensor:
        """Logits; the pooled features without classes; or the final endpoint."""
        output = images
        for name, net in self._walk(images):
            if name != "Predictions":
                output = net
        return output


class ReducedPool(nn.Module):
    """Average over a window of min(7, size) an axis, stride 2, no padding."""

    def forward(self, images: Tensor) -> Tensor:
        window = (min(images.shape[2], 7), min(images.shape[3], 7))
        return functional.avg_pool2d(images, window, stride=2)


class GlobalPool(nn.Module):
    """Mean over height and width, both kept as 1."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3), keepdim=True)


def plan_strides(rows: Sequence[Row], output_stride: int | None) -> list[tuple[int, int]]:
    """Stride and dilation of each row under an output stride.

    Once the running stride equals `output_stride`, a separable row keeps stride 1
    and takes the dilation gathered so far; its own stride then multiplies what
    later rows take. A `Conv` row always keeps its stride and is never dilated.
    """
    plan, current, rate = [], 1, 1
    for row in rows:
        reached = output_stride is not None and current == output_stride
        if reached and isinstance(row, DepthSepConv):
            plan.append((1, rate))
        else:
            plan.append((row.stride, 1))
        rate, current = (rate * row.stride, current) if reached else (rate, current * row.stride)
    return plan


def list_body_endpoints(rows: Iterable[Row]) -> list[str]:
    """Names of the body's end points: 27 for the network of the paper."""
    names = []
    for index, row in enumerate(rows):
        separable = isinstance(row, DepthSepConv)
        parts = ("_depthwise", "_pointwise") if separable else ("",)
        names += [f"Conv2d_{index}{part}" for part in parts]
    return names


def check_rows(rows: Iterable[Any]) -> tuple[Row, ...]:
    """Rows as `Conv` and `DepthSepConv`; also from tuples (type name, kernel, stride, depth)."""
    if not isinstance(rows, Iterable):
        raise UsageError(f"rows must be a sequence of rows, given {rows!r}")
    checked: list[Row] = []
    for index, row in enumerate(rows):
        if isinstance(row, Conv | DepthSepConv):
            checked.append(row)
            continue
        kind = row[0] if isinstance(row, Sequence) and len(row) == 4 else row
        if not isinstance(kind, str) or kind not in _ROW_TYPES:
            raise unknown_name(f"convolution type in row {index}:", kind, _ROW_TYPES)
        checked.append(_ROW_TYPES[kind](*row[1:]))
    for index, row in enumerate(checked):
        sizes = [*row.kernel, row.stride, row.depth]
        if not all(is_whole(size) and 1 <= size <= 2**20 for size in sizes):
            raise UsageError(
                f"row {index}: kernel, stride and depth must be whole numbers from 1 to {2**20}, "
                f"given {tuple(row)}"
            )
    if not checked:
        raise UsageError("rows must hold at least one row, given none")
    return tuple(checked)


def group_weight_decay(
    model: nn.Module, weight_decay: float = WEIGHT_DECAY, regularize_depthwise: bool = False
) -> list[dict[str, Any]]:
    """Parameter groups for a torch optimiser: what the reference regularises, and the rest.

    Decayed are the kernels of the stem, the pointwise layers and the logits; the
    depthwise kernels only on request (section 3.2); never BatchNorm or biases.
    """
    decayed = [
        module.weight
        for module in model.modules()
        if isinstance(module, nn.Conv2d) and (module.groups == 1 or regularize_depthwise)
    ]
    known = set(map(id, decayed))
    rest = [parameter for parameter in model.parameters() if id(parameter) not in known]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]


def mobilenet_v1(**options: Any) -> MobileNetV1:
    """MobileNet V1 (Table 1), or the variant that `rows` describes."""
    rows = options.pop("rows", None)
    return MobileNetV1(MOBILENET_V1_ROWS if rows is None else rows, **options)


def conv_mobilenet_v1(**options: Any) -> MobileNetV1:
    """Conv MobileNet: every separable pair a full convolution (Table 4)."""
    return MobileNetV1(CONV_MOBILENET_V1_ROWS, **options)


def shallow_mobilenet_v1(**options: Any) -> MobileNetV1:
    """Shallow MobileNet: the five 14x14x512 layers left out (Table 5)."""
    return MobileNetV1(SHALLOW_MOBILENET_V1_ROWS, **options)


def _squeeze_spatial(logits: Tensor) -> Tensor:
    if logits.shape[2:] != (1, 1):
        raise UsageError(
            f"cannot squeeze logits of {logits.shape[2]}x{logits.shape[3]}: "
            "allowed is 1x1; use --global-pool (global_pool = true) or spatial_squeeze = false"
        )
    return torch.flatten(logits, 1)


def _check_options(
    alpha: Any, min_depth: Any, output_stride: Any, classes: Any, keep: Any, prediction: Any
) -> None:
    check_alpha(alpha)
    check_size("min_depth", min_depth)
    if output_stride is not None and (
        not is_whole(output_stride) or output_stride not in OUTPUT_STRIDES
    ):
        raise UsageError(f"output_stride must be 8, 16, 32 or left out, given {output_stride!r}")
    check_classes(classes)
    if not is_number(keep) or not 0 < keep <= 1:
        raise UsageError(f"dropout_keep must be above 0 and at most 1, given {keep!r}")
    if prediction not in (None, "softmax", "none"):
        raise unknown_name("prediction", prediction, ("softmax", "none"))
