"""Whatever a forward does to its model, to containers and to PyTorch is undone."""

import copy
import gc
import random
import threading
from collections import Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from tests.trace.calling import is_same


@dataclass
class Record:
    seen: list[Any] = field(default_factory=list)
    steps: int = 0


class Slotted:
    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0


class Worker:
    """A plain object that holds a tensor and a list."""

    def __init__(self) -> None:
        self.scale = torch.ones(4)
        self.history: list[int] = []


class Busy(nn.Module):
    """Changes whatever a forward can reach, then ends as it is told."""

    def __init__(self, end: str = "well") -> None:
        super().__init__()
        self.end = end
        self.linear = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.linear.weight
        self.norm = nn.BatchNorm1d(4)
        self.frozen = nn.BatchNorm1d(4).eval()
        self.lstm = nn.LSTM(4, 4)
        self.space = SimpleNamespace(steps=0, items=[1])
        self.record = Record()
        self.worker = Worker()
        self.queue: deque[int] = deque([1, 2], maxlen=2)
        self.table: defaultdict[str, list[int]] = defaultdict(list, {"a": [1]})
        self.order: OrderedDict[str, int] = OrderedDict(a=1, b=2)
        self.nested: dict[str, Any] = {"x": [{"y": {1, 2}}], "t": (SimpleNamespace(z=0),)}
        self.plain = torch.arange(12.0).reshape(3, 4)
        self.row = self.plain[1]
        self.steps = 0
        self.going = True
        self.gone: str | None = "here"

    def forward(self, x: Tensor) -> Tensor:
        x = self.tied(self.frozen(self.norm(self.linear(x))))
        x = self.lstm(x)[0] * self.plain.sum(0)
        self.change(x)
        if self.end == "values":
            x = x * (x.sum().item() + 1)
        if self.end == "raise":
            raise RuntimeError("no luck")
        if self.end == "interrupt":
            raise KeyboardInterrupt
        return x

    def change(self, x: Tensor) -> None:
        self.steps += 1
        self.extra = x
        del self.gone
        self.space.steps += 1
        self.space.items.append(2)
        self.space.new = x
        self.record.seen.append(x)
        self.record.steps += 1
        self.worker.scale.mul_(3)
        self.worker.history.append(1)
        self.queue.append(3)
        self.table["b"].append(1)
        self.order.move_to_end("a")
        self.nested["x"][0]["y"].add(3)
        self.nested["x"].append(x)
        self.nested["t"][0].z = 5
        self.plain += 1
        self.row.zero_()
        self.train(not self.training)
        self.linear.weight.requires_grad_(False)
        self.linear.register_forward_hook(lambda *_: None)
        self.add_module("late", nn.Linear(2, 2))
        self.register_buffer("late_buffer", torch.zeros(2))
        self.norm.momentum = 0.5


def capture(model: nn.Module) -> list[Any]:
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
    return [
        [(name, id(tensor), tensor.requires_grad) for name, tensor in named],
        [(name, module.training, sorted(vars(module))) for name, module in model.named_modules()],
        list(model.state_dict()),
        [len(module._forward_hooks) for module in model.modules()],
    ]


def describe(model: Busy) -> list[Any]:
    record, worker, space = model.record, model.worker, model.space
    return [
        [model.steps, model.going, model.gone, model.end],
        list(model.queue),
        {name: list(items) for name, items in model.table.items()},
        list(model.order.items()),
        [vars(space).keys() - {"steps", "items"}, space.steps, list(space.items)],
        [list(record.seen), record.steps, list(worker.history)],
        [len(model.nested["x"]), set(model.nested["x"][0]["y"]), model.nested["t"][0].z],
        [model.norm.momentum],
    ]


def run(model: nn.Module, end: str, **options: Any) -> None:
    if end == "raise":
        with pytest.raises(mp.UsageError, match="no luck"):
            mp.trace(model, (5, 4), **options)
    elif end == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            mp.trace(model, (5, 4), **options)
    else:
        mp.trace(model, (5, 4), **options)


