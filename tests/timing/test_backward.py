"""Marks in a backward pass: exact times of known work, and every node at its layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import mobilenet_profiler as mp
from mobilenet_profiler.measured.profile import Span
from mobilenet_profiler.timing.backward import (
    BackwardInstruments,
    find_owners,
    list_nodes,
    make_chain,
    measure_empty_node,
)
from mobilenet_profiler.timing.instruments import (
    LEAVE,
    Decoded,
    OwnTime,
    Site,
    Watch,
    choose_timed,
    decode,
    measure_empty,
)
from mobilenet_profiler.trace.modules import Structure
from tests.timing.fakes import FakeCpuClock, FakeCudaClock


@dataclass
class Counter:
    """A clock on which every mark is one later than the one before: a node takes 1."""

    time: int = 0

    def now(self) -> int:
        self.time += 1
        return self.time

    mark = now

    def wait(self) -> None: ...

    def read(self, marks: Any) -> list[int]:
        return [mark - marks[0] for mark in marks]


class Takes(torch.autograd.Function):
    """So long forward and so long backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, clock: Any, forward: int, backward: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.clock, ctx.takes = clock, backward
        clock.run(forward)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        assert ctx.saved_tensors  # which a checkpoint computes again here
        ctx.clock.run(ctx.takes)
        return gradient, None, None, None


class Works(nn.Module):
    """Takes so long by itself, then runs its children one after another."""

    def __init__(self, clock: Any, forward: int, backward: int, *children: nn.Module) -> None:
        super().__init__()
        self.takes = clock, forward, backward
        for index, child in enumerate(children):
            self.add_module(str(index), child)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = Takes.apply(x, *self.takes)  # type: ignore[no-untyped-call]
        for child in self.children():
            y = child(y)
        return y


def step(
    network: nn.Module, paths: list[str], clock: Any, x: Tensor, watch: Watch | None = None
) -> Decoded:
    """Forward and backward of the sum of what a network makes of x, under instruments."""
    watch = watch or BackwardInstruments(clock, Structure(network), paths)
    assert isinstance(watch, BackwardInstruments)
    with watch.attach():
        watch.start()
        loss = network(x).sum()
        watch.end("forward")
        watch.prepare_backward(loss)
        watch.end("")
        torch.autograd.backward(loss)
        watch.end("backward")
    clock.wait()
    return decode(watch, clock.read(watch.marks))


def list_paths(network: nn.Module) -> list[str]:
    return [path for path, _ in network.named_modules()]


def make_input(*shape: int) -> Tensor:
    return torch.rand(shape or (2,), requires_grad=True)


def test_layers_have_their_own_forward_and_backward_times() -> None:
    clock = FakeCpuClock()
    inner = Works(clock, 30, 70, Works(clock, 7, 9))
    network = Works(clock, 5, 3, Works(clock, 100, 250), inner)
    decoded = step(network, ["0", "1", "1.0"], clock, make_input())
    assert decoded.layers == {
        ("0", "forward"): OwnTime(100, 1, 0),
        ("1.0", "forward"): OwnTime(7, 1, 0),
        ("1", "forward"): OwnTime(30, 1, 1),
        ("1.0", "backward"): OwnTime(9, 1, 0),
        ("1", "backward"): OwnTime(70, 1, 0),
        ("0", "backward"): OwnTime(250, 1, 0),
    }
    assert decoded.phases == {"forward": 142, "backward": 332}  # 3 of it lie between


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=6),
    st.integers(0, 90),
    st.integers(0, 90),
)
def test_the_cost_of_both_kinds_of_marks_is_known_to_the_nanosecond(
    durations: list[tuple[int, int]], before: int, after: int
) -> None:
    clock = FakeCpuClock(before=before, after=after)
    network = Works(clock, 3, 4, *(Works(clock, *pair) for pair in durations))
    paths = [str(index) for index in range(len(durations))]
    decoded = step(network, paths, clock, make_input())
    forward = measure_empty(clock, kind=BackwardInstruments)
    backward = measure_empty_node(clock)
    assert forward == backward == (before + after, before + after)
    for place, (phase, (inside, outside)) in enumerate(
        {"forward": forward, "backward": backward}.items()
    ):
        own = [decoded.layers[path, phase].time - inside for path in paths]
        assert own == [pair[place] for pair in durations]
        whole = decoded.phases[phase] - inside - len(paths) * (inside + outside)
        assert whole == 3 + place + sum(own)


