"""Building leaves nothing behind, and says in one line what could not be built."""

import contextlib
import random
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.trace.build import build_model
from tests.torchvision_stub import define_operators

CODE = """
    import dataclasses
    import torch
    from torch import nn
    import neighbour

    @dataclasses.dataclass
    class Config:
        width: int = 8

    class Net(nn.Module):
        def __init__(self, hidden, depth=2, *, act="relu"):
            super().__init__()
            self.stem = nn.Linear(16, hidden)
            self.blocks = nn.Sequential(*[nn.Linear(hidden, hidden) for _ in range(depth)])

        def forward(self, x):
            return self.blocks(self.stem(x))

        @classmethod
        def make(cls):
            return cls(neighbour.HIDDEN)

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.rates = [rate.item() for rate in torch.linspace(0, 1, 3)]
            shared = nn.Parameter(torch.randn(4, 4))
            shared.kind = "shared"
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.first.weight = self.second.weight = shared
            self.register_buffer("table", torch.arange(4.0))

        def forward(self, x):
            return self.second(self.first(x)) + self.table

    class LooksAtWeights(nn.Linear):
        def __init__(self):
            super().__init__(4, 4)
            self.largest = self.weight.max().item()

    class TriesItself(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
            self.head = nn.Linear(self.body(torch.zeros(2, 3, 8, 8)).shape[1], 5)

        def forward(self, x):
            return self.head(self.body(x))

    class TakesNumbers(nn.Linear):
        def __init__(self):
            super().__init__(4, 4)
            self.weight.data = torch.frombuffer(bytearray(64), dtype=torch.float32).view(4, 4)

    class Late(nn.Linear):
        def forward(self, x):
            from beside import scale
            return scale(super().forward(x))

    def move():
        return nn.Linear(4, 4).to("cpu")

    def meddle(fail=False):
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("cpu")
        torch.manual_seed(7)
        torch.set_grad_enabled(False)
        import random, sys
        random.seed(7)
        sys.path.append("/nowhere")
        if fail:
            raise ValueError("too deep\\nby far")
        return nn.Linear(2, 2)

    def greedy(**options):
        raise KeyError(sorted(options)[0])

    def leave():
        raise SystemExit(3)

    def nothing():
        return Config()

    ready = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    number = 3
"""


@pytest.fixture
def nets(tmp_path: Path) -> str:
    (tmp_path / "neighbour.py").write_text("HIDDEN = 12\n")
    file = tmp_path / "nets.py"
    file.write_text(textwrap.dedent(CODE))
    return str(file)


def build(source: str, **given: Any) -> nn.Module:
    return build_model(mp.make_spec(source, **given))


def test_a_file_names_classes_functions_attributes_and_instances(nets: str) -> None:
    assert len(build(f"{nets}:Net", arguments={"hidden": 8, "depth": 3}).blocks) == 3  # type: ignore[arg-type]
    made = build(f"{nets}:Net.make")
    assert made.stem.weight.shape == (12, 16)  # type: ignore[union-attr]
    assert all(parameter.is_meta for parameter in made.parameters())
    assert not made.training
    ready = build(f"{nets}:ready")
    assert not any(parameter.is_meta for parameter in ready.parameters())


def test_a_module_is_imported_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nets_here.py").write_text("from torch import nn\nmake = lambda: nn.Linear(2, 3)\n")
    monkeypatch.chdir(tmp_path)
    assert isinstance(build("nets_here:make"), nn.Linear)
    assert isinstance(build("torch.nn:Linear", in_features=2, out_features=3), nn.Linear)


def test_two_files_with_neighbours_of_the_same_name_each_get_their_own(
    nets: str, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "neighbour.py").write_text("HIDDEN = 5\n")
    (other / "nets.py").write_text(textwrap.dedent(CODE))
    widths = [build(f"{file}:Net.make").stem.out_features for file in (nets, other / "nets.py")]  # type: ignore[union-attr]
    assert widths == [12, 5]


def test_a_constructor_that_looks_at_values_gets_real_buffers(nets: str) -> None:
    model: Any = build(f"{nets}:Looks")
    assert model.rates == [0, 0.5, 1]
    assert all(parameter.is_meta for parameter in model.parameters())
    assert model.first.weight is model.second.weight
    assert model.first.weight.kind == "shared"
    assert model.table.tolist() == [0, 1, 2, 3]
    assert nn.Linear(2, 2).weight.device.type == "cpu"
    assert mp.trace(f"{nets}:Looks").total == mp.Cost(16 + 8, 16, 32, 8, elementwise=4)


