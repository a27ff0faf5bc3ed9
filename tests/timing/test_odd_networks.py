"""Networks that do what networks seldom do: they are timed all the same, and given back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.correction import correct_samples
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.rows import add_samples, make_timed_rows
from mobilenet_profiler.timing.preparing import find_batch
from mobilenet_profiler.trace.inputs import make_inputs

run = partial(mp.profile, iterations=2)
Forward = Callable[..., Any]


class Own(nn.Module):
    """A linear layer, and a forward pass of choice, which is given the module and its inputs.

    held: other attributes; tensors become buffers.
    """

    def __init__(self, forward: Forward, **held: Any) -> None:
        super().__init__()
        self.linear, self.own = nn.Linear(4, 4), forward
        for name, value in held.items():
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs: Tensor) -> Any:
        return self.own(self, *inputs)


def list_timed(profile: Profile) -> dict[str, str]:
    return {layer.path: layer.kind for layer in profile.layers}


class Part(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        return y


def compile_eagerly(module: nn.Module) -> Any:
    return torch.compile(module, backend="eager")


# Whose time it is


def apply_weight(module: Any, x: Tensor) -> Tensor:
    return functional.linear(x, module.linear.weight)


ROWS: dict[str, tuple[Callable[[], nn.Module], dict[str, str]]] = {
    "identity": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Identity()), {"0": ""}),
    "weights used elsewhere": (lambda: Own(apply_weight), {"": "functional"}),
    "compiled part": (lambda: nn.Sequential(compile_eagerly(Part())), {"0": "compiled"}),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("view", [{"every": True}, {"by": "kind"}, {"by": "block"}, {"depth": 1}])
def test_the_time_of_every_layer_is_in_some_row(name: str, view: dict[str, Any]) -> None:
    make, timed = ROWS[name]
    made = run(make(), (2, 4))
    assert list_timed(made) == timed
    rows = [row.samples for row in make_timed_rows(made, **view) if row.samples]
    own = [correct_samples(made, layer) for layer in made.layers]
    assert add_samples(rows) == pytest.approx(add_samples(own))


def test_layers_that_run_inside_fused_attention_are_said_to_have_no_time_of_their_own() -> None:
    made = run(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8))
    assert list_timed(made) == {"": ""}
    (note,) = made.notes
    assert note.startswith("self_attn and 3 more ran inside other modules without a call of their")


def test_calls_that_differ_from_pass_to_pass_are_said() -> None:
    passes = [0]

    def forward(module: Any, x: Tensor) -> Tensor:
        passes[0] += 1
        for _ in range(1 + passes[0] % 2):
            x = module.linear(x)
        return x

    made = run(Own(forward), (2, 4), iterations=12)
    assert "linear ran more often in some passes than in others" in made.notes[0]


@pytest.mark.parametrize(
    ("shape", "batch"),
    [((2, 4), 2), ((3, 8, 9, 9), 3), ((2, 3, 4, 8, 8), 2), ((20, 3, 8), None), ((7,), None)],
)
def test_the_first_axis_is_a_batch_unless_it_may_be_steps_or_channels(
    shape: tuple[int, ...], batch: int | None
) -> None:
    assert find_batch(make_inputs(nn.Identity(), None, shape, None)) == batch


# Compiled


def test_the_reference_network_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    rows = (("Conv", (3, 3), 2, 8), ("DepthSepConv", (3, 3), 1, 8))
    made = run("mobilenet_v1", rows=rows, resolution=32, global_pool=True, compile=True)
    assert len(made.clean) == len(made.eager) == 1


def compile_counting(part: nn.Module) -> list[int]:
    """Compile a part by itself; there is an item more for each compilation."""
    compilations = list[int]()

    def backend(graph: Any, given: Any) -> Any:
        compilations.append(1)
        return graph.forward

    part.compile(backend=backend)
    return compilations


def test_a_part_that_is_compiled_by_itself_is_compiled_once_for_all_passes() -> None:
    model = nn.Sequential(Part(), nn.ReLU())
    compilations = compile_counting(model[0])
    made = run(model, (2, 4), iterations=8)
    assert len(compilations) == 1
    assert list_timed(made) == {"0": "compiled", "1": ""}
    assert model[0]._compiled_call_impl is not None


def test_a_copy_whose_part_is_no_longer_compiled_is_said() -> None:
    model = nn.Sequential(Part(), nn.ReLU())
    compilations = compile_counting(model[0])
    made = run(model, (2, 4), dtype="bfloat16")
    assert not compilations
    assert made.notes == ("0: compiled by itself, but not in the copy that runs here",)


# What the caller has stays as it was


def test_one_tensor_that_is_given_twice_stays_one() -> None:
    same, x = set[bool](), torch.rand(2, 4)

    def forward(module: Any, a: Tensor, b: Tensor) -> Any:
        same.add(a is b)
        return module.linear(a) + b

    run(Own(forward), (x, x))
    assert same == {True}


def test_a_graph_that_was_made_before_can_still_go_backward() -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).eval(), torch.rand(2, 4)
    loss = model(x).sum()
    run(model, x)
    loss.backward()
    assert model[0].weight.grad is not None


def test_tensors_that_are_no_buffers_come_back_too() -> None:
    def forward(module: Any, x: Tensor) -> Any:
        module.plain.add_(1)
        module.items["key"].add_(1)
        return module.linear(x)

    plain, items = torch.zeros(2), {"key": torch.zeros(2)}
    model = Own(forward, items=items)
    model.__dict__["plain"] = plain
    run(model, (2, 4))
    assert model.__dict__["plain"] is plain
    assert model.__dict__["items"] is items
    assert not plain.any()
    assert not items["key"].any()


@pytest.mark.parametrize("free", [None, 0])  # bytes: without room the parameters are no copies
def test_parameters_that_train_freezes_are_free_again(
    free: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilenet_profiler.timing.loan.measure_free", lambda device: free)

    class Freezes(Part):
        def train(self, mode: bool = True) -> Freezes:
            for parameter in self.parameters():
                parameter.requires_grad = mode
            super().train(mode)
            return self

    model = Freezes()
    run(model, (2, 4))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_network_that_a_module_of_python_holds_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = ModuleType("holds_a_network")
    network = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    held.__dict__["net"] = network
    monkeypatch.setitem(sys.modules, held.__name__, held)
    made = run("holds_a_network:net", inputs=(2, 4), dtype="bfloat16")
    assert made.setup.dtype == "bfloat16"
    assert network.training
    assert network[0].weight.dtype is torch.float32


def test_settings_that_a_forward_changes_are_put_back() -> None:
    def forward(module: Any, x: Tensor) -> Any:
        torch.use_deterministic_algorithms(True)
        torch.backends.mha.set_fastpath_enabled(False)
        return module.linear(x)

    run(Own(forward), (2, 4))
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def test_every_pass_has_the_input_that_was_given_whatever_it_writes_there() -> None:
    firsts = list[float]()

    def forward(module: Any, x: Tensor) -> Any:
        if not x.is_meta:
            firsts.append(float(x[0, 0]))
        return module.linear(x.mul_(0.5))

    given = torch.ones(2, 4)
    made = run(Own(forward), given)
    assert set(firsts) == {1.0}
    assert bool((given == 1).all())
    assert any(note.startswith("a pass writes to its inputs") for note in made.notes)


# What runs


def differentiate(module: Any, x: Tensor) -> Any:
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        return torch.autograd.grad(module.linear(x).sum(), x)[0]


def make_inference_module() -> nn.Module:
    with torch.inference_mode():
        return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))


def export() -> Any:
    return torch.export.export(nn.Sequential(nn.Linear(4, 4)).eval(), (torch.rand(2, 4),)).module()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "expanded buffer": lambda: Own(
        lambda module, x: module.linear(x) + module.bias, bias=torch.zeros(1).expand(4)
    ),
    "made in inference mode": make_inference_module,
    "gradients of its own": lambda: Own(differentiate),
    "exported program": export,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_runs_that_has(name: str) -> None:
    made = run(NETWORKS[name](), (2, 4))
    assert made.trace.total.macs >= 2 * 4 * 4
    assert made.layers


class FailsLater(Part):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > 3:
            raise ValueError("later")
        return super().forward(x)


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (lambda: nn.Embedding(10, 4), torch.tensor([99]), "IndexError: index out of range"),
        (FailsLater, (2, 4), "does not run on input 2x4: ValueError: later"),
        (lambda: nn.Sequential(torch.jit.script(nn.Linear(4, 4))), (2, 4), "'0' is TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_does_not_run_is_one_line(
    make: Callable[[], nn.Module], given: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        run(make(), given, iterations=20)
    assert "\n" not in str(caught.value)
