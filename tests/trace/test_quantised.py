"""Quantised layers: the same products and parameters as the layers they were made from."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao.nn import quantized
from torch.ao.nn.intrinsic import quantized as fused
from torch.ao.nn.quantized import dynamic

import mobilenet_profiler as mp
from tests.trace.calling import Calling, count

tools: Any = torch.ao.quantization
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def fbgemm() -> Iterator[None]:
    before = torch.backends.quantized.engine
    if "fbgemm" not in torch.backends.quantized.supported_engines:
        pytest.skip("this PyTorch has no fbgemm")
    torch.backends.quantized.engine = "fbgemm"
    yield
    torch.backends.quantized.engine = before


def run(module: nn.Module, x: Tensor) -> Any:
    return module(torch.quantize_per_tensor(x, 0.1, 0, torch.quint8))


# A module, an input, its MACs, its weights and its biases.
STATIC: list[tuple[Any, tuple[Any, ...], tuple[int, ...], int, int, int]] = [
    (quantized.Linear, (8, 4), (3, 8), 3 * 8 * 4, 32, 4),
    (quantized.Conv1d, (4, 6, 3), (2, 4, 5), 2 * 6 * 3 * 4 * 3, 72, 6),
    (quantized.Conv2d, (4, 6, 3, 2, 1), (2, 4, 5, 5), 2 * 6 * 9 * 4 * 9, 216, 6),
    (quantized.Conv3d, (4, 6, 2), (1, 4, 3, 3, 3), 6 * 8 * 4 * 8, 192, 6),
    (quantized.ConvTranspose1d, (4, 6, 3), (2, 4, 5), 2 * 5 * 4 * 6 * 3, 72, 6),
    (quantized.ConvTranspose2d, (4, 6, 3), (2, 4, 5, 5), 2 * 25 * 4 * 6 * 9, 216, 6),
    (fused.LinearReLU, (8, 4), (3, 8), 3 * 8 * 4, 32, 4),
    (fused.ConvReLU1d, (4, 6, 3), (2, 4, 5), 2 * 6 * 3 * 4 * 3, 72, 6),
    (fused.ConvReLU2d, (4, 6, 3), (2, 4, 5, 5), 2 * 6 * 9 * 4 * 9, 216, 6),
    (fused.ConvReLU3d, (4, 6, 2), (1, 4, 3, 3, 3), 6 * 8 * 4 * 8, 192, 6),
]
DYNAMIC: list[tuple[Any, tuple[Any, ...], tuple[int, ...], int, int, int]] = [
    (dynamic.Linear, (8, 4), (2, 3, 8), 2 * 3 * 8 * 4, 32, 4),
    (dynamic.Conv2d, (4, 6, 3), (2, 4, 5, 5), 2 * 6 * 9 * 4 * 9, 216, 6),
    (dynamic.LSTMCell, (8, 16), (3, 8), 3 * 4 * 16 * 24, 4 * 16 * 24, 2 * 4 * 16),
    (dynamic.GRUCell, (8, 16), (3, 8), 3 * 3 * 16 * 24, 3 * 16 * 24, 2 * 3 * 16),
    (dynamic.RNNCell, (8, 16), (3, 8), 3 * 16 * 24, 16 * 24, 2 * 16),
]


@pytest.mark.parametrize(("kind", "sizes", "shape", "macs", "weights", "biases"), STATIC)
def test_static(
    kind: Any, sizes: Any, shape: tuple[int, ...], macs: int, weights: int, biases: int
) -> None:
    trace = count(Calling(run, kind(*sizes)), shape)
    assert (trace.total.macs, trace.uncounted) == (macs, ())
    assert (trace.total.params, trace.total.weights) == (weights + biases, weights)


@pytest.mark.parametrize(("kind", "sizes", "shape", "macs", "weights", "biases"), DYNAMIC)
def test_dynamic(
    kind: Any, sizes: Any, shape: tuple[int, ...], macs: int, weights: int, biases: int
) -> None:
    trace = count(kind(*sizes), shape)
    assert (trace.total.macs, trace.uncounted) == (macs, ())
    assert (trace.total.params, trace.total.weights) == (weights + biases, weights)


def test_groups_of_a_quantised_convolution() -> None:
    make: Any = quantized.Conv2d
    trace = count(Calling(run, make(4, 6, 3, groups=2)), (2, 4, 5, 5))
    assert trace.total.macs == 2 * 6 * 9 * 2 * 9


def quantise(model: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised: nn.Module = tools.quantize_dynamic(model, {nn.Linear})
    return quantised


def test_a_network_quantised_by_pytorch_counts_as_before() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    before, after = mp.trace(model, (3, 8)).total, mp.trace(quantise(model), (3, 8)).total
    assert after.macs == before.macs == 3 * (8 * 16 + 16 * 4)
    assert (after.params, after.weights) == (before.params, before.weights)


def test_a_quantised_network_is_unchanged_and_gives_the_same_numbers() -> None:
    model, x = quantise(nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 4)).eval()), torch.rand(3, 8)
    expected, packed = model(x), model[0]._packed_params._packed_params  # type: ignore[index]
    mp.trace(model, (3, 8))
    assert model[0]._packed_params._packed_params is packed  # type: ignore[index]
    assert torch.equal(model(x), expected)


HIDDEN = [
    (dynamic.LSTM, {}, 5 * 2 * 4 * 16 * (8 + 16)),
    (dynamic.LSTM, {"num_layers": 2}, 5 * 2 * 4 * 16 * (8 + 16 + 16 + 16)),
    (dynamic.LSTM, {"bidirectional": True}, 5 * 2 * 2 * 4 * 16 * (8 + 16)),
    (
        dynamic.GRU,
        {"num_layers": 2, "bidirectional": True},
        5 * 2 * 2 * 3 * 16 * (8 + 16 + 32 + 16),
    ),
]


@pytest.mark.parametrize(("make", "options", "macs"), HIDDEN)
def test_a_recurrent_layer_that_hides_its_weights(make: Any, options: Any, macs: int) -> None:
    trace = count(make(8, 16, **options), (5, 2, 8))
    assert (trace.total.macs, trace.uncounted) == (macs, ())


def test_a_packed_sequence_through_hidden_weights() -> None:
    def run(layer: Any, x: torch.Tensor) -> Any:
        return layer(nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3])))[0].data

    make: Any = dynamic.LSTM
    assert count(Calling(run, make(8, 16)), (5, 2, 8)).total.macs == (5 + 3) * 4 * 16 * (8 + 16)


def test_fake_quantisation_leaves_the_count() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).train()
    model.qconfig = tools.get_default_qat_qconfig("fbgemm")
    prepared = tools.prepare_qat(model)
    trace = count(prepared, (2, 3, 8, 8))
    assert trace.total.macs == 2 * 8 * 36 * 27
