"""Marks in a backward pass: around the nodes of autograd's graph, each at its layer.

Autograd numbers its nodes in the order in which a forward pass makes them, so a layer's
nodes are those between the numbers at the start and at the end of its calls. A node that
adds to a parameter's gradient has no number of its own; it belongs to whoever owns that
parameter. PyTorch runs a node's pre-hooks right before it and its hooks right after it
(`call_function` in torch/csrc/autograd/engine.cpp), whichever thread that is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from mobilenet_profiler.timing.clocks import Clock
from mobilenet_profiler.timing.instruments import (
    LEAVE,
    RETURN,
    Instruments,
    Site,
    decode,
    enter_path,
)
from mobilenet_profiler.trace.modules import Structure

_ACCUMULATES = "torch::autograd::AccumulateGrad"
_next_number: Callable[[], int] = torch._C._autograd._get_sequence_nr


class BackwardInstruments(Instruments):
    """Instruments that mark the nodes of the backward pass too.

    A node of no timed layer gets no marks: its time lies between layers. That of a graph
    that only a backward pass makes (a checkpoint's) is part of the node that makes it, but
    for layers that are called for it again.
    """

    def __init__(self, clock: Clock, structure: Structure, paths: Iterable[str]) -> None:
        timed = list(paths)
        super().__init__(clock, structure, timed)
        self._owners = find_owners(structure, timed)
        self._numbers: list[int] = []  # autograd's next one at each mark of a layer
        self._handles: list[Any] = []
        self._fixed = len(self.sites)  # those of nodes come after them, in each pass anew

    @contextmanager
    def attach(self) -> Iterator[None]:
        """Mark every call of the layers, and what `prepare_backward` is given."""
        try:
            with super().attach():
                yield
        finally:
            self._let_go()

    def clear(self) -> None:
        """Forget a pass and the nodes of its graph."""
        super().clear()
        self._numbers.clear()
        self._let_go()
        del self.sites[self._fixed :]

    def _let_go(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def make_call(self, call: Callable[..., Any], number: int) -> Callable[..., Any]:
        """The call with a mark before and after it, and autograd's next number at both."""
        note, put, mark = self.codes.append, self.marks.append, self.mark
        count, next_number = self._numbers.append, _next_number

        def run(*args: Any, **kwargs: Any) -> Any:
            note(number)
            count(next_number())
            put(mark())
            try:
                return call(*args, **kwargs)
            finally:
                put(mark())
                count(next_number())
                note(LEAVE)

        return run

    def prepare_backward(self, loss: Tensor) -> None:
        """Attach marks to every node of a loss's graph that belongs to a timed layer."""
        starts, paths = self._follow_calls()
        hooks: dict[str, Callable[[Any], None]] = {}
        for node in list_nodes(loss):
            path = self._find_path(node, starts, paths)
            if path is not None:
                if path not in hooks:
                    hooks[path] = self.make_enter(path)
                self.mark_node(node, hooks[path])

    def mark_node(self, node: Node, enter: Callable[[Any], None]) -> None:
        """A mark before a node and one after it."""
        self._handles += [node.register_prehook(enter), node.register_hook(self._leave)]

    def make_enter(self, path: str) -> Callable[[Any], None]:
        """A pre-hook that marks the start of a node of a layer."""
        note, put, mark, number = self.codes.append, self.marks.append, self.mark, len(self.sites)
        self.sites.append(Site((path,)))

        def enter(gradients: Any) -> None:
            note(number)
            put(mark())

        return enter

    def _leave(self, inside: Any, outside: Any) -> None:
        self.marks.append(self.mark())
        self.codes.append(LEAVE)

    def _follow_calls(self) -> tuple[list[int], list[str | None]]:
        """From which number of a node on which layer ran, None for none."""
        stack, calls, paths = list[tuple[str, bool]](), dict[str, int](), list[str | None]()
        for code in self.codes:
            if code is None:
                continue
            site = None if code in (LEAVE, RETURN) else self.sites[code]
            if site is None:
                stack.pop()
            else:
                current = stack[-1][0] if stack else ""
                stack.append((enter_path(site, current, calls), site.timed))
            if code == LEAVE or (site is not None and site.timed):
                paths.append(next((path for path, timed in reversed(stack) if timed), None))
        return self._numbers, paths

    def _find_path(self, node: Node, starts: list[int], paths: list[str | None]) -> str | None:
        """The timed layer that made a node, or owns the parameter whose gradient it adds to."""
        if node.name() == _ACCUMULATES:
            return self._owners.get(id(getattr(node, "variable", None)))
        place = bisect_right(starts, node._sequence_nr()) - 1
        return paths[place] if place >= 0 else None


def list_nodes(loss: Tensor) -> Iterator[Node]:
    """Every node of the graph behind a loss, each once."""
    waiting, seen = [loss.grad_fn], set[Node]()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)  # which keeps it: a node's Python object is made anew once it is gone
            waiting += [behind for behind, _ in node.next_functions]
            yield node


def find_owners(structure: Structure, paths: Iterable[str]) -> dict[int, str]:
    """By a parameter's id, the timed layer that owns it or, where that is not timed, holds it."""
    timed, owners = set(paths), dict[int, str]()
    for module, places in structure.modules.values():
        chosen = find_holder(places[0], timed)
        for parameter in module._parameters.values():
            if parameter is not None and chosen is not None:
                owners.setdefault(id(parameter), chosen)
    return owners


def find_holder(path: str, timed: set[str]) -> str | None:
    """The path itself or the nearest one above it that is timed."""
    while path not in timed:
        if not path:
            return None
        path = path.rpartition(".")[0]
    return path


def measure_empty_node(
    clock: Clock, device: torch.device | str = "cpu", calls: int = 32
) -> tuple[float, float]:
    """What the marks add to a node: inside the layer and outside it, nanoseconds.

    One backward pass through a chain of nodes that only hand a gradient on: so many without
    marks, one alone, so many with marks. Pre-hooks of single nodes part them; what such a
    hook and its node cost is the time of the one alone, and goes off both others.
    """
    watch = BackwardInstruments(clock, Structure(nn.Identity()), [""])
    end, nodes = make_chain(device, 2 * calls + 4)
    nodes[0].register_prehook(lambda gradients: watch.start())
    nodes[calls + 1].register_prehook(lambda gradients: watch.end("plain"))
    nodes[calls + 2].register_prehook(lambda gradients: watch.end("alone"))
    enter = watch.make_enter("")
    for node in nodes[calls + 3 : -1]:
        watch.mark_node(node, enter)
    nodes[-1].register_prehook(lambda gradients: watch.end("marked"))
    torch.autograd.backward(end, torch.ones_like(end))
    clock.wait()
    decoded = decode(watch, clock.read(watch.marks))
    plain, marked = (
        (decoded.phases[phase] - decoded.phases["alone"]) / calls for phase in ("plain", "marked")
    )
    between = decoded.layers["", "marked"].time / calls
    return between - plain, marked - between


def make_chain(device: torch.device | str, length: int) -> tuple[Tensor, list[Node]]:
    """The end of a chain of nodes, and these in the order of the backward pass."""
    end, nodes = torch.ones(1, device=device, requires_grad=True), list[Node]()
    with torch.enable_grad():
        for _ in range(length):
            end = torch.ops.aten.alias(end)
            assert end.grad_fn is not None
            nodes.append(end.grad_fn)
    return end, nodes[::-1]
