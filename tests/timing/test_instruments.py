"""Marks around layers: exact own times, and a network that is given back as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.measured.profile import Span
from mobilenet_profiler.timing.instruments import (
    RETURN,
    Instruments,
    OwnTime,
    choose_timed,
    decode,
    find_hidden,
    find_holders,
    measure_empty,
)
from mobilenet_profiler.trace.modules import Structure
from tests.timing.fakes import FakeCpuClock, FakeCudaClock


class Work(nn.Module):
    """Takes so long by itself, then runs its children one after another."""

    def __init__(self, clock: Any, duration: int, *children: nn.Module) -> None:
        super().__init__()
        self.clock, self.duration = clock, duration
        for index, child in enumerate(children):
            self.add_module(str(index), child)

    def forward(self, x: Any) -> Any:
        self.clock.run(self.duration)
        for child in self.children():
            x = child(x)
        return x


def run(network: nn.Module, clock: Any, paths: list[str]) -> Any:
    watch = Instruments(clock, Structure(network), paths)
    with watch.attach():
        watch.start()
        network(None)
        watch.end("forward")
    clock.wait()
    return decode(watch, clock.read(watch.marks))


def test_a_layer_has_its_own_time_without_that_of_layers_inside() -> None:
    clock = FakeCpuClock()
    network = Work(clock, 5, Work(clock, 100), Work(clock, 30, Work(clock, 7), Work(clock, 11)))
    decoded = run(network, clock, ["0", "1", "1.0", "1.1"])
    assert decoded.layers == {
        ("0", "forward"): OwnTime(100, 1, 0),
        ("1.0", "forward"): OwnTime(7, 1, 0),
        ("1.1", "forward"): OwnTime(11, 1, 0),
        ("1", "forward"): OwnTime(30, 1, 2),
    }
    assert decoded.phases == {"forward": 5 + 100 + 30 + 7 + 11}


def test_spans_are_every_call_with_its_depth() -> None:
    clock = FakeCpuClock()
    network = Work(clock, 5, Work(clock, 30, Work(clock, 7)))
    assert run(network, clock, ["0", "0.0"]).spans == [
        Span("0.0", "forward", 35, 7, 2),
        Span("0", "forward", 5, 37, 1),
        Span("", "forward", 0, 42, 0),
    ]


def test_a_module_that_is_not_timed_lies_between_layers() -> None:
    clock = FakeCpuClock()
    network = Work(clock, 0, Work(clock, 50, Work(clock, 7)))
    decoded = run(network, clock, ["0.0"])
    assert decoded.layers == {("0.0", "forward"): OwnTime(7, 1, 0)}
    assert decoded.phases["forward"] == 57


def test_a_shared_module_is_timed_at_the_path_where_it_ran() -> None:
    clock = FakeCpuClock()
    shared = Work(clock, 10)
    network = Work(clock, 0, Work(clock, 1, shared), Work(clock, 2, shared))
    decoded = run(network, clock, ["0", "0.0", "1", "1.0"])
    assert decoded.layers["0.0", "forward"] == OwnTime(10, 1, 0)
    assert decoded.layers["1.0", "forward"] == OwnTime(10, 1, 0)


class Takes(nn.Module):
    """Takes as long as it is told to."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock

    def forward(self, duration: int) -> None:
        self.clock.run(duration)


class Shares(nn.Module):
    """Runs one module below two others, the second of these first."""

    def __init__(self, shared: nn.Module) -> None:
        super().__init__()
        self.small, self.big = nn.Sequential(shared), nn.Sequential(nn.Sequential(shared))

    def forward(self, x: Any) -> None:
        self.big(1_000)
        self.small(1)


def test_a_shared_layer_is_timed_where_it_ran_below_modules_without_marks() -> None:
    clock = FakeCpuClock()
    network = Shares(Takes(clock))
    watch = Instruments(clock, Structure(network), ["small.0", "big.0.0"])
    with watch.attach():
        watch.start()
        network(None)
        watch.end("forward")
    decoded = decode(watch, clock.read(watch.marks))
    assert decoded.layers == {
        ("big.0.0", "forward"): OwnTime(1_000, 1, 0),
        ("small.0", "forward"): OwnTime(1, 1, 0),
    }
    assert {span.depth for span in decoded.spans if span.path} == {1}
    assert watch.codes.count(RETURN) == 3
    assert len(watch.marks) == 2 + 2 * 2  # none of the three that only hold it


def test_a_layer_keeps_its_own_time_where_a_module_without_marks_lies_between() -> None:
    clock = FakeCpuClock()
    shared = Work(clock, 10)
    network = Work(clock, 0, Work(clock, 7, nn.Sequential(shared)), nn.Sequential(shared))
    decoded = run(network, clock, ["0", "0.0.0", "1.0"])
    assert decoded.layers["0", "forward"] == OwnTime(7, 1, 1)
    assert decoded.layers["0.0.0", "forward"] == decoded.layers["1.0", "forward"]


