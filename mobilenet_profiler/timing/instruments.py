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

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.measured.profile import Span
from mobilenet_profiler.rows import list_holders
from mobilenet_profiler.timing.clocks import Clock
from mobilenet_profiler.trace.modules import Structure, choose_path

_CALL = "_compiled_call_impl"  # what nn.Module.__call__ calls where it is set
LEAVE = -1  # the code of a mark that ends the innermost call; others are numbers of sites
RETURN = -2  # the same of a call without marks


@dataclass(frozen=True, slots=True)
class Site:
    """What was called: the paths of a layer, several of a shared one.

    timed: whether marks stand around its calls. A module that only holds a shared layer has
    none: that it is running tells which path of that layer ran.
    """

    paths: tuple[str, ...]
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Marks:
    """What a pass was noted as, for `decode`: see `Watch`."""

    codes: tuple[int | None, ...]
    ends: tuple[str, ...]
    sites: tuple[Site, ...]


class Watch:
    """The marks of one pass, in the order in which they were made.

    codes: a site's number where a call of it starts, LEAVE or RETURN where the innermost
    call ends, None where a phase ends; `ends` has the names of these. Every code has a mark
    but RETURN and those of sites that are not timed.
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

    @contextmanager
    def attach(self) -> Iterator[None]:
        """Mark what there is to mark while the body runs; here nothing."""
        yield

    def keep(self) -> Marks:
        """What was noted, apart from the times."""
        return Marks(tuple(self.codes), tuple(self.ends), tuple(self.sites))

    def clear(self) -> None:
        """Forget a pass before the next one; the lists stay, since marks are put into them."""
        self.marks.clear()
        self.codes.clear()
        self.ends.clear()


class Instruments(Watch):
    """A watch whose marks stand around the calls of layers too.

    structure: the network's modules. paths: of the layers to time.
    """

    def __init__(self, clock: Clock, structure: Structure, paths: Iterable[str]) -> None:
        super().__init__(clock)
        timed = set(paths)
        holders, hidden = find_holders(structure, timed), find_hidden(structure)
        self._modules: list[tuple[nn.Module, int]] = []
        for module, places in structure.modules.values():
            marked = bool(timed.intersection(places))
            if id(module) not in hidden and (marked or holders.intersection(places)):
                self._modules.append((module, len(self.sites)))
                self.sites.append(Site(tuple(places), marked))

    @contextmanager
    def attach(self) -> Iterator[None]:
        """Mark every call of the layers while the body runs; no class changes.

        Each module gets a call of its own where PyTorch keeps that of a compiled module.
        """
        before = [(module.__dict__, module.__dict__.get(_CALL)) for module, _ in self._modules]
        try:
            for module, number in self._modules:
                call = module.__dict__.get(_CALL) or module._call_impl
                make = self.make_call if self.sites[number].timed else self._follow_call
                module.__dict__[_CALL] = make(call, number)
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

    def _follow_call(self, call: Callable[..., Any], number: int) -> Callable[..., Any]:
        """The call with a note of it before and after, and no marks."""
        note = self.codes.append

        def run(*args: Any, **kwargs: Any) -> Any:
            note(number)
            try:
                return call(*args, **kwargs)
            finally:
                note(RETURN)

        return run


def find_holders(structure: Structure, timed: set[str]) -> set[str]:
    """The paths of all modules above a timed layer that has several paths."""
    shared = [
        place
        for _, places in structure.modules.values()
        if len(places) > 1 and timed.intersection(places)
        for place in places
    ]
    return {holder for path in shared for holder in list_holders(path)[1:] if holder} - timed


def find_hidden(structure: Structure) -> set[int]:
    """The modules inside compiled ones, by id: what runs is not their own calls."""
    return {
        id(inner)
        for module, _ in structure.modules.values()
        if is_compiled(module)
        for inner in module.modules()
        if inner is not module
    }


def is_compiled(module: nn.Module) -> bool:
    """Whether it is compiled by itself: by `module.compile()` or `torch.compile(module)`."""
    return module.__dict__.get(_CALL) is not None or "_orig_mod" in module._modules


@dataclass
class _Open:
    """A call that has not ended yet; without a start where it has no marks."""

    path: str
    start: int | None
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


def decode(watch: Watch | Marks, marked: Sequence[int]) -> Decoded:
    """What the marks of a pass say. marked: their times, nanoseconds since the first.

    A layer's own time is that between its marks without what timed layers inside it took
    between theirs. It belongs to the phase in which it ran: of a layer that runs again for
    the backward pass, to that. The spans are every phase (path '', depth 0) and every call.
    """
    decoded, stack, calls = Decoded(), list[_Open](), dict[str, int]()
    times, ends, skipped = iter(marked), iter(watch.ends), 0
    phase, since = next(ends, ""), next(times, 0)
    for code in watch.codes[1:]:
        if code is None:
            time = next(times)
            skipped += _end_phase(decoded, phase, since, time, skipped)
            phase, since = next(ends, ""), time
        elif code == LEAVE:
            _close(decoded, stack, phase, next(times), skipped)
        elif code == RETURN:
            stack.pop()
        else:
            site = watch.sites[code]
            path = enter_path(site, stack[-1].path if stack else "", calls)
            stack.append(_Open(path, next(times) if site.timed else None))
    return decoded


def enter_path(site: Site, current: str, calls: dict[str, int]) -> str:
    """The path of a call below the running module; it is counted among the calls."""
    path = choose_path(site.paths, current, calls)
    calls[path] = calls.get(path, 0) + 1
    return path


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
    assert call.start is not None
    whole = time - call.start
    around = [held for held in stack if held.start is not None]
    if around:
        around[-1].inside += whole
        around[-1].inner += 1
    if not phase:
        return
    own = decoded.layers.setdefault((call.path, phase), OwnTime())
    own.time += whole - call.inside
    own.calls += 1
    own.inner += call.inner
    start = call.start - skipped
    decoded.spans.append(Span(call.path, phase, start, whole, len(around) + 1))


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


def choose_timed(structure: Structure, trace: Trace) -> dict[str, str]:
    """The layers to time, by path: modules with work of their own, and compiled ones.

    A module that only calls others, or takes views between their calls, is no layer; its
    time lies between layers. Where the trace charges all of a module's work to the owners
    of its weights, or those run compiled, it has no row there: then it is said what it is.
    """
    rows = {layer.path for layer in trace.layers}
    worked = {
        operation.path
        for operation in trace.ops
        if operation.macs or operation.bytes_written or operation.status == "unknown"
    }
    hidden = find_hidden(structure)
    timed: dict[str, str] = {}
    for module, places in structure.modules.values():
        compiled = is_compiled(module)
        if id(module) in hidden:
            continue
        for path in places:
            if compiled or path in worked or (not has_children(module) and path in rows):
                timed[path] = "" if path in rows else "compiled" if compiled else "functional"
    return timed


def has_children(module: nn.Module) -> bool:
    """Whether a module holds others."""
    return any(child is not None for child in module._modules.values())