@pytest.mark.parametrize("mode", [None, "train", "eval"])
@pytest.mark.parametrize("end", ["well", "values", "raise", "interrupt"])
def test_a_model_that_changes_everything_is_as_it_was(end: str, mode: str | None) -> None:
    model = Busy(end)
    model.norm.weight.grad = torch.full((4,), 7.0)
    plain = [] if end == "values" else [model.plain, model.row, model.worker.scale]
    tensors = [*model.parameters(), *model.buffers(), *plain]
    values = [tensor.detach().clone() for tensor in tensors]
    before, described, flat = capture(model), describe(model), list(model.lstm._flat_weights)
    run(model, end, mode=mode)
    assert capture(model) == before
    assert describe(model) == described
    assert all(map(is_same, tensors, values))
    assert torch.equal(model.norm.weight.grad, torch.full((4,), 7.0))
    assert model.tied.weight is model.linear.weight
    assert all(a is b for a, b in zip(model.lstm._flat_weights, flat, strict=True))
    assert model.row.data_ptr() == model.plain[1].data_ptr()
    assert model.lstm(torch.zeros(5, 4))[0].shape == (5, 4)


class Accumulating(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.plain = torch.ones(4)

    def forward(self, x: Tensor) -> Tensor:
        self.plain += 1
        return x * x.sum().item()


class Owner(nn.Module):
    """Has something and does something to it."""

    def __init__(self, thing: Any, change: Callable[[Any], Any]) -> None:
        super().__init__()
        self.thing, self.change = thing, change
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Any:
        self.change(self)
        return self.linear(x)


class Pair(NamedTuple):
    items: list[int]


def step(model: Owner) -> None:
    model.thing.steps += 1


def add_up(model: Owner) -> None:
    model.thing += 1


# A thing, what a forward does to it, what must be as it was.
Owned = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]
KEPT_THINGS: dict[str, Owned] = {
    "UserDict": (UserDict, lambda m: m.thing.update(a=1), lambda m: dict(m.thing)),
    "Counter": (Counter, lambda m: m.thing.update("ab"), lambda m: dict(m.thing)),
    "slots": (Slotted, step, lambda m: m.thing.steps),
    "layer": (int, lambda m: setattr(m, "linear", nn.Linear(4, 4)), lambda m: id(m.linear)),
    "parameter": (
        int,
        lambda m: setattr(m.linear, "weight", nn.Parameter(torch.zeros(4, 4))),
        lambda m: id(m.linear.weight),
    ),
    "values": (
        int,
        lambda m: nn.init.zeros_(m.linear.weight),
        lambda m: m.linear.weight.tolist(),
    ),
    "data": (int, lambda m: m.linear.weight.data.zero_(), lambda m: m.linear.weight.tolist()),
    "dtype": (int, lambda m: m.linear.double().float(), lambda m: m.linear.weight.tolist()),
    "device": (int, lambda m: m.linear.to("meta"), lambda m: m.linear.weight.tolist()),
    "copy": (int, lambda m: copy.deepcopy(m.linear), lambda m: sorted(vars(m.linear))),
    "unregistered layer": (
        lambda: [nn.BatchNorm1d(4)],
        lambda m: m.thing[0](torch.ones(2, 4)),
        lambda m: m.thing[0].state_dict()["running_mean"].tolist(),
    ),
    "unregistered parameter": (
        lambda: [nn.Parameter(torch.ones(2))],
        lambda m: m.thing[0].data.zero_(),
        lambda m: m.thing[0].tolist(),
    ),
}
LOST_THINGS: dict[str, Owned] = {
    "weak values": (
        WeakValueDictionary,
        lambda m: m.thing.update(a=m.linear),
        lambda m: list(m.thing),
    ),
    "named tuple": (
        lambda: Pair([]),
        lambda m: m.thing.items.append(1),
        lambda m: list(m.thing.items),
    ),
    "numpy array": (lambda: np.zeros(2), add_up, lambda m: m.thing.tolist()),
    "bytearray": (bytearray, lambda m: m.thing.extend(b"a"), lambda m: bytes(m.thing)),
    "torch generator": (
        torch.Generator,
        lambda m: torch.rand(3, generator=m.thing),
        lambda m: m.thing.get_state().tolist(),
    ),
    "python generator": (
        random.Random,
        lambda m: m.thing.random(),
        lambda m: m.thing.getstate(),
    ),
    "numpy generator": (
        np.random.default_rng,
        lambda m: m.thing.random(),
        lambda m: repr(m.thing.bit_generator.state),
    ),
}


