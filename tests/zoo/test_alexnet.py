"""AlexNet in its two published forms."""

import pytest
import torch

import mobilenet_profiler as mp
from mobilenet_profiler.zoo.alexnet import make_response_norm


def test_the_grouped_network_by_hand() -> None:
    trace = mp.trace("alexnet_grouped")
    layers = {layer.path: layer for layer in trace.counted}
    assert trace.label == "alexnet_grouped input=1x3x227x227"
    assert layers["conv1"].macs == 11 * 11 * 3 * 96 * 55 * 55
    assert layers["conv2"].macs == 5 * 5 * 48 * 256 * 27 * 27
    assert layers["conv3"].macs == 3 * 3 * 256 * 384 * 13 * 13
    assert layers["conv4"].macs == 3 * 3 * 192 * 384 * 13 * 13
    assert layers["conv5"].macs == 3 * 3 * 192 * 256 * 13 * 13
    assert layers["fc6"].params == 6 * 6 * 256 * 4096 + 4096
    assert layers["conv2"].kind == "grouped 5x5"


def test_the_grouped_network_is_as_large_as_in_caffe() -> None:
    # bvlc_alexnet and bvlc_reference_caffenet: the same layers.
    trace = mp.trace("alexnet_grouped")
    assert trace.total.params == 60_965_224
    assert trace.total.macs == 724_406_816
    assert trace.uncounted == ()


def test_response_normalisation_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(0)
    a = 30 * torch.randn(1, 7, 2, 2, dtype=torch.double)
    b = make_response_norm()(a)
    for i in range(7):
        near = a[:, max(0, i - 2) : min(6, i + 2) + 1]
        expected = a[:, i] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
        torch.testing.assert_close(b[:, i], expected)


@pytest.mark.parametrize("name", ["alexnet", "alexnet_grouped"])
def test_no_classes_give_the_last_map(name: str) -> None:
    trace = mp.trace(name, num_classes=0)
    assert trace.layers[-1].output_shape == (1, 256, 6, 6)
    assert [layer.path for layer in trace.counted] == [f"conv{i}" for i in range(1, 6)]


def test_another_size_is_refused_by_the_grouped_network_alone() -> None:
    with pytest.raises(mp.UsageError, match="maps of 6x6, given 5x5; use resolution 227"):
        mp.trace("alexnet_grouped", resolution=224)
    assert mp.trace("alexnet_grouped", resolution=224, num_classes=0).total.macs
    assert mp.trace("alexnet", resolution=320).total.macs
