"""The networks that torchvision has too give its outputs from its weights."""

from typing import Any

import pytest
import torch
from torch import nn

import mobilenet_profiler as mp
from tests.oracles import read_oracle
from tests.zoo.torchvision_networks import (
    build_ours,
    build_theirs,
    check_same_outputs,
    needs_torchvision,
)

PUBLISHED = read_oracle("torchvision_zoo.csv")
NORMED = {"batch_norm": True}
BARE = {"init_weights": False, "transform_input": False, "aux_logits": False}


def read_options(text: str) -> dict[str, Any]:
    return dict.fromkeys(text.split(), True)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['network']} {row['options']}")
def test_params_and_macs_are_those_that_torchvision_publishes(row: dict[str, str]) -> None:
    trace = mp.trace(row["network"], **read_options(row["options"]))
    assert trace.uncounted == ()
    assert trace.total.params == int(row["params"])
    # Three decimals, rounded or cut.
    assert abs(trace.total.macs - float(row["gmacs"]) * 1e9) < 1e6


@needs_torchvision
@pytest.mark.parametrize(
    ("name", "options", "theirs", "their_options", "size"),
    [
        ("alexnet", {}, "alexnet", {}, (95, 127)),
        ("vgg11", {}, "vgg11", {"init_weights": False}, (32, 64)),
        ("vgg16", {}, "vgg16", {"init_weights": False}, (32, 64)),
        ("vgg16", NORMED, "vgg16_bn", {"init_weights": False}, (32, 64)),
        ("googlenet", NORMED, "googlenet", BARE, (64, 97)),
        ("inception_v3", {}, "inception_v3", BARE, (75, 107)),
        ("resnet18", {}, "resnet18", {}, (64, 97)),
        ("resnet34", {}, "resnet34", {}, (64, 97)),
        ("resnet50", {}, "resnet50", {}, (64, 97)),
        ("resnet101", {}, "resnet101", {}, (64, 97)),
        ("resnet152", {}, "resnet152", {}, (64, 97)),
        ("squeezenet1_0", {}, "squeezenet1_0", {}, (64, 97)),
        ("squeezenet1_1", {}, "squeezenet1_1", {}, (64, 97)),
        ("mobilenet_v2", {}, "mobilenet_v2", {}, (64, 97)),
        ("mobilenet_v2", {"alpha": 0.35}, "mobilenet_v2", {"width_mult": 0.35}, (64, 97)),
        ("mobilenet_v3_large", {}, "mobilenet_v3_large", {}, (64, 97)),
        ("mobilenet_v3_small", {}, "mobilenet_v3_small", {}, (64, 97)),
    ],
)
def test_the_same_weights_give_the_same_outputs(
    name: str,
    options: dict[str, Any],
    theirs: str,
    their_options: dict[str, Any],
    size: tuple[int, int],
) -> None:
    peer = build_theirs(theirs, num_classes=10, **their_options)
    check_same_outputs(build_ours(name, num_classes=10, **options), peer, 2, 3, *size)


@needs_torchvision
@pytest.mark.parametrize(
    ("network", "options", "head", "their_head", "shape"),
    [
        ("googlenet", NORMED, "aux1", "aux1", (2, 512, 14, 14)),
        ("googlenet", NORMED, "aux2", "aux2", (2, 528, 15, 13)),
        ("inception_v3", {}, "AuxLogits", "AuxLogits", (2, 768, 17, 17)),
    ],
)
def test_the_same_weights_give_the_same_auxiliary_logits(
    network: str, options: dict[str, Any], head: str, their_head: str, shape: tuple[int, ...]
) -> None:
    peer = build_theirs(network, num_classes=10, init_weights=False, aux_logits=True)
    ours = build_ours(network, num_classes=10, aux_heads=True, **options)
    check_same_outputs(ours.get_submodule(head), peer.get_submodule(their_head), *shape)


@needs_torchvision
def test_a_tensor_in_another_place_gives_another_output() -> None:
    # What the tests above rest on: the weights tell every layer from another.
    peer = build_theirs("squeezenet1_1", num_classes=10)
    ours = build_ours("squeezenet1_1", num_classes=10)
    check_same_outputs(ours, peer, 1, 3, 64, 64)
    first = ours.get_submodule("fire2.expand1x1")
    assert isinstance(first, nn.Conv2d)
    images = torch.ones(1, 3, 64, 64)
    with torch.no_grad():
        expected = peer(images)
        first.weight = nn.Parameter(first.weight.flip(0))
        assert not torch.allclose(ours(images), expected)
