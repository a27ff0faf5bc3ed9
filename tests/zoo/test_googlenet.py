"""GoogLeNet in its two published forms, and its auxiliary classifiers."""

from typing import Any

import pytest
import torch

import mobilenet_profiler as mp
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.zoo.auxiliary import TrainingOutput
from mobilenet_profiler.zoo.googlenet import GOOGLENET_ROWS, Inception, googlenet

WEIGHTS, BIASES = 6_990_272, 8_280  # Caffe, bvlc_googlenet without its heads


def test_the_paper_s_form_is_as_large_as_in_caffe() -> None:
    trace = mp.trace("googlenet")
    assert trace.total.weights == WEIGHTS
    assert trace.total.params == WEIGHTS + BIASES
    assert trace.uncounted == ()


def test_a_module_by_hand() -> None:
    layers = {layer.path: layer for layer in mp.trace("googlenet").counted}
    # 3a: 192 channels of 28x28.
    assert layers["inception_3a.conv1x1.conv"].macs == 192 * 64 * 28 * 28
    assert layers["inception_3a.conv3x3.conv"].macs == 3 * 3 * 96 * 128 * 28 * 28
    assert layers["inception_3a.conv5x5.conv"].macs == 5 * 5 * 16 * 32 * 28 * 28
    assert layers["inception_3a.conv5x5.conv"].kind == "full 5x5"
    assert layers["inception_3a.pool_proj.conv"].params == 192 * 32 + 32


def test_the_5x5_branch_of_the_form_with_batch_norm_is_3x3() -> None:
    layers = {layer.path: layer for layer in mp.trace("googlenet", batch_norm=True).counted}
    assert layers["inception_3a.conv5x5.conv"].macs == 3 * 3 * 16 * 32 * 28 * 28


def test_depths_are_the_output_sizes_of_table_1() -> None:
    depths = [row.depth for row in GOOGLENET_ROWS if isinstance(row, Inception)]
    assert depths == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


@pytest.mark.parametrize(("batch_norm", "params"), [(False, 13_378_280), (True, 13_004_888)])
def test_heads_are_counted_as_params_and_run_in_training_alone(
    batch_norm: bool, params: int
) -> None:
    bare = mp.trace("googlenet", batch_norm=batch_norm)
    heads = mp.trace("googlenet", batch_norm=batch_norm, aux_heads=True)
    assert heads.total.params == params
    assert heads.total.macs == bare.total.macs
    trained = mp.trace("googlenet", batch_norm=batch_norm, aux_heads=True, mode="train")
    connected = 2048 * 1024 + 1024 * 1000
    expected = 4 * 4 * (512 + 528) * 128 + 2 * connected
    assert trained.total.macs - bare.total.macs == expected


def test_training_returns_the_logits_and_those_of_each_head() -> None:
    with torch.device("meta"):
        model = googlenet(aux_heads=True, num_classes=7)
    images = torch.empty(2, 3, 224, 224, device="meta")
    output = model.train()(images)
    assert isinstance(output, TrainingOutput)
    assert output.logits.shape == (2, 7)
    assert [head.shape for head in output.auxiliary] == [(2, 7), (2, 7)]
    assert model.eval()(images).shape == (2, 7)


def test_the_backward_pass_goes_through_the_heads() -> None:
    bare = mp.trace("googlenet", mode="train", backward=True)
    heads = mp.trace("googlenet", mode="train", backward=True, aux_heads=True)
    added = heads.total.macs - bare.total.macs
    assert heads.total.backward_macs - bare.total.backward_macs == 2 * added
    assert heads.uncounted == ()


def test_no_classes_give_pooled_features() -> None:
    assert mp.trace("googlenet", num_classes=0).layers[-1].output_shape == (1, 1024, 1, 1)


def test_weights_are_initialised_anew() -> None:
    torch.manual_seed(0)
    model = googlenet(num_classes=5)
    before = model.get_submodule("fc").weight
    assert isinstance(before, torch.Tensor)
    kept = before.detach().clone()
    model.reset_parameters()
    assert not torch.equal(before, kept)
    assert torch.isfinite(model.eval()(torch.randn(1, 3, 64, 64))).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_norm": 1}, "batch_norm must be true or false, given 1"),
        ({"aux_heads": "yes"}, "aux_heads must be true or false, given 'yes'"),
        (
            {"aux_heads": True, "num_classes": 0},
            "aux_heads need num_classes of at least 1, given 0",
        ),
        ({"num_classes": -1}, "num_classes must be a whole number"),
    ],
)
def test_bad_arguments_get_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        build_model(mp.make_spec("googlenet", arguments=options))


def test_heads_refuse_a_map_that_they_do_not_fit() -> None:
    with pytest.raises(mp.UsageError, match="maps of 4x4, given 2x2; use resolution 224"):
        mp.trace("googlenet", aux_heads=True, mode="train", resolution=128)
