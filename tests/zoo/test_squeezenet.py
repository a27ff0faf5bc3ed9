"""SqueezeNet is the table of its paper."""

import pytest

import mobilenet_profiler as mp


def test_a_fire_module_by_hand() -> None:
    layers = {layer.path: layer for layer in mp.trace("squeezenet1_0").counted}
    # 224 -> 109 -> 54; fire2 takes 96 channels and gives 64 + 64.
    assert layers["conv1"].macs == 7 * 7 * 3 * 96 * 109 * 109
    assert layers["fire2.squeeze1x1"].macs == 96 * 16 * 54 * 54
    assert layers["fire2.expand3x3"].macs == 3 * 3 * 16 * 64 * 54 * 54
    # Table 1 prints 11,920 for fire2 and 188,992 for fire8, biases included.
    for name, params in (("fire2", 11_920), ("fire8", 188_992)):
        assert sum(layers[path].params for path in layers if path.startswith(name)) == params


def test_version_1_1_is_2_4_times_cheaper_and_as_large() -> None:
    old, new = mp.trace("squeezenet1_0").total, mp.trace("squeezenet1_1").total
    assert round(old.macs / new.macs, 1) in (2.3, 2.4)
    assert round(new.params / old.params, 2) == 0.99


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_no_classes_give_pooled_features_of_the_last_fire_module(name: str) -> None:
    trace = mp.trace(name, num_classes=0)
    assert trace.layers[-1].output_shape == (1, 512, 1, 1)
    assert trace.counted[-1].path == "fire9.expand3x3"
