"""A remembered answer is the shape, layout, dtype and memory that PyTorch would give.

Random programs run three times: by PyTorch alone, under a tracer that remembers
nothing, and under one that has seen the program before.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import mobilenet_profiler as mp
from mobilenet_profiler.trace import engine, memory, recipes
from tests.trace.calling import Calling

Step = tuple[str, int, int]
Program = list[Step]

ONE: dict[str, Callable[[Tensor], Any]] = {
    "relu": torch.relu,
    "relu_": lambda x: x.relu_(),
    "add 1": lambda x: x + 1,
    "add 1.5": lambda x: x + 1.5,
    "add True": lambda x: x + True,
    "add_ 1": lambda x: x.add_(1),
    "divide": lambda x: x / 2,
    "floor": lambda x: x // 2,
    "compare": lambda x: x > 0,
    "negate": lambda x: ~x if x.dtype == torch.bool else -x,
    "transpose": lambda x: x.transpose(0, -1),
    "permute": lambda x: x.permute(*reversed(range(x.dim()))),
    "t_": lambda x: x.t_(),
    "transpose_": lambda x: x.transpose_(0, -1),
    "squeeze": lambda x: x.squeeze(),
    "squeeze_": lambda x: x.squeeze_(),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "unsqueeze_": lambda x: x.unsqueeze_(0),
    "flatten": lambda x: x.flatten(),
    "reshape": lambda x: x.reshape(-1),
    "view": lambda x: x.view(-1),
    "contiguous": lambda x: x.contiguous(),
    "clone": lambda x: x.clone(),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "to channels last": lambda x: x.to(memory_format=torch.channels_last),
    "like": lambda x: torch.zeros_like(x),
    "detach": lambda x: x.detach(),
    "expand": lambda x: x.expand(2, *x.shape),
    "narrow": lambda x: x.narrow(0, 1, 1),
    "step": lambda x: x[::2],
    "select": lambda x: x[0],
    "last": lambda x: x[..., -1:],
    "chunk": lambda x: x.chunk(2, 0),
    "split": lambda x: torch.split_with_sizes(x, [1, x.shape[-1] - 1], -1),
    "unbind": lambda x: x.unbind(0),
    "strided": lambda x: x.as_strided((2,), (1,)),
    "diagonal": lambda x: x.diagonal(),
    "unfold": lambda x: x.unfold(0, 2, 1),
    "to float": lambda x: x.float(),
    "to double": lambda x: x.to(torch.float64),
    "to half": lambda x: x.half(),
    "to int": lambda x: x.int(),
    "to bool": lambda x: x.bool(),
    "view dtype": lambda x: x.view(torch.int32),
    "softmax": lambda x: x.softmax(-1),
    "softmax double": lambda x: x.softmax(-1, dtype=torch.float64),
    "sum": lambda x: x.sum(),
    "sum 0": lambda x: x.sum(0),
    "mean keep": lambda x: x.mean(-1, keepdim=True),
    "max": lambda x: x.max(0),
    "sort": lambda x: x.sort(),
    "cumsum": lambda x: x.cumsum(0),
    "pad": lambda x: functional.pad(x, (1, 0)),
    "dropout off": lambda x: functional.dropout(x, training=False),
    "dropout": lambda x: functional.dropout(x),
    "norm": lambda x: functional.layer_norm(x, x.shape[-1:]),
    "pool": lambda x: functional.avg_pool2d(x, 2, 1),
    "max pool": lambda x: functional.max_pool2d(x, 2, 1),
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, 1),
    "resize": lambda x: functional.interpolate(x, scale_factor=2),
    "gelu": functional.gelu,
    "hardswish_": lambda x: functional.hardswish(x, inplace=True),
    "fill_": lambda x: x.fill_(0),
    "zero row": lambda x: x[0].zero_(),
    "mask": lambda x: x.masked_fill(x > 0, 0),
    "repeat": lambda x: x.repeat(2, *[1] * (x.dim() - 1)),
    "new": lambda x: x.new_empty(2, 3),
    "resize_": lambda x: x.resize_(2, 2),
    "conv": lambda x: functional.conv2d(x, x.new_empty(2, x.shape[1], 1, 1)),
    "linear": lambda x: functional.linear(x, x.new_empty(3, x.shape[-1])),
    "complex": lambda x: torch.fft.fft(x),
    "real": lambda x: torch.view_as_real(x),
    "conj": lambda x: x.conj(),
    "imag": lambda x: x.imag,
}
TWO: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "add": lambda x, y: x + y,
    "add_": lambda x, y: x.add_(y),
    "mul": lambda x, y: x * y,
    "mul_": lambda x, y: x.mul_(y),
    "sub": lambda x, y: x - y,
    "where": lambda x, y: torch.where(x > 0, x, y),
    "cat": lambda x, y: torch.cat([x, y]),
    "stack": lambda x, y: torch.stack([x, y], -1),
    "matmul": lambda x, y: x @ y,
    "matmul turned": lambda x, y: x @ y.mT,
    "copy_": lambda x, y: x.copy_(y),
    "copy row": lambda x, y: x[0].copy_(y),
    "view as": lambda x, y: x.view_as(y),
    "expand as": lambda x, y: x.expand_as(y),
    "type as": lambda x, y: x.type_as(y),
    "out": lambda x, y: torch.add(x, y, out=x),
    "out cos": lambda x, y: torch.cos(x, out=y),
    "lerp": lambda x, y: torch.lerp(x, y, 0.5),
    "addcmul": lambda x, y: torch.addcmul(x, x, y),
    "maximum": torch.maximum,
    "broadcast": torch.functional.broadcast_tensors,
    "broken": lambda x, y: x.view(7, 7, 7) + y,
}
FAILURES = (RuntimeError, IndexError, NotImplementedError, TypeError, ValueError, AssertionError)
SHAPES: list[tuple[int, ...]] = [(), (3,), (0, 2), (1, 4), (3, 3), (2, 3, 4), (2, 4, 3, 3)]
DTYPES = [torch.float32, torch.float64, torch.float16, torch.int64, torch.bool]
STEPS = st.tuples(st.sampled_from(sorted([*ONE, *TWO])), st.integers(0, 50), st.integers(0, 50))
PROGRAMS = st.lists(STEPS, min_size=1, max_size=8)
INPUTS = st.lists(
    st.tuples(st.sampled_from(SHAPES), st.sampled_from(DTYPES)), min_size=1, max_size=3
)


def make_input(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def run(program: Program, pool: list[Tensor]) -> list[Any]:
    """What every step left: of each tensor its layout and which earlier one it is or shares."""
    left: list[Any] = []
    for name, first, second in program:
        x, y = pool[first % len(pool)], pool[second % len(pool)]
        try:
            made = ONE[name](x) if name in ONE else TWO[name](x, y)
        except FAILURES as error:
            left.append(type(error).__name__)
            continue
        made = [made] if isinstance(made, Tensor) else list(made)
        left.append([describe(tensor, pool) for tensor in made])
        pool += made
        left.append([describe(tensor, []) for tensor in pool])
    return left


def describe(tensor: Tensor, pool: list[Tensor]) -> Any:
    storage = tensor.untyped_storage()._cdata
    shares = [i for i, other in enumerate(pool) if other.untyped_storage()._cdata == storage]
    same = [index for index, other in enumerate(pool) if other is tensor]
    layout = (tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.dtype)
    return (*layout, tensor.device.type, tensor.is_conj(), tensor.is_neg(), shares, same)


def trace(program: Program, inputs: list[Any]) -> tuple[list[Any], tuple[mp.OpCost, ...]]:
    seen: list[Any] = []
    model = Calling(lambda *tensors: seen.append(run(program, list(tensors))))
    operations = mp.trace(model, tuple(make_input(*given) for given in inputs)).ops
    return seen[-1], operations


def check(program: Program, inputs: list[Any]) -> None:
    with torch.inference_mode():
        truth = run(program, [make_input(*given) for given in inputs])
    trace(program, inputs)
    warm = trace(program, inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "make_key", lambda *_: None)
        patch.setattr(engine, "IN_PLACE", frozenset())
        patch.setattr(recipes, "SHAPE_RULES", {})
        cold = trace(program, inputs)
    assert cold[0] == truth
    assert warm[0] == truth
    assert warm[1] == cold[1]


IMAGE = [((2, 4, 3, 3), torch.float32)]


@settings(max_examples=150)
@given(PROGRAMS, INPUTS)
@example([("transpose_", 0, 0), ("add 1", 0, 0), ("transpose_", 0, 0)], [((2, 3, 4), torch.int64)])
@example([("chunk", 0, 0), ("add_ 1", 1, 0), ("chunk", 2, 0)], IMAGE)
@example([("channels last", 0, 0), ("add", 0, 1), ("conv", 1, 0)], IMAGE)
def test_random_programs(program: Program, inputs: list[Any]) -> None:
    check(program, inputs)


@pytest.mark.parametrize("name", sorted([*ONE, *TWO]))
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_each_operation_after_itself_and_on_views(name: str, dtype: torch.dtype) -> None:
    for shape in SHAPES:
        check([(name, 0, 0), (name, 1, 0), ("step", 0, 0), (name, 2, 2)], [(shape, dtype)])


class Everything(nn.Module):
    """A network with work of most kinds."""

    def __init__(self, training: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.train(training)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.dropout(functional.relu(self.norm(self.conv(x)), inplace=True))
        rows = x.flatten(2).transpose(1, 2)
        rows = rows + self.attention(rows, rows, rows)[0]
        return torch.cat(self.lstm(rows)[0].chunk(2, -1), 1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_network_both_ways(
    training: bool, backward: bool, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Everything(training)
    x = torch.empty(2, 4, 6, 6, device="meta").contiguous(memory_format=layout)
    traces = []
    for answering in (True, True, False):
        if not answering:
            monkeypatch.setattr(engine, "make_key", lambda *_: None)
            monkeypatch.setattr(engine, "IN_PLACE", frozenset())
            monkeypatch.setattr(recipes, "SHAPE_RULES", {})
        traces.append(mp.trace(model, x, backward=backward))
    assert traces[1] == traces[2]


def test_a_view_at_a_given_offset_of_views_at_different_offsets() -> None:
    def look(x: Tensor) -> list[Any]:
        views = [x[:4].as_strided((2,), (1,), 3), x[4:].as_strided((2,), (1,), 3)]
        return [view.storage_offset() for view in views]

    seen: list[list[Any]] = []
    mp.trace(Calling(lambda x: seen.append(look(x))), torch.empty(8, device="meta"))
    assert seen == [[3, 3]]


def test_another_default_dtype_makes_other_tensors() -> None:
    def make(x: Tensor) -> tuple[torch.dtype, torch.dtype]:
        return torch.zeros(3, device=x.device).dtype, (x.int() / 2).dtype

    seen: list[tuple[torch.dtype, torch.dtype]] = []
    model = Calling(lambda x: seen.append(make(x)))
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        try:
            mp.trace(model, torch.empty(3, device="meta"))
        finally:
            torch.set_default_dtype(torch.float32)
    assert seen == [(torch.float32, torch.float32), (torch.float64, torch.float64)]


def multiply_constant(x: Tensor) -> Tensor:
    made = torch.empty(3, 5, device=x.device)
    return torch.mm(torch.ones(3, 4), x, out=made)


def test_a_product_of_a_constant_written_into_a_given_tensor() -> None:
    trace = mp.trace(Calling(multiply_constant), torch.empty(4, 5, device="meta"))
    (operation,) = [operation for operation in trace.ops if operation.macs]
    assert (operation.outputs, operation.macs) == (((3, 5),), 3 * 4 * 5)


def test_a_negative_view_is_resolved_into_memory_of_its_own() -> None:
    def resolve(x: Tensor) -> list[bool]:
        negative = torch.complex(x, x).conj().imag
        return [tensor.resolve_neg() is tensor for tensor in (x.view(3, 1), negative)]

    seen: list[list[bool]] = []
    mp.trace(Calling(lambda x: seen.append(resolve(x))), torch.empty(3, 1, device="meta"))
    assert seen == [[True, False]]


def test_the_memory_forgets_the_oldest_when_it_is_full() -> None:
    book: memory.Memory[int] = memory.Memory()
    for key in range(memory.LIMIT + 1):
        book.add(key, key)
    gone = memory.LIMIT // 16
    assert len(book) == memory.LIMIT - gone + 1
    assert [book.find(key) for key in (gone - 1, gone, memory.LIMIT)] == [None, gone, memory.LIMIT]
