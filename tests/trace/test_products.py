"""Convolutions and matrix products: each product written out by hand, both ways where trained."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.trace.calling import count, count_both, list_paths

Case = tuple[Callable[..., Any], tuple[Any, ...], int]


def contract_crosswise(a: torch.Tensor, b: torch.Tensor) -> Any:
    return torch.tensordot(a, b, dims=([0, 2], [1, 0]))


def multi_dot(*matrices: torch.Tensor) -> torch.Tensor:
    product: torch.Tensor = torch.linalg.multi_dot(matrices)
    return product


CONVOLUTIONS: list[Case] = [
    (nn.Conv1d(4, 6, 3), ((2, 4, 10),), 2 * 6 * 8 * 4 * 3),
    (nn.Conv1d(4, 6, 3, padding="same", dilation=2), ((2, 4, 10),), 2 * 6 * 10 * 4 * 3),
    (nn.Conv1d(4, 6, 4, padding="same"), ((2, 4, 10),), 2 * 6 * 10 * 4 * 4),
    (nn.Conv1d(4, 6, 3, padding="valid"), ((4, 10),), 6 * 8 * 4 * 3),
    (nn.Conv1d(6, 6, 3, groups=6), ((2, 6, 10),), 2 * 6 * 8 * 3),
    (nn.Conv2d(3, 8, (3, 5), stride=(2, 1)), ((2, 3, 9, 9),), 2 * 8 * 4 * 5 * 3 * 15),
    (nn.Conv2d(4, 8, 3, groups=2, dilation=2), ((1, 4, 9, 9),), 8 * 25 * 2 * 9),
    (nn.Conv2d(4, 8, 3, padding=1, padding_mode="circular"), ((1, 4, 5, 5),), 8 * 25 * 4 * 9),
    (nn.Conv2d(4, 8, 3, padding=1, padding_mode="reflect"), ((1, 4, 5, 5),), 8 * 25 * 4 * 9),
    (nn.Conv2d(4, 8, 3, padding="same", groups=4), ((4, 5, 6),), 8 * 30 * 9),
    (nn.Conv3d(2, 4, (1, 2, 3), groups=2), ((3, 2, 4, 4, 4),), 3 * 4 * (4 * 3 * 2) * 6),
    (nn.Conv3d(2, 4, 3, padding="same"), ((2, 4, 4, 4),), 4 * 64 * 2 * 27),
    (nn.ConvTranspose1d(4, 6, 3, stride=2), ((2, 4, 5),), 2 * 5 * 4 * 6 * 3),
    (nn.ConvTranspose1d(4, 6, 3), ((4, 5),), 5 * 4 * 6 * 3),
    (nn.ConvTranspose2d(4, 6, 3, output_padding=1, stride=2), ((4, 5, 5),), 25 * 4 * 6 * 9),
    (nn.ConvTranspose2d(4, 8, 3, groups=4, dilation=2), ((2, 4, 5, 5),), 2 * 25 * 4 * 2 * 9),
    (nn.ConvTranspose3d(2, 3, 2, stride=2), ((1, 2, 3, 3, 3),), 27 * 2 * 3 * 8),
    (functional.conv1d, ((2, 4, 10), (6, 4, 3)), 2 * 6 * 8 * 4 * 3),
    (functional.conv2d, ((2, 4, 5, 5), (6, 4, 3, 3), (6,)), 2 * 6 * 9 * 4 * 9),
    (functional.conv3d, ((1, 2, 4, 4, 4), (3, 2, 2, 2, 2)), 3 * 27 * 2 * 8),
    (functional.conv_transpose1d, ((2, 4, 5), (4, 6, 3)), 2 * 5 * 4 * 6 * 3),
    (functional.conv_transpose2d, ((1, 4, 5, 5), (4, 6, 3, 3)), 25 * 4 * 6 * 9),
    (functional.conv_transpose3d, ((1, 2, 3, 3, 3), (2, 3, 2, 2, 2)), 27 * 2 * 3 * 8),
    (lambda x, w: torch.conv2d(x, w, padding="same"), ((1, 2, 6, 5), (3, 2, 4, 4)), 3 * 30 * 32),
    (
        lambda x, w: torch.convolution(x, w, None, [1, 1], [0, 0], [1, 1], True, [0, 0], 2),
        ((1, 4, 5, 5), (4, 3, 3, 3)),
        25 * 4 * 3 * 9,
    ),
]

LINEAR: list[Case] = [
    (nn.Linear(7, 5), ((2, 3, 7),), 2 * 3 * 7 * 5),
    (nn.Linear(7, 5, bias=False), ((7,),), 7 * 5),
    (functional.linear, ((3, 7), (5, 7)), 3 * 7 * 5),
    (functional.linear, ((3, 7), (5, 7), (5,)), 3 * 7 * 5),
]

# The gradient of a matrix that a vector multiplies is an outer product: no MACs.
PRODUCTS: list[tuple[Callable[..., Any], tuple[Any, ...], int, int]] = [
    (torch.mv, ((3, 4), (4,)), 3 * 4, 3 * 4),
    (torch.dot, ((9,), (9,)), 9, 0),
    (torch.vdot, ((9,), (9,)), 9, 0),
    (torch.inner, ((2, 3, 4), (5, 4)), 2 * 3 * 5 * 4, 2 * 2 * 3 * 5 * 4),
    (torch.mm, ((2, 3), (3, 4)), 2 * 3 * 4, 2 * 2 * 3 * 4),
    (torch.matmul, ((5,), (5,)), 5, 0),
    (torch.matmul, ((3, 5), (5,)), 3 * 5, 3 * 5),
    (torch.matmul, ((5,), (5, 3)), 5 * 3, 2 * 5 * 3),
    (torch.matmul, ((2, 3, 5), (5,)), 2 * 3 * 5, 2 * 3 * 5),
    (torch.matmul, ((5,), (2, 5, 3)), 2 * 5 * 3, 2 * 5 * 3),
    (torch.matmul, ((2, 4, 3, 5), (5, 6)), 2 * 4 * 3 * 5 * 6, 2 * 2 * 4 * 3 * 5 * 6),
    (torch.matmul, ((3, 5), (2, 4, 5, 6)), 2 * 4 * 3 * 5 * 6, 2 * 2 * 4 * 3 * 5 * 6),
    (torch.matmul, ((2, 1, 3, 5), (4, 5, 6)), 2 * 4 * 3 * 5 * 6, 2 * 2 * 4 * 3 * 5 * 6),
    (torch.matmul, ((1, 4, 3, 5), (7, 1, 5, 6)), 7 * 4 * 3 * 5 * 6, 2 * 7 * 4 * 3 * 5 * 6),
    (torch.matmul, ((0, 3, 5), (5, 6)), 0, 0),
    (torch.matmul, ((2, 3, 0), (0, 6)), 0, 0),
    (lambda a, b: a @ b, ((2, 3), (3, 4)), 2 * 3 * 4, 2 * 2 * 3 * 4),
    (lambda a, b: a.T @ b.mT, ((3, 2), (4, 3)), 2 * 3 * 4, 2 * 2 * 3 * 4),
    (torch.bmm, ((2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 2 * 2 * 3 * 4 * 5),
    (torch.baddbmm, ((2, 3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 2 * 2 * 3 * 4 * 5),
    (torch.addmm, ((5,), (3, 4), (4, 5)), 3 * 4 * 5, 2 * 3 * 4 * 5),
    (torch.addmv, ((3,), (3, 4), (4,)), 3 * 4, 3 * 4),
    (torch.addbmm, ((3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 2 * 2 * 3 * 4 * 5),
    (torch.addr, ((3, 4), (3,), (4,)), 3 * 4, 2 * 3 * 4),
    (torch.tensordot, ((3, 4, 5), (4, 5, 6)), 3 * 4 * 5 * 6, 2 * 3 * 4 * 5 * 6),
    (contract_crosswise, ((3, 4, 5), (5, 3, 6)), 3 * 4 * 5 * 6, 2 * 3 * 4 * 5 * 6),
    (torch.chain_matmul, ((2, 3), (3, 4), (4, 5)), 2 * 3 * 4 + 2 * 4 * 5, 128),
    (multi_dot, ((9, 2), (2, 9), (9, 1)), 2 * 9 * 1 + 9 * 2 * 1, 2 * (2 * 9 + 9 * 2)),
    (multi_dot, ((3,), (3, 4), (4,)), 3 * 4 + 3, 2 * (3 * 4 + 3)),
    (torch.outer, ((3,), (4,)), 0, 0),
    (torch.kron, ((2, 3), (4, 5)), 0, 0),
]

EINSUM: list[tuple[str, tuple[Any, ...], int]] = [
    ("ij,jk->ik", ((2, 3), (3, 4)), 2 * 3 * 4),
    ("...ij,...jk->...ik", ((2, 6, 3, 4), (2, 6, 4, 5)), 2 * 6 * 3 * 4 * 5),
    ("...ij,jk", ((2, 6, 3, 4), (4, 5)), 2 * 6 * 3 * 4 * 5),
    ("bhqd,bhkd->bhqk", ((2, 4, 5, 8), (2, 4, 7, 8)), 2 * 4 * 5 * 7 * 8),
    ("nchw,oc->nohw", ((2, 3, 4, 5), (6, 3)), 2 * 4 * 5 * 3 * 6),
    ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 5)), 2 * 3 * 4 + 2 * 4 * 5),
    ("bii,bij->bj", ((2, 3, 3), (2, 3, 4)), 2 * 3 * 4),
    ("ij,ij->", ((2, 3), (2, 3)), 2 * 3),
    ("ii->", ((3, 3),), 0),
    ("ij->ji", ((3, 4),), 0),
    ("i,j->ij", ((2,), (3,)), 0),
]


def describe(value: Any) -> str:
    return getattr(value, "__name__", str(value))[:40]


@pytest.mark.parametrize(("function", "shapes", "macs"), CONVOLUTIONS + LINEAR, ids=describe)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_the_forward_is_the_product_by_hand_and_the_backward_two_of_it(
    function: Callable[..., Any], shapes: tuple[Any, ...], macs: int
) -> None:
    assert not count(function, *shapes).uncounted
    assert count_both(function, *shapes) == (macs, 2 * macs)


@pytest.mark.parametrize(("function", "shapes", "macs", "back"), PRODUCTS, ids=describe)
@pytest.mark.filterwarnings("ignore:torch.chain_matmul is deprecated")
def test_matrix_products_both_ways(
    function: Callable[..., Any], shapes: tuple[Any, ...], macs: int, back: int
) -> None:
    assert not count(function, *shapes).uncounted
    assert count_both(function, *shapes) == (macs, back)


@pytest.mark.parametrize(("equation", "shapes", "macs"), EINSUM, ids=describe)
def test_einsum(equation: str, shapes: tuple[Any, ...], macs: int) -> None:
    trace = count(lambda *operands: torch.einsum(equation, *operands), *shapes)
    assert trace.total.macs == macs
    assert not trace.uncounted


def test_a_vector_for_a_weight_gives_its_input_one_product_back() -> None:
    # The gradient of the vector is one product more; that of the input is an outer one.
    assert count_both(functional.linear, (3, 7), (7,)) == (3 * 7, 3 * 7)


@pytest.mark.parametrize("module", [nn.Bilinear(3, 4, 5), nn.Bilinear(3, 4, 5, bias=False)])
def test_bilinear_contracts_from_left_to_right(module: nn.Module) -> None:
    rows, first, second, out = 2 * 6, 3, 4, 5
    whole = rows * first * second * out
    of_first = whole + rows * first * second  # the gradient and the weight, then x2
    of_second = whole + rows * out * second  # x1 and the weight, then the gradient
    of_weight = rows * first * out + whole  # x1 and the gradient, then x2
    forward = whole + rows * out * second
    both = count_both(module, (2, 6, first), (2, 6, second))
    assert both == (forward, of_first + of_second + of_weight)


def test_functional_bilinear() -> None:
    trace = count(functional.bilinear, (6, 3), (6, 4), (5, 3, 4))
    assert trace.total.macs == 6 * 5 * (3 * 4 + 4)


def test_a_convolution_over_time_gives_back_two_of_its_products() -> None:
    forward = (5 * 2 * 5) * 3 * 4
    assert count_both(functional.conv_tbc, (7, 2, 4), (3, 4, 5), (5,)) == (forward, 2 * forward)


IN_PLACE: list[tuple[Callable[..., Any], tuple[Any, ...], int]] = [
    (torch.Tensor.addmm_, ((3, 5), (3, 4), (4, 5)), 3 * 4 * 5),
    (torch.Tensor.addmv_, ((3,), (3, 4), (4,)), 3 * 4),
    (torch.Tensor.addbmm_, ((3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5),
    (torch.Tensor.baddbmm_, ((2, 3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5),
    (torch.Tensor.addr_, ((3, 4), (3,), (4,)), 3 * 4),
    (lambda out, a, b: torch.mm(a, b, out=out), ((3, 5), (3, 4), (4, 5)), 3 * 4 * 5),
    (lambda out, a, b: torch.matmul(a, b, out=out), ((3, 5), (3, 4), (4, 5)), 3 * 4 * 5),
    (lambda out, a, b: torch.bmm(a, b, out=out), ((2, 3, 5), (2, 3, 4), (2, 4, 5)), 120),
]


@pytest.mark.parametrize(("function", "shapes", "macs"), IN_PLACE, ids=describe)
def test_products_in_place_and_into_a_given_tensor(
    function: Callable[..., Any], shapes: tuple[Any, ...], macs: int
) -> None:
    trace = count(function, *shapes)
    assert (trace.total.macs, trace.uncounted) == (macs, ())


def test_the_first_layer_gives_its_input_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6))
    total = count(model, (3, 4), backward=True).total
    assert (total.macs, total.backward_macs) == (3 * (20 + 30), 3 * (20 + 2 * 30))


def test_a_functional_call_between_layers_is_named_by_the_module_it_ran_in() -> None:
    weight = nn.Parameter(torch.empty(5, 6))
    inner = nn.Sequential(nn.Linear(4, 5, bias=False))
    trace = count(InFunctional(inner, weight), (2, 4))
    assert list_paths(trace) == {"inner.0": 2 * 4 * 5, "": 2 * 5 * 6}


class InFunctional(nn.Module):
    def __init__(self, inner: nn.Module, weight: nn.Parameter) -> None:
        super().__init__()
        self.inner, self.weight = inner, weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = self.inner(x) @ self.weight
        return product
