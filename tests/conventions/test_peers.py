"""Where a tool is installed, our convention gives its own number, to the digit.

fvcore and PyTorch's counter always are; the others come with the extra `peers`.
"""

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.conventions.counting import count_trace
from mobilenet_profiler.zoo.mobilenet_v1 import MobileNetV1
from tests.architectures import ARCHITECTURES
from tests.peers import PEERS, ask, is_installed
from tests.torchvision_stub import define_operators

Make = Callable[[], nn.Module]
ZOO: dict[str, tuple[Make, tuple[int, ...]]] = {
    "mobilenet_v1": (MobileNetV1, (1, 3, 224, 224)),
    "mobilenet_v1 padded explicitly": (
        lambda: MobileNetV1(alpha=0.5, explicit_padding=True),
        (1, 3, 224, 224),
    ),
    "mobilenet_v1 dilated": (
        lambda: MobileNetV1(alpha=0.25, output_stride=8, global_pool=True, num_classes=7),
        (1, 3, 160, 160),
    ),
}
TORCHVISION = (
    *("vgg11_bn", "resnet18", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small"),
    *("efficientnet_b0", "shufflenet_v2_x1_0", "squeezenet1_1", "densenet121", "convnext_tiny"),
    *("regnet_y_400mf", "mnasnet0_5", "vit_b_16", "swin_t"),
)


def check(peer: str, make: Make, shape: tuple[int, ...]) -> None:
    if not is_installed(peer):
        pytest.skip(f"{peer} is missing: pip install -e '.[peers]'")
    trace = mp.trace(make(), (torch.zeros(shape),), mode="eval")
    ours = count_trace(trace, peer)
    count, params = ask(peer, make(), shape)
    assert ours.total == count, ours.items
    assert params in (None, ours.params)


@pytest.mark.parametrize("name", [*ARCHITECTURES, *ZOO])
@pytest.mark.parametrize("peer", PEERS)
def test_our_convention_gives_the_number_of_the_tool(peer: str, name: str) -> None:
    check(peer, *{**ARCHITECTURES, **ZOO}[name])


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.parametrize("peer", PEERS)
def test_our_convention_gives_the_number_of_the_tool_on_torchvision(peer: str, name: str) -> None:
    if not define_operators():
        pytest.skip("torchvision is missing")
    models: Any = importlib.import_module("torchvision.models")
    check(peer, getattr(models, name), (1, 3, 224, 224))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_b0", "densenet121"])
def test_ours_is_the_published_number_of_torchvision(name: str) -> None:
    if not define_operators():
        pytest.skip("torchvision is missing")
    models: Any = importlib.import_module("torchvision.models")
    meta = models.get_model_weights(name).DEFAULT.meta
    trace = mp.trace(getattr(models, name)(), (torch.zeros(1, 3, 224, 224),), mode="eval")
    count = trace.count("torchvision")
    assert count.total is not None
    assert round(count.total / 1e9, 3) == meta["_ops"]
    assert count.params == meta["num_params"]


@pytest.mark.parametrize(
    ("name", "convention", "total", "params"),
    [
        ("resnet50", "pycls", 4_089_185_256, 25_557_032),  # pycls's own table
        ("mobilenet_v2", "keras", None, 3_538_984),  # keras.applications.MobileNetV2
        ("mobilenet_v2", "thop", 327_486_720, 3_504_872),
        ("resnet18", "openvino", 3_637_830_656, 11_684_712),  # its page: 3.637 G, 11.68 M
    ],
)
def test_known_totals_of_torchvisions_networks(
    name: str, convention: str, total: int | None, params: int
) -> None:
    if not define_operators():
        pytest.skip("torchvision is missing")
    models: Any = importlib.import_module("torchvision.models")
    count = mp.trace(getattr(models, name)(), (1, 3, 224, 224), mode="eval").count(convention)
    assert (count.total, count.params) == (total, params)


def test_training_changes_what_batch_norm_counts_in_fvcore() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False))

    from fvcore.nn import FlopCountAnalysis

    image = torch.zeros(2, 3, 8, 8)
    count = mp.trace(make(), (image,), mode="train").count("fvcore")
    assert count.total == FlopCountAnalysis(make().train(), image).total()
    assert dict(count.items)["BatchNorm"] == (5 + 4) * 2 * 4 * 6 * 6
