"""`sweep`: a grid of networks in, what is known of each of its cells out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.accuracies import join_accuracies
from mobilenet_profiler.grid.axes import UNSWEPT, Axis, make_axis
from mobilenet_profiler.grid.blocks import name_machine
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.conditions import allows_cell, allows_result
from mobilenet_profiler.grid.nodes import choose_device
from mobilenet_profiler.grid.order import Order, make_order
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.grid.saved import make_sweep
from mobilenet_profiler.measured.statistics import estimate_median
from mobilenet_profiler.spec import ModelSpec
from mobilenet_profiler.sweeping.exact import Counter
from mobilenet_profiler.sweeping.journal import Journal, check_save, open_journal
from mobilenet_profiler.sweeping.latencies import (
    CellTimes,
    Timed,
    make_request,
    scale_progress,
    time_results,
)
from mobilenet_profiler.sweeping.pool import Lost, map_in_processes
from mobilenet_profiler.timing.measuring import OnProgress, check_whole
from mobilenet_profiler.trace.registered import count_registered
from mobilenet_profiler.trace.sources import load_source, make_importable

MOST_JOBS = 256
_COUNTED = ("macs", "params", "weights", "activations", "memory")
_COUNTING = 0.1  # of the time that a sweep with latencies takes

Counted = Generator[CellResult | Lost, None, None]
Count = Callable[[Counter, Sequence[Cell]], Counted]
Time = Callable[[Order, Sequence[CellResult], OnProgress], Iterator[Timed]]


def sweep(
    models: str | Path | Sequence[str] = "mobilenet_v1",
    *,
    axes: Mapping[str, Iterable[Any]] | Sequence[Axis] | None = None,
    where: str | Sequence[str] = (),
    latency: bool = False,
    memory: bool = False,
    accuracy: str | Path | None = None,
    source: str | None = None,
    convention: str = DEFAULT,
    device: str | None = None,
    dtype: str | None = None,
    threads: int | None = None,
    channels_last: bool = False,
    compile: bool = False,
    iterations: int | None = None,
    min_time: float | None = None,
    precision: float | None = None,
    jobs: int = 1,
    ray: str | None = None,
    on: str | Sequence[str] = (),
    save: str | Path | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> Sweep:
    """What every network of a grid costs: `sweep(alpha=[1, 0.5], resolution=[224, 128])`.

    models: one or several, each a text as `compare` takes it, 'resnet50' or 'net.py:Net'.
    settings: as `make_spec` takes them; a list, tuple or range is an axis of the grid, any
    other value is that of every cell. axes: more axes, by name, for values that are lists
    themselves. MobileNet V1 without any has the alphas and resolutions of its paper.
    where: conditions such as 'alpha >= 0.5 and macs < 300M'; what does not meet all is left out.
    memory: predict the peak of activations too. latency: time a pass of each network too, on
    `device`, in turns; dtype … precision: as `profile` takes them. accuracy: a CSV file of
    your own accuracies; source: of the published ones. convention: of the costs.
    jobs: processes that count; what is timed is timed alone. ray: the address of a cluster that
    counts instead; on: the kinds of its nodes that time each cell.
    save: a file (.jsonl) that grows by a line a cell; resume: go on with it.
    on_progress: called with the part that is done and what goes on.

    A cell that fails has its error, and the sweep goes on. Raises UsageError where what is
    given cannot be used, or a network is not there at all.
    """
    fixed, given = split_settings(settings)
    order = make_order(
        list_models(models),
        [*list_axes(axes), *given],
        fixed,
        how={
            **{"device": device, "dtype": dtype, "threads": threads},
            **{"channels_last": channels_last, "compile": compile, "iterations": iterations},
            **{"min_time": min_time, "precision": precision},
        },
        accuracies={"source": source, "file": None if accuracy is None else str(accuracy)},
        where=list_texts(where),
        latency=latency,
        memory=memory,
        convention=convention,
        nodes=list_texts(on) or ("",),
    )
    return run_order(order, jobs=jobs, ray=ray, save=save, resume=resume, on_progress=on_progress)


def list_models(models: str | Path | Sequence[str]) -> tuple[str, ...]:
    """The texts of networks. Raises UsageError for anything else."""
    listed = (models,) if isinstance(models, str | Path) else models
    if not isinstance(listed, list | tuple) or not all(
        isinstance(item, str | Path) for item in listed
    ):
        raise UsageError(
            f"a sweep builds its networks from texts such as 'mobilenet_v1', given {models!r:.60}"
        )
    return tuple(map(str, listed))


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[Axis]]:
    """The settings of every cell, and the axes: those whose value is a list, tuple or range."""
    swept = [name for name, value in settings.items() if name not in UNSWEPT and _is_list(value)]
    fixed = {name: value for name, value in settings.items() if name not in swept}
    return fixed, [make_axis(name, settings[name]) for name in swept]


def _is_list(value: Any) -> bool:
    """NumPy's arrays and pandas' series are lists too."""
    return isinstance(value, list | tuple | range) or (
        hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1
    )


def list_axes(axes: Mapping[str, Iterable[Any]] | Sequence[Axis] | None) -> list[Axis]:
    """Axes that were given by name, or as they are."""
    if isinstance(axes, Mapping):
        return [make_axis(name, values) for name, values in axes.items()]
    return list(axes or ())


def list_texts(given: str | Sequence[str]) -> tuple[str, ...]:
    """One text or several, as several."""
    return (given,) if isinstance(given, str) else tuple(given)


def run_order(
    order: Order,
    *,
    jobs: int = 1,
    ray: str | None = None,
    save: str | Path | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> Sweep:
    """The sweep that an order asks for; see `sweep`. Raises UsageError."""
    check_whole("jobs", jobs, 1, MOST_JOBS)
    if save is not None:
        check_save(save, resume)
    if jobs > 1 or ray is not None:
        _refuse_registered()
    if ray is not None:
        return _run_on_cluster(order, ray, jobs, save, resume, on_progress)
    if order.nodes != ("",):
        raise UsageError(f"on {order.nodes[0]!r} is a node of a cluster: give its address (ray)")
    order = complete_setup(order)
    check_sources(order)
    count = partial(_count_here, jobs=jobs)
    return _run(order, count, _time_here, save, resume, on_progress)


def _run_on_cluster(
    order: Order,
    address: str,
    jobs: int,
    save: str | Path | None,
    resume: bool,
    on_progress: OnProgress | None,
) -> Sweep:
    from mobilenet_profiler.sweeping.cluster import Cluster

    if jobs > 1:
        raise UsageError("jobs are processes of this machine, ray has a cluster: give one")
    if order.latency and order.nodes == ("",):
        raise UsageError("say on which kinds of nodes the cluster times cells (on)")
    device = order.setup.get("device", "cpu")
    with Cluster(address, device) as cluster:
        cluster.check(order.nodes)
        if order.latency:  # what it is on each kind of node; the machines are told besides
            devices = dict.fromkeys(choose_device(kind, device) for kind in order.nodes)
            order = replace(order, setup={**order.setup, "device": " and ".join(devices)})
        return _run(order, cluster.count, cluster.time, save, resume, on_progress)


def complete_setup(order: Order) -> Order:
    """How latencies are measured, after defaults. Raises UsageError for what is not there."""
    if not order.latency:
        return order
    request = make_request(order.setup)
    setup = {**order.setup, "device": request.device}
    if request.device == "cpu":
        setup["threads"] = request.threads or torch.get_num_threads()
    return replace(order, setup=setup)


def check_sources(order: Order) -> None:
    """Refuse a network that there is not, before any cell is counted. Raises UsageError."""
    for model in order.models:
        own = (cell.try_spec(order.settings) for cell in order.cells if cell.model == model)
        spec = next((spec for spec in own if isinstance(spec, ModelSpec)), None)
        if spec is not None:
            with make_importable(spec.source):
                load_source(spec.source)


def _refuse_registered() -> None:
    """Costs that are registered here are not known elsewhere: numbers would differ."""
    if count := count_registered():
        raise UsageError(
            f"{count} costs are registered in this process and not in others: use jobs=1"
        )


def _run(
    order: Order,
    count: Count,
    time: Time,
    save: str | Path | None,
    resume: bool,
    on_progress: OnProgress | None,
) -> Sweep:
    accuracies = find_accuracies(order)
    with open_journal(order, save, resume) as journal:
        tell = on_progress or (lambda done, text: None)
        share = _COUNTING if order.latency else 1.0
        pending = count_all(journal, accuracies, count, scale_progress(tell, 0.0, share))
        if pending:
            time_all(journal, pending, time, scale_progress(tell, share, 1.0))
        return make_sweep(order, journal.results, journal.machines)


def find_accuracies(order: Order) -> dict[str, Accuracy | None]:
    """The accuracy of each cell, by its key, from one source as far as that goes.

    Raises UsageError where a network cannot be named in any of its cells.
    """
    specs = [cell.try_spec(order.settings) for cell in order.cells]
    for model in order.models:
        own = [spec for cell, spec in zip(order.cells, specs, strict=True) if cell.model == model]
        if not any(isinstance(spec, ModelSpec) for spec in own):
            raise next(spec for spec in own if isinstance(spec, UsageError))
    known = [spec if isinstance(spec, ModelSpec) else None for spec in specs]
    source, path = order.accuracies.get("source"), order.accuracies.get("file")
    joined = join_accuracies(known, order.cells, source, path)
    return {cell.key: found for cell, found in zip(order.cells, joined, strict=True)}


def count_all(
    journal: Journal,
    accuracies: Mapping[str, Accuracy | None],
    count: Count,
    tell: OnProgress,
) -> list[CellResult]:
    """Count every cell that is not known yet, in the order of the grid.

    What is done goes into the journal: all, or where latencies are wanted those cells that
    failed or are left out. Gives the others.
    """
    order, pending = journal.order, []
    todo = list(_list_todo(journal, accuracies))
    counter = Counter(order.settings, order.convention, order.memory)
    with closing(count(counter, _list_places(todo))) as counted:
        for done, result in enumerate(_fill(todo, counted), 1):
            judged = _leave_out(result, order, _COUNTED)
            if order.latency and not (judged.error or judged.left_out):
                pending.append(judged)
            else:
                journal.add(judged)
            tell(done / len(todo), judged.cell.label)
    tell(1.0, "counted")
    return pending


def _list_todo(journal: Journal, accuracies: Mapping[str, Accuracy | None]) -> Iterator[CellResult]:
    """A row for each cell that is not known yet; those that their place leaves out are marked."""
    for cell in journal.order.cells:
        if cell.key not in journal.results:
            blank = CellResult(cell, cell.label, accuracy=accuracies[cell.key])
            yield replace(blank, left_out=not _is_wanted(blank, journal.order))


def _list_places(todo: Iterable[CellResult]) -> list[Cell]:
    """What is to be counted: cells of several nodes, which follow each other, once."""
    cells = (replace(own.cell, on="") for own in todo if not own.left_out)
    return [next(alike) for _, alike in groupby(cells, key=lambda cell: cell.key)]


def _fill(todo: Iterable[CellResult], counted: Iterator[CellResult | Lost]) -> Iterator[CellResult]:
    """The rows with what was counted of their places."""
    for _, alike in groupby(todo, key=lambda own: replace(own.cell, on="").key):
        found: CellResult | None = None
        for own in alike:
            if not own.left_out:
                found = found or _take(next(counted), own.cell)
                yield replace(found, cell=own.cell, accuracy=own.accuracy)
            else:
                yield own


def _is_wanted(blank: CellResult, order: Order) -> bool:
    """Whether conditions of what is known without a trace allow a cell."""
    return allows_cell(order.conditions, blank.cell) and allows_result(
        order.conditions, blank, ("top1",)
    )


def _take(found: CellResult | Lost, cell: Cell) -> CellResult:
    if isinstance(found, Lost):
        return CellResult(cell, cell.label, error=found.reason)
    return found


def _leave_out(result: CellResult, order: Order, quantities: Sequence[str]) -> CellResult:
    """The row, marked where it does not meet the conditions of these quantities."""
    if result.left_out or allows_result(order.conditions, result, quantities):
        return result
    return replace(result, left_out=True)


def _count_here(counter: Counter, cells: Sequence[Cell], jobs: int) -> Counted:
    if jobs > 1 and len(cells) > 1:
        yield from map_in_processes(counter, cells, jobs)
    else:
        yield from map(counter, cells)


def time_all(journal: Journal, pending: Sequence[CellResult], time: Time, tell: OnProgress) -> None:
    """Time every cell; each block goes into the journal when it is done."""
    for result, times, environment in time(journal.order, pending, tell):
        name = ""
        if times.samples:
            name = name_machine(environment, journal.machines)
            journal.add_machine(name, environment)
        timed = add_times(result, times, name)
        journal.add(_leave_out(timed, journal.order, ("latency",)))
    tell(1.0, "timed")


def add_times(result: CellResult, times: CellTimes, machine: str) -> CellResult:
    """A counted cell with what was measured of it."""
    notes = tuple(dict.fromkeys((*result.notes, *times.notes)))
    if times.error:
        return replace(result, notes=notes, error=times.error)
    latency = estimate_median(times.samples)
    return replace(result, notes=notes, latency=latency, samples=times.samples, machine=machine)


def _time_here(order: Order, pending: Sequence[CellResult], tell: OnProgress) -> Iterator[Timed]:
    yield from time_results(pending, order.settings, order.setup, tell)
