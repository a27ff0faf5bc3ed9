"""What a reader of a sweep must know beside its numbers, a sentence each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mobilenet_profiler.grid.axes import Axis
from mobilenet_profiler.grid.quantities import Quantity
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.grid.tables import COUNTS, find_known_convention, show_value
from mobilenet_profiler.measured.statistics import CONFIDENCE

_NAMED = 4  # cells that a sentence names
_VALUES = 12  # values of an axis that a heading lists
_WORDS = {"top1 > 0": "an accuracy is known (top1 > 0)"}
_ERRORS = 8  # different errors that are told one by one


def describe_sweep(sweep: Sweep) -> str:
    """One line for a heading: models, what all cells share, axes, how many cells."""
    shared = [f"{name}={show_value(value)}" for name, value in list_shared(sweep.settings)]
    network = " ".join([", ".join(sweep.models), *shared])
    count = f"{len(sweep.results):,} cell{'s' * (len(sweep.results) != 1)}"
    return "; ".join([network, *map(describe_axis, sweep.axes), count])


def list_shared(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings of every cell that were given, arguments of the factory among them."""
    for name, value in settings.items():
        if name == "arguments":
            yield from value.items()
        elif name == "inputs":
            yield from (("input", getattr(item, "text", item)) for item in value)
        elif value is not None and (name, value) != ("mode", "eval"):
            yield name, value


def describe_axis(axis: Axis) -> str:
    """`alpha 1, 0.75, 0.5, 0.25`; of many values the ends, and how many there are."""
    texts = [show_value(value) for value in axis.values]
    if len(texts) > _VALUES:
        texts = [*texts[:3], "…", texts[-1]]
        return f"{axis.name} {', '.join(texts)} ({len(axis.values):,} values)"
    return f"{axis.name} {', '.join(texts)}"


def list_remarks(sweep: Sweep, quantities: Sequence[Quantity]) -> list[str]:
    """What the numbers are, where they are from, and what is missing.

    quantities: those that are shown. Those of `list_warnings` come apart.
    """
    names = {quantity.name for quantity in quantities}
    lines = [
        *_describe_counts(sweep, names),
        *(["memory: predicted from the lifetimes of activations."] if "memory" in names else []),
        *(_describe_latency(sweep) if "latency" in names else []),
        *(_describe_accuracies(sweep) if "top1" in names else []),
        *_describe_notes(sweep),
    ]
    if sweep.left_out:
        lines.append(f"{_count(sweep.left_out)} left out by the conditions: {_join_where(sweep)}.")
    return lines


def list_warnings(sweep: Sweep) -> list[str]:
    """What has no number, or not the whole one: failed, uncounted and missing cells."""
    lines = list(_describe_failures(sweep))
    partial = [result for result in sweep.results if result.uncounted]
    if partial:
        calls = sum(result.uncounted for result in partial)
        lines.append(
            f"not counted: {calls:,} calls of operations in {_count(len(partial))}: "
            f"{_name_cells(partial)}."
        )
    if sweep.missing:
        lines.append(f"{_count(sweep.missing)} without a result yet: `sweep --resume` goes on.")
    return lines


def _count(number: int) -> str:
    return f"{number:,} cell{'s' * (number != 1)}"


def _join_where(sweep: Sweep) -> str:
    return "; ".join(_WORDS.get(condition, condition) for condition in sweep.where)


def _describe_counts(sweep: Sweep, names: set[str]) -> Iterator[str]:
    known = find_known_convention(sweep)
    if known and names & set(COUNTS):
        yield f"Convention {known.name} ({known.source}): {known.counts}."


def _describe_latency(sweep: Sweep) -> Iterator[str]:
    timed = [result for result in sweep.results if result.latency]
    if not timed:
        return
    fewest = min(result.latency.count for result in timed if result.latency)
    setup = ", ".join(f"{name} {value}" for name, value in sweep.setup.items() if value is not None)
    machines: dict[str, int] = {}
    for result in timed:
        machines[result.machine] = machines.get(result.machine, 0) + 1
    if len(machines) == 1:
        places = next(iter(machines))
    else:
        places = "; ".join(f"{name} ({_count(number)})" for name, number in machines.items())
    yield (
        f"latency: the median of {fewest:,} passes or more, ± half of its {CONFIDENCE:.0%} "
        f"interval{f'; {setup}' if setup else ''}{f'; measured on {places}' if places else ''}."
    )


def _describe_accuracies(sweep: Sweep) -> Iterator[str]:
    sources: dict[str, int] = {}
    for result in sweep.results:
        if result.accuracy:
            source = result.accuracy.source
            sources[source] = sources.get(source, 0) + 1
    known = sum(sources.values())
    if not known:
        return
    shown = (
        next(iter(sources))
        if len(sources) == 1
        else "; ".join(f"{source} ({_count(number)})" for source, number in sources.items())
    )
    rest = len(sweep.results) - known
    missing = f" {_count(rest)} without one." if rest else ""
    yield f"top-1 accuracy: as in {shown}.{missing}"


def _describe_notes(sweep: Sweep) -> Iterator[str]:
    for note, results in _group(sweep.results, lambda result: result.notes):
        where = "" if len(results) == len(sweep.results) else f" ({_name_cells(results)})"
        yield f"note{where}: {note}"


def _describe_failures(sweep: Sweep) -> Iterator[str]:
    groups = list(_group(sweep.failed, lambda result: (result.error,)))
    for error, results in groups[:_ERRORS]:
        yield f"failed: {_name_cells(results)}: {error}"
    rest = sum(len(results) for _, results in groups[_ERRORS:])
    if rest:
        yield f"failed: {_count(rest)} more for other reasons; the CSV has each."


def _group(results: Sequence[CellResult], texts_of: Any) -> Iterator[tuple[str, list[CellResult]]]:
    groups: dict[str, list[CellResult]] = {}
    for result in results:
        for text in texts_of(result):
            groups.setdefault(text, []).append(result)
    yield from groups.items()


def _name_cells(results: Sequence[CellResult]) -> str:
    names = [name_cell(result) for result in results[:_NAMED]]
    rest = len(results) - len(names)
    return ", ".join(names) + (f" and {rest:,} more" if rest else "")


def name_cell(result: CellResult) -> str:
    """A cell in words: `mobilenet_v1 alpha=0.5 resolution=224`."""
    point = [f"{name}={show_value(value)}" for name, value in result.cell.point.items()]
    on = [f"on={result.cell.on}"] if result.cell.on else []
    return " ".join([result.cell.model, *point, *on])
