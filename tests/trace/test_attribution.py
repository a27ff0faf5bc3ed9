"""Every operation is charged to the module that a reader would name."""

from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

import mobilenet_profiler as mp
from tests.trace.calling import Calling, check_ledger, count, list_paths


def linear(inputs: int = 4, outputs: int = 4) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


ONE = 2 * 4 * 4  # what linear() costs on a batch of two


def trace(model: nn.Module, *shapes: tuple[int, ...], backward: bool = False) -> dict[str, int]:
    return list_paths(count(model, *(shapes or ((2, 4),)), backward=backward))


def list_backward(model: nn.Module, *shapes: tuple[int, ...]) -> dict[str, int]:
    layers = count(model, *(shapes or ((2, 4),)), backward=True).layers
    return {layer.path: layer.backward_macs for layer in layers if layer.backward_macs}


class Parent(nn.Module):
    def __init__(self, child: nn.Module) -> None:
        super().__init__()
        self.child = child

    def forward(self, x: Tensor) -> Any:
        return self.child(x)


def test_a_module_shared_by_two_parents_is_charged_below_each() -> None:
    shared = linear()
    model = nn.Sequential(Parent(shared), Parent(shared))
    assert trace(model) == {"0.child": ONE, "1.child": ONE}
    assert count(model, (2, 4)).total.params == 16
    assert list_backward(model) == {"0.child": ONE, "1.child": 2 * ONE}


def test_a_subtree_shared_by_two_parents() -> None:
    shared = nn.Sequential(linear(), nn.Sequential(linear()))
    paths = trace(nn.Sequential(Parent(shared), Parent(shared)))
    assert paths == dict.fromkeys(
        ("0.child.0", "0.child.1.0", "1.child.0", "1.child.1.0"),
        ONE,
    )


def test_a_module_called_twice_has_one_row_and_two_calls() -> None:
    (layer,) = count(Calling(lambda a, x: a(a(x)), linear()), (2, 4)).counted
    assert (layer.path, layer.calls, layer.macs, layer.params) == ("parts.0", 2, 2 * ONE, 16)


class Other(nn.Module):
    """Works in methods that are not forward."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()
        self.weight = nn.Parameter(torch.zeros(4, 4))

    def encode(self, x: Tensor) -> Tensor:
        return self.decode(self.inner(x)) @ self.weight

    def decode(self, x: Tensor) -> Tensor:
        return x @ self.weight.T

    def __matmul__(self, x: Tensor) -> Tensor:
        return x @ self.weight


def test_a_method_other_than_forward_is_charged_to_its_own_module() -> None:
    model = Calling(lambda part, x: part.encode(x) + (part @ x), Other())
    assert trace(model) == {"parts.0": 3 * ONE, "parts.0.inner": ONE}
    assert list_backward(model) == {"parts.0.inner": ONE, "parts.0": 5 * ONE}


class Mixed(nn.Module):
    """Calls a method of its child, then works itself, then calls the child."""

    def __init__(self) -> None:
        super().__init__()
        self.child = Other()
        self.own = nn.Parameter(torch.zeros(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.child.decode(x)
        x = x @ self.own
        for step in (lambda y: y @ self.own, self.child.encode):
            x = step(x)
        return sum((x @ self.own for _ in range(2)), torch.zeros(()))


def test_work_between_layers_in_lambdas_and_generators_is_the_running_modules() -> None:
    assert trace(Mixed()) == {"": 4 * ONE, "child": 3 * ONE, "child.inner": ONE}


def test_a_closure_that_runs_inside_a_child_is_the_childs() -> None:
    weight = torch.zeros(4, 4)
    model = nn.Sequential(Calling(lambda x: x @ weight), Calling(lambda x: x @ weight @ weight))
    assert trace(model) == {"0": ONE, "1": 2 * ONE}


def stream(parts: nn.ModuleList, x: Tensor) -> Iterator[Tensor]:
    for part in parts:
        x = part(x)
        yield x


def test_modules_called_in_a_generator() -> None:
    parts = nn.ModuleList([linear(), linear()])
    model = Calling(lambda listed, x: list(stream(listed, x))[-1], parts)
    assert trace(model) == {"parts.0.0": ONE, "parts.0.1": ONE}


def test_module_dicts_are_named_by_their_keys() -> None:
    parts = nn.ModuleDict({"a": linear(), "b": linear()})
    model = Calling(lambda named, x: named["b"](named["a"](x)), parts)
    assert trace(model) == {"parts.0.a": ONE, "parts.0.b": ONE}


class Unregistered(nn.Module):
    """Hides layers from PyTorch in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [linear(), linear()]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = layer(x)
        return x


