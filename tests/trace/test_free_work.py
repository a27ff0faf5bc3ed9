"""Work that is free by rule: no MACs, not unknown, and its element operations to the digit."""

from collections.abc import Callable
from math import log2
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import mobilenet_profiler as mp
from mobilenet_profiler.trace.policy import RULES
from tests.trace.calling import Calling, check_ledger, count

IMAGE = (2, 4, 6, 6)
ELEMENTS = 2 * 4 * 6 * 6
TABLE = torch.zeros(2, 3, dtype=torch.long)

NORMS = [
    nn.BatchNorm2d(4).eval(),
    nn.LayerNorm(6),
    nn.LayerNorm((4, 6, 6)),
    nn.GroupNorm(2, 4),
    nn.InstanceNorm2d(4),
    nn.RMSNorm(6),
]
POINTWISE = [
    *(nn.ReLU(), nn.ReLU6(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.ELU(), nn.SELU(), nn.CELU()),
    *(nn.Sigmoid(), nn.Tanh(), nn.Hardtanh(), nn.LeakyReLU(), nn.Hardsigmoid()),
    *(nn.Threshold(1, 1), nn.Hardshrink(), nn.Softshrink(), nn.ReLU(inplace=True)),
]
ACTIVATIONS = [
    *(nn.Softmax(1), nn.LogSoftmax(1), nn.PReLU(), nn.Softplus(), nn.LogSigmoid(), nn.RReLU()),
    *(nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout()),
]
POOLS = [
    *(nn.AvgPool2d(2), nn.MaxPool2d(2), nn.MaxPool2d(3, 1, 1), nn.AdaptiveAvgPool2d(1)),
    *(nn.AdaptiveAvgPool2d(4), nn.AdaptiveMaxPool2d(2), nn.FractionalMaxPool2d(2, 3)),
    nn.MaxPool2d(2, return_indices=True),
]
MOVES = [
    *(nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ChannelShuffle(2), nn.ZeroPad2d(1)),
    *(nn.ReflectionPad2d(1), nn.ReplicationPad2d(1), nn.CircularPad2d(1), nn.Flatten()),
    *(nn.Unfold(2), nn.Unflatten(1, (2, 2))),
]


@pytest.mark.parametrize(
    ("module", "rule"),
    [
        *((module, "normalisation") for module in NORMS),
        *((module, "elementwise") for module in POINTWISE),
        *((module, "activation") for module in ACTIVATIONS),
        *((module, "pooling") for module in POOLS),
    ],
    ids=lambda value: str(value)[:24],
)
def test_one_operation_an_element(module: nn.Module, rule: str) -> None:
    trace = count(module, IMAGE)
    assert (trace.total.macs, trace.total.elementwise) == (0, ELEMENTS)
    assert rule in {operation.rule for operation in trace.ops}
    assert not trace.uncounted


@pytest.mark.parametrize("module", MOVES, ids=lambda module: str(module)[:24])
def test_moving_data_costs_nothing(module: nn.Module) -> None:
    trace = count(module, IMAGE)
    assert {operation.rule for operation in trace.ops} == {"movement"} or not trace.ops
    assert (trace.total.macs, trace.total.elementwise, trace.uncounted) == (0, 0, ())


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "nearest-exact"])
def test_interpolation_counts_the_elements_it_makes(mode: str) -> None:
    trace = count(nn.Upsample(scale_factor=2, mode=mode), IMAGE)
    assert (trace.total.macs, trace.total.elementwise) == (0, 4 * ELEMENTS)
    assert not trace.uncounted


