"""ResNets are the tables of their paper."""

from typing import Any

import pytest
import torch

import mobilenet_profiler as mp
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.zoo.resnet import PaddedShortcut
from tests.zoo.norms import count_norm_channels


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_the_number_is_that_of_the_layers_beside_the_shortcuts(depth: int) -> None:
    trace = mp.trace(f"resnet{depth}")
    assert len([layer for layer in trace.counted if "shortcut" not in layer.path]) == depth
    assert trace.uncounted == ()


# arXiv 1512.03385, Table 1, FLOPs: multiply-adds in G, cut to one decimal.
@pytest.mark.parametrize(
    ("name", "options", "printed"),
    [
        ("resnet18", {}, 1.8),
        ("resnet34", {}, 3.6),
        ("resnet50", {"stride_in_1x1": True}, 3.8),
        ("resnet101", {"stride_in_1x1": True}, 7.6),
        ("resnet152", {"stride_in_1x1": True}, 11.3),
    ],
)
def test_the_paper_s_own_form_costs_what_the_paper_prints(
    name: str, options: dict[str, Any], printed: float
) -> None:
    assert abs(mp.trace(name, **options).total.macs / 1e9 - printed) < 0.1


def test_where_a_block_strides_by_hand() -> None:
    paper, later = mp.trace("resnet50", stride_in_1x1=True), mp.trace("resnet50")
    # The first 1x1 of conv3, conv4 and conv5 then sees a quarter of the positions.
    whole = 256 * 128 * 56**2 + 512 * 256 * 28**2 + 1024 * 512 * 14**2
    assert later.total.macs - paper.total.macs == whole * 3 // 4
    assert later.total.params == paper.total.params


# Keras counts four numbers a channel of BatchNorm, and has biases on convolutions.
@pytest.mark.parametrize(
    ("name", "params"),
    [("resnet50", 25_636_712), ("resnet101", 44_707_176), ("resnet152", 60_419_944)],
)
def test_with_biases_it_is_as_large_as_in_keras(name: str, params: int) -> None:
    options: dict[str, Any] = {"conv_bias": True, "stride_in_1x1": True}
    model = build_model(mp.make_spec(name, arguments=options))
    assert mp.trace(name, **options).total.params + 2 * count_norm_channels(model) == params


# arXiv 1512.03385, Table 6, million params.
@pytest.mark.parametrize(
    ("depth", "printed", "exact"),
    [
        (20, 0.27, 269_722),
        (32, 0.46, 464_154),
        (44, 0.66, 658_586),
        (56, 0.85, 853_018),
        (110, 1.7, 1_727_962),
        (1202, 19.4, 19_421_274),
    ],
)
def test_the_networks_for_cifar_are_as_large_as_printed(
    depth: int, printed: float, exact: int
) -> None:
    trace = mp.trace("resnet_cifar", depth=depth)
    assert trace.total.params == exact
    assert abs(exact / 1e6 - printed) < (0.01 if printed < 1 else 0.1)
    assert len(trace.counted) == depth
    assert trace.uncounted == ()


def test_the_smallest_network_for_cifar_by_hand() -> None:
    trace = mp.trace("resnet_cifar", depth=8)
    assert trace.label == "resnet_cifar depth=8 input=1x3x32x32"
    first = 9 * 3 * 16 * 32**2 + 2 * 9 * 16 * 16 * 32**2
    second = 9 * (16 * 32 + 32 * 32) * 16**2
    third = 9 * (32 * 64 + 64 * 64) * 8**2
    assert trace.total.macs == first + second + third + 64 * 10


def test_the_shortcut_without_params_takes_every_other_pixel_and_pads_channels() -> None:
    images = torch.arange(2 * 4 * 4).view(1, 2, 4, 4)
    shortened = PaddedShortcut(2, 3)(images)
    assert shortened.shape == (1, 5, 2, 2)
    assert shortened[0, 1].tolist() == [[16, 18], [24, 26]]
    assert not shortened[0, 2:].any()


@pytest.mark.parametrize(("name", "channels"), [("resnet18", 512), ("resnet50", 2048)])
def test_no_classes_give_pooled_features(name: str, channels: int) -> None:
    assert mp.trace(name, num_classes=0).layers[-1].output_shape == (1, channels, 1, 1)


@pytest.mark.parametrize("depth", [21, 2, 7, 1208, "20", True, None, 20.0])
def test_another_depth_is_refused(depth: object) -> None:
    allowed = r"depth must be 6n \+ 2 from 8 to 1202 \(20, 32, 44, 56, 110\), given "
    with pytest.raises(mp.UsageError, match=allowed):
        mp.trace("resnet_cifar", arguments={"depth": depth})


def test_bad_switches_are_refused() -> None:
    with pytest.raises(mp.UsageError, match="conv_bias must be true or false, given 1"):
        mp.trace("resnet50", conv_bias=1)
    with pytest.raises(mp.UsageError, match="unknown option of resnet18 'stride_in_1x1'"):
        mp.trace("resnet18", stride_in_1x1=True)
