"""VGG is the table of its paper."""

import pytest

import mobilenet_profiler as mp


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_the_number_is_that_of_the_layers_with_weights(depth: int) -> None:
    trace = mp.trace(f"vgg{depth}")
    assert len(trace.counted) == depth
    assert trace.uncounted == ()


# Millions, arXiv 1409.1556, Table 2.
@pytest.mark.parametrize(("depth", "millions"), [(11, 133), (13, 133), (16, 138), (19, 144)])
def test_params_are_the_millions_of_the_paper(depth: int, millions: int) -> None:
    assert round(mp.trace(f"vgg{depth}").total.params / 1e6) == millions


def test_layers_by_hand() -> None:
    layers = {layer.path: layer for layer in mp.trace("vgg16").counted}
    assert layers["conv1_1.conv"].macs == 3 * 3 * 3 * 64 * 224 * 224
    assert layers["conv3_3.conv"].macs == 3 * 3 * 256 * 256 * 56 * 56
    assert layers["fc6"].params == 7 * 7 * 512 * 4096 + 4096
    assert "conv3_4.conv" not in layers


def test_batch_norm_adds_two_numbers_a_channel_and_no_macs() -> None:
    plain, normed = mp.trace("vgg16"), mp.trace("vgg16", batch_norm=True)
    channels = 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512
    assert normed.total.params - plain.total.params == 2 * channels
    assert normed.total.macs == plain.total.macs


def test_no_classes_give_the_last_map() -> None:
    trace = mp.trace("vgg11", num_classes=0)
    assert trace.layers[-1].output_shape == (1, 512, 7, 7)
    assert len(trace.counted) == 8