RANKS: list[tuple[nn.Module, tuple[int, ...], int]] = [
    (nn.BatchNorm1d(4).eval(), (2, 4, 6), 2 * 4 * 6),
    (nn.BatchNorm3d(4).eval(), (2, 4, 3, 3, 3), 2 * 4 * 27),
    (nn.InstanceNorm1d(4), (2, 4, 6), 2 * 4 * 6),
    (nn.AvgPool1d(2), (2, 4, 6), 2 * 4 * 6),
    (nn.MaxPool3d(2), (2, 4, 4, 4, 4), 2 * 4 * 64),
    (nn.AdaptiveAvgPool1d(3), (2, 4, 6), 2 * 4 * 6),
    (nn.AdaptiveAvgPool3d(2), (2, 4, 4, 4, 4), 2 * 4 * 64),
    (nn.Upsample(scale_factor=2, mode="linear"), (2, 4, 6), 2 * 4 * 12),
    (nn.Upsample(scale_factor=2, mode="trilinear"), (1, 2, 3, 3, 3), 2 * 6**3),
    (nn.GLU(1), IMAGE, ELEMENTS // 2),
    (nn.Softmin(1), IMAGE, 2 * ELEMENTS),
    (nn.Tanhshrink(), IMAGE, 2 * ELEMENTS),
]


@pytest.mark.parametrize(("module", "shape", "elements"), RANKS, ids=lambda v: str(v)[:20])
def test_other_ranks_and_pairs(module: nn.Module, shape: tuple[int, ...], elements: int) -> None:
    trace = count(module, shape)
    assert (trace.total.macs, trace.total.elementwise) == (0, elements)
    assert not trace.uncounted


FUNCTIONS: list[tuple[Callable[..., Any], tuple[tuple[int, ...], ...], int]] = [
    (lambda x: x + 1, (IMAGE,), ELEMENTS),
    (lambda x: x.add_(1), (IMAGE,), ELEMENTS),
    (lambda x, y: x * y, (IMAGE, (4, 1, 1)), ELEMENTS),
    (lambda x, y: x * y, ((2, 1), (3,)), 2 * 3),
    (lambda x: torch.where(x > 0, x, -x), (IMAGE,), 2 * ELEMENTS),
    (lambda x: torch.addcmul(x, x, x), (IMAGE,), ELEMENTS),
    (lambda x: x.softmax(-1), (IMAGE,), ELEMENTS),
    (lambda x: x.mean(), (IMAGE,), ELEMENTS),
    (lambda x: x.sum((2, 3)), (IMAGE,), ELEMENTS),
    (lambda x: x.std(1), (IMAGE,), ELEMENTS),
    (lambda x: x.norm(), (IMAGE,), ELEMENTS),
    (lambda x: x.max(1)[0], (IMAGE,), ELEMENTS),
    (lambda x: x.argmax(1), (IMAGE,), ELEMENTS),
    (lambda x: x.topk(2)[0], (IMAGE,), ELEMENTS),
    (lambda x: x.sort(1)[0], (IMAGE,), ELEMENTS),
    (lambda x: x.cumsum(1), (IMAGE,), ELEMENTS),
    (lambda x: x.cumprod(1), (IMAGE,), ELEMENTS),
    (lambda x: x.logsumexp(1), (IMAGE,), ELEMENTS),
    (functional.normalize, ((3, 3),), 9 + 3 + 9),
    (lambda x: functional.grid_sample(x, x.new_zeros(2, 5, 5, 2)), (IMAGE,), 2 * 4 * 5 * 5),
    (lambda x: torch.cat([x, x]), (IMAGE,), 0),
    (lambda x: x[:, ::2].transpose(1, 2).reshape(2, -1), (IMAGE,), 0),
    (lambda x: x.clone().permute(3, 0, 1, 2).contiguous(), (IMAGE,), 0),
    (lambda x: x.chunk(2, 1)[0].unbind(0)[1].expand(3, -1, -1, -1), (IMAGE,), 0),
    (lambda x: torch.zeros_like(x), (IMAGE,), 0),
]


@pytest.mark.parametrize(("function", "shapes", "elements"), FUNCTIONS)
def test_functions(function: Callable[..., Any], shapes: Any, elements: int) -> None:
    trace = count(function, *shapes)
    assert (trace.total.macs, trace.total.elementwise, trace.uncounted) == (0, elements, ())


TRANSFORMS: list[tuple[Callable[..., Any], int]] = [
    (torch.fft.fft, round(5 * ELEMENTS * log2(6))),
    (torch.fft.rfft, round(5 * ELEMENTS * log2(6))),
    (torch.fft.rfft2, round(5 * ELEMENTS * log2(6 * 6))),
    (torch.fft.fftn, round(5 * ELEMENTS * log2(2 * 4 * 6 * 6))),
    (lambda x: torch.fft.irfft(torch.fft.rfft(x)), 2 * round(5 * ELEMENTS * log2(6))),
]


@pytest.mark.parametrize(("transform", "elements"), TRANSFORMS)
def test_fourier_transforms_count_their_butterflies(
    transform: Callable[..., Any], elements: int
) -> None:
    trace = count(transform, IMAGE)
    assert (trace.total.macs, trace.total.elementwise, trace.uncounted) == (0, elements, ())


def test_batch_norm_in_training_also_counts_its_batches() -> None:
    trace = count(nn.BatchNorm2d(4), IMAGE)
    assert trace.total.elementwise == ELEMENTS + 1
    assert not trace.uncounted


def test_an_embedding_moves_rows() -> None:
    trace = count(nn.Embedding(10, 4), TABLE)
    assert (trace.total.macs, trace.total.elementwise, trace.uncounted) == (0, 0, ())
    assert trace.total.params == 10 * 4


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_an_embedding_bag_multiplies_nothing(mode: str) -> None:
    trace = count(nn.EmbeddingBag(10, 4, mode=mode), TABLE)
    assert (trace.total.macs, trace.uncounted) == (0, ())


def test_an_embedding_bag_adds_up_the_rows_it_reads() -> None:
    assert count(nn.EmbeddingBag(10, 4), TABLE).total.elementwise == 2 * 3 * 4


LOSSES: list[tuple[nn.Module, Any]] = [
    (nn.CrossEntropyLoss(), torch.zeros(3, dtype=torch.long)),
    (nn.NLLLoss(), torch.zeros(3, dtype=torch.long)),
    (nn.MSELoss(), torch.zeros(3, 4)),
    (nn.L1Loss(), torch.zeros(3, 4)),
    (nn.HuberLoss(), torch.zeros(3, 4)),
    (nn.SmoothL1Loss(), torch.zeros(3, 4)),
    (nn.BCEWithLogitsLoss(), torch.zeros(3, 4)),
    (nn.KLDivLoss(), torch.zeros(3, 4)),
]


@pytest.mark.parametrize(("loss", "target"), LOSSES, ids=lambda value: str(value)[:20])
def test_a_loss_is_a_reduction_forward_and_backward(loss: nn.Module, target: Tensor) -> None:
    given = torch.empty(3, 4, requires_grad=True)
    trace = check_ledger(mp.trace(loss, (given, target), backward=True))
    assert (trace.total.macs, trace.total.backward_macs) == (0, 0)
    assert {op.rule for op in trace.ops if op.phase == "forward"} & {"reduction"}
    assert not trace.uncounted


UNTAGGED = [
    nn.Hardswish(),
    *(Calling(lambda x: x.floor_divide(2)), Calling(lambda x: torch.linalg.cross(x, x, dim=-1))),
]


@pytest.mark.parametrize("module", UNTAGGED, ids=["hardswish", "floor_divide", "cross"])
def test_pointwise_work_without_a_tag(module: nn.Module) -> None:
    trace = count(module, (2, 4, 6, 3))
    assert (trace.total.elementwise, trace.uncounted) == (2 * 4 * 6 * 3, ())


TRAINED: list[Any] = [
    *NORMS,
    *(nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.Tanh(), nn.Softplus()),
    *(nn.Softmax(1), nn.LogSoftmax(1), nn.PReLU(), nn.Dropout()),
    *(nn.AvgPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2), nn.PixelShuffle(2)),
    *(nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="bilinear")),
    *(nn.ReflectionPad2d(1), nn.ZeroPad2d(1), nn.Unfold(2)),
    *(Calling(torch.fft.fft), Calling(lambda x: x.cumsum(1)), Calling(lambda x: x.logsumexp(1))),
    Calling(lambda x: x.masked_fill(x > 0, 0.0).permute(3, 0, 1, 2).repeat(1, 2, 1, 1)),
]


