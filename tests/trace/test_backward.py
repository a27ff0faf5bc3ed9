"""The real backward: what autograd runs, no more and no less."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import mobilenet_profiler as mp
from tests.trace.calling import Calling, check_ledger

SIZE = st.integers(1, 5)


def trace(model: nn.Module, inputs: Any, **options: Any) -> mp.Trace:
    return check_ledger(mp.trace(model, inputs, backward=True, **options))


@given(SIZE, SIZE, SIZE, st.integers(1, 3), st.booleans(), st.booleans())
def test_without_groups_forward_and_backward_are_half_of_torchs_count(
    batch: int, depth: int, width: int, kernel: int, frozen: bool, needed: bool
) -> None:
    with torch.device("meta"):
        model = nn.Sequential(
            nn.Conv2d(depth, width, kernel, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, depth, kernel),
            nn.Flatten(2),
            nn.LazyLinear(3),
        )
        x = torch.empty(batch, depth, 6, 6, requires_grad=needed)
        model(x)
    model[3].requires_grad_(not frozen)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    total = trace(model, x).total
    assert total.macs + total.backward_macs == counter.get_total_flops() // 2


@given(SIZE, st.integers(1, 4), SIZE, SIZE, st.integers(1, 3), st.booleans())
def test_grouped_convolutions_give_back_what_they_take(
    batch: int, groups: int, depth: int, width: int, kernel: int, transposed: bool
) -> None:
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    model = kind(groups * depth, groups * width, kernel, groups=groups)
    x = torch.empty(batch, groups * depth, 5, 5, device="meta", requires_grad=True)
    total = trace(model, x).total
    sides = 25 if transposed else (6 - kernel) ** 2
    assert total.macs == batch * groups * depth * width * kernel**2 * sides
    assert total.backward_macs == 2 * total.macs


@pytest.mark.parametrize("name", ["mobilenet_v1", "conv_mobilenet_v1"])
def test_the_reference_network_needs_no_gradient_of_its_image(name: str) -> None:
    report = mp.trace(name, mode="train", backward=True)
    first = report.counted[0]
    assert first.backward_macs == first.macs
    assert report.total.backward_macs == 2 * report.total.macs - first.macs
    assert all(layer.backward_macs == 2 * layer.macs for layer in report.counted[1:])


def test_a_weight_used_twice_gets_two_gradients() -> None:
    layer = nn.Linear(4, 4, bias=False)
    model = Calling(lambda part, x: part(part(x)), layer)
    # Two for the weight, one for what lies between; the input needs none.
    assert trace(model, (2, 4)).total.backward_macs == 3 * (2 * 16)


def test_an_embedding_gets_its_gradient_by_moving_rows() -> None:
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3, bias=False))
    report = trace(model, torch.zeros(2, 5, dtype=torch.long))
    assert report.total.backward_macs == 2 * (10 * 4 * 3)
    assert not report.uncounted


def test_a_loss_of_the_models_own_is_where_the_backward_starts() -> None:
    def lose(layer: nn.Module, x: Tensor, target: Tensor) -> dict[str, Tensor]:
        made = layer(x)
        return {"loss": nn.functional.cross_entropy(made, target), "kept": made.detach()}

    model = Calling(lose, nn.Linear(4, 3))
    report = trace(model, (torch.zeros(2, 4), torch.zeros(2, dtype=torch.long)))
    assert report.total.backward_macs == 2 * 4 * 3


def test_inputs_by_name_that_need_gradients() -> None:
    def multiply(a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    a, b = torch.zeros(2, 3, requires_grad=True), torch.zeros(3, 4)
    assert trace(Calling(multiply), {"a": a, "b": b}).total.backward_macs == 2 * 3 * 4
    b.requires_grad_()
    assert trace(Calling(multiply), {"a": a, "b": b}).total.backward_macs == 2 * (2 * 3 * 4)
    assert a.grad is None
    assert b.grad is None


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_either_mode_has_a_backward(mode: str) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(), nn.Linear(5, 2))
    assert trace(model, (3, 4), mode=mode).total.backward_macs == 3 * (20 + 2 * 10)


def test_nothing_to_train_gets_one_line() -> None:
    model = nn.Linear(4, 5).requires_grad_(False)
    with pytest.raises(mp.UsageError, match="no output depends on a parameter"):
        mp.trace(model, (2, 4), backward=True)


def test_under_no_grad_inside_there_is_no_backward() -> None:
    model = Calling(lambda part, x: torch.no_grad()(part)(x), nn.Linear(4, 5))
    with pytest.raises(mp.UsageError, match="no output depends on a parameter"):
        mp.trace(model, (2, 4), backward=True)


def test_the_forward_of_both_is_the_forward_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1))
    alone, both = mp.trace(model, (2, 3, 8, 8)), trace(model, (2, 3, 8, 8))
    assert tuple(op for op in both.ops if op.phase == "forward") == alone.ops
    assert (alone.backward, both.backward) == (False, True)
    assert alone.total.backward_macs == 0


def test_a_backward_pass_adds_no_layer_that_ran_nothing() -> None:
    # Gradients are handed to the parameters outside of every part.
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))
    alone, both = mp.trace(model, (2, 3, 8, 8)), trace(model, (2, 3, 8, 8))
    assert [layer.path for layer in both.layers] == [layer.path for layer in alone.layers]