@pytest.mark.parametrize("name", ["LooksAtWeights", "TakesNumbers"])
def test_a_constructor_that_needs_its_weights_gets_real_ones(nets: str, name: str) -> None:
    assert not build(f"{nets}:{name}").weight.is_meta
    assert mp.trace(f"{nets}:{name}").total.macs == 16


def test_a_factory_may_move_its_network_without_making_numbers(nets: str) -> None:
    assert build(f"{nets}:move").weight.is_meta


def test_a_constructor_may_run_its_own_layers(nets: str) -> None:
    model: Any = build(f"{nets}:TriesItself")
    assert model.head.in_features == 4 * 6 * 6
    assert model.head.weight.is_meta


def test_real_weights_are_initialised_the_same_each_time(nets: str) -> None:
    spec = mp.make_spec(f"{nets}:Net", arguments={"hidden": 4})
    first, second = (build_model(spec, device="cpu").state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first["stem.weight"].abs().sum() > 0


def test_a_forward_may_import_what_lies_beside_its_file(nets: str) -> None:
    Path(nets).with_name("beside.py").write_text("def scale(x):\n    return x * 2\n")
    before = list(sys.path)
    given = {"in_features": 4, "out_features": 3}
    assert mp.trace(f"{nets}:Late", arguments=given).total.macs == 12
    assert sys.path == before


def look_around() -> tuple[Any, ...]:
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        random.getstate(),
        list(sys.path),
        nn.Module.register_parameter,
        torch.utils._device.CURRENT_DEVICE,
        torch.empty(1).device,
    )


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_everything_global_is_as_before(nets: str, fail: bool, device: str) -> None:
    before = look_around()
    message = r"ValueError: too deep by far \(nets.py:"
    with pytest.raises(mp.UsageError, match=message) if fail else contextlib.nullcontext():
        build_model(mp.make_spec(f"{nets}:meddle", arguments={"fail": fail}), device)
    assert look_around() == before


def test_a_default_device_of_the_callers_is_kept(nets: str) -> None:
    torch.set_default_device("meta")
    try:
        build(f"{nets}:meddle")
        assert torch.empty(1).is_meta
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)
    assert torch.empty(1).device.type == "cpu"


def test_an_instance_is_traced_as_it_is_and_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from torch import nn\nnet = nn.Sequential(nn.Linear(4, 4), nn.Dropout())\n"
    (tmp_path / "instances.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    import instances  # type: ignore[import-not-found]

    instances.net[1].eval()
    weight = instances.net[0].weight
    assert mp.trace("instances:net").total.macs == 16
    assert [module.training for module in instances.net.modules()] == [True, True, False]
    assert instances.net[0].weight is weight
    assert not weight.is_meta


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("", {}, "name what to build after a ':'; it holds Net, Looks, LooksAtWeights"),
        (":Nett", {}, "unknown name in .*nets.py: 'Nett' .did you mean 'Net'.*meddle"),
        (":Net.mak", {}, "unknown name in .*nets.py: 'Net.mak'"),
        (":Net", {}, "nets.py:Net needs hidden; give --set hidden=VALUE"),
        (":Net", {"hiden": 3}, "'hiden' .did you mean 'hidden'.*allowed: hidden, depth, act"),
        (":Net.make", {"a": 3}, "'a'; allowed: none"),
        (":Net", {"hidden": "wide"}, r"cannot build .*: TypeError: .*nets.py:14\)"),
        (":greedy", {"anything": 1}, r"KeyError: 'anything' \(nets.py:"),
        (":leave", {}, r"SystemExit: 3 \(nets.py:"),
        (":nothing", {}, "returned a Config, not an nn.Module"),
        (":ready", {"a": 1}, "is a module already and takes no arguments, given a"),
        (":number", {}, "is of type int; name a function, class or nn.Module"),
    ],
)
def test_what_cannot_be_built_gets_one_line(
    nets: str, name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(mp.UsageError, match=message) as caught:
        build(nets + name, arguments=arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:", r"is not Python: invalid syntax \(wrong.py:1\)"),
        ("\0", "is not Python"),
        ("import nothere", r"ModuleNotFoundError: No module named 'nothere' \(wrong.py:1\)"),
        ("\nimport sys; sys.exit(3)", r"SystemExit: 3 \(wrong.py:2\)"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(wrong.py:1\)"),
        ("", "it holds nothing that builds a network"),
    ],
)
def test_a_file_that_cannot_be_run_gets_one_line(tmp_path: Path, code: str, message: str) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(code)
    with pytest.raises(mp.UsageError, match=message):
        build(str(file))


def test_a_file_or_module_that_is_not_there_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(mp.UsageError, match=r"cannot read .*: No such file"):
        build(f"{tmp_path}/nowhere.py:Net")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(mp.UsageError, match="it is a directory"):
        build(f"{tmp_path}/folder.py:Net")
    with pytest.raises(mp.UsageError, match=r"cannot import 'torch.nowhere': No module named"):
        build("torch.nowhere:Net")


@pytest.mark.parametrize("package", ["torchvision", "timm"])
def test_a_package_that_is_not_installed_is_named(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)

    class Hide:
        def find_spec(self, name: str, *arguments: object) -> None:
            if name == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Hide(), *sys.meta_path])
    with pytest.raises(mp.UsageError, match=f"{package} is not installed: pip install {package}"):
        build(f"{package}/resnet18")


