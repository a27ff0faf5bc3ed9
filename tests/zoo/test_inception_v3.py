"""Inception V3 is the figures of its paper."""

import pytest
import torch

import mobilenet_profiler as mp
from mobilenet_profiler.zoo.auxiliary import TrainingOutput
from mobilenet_profiler.zoo.inception_v3 import INCEPTION_V3_ROWS, count_channels, inception_v3


def test_params_with_and_without_the_head() -> None:
    # The first is what torchvision publishes, the second what runs in eval mode.
    assert mp.trace("inception_v3", aux_heads=True).total.params == 27_161_264
    assert mp.trace("inception_v3").total.params == 23_834_568


def test_factorised_layers_by_hand() -> None:
    trace = mp.trace("inception_v3")
    layers = {layer.path: layer for layer in trace.counted}
    assert trace.label == "inception_v3 input=1x3x299x299"
    assert layers["Conv2d_1a_3x3.conv"].macs == 3 * 3 * 3 * 32 * 149 * 149
    assert layers["Mixed_6b.Branch_1.Conv2d_0b_1x7.conv"].macs == 7 * 128 * 128 * 17 * 17
    assert layers["Mixed_7b.Branch_1.Conv2d_0b_1x3.conv"].macs == 3 * 384 * 384 * 8 * 8
    assert layers["Mixed_7b.Branch_1.Conv2d_0c_3x1.conv"].macs == 3 * 384 * 384 * 8 * 8
    assert trace.uncounted == ()


def test_channels_are_those_of_table_1() -> None:
    channels, depths = 3, []
    for name, row in INCEPTION_V3_ROWS.items():
        channels = count_channels(row, channels)
        if name in ("MaxPool_5a_3x3", "Mixed_5b", "Mixed_5d", "Mixed_6e", "Mixed_7a", "Mixed_7c"):
            depths.append(channels)
    assert depths == [192, 256, 288, 768, 1280, 2048]


def test_the_head_runs_in_training_alone() -> None:
    bare = mp.trace("inception_v3", batch=2).total
    assert mp.trace("inception_v3", aux_heads=True, batch=2).total.macs == bare.macs
    # Two images: the head's last BatchNorm sees one number a channel of each.
    trained = mp.trace("inception_v3", aux_heads=True, mode="train", batch=2).total
    head = 5 * 5 * 768 * 128 + 5 * 5 * 128 * 768 + 768 * 1000
    assert trained.macs - bare.macs == 2 * head


def test_training_returns_the_logits_and_those_of_the_head() -> None:
    with torch.device("meta"):
        model = inception_v3(aux_heads=True, num_classes=7)
    output = model.train()(torch.empty(2, 3, 299, 299, device="meta"))
    assert isinstance(output, TrainingOutput)
    assert output.logits.shape == output.auxiliary[0].shape == (2, 7)


def test_no_classes_give_pooled_features() -> None:
    assert mp.trace("inception_v3", num_classes=0).layers[-1].output_shape == (1, 2048, 1, 1)


def test_an_image_that_is_too_small_gets_one_line() -> None:
    with pytest.raises(mp.UsageError, match=r"failed in 'Mixed_7a\.Branch_0.*input 1x3x64x64") as e:
        mp.trace("inception_v3", resolution=64)
    assert "\n" not in str(e.value)
