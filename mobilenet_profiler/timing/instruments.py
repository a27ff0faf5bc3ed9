"""Marks around layers: attached for one pass, decoded after it.

A layer's call gets two marks and two list entries; no module is told, no hook is set and
nothing is computed while the pass runs. What the marks mean is worked out afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from mobilenet_profiler.cost import OpCost
from mobilenet_profiler.measured.profile import Span
from mobilenet_profiler.timing.clocks import Clock
from mobilenet_profiler.trace.modules import Structure, choose_path

_CALL = "_compiled_call_impl"  # what nn.Module.__call__ calls where it is set
LEAVE = -1  # the code of a mark that ends the innermost call; others are numbers of sites


@dataclass(frozen=True, slots=True)
class Site:
    """Where a mark was made: the paths of a layer, several of a shared one."""

    paths: tuple[str, ...]


class Watch:
    """The marks of one pass, in the order in which they were made.

    codes: a site's number where a call of it starts, LEAVE where the innermost call ends,
    None where a phase ends; `ends` has the names of these.
    """

    def __init__(self, clock: Clock) -> None:
        self.mark = clock.mark
        self.marks: list[Any] = []
        self.codes: list[int | None] = []
        self.ends: list[str] = []
        self.sites: list[Site] = []

    def start(self) -> None:
        """The beginning of the first phase."""
        self.codes.append(None)
        self.marks.append(self.mark())

    def end(self, phase: str) -> None:
        """The end of a phase; the next one begins. '' is time that belongs to none."""
        self.ends.append(phase)
        self.codes.append(None)
        self.marks.append(self.mark())

    def prepare_backward(self, loss: Any) -> None:
        """A chance to attach marks to a graph before its backward pass; here nothing."""


class Instruments(Watch):
    """A watch whose marks stand around the calls of layers too.

    structure: the network's modules. paths: of the layers to time.
    """

    def __init__(self, clock: Clock, structure: Structure, paths: Iterable[str]) -> None:
        super().__init__(clock)
        timed = set(paths)
        self._modules: list[tuple[nn.Module, int]] = []
        for module, places in structure.modules.values():
            if timed.intersection(places):
                self._modules.append((module, len(self.sites)))
                self.sites.append(Site(tuple(places)))

    @contextmanager
    def attach(self) -> Iterator[None]:
        """Mark every call of the layers while the body runs; no class changes.

        Each module gets a call of its own where PyTorch keeps that of a compiled module.
        """
        before = [(module.__dict__, module.__dict__.get(_CALL)) for module, _ in self._modules]
        try:
            for module, number in self._modules:
                call = module.__dict__.get(_CALL) or module._call_impl
                module.__dict__[_CALL] = self.make_call(call, number)
            yield
        finally:
            for attributes, call in before:
                if call is None:
                    attributes.pop(_CALL, None)
                else:
                    attributes[_CALL] = call

    def make_call(self, call: Callable[..., Any], number: int) -> Callable[..., Any]:
        """The call with a mark before and a mark after it."""
        note, put, mark = self.codes.append, self.marks.append, self.mark

        def run(*args: Any, **kwargs: Any) -> Any:
            note(number)
            put(mark())
            try:
                return call(*args, **kwargs)
            finally:
                put(mark())
                note(LEAVE)

        return run


@dataclass
class _Open:
    """A call that has not ended yet."""

    path: str
    start: int
    inside: int = 0
    inner: int = 0


@dataclass
class OwnTime:
    """A layer's own time in one phase of one pass, nanoseconds; see `LayerSamples`."""

    time: int = 0
    calls: int = 0
    inner: int = 0


@dataclass
class Decoded:
    """A pass, decoded: phases in order, own times by path and phase, spans."""

    phases: dict[str, int] = field(default_factory=dict)
    layers: dict[tuple[str, str], OwnTime] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)


def decode(watch: Watch, times: Sequence[int]) -> Decoded:
    """What the marks of a pass say. times: of each mark, nanoseconds since the first.

    A layer's own time is that between its marks without what timed layers inside it took
    between theirs. It belongs to the phase in which it ran: of a layer that runs again for
    the backward pass, to that. The spans are every phase (path '', depth 0) and every call.
    """
    decoded, stack, calls = Decoded(), list[_Open](), dict[str, int]()
    ends, since, skipped = iter(watch.ends), times[0] if times else 0, 0
    phase = next(ends, "")
    for code, time in zip(watch.codes[1:], times[1:], strict=True):
        if code is None:
            skipped += _end_phase(decoded, phase, since, time, skipped)
            phase, since = next(ends, ""), time
        elif code == LEAVE:
            _close(decoded, stack, phase, time, skipped)
        else:
            site = watch.sites[code]
            path = choose_path(site.paths, stack[-1].path if stack else "", calls)
            calls[path] = calls.get(path, 0) + 1
            stack.append(_Open(path, time))
    return decoded


def _end_phase(decoded: Decoded, phase: str, since: int, time: int, skipped: int) -> int:
    """The end of a phase; the time to leave out where it belongs to none."""
    if not phase:
        return time - since
    decoded.phases[phase] = decoded.phases.get(phase, 0) + time - since
    decoded.spans.append(Span("", phase, since - skipped, time - since))
    return 0


def _close(decoded: Decoded, stack: list[_Open], phase: str, time: int, skipped: int) -> None:
    """The end of the innermost call; it is left out where its time belongs to no phase."""
    call = stack.pop()
    whole = time - call.start
    if stack:
        stack[-1].inside += whole
        stack[-1].inner += 1
    if not phase:
        return
    own = decoded.layers.setdefault((call.path, phase), OwnTime())
    own.time += whole - call.inside
    own.calls += 1
    own.inner += call.inner
    start = call.start - skipped
    decoded.spans.append(Span(call.path, phase, start, whole, len(stack) + 1))


def measure_empty(
    clock: Clock, calls: int = 32, kind: type[Instruments] = Instruments
) -> tuple[float, float]:
    """What the instruments add to a call: inside the layer and outside it, nanoseconds.

    A module that does nothing is called plainly and with marks. What lies between the marks
    beyond a plain call goes to the layer, the rest to what holds it. Inside may be below 0:
    a plain call begins before the first mark could. kind: of instruments.
    """
    module = nn.Identity()
    watch = kind(clock, Structure(module), [""])
    watch.start()
    watch.end("mark")
    for _ in range(calls):
        module(None)
    watch.end("plain")
    with watch.attach():
        watch.end("")
        for _ in range(calls):
            module(None)
        watch.end("marked")
    clock.wait()
    decoded = decode(watch, clock.read(watch.marks))
    plain, marked = (
        (decoded.phases[phase] - decoded.phases["mark"]) / calls for phase in ("plain", "marked")
    )
    between = decoded.layers["", "marked"].time / calls
    return between - plain, marked - between


def choose_timed(structure: Structure, operations: Iterable[OpCost]) -> list[str]:
    """The layers to time: modules that hold no others, and those with work of their own.

    A module that only calls others, or takes views between their calls, is no layer; its
    time lies between layers. In the order of the network's modules.
    """
    moved = {
        operation.path
        for operation in operations
        if operation.macs or operation.bytes_written or operation.status == "unknown"
    }
    return [
        path
        for path, module in structure.placed.items()
        if path in moved or not any(child is not None for child in module._modules.values())
    ]
