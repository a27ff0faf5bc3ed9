"""Products written out by hand, and PyTorch's own counter beside them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import mobilenet_profiler as mp

CASES = [
    (nn.Conv1d(4, 6, 3), (2, 4, 10), 2 * 6 * 8 * 4 * 3),
    (nn.Conv2d(4, 6, 3, padding=1), (2, 4, 5, 7), 2 * 6 * 5 * 7 * 4 * 9),
    (nn.Conv2d(4, 6, 3, padding="same"), (2, 4, 5, 7), 2 * 6 * 5 * 7 * 4 * 9),
    (nn.Conv2d(4, 8, (3, 1), groups=4, stride=2), (1, 4, 9, 9), 8 * 4 * 5 * 1 * 3),
    (nn.Conv2d(4, 6, 3), (4, 8, 8), 6 * 6 * 6 * 4 * 9),
    (nn.Conv3d(2, 3, 2, dilation=2), (1, 2, 5, 5, 5), 3 * 27 * 2 * 8),
    (nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 5), 2 * 25 * 4 * 6 * 9),
    (nn.ConvTranspose2d(4, 6, 3, groups=2), (1, 4, 5, 5), 25 * 4 * 3 * 9),
    (nn.Linear(7, 5), (2, 3, 7), 2 * 3 * 7 * 5),
    (nn.Linear(7, 5), (7,), 7 * 5),
]


@pytest.mark.parametrize(("module", "shape", "macs"), CASES, ids=lambda case: str(case)[:40])
def test_macs_are_the_product_written_by_hand(
    module: nn.Module, shape: tuple[int, ...], macs: int
) -> None:
    trace = mp.trace(module, shape)
    assert trace.total.macs == macs
    assert not trace.uncounted


class Products(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        c = torch.matmul(a, b)
        d = torch.bmm(a[:, 0], b[0].expand(2, 6, 5))
        e = torch.baddbmm(d, a[:, 0], b[0].expand(2, 6, 5))
        f = torch.addmm(d[0], a[0, 0], b[0])
        return c.sum() + e.sum() + f.sum() + torch.mv(a[0, 0], b[0, :, 0]).sum()


class InPlace(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        square = torch.zeros(2, 5, 5, device=a.device)
        square.baddbmm_(a, b)
        square[0].addmm_(a[0], b[0])
        square[0].addbmm_(a, b)
        square[0, 0].addmv_(a[0], b[0, :, 0])
        return square[0].addr_(a[0, :, 0], b[0, 0])


def test_matrix_products_count_in_place_too() -> None:
    trace = mp.trace(InPlace(), [(2, 5, 6), (2, 6, 5)])
    baddbmm, addmm, addbmm, addmv, addr = 2 * 5 * 6 * 5, 5 * 6 * 5, 2 * 5 * 6 * 5, 5 * 6, 5 * 5
    assert trace.total.macs == baddbmm + addmm + addbmm + addmv + addr
    assert not trace.uncounted


ACTIVATIONS = [
    *(nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU),
    *(nn.SELU, nn.SiLU, nn.Mish, nn.GELU, nn.Softplus, nn.Softshrink, nn.Hardshrink),
    *(nn.LogSigmoid, nn.Sigmoid, nn.Tanh, nn.PReLU),
]


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_an_activation_is_free_both_ways_and_one_operation_an_element(
    kind: type[nn.Module], backward: bool
) -> None:
    module = nn.Sequential(nn.Linear(6, 6), kind())
    trace = mp.trace(module, (2, 6), backward=backward)
    assert not trace.uncounted
    assert trace.total.macs == 2 * 6 * 6
    assert trace.total.elementwise == 2 * 6


class Comparisons(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.hardswish(x.clone(), inplace=True).floor_divide(2)
        return y.abs_().eq_(1).gt_(0).copysign_(x).mul_(1 - x)


def test_pointwise_work_is_free_in_place_too() -> None:
    trace = mp.trace(Comparisons(), (3, 4))
    assert not trace.uncounted
    assert trace.total.elementwise == 8 * 12


def test_matrix_products_broadcast() -> None:
    trace = mp.trace(Products(), [(2, 3, 4, 6), (3, 6, 5)])
    matmul, bmm, addmm, mv = 2 * 3 * 4 * 6 * 5, 2 * 4 * 6 * 5, 4 * 6 * 5, 4 * 6
    assert trace.total.macs == matmul + 2 * bmm + addmm + mv
    assert trace.layers[0].path == ""


@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.booleans(),
)
def test_convolutions_agree_with_torchs_counter(
    groups: int, channels: int, depth: int, kernel: int, stride: int, dilation: int, grow: bool
) -> None:
    make = nn.ConvTranspose2d if grow else nn.Conv2d
    with torch.device("meta"):
        module = make(
            channels * groups,
            depth * groups,
            kernel,
            stride=stride,
            dilation=dilation,
            groups=groups,
        )
    image = torch.empty(2, channels * groups, 9, 8, device="meta")
    with FlopCounterMode(display=False) as counter:
        module(image)
    assert mp.trace(module, image).total.macs == counter.get_total_flops() // 2


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output, _ = self.attention(x, x, x)
        assert isinstance(output, torch.Tensor)
        return output


def test_attention_counts_its_projections_and_both_products() -> None:
    trace = mp.trace(Attention().eval(), (2, 5, 8))
    projections, scores = 2 * 5 * 8 * 24, 2 * 2 * 5 * 5 * 4
    assert trace.total.macs == projections + 2 * scores + 2 * 5 * 8 * 8
    paths = {layer.path: layer.macs for layer in trace.counted}
    assert paths["attention.out_proj"] == 2 * 5 * 8 * 8


class Singular(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = torch.linalg.svdvals(self.linear(x))
        return values


def test_work_without_a_formula_is_reported_not_dropped() -> None:
    trace = mp.trace(Singular(), (2, 8))
    (item,) = trace.uncounted
    assert (item.name, item.path, item.calls) == ("aten::_linalg_svd", "", 1)
    assert item.site.startswith("test_formulas.py:")
    assert trace.total.macs == 2 * 8 * 8
    assert "not counted: aten::_linalg_svd" in str(trace)


MODULES = [
    (nn.LSTM(8, 16, batch_first=True), (2, 5, 8), 2 * 5 * 4 * 16 * (8 + 16)),
    (
        nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval(),
        (2, 5, 16),
        2 * 5 * (4 * 16 * 16 + 2 * 16 * 32) + 2 * (2 * 5 * 5 * 16),
    ),
]


@pytest.mark.parametrize(("module", "shape", "macs"), MODULES, ids=["lstm", "encoder"])
def test_composite_modules_count_the_products_inside(
    module: nn.Module, shape: tuple[int, ...], macs: int
) -> None:
    trace = mp.trace(module, shape)
    assert trace.total.macs == macs
    assert not trace.uncounted


class Functional(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        attended = nn.functional.scaled_dot_product_attention(x, x, x)
        return torch.einsum("bhij,bhkj->bhik", attended, x)


def test_functional_attention_and_einsum_count_their_products() -> None:
    trace = mp.trace(Functional(), (2, 4, 5, 8))
    assert trace.total.macs == 3 * (2 * 4 * 5 * 5 * 8)
    assert not trace.uncounted
