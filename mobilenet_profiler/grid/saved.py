"""What a sweep wrote, read back: a file that grows, one object, or the long table. No torch."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import MODEL, NODE, Axis, freeze_value, make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.order import Order
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.render.sweep_json import describe_order
from mobilenet_profiler.saved import (
    blame_file,
    check_version,
    read_json,
    shorten,
    take,
    take_texts,
)
from mobilenet_profiler.spec import parse_argument

WRITER = "sweep --save"
SUFFIXES = (".jsonl", ".json", ".csv")
_COUNTS = ("params", "weights", "macs", "activations")
_TIMES = ("latency_ns", "latency_low_ns", "latency_high_ns")
# Columns of the long table that are no axes.
_COLUMNS = frozenset(
    (
        *(MODEL, NODE, "label", *_COUNTS, "flops", "memory", *_TIMES, "latency_samples"),
        *("top1", "top1_source", "machine", "uncounted", "notes", "error", "convention"),
    )
)


def read_sweep(path: str | Path) -> Sweep:
    """The sweep in a file of `sweep --save`, of its `--format json` or of its `--format csv`.

    A file that is not complete yet gives the cells that it has; `missing` says how many it
    lacks. Raises UsageError, naming the file and what is wrong in it.
    """
    suffix = Path(path).suffix.casefold()
    if suffix == ".csv":
        text = read_text(path)
        with blame_file(path):
            return _make_from_table(text)
    if suffix == ".jsonl":
        kept = read_kept(path)
        if kept.order is None:
            raise UsageError(f"{path}: is empty; `{WRITER} FILE.jsonl` writes one")
        return kept.make_sweep()
    if suffix == ".json":
        data = read_json(path)
        with blame_file(path):
            return _make_sweep(data)
    raise UsageError(f"a sweep is a file that ends in {', '.join(SUFFIXES)}, given {str(path)!r}")


def read_text(path: str | Path) -> str:
    """The text of a file. Raises UsageError where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text: {error}") from None


@dataclass
class Kept:
    """What a file that grows holds so far.

    order: what it was asked for; None in an empty file. head: the same as the file has it.
    results: by the key of the cell. machines: environments by name. length: bytes of its
    whole lines; what follows was torn.
    """

    order: Order | None = None
    head: Mapping[str, Any] = field(default_factory=dict)
    results: dict[str, CellResult] = field(default_factory=dict)
    machines: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    length: int = 0

    def make_sweep(self) -> Sweep:
        """The sweep, in the order of its grid."""
        assert self.order is not None
        return make_sweep(self.order, self.results, self.machines)


def make_sweep(
    order: Order, results: Mapping[str, CellResult], machines: Mapping[str, Mapping[str, Any]]
) -> Sweep:
    """What is known of the cells of an order, by their keys, as a sweep."""
    found = [results.get(cell.key) for cell in order.cells]
    known = [result for result in found if result is not None]
    return Sweep(
        models=order.models,
        axes=order.axes,
        results=tuple(result for result in known if not result.left_out),
        convention=order.convention,
        where=order.where,
        settings=order.settings,
        setup=order.setup,
        machines=machines,
        missing=len(found) - len(known),
        left_out=sum(result.left_out for result in known),
    )


def read_kept(path: str | Path) -> Kept:
    """What a file that grows holds, up to its last whole line. Raises UsageError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    whole = data[: data.rfind(b"\n") + 1]
    kept = Kept(length=len(whole))
    with blame_file(path):
        for number, line in enumerate(io.BytesIO(whole), 1):
            with blame_file(f"line {number}"):
                _read_line(kept, line)
    return kept


def _read_line(kept: Kept, line: bytes) -> None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"is not JSON: {error}") from None
    if kept.order is None:
        kept.order, kept.head = read_order(data), data
        return
    kind = take(data, "kind", str, "the line")
    if kind == "machine":
        environment = take(data, "environment", dict, "the machine")
        kept.machines[take(data, "name", str, "the machine")] = environment
    elif kind == "cell":
        result = read_cell(data, kept.order.convention)
        kept.results[result.cell.key] = result
    else:
        raise UsageError(f"'kind' must be cell or machine, given {shorten(kind)}")


def read_order(data: Any) -> Order:
    """The order of a file's first line. Raises UsageError."""
    check_version(data, WRITER)
    if take(data, "kind", str, "the file") != "sweep":
        raise UsageError(f"holds no sweep; `{WRITER} FILE.jsonl` writes one")
    return Order(
        models=take_texts(data, "models", "the sweep"),
        axes=_read_axes(data),
        settings=_read_settings(data),
        convention=take(data, "convention", str, "the sweep"),
        where=take_texts(data, "where", "the sweep"),
        memory=take(data, "memory", bool, "the sweep"),
        latency=take(data, "latency", bool, "the sweep"),
        nodes=take_texts(data, "nodes", "the sweep"),
        setup=take(data, "setup", dict, "the sweep"),
        accuracies=take(data, "accuracies", dict, "the sweep"),
    )


