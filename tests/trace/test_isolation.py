"""A model on loan comes back exactly as it was."""

import contextlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp


class Stateful(nn.Module):
    """Changes what a module can change while it runs."""

    def __init__(self, fail: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.tied = self.conv
        self.seen: list[Tensor] = []
        self.last: Tensor | None = None
        self.steps = 0
        self.fail = fail

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        x = self.drop(self.norm(self.conv(x)))
        self.last = x
        self.seen.append(x)
        self.extra = x
        if self.fail:
            raise RuntimeError("no\nluck")
        return x + torch.rand_like(x)


def capture(model: nn.Module) -> list[Any]:
    tensors = [*model.parameters(), *model.buffers()]
    return [
        [(id(tensor), tensor.detach().clone()) for tensor in tensors],
        [module.training for module in model.modules()],
        [sorted(vars(module)) for module in model.modules()],
        list(model.state_dict()),
        torch.get_rng_state(),
        nn.Module.__call__,
    ]


def same(before: list[Any], after: list[Any]) -> bool:
    pairs = zip(before[0], after[0], strict=True)
    tensors = all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in pairs)
    plain = before[1:4] == after[1:4] and before[5] is after[5]
    return tensors and plain and torch.equal(before[4], after[4])


@pytest.mark.parametrize("fail", [False, True])
def test_nothing_of_the_model_changes(fail: bool) -> None:
    model = Stateful(fail)
    model.norm.eval()
    before = capture(model)
    if fail:
        with pytest.raises(mp.UsageError) as caught:
            mp.trace(model, (2, 3, 8, 8))
        assert "failed in 'Stateful' on input 2x3x8x8: no luck" in str(caught.value)
    else:
        assert mp.trace(model, (2, 3, 8, 8)).total.macs == 2 * 4 * 36 * 27
    assert same(before, capture(model))
    assert (model.seen, model.last, model.steps) == ([], None, 0)


def test_a_failure_names_the_layer_in_which_it_happened() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Sequential(nn.Linear(4, 5)))
    with pytest.raises(mp.UsageError, match=r"failed in '1\.0', which got 2x5, on input 2x4"):
        mp.trace(model, (2, 4))


def test_a_shared_layer_counts_its_parameters_once_and_its_work_each_time() -> None:
    linear = nn.Linear(4, 4, bias=False)
    trace = mp.trace(nn.Sequential(linear, nn.ReLU(), linear), (1, 4))
    assert (trace.total.params, trace.total.macs) == (16, 32)
    assert [(layer.path, layer.calls) for layer in trace.counted] == [("0", 1), ("2", 1)]
    assert [(layer.tied, layer.tied_to) for layer in trace.counted] == [(0, ""), (16, "0")]


def test_a_tied_parameter_counts_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    trace = mp.trace(model, (1, 4))
    assert (trace.total.params, trace.total.macs) == (16, 32)
    assert model[1].weight is model[0].weight


def test_hooks_of_the_user_run_and_stay() -> None:
    model, seen = nn.Linear(2, 2), []
    model.register_forward_hook(lambda module, args, output: seen.append(tuple(output.shape)))
    mp.trace(model, (3, 2))
    assert seen == [(3, 2)]
    assert len(model._forward_hooks) == 1


def test_parameters_that_no_forward_uses_are_still_counted() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_parameter("spare", nn.Parameter(torch.zeros(5)))
    assert mp.trace(model, (1, 2)).total.params == 4 + 2 + 5


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (nn.Linear(2, 2), {"inputs": 12}, "inputs must be a shape"),
        (nn.Linear(2, 2), {"inputs": (1, 2), "alpha": 1.0}, "go with a name, given a module"),
        ("mobilenet_v1", {"inputs": (1, 3, 8, 8), "batch": 2}, "inputs, or batch for the default"),
        ("mobilenet_v1x", {}, "did you mean 'mobilenet_v1'"),
        ("mobilenet_v1", {"alfa": 1}, "did you mean 'alpha'"),
        ("mobilenet_v1", {"resolution": 0}, "resolution must be a whole number from 1"),
        ("mobilenet_v1", {"resolution": 96, "beta": 0.5}, "resolution or beta, not both"),
        ("mobilenet_v1", {"beta": -1}, "beta must be"),
        ("mobilenet_v1", {"batch": True}, "batch must be a whole number"),
    ],
)
def test_wrong_arguments_get_one_line(model: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        mp.trace(model, **arguments)


class Constants(nn.Module):
    """Looks at constants of its own making, and keeps a tensor that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.scale = torch.ones(4)

    def forward(self, x: Tensor) -> Tensor:
        self.scale += 1
        steps = (torch.arange(3) * 2).sum().item()
        for _ in range(int(steps)):
            x = self.linear(x) * self.scale
        return x


def test_a_forward_may_look_at_its_own_constants_every_time() -> None:
    model = Constants()
    assert [mp.trace(model, (2, 4)).total.macs for _ in range(3)] == [6 * 2 * 4 * 4] * 3
    assert torch.equal(model.scale, torch.ones(4))


class Cache(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[str, list[Any]] = {"keys": [[]]}
        self.cycle: list[Any] = []
        self.cycle.append(self.cycle)

    def forward(self, x: Tensor) -> Tensor:
        self.cache["keys"][0].append(x)
        self.cache["new"] = [x]
        return x * 2


SCRIPTED = torch.jit.trace(nn.Linear(4, 4), torch.ones(2, 4))  # type: ignore[no-untyped-call]


def test_containers_in_containers_get_their_items_back() -> None:
    model = Cache()
    mp.trace(model, (2, 4))
    assert model.cache == {"keys": [[]]}
    assert model.cycle[0] is model.cycle


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SCRIPTED, "is TorchScript"),
        (nn.Sequential(nn.LazyLinear(3)), "'0' is lazy and has no shapes yet"),
    ],
)
def test_what_cannot_be_lent_is_refused_untouched(model: Any, message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        mp.trace(model, (2, 4))
    assert model(torch.ones(2, 4)).device.type == "cpu"


def test_none_turns_head_and_prediction_off() -> None:
    assert mp.trace("mobilenet_v1", num_classes=None).total.params == 4_231_976 - 1_025_000
    kinds = [layer.kind for layer in mp.trace("mobilenet_v1", prediction=None).layers]
    assert "softmax" not in kinds


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (mp.ModelSpec("mobilenet_v1"), {"alpha": 0.5}, "given a ModelSpec"),
        (mp.ModelSpec("mobilenet_v1", {"alfa": 1}), {}, "did you mean 'alpha'"),
        (42, {}, "a ModelSpec or a module, given 42"),
        ("mobilenet_v1", {"rows": 5}, "rows must be a sequence"),
        ("mobilenet_v1", {"rows": [("Conv", (3, 3), 0, 8)]}, "row 0: kernel, stride and depth"),
        ("mobilenet_v1", {"rows": [("Conv", (3, 3), 1, "8")]}, "row 0: kernel, stride and depth"),
        ("mobilenet_v1", {"resolution": 2**20, "batch": 2**20}, "cannot make an input of"),
    ],
)
def test_wrong_specs_get_one_line(spec: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        mp.trace(spec, **options)


class Forgiving(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        with contextlib.suppress(RuntimeError):
            self.first(x)
        output: Tensor = self.second(x)
        return output


def test_a_failure_that_the_model_caught_is_not_blamed() -> None:
    with pytest.raises(mp.UsageError, match="failed in 'second'"):
        mp.trace(Forgiving(), (2, 4))