def test_unregistered_modules_are_charged_to_the_module_that_runs_them() -> None:
    model = Unregistered()
    weights = [layer.weight for layer in model.hidden]
    assert trace(nn.Sequential(model)) == {"0": 2 * ONE}
    assert [layer.weight for layer in model.hidden] == weights


def wrap_parallel(model: nn.Module) -> nn.Module:
    return nn.DataParallel(model)


def wrap_compiled(model: nn.Module) -> Any:
    return torch.compile(model, backend="eager")


def wrap_twice(model: nn.Module) -> Any:
    return torch.compile(nn.DataParallel(model), backend="eager")


@pytest.mark.parametrize("wrap", [wrap_parallel, wrap_compiled, wrap_twice])
def test_a_wrapped_model_has_the_paths_of_the_model(wrap: Callable[[nn.Module], Any]) -> None:
    model = nn.Sequential(linear(), nn.Sequential(linear()))
    assert trace(wrap(model)) == {"0": ONE, "1.0": ONE}


def test_a_compiled_layer_inside_has_the_path_of_the_layer() -> None:
    compiled: Any = torch.compile(nn.Sequential(linear()), backend="eager")
    assert trace(nn.Sequential(linear(), compiled)) == {"0": ONE, "1.0": ONE}


def deepen(levels: int) -> nn.Module:
    model: nn.Module = linear()
    for _ in range(levels):
        model = Parent(model)
    return model


def test_a_hundred_levels() -> None:
    path = ".".join(["child"] * 100)
    assert trace(deepen(100)) == {path: ONE}
    assert list_backward(deepen(100)) == {path: ONE}


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight @ weight


def test_a_parametrised_weight_is_charged_to_its_layer_and_its_making_to_its_own_row() -> None:
    layer = linear()
    parametrize.register_parametrization(layer, "weight", Doubled())
    paths = trace(nn.Sequential(layer))
    assert paths == {"0.parametrizations.weight.0": 4 * 4 * 4, "0": ONE}
    assert count(nn.Sequential(layer), (2, 4)).total.params == 16


def test_weight_norm_is_free() -> None:
    layer = parametrizations.weight_norm(linear())
    report = count(nn.Sequential(layer), (2, 4))
    assert (list_paths(report), report.total.params) == ({"0": ONE}, 16 + 4)


@pytest.mark.parametrize("training", [True, False])
def test_spectral_norm_multiplies_its_vectors(training: bool) -> None:
    layer = parametrizations.spectral_norm(linear()).train(training)
    paths = trace(nn.Sequential(layer))
    iterations = 2 if training else 0
    product_of_three = 4 * 4 + 4  # u W v
    assert paths["0"] == ONE
    assert paths["0.parametrizations.weight.0"] == iterations * 4 * 4 + product_of_three


def test_the_old_norms_by_hooks() -> None:
    layer = torch.nn.utils.weight_norm(linear())
    assert trace(nn.Sequential(layer)) == {"0": ONE}
    assert trace(nn.Sequential(torch.nn.utils.spectral_norm(linear()).eval()))["0"] >= ONE


def run_checkpointed(reentrant: bool) -> Callable[..., Any]:
    def run(first: nn.Module, second: nn.Module, x: Tensor) -> Any:
        x = checkpoint(first, x, use_reentrant=reentrant)
        return second(x)

    return run


