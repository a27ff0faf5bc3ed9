"""The ledger: counted, free by rule or unknown, and sums that hold everywhere."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.cli import run
from mobilenet_profiler.trace.formulas import FORMULAS
from mobilenet_profiler.trace.policy import FREE, RULES, find_rule
from tests.trace.calling import Calling, check_ledger, count

SQUARE: list[Callable[[], nn.Module]] = [
    lambda: nn.Conv2d(4, 4, 3, padding=1),
    lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
    lambda: nn.ConvTranspose2d(4, 4, 3, padding=1),
    lambda: nn.BatchNorm2d(4),
    lambda: nn.GroupNorm(2, 4),
    lambda: nn.LayerNorm(6),
    lambda: nn.Linear(6, 6),
    lambda: nn.ReLU(),
    lambda: nn.GELU(),
    lambda: nn.Dropout(),
    lambda: nn.Softmax(1),
    lambda: nn.MaxPool2d(3, 1, 1),
    lambda: nn.Upsample(size=(6, 6)),
    lambda: nn.Identity(),
    lambda: Calling(lambda x: x @ x),
    lambda: Calling(lambda x: x.transpose(-1, -2).contiguous()),
    lambda: Calling(lambda x: torch.linalg.solve(x, x)),
    lambda: Calling(lambda x: nn.functional.scaled_dot_product_attention(x, x, x)),
    lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.SiLU()),
]


@given(
    st.lists(st.integers(0, len(SQUARE) - 1), min_size=1, max_size=6),
    st.booleans(),
    st.booleans(),
)
def test_sums_over_operations_are_sums_over_layers(
    chosen: list[int], training: bool, shared: bool
) -> None:
    parts = [SQUARE[index]() for index in chosen]
    model = nn.Sequential(*parts, nn.Conv2d(4, 4, 1), *(parts[:1] if shared else []))
    x = torch.empty(2, 4, 6, 6, requires_grad=True)
    trace = check_ledger(mp.trace(model.train(training), x, backward=True))
    by_owner: Counter[str] = Counter()
    for operation in trace.ops:
        by_owner[operation.owner] += operation.macs
    layers = {layer.path: layer.macs + layer.backward_macs for layer in trace.layers}
    assert {path: macs for path, macs in by_owner.items() if macs} == {
        path: macs for path, macs in layers.items() if macs
    }
    assert trace.total.params == sum(p.numel() for p in model.parameters())


def test_no_operation_has_both_a_formula_and_a_rule_and_each_rule_is_listed() -> None:
    assert not set(FORMULAS) & set(FREE)
    assert set(FREE.values()) <= set(RULES)


def test_in_place_work_has_the_rule_of_the_work_it_does() -> None:
    assert find_rule("aten::relu_", False, False) is None
    assert find_rule("aten::relu_", True, False) == "elementwise"
    assert find_rule("aten::copy_", False, False) == "movement"
    assert find_rule("aten::masked_fill_", False, False) == FREE["aten::masked_fill"]


def twice(x: Tensor) -> Any:
    return torch.linalg.svdvals(x), torch.linalg.svdvals(x)


def once(x: Tensor) -> Any:
    return torch.linalg.eigvals(x)


def test_unknown_work_is_gathered_by_name_place_site_and_shapes() -> None:
    model = Calling(
        lambda first, second, x: (first(x), second(x), second(x[:3, :3])),
        Calling(twice),
        Calling(once),
    )
    trace = count(model, (4, 4))
    lines = {f.__name__: f.__code__.co_firstlineno + 1 for f in (twice, once)}
    assert [(item.path, item.calls, item.inputs, item.site) for item in trace.uncounted] == [
        ("parts.0", 2, ((4, 4),), f"test_ledger.py:{lines['twice']}"),
        ("parts.1", 1, ((4, 4),), f"test_ledger.py:{lines['once']}"),
        ("parts.1", 1, ((3, 3),), f"test_ledger.py:{lines['once']}"),
    ]
    assert trace.total.macs == 0


def test_unknown_work_keeps_its_site_on_every_trace() -> None:
    first, second = (count(Calling(once), (4, 4)) for _ in range(2))
    assert first.uncounted == second.uncounted
    assert first.uncounted[0].site


SOURCE = """
import torch
from torch import nn


class Known(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)


class Unknown(Known):
    def forward(self, x):
        return torch.linalg.svdvals(super().forward(x))
"""


@pytest.mark.parametrize(("name", "code"), [("Known", 0), ("Unknown", 1)])
@pytest.mark.parametrize("strict", [True, False])
def test_strict_exits_1_on_unknown_work(
    name: str, code: int, strict: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "networks.py"
    path.write_text(SOURCE, encoding="utf-8")
    arguments = ["table", f"{path}:{name}", "--input", "4x4", *(["--strict"] if strict else [])]
    assert run(arguments) == (code if strict else 0)
    shown = capsys.readouterr()
    assert ("not counted: aten::_linalg_svd" in shown.out) is (name == "Unknown")
