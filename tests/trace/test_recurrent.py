"""Recurrent layers: every weight matrix once a step, layer, direction and sequence."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from tests.trace.calling import Calling, count, count_both

KINDS = [(nn.RNN, 1), (nn.LSTM, 4), (nn.GRU, 3)]
CELLS: list[tuple[Any, int]] = [(nn.RNNCell, 1), (nn.LSTMCell, 4), (nn.GRUCell, 3)]


@pytest.mark.parametrize(("kind", "gates"), KINDS)
@pytest.mark.parametrize("bias", [True, False])
def test_one_layer(kind: Any, gates: int, bias: bool) -> None:
    trace = count(kind(8, 16, bias=bias), (5, 2, 8))
    assert trace.total.macs == 5 * 2 * gates * 16 * (8 + 16)
    assert trace.total.params == gates * 16 * (8 + 16) + bias * 2 * gates * 16
    assert not trace.uncounted


@pytest.mark.parametrize(("kind", "gates"), KINDS)
def test_two_layers_both_ways(kind: Any, gates: int) -> None:
    trace = count(kind(8, 16, 2, bidirectional=True, dropout=0.1), (5, 2, 8))
    first, second = 2 * gates * 16 * (8 + 16), 2 * gates * 16 * (2 * 16 + 16)
    assert (trace.total.macs, trace.uncounted) == (5 * 2 * (first + second), ())


@pytest.mark.parametrize(("kind", "gates"), KINDS)
@pytest.mark.parametrize("shape", [(2, 5, 8), (5, 8)])
def test_batch_first_and_without_a_batch(kind: Any, gates: int, shape: tuple[int, ...]) -> None:
    batch = shape[0] if len(shape) == 3 else 1
    trace = count(kind(8, 16, batch_first=True), shape)
    assert trace.total.macs == batch * 5 * gates * 16 * (8 + 16)


def test_a_projection_is_one_more_matrix_and_narrows_what_comes_back() -> None:
    trace = count(nn.LSTM(8, 16, 2, proj_size=4, bidirectional=True), (5, 2, 8))
    first = 4 * 16 * (8 + 4) + 4 * 16
    second = 4 * 16 * (2 * 4 + 4) + 4 * 16
    assert trace.total.macs == 5 * 2 * 2 * (first + second)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_either_nonlinearity(nonlinearity: str) -> None:
    trace = count(nn.RNN(8, 16, nonlinearity=nonlinearity), (5, 2, 8))
    assert trace.total.macs == 5 * 2 * 16 * (8 + 16)
    trace = count(nn.RNNCell(8, 16, nonlinearity=nonlinearity), (3, 8))
    assert trace.total.macs == 3 * 16 * (8 + 16)


def test_a_given_state_costs_nothing_more() -> None:
    assert count(nn.GRU(8, 16), (5, 2, 8), (1, 2, 16)).total.macs == 5 * 2 * 3 * 16 * (8 + 16)
    with_state = Calling(lambda lstm, x, h, c: lstm(x, (h, c)), nn.LSTM(8, 16))
    trace = count(with_state, (5, 2, 8), (1, 2, 16), (1, 2, 16))
    assert trace.total.macs == 5 * 2 * 4 * 16 * (8 + 16)


@pytest.mark.parametrize(("kind", "gates"), CELLS)
@pytest.mark.parametrize("shape", [(3, 8), (8,)])
def test_cells(kind: Any, gates: int, shape: tuple[int, ...]) -> None:
    trace = count(kind(8, 16), shape)
    batch = shape[0] if len(shape) == 2 else 1
    assert (trace.total.macs, trace.uncounted) == (batch * gates * 16 * (8 + 16), ())


def run_steps(cell: nn.Module, x: Tensor) -> Tensor:
    state = torch.zeros(x.shape[1], 16, device=x.device)
    for step in x:
        state = cell(step, state)
    return state


def test_a_cell_in_a_loop_counts_every_step() -> None:
    trace = count(Calling(run_steps, nn.GRUCell(8, 16)), (5, 2, 8))
    (layer,) = trace.counted
    assert (layer.macs, layer.calls) == (5 * 2 * 3 * 16 * (8 + 16), 5)


@pytest.mark.parametrize(("kind", "gates"), KINDS)
def test_the_backward_is_two_products_less_the_gradient_of_the_first_state(
    kind: Any, gates: int
) -> None:
    forward = 5 * 2 * gates * 16 * (8 + 16)
    assert count_both(kind(8, 16), (5, 2, 8)) == (forward, 2 * forward - 2 * gates * 16 * 16)


@pytest.mark.parametrize(("kind", "gates"), CELLS)
def test_the_backward_of_a_cell_without_a_state(kind: Any, gates: int) -> None:
    forward = 3 * gates * 16 * (8 + 16)
    assert count_both(kind(8, 16), (3, 8)) == (forward, 2 * forward - 3 * gates * 16 * 16)


def run_packed(module: nn.Module, x: Tensor) -> Any:
    lengths = torch.tensor([5, 3])
    output, _ = module(pack_padded_sequence(x, lengths, batch_first=True))
    return pad_packed_sequence(output, batch_first=True)[0]


@pytest.mark.parametrize(("kind", "gates"), KINDS)
def test_packed_sequences_count_their_own_lengths(kind: Any, gates: int) -> None:
    trace = count(Calling(run_packed, kind(8, 16, 2, bidirectional=True)), (2, 5, 8))
    first, second = 2 * gates * 16 * (8 + 16), 2 * gates * 16 * (2 * 16 + 16)
    assert trace.total.macs == (5 + 3) * (first + second)
    assert trace.notes[0].startswith("traced on real tensors, since the forward pass looks at")


def run_unsorted(module: nn.Module, x: Tensor) -> Tensor:
    lengths = torch.tensor([3, 5])
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    output, _ = module(packed)
    assert isinstance(output, PackedSequence)
    return output.data


def test_packed_sequences_out_of_order() -> None:
    trace = count(Calling(run_unsorted, nn.LSTM(8, 16)), (2, 5, 8))
    assert trace.total.macs == (3 + 5) * 4 * 16 * (8 + 16)


def test_the_flat_weights_are_the_real_ones_after_and_the_layer_still_works() -> None:
    model = nn.LSTM(8, 16, 2, bidirectional=True, proj_size=4)
    x = torch.rand(5, 2, 8)
    expected = model(x)[0]
    flat = [id(weight) for weight in model._flat_weights]
    references = list(model._flat_weight_refs)
    count(model, (5, 2, 8), backward=True)
    assert [id(weight) for weight in model._flat_weights] == flat
    assert flat == [id(parameter) for parameter in model.parameters()]
    assert list(model._flat_weight_refs) == references
    assert torch.equal(model(x)[0], expected)