def test_on_a_gpu_the_backward_pass_is_timed_by_the_device_and_waits_for_nothing() -> None:
    clock = FakeCudaClock(launch_cost=5)
    network = Works(clock, 900, 0, Works(clock, 100, 200), Works(clock, 50, 300))
    decoded = step(network, ["0", "1"], clock, make_input())
    assert clock.waits == 1
    assert decoded.layers["0", "backward"].time == 200
    assert decoded.layers["1", "backward"].time == 300


def test_what_the_marks_cost_a_node_is_known_on_a_gpu_too() -> None:
    assert measure_empty_node(FakeCudaClock(mark_cost=9, event_cost=2)) == (9, 9)


def test_attaching_marks_is_in_no_phase() -> None:
    clock = FakeCpuClock()
    watch = Watch(clock)
    watch.start()
    clock.run(10)
    watch.end("forward")
    clock.run(999)
    watch.end("")
    clock.run(20)
    watch.end("backward")
    decoded = decode(watch, clock.read(watch.marks))
    assert decoded.phases == {"forward": 10, "backward": 20}
    assert decoded.spans == [Span("", "forward", 0, 10), Span("", "backward", 10, 20)]


def test_a_pass_by_hand() -> None:
    watch = Watch(FakeCpuClock())
    watch.sites = [Site(("conv",)), Site(("relu",)), Site(("conv",))]
    watch.ends = ["forward", "", "backward", "optimizer"]
    watch.codes = [None, 0, LEAVE, 1, LEAVE, None, 1, LEAVE, None, 2, 1, LEAVE, LEAVE, None, None]
    times = [0, 10, 110, 120, 150, 160, 170, 180, 200, 210, 220, 250, 400, 405, 500]
    decoded = decode(watch, times)
    assert decoded.phases == {"forward": 160, "backward": 205, "optimizer": 95}
    assert decoded.layers == {
        ("conv", "forward"): OwnTime(100, 1, 0),
        ("relu", "forward"): OwnTime(30, 1, 0),  # its call in no phase is left out
        ("relu", "backward"): OwnTime(30, 1, 0),
        ("conv", "backward"): OwnTime(160, 1, 1),
    }
    assert Span("relu", "backward", 180, 30, 2) in decoded.spans


# A convolution, a norm and an activation are one node each; every parameter adds one.
NODES = {"PaddedConv2d": 2, "Conv2d": 2, "BatchNorm2d": 3, "ReLU6": 1, "ReducedPool": 1}


def test_every_node_of_mobilenet_is_at_the_layer_that_made_it() -> None:
    network = mp.trace(
        "mobilenet_v1", alpha=0.25, resolution=32, batch=2, backward=True, mode="train"
    )
    module = build_mobilenet()
    timed = list(choose_timed(Structure(module), network))
    clock = Counter()
    watch = BackwardInstruments(clock, Structure(module), timed)
    decoded = step(module, timed, clock, torch.rand(2, 3, 32, 32), watch)
    nodes = {path: own for (path, phase), own in decoded.layers.items() if phase == "backward"}
    for path, own in nodes.items():
        layer = module.get_submodule(path)
        padded = type(layer).__name__ == "PaddedConv2d" and own.calls == 3  # a node for the zeros
        assert own.time == own.calls  # none has another in it
        assert own.calls == (
            3 if path in ("logits",) or padded else NODES.get(type(layer).__name__, 1)
        )
    forward = {path for path, phase in decoded.layers if phase == "forward"}
    assert forward - set(nodes) == {"predictions"}  # no loss is made of it
    with_macs = {layer.path for layer in network.layers if layer.backward_macs}
    assert with_macs == {path for path in nodes if "conv" in path or path == "logits"}