@pytest.mark.parametrize("module", TRAINED, ids=lambda module: str(module)[:24])
def test_the_gradient_of_free_work_is_free(module: nn.Module) -> None:
    given = torch.empty(IMAGE, requires_grad=True)
    trace = check_ledger(mp.trace(module, given, backward=True))
    assert (trace.total.macs, trace.total.backward_macs, trace.uncounted) == (0, 0, ())
    assert any(operation.phase == "backward" for operation in trace.ops)


UNRULED: list[Any] = [
    *(nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU6(), nn.LeakyReLU(), nn.ELU(), nn.LogSigmoid()),
    *(nn.Hardshrink(), nn.CircularPad2d(1)),
    *(Calling(lambda x: x[:, 1:]), Calling(lambda x: x[:, 0])),
    *(Calling(lambda x: x.diagonal()), Calling(lambda x: torch.cdist(x, x))),
]


@pytest.mark.parametrize("module", UNRULED, ids=lambda module: str(module)[:24])
def test_the_gradient_of_free_work_is_free_without_a_tag(module: nn.Module) -> None:
    given = torch.empty(IMAGE, requires_grad=True)
    assert not mp.trace(module, given, backward=True).uncounted


def test_each_rule_of_an_operation_is_listed_with_its_measure() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2))
    rules = {operation.rule for operation in count(model, (2, 3, 8, 8)).ops} - {""}
    assert rules == {"normalisation", "elementwise", "pooling"}
    assert rules <= set(RULES)
