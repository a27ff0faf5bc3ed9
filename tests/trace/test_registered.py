"""Costs that a user registers: every kind of target, in every trace, until they are taken back."""

import sys
from collections.abc import Callable, Iterator
from math import prod
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.trace import registered
from tests.trace.calling import Calling, check_ledger, count, list_paths

Shape = tuple[int, ...]


@pytest.fixture(autouse=True)
def clean_registry() -> Iterator[None]:
    registries: list[dict[Any, Any]] = [registered._operations, registered._modules]
    kept = [dict(known) for known in registries]
    yield
    for known, before in zip(registries, kept, strict=True):
        known.clear()
        known.update(before)
    registered._changes += 1


@torch.library.custom_op("mptests::mix", mutates_args=())
def mix(x: Tensor, others: list[Tensor], times: int = 2) -> Tensor:
    return x * times + others[0].sum()


@mix.register_fake
def _(x: Tensor, others: list[Tensor], times: int = 2) -> Tensor:
    return torch.empty_like(x)


def run_mix(x: Tensor) -> Any:
    return mix(x, [x, x[0]], 3)


def test_a_custom_operation_is_unknown_until_it_has_a_cost() -> None:
    (item,) = count(run_mix, (2, 4)).uncounted
    assert (item.name, item.inputs) == ("mptests::mix", ((2, 4), (2, 4), (4,)))
    seen: list[Any] = []

    @mp.register_cost("mptests::mix")
    def cost(x: Shape, others: list[Shape], times: int, *, out: Shape) -> int:
        seen.append((x, others, times, out))
        return 10 * prod(x)

    trace = count(run_mix, (2, 4))
    assert (trace.total.macs, trace.uncounted) == (80, ())
    assert seen == [((2, 4), [(2, 4), (4,)], 3, (2, 4))]
    assert [layer.kind for layer in trace.counted] == ["mix"]


TARGETS: list[Any] = [
    "mptests::mix",
    torch.ops.mptests.mix,
    torch.ops.mptests.mix.default,
]


@pytest.mark.parametrize("target", TARGETS, ids=["name", "packet", "overload"])
def test_an_operation_is_named_in_three_ways(target: Any) -> None:
    mp.register_cost(target)(lambda *args, **kwargs: 7)
    assert count(run_mix, (2, 4)).total.macs == 7
    mp.unregister_cost("mptests::mix")
    assert count(run_mix, (2, 4)).uncounted


OVERRIDES: list[tuple[Any, str, Callable[[Tensor], Any]]] = [
    ("aten::relu", "aten::relu", torch.relu),
    (torch.ops.aten.relu, "aten::relu", torch.relu),
    (torch.ops.aten.matmul.default, "aten::matmul", lambda x: x @ x.T),
    ("aten::einsum", "aten::einsum", lambda x: torch.einsum("ij,jk->ik", x, x.T)),
]


@pytest.mark.parametrize(("target", "name", "run"), OVERRIDES)
def test_a_registered_cost_comes_before_a_formula_a_rule_and_a_decomposition(
    target: Any, name: str, run: Callable[[Tensor], Any]
) -> None:
    before = count(run, (2, 4))
    mp.register_cost(target)(lambda *args, **kwargs: 1_000)
    trace = count(run, (2, 4))
    assert trace.total.macs == 1_000
    assert [operation.name for operation in trace.ops if operation.macs] == [name]
    mp.unregister_cost(target)
    assert count(run, (2, 4)) == before


def test_what_was_remembered_under_another_cost_is_forgotten() -> None:
    for macs in (1, 2, 3):
        mp.register_cost("mptests::mix", replace=macs > 1)(lambda *args, m=macs, **kwargs: m)
        assert count(run_mix, (2, 4)).total.macs == macs


def test_a_second_cost_needs_a_replacement() -> None:
    mp.register_cost("mptests::mix")(lambda *args, **kwargs: 1)
    with pytest.raises(mp.UsageError, match="has a registered cost already; give replace=True"):
        mp.register_cost(torch.ops.mptests.mix)
    mp.register_cost("mptests::mix", replace=True)(lambda *args, **kwargs: 2)
    assert count(run_mix, (2, 4)).total.macs == 2


