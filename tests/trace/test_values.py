"""Constants are computed with, values are filled in where a forward looks at them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.trace import engine, recipes
from tests.trace.calling import Calling, check_ledger, count

NOTE = "traced on real tensors, since the forward pass looks at values: "


def repeat(layer: nn.Module, x: Tensor, times: Any) -> Tensor:
    for _ in range(int(times)):
        x = layer(x)
    return x


LOOKS: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "item": lambda layer, x: repeat(layer, x, (x > -1).any().item()),
    "bool": lambda layer, x: layer(x) if (x > -1).all() else x,
    "int": lambda layer, x: repeat(layer, x, (x > -1).sum() // x.numel()),
    "tolist": lambda layer, x: repeat(layer, x, [(x > -1).tolist()[0][0]][0]),
    "numpy": lambda layer, x: repeat(layer, x, (x.detach().numpy() > -1).all()),
    "nonzero": lambda layer, x: layer(x[(x > -1).all(1).nonzero()[:, 0]]),
    "mask": lambda layer, x: layer(x[(x > -1).all(1)]),
    "masked_select": lambda layer, x: layer(x.masked_select(x > -1).reshape(2, 4)),
    "unique": lambda layer, x: layer(x.new_zeros(2, 4) + torch.unique(x).sum()),
    "equal": lambda layer, x: layer(x) if torch.equal(x, x) else x,
    "format": lambda layer, x: repeat(layer, x, f"{x.sum().item():.2f}" != ""),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_forward_that_looks_at_values_is_run_on_real_ones_and_says_so(
    look: Callable[[nn.Module, Tensor], Any],
) -> None:
    layer = nn.Linear(4, 4, bias=False)
    weight = layer.weight.detach().clone()
    trace = count(Calling(look, layer), (2, 4))
    assert trace.total.macs == 2 * 4 * 4
    assert len(trace.notes) == 1
    assert trace.notes[0].startswith(NOTE)
    assert torch.equal(layer.weight, weight)


def test_the_note_names_the_operation_and_the_line() -> None:
    look = LOOKS["item"]
    (note,) = count(Calling(look, nn.Linear(4, 4)), (2, 4)).notes
    line = look.__code__.co_firstlineno
    assert note == f"{NOTE}aten::item at test_values.py:{line}"


def test_values_in_the_backward_too() -> None:
    trace = check_ledger(mp.trace(Calling(LOOKS["item"], nn.Linear(4, 4)), (2, 4), backward=True))
    assert (trace.total.macs, trace.total.backward_macs) == (2 * 16, 2 * 16)


def test_values_of_the_users_own_input_are_looked_at() -> None:
    model = Calling(lambda layer, x, n: repeat(layer, x, n.item()), nn.Linear(4, 4))
    for times in (1, 3):
        trace = mp.trace(model, (torch.zeros(2, 4), torch.tensor(times)))
        assert trace.total.macs == times * 2 * 16


def test_real_weights_are_looked_at_where_there_are_any() -> None:
    layer = nn.Linear(4, 4)
    with torch.no_grad():
        layer.weight.fill_(2)
    model = Calling(lambda part, x: repeat(part, x, part.weight[0, 0].item()), layer)
    assert count(model, (2, 4)).total.macs == 2 * (2 * 16)


def test_a_network_that_catches_every_exception_cannot_hide_that_it_looks() -> None:
    def forgive(layer: nn.Module, x: Tensor) -> Tensor:
        try:
            times = x.sum().item() * 0 + 2
        except Exception:
            times = 5
        return repeat(layer, x, times)

    assert count(Calling(forgive, nn.Linear(4, 4)), (2, 4)).total.macs == 2 * (2 * 16)


CONSTANTS: dict[str, Callable[[nn.Module, Tensor], Any]] = {
    "arange": lambda layer, x: repeat(layer, x, torch.arange(4).max().item()),
    "tensor": lambda layer, x: repeat(layer, x, torch.tensor([1, 2]).sum()),
    "shape": lambda layer, x: repeat(layer, x, torch.tensor(x.shape)[0].item() + 1),
    "list": lambda layer, x: repeat(layer, x, torch.linspace(0, 1, 4).tolist()[-1] * 3),
    "in place": lambda layer, x: repeat(layer, x, torch.zeros(2).add_(3)[0].item()),
    "branch": lambda layer, x: repeat(layer, x, 3 if torch.ones(1).bool() else 9),
    "numpy": lambda layer, x: repeat(layer, x, torch.ones(3).numpy().sum()),
    "mixed": lambda layer, x: repeat(layer, x + torch.ones(4), torch.ones(3).sum().item()),
}


@pytest.mark.parametrize("use", CONSTANTS.values(), ids=CONSTANTS)
def test_constants_of_a_forwards_own_are_looked_at_without_real_tensors(
    use: Callable[[nn.Module, Tensor], Any],
) -> None:
    trace = count(Calling(use, nn.Linear(4, 4)), (2, 4))
    assert (trace.total.macs, trace.notes) == (3 * (2 * 16), ())


def fill_constant(layer: nn.Module, x: Tensor) -> Tensor:
    constant = torch.zeros(7)
    constant[:4] = x[0]
    return repeat(layer, x, 3 if constant.sum().item() >= 0 else 9)


def use_constant(layer: nn.Module, x: Tensor) -> Tensor:
    return repeat(layer, x, torch.ones(7).sum().item())


@pytest.fixture
def fresh_memory() -> Iterator[None]:
    engine._book.clear()
    yield
    engine._book.clear()


LOST = "what a lost constant gave on meta is remembered for every tensor on the CPU of its shape"


@pytest.mark.usefixtures("fresh_memory")
def test_a_constant_that_was_written_from_the_input_has_no_values_any_more() -> None:
    trace = count(Calling(fill_constant, nn.Linear(4, 4)), (2, 4))
    assert trace.total.macs == 3 * (2 * 16)
    assert trace.notes[0].startswith(NOTE)


@pytest.mark.usefixtures("fresh_memory")
def test_a_constant_that_lost_its_values_takes_none_from_the_next_model() -> None:
    with contextlib.suppress(mp.UsageError):
        mp.trace(Calling(fill_constant, nn.Linear(4, 4)), (2, 4))
    trace = count(Calling(use_constant, nn.Linear(4, 4)), (2, 4))
    assert (trace.total.macs, trace.notes) == (7 * (2 * 16), ())


class Holding(nn.Module):
    """Has a plain tensor and writes to it in a way of the test's choice."""

    def __init__(self, write: Callable[[Any], Any]) -> None:
        super().__init__()
        self.write = write
        self.plain = torch.arange(12.0).reshape(3, 4)
        self.other = torch.ones(3, 4)
        self.view = self.plain[1:]
        self.sparse = torch.eye(3).to_sparse()

    def forward(self, x: Tensor) -> Tensor:
        self.write(self)
        return x * 2