@pytest.mark.parametrize(("reentrant", "again"), [(True, ONE), (False, 0)])
def test_checkpointed_layers_are_computed_again_in_the_backward(
    reentrant: bool, again: int
) -> None:
    """Without reentrance PyTorch stops where it has what the last layer saved: its input."""
    block = nn.Sequential(linear(), linear())
    model = Calling(run_checkpointed(reentrant), block, nn.Sequential(linear()))
    x = torch.zeros(2, 4, requires_grad=True)
    report = check_ledger(mp.trace(model, x, backward=True))
    assert list_paths(report) == dict.fromkeys(("parts.0.0", "parts.0.1", "parts.1.0"), ONE)
    backward = {layer.path: layer.backward_macs for layer in report.counted}
    assert backward == {"parts.0.0": 3 * ONE, "parts.0.1": 2 * ONE + again, "parts.1.0": 2 * ONE}


def test_a_checkpointed_sequence() -> None:
    def run(layers: nn.Sequential, x: Tensor) -> Any:
        run_in_two: Any = checkpoint_sequential
        return run_in_two(layers, 2, x, use_reentrant=False)

    model = Calling(run, nn.Sequential(*[linear() for _ in range(4)]))
    assert trace(model) == {f"parts.0.{index}": ONE for index in range(4)}


def test_work_in_a_hook_is_charged_to_the_module_that_the_hook_is_on() -> None:
    weight = torch.zeros(4, 4)
    model = nn.Sequential(linear(), linear())
    model[0].register_forward_hook(lambda module, args, output: output @ weight)
    model[1].register_forward_pre_hook(lambda module, args: (args[0] @ weight,))
    assert trace(model) == {"0": 2 * ONE, "1": 2 * ONE}


Named = namedtuple("Named", ["value", "rest"])


@dataclass
class Output:
    value: Tensor
    rest: Any = None


OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "dict": lambda x: {"value": x, "rest": {"deep": [x]}},
    "list": lambda x: [x, None, 3],
    "namedtuple": lambda x: Named(x, None),
    "dataclass": lambda x: Output(x),
    "nested": lambda x: {"a": Output(x, Named([x], "text"))},
}


@pytest.mark.parametrize("pack", OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_of_any_kind(pack: Callable[[Tensor], Any]) -> None:
    model = Calling(lambda layer, x: pack(layer(x)), linear())
    assert trace(model) == {"parts.0": ONE}
    assert list_backward(model) == {"parts.0": ONE}


def run_for_nothing(layer: nn.Module, x: Tensor) -> None:
    layer(x)


def test_no_output_at_all() -> None:
    model = Calling(run_for_nothing, linear())
    assert trace(model) == {"parts.0": ONE}
    with pytest.raises(mp.UsageError, match="no output depends on a parameter"):
        mp.trace(model, (2, 4), backward=True)


def test_tied_parameters_count_once_and_show_at_both_places() -> None:
    model = nn.Sequential(nn.Embedding(10, 4), linear(4, 10))
    model[1].weight = model[0].weight
    report = check_ledger(mp.trace(model, "2x3:int64"))
    assert report.total.params == 40
    shown = {layer.path: (layer.params, layer.tied, layer.tied_to) for layer in report.layers}
    assert shown == {"0": (40, 0, ""), "1": (0, 40, "0")}
    assert list_paths(report) == {"1": 6 * 4 * 10}


def test_backward_of_a_chain_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten())
    model.append(nn.Linear(4 * 16, 10))
    first, second, last = 2 * 4 * 36 * 27, 2 * 4 * 16 * 9, 2 * 64 * 10
    assert trace(model, (2, 3, 8, 8)) == {"0": first, "2": second, "4": last}
    assert list_backward(model, (2, 3, 8, 8)) == {"0": first, "2": 2 * second, "4": 2 * last}


def test_frozen_layers_pass_gradients_on_and_those_below_the_first_trained_cost_nothing() -> None:
    model = nn.Sequential(linear(), linear(), linear(), linear())
    model[0].requires_grad_(False)
    model[2].requires_grad_(False)
    assert list_backward(model) == {"1": ONE, "2": ONE, "3": 2 * ONE}