def build_mobilenet() -> nn.Module:
    from mobilenet_profiler.zoo.mobilenet_v1 import mobilenet_v1

    return mobilenet_v1(alpha=0.25).train()


def test_no_node_is_lost() -> None:
    module = build_mobilenet()
    x = torch.rand(2, 3, 32, 32)
    names = [node.name() for node in list_nodes(module(x).sum())]
    timed = [path for path in list_paths(module) if path and "." in path] + ["logits", "pool"]
    decoded = step(module, timed, Counter(), x)
    marked = sum(own.calls for (_, phase), own in decoded.layers.items() if phase == "backward")
    # Without marks are those of the network itself, which is not timed, of its dropout,
    # and of the sum that is the loss.
    assert len(names) - marked == len({"SumBackward0", "ViewBackward0", "NativeDropoutBackward0"})


def count_nodes(network: nn.Module, paths: list[str], *shape: int) -> dict[str, int]:
    """Nodes of the backward pass at each path."""
    decoded = step(network, paths, Counter(), make_input(*shape))
    return {p: own.calls for (p, phase), own in decoded.layers.items() if phase == "backward"}


class Residual(nn.Module):
    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*parts)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y * self.scale


def test_nodes_that_a_block_makes_between_its_calls_are_its_own() -> None:
    network = nn.Sequential(Residual(nn.ReLU(), nn.Linear(4, 4)), nn.ReLU())
    found = count_nodes(network, ["0", "0.body.0", "0.body.1", "1"], 3, 4)
    # Add, multiply and the gradient of the scale; the weight's transpose is a node too.
    assert found == {"0": 3, "0.body.0": 1, "0.body.1": 4, "1": 1}


def test_what_an_untimed_module_makes_is_of_the_nearest_timed_one_above() -> None:
    network = nn.Sequential(nn.Sequential(Residual(nn.ReLU())))
    assert count_nodes(network, ["0", "0.0.body.0"], 3, 4) == {"0": 3, "0.0.body.0": 1}
    assert count_nodes(network, ["0.0.body.0"], 3, 4) == {"0.0.body.0": 1}


def test_a_layer_at_two_places_has_nodes_at_both_and_its_gradient_at_the_first() -> None:
    shared = nn.Conv2d(4, 4, 1, bias=False)
    network = nn.Sequential(nn.Sequential(shared), nn.Sequential(shared))
    assert count_nodes(network, ["0.0", "1.0"], 1, 4, 2, 2) == {"0.0": 2, "1.0": 1}
    assert set(find_owners(Structure(network), ["0.0", "1.0"]).values()) == {"0.0"}


def test_frozen_layers_have_no_backward_pass() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    network[0].requires_grad_(False)
    decoded = step(network, ["0", "1", "2"], Counter(), torch.rand(3, 4))
    assert {path for path, phase in decoded.layers if phase == "backward"} == {"2"}


class Checkpointed(nn.Module):
    """Runs its part again for the backward pass."""

    def __init__(self, part: nn.Module, reentrant: bool) -> None:
        super().__init__()
        self.part, self.reentrant = part, reentrant

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = checkpoint(self.part, x, use_reentrant=self.reentrant)
        return made


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_layer_that_runs_again_for_the_backward_pass_has_that_time_there(
    reentrant: bool,
) -> None:
    clock = FakeCpuClock()
    network = nn.Sequential(
        Checkpointed(nn.Sequential(nn.Linear(2, 2), Works(clock, 100, 250)), reentrant),
        Works(clock, 10, 20),
    )
    paths = [path for path in list_paths(network) if path]
    decoded = step(network, paths, clock, make_input(1, 2))
    assert decoded.layers["0.part.1", "forward"] == OwnTime(100, 1, 0)
    assert decoded.layers["1", "backward"] == OwnTime(20, 1, 0)
    backward = {p: own.time for (p, phase), own in decoded.layers.items() if phase == "backward"}
    # Reentrant, its node is made in the backward pass and is part of the one that makes it.
    assert ("0" in backward) == reentrant
    assert backward["0.part.1"] + backward.get("0", 0) == 100 + 250
    assert sum(backward.values()) == decoded.phases["backward"] == 370


