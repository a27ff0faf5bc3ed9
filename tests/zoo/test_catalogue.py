"""What holds for every network of the zoo."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.spec import read_spec
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.cross_check import count_with_flop_counter
from mobilenet_profiler.zoo.catalogue import ZooEntry, list_models

ENTRIES = list_models()
every_network = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


@every_network
def test_it_is_counted_whole_and_as_the_counter_of_pytorch_does(entry: ZooEntry) -> None:
    spec = mp.make_spec(entry.name)
    trace = mp.trace(spec)
    assert trace.uncounted == ()
    assert trace.total.macs == count_with_flop_counter(spec)
    assert trace.label == f"{entry.name} input=1x3x{entry.resolution}x{entry.resolution}"


@every_network
def test_it_takes_each_of_its_options_at_its_default(entry: ZooEntry) -> None:
    defaults = {"num_classes": 5, "alpha": 1.0, "depth": 20, "round_to": 8}
    switches = ("batch_norm", "aux_heads", "minimalistic", "stride_in_1x1", "conv_bias")
    known = {**defaults, **dict.fromkeys(switches, False)}
    options = {name: known[name] for name in entry.options if name in known}
    assert "num_classes" in options
    if not entry.name.endswith("mobilenet_v1"):
        assert options.keys() == set(entry.options)
    trace = mp.trace(entry.name, arguments=options)
    assert trace.counted[-1].output_shape is not None
    assert trace.counted[-1].output_shape[1] == 5


@every_network
def test_none_and_0_classes_are_the_same_features(entry: ZooEntry) -> None:
    none, zero = (mp.trace(entry.name, num_classes=classes) for classes in (None, 0))
    assert none.total == zero.total
    assert none.total.params < mp.trace(entry.name).total.params


@every_network
def test_input_of_another_rank_is_refused(entry: ZooEntry) -> None:
    with pytest.raises(mp.UsageError, match=r"input must have rank 4 \(N, 3, H, W\), given"):
        mp.trace(entry.name, inputs=["3x224x224"])


@every_network
@pytest.mark.parametrize("classes", [-1, 1.5, True, "ten", 2**31])
def test_other_classes_are_refused(entry: ZooEntry, classes: object) -> None:
    with pytest.raises(mp.UsageError, match="num_classes must be a whole number"):
        mp.trace(entry.name, num_classes=classes)


@pytest.mark.parametrize(
    "text",
    ["mobilenet_v2 alpha=0.35", "mobilenet_v3_small", "googlenet", "resnet_cifar", "squeezenet1_1"],
)
def test_initialised_anew_it_gives_finite_outputs_of_some_spread(text: str) -> None:
    model = build_model(read_spec(text, num_classes=10), device="cpu")
    reset = model.reset_parameters
    assert callable(reset)
    before = [p.detach().clone() for p in model.parameters() if p.dim() > 1]
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.constant_(norm.weight, 7.0)
    torch.manual_seed(1)
    reset()
    after = [p for p in model.parameters() if p.dim() > 1]
    assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(m.weight.eq(1).all() for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    with torch.no_grad():
        output = model.train()(torch.randn(2, 3, 64, 64))
    assert torch.isfinite(output).all()
    assert output.std() > 0


def test_the_list_imports_no_torch() -> None:
    check = "import sys, mobilenet_profiler.zoo.catalogue; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_names_are_told_once() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)
    assert all(entry.factory.endswith(f":{entry.name}") for entry in ENTRIES)
