"""`fit`: the best networks under a budget, and what lies between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import Axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.fit import (
    Bound,
    CountCell,
    Fit,
    Goal,
    find_fit,
    look_between,
    make_goal,
    parse_bounds,
)
from mobilenet_profiler.grid.fit_order import make_fit_order
from mobilenet_profiler.grid.order import Order
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.grid.saved import SUFFIXES, read_sweep
from mobilenet_profiler.sweeping.exact import Counter
from mobilenet_profiler.sweeping.latencies import scale_progress, time_block
from mobilenet_profiler.sweeping.sweep import (
    add_times,
    list_axes,
    list_models,
    list_texts,
    run_order,
    split_settings,
)
from mobilenet_profiler.timing.measuring import OnProgress

_GRID = 0.8  # of the time goes to the grid, the rest to what lies between its cells


def fit(
    models: str | Path | Sequence[str] | Sweep = "mobilenet_v1",
    *,
    max_macs: float | str | None = None,
    max_params: float | str | None = None,
    max_weights: float | str | None = None,
    max_activations: float | str | None = None,
    max_memory: float | str | None = None,
    max_latency: str | None = None,
    min_accuracy: float | str | None = None,
    maximize: str | None = None,
    minimize: str | None = None,
    between: bool = True,
    axes: Mapping[str, Iterable[Any]] | Sequence[Axis] | None = None,
    where: str | Sequence[str] = (),
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
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> Fit:
    """The best networks under a budget: `fit(max_macs="150M", max_params="2M").best`.

    models: one or several, as `sweep` takes them, the widths and resolutions whose
    accuracies are published; a Sweep, or a file of one. Limits are whole numbers or texts:
    '150M', of memory '2MB' (the peak of activations), of latency '10ms' (measured, on
    `device`), of accuracy in per cent. maximize: 'accuracy' where nobody says; minimize: such
    as 'macs' with min_accuracy. between: whether to look between the cells too, with
    accuracies interpolated. The rest is as `sweep` takes it.

    Raises UsageError where what is given cannot be used, or nothing is known of the goal.
    """
    given = {
        "macs": max_macs,
        "params": max_params,
        "weights": max_weights,
        "activations": max_activations,
        "memory": max_memory,
        "latency": max_latency,
        "min_accuracy": min_accuracy,
    }
    bounds, goal = parse_bounds(given), make_goal(maximize, minimize)
    how = {
        **{"device": device, "dtype": dtype, "threads": threads, "channels_last": channels_last},
        **{"compile": compile, "iterations": iterations, "min_time": min_time},
        "precision": precision,
    }
    asked = {
        "axes": axes,
        "where": where,
        "accuracy": accuracy,
        "source": source,
        **how,
        **settings,
    }
    known = find_sweep(models, asked)
    if known is not None:
        return fit_sweep(known, bounds, goal, between)
    fixed, swept = split_settings(settings)
    order = make_fit_order(
        *(list_models(models), [*list_axes(axes), *swept], fixed, bounds, goal, how),  # type: ignore[arg-type]
        accuracies={"source": source, "file": None if accuracy is None else str(accuracy)},
        where=list_texts(where),
        convention=convention,
    )
    return fit_order(order, bounds, goal, between, jobs, on_progress)


def find_sweep(models: Any, asked: Mapping[str, Any]) -> Sweep | None:
    """The sweep that was given, or saved; None where networks are. Raises UsageError.

    asked: what is of a grid to be made, which a sweep has already.
    """
    saved = isinstance(models, str | Path) and str(models).casefold().endswith(SUFFIXES)
    if not (saved or isinstance(models, Sweep)):
        return None
    for name, value in asked.items():
        if value not in (None, False, (), [], {}):
            raise UsageError(f"a sweep has its cells already: {name} does not apply to it")
    return models if isinstance(models, Sweep) else read_sweep(models)


def fit_sweep(sweep: Sweep, bounds: Sequence[Bound], goal: Goal, between: bool = True) -> Fit:
    """What of a sweep fits. Between its cells there is nothing where latency is limited.

    Its times may be those of another machine. Raises UsageError.
    """
    found = find_fit(sweep, bounds, goal)
    return look_between(found, make_counter(found)) if between else found


def fit_order(
    order: Order,
    bounds: Sequence[Bound],
    goal: Goal,
    between: bool = True,
    jobs: int = 1,
    on_progress: OnProgress | None = None,
) -> Fit:
    """What of a grid fits, made and measured here. Raises UsageError."""
    tell = on_progress or (lambda done, text: None)
    sweep = run_order(order, jobs=jobs, on_progress=scale_progress(tell, 0.0, _GRID))
    found = find_fit(sweep, bounds, goal)
    if not between:
        return found
    tell(_GRID, "between the cells")
    count = make_counter(found)
    return look_between(found, count, make_timer(found, count))


def make_counter(fit: Fit) -> CountCell:
    """Counts a cell as those of the sweep are counted."""
    memory = any(quantity.name == "memory" for quantity in fit.wanted)
    return Counter(fit.sweep.settings, fit.sweep.convention, memory)


def make_timer(fit: Fit, count: CountCell) -> CountCell:
    """Counts and times a cell as those of the sweep are timed."""

    def time_cell(cell: Cell) -> CellResult:
        times = time_block([cell], fit.sweep.settings, fit.sweep.setup)
        timed = add_times(count(cell), times.cells[0], "")
        return replace(timed, machine=next(iter(fit.sweep.machines), ""))

    return time_cell