def check_owned(make: Callable[[], Any], change: Callable[[Any], Any], read: Any) -> None:
    model = Owner(make(), change)
    thing, before = model.thing, read(model)
    mp.trace(model, (2, 4))
    assert model.thing is thing
    assert read(model) == before


@pytest.mark.parametrize(("make", "change", "read"), KEPT_THINGS.values(), ids=KEPT_THINGS)
def test_what_a_model_has_is_as_it_was(make: Any, change: Any, read: Any) -> None:
    check_owned(make, change, read)


@pytest.mark.parametrize(("make", "change", "read"), LOST_THINGS.values(), ids=LOST_THINGS)
def test_what_else_a_model_has_is_as_it_was(make: Any, change: Any, read: Any) -> None:
    check_owned(make, change, read)


def test_attributes_of_parameters_are_read_and_stay() -> None:
    model = Owner(None, lambda m: setattr(m.linear.weight, "scale", m.linear.weight.scale + 1))
    weight: Any = model.linear.weight
    weight.scale = 3
    mp.trace(model, (2, 4))
    assert weight.scale == 3


def test_a_list_that_is_an_attribute_of_a_parameter() -> None:
    model = Owner(None, lambda m: m.linear.weight.scales.append(1))
    weight: Any = model.linear.weight
    weight.scales = []
    mp.trace(model, (2, 4))
    assert weight.scales == []


def test_data_of_a_parameter_that_a_forward_replaces() -> None:
    def replace(model: Owner) -> None:
        model.linear.weight.data = torch.zeros(4, 4, device=model.linear.weight.device)

    model = Owner(None, replace)
    before = model.linear.weight.detach().clone()
    mp.trace(model, (2, 4))
    assert torch.equal(model.linear.weight, before)


def test_a_plain_tensor_written_to_in_a_pass_on_real_tensors() -> None:
    model = Accumulating()
    mp.trace(model, (2, 4))
    assert torch.equal(model.plain, torch.ones(4))


def read_globals() -> list[Any]:
    return [
        torch.get_rng_state().tolist(),
        random.getstate(),
        repr(np.random.get_state()),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.backends.mha.get_fastpath_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.is_anomaly_enabled(),
        gc.isenabled(),
        nn.Module.__call__,
        nn.Module.__setattr__,
        nn.Module._call_impl,
        torch.Tensor.item,
        torch.nn.functional.relu,
    ]


class Global(nn.Module):
    """Changes the settings of the process, and uses random numbers."""

    def __init__(self, end: str) -> None:
        super().__init__()
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.rand(3) + random.random() + float(np.random.rand())
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(5)
        random.seed(5)
        np.random.seed(5)
        torch.backends.mha.set_fastpath_enabled(False)
        if self.end == "raise":
            raise RuntimeError("no luck")
        if self.end == "values":
            x = x * x.sum().item()
        if self.end == "interrupt":
            raise KeyboardInterrupt
        return x


@pytest.mark.parametrize("end", ["well", "values", "raise", "interrupt"])
def test_random_states_and_settings_are_as_they_were(end: str) -> None:
    before = read_globals()
    model = Global(end)
    if end == "raise":
        with pytest.raises(mp.UsageError):
            mp.trace(model, (2, 3))
    elif end == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            mp.trace(model, (2, 3))
    else:
        mp.trace(model, (2, 3))
    assert read_globals() == before


class Setting(nn.Module):
    """Changes one setting of PyTorch."""

    def __init__(self, change: Callable[[], Any]) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        self.change()
        return x * 2