WRITES: dict[str, Callable[[Any], Any]] = {
    "add_": lambda model: model.plain.add_(1),
    "many times": lambda model: [model.plain.mul_(2) for _ in range(5)],
    "item": lambda model: model.plain.__setitem__((0, 0), 7.0),
    "view": lambda model: model.view.zero_(),
    "view of a view": lambda model: model.view[0].t().fill_(3),
    "both": lambda model: (model.view.add_(1), model.plain.add_(1)),
    "swap": lambda model: model.plain.copy_(model.other),
    "out": lambda model: torch.add(model.other, 1, out=model.plain),
    "out of several": lambda model: torch.aminmax(
        model.other, dim=0, out=(model.plain[0], model.plain[1])
    ),
    "foreach": lambda model: torch._foreach_add_([model.plain, model.other], 1.0),
    "batch norm": lambda model: torch.nn.functional.batch_norm(
        model.other, model.plain[0], model.plain[1], training=True
    ),
    "data": lambda model: model.plain.data.add_(1),
    "resize_": lambda model: model.plain.resize_(2, 2).zero_(),
    "unsqueeze_": lambda model: model.plain.unsqueeze_(0),
    "transpose_": lambda model: model.plain.t_(),
    "sparse": lambda model: model.sparse.mul_(2),
    "random": lambda model: model.plain.normal_(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_plain_tensors_get_their_values_and_shapes_back(write: Callable[[Any], Any]) -> None:
    model = Holding(write)
    plain, other, view = model.plain, model.other, model.view
    mp.trace(model, (2, 4))
    assert model.plain is plain
    assert model.view is view
    assert torch.equal(plain, torch.arange(12.0).reshape(3, 4))
    assert torch.equal(view, torch.arange(12.0).reshape(3, 4)[1:])
    assert torch.equal(other, torch.ones(3, 4))
    assert torch.equal(model.sparse.to_dense(), torch.eye(3))
    assert view.data_ptr() == plain[1].data_ptr()


def draw(layer: nn.Module, x: Tensor) -> Tensor:
    return repeat(layer, x, torch.randint(1, 99, ()).item())


def test_random_numbers_that_a_forward_looks_at_are_the_same_every_time() -> None:
    model, totals = Calling(draw, nn.Linear(4, 4)), set()
    for seed in range(3):
        torch.manual_seed(seed)
        totals.add(mp.trace(model, (2, 4)).total.macs)
    assert len(totals) == 1


def test_a_forward_that_asks_for_its_device_is_told_the_real_one_where_that_is_asked_for() -> None:
    def run(layer: nn.Module, x: Tensor) -> Any:
        return layer(layer(x)) if x.device.type == "cpu" else layer(x)

    model = Calling(run, nn.Linear(4, 4))
    trace = mp.trace(model, (2, 4), values=True)
    assert trace.total.macs == 2 * (2 * 16)
    assert trace.notes == ("traced on real tensors, as asked",)
    assert mp.trace(model, (2, 4)).total.macs == 2 * 16


@pytest.mark.parametrize(
    ("use", "macs"),
    [
        (lambda x, n: x @ x.mT * float(f"{x[0, 0]:.2f}"), 4 * 5 * 4),
        (lambda x, n: torch.cat(torch.tensor_split(x, n)) @ x.mT, 4 * 5 * 4),
        (lambda x, n: torch.utils.dlpack.from_dlpack(x) @ x.mT, 4 * 5 * 4),
    ],
)
def test_what_meta_tensors_cannot_do_is_done_on_real_ones(use: Any, macs: int) -> None:
    trace = mp.trace(Calling(use), (torch.rand(4, 5), torch.tensor([1, 3])))
    assert trace.total.macs == macs
    assert trace.notes[0].startswith(NOTE)


def test_lengths_may_be_an_input() -> None:
    def run(layer: Any, x: Tensor, lengths: Tensor) -> Any:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        return layer(packed)[0].data

    given = (torch.randn(5, 3, 7), torch.tensor([2, 5, 3]))
    trace = mp.trace(Calling(run, nn.LSTM(7, 5)), given)
    assert trace.total.macs == (2 + 5 + 3) * 4 * 5 * (7 + 5)


def test_a_sparse_buffer_of_rows_is_kept_as_it_is() -> None:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("edges", torch.eye(4).to_sparse_csr())
            self.linear = nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Any:
            return self.edges @ self.linear(x)

    model = Graph()
    before = model.edges
    trace = mp.trace(model, (4, 4))
    assert trace.total.macs == 4 * 4 * 5 + 4 * 4 * 5
    assert model.edges is before


def test_a_module_without_a_forward_is_not_said_to_look_at_values() -> None:
    with pytest.raises(mp.UsageError) as caught:
        mp.trace(nn.Module(), (2, 4))
    assert "missing the required" in str(caught.value)
    assert "real tensors" not in str(caught.value)


def test_what_is_remembered_of_meta_tensors_answers_nothing_on_real_ones() -> None:
    # As after `torch.zeros(3, device="cuda")` on meta: the same call, remembered as a meta tensor.
    def make(x: Tensor) -> Tensor:
        made = torch.zeros(3, dtype=torch.float32, device=x.device)
        seen.append(made.device.type)
        return made @ x

    seen: list[str] = []
    model = Calling(make)
    engine._book.clear()
    mp.trace(model, (3, 4), values=True)
    zeros = torch.ops.aten.zeros.default
    keys: list[Any] = [key for key in engine._book._known if isinstance(key, tuple)]
    known: Any = engine._book.find(next(key for key in keys if key[0] is zeros))
    known.answer = recipes.answer_fresh((3,), (1,), torch.float32)
    mp.trace(model, (3, 4), values=True)
    engine._book.clear()
    assert seen == ["cpu", "cpu"]
