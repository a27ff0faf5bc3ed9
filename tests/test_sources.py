"""What a text can name, and what is said of one that names nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import (
    DTYPES,
    InputSpec,
    Source,
    parse_argument,
    parse_input,
    parse_source,
    read_spec,
)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("mobilenet_v1", Source("zoo", "", "mobilenet_v1")),
        ("package.module:factory", Source("module", "package.module", "factory")),
        ("module:Outer.make", Source("module", "module", "Outer.make")),
        ("module:", Source("module", "module", "")),
        ("a/b.py:Net", Source("file", "a/b.py", "Net")),
        ("b.py", Source("file", "b.py", "")),
        (r"C:\a\b.py:Net", Source("file", r"C:\a\b.py", "Net")),
        ("torchvision/resnet18", Source("torchvision", "", "resnet18")),
        ("timm/vit_b.tag", Source("timm", "", "vit_b.tag")),
    ],
)
def test_a_text_names_one_kind_of_source(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "suffix", [".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".onnx", ".PTH"]
)
def test_a_checkpoint_is_refused_unread(suffix: str) -> None:
    with pytest.raises(mp.UsageError, match="holds weights, not a network"):
        parse_source(f"nowhere/model{suffix}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mobilenet_v11", "did you mean 'mobilenet_v1'.*package.module:factory"),
        ("pkg.resnet18", "write 'pkg:resnet18' or 'pkg.resnet18:NAME'"),
        ("a.py:b c", "'b c' is no name of Python"),
        ("tests", "'tests' is a directory; name a file in it: tests/FILE.py"),
        ("README.md", "'README.md' is not Python"),
        ("", "unknown model ''"),
    ],
)
def test_a_text_that_names_nothing_says_what_could(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    with pytest.raises(mp.UsageError, match=message):
        parse_source(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3", 3),
        ("a=-0.5", -0.5),
        ("a=(1, 2)", (1, 2)),
        ("a='3'", "3"),
        ("a=True", True),
        ("a=true", True),
        ("a=FALSE", False),
        ("a=none", None),
        ("a=gelu", "gelu"),
        ("a=x=y", "x=y"),
        ("a=", ""),
        ("a=[1,", "[1,"),
    ],
)
def test_an_argument_is_a_literal_a_constant_or_its_text(text: str, value: Any) -> None:
    assert parse_argument(text) == ("a", value)


@pytest.mark.parametrize("text", ["a", "=3", "a b=3", ""])
def test_an_argument_needs_a_key(text: str) -> None:
    with pytest.raises(mp.UsageError, match="an argument must be key=value"):
        parse_argument(text)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("1x3x224x224", InputSpec(shape=(1, 3, 224, 224))),
        ("5", InputSpec(shape=(5,))),
        ("2X3:float16", InputSpec(shape=(2, 3), dtype="float16")),
        ("ids=1x128:int64", InputSpec("ids", (1, 128), "int64")),
        ("t=scalar:int64", InputSpec("t", (), "int64")),
        ("flag=true", InputSpec("flag", value=True)),
        ("none", InputSpec()),
        (
            "[3x8x8,3x9x9]",
            InputSpec(items=(InputSpec(shape=(3, 8, 8)), InputSpec(shape=(3, 9, 9)))),
        ),
        ("d=[a=1,b=2]", InputSpec("d", items=(InputSpec("a", (1,)), InputSpec("b", (2,))))),
    ],
)
def test_a_text_is_an_input_and_prints_as_it(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec
    assert parse_input(spec.text) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1x-3", "must be a shape such as 1x3x224x224"),
        ("1x3x", "must be a shape"),
        ("", "must be a shape"),
        ("[]", "must be a shape"),
        ("a=b=3", "must be a shape"),
        ("a b=3", "'a b' is no name of an argument"),
        ("1x3:flot32", "unknown dtype in input '1x3:flot32': 'flot32' .did you mean 'float32'"),
        ("1x3:", "unknown dtype"),
    ],
)
def test_a_text_that_is_no_input_gets_one_line(text: str, message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        parse_input(text)


def test_every_dtype_that_a_text_may_name_is_one_of_torch() -> None:
    assert all(isinstance(getattr(torch, name), torch.dtype) for name in DTYPES)


def test_arguments_are_the_factorys_under_any_name_and_settings_size_the_input() -> None:
    spec = mp.make_spec("m:f", arguments={"batch": 8}, batch=2, beta=0.5, num_classes=3)
    assert spec.options == {"batch": 8, "num_classes": 3}
    assert (spec.batch, spec.resolution) == (2, 112)
    assert mp.make_spec("mobilenet_v1", arguments={"batch": 8, "alpha": 0.5}).input_shape[0] == 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arguments": {"alpha": 1}, "alpha": 1}, "'alpha' is given twice"),
        ({"mode": "trian"}, "unknown mode 'trian' .did you mean 'train'"),
        ({"inputs": ["1x3x8x8"], "beta": 1}, "inputs, or beta for the default input, not both"),
        ({"inputs": ["1x3x8x8"], "inputs_from": "m:f"}, "or a function that makes them, not both"),
    ],
)
def test_what_is_given_twice_or_unknown_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        mp.make_spec("mobilenet_v1", **given)


def test_a_label_and_the_data_are_right_for_every_source() -> None:
    class Norm:
        pass

    spec = mp.make_spec("a.py:Net", arguments={"norm": Norm, "sizes": (1, 2)}, mode="train")
    assert spec.label.startswith("a.py:Net norm=")
    assert spec.label.endswith(".Norm sizes=[1, 2] mode=train")
    data = mp.make_spec("a.py:Net", inputs=["1x3", "m=1x4:bool", "f=true"]).as_dict()
    assert (data["inputs"], data["arguments"]) == (
        [[1, 3], [1, 4]],
        ["1x3", "m=1x4:bool", "f=true"],
    )
    assert mp.make_spec("mobilenet_v1", batch=2).label == "mobilenet_v1 input=2x3x224x224"


def test_a_long_list_of_names_shows_the_nearest_and_counts_the_rest() -> None:
    names = [f"net{index}" for index in range(50)]
    message = str(unknown_name("net", "net49x", names, limit=3))
    assert "did you mean 'net49'" in message
    assert message.endswith("and 47 more")
    assert message.count(",") == 3


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("mobilenet_v1", "mobilenet_v1 input=1x3x224x224"),
        (
            "mobilenet_v1 alpha=0.75 resolution=128",
            "mobilenet_v1 alpha=0.75 input=1x3x128x128",
        ),
        ("mobilenet_v1  classes=1001 batch=2 ", "mobilenet_v1 num_classes=1001 input=2x3x224x224"),
        (
            "my nets/net.py:Net depth=4 mode=train input=1x16",
            "my nets/net.py:Net depth=4 mode=train input=1x16",
        ),
    ],
)
def test_a_text_gives_the_spec_whose_heading_it_is(text: str, label: str) -> None:
    assert read_spec(text).label == label


def test_a_text_overrides_settings_and_keeps_the_others() -> None:
    spec = read_spec("mobilenet_v1 alpha=0.5 beta=0.5", resolution=160, alpha=0.75, batch=3)
    assert spec.label == "mobilenet_v1 alpha=0.5 input=3x3x112x112"


def test_a_text_that_gives_an_option_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="gives an option twice"):
        read_spec("mobilenet_v1 alpha=0.5 alpha=1")
