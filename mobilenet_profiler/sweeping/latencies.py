"""Cells timed in turns in one process, whole passes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from mobilenet_profiler.grid.blocks import make_blocks
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.measured.contention import list_contention_warnings
from mobilenet_profiler.sweeping.exact import describe_error
from mobilenet_profiler.timing.capacity import measure_free
from mobilenet_profiler.timing.clocks import Clock, make_clock
from mobilenet_profiler.timing.contention import ContentionMeter
from mobilenet_profiler.timing.environment import describe_environment
from mobilenet_profiler.timing.instruments import Instruments, Watch
from mobilenet_profiler.timing.measuring import (
    CLEAN,
    PATIENCE,
    OnProgress,
    Recording,
    StopRule,
    Subject,
    take_rounds,
    warm_all,
)
from mobilenet_profiler.timing.preparing import Prepared, build_network, find_batch, prepare
from mobilenet_profiler.timing.profiler import prepare_machine
from mobilenet_profiler.timing.request import Request
from mobilenet_profiler.timing.retry import free_memory
from mobilenet_profiler.trace.inputs import make_inputs
from mobilenet_profiler.trace.sources import make_importable

_RULES = ("iterations", "min_time", "precision")
_ROOM = 0.5  # of the free memory that cells timed together may take
_EACH = 2.0  # seconds a cell after which a precision that does not come is given up


@dataclass(frozen=True)
class CellTimes:
    """What was measured of one cell: nanoseconds of every clean pass, or why there are none."""

    samples: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class BlockTimes:
    """What was measured of cells in turns. cells: in the order given."""

    cells: tuple[CellTimes, ...]
    environment: Mapping[str, Any] = field(default_factory=dict)


Timed = tuple[CellResult, CellTimes, Mapping[str, Any]]  # the last: where it was timed


class WholePasses:
    """A network of which only clean passes are taken, without instruments."""

    kinds: tuple[str, ...] = (CLEAN,)

    def __init__(self, subject: Subject) -> None:
        self.subject, self.name = subject, subject.name

    def run(self, kind: str, watch: Watch) -> None:
        """One pass."""
        self.subject.run(kind, watch)

    def reset(self) -> None:
        """Make all ready for the next pass."""
        self.subject.reset()

    def make_instruments(self, clock: Clock) -> Instruments:
        """The network's own."""
        return self.subject.make_instruments(clock)

    def measure_empty(self, clock: Clock) -> Mapping[str, float]:
        """Nothing: there are no instruments whose cost could be of interest."""
        return {}


def time_results(
    results: Sequence[CellResult],
    settings: Mapping[str, Any],
    how: Mapping[str, Any],
    on_progress: OnProgress | None = None,
) -> Iterator[Timed]:
    """The times of counted cells, in blocks that this machine has room for; see `time_block`."""
    tell = on_progress or (lambda done, text: None)
    free = measure_free(make_request(how).place)
    room = None if free is None else int(_ROOM * free)
    blocks = make_blocks(results, room, find_item_size(how))
    for index, block in enumerate(blocks):
        own = scale_progress(tell, index / len(blocks), (index + 1) / len(blocks))
        times = time_block([result.cell for result in block], settings, how, own)
        for result, cell in zip(block, times.cells, strict=True):
            yield result, cell, times.environment


def find_item_size(how: Mapping[str, Any]) -> int:
    """Bytes of a number in the networks that are timed; those of float32 where nothing is asked."""
    return 2 if how.get("dtype") in ("float16", "bfloat16") else 4


def scale_progress(tell: OnProgress, first: float, last: float) -> OnProgress:
    """Progress of a part, told as that of the whole."""
    return lambda done, text: tell(first + (last - first) * done, text)


def make_request(
    how: Mapping[str, Any], cells: int = 1, on_progress: OnProgress | None = None
) -> Request:
    """How cells are measured: `how` is device, dtype, threads, …, a rule. Raises UsageError.

    Cells in turns have more time for a precision than one network alone.
    """
    given = dict(how)
    named = {name: given.pop(name, None) for name in _RULES}
    rule = StopRule(**named, patience=max(PATIENCE, _EACH * cells))
    return Request(rule=rule, on_progress=on_progress, **given)