@pytest.mark.parametrize("target", ["no_namespace", 3, nn.Linear(2, 2), object, len, "a::b::c"])
def test_another_kind_of_target_gets_one_line(target: Any) -> None:
    with pytest.raises(mp.UsageError, match="cannot register a cost for"):
        mp.register_cost(target)


@pytest.mark.parametrize("target", ["mptests::nothing", nn.Linear])
def test_nothing_registered_cannot_be_taken_back(target: Any) -> None:
    with pytest.raises(mp.UsageError, match="has no registered cost"):
        mp.unregister_cost(target)


def test_the_decorator_gives_the_function_back() -> None:
    def cost(*args: Any, **kwargs: Any) -> int:
        return 5

    assert mp.register_cost("mptests::mix")(cost) is cost


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return torch.relu(self.linear(x)) * scale


class Heir(Block):
    pass


def test_a_whole_module_is_counted_in_place_of_the_work_inside() -> None:
    given: list[Any] = []

    @mp.register_cost(Block)
    def cost(module: Block, x: Shape, *, scale: float, out: Shape) -> int:
        given.append((type(module), module.linear.out_features, x, scale, out))
        return 42

    model = Calling(lambda block, heir, x: heir(block(x, scale=2.0)), Block(), Heir())
    trace = count(model, (2, 4))
    assert list_paths(trace) == {"parts.0": 42, "parts.1.linear": 2 * 4 * 4}
    assert given == [(Block, 4, (2, 4), 2.0, (2, 4))]
    assert trace.total.params == 2 * 16
    assert trace.ops[0].name == "module::Block"


def test_a_module_with_a_cost_hides_what_is_unknown_inside() -> None:
    class Opaque(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return torch.linalg.svdvals(x)

    assert count(Opaque(), (4, 4)).uncounted
    mp.register_cost(Opaque)(lambda module, x, *, out: prod(x))
    trace = count(Opaque(), (4, 4))
    assert (trace.total.macs, trace.uncounted) == (16, ())


def test_a_cost_that_raises_says_where() -> None:
    def cost(x: Shape, others: Any, times: int, *, out: Shape) -> int:
        raise ValueError("no such size")

    mp.register_cost("mptests::mix")(cost)
    message = "cost registered for mptests::mix failed: ValueError: no such size"
    with pytest.raises(mp.UsageError, match=message):
        mp.trace(nn.Sequential(Calling(run_mix)), (2, 4))


@pytest.mark.parametrize("result", [-5, "abc", 1.5, True, None])
def test_a_cost_is_a_whole_number_from_0(result: Any) -> None:
    mp.register_cost("mptests::mix")(lambda *shapes, **named: result)
    with pytest.raises(mp.UsageError, match="must be a whole number from 0, given"):
        mp.trace(Calling(run_mix), (2, 4))


def branch(x: Tensor) -> Any:
    return torch.cond(x.sum() > -1, lambda y: y @ y, lambda y: y, (x,))


def test_the_branch_that_runs_is_counted_operation_by_operation() -> None:
    trace = count(branch, (4, 4))
    assert (trace.total.macs, trace.uncounted) == (4 * 4 * 4, ())
    assert trace.notes[0].startswith("traced on real tensors")


def test_a_higher_order_operator_is_counted_whole_where_it_has_a_cost() -> None:
    operator: Any = torch.ops.higher_order.cond
    mp.register_cost(operator)(lambda *args, **kwargs: 9)
    assert [op.macs for op in count(branch, (4, 4)).ops if op.macs] == [9]


def make_triton(launched: list[Any]) -> tuple[ModuleType, type]:
    """A stand-in for `triton.runtime.jit` with a kernel of the real signature."""
    module = ModuleType("triton.runtime.jit")

    class JITFunction:
        def __init__(self, fn: Callable[..., Any]) -> None:
            self.fn, self.__name__ = fn, fn.__name__

        def __getitem__(self, grid: Any) -> Callable[..., Any]:
            return lambda *args, **kwargs: self.run(*args, grid=grid, warmup=False, **kwargs)

        def run(self, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> None:
            launched.append((args, grid, kwargs))

    JITFunction.__module__ = module.__name__
    module.JITFunction = JITFunction  # type: ignore[attr-defined]
    return module, JITFunction


def scale_kernel() -> None:
    """Never runs: stands for the source of a kernel."""


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any], type]:
    launched: list[Any] = []
    module, kind = make_triton(launched)
    monkeypatch.setitem(sys.modules, "triton.runtime.jit", module)
    return kind(scale_kernel), launched, kind