needs_torchvision = pytest.mark.skipif(not define_operators(), reason="torchvision is missing")


@pytest.fixture
def timm() -> Any:
    define_operators()
    return pytest.importorskip("timm")


@needs_torchvision
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("resnet18", "1x3x224x224"),
        ("efficientnet_b4", "1x3x380x380"),
        ("lraspp_mobilenet_v3_large", "1x3x520x520"),
        ("vit_h_14", "1x3x224x224"),  # its default weights are of another network, 518 pixels wide
        ("r3d_18", "1x3x16x112x112"),
        ("s3d", "1x3x16x224x224"),
        ("ssdlite320_mobilenet_v3_large", "[3x800x800]"),
        ("raft_small", "1x3x520x960 1x3x520x960"),
    ],
)
def test_a_network_of_torchvision_gets_the_size_it_publishes(name: str, text: str) -> None:
    from mobilenet_profiler.trace.inputs import make_inputs

    spec = mp.make_spec(f"torchvision/{name}")
    model = build_model(spec)
    assert str(make_inputs(model, spec)) == text
    assert all(parameter.is_meta for parameter in model.parameters())


@needs_torchvision
def test_options_of_torchvision_are_passed_on_and_weights_refused() -> None:
    trace = mp.trace("torchvision/resnet50", resolution=160, batch=2, num_classes=10)
    assert trace.label == "torchvision/resnet50 num_classes=10 input=2x3x160x160"
    with pytest.raises(mp.UsageError, match="weights are never loaded; leave out 'weights'"):
        build("torchvision/resnet50", weights="DEFAULT")
    with pytest.raises(mp.UsageError, match=r"'resnet5' .did you mean 'resnet50'.* more$"):
        build("torchvision/resnet5")


def test_a_network_of_timm_gets_the_size_of_its_configuration(timm: Any) -> None:
    whole = mp.trace("timm/vit_tiny_patch16_224.augreg_in21k", num_classes=0)
    assert whole.spec["inputs"] == [[1, 3, 224, 224]]
    larger = mp.trace("timm/vit_tiny_patch16_224", arguments={"img_size": 384, "in_chans": 1})
    assert larger.spec["inputs"] == [[1, 1, 384, 384]]
    with pytest.raises(mp.UsageError, match=r"'rsnet50' .did you mean 'resnet50'.* more$"):
        build("timm/rsnet50")
    with pytest.raises(mp.UsageError, match="unknown model of timm"):
        build("timm/hf-hub:timm/resnet50")
    with pytest.raises(mp.UsageError, match="leave out 'pretrained'"):
        build("timm/resnet50", pretrained=True)


def test_building_in_a_loop_keeps_no_modules(nets: str) -> None:
    before = set(sys.modules)
    build(f"{nets}:Net.make")
    once = set(sys.modules)
    make: Callable[[], nn.Module] = lambda: build(f"{nets}:Net.make")  # noqa: E731
    for _ in range(3):
        make()
    assert set(sys.modules) == once
    assert once - before <= {"source_of_nets", "neighbour"}