class Differentiates(torch.autograd.Function):
    """A backward pass that runs another inside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Module) -> Tensor:
        ctx.save_for_backward(x)
        ctx.layer = layer
        with torch.no_grad():
            made: Tensor = layer(x)
        return made

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            again = x.detach().requires_grad_()
            made = ctx.layer(again)
        return torch.autograd.grad(made, again, gradient)[0], None


class Wraps(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = Differentiates.apply(x, self.layer)  # type: ignore[no-untyped-call]
        return made


def test_a_backward_pass_inside_another_is_the_layers_that_runs_it() -> None:
    clock = FakeCpuClock()
    network = nn.Sequential(Wraps(Works(clock, 100, 250)))
    decoded = step(network, ["0", "0.layer"], clock, make_input())
    assert decoded.layers["0", "backward"] == OwnTime(250, 1, 1)
    assert decoded.layers["0.layer", "backward"] == OwnTime(100, 1, 0)
    assert decoded.phases == {"forward": 100, "backward": 350}


def test_gradients_are_those_of_a_plain_pass() -> None:
    network, x = build_mobilenet(), torch.rand(2, 3, 32, 32)
    network.get_submodule("dropout").eval()
    network(x).sum().backward()
    plain = [
        parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None
    ]
    network.zero_grad(set_to_none=True)
    step(network, list_paths(network), Counter(), x)
    marked = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert len(plain) == len(marked)
    assert all(torch.equal(a, b) for a, b in zip(plain, marked, strict=True))


def count_copies(network: nn.Module, x: Tensor, watch: BackwardInstruments | None) -> int:
    loss = network(x).sum()
    if watch is not None:
        watch.prepare_backward(loss)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        torch.autograd.backward(loss)
    network.zero_grad(set_to_none=True)
    return sum(
        event.count for event in seen.key_averages() if event.key in ("aten::clone", "aten::copy_")
    )


def test_marks_make_autograd_copy_no_gradient() -> None:
    network, x = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
        torch.rand(2, 3, 8, 8),
    )
    watch = BackwardInstruments(Counter(), Structure(network), ["0", "1", "2"])
    with watch.attach():
        marked = count_copies(network, x, watch)
    assert len(watch.marks) == 2 * (3 + 3 + 4)  # calls, nodes, gradients
    assert marked == count_copies(network, x, None)


def test_marks_are_gone_after_the_pass_even_where_the_graph_is_kept() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    watch = BackwardInstruments(Counter(), Structure(network), ["0", "1"])
    x = torch.rand(1, 4)
    with watch.attach():
        loss = network(x).sum()
        watch.prepare_backward(loss)
        loss.backward(retain_graph=True)
    taken = len(watch.marks)
    assert taken == 2 * (2 + 5)
    loss.backward()
    assert len(watch.marks) == taken
    assert "_compiled_call_impl" not in network[0].__dict__


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    "attention": (lambda: Attends(), (2, 5, 8)),
    "recurrent": (
        lambda: nn.Sequential(First(nn.LSTM(4, 8, batch_first=True)), nn.ReLU()),
        (2, 5, 4),
    ),
    "in place": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True)), (1, 3, 4, 4)),
}


class First(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.part(x)[0]
        return made


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.part = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.part(x, x, x)[0]
        return made


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_with_backward_macs_have_a_backward_time(name: str) -> None:
    make, shape = NETWORKS[name]
    network = make().train()
    trace = mp.trace(network, shape, backward=True, mode="train")
    timed = list(choose_timed(Structure(network), trace))
    decoded = step(network, timed, Counter(), torch.rand(shape))
    ran = {op.path for op in trace.ops if op.phase == "backward" and op.macs}
    assert ran
    assert ran <= {path for path, phase in decoded.layers if phase == "backward"}


def test_a_chain_is_one_node_behind_the_other() -> None:
    end, nodes = make_chain("cpu", 5)
    assert end.grad_fn is nodes[0]
    assert [node.next_functions[0][0] for node in nodes[:-1]] == nodes[1:]
    assert len(list(list_nodes(end))) == 5 + 1  # and the gradient of its start