def launch(kernel: Any, x: Tensor, look: bool = False) -> Tensor:
    y = torch.empty_like(x)
    kernel[(4,)](x, y, x.numel(), BLOCK=64)
    return y * y.sum().item() if look else y


def test_a_kernel_without_a_cost_is_unknown_and_is_not_launched(triton: Any) -> None:
    kernel, launched, kind = triton
    original = kind.run
    (item,) = count(lambda x: launch(kernel, x), (2, 4)).uncounted
    assert (item.name, item.inputs) == ("triton::scale_kernel", ((2, 4), (2, 4)))
    assert item.site.startswith("test_registered.py:")
    assert launched == []
    assert kind.run is original


@pytest.mark.parametrize("by_name", [True, False])
def test_a_kernel_with_a_cost_is_counted_and_is_not_launched(triton: Any, by_name: bool) -> None:
    kernel, launched, _ = triton
    seen: list[Any] = []

    @mp.register_cost("triton::scale_kernel" if by_name else kernel)
    def cost(x: Shape, y: Shape, size: int, *, BLOCK: int, out: Any) -> int:
        seen.append((x, y, size, BLOCK))
        return 3 * size

    trace = count(nn.Sequential(Calling(lambda x: launch(kernel, x))), (2, 4))
    assert (list_paths(trace), trace.uncounted) == ({"0": 3 * 8}, ())
    assert seen == [((2, 4), (2, 4), 8, 64)]
    assert launched == []


def test_a_kernel_is_launched_where_the_forward_needs_values(triton: Any) -> None:
    kernel, launched, kind = triton
    original = kind.run
    mp.register_cost(kernel)(lambda x, y, size, **_: size)
    trace = check_ledger(mp.trace(Calling(lambda x: launch(kernel, x, look=True)), (2, 4)))
    assert trace.total.macs == 8
    assert [grid for _, grid, _ in launched] == [(4,)]
    assert kind.run is original


def test_a_kernel_stays_as_it_was_when_the_forward_fails(triton: Any) -> None:
    kernel, launched, kind = triton
    original = kind.run

    def fail(x: Tensor) -> None:
        launch(kernel, x)
        raise RuntimeError("no luck")

    with pytest.raises(mp.UsageError, match="no luck"):
        mp.trace(Calling(fail), (2, 4))
    assert kind.run is original
    assert launched == []


def test_a_tuned_kernel_has_the_name_of_its_function(triton: Any) -> None:
    kernel = triton[0]

    class Autotuner:
        def __init__(self, fn: Any) -> None:
            self.fn = fn

    Autotuner.__module__ = "triton.runtime.autotuner"
    mp.register_cost(Autotuner(kernel))(lambda *args, **kwargs: 11)
    assert count(lambda x: launch(kernel, x), (2, 4)).total.macs == 11


def test_costs_count_in_the_backward_too() -> None:
    mp.register_cost("aten::tanh_backward")(lambda gradient, output, *, out: 2 * prod(out))
    x = torch.empty(2, 4, requires_grad=True)
    trace = check_ledger(mp.trace(nn.Tanh(), x, backward=True))
    assert (trace.total.macs, trace.total.backward_macs) == (0, 2 * 8)