def time_block(
    cells: Sequence[Cell],
    settings: Mapping[str, Any],
    how: Mapping[str, Any],
    on_progress: OnProgress | None = None,
) -> BlockTimes:
    """The times of cells, measured in turns so that drift favours none.

    settings: as `read_spec` takes them. how: as `make_request` takes it. One that does not
    run, or has no room, is told in its place. Raises UsageError for a device that is not there.
    """
    request = make_request(how, len(cells), on_progress)
    with prepare_machine(request):
        try:
            times = _time_cells(cells, settings, request)
        finally:
            free_memory()
        return BlockTimes(tuple(times), describe_environment(request.device))


def _time_cells(
    cells: Sequence[Cell], settings: Mapping[str, Any], request: Request
) -> list[CellTimes]:
    modules: dict[str, nn.Module] = {}
    with ExitStack() as stack:
        ready = [_prepare(cell, settings, request, modules, stack) for cell in cells]
        runnable = [item for item in ready if isinstance(item, Prepared)]
        measured = iter(_measure(runnable, request))
        return [item if isinstance(item, CellTimes) else next(measured) for item in ready]


def _prepare(
    cell: Cell,
    settings: Mapping[str, Any],
    request: Request,
    modules: dict[str, nn.Module],
    stack: ExitStack,
) -> Prepared | CellTimes:
    """A cell's network, ready to run and run once; or why it does not."""
    try:
        spec = cell.make_spec(settings)
        stack.enter_context(make_importable(spec.source))
        module = build_network(spec, request, modules, stack)
        inputs = make_inputs(module, spec, None, None)
        ready = prepare(module, spec, inputs, request)
    except (Exception, SystemExit) as error:
        return CellTimes(error=f"not timed: {describe_error(error)}")
    batch = find_batch(inputs)
    if ready.setup.batch != batch:  # times of fewer images would be those of another cell
        return CellTimes(error=f"not timed: out of memory at batch {batch}")
    return ready


def _measure(ready: Sequence[Prepared], request: Request) -> list[CellTimes]:
    """All in turns; where one fails that ran at first, each by itself, to tell which."""
    if not ready:
        return []
    try:
        return measure_in_turns(
            [item.subject for item in ready],
            make_clock(request.device),
            request,
            [item.notes for item in ready],
        )
    except (Exception, SystemExit) as error:
        if len(ready) == 1:
            return [CellTimes(error=f"not timed: {describe_error(error)}")]
    return [times for item in ready for times in _measure([item], request)]


def measure_in_turns(
    subjects: Sequence[Subject],
    clock: Clock,
    request: Request,
    notes: Sequence[tuple[str, ...]] = (),
    make_meter: Callable[[], ContentionMeter] = ContentionMeter,
) -> list[CellTimes]:
    """Clean passes of each subject, in rounds over all of them.

    clock: takes the times. notes: of each subject, what is known of it already.
    make_meter: counts what else the machine does meanwhile.
    """
    whole = [WholePasses(subject) for subject in subjects]
    told = request.on_progress
    recordings = warm_all(whole, clock, request.rule, request.warmup, told)
    with make_meter() as meter:
        take_rounds(whole, recordings, clock, request.rule, told)
    passes = sum(len(recording.passes[CLEAN]) for recording in recordings)
    threads = torch.get_num_threads() if request.device == "cpu" else 0
    warnings = tuple(list_contention_warnings(meter.contention, passes, threads))
    own = notes or [()] * len(recordings)
    return [
        _gather(recording, (*known, *warnings))
        for recording, known in zip(recordings, own, strict=True)
    ]


def _gather(recording: Recording, notes: tuple[str, ...]) -> CellTimes:
    settled = () if recording.settled else ("it still got faster when its warm-up ended",)
    return CellTimes(tuple(taken.wall for taken in recording.passes[CLEAN]), (*notes, *settled))
