"""What a forward pass is given, and what it is not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import mobilenet_profiler as mp
from mobilenet_profiler.trace.inputs import Inputs, guess_input, make_inputs


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image, self.tokens = nn.Conv2d(3, 4, 1), nn.Embedding(9, 4)

    def forward(
        self, image: Tensor, ids: Tensor, mask: Tensor | None = None, *, double: bool = False
    ) -> tuple[Tensor, Tensor]:
        return self.image(image), self.tokens(ids)


def read(inputs: Any, model: nn.Module | None = None, **keywords: Any) -> str:
    return str(make_inputs(model or Pair(), None, inputs, keywords))


IMAGE, IDS = torch.ones(1, 3, 8, 8), torch.zeros(1, 5, dtype=torch.int64)


@pytest.mark.parametrize(
    ("inputs", "keywords", "text"),
    [
        ((IMAGE, IDS), {}, "1x3x8x8 1x5:int64"),
        ([IMAGE, IDS], {}, "1x3x8x8 1x5:int64"),
        (((1, 3, 8, 8), "1x5:int64"), {}, "1x3x8x8 1x5:int64"),
        (("1x3x8x8", "ids=1x5:int64"), {}, "1x3x8x8 ids=1x5:int64"),
        ({"image": (1, 3, 8, 8), "ids": IDS}, {}, "image=1x3x8x8 ids=1x5:int64"),
        (IMAGE, {"ids": "1x5:int64", "double": True}, "1x3x8x8 ids=1x5:int64 double=true"),
        ((IMAGE, IDS, None), {}, "1x3x8x8 1x5:int64 none"),
        (None, {"ids": IDS, "image": "1x3x4x4"}, "ids=1x5:int64 image=1x3x4x4"),
    ],
)
def test_inputs_are_read_in_every_form(inputs: Any, keywords: dict[str, Any], text: str) -> None:
    assert read(inputs, **keywords) == text
    assert mp.trace(Pair(), inputs, keywords=keywords).total.params == 3 * 4 + 4 + 36


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)

    def forward(self, images: list[Tensor], options: Any = None) -> list[Tensor]:
        assert isinstance(images, list)
        return [self.stem(image[None]) for image in images]


@pytest.mark.parametrize(
    "inputs",
    [
        ([torch.ones(3, 8, 8), torch.ones(3, 6, 6)],),
        ([(3, 8, 8), "3x6x6"],),
        "[3x8x8,3x6x6]",
    ],
)
def test_a_list_of_tensors_is_one_argument(inputs: Any) -> None:
    assert read(inputs, model=Detector()) == "[3x8x8,3x6x6]"
    trace = mp.trace(Detector(), inputs)
    assert trace.total.macs == (64 + 36) * 12
    assert trace.spec["inputs"] == [[3, 8, 8], [3, 6, 6]]


def test_values_beside_a_tensor_are_passed_as_they_are() -> None:
    marker = object()
    given = make_inputs(Detector(), None, ([IMAGE[0]], marker))
    assert given.args[1] is marker
    assert given.args[0][0].is_meta is False
    assert make_inputs(Detector(), None, ({"a": IMAGE}, 3)).args[1] == 3


def test_real_tensors_are_kept_and_their_shapes_alone_traced() -> None:
    before = IMAGE.clone()
    mp.trace(Pair(), (IMAGE, IDS))
    assert torch.equal(IMAGE, before)
    strided = torch.ones(3, 4).t()
    (bare,) = Inputs((strided,)).without_values().args
    assert bare.is_meta
    assert bare.stride() == strided.stride()


def test_a_packed_sequence_keeps_its_lengths() -> None:
    packed = pack_sequence([torch.ones(3, 2), torch.ones(1, 2)])
    (bare,) = Inputs((packed,)).without_values().args
    assert bare.data.is_meta
    assert bare.batch_sizes.tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv2d(3, 8, 3), "1x3x224x224"),
        (nn.Conv1d(5, 8, 3), "1x5x224"),
        (nn.Conv3d(2, 8, 3), "1x2x16x112x112"),
        (nn.ConvTranspose2d(6, 3, 3), "1x6x224x224"),
        (nn.Linear(7, 8), "1x7"),
        (nn.Linear(7, 8, dtype=torch.bfloat16), "1x7:bfloat16"),
        (nn.Embedding(9, 8), "1x128:int64"),
        (nn.LSTM(7, 8), "128x1x7"),
        (nn.GRU(7, 8, batch_first=True), "1x128x7"),
        (nn.RNNCell(7, 8), "1x7"),
        (nn.ReLU(), "1x3x224x224"),
        (nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 2), nn.BatchNorm1d(2)), "1x6"),
    ],
)
def test_the_default_input_fits_the_first_layer(layer: nn.Module, text: str) -> None:
    assert read(None, model=layer) == text
    mp.trace(layer, mode="eval")


def test_resolution_and_batch_change_the_default() -> None:
    assert guess_input(nn.Conv2d(3, 8, 3), 4, 32).shape == (4, 3, 32, 32)
    assert guess_input(nn.Conv3d(3, 8, 3), 1, 32).shape == (1, 3, 16, 32, 32)
    assert guess_input(nn.LSTM(7, 8), 4).shape == (128, 4, 7)


class Flagged(nn.Linear):
    def forward(self, x: Tensor, flag: bool = False) -> Tensor:
        return super().forward(super().forward(x) if flag else x)


def test_flags_alone_go_with_the_default_input() -> None:
    assert mp.trace(Flagged(4, 4), keywords={"flag": True}).total.macs == 32
    assert mp.trace(Flagged(4, 4), "flag=true").total.macs == 32


class Constant(nn.Linear):
    def forward(self) -> Tensor:  # type: ignore[override]
        return super().forward(torch.ones(1, 4))


def test_a_forward_without_arguments_gets_none() -> None:
    assert mp.trace(Constant(4, 4)).total.macs == mp.trace(Constant(4, 4), ()).total.macs == 16


@pytest.mark.parametrize(
    ("inputs", "keywords", "message"),
    [
        (5, {}, "inputs must be a shape, a tensor"),
        ((1, -3), {}, "inputs must be a shape"),
        ((object(), None), {}, "inputs must be a shape"),
        ("1x3:flot", {}, "unknown dtype"),
        (IMAGE, {"idz": IDS}, "unknown input of Pair.forward: 'idz' .did you mean 'ids'"),
        (IMAGE, {}, r"Pair.forward needs ids; given 1x3x8x8; add --input ids=SHAPE"),
        ((IMAGE, IDS, IDS, IDS), {}, "takes at most 3: image, ids, mask; given 4 positional"),
        ((IMAGE, IDS), {"ids": IDS}, "multiple values for argument 'ids'"),
        (("ids=1x2", "ids=1x2"), {}, "'ids' is given twice"),
        ({"ids": IDS}, {"ids": IDS}, "'ids' is given twice"),
        ((2**40, 2**40), {}, "cannot make an input of"),
    ],
)
def test_wrong_inputs_get_one_line(inputs: Any, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        mp.trace(Pair(), inputs, keywords=keywords)


def test_a_hook_may_supply_what_forward_lacks() -> None:
    model = Pair()
    model.register_forward_pre_hook(lambda module, given: (*given, IDS.to("meta")))
    assert read(IMAGE, model=model) == "1x3x8x8"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("torch.ones(2, 4)", "2x4"),
        ("(torch.ones(2, 4), None)", "2x4 none"),
        ("{'x': torch.ones(2, 4)}", "x=2x4"),
        ("((torch.ones(2, 4),), {'flag': True})", "2x4 flag=true"),
        ("'3x4'", "3x4"),
    ],
)
def test_a_function_may_make_the_inputs(tmp_path: Path, code: str, text: str) -> None:
    (tmp_path / "made.py").write_text(f"import torch\ndef make():\n    return {code}\n")
    spec = mp.make_spec("torch.nn:Linear", inputs_from=f"{tmp_path}/made.py:make")
    assert str(make_inputs(Flagged(4, 4), spec)) == text


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nets", "unknown model 'nets'"),
        ("mobilenet_v1", "inputs come from module:function"),
        ("{}/made.py:fail", r"failed: ValueError: no data \(made.py:2\)"),
        ("{}/made.py:nothing", "returned None; inputs must be"),
        ("{}/made.py:mak", "did you mean"),
    ],
)
def test_a_function_that_makes_no_inputs_gets_one_line(
    tmp_path: Path, source: str, message: str
) -> None:
    code = "def fail():\n    raise ValueError('no data')\ndef nothing(): pass\ndef make(): pass\n"
    (tmp_path / "made.py").write_text(code)
    spec = mp.make_spec("torch.nn:Linear", inputs_from=source.format(tmp_path))
    with pytest.raises(mp.UsageError, match=message):
        make_inputs(Flagged(4, 4), spec)


def test_the_mode_is_set_for_the_trace_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout().eval())
    assert mp.trace(model, mode="eval").spec["mode"] == "eval"
    assert mp.trace(model).spec["mode"] == "train"
    assert [module.training for module in model.modules()] == [True, True, False]
    with pytest.raises(mp.UsageError, match="unknown mode 'trian'"):
        mp.trace(model, mode="trian")