def test_an_input_that_needs_a_gradient_costs_one_more_product() -> None:
    model = nn.Sequential(linear(), linear())
    x = torch.zeros(2, 4, requires_grad=True)
    assert mp.trace(model, x, backward=True).total.backward_macs == 4 * ONE
    assert x.grad is None


def test_a_detached_branch_has_no_backward() -> None:
    model = Calling(lambda a, b, x: a(x) + b(x).detach(), linear(), linear())
    assert list_backward(model) == {"parts.0": ONE}


def test_every_output_starts_a_backward() -> None:
    model = Calling(lambda a, b, c, x: (b(a(x)), c(a(x))), linear(), linear(), linear())
    assert list_backward(model) == {"parts.0": 2 * ONE, "parts.1": 2 * ONE, "parts.2": 2 * ONE}


class Gradient(nn.Module):
    """Computes a gradient in its own forward."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = linear()

    def forward(self, x: Tensor) -> Any:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            energy = self.linear(x).sum()
            (force,) = torch.autograd.grad(energy, x)
        return force


def test_a_gradient_in_the_forward_is_work_of_the_forward() -> None:
    report = count(Gradient(), (2, 4))
    assert report.total.macs == 2 * ONE
    assert report.notes == ("traced with gradients, which the forward pass computes itself",)


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        return gradient @ weight.T, x.T @ gradient


class WithFunction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 4))

    def forward(self, x: Tensor) -> Any:
        apply: Any = Custom.apply
        return apply(x, self.weight)


def test_an_autograd_function_of_the_users_own() -> None:
    model = nn.Sequential(linear(), WithFunction())
    assert trace(model) == {"0": ONE, "1": ONE}
    assert list_backward(model) == {"0": ONE, "1": 2 * ONE}


def test_unknown_work_has_a_name_a_path_a_site_a_count_and_shapes() -> None:
    inner = Calling(lambda x: torch.linalg.svdvals(x) + torch.linalg.svdvals(x))
    report = count(nn.Sequential(linear(), inner), (4, 4))
    (item,) = report.uncounted
    assert (item.name, item.path, item.calls) == ("aten::_linalg_svd", "1", 2)
    assert item.inputs == ((4, 4),)
    line = inner.function.__code__.co_firstlineno
    assert item.site == f"test_attribution.py:{line}"


def apply_head(layer: nn.Module, x: Tensor) -> Any:
    """A function of no module's own."""
    return layer(x) @ torch.zeros(4, 4, device=x.device)


class WithHelper(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = linear()

    def forward(self, x: Tensor) -> Any:
        return apply_head(self.layer, x)


def test_a_function_that_is_given_a_module_works_for_the_running_one() -> None:
    assert trace(nn.Sequential(WithHelper())) == {"0.layer": ONE, "0": ONE}


def test_a_forward_of_the_instances_own() -> None:
    model = nn.Sequential(linear(), linear())
    weight = torch.zeros(4, 4)
    model[0].forward = lambda x: x @ weight @ weight
    kept = model[0].forward
    assert trace(model) == {"0": 2 * ONE, "1": ONE}
    assert model[0].forward is kept


def test_a_patched_call_of_all_modules_runs_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    original, seen = nn.Module.__call__, []

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        seen.append(type(self).__name__)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "__call__", call)
    assert trace(nn.Sequential(linear(), nn.ReLU())) == {"0": ONE}
    assert nn.Module.__call__ is call
    assert seen == ["Sequential", "Linear", "ReLU"]


def test_a_trace_inside_a_forward_leaves_the_outer_one() -> None:
    def run(layer: nn.Module, x: Tensor) -> Any:
        assert mp.trace(nn.Linear(4, 5), (2, 4)).total.macs == 2 * 20
        return layer(x)

    assert trace(Calling(run, linear())) == {"parts.0": ONE}