def describe_change(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """How a kept order, as plain data, differs from the one that is asked for; '' if it does not.

    >>> describe_change({"convention": "macs"}, {"convention": "thop"})
    "convention is 'macs' there, asked for 'thop'"
    """
    for name, now in asked.items():
        before = kept.get(name)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
            name, before, now = keys[0], before.get(keys[0]), now.get(keys[0])
        return f"{name} is {_show(before)} there, asked for {_show(now)}"
    return ""


def _show(value: Any) -> str:
    """A value of an order, axes as the command line gives them."""
    if isinstance(value, list) and value and all(_is_axis(item) for item in value):
        axes = [f"{item['name']}={','.join(map(str, item['values']))}" for item in value]
        return " ".join(axes)
    return repr(value)


def _is_axis(value: Any) -> bool:
    return isinstance(value, dict) and {*value} == {"name", "values"}


def check_same(head: Mapping[str, Any], asked: Order) -> None:
    """Refuse to go on with another sweep: UsageError with the first thing that differs.

    head: the first line of its file.
    """
    changed = describe_change(head, describe_order(asked))
    if changed:
        raise UsageError(f"holds another sweep: {changed}")


def _read_axes(data: Any) -> tuple[Axis, ...]:
    items = take(data, "axes", list, "the sweep")
    return tuple(
        make_axis(take(item, "name", str, "an axis"), take(item, "values", list, "an axis"))
        for item in items
    )


def _read_settings(data: Any) -> dict[str, Any]:
    settings: dict[str, Any] = take(data, "settings", dict, "the sweep")
    if "inputs" in settings:
        settings = {**settings, "inputs": take_texts(settings, "inputs", "settings")}
    return settings


def read_cell(data: Any, convention: str) -> CellResult:
    """A cell that `describe_cell` made plain data of. Raises UsageError."""
    point = take(data, "point", dict, "the cell")
    cell = Cell(
        take(data, "model", str, "the cell"),
        {name: freeze_value(value) for name, value in point.items()},
        _take_or(data, "on", ""),
    )
    return CellResult(
        cell=cell,
        label=_take_or(data, "label", ""),
        spec=_take_or(data, "spec", {}),
        cost=_read_cost(data, convention),
        uncounted=_take_or(data, "uncounted", 0),
        memory=take(data, "memory", int, "the cell") if "memory" in data else None,
        latency=_read_latency(data),
        samples=_read_samples(data),
        machine=_take_or(data, "machine", ""),
        accuracy=_read_accuracy(data),
        notes=take_texts(data, "notes", "the cell") if "notes" in data else (),
        error=_take_or(data, "error", ""),
        left_out=_take_or(data, "left_out", False),
    )


def _take_or(data: Any, key: str, default: Any) -> Any:
    return take(data, key, type(default), "the cell") if key in data else default


def _read_cost(data: Any, convention: str) -> Cost | None:
    if "cost" not in data:
        return None
    own = take(data, "cost", dict, "the cell")
    keys = {item.name: item.name for item in fields(Cost)}
    keys["macs"] = find_convention(convention).key
    return Cost(**{name: take(own, key, int, "cost") for name, key in keys.items()})


def _read_latency(data: Any) -> Estimate | None:
    if "latency" not in data:
        return None
    own = take(data, "latency", dict, "the cell")
    numbers = {name: _take_number(own, name) for name in ("value", "low", "high", "confidence")}
    return Estimate(**numbers, count=take(own, "count", int, "latency"))


def _take_number(data: Any, key: str) -> float:
    value = data.get(key)
    if type(value) not in (int, float) or value < 0:
        raise UsageError(f"{key!r} of latency must be a number, given {shorten(value)}")
    return float(value)


def _read_samples(data: Any) -> tuple[int, ...]:
    samples = _take_or(data, "samples", [])
    if any(type(sample) is not int or sample < 0 for sample in samples):
        raise UsageError("'samples' of the cell must be a list of whole numbers")
    return tuple(samples)


def _read_accuracy(data: Any) -> Accuracy | None:
    if "accuracy" not in data:
        return None
    own = take(data, "accuracy", dict, "the cell")
    text, source = take(own, "text", str, "accuracy"), take(own, "source", str, "accuracy")
    accuracy = Accuracy(text, source)
    try:
        _ = accuracy.percent
    except ValueError:
        raise UsageError(f"'text' of accuracy must be per cent, given {shorten(text)}") from None
    return accuracy


def _make_sweep(data: Any) -> Sweep:
    """The sweep that `render_sweep` wrote as one object."""
    check_version(data, "sweep --format json")
    if data.get("kind") != "sweep":
        raise UsageError("holds no sweep; `sweep --format json` writes one")
    convention = take(data, "convention", str, "the sweep")
    find_convention(convention)
    cells = take(data, "cells", list, "the sweep")
    return Sweep(
        models=take_texts(data, "models", "the sweep"),
        axes=_read_axes(data),
        results=tuple(_read_cells(cells, convention)),
        convention=convention,
        where=take_texts(data, "where", "the sweep"),
        settings=_read_settings(data),
        setup=take(data, "setup", dict, "the sweep"),
        machines=take(data, "machines", dict, "the sweep"),
        missing=take(data, "missing", int, "the sweep"),
        left_out=take(data, "left_out", int, "the sweep"),
    )


def _read_cells(items: Iterable[Any], convention: str) -> Iterator[CellResult]:
    for number, item in enumerate(items, 1):
        with blame_file(f"cell {number}"):
            yield read_cell(item, convention)


def _make_from_table(text: str) -> Sweep:
    """The sweep of a long table: a column an axis, one for each count, times, accuracy."""
    reader = csv.DictReader(io.StringIO(text))
    names = reader.fieldnames or ()
    if MODEL not in names:
        raise UsageError(f"has no column {MODEL!r}; `sweep --format csv` writes one")
    axes = [name for name in names if name not in _COLUMNS]
    results = []
    for number, row in enumerate(reader, 2):
        with blame_file(f"line {number}"):
            results.append(_read_row(row, axes))
    if not results:
        raise UsageError("has no row")
    convention = _find_convention(text)
    return Sweep(
        models=tuple(dict.fromkeys(result.cell.model for result in results)),
        axes=tuple(_gather_axis(name, results) for name in axes),
        results=tuple(results),
        convention=convention,
    )


def _find_convention(text: str) -> str:
    first = next(csv.DictReader(io.StringIO(text)), {})
    return find_convention(first.get("convention") or DEFAULT).name


def _gather_axis(name: str, results: Sequence[CellResult]) -> Axis:
    points = [result.cell.point for result in results]
    values = dict.fromkeys(point[name] for point in points if name in point)
    return make_axis(name, values)


def _read_row(row: Mapping[str, Any], axes: Sequence[str]) -> CellResult:
    if None in row or None in row.values():
        raise UsageError("has more or fewer values than the table has columns")
    point = {
        name: freeze_value(parse_argument(f"{name}={row[name]}")[1]) for name in axes if row[name]
    }
    cell = Cell(row[MODEL], point, row.get(NODE, ""))
    result = CellResult(
        cell=cell,
        label=row.get("label") or cell.label,
        cost=_read_counts(row),
        uncounted=_read_whole(row, "uncounted") or 0,
        memory=_read_whole(row, "memory"),
        machine=row.get("machine", ""),
        notes=tuple(filter(None, row.get("notes", "").split(" | "))),
        error=row.get("error", ""),
    )
    return replace(result, latency=_read_times(row), accuracy=_read_top1(row))


def _read_counts(row: Mapping[str, str]) -> Cost | None:
    named = {name: _read_whole(row, name) for name in _COUNTS}
    if "flops" in row:
        named["macs"] = _read_whole(row, "flops")
    if all(value is None for value in named.values()):
        return None
    return Cost(**{name: value or 0 for name, value in named.items()})


def _read_times(row: Mapping[str, str]) -> Estimate | None:
    numbers = [_read_float(row, name) for name in _TIMES]
    if any(number is None for number in numbers):
        return None
    value, low, high = (float(number or 0) for number in numbers)
    return Estimate(value, low, high, _read_whole(row, "latency_samples") or 0)


def _read_top1(row: Mapping[str, str]) -> Accuracy | None:
    if _read_float(row, "top1") is None:
        return None
    return Accuracy(f"{row['top1']}%", row.get("top1_source", ""))


def _read_whole(row: Mapping[str, str], name: str) -> int | None:
    text = row.get(name, "")
    if text and not text.isdecimal():
        raise UsageError(f"{name} must be a whole number, given {shorten(text)}")
    return int(text) if text else None


def _read_float(row: Mapping[str, str], name: str) -> float | None:
    text = row.get(name, "")
    try:
        return float(text) if text else None
    except ValueError:
        raise UsageError(f"{name} must be a number, given {shorten(text)}") from None