def test_holders_are_all_modules_above_a_timed_layer_that_has_several_paths() -> None:
    structure = Structure(Shares(nn.ReLU()))
    assert find_holders(structure, {"small.0", "big.0.0"}) == {"small", "big", "big.0"}
    assert find_holders(structure, {"small.0", "big.0.0", "big"}) == {"small", "big.0"}
    assert find_holders(structure, {"big"}) == set()
    alone = Structure(nn.Sequential(nn.Sequential(nn.ReLU())))
    assert find_holders(alone, {"0.0"}) == set()


def make_compiled(how: str) -> nn.Module:
    part: nn.Module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU()))
    if how == "in place":
        part._compiled_call_impl = part._call_impl
        return part
    whole = nn.Module()
    whole._orig_mod = part
    return whole


@pytest.mark.parametrize("how", ["in place", "wrapped"])
def test_what_a_compiled_module_holds_is_hidden(how: str) -> None:
    part, layer = make_compiled(how), nn.ReLU()
    network = nn.Sequential(part, layer)
    inside = [module for module in part.modules() if module is not part]
    assert find_hidden(Structure(network)) == {id(module) for module in inside}
    watch = Instruments(FakeCpuClock(), Structure(network), ["0", "0.0", "0.1.0", "1"])
    assert [site.paths for site in watch.sites] == [("0",), ("1",)]
    assert find_hidden(Structure(nn.Sequential(layer))) == set()


def test_calls_of_one_layer_add_up() -> None:
    clock = FakeCpuClock()
    layer = Work(clock, 10)
    network = nn.Sequential(layer, layer, layer)
    decoded = run(network, clock, ["0"])
    assert sum(own.time for own in decoded.layers.values()) == 30
    assert sum(own.calls for own in decoded.layers.values()) == 3


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.integers(0, 90), st.data())
def test_the_instruments_cost_is_known_to_the_nanosecond(
    durations: list[int], before: int, data: st.DataObject
) -> None:
    clock = FakeCpuClock(before=before, after=data.draw(st.integers(0, 90)))
    mark = clock.before + clock.after
    network = Work(clock, 3, *(Work(clock, duration) for duration in durations))
    paths = [str(index) for index in range(len(durations))]
    inside, outside = measure_empty(clock)
    assert (inside, outside) == (mark, mark)
    decoded = run(network, clock, paths)
    own = [decoded.layers[path, "forward"].time - inside for path in paths]
    assert own == durations
    whole = decoded.phases["forward"] - mark - len(durations) * (inside + outside)
    assert whole == 3 + sum(durations)


def test_on_a_gpu_layers_are_timed_by_the_device_and_nothing_waits_inside_a_pass() -> None:
    clock = FakeCudaClock(launch_cost=5, synchronise_cost=1_000_000)
    network = Work(clock, 100, Work(clock, 200), Work(clock, 300))
    decoded = run(network, clock, ["0", "1"])
    assert clock.waits == 1
    assert decoded.layers["0", "forward"].time == 200
    assert decoded.layers["1", "forward"].time == 300


def test_a_gpu_that_waits_for_its_launches_shows_in_the_layer_that_launches() -> None:
    clock = FakeCudaClock(launch_cost=5_000)
    network = Work(clock, 1, Work(clock, 1), Work(clock, 1))
    assert run(network, clock, ["0", "1"]).layers["1", "forward"].time == 5_000


class Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("no")


@pytest.mark.parametrize("ending", [nn.ReLU, Fails])
def test_modules_are_given_back(ending: Callable[[], nn.Module]) -> None:
    network = nn.Sequential(nn.Linear(2, 2), ending())
    before = [dict(module.__dict__) for module in network.modules()]
    watch = Instruments(FakeCpuClock(), Structure(network), ["0", "1"])
    try:
        with watch.attach():
            network(torch.zeros(1, 2))
    except ValueError:
        pass
    assert [dict(module.__dict__) for module in network.modules()] == before
    assert watch.codes == [0, -1, 1, -1]


def test_a_module_with_a_call_of_its_own_keeps_it_and_is_timed() -> None:
    layer = nn.Linear(2, 2)
    called = []

    def call(x: Tensor) -> Tensor:
        called.append(1)
        return x

    layer._compiled_call_impl = call
    network = nn.Sequential(layer)
    with Instruments(FakeCpuClock(), Structure(network), ["0"]).attach():
        network(torch.zeros(1, 2))
    assert called == [1]
    assert layer._compiled_call_impl is call


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y


class Views(Residual):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y.flatten(1).t()


def test_timed_are_leaves_and_modules_that_work_between_their_calls() -> None:
    network = nn.Sequential(Residual(), Views())
    trace = mp.trace(network, (1, 4, 5, 5))
    timed = choose_timed(Structure(network), trace)
    assert list(timed) == ["0", "0.body.0", "0.body.1", "1.body.0", "1.body.1"]
    assert set(timed.values()) == {""}