KEPT: dict[str, Callable[[], Any]] = {
    "grad mode": lambda: torch._C._set_grad_enabled(False),
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "fast path": lambda: torch.backends.mha.set_fastpath_enabled(False),
    "collector": gc.enable,
}
LOST: dict[str, Callable[[], Any]] = {
    "default device": lambda: torch.set_default_device("meta"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "threads": lambda: torch.set_num_threads(1),
    "matmul precision": lambda: torch.set_float32_matmul_precision("medium"),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
}


def check_setting(change: Callable[[], Any]) -> None:
    before, threads = read_globals(), torch.get_num_threads()
    try:
        mp.trace(Setting(change), (2, 3))
        assert read_globals() == before
    finally:
        torch.set_default_device(None)
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        torch.autograd.set_detect_anomaly(False)


@pytest.mark.parametrize("change", KEPT.values(), ids=KEPT)
def test_a_setting_that_a_forward_changes_is_as_it_was(change: Callable[[], Any]) -> None:
    check_setting(change)


@pytest.mark.parametrize("change", LOST.values(), ids=LOST)
def test_another_setting_that_a_forward_changes_is_as_it_was(change: Callable[[], Any]) -> None:
    check_setting(change)


SETTINGS = {
    "no gradients": torch.no_grad,
    "gradients": torch.enable_grad,
    "on the CPU": lambda: torch.device("cpu"),
    "on meta": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("backward", [False, True])
def test_a_trace_is_the_same_under_any_setting_of_the_caller(
    setting: Callable[[], Any], backward: bool
) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    expected = mp.trace(model, (3, 4), backward=backward)
    with setting():
        before = read_globals()
        assert mp.trace(model, (3, 4), backward=backward).layers == expected.layers
        assert read_globals() == before


def test_a_trace_in_inference_mode() -> None:
    with torch.inference_mode():
        assert mp.trace(nn.Linear(4, 5), (3, 4)).total.macs == 3 * 4 * 5


def test_a_backward_in_inference_mode() -> None:
    model = nn.Linear(4, 5)
    with torch.inference_mode():
        assert mp.trace(model, (3, 4), backward=True).total.backward_macs == 3 * 4 * 5


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64")
def test_another_default_dtype() -> None:
    model = nn.Linear(4, 5)
    trace = mp.trace(model, (3, 4))
    assert (trace.total.macs, trace.ops[0].dtype) == (3 * 4 * 5, "float64")
    assert torch.get_default_dtype() is torch.float64


def test_a_disabled_collector_stays_disabled() -> None:
    gc.disable()
    try:
        mp.trace(nn.Linear(2, 2), (1, 2))
        assert not gc.isenabled()
    finally:
        gc.enable()


class Hooked(nn.Module):
    """Registers hooks of every kind while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        self.linear.register_forward_pre_hook(lambda module, args: None)
        self.linear.register_forward_hook(lambda module, args, output: None)
        self.linear.register_full_backward_hook(lambda module, given, made: None)
        self.register_forward_hook(lambda module, args, output: None)
        output: Tensor = self.linear(x)
        return output


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")


@pytest.mark.parametrize("backward", [False, True])
def test_hooks_registered_in_a_forward_are_gone_after(backward: bool) -> None:
    model = Hooked()
    mp.trace(model, (2, 4), backward=backward)
    assert all(not getattr(module, name) for module in model.modules() for name in HOOKS)


def test_hooks_of_the_user_run_in_their_order_and_stay_the_same_objects() -> None:
    model, seen = nn.Sequential(nn.Linear(4, 4)), []
    model.register_forward_pre_hook(lambda module, args: seen.append("outer before"))
    model[0].register_forward_pre_hook(lambda module, args: seen.append("before"))
    model[0].register_forward_hook(lambda module, args, output: seen.append("after"))
    model.register_forward_hook(lambda module, args, output: seen.append("outer after"))
    kept = [dict(module._forward_hooks) for module in model.modules()]
    mp.trace(model, (2, 4))
    assert seen == ["outer before", "before", "after", "outer after"]
    assert [dict(module._forward_hooks) for module in model.modules()] == kept


def test_gradients_are_neither_made_nor_changed_by_a_backward() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))
    x = torch.rand(3, 4, requires_grad=True)
    model(x).sum().backward()
    kept = [(p.grad, p.grad.clone()) for p in model.parameters() if p.grad is not None]
    x.grad = None
    mp.trace(model, x, backward=True)
    assert x.grad is None
    assert len(kept) == 4
    for parameter, (same, values) in zip(model.parameters(), kept, strict=True):
        assert parameter.grad is same
        assert torch.equal(same, values)


def test_hooks_on_tensors_are_not_called_and_stay() -> None:
    model, seen = nn.Linear(4, 5), []
    weight: Any = model.weight
    weight.register_hook(lambda gradient: seen.append(1))
    mp.trace(model, (3, 4), backward=True)
    assert seen == []
    model(torch.rand(3, 4)).sum().backward()
    assert seen == [1]


def test_running_statistics_stay_and_so_do_their_batches() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SyncBatchNorm(4).eval())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    mp.trace(model, (2, 3, 8, 8), mode="train")
    after = model.state_dict()
    assert all(is_same(after[name], value) for name, value in before.items())
    assert int(after["1.num_batches_tracked"]) == 0


def make_counting_backend() -> tuple[Callable[..., Any], list[int]]:
    compiled: list[int] = []

    def backend(graph: Any, example_inputs: Any) -> Any:
        compiled.append(1)
        return graph.forward

    return backend, compiled


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first: Any = nn.Linear(4, 5)
        self.second = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.second(self.first(x).relu())
        return output


@pytest.mark.parametrize("style", ["wrapped", "in place", "inner"])
def test_a_compiled_model_is_not_compiled_again(style: str) -> None:
    backend, compiled = make_counting_backend()
    model = Two()
    subject: Any = model
    if style == "wrapped":
        subject = torch.compile(model, backend=backend)
    elif style == "in place":
        model.compile(backend=backend)
    else:
        model.first = torch.compile(model.first, backend=backend)
    x = torch.rand(3, 4)
    expected, call = subject(x), model._compiled_call_impl
    times = len(compiled)
    assert times == 1
    trace = mp.trace(subject, (3, 4))
    assert mp.trace(subject, (7, 4)).total.macs == 7 * (20 + 10)
    assert {layer.path: layer.macs for layer in trace.counted} == {"first": 60, "second": 30}
    assert model._compiled_call_impl is call
    assert torch.equal(subject(x), expected)
    assert len(compiled) == times


def test_two_threads_at_once_get_their_own_numbers() -> None:
    widths, results = range(1, 13), {}

    def work(start: int) -> None:
        for width in widths[start::2]:
            model = nn.Sequential(nn.Linear(4, width), nn.Linear(width, 3))
            results[width] = mp.trace(model, (2, 4)).total.macs

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {width: 2 * (4 * width + width * 3) for width in widths}


class Borrowing(nn.Module):
    """Keeps a parameter of a layer under other names, in a tuple and in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, bias=False)
        self.held: list[Any] = [self.linear.weight]
        self.named = {"weight": self.linear.weight}
        self.pair = (self.linear.weight,)

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = x @ self.held[0] + x @ self.named["weight"] + x @ self.pair[0]
        return product


def test_parameters_held_in_containers_are_the_same_objects_after() -> None:
    model = Borrowing()
    assert mp.trace(model, (2, 4)).total.macs == 3 * 2 * 4 * 4
    weight = model.linear.weight
    assert model.held[0] is model.named["weight"] is model.pair[0] is weight


def test_weights_of_the_user_are_never_read_on_meta() -> None:
    model = nn.Linear(4, 4)
    with torch.no_grad():
        model.weight.fill_(float("nan"))
    assert mp.trace(model, (2, 4)).total.macs == 2 * 4 * 4
    assert torch.isnan(model.weight).all()


def test_an_input_of_the_user_is_not_written_to() -> None:
    x = torch.ones(2, 4)

    class Writing(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            given.mul_(2)
            return given * given.sum().item()

    mp.trace(Writing(), x)
    assert torch.equal(x, torch.ones(2, 4))
