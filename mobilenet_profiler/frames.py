"""The one door to pandas."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import MODEL, NODE
from mobilenet_profiler.grid.fit import Fit
from mobilenet_profiler.grid.pivot import Pivot, make_pivots
from mobilenet_profiler.grid.quantities import find_quantity
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.measured.profile import FORWARD, Profile
from mobilenet_profiler.measured.rows import TimedRow, make_timed_rows
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.memory import LayerMemory
from mobilenet_profiler.spec import make_plain


def frame_layers(trace: Trace) -> pandas.DataFrame:
    """A row a layer: path, kind, module, shapes, stride, groups, calls, counts.

    Shapes stay tuples and counts int64; `frame.macs.sum()` is `trace.total.macs`. With
    `trace.memory` also memory and allocated, bytes; 0 for a layer that ran nothing.
    """
    names = ("path", "kind", "module", "input_shape", "output_shape", "weight_shape")
    counts = ("params", "weights", "macs", "activations", "elementwise", "backward_macs", "tied")
    numbers = ("groups", "calls", *counts)
    fields = (*names, "stride", "dilation", *numbers)
    records = [[getattr(layer, name) for name in fields] for layer in trace.layers]
    frame = pandas.DataFrame(records, columns=list(fields))
    frame = frame.astype(dict.fromkeys(numbers, "int64"))
    if trace.memory is not None:
        layers = [trace.memory.layers.get(layer.path, LayerMemory()) for layer in trace.layers]
        frame["memory"] = [layer.peak for layer in layers]
        frame["allocated"] = [layer.allocated for layer in layers]
    return frame


def frame_profile(profile: Profile) -> pandas.DataFrame:
    """A row a layer and phase that was timed: path, kind, phase, exact costs, times.

    time_ns, low_ns, high_ns: median own time of a pass and its interval in nanoseconds, the
    instruments taken off; time_share: of all rows. params, macs and bytes_moved (those of one
    forward pass) stand in the rows of the forward phase alone, so that every column adds up.
    """
    timed = [row for row in make_timed_rows(profile, every=True) if row.phase_times]
    records = [_record(row, *item) for row in timed for item in row.phase_times.items()]
    frame = pandas.DataFrame(records, columns=list(_PROFILE_COLUMNS))
    frame["time_share"] = frame["time_ns"] / frame["time_ns"].sum()
    return frame.astype(dict.fromkeys(("params", "macs", "bytes_moved"), "int64"))


_PROFILE_COLUMNS = (
    *("path", "kind", "phase", "params", "macs", "bytes_moved"),
    *("time_ns", "low_ns", "high_ns"),
)


def _record(timed: TimedRow, phase: str, time: Estimate) -> tuple[object, ...]:
    forward = phase == FORWARD[0]
    cost, moved = timed.row.cost, timed.work.bytes_moved
    exact = (cost.params, cost.macs, moved) if forward else (0, 0, 0)
    return (timed.row.paths[0], timed.row.kind, phase, *exact, time.value, time.low, time.high)


_COUNTS = ("params", "weights", "macs", "activations")


def frame_sweep(sweep: Sweep) -> pandas.DataFrame:
    """A row a cell: model, axes, on (the node, if any names one), counts, memory, latency, top1.

    params, weights, macs, activations and memory (bytes) are Int64, missing where a cell
    failed or none was asked for; latency_ns, latency_low_ns, latency_high_ns: median of a pass
    and its interval; top1 in per cent beside its source; uncounted: calls that no number
    includes; error: '' where it did not fail.
    """
    nodes = [NODE] if any(result.cell.on for result in sweep.results) else []
    names = [*(axis.name for axis in sweep.axes), *nodes]
    records = [_record_cell(result, names) for result in sweep.results]
    columns = [MODEL, *names, *_COUNTS, *_CELL_COLUMNS]
    frame = pandas.DataFrame(records, columns=columns)
    floats = ("latency_ns", "latency_low_ns", "latency_high_ns", "top1")
    whole = dict.fromkeys((*_COUNTS, "memory", "uncounted"), "Int64")
    return frame.astype({**whole, **dict.fromkeys(floats, "float64")})


def frame_fit(fit: Fit) -> pandas.DataFrame:
    """The cells within a budget, the best first: `frame_sweep`, and what each leaves.

    left_macs, left_memory, …: of each limit, as a part of it.
    """
    frame = frame_sweep(replace(fit.sweep, results=fit.ranked))
    for bound in fit.bounds:
        left = [-(bound.find_excess(result) or 0.0) for result in fit.ranked]
        frame[f"left_{bound.quantity.name}"] = pandas.Series(left, dtype="float64")
    return frame


def frame_pivot(
    sweep: Sweep, quantity: str, down: str | None = None, across: str | None = None
) -> pandas.DataFrame:
    """One quantity over two axes: alpha down, resolution across, where nobody says which.

    The values of all other axes stand before those of the one that runs down. Counts and
    bytes are Int64, times in nanoseconds and accuracies in per cent float64; missing where
    a cell has none. Raises UsageError for a quantity or an axis that there is not.
    """
    pivots = make_pivots(sweep, quantity, down, across)
    fixed = list(pivots[0].fixed) if pivots else []
    columns = list(dict.fromkeys(column for pivot in pivots for column in pivot.columns))
    places, records = [], []
    for pivot in pivots:
        for row in pivot.rows:
            places.append((*map(_freeze, pivot.fixed.values()), _freeze(row)))
            records.append([pivot.amount(row, column) for column in columns])
    names = [*fixed, pivots[0].down if pivots else ""]
    frame = pandas.DataFrame(
        records,
        index=_make_index(places, names),
        columns=_make_index([(_freeze(column),) for column in columns], _name_columns(pivots)),
    )
    whole = find_quantity(quantity).name not in ("latency", "top1")
    return frame.astype("Int64" if whole else "float64")


def _name_columns(pivots: Sequence[Pivot]) -> list[str]:
    return [pivots[0].across if pivots else ""]


def _make_index(places: Sequence[tuple[object, ...]], names: Sequence[str]) -> pandas.Index[Any]:
    """One level or several."""
    if len(names) == 1:
        return pandas.Index([place[0] for place in places], name=names[0], tupleize_cols=False)
    return pandas.MultiIndex.from_tuples(places, names=list(names))


def _freeze(value: Any) -> Any:
    """A value that can be looked up: a list as a tuple."""
    return tuple(map(_freeze, value)) if isinstance(value, list) else value


def encode_parquet(sweep: Sweep) -> bytes:
    """The same table as a Parquet file. Raises UsageError where pyarrow is not installed.

    Values of an axis that are no numbers and no texts, such as lists, are written as text.
    """
    try:
        import pyarrow  # noqa: F401  # pandas would say so only after all the work
    except ImportError:
        raise UsageError(
            "parquet needs pyarrow: pip install 'mobilenet-profiler[parquet]'"
        ) from None
    frame = frame_sweep(sweep)
    for name in (MODEL, *(axis.name for axis in sweep.axes)):
        frame[name] = _even_out(frame[name])
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def _even_out(values: pandas.Series[Any]) -> pandas.Series[Any]:
    """Values of one type: as they are where all are numbers or all are texts, else as text."""
    known = [value for value in values if value is not None and value == value]
    if all(isinstance(value, str) for value in known):
        return values
    if all(isinstance(value, int | float) for value in known):
        return values
    return values.map(lambda value: None if value is None else str(make_plain(value)))


_CELL_COLUMNS = (
    *("memory", "latency_ns", "latency_low_ns", "latency_high_ns", "top1", "top1_source"),
    *("machine", "uncounted", "error"),
)


def _record_cell(result: CellResult, names: list[str]) -> list[object]:
    point = {**result.cell.point, NODE: result.cell.on}
    counts = [getattr(result.cost, name) if result.cost else None for name in _COUNTS]
    time, accuracy = result.latency, result.accuracy
    times = (time.value, time.low, time.high) if time else (None, None, None)
    known = (accuracy.percent, accuracy.source) if accuracy else (None, "")
    return [
        *(result.cell.model, *(point.get(name) for name in names), *counts, result.memory),
        *(*times, *known, result.machine, result.uncounted, result.error),
    ]
