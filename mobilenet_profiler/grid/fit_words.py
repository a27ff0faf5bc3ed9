"""A grid under a budget, as tables and sentences. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from mobilenet_profiler.grid.fit import Between, Bound, Fit
from mobilenet_profiler.grid.pivot import find_value, list_axis_names
from mobilenet_profiler.grid.quantities import QUANTITIES, Quantity
from mobilenet_profiler.grid.remarks import name_cell
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.grid.tables import (
    COUNTS,
    NETWORK,
    Lines,
    choose_units,
    find_known_convention,
    list_place,
    name_column,
    show_amount,
    show_value,
)
from mobilenet_profiler.units import (
    format_bytes,
    format_count,
    format_estimate,
    format_short,
    format_time,
)

LEFT, POINTS = "left %", "points left"  # of a limit; of one of accuracy
FRONT = "*"
_ROUGH = 1000  # per cent of a limit, or times it, that have no decimal
_NOUNS = {"top1": "top-1 accuracy", "memory": "peak memory"}


def describe_budget(fit: Fit) -> str:
    """The budget in words: `at most 150M MACs and 2M params`."""
    most = [show_limit(fit, bound) for bound in fit.bounds if not bound.least]
    least = [show_limit(fit, bound) for bound in fit.bounds if bound.least]
    parts = [f"at most {_join(most)}"] if most else []
    return _join([*parts, *([f"at least {_join(least)}"] if least else [])])


def _join(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def show_limit(fit: Fit, bound: Bound) -> str:
    """A limit with its unit: `150M MACs`, `2 MiB of peak memory`, `10 ms`."""
    name, limit = bound.quantity.name, int(bound.limit)
    if name == "memory":
        return f"{format_bytes(limit)} of peak memory"
    if name == "latency":
        return format_time(limit)
    if name == "top1":
        return f"{bound.limit:g}% top-1 accuracy"
    return f"{format_short(limit)} {name_quantity(fit, bound.quantity)}"


def name_quantity(fit: Fit, quantity: Quantity) -> str:
    """`MACs`, `FLOPs (flop_counter)`, `params`, `latency`."""
    if quantity.name in COUNTS:
        unit = choose_units(())
        return name_column(quantity, find_known_convention(fit.sweep), unit)
    return _NOUNS.get(quantity.name, quantity.title)


def describe_heading(fit: Fit) -> str:
    """What was looked for, among how many cells, and how many fit."""
    goal = "most" if fit.goal.most else "least"
    models = ", ".join(fit.sweep.models)
    order = f"; {goal} {name_quantity(fit, fit.goal.quantity)} first"
    several = len(fit.ranked) > 1
    return f"{models}, {describe_budget(fit)}: {_count_fitting(fit)}{order if several else ''}"


def _count_fitting(fit: Fit) -> str:
    """`8 of 16 cells fit`, or `4 of the 16 cells with known top-1 accuracy fit (124 have none)`."""
    number, total = len(fit.ranked), len(fit.known)
    cells, fits = f"cell{'s' * (total != 1)}", f"fit{'s' * (number == 1)}"
    unknown = len(fit.sweep.results) - total
    if not unknown:
        return f"{number:,} of {total:,} {cells} {fits}"
    lacking = [
        name_quantity(fit, quantity)
        for quantity in fit.wanted
        if any(quantity.amount(result) is None for result in fit.sweep.results)
    ]
    have = f"{unknown:,} {'has' if unknown == 1 else 'have'}"
    rest = f"{have} {'none' if len(lacking) == 1 else 'not all'}"
    return f"{number:,} of the {total:,} {cells} with known {_join(lacking)} {fits} ({rest})"


def list_quantities(fit: Fit) -> tuple[Quantity, ...]:
    """What a table shows of each cell: the goal, MACs and params, and what is limited."""
    limited = [bound.quantity for bound in fit.bounds]
    counts = [QUANTITIES[name] for name in ("macs", "params")]
    return tuple(dict.fromkeys([fit.goal.quantity, *counts, *limited]))


def list_lines(fit: Fit, results: Sequence[CellResult]) -> tuple[Lines, tuple[str, ...]]:
    """A heading, then a line a cell: a mark of the front, where it is, amounts, what is left.

    Besides the lines, the headings of columns that are no numbers.
    """
    names = list_places(fit, results)
    bounds = {bound.quantity: bound for bound in fit.bounds}
    known, unit = find_known_convention(fit.sweep), choose_units(fit.known)
    heads, quantities = [], list_quantities(fit)
    for quantity in quantities:
        left = POINTS if quantity.name == "top1" else LEFT
        heads += [name_column(quantity, known, unit), *([left] if quantity in bounds else [])]
    front = set(map(id, fit.front))
    lines: Lines = [(" ", *(names or (NETWORK,)), *heads)]
    for result in results:
        cells = []
        for quantity in quantities:
            cells.append(show_amount(quantity, result, unit))
            cells += [show_left(bounds[quantity], result)] if quantity in bounds else []
        mark = FRONT if id(result) in front else " "
        lines.append((mark, *list_place(result, names), *cells))
    texts = tuple(
        name for name in names if any(isinstance(find_value(own, name), str) for own in results)
    )
    return lines, (" ", *(texts if names else (NETWORK,)))


def list_places(fit: Fit, results: Sequence[CellResult]) -> list[str]:
    """The axes on which any of these cells stands."""
    names = list_axis_names(fit.sweep)
    return [name for name in names if any(find_value(own, name) is not None for own in results)]


def show_left(bound: Bound, result: CellResult) -> str:
    """How much of a limit a cell leaves, in per cent of it; below 0 where it is over.

    Of a limit of accuracy, which is in per cent itself, points.
    """
    excess = bound.find_excess(result)
    if excess is None:
        return "-"
    left = -excess * (bound.limit if bound.quantity.name == "top1" else 100)
    return f"{left:.1f}" if left > -_ROUGH else f"{left:,.0f}"


def list_sentences(fit: Fit) -> list[str]:
    """The best cell with its source, what keeps better ones out, and what lies between."""
    lines = [_describe_best(fit, fit.best)] if fit.best else list(_describe_nearest(fit))
    lines += list(_describe_binding(fit)) if fit.best else []
    lines += [_describe_between(fit, fit.between)] if fit.between else []
    return [*lines, *_describe_undecided(fit)]


def _describe_best(fit: Fit, best: CellResult) -> str:
    return f"Best: {name_cell(best)}: {describe_amounts(fit, best)}."


def describe_amounts(fit: Fit, result: CellResult) -> str:
    """`63.3% top-1 (source), 149,497,088 MACs, 1,331,592 params`."""
    parts = [_describe_amount(fit, quantity, result) for quantity in list_quantities(fit)]
    return ", ".join(part for part in parts if part)


def _describe_amount(fit: Fit, quantity: Quantity, result: CellResult) -> str:
    if quantity.name == "top1":
        known = result.accuracy
        return f"{known.text} top-1 ({known.source})" if known else ""
    if quantity.name == "latency":
        return f"latency {format_estimate(result.latency)}" if result.latency else ""
    amount = quantity.amount(result)
    if amount is None:
        return ""
    if quantity.name == "memory":
        return f"{format_bytes(int(amount))} of peak memory"
    return f"{format_count(int(amount))} {name_quantity(fit, quantity)}"


def _describe_nearest(fit: Fit) -> Iterator[str]:
    yield "No cell fits."
    if fit.better:
        nearest = fit.better[0]
        yield (
            f"Nearest: {name_cell(nearest)}: {describe_amounts(fit, nearest)}; "
            f"{_describe_excess(fit, nearest)}."
        )


def _describe_excess(fit: Fit, result: CellResult) -> str:
    """`MACs 10.9% over, params 29.3% over`."""
    parts = []
    for bound in fit.bounds:
        excess = bound.find_excess(result)
        if excess is not None and excess > 0:
            name = name_quantity(fit, bound.quantity)
            if bound.least:
                parts.append(f"{name} {excess * bound.limit:.1f} points below")
            else:
                parts.append(f"{name} {_describe_over(excess)}")
    return ", ".join(parts)


def _describe_over(excess: float) -> str:
    """`10.9% over`, `13.6 times the limit`, `13,570,048 times the limit`."""
    if excess < 1:
        return f"{100 * excess:.1f}% over"
    times = 1 + excess
    return f"{times:,.{0 if times >= _ROUGH else 1}f} times the limit"


def _describe_binding(fit: Fit) -> Iterator[str]:
    """Which limit keeps better cells out."""
    if not fit.better:
        yield "No limit binds: no cell of the grid is better."
        return
    binding = [(bound, best) for bound in fit.bounds if (best := fit.drop(bound))]
    for bound, best in binding:
        name = name_quantity(fit, bound.quantity)
        yield f"The limit of {name} binds: without it {name_cell(best)} {_show_goal(fit, best)}."
    nearest = fit.better[0]
    alone = "" if binding else "No limit alone keeps a better cell out. "
    yield (
        f"{alone}Nearest better cell: {name_cell(nearest)} {_show_goal(fit, nearest)}: "
        f"{_describe_excess(fit, nearest)}."
    )


def _show_goal(fit: Fit, result: CellResult) -> str:
    """`(65.3%)`, `(106,770,432 MACs)`."""
    if fit.goal.quantity.name == "top1" and result.accuracy:
        return f"({result.accuracy.text})"
    return f"({_describe_amount(fit, fit.goal.quantity, result)})"


def _describe_between(fit: Fit, own: Between) -> str:
    sides = [
        f"{name} {' and '.join(map(show_value, values))}"
        for name, values in own.sides.items()
        if len(values) > 1
    ]
    counts = [
        text
        for quantity in list_quantities(fit)
        if quantity.name not in ("top1", "latency")
        and (text := _describe_amount(fit, quantity, own.result))
    ]
    time = own.result.latency
    timed = f"; latency {format_estimate(time)}, measured" if time and fit.timed else ""
    return (
        f"Between the cells: {name_cell(own.result)}: {_join(counts)}, counted{timed}; "
        f"about {own.top1:.1f}% top-1, interpolated between {_join(sides)}, not measured. "
        f"{_describe_misses(own.misses)}"
    ).strip()


def _describe_misses(misses: Sequence[float]) -> str:
    """How far the interpolation is off where the answer is known."""
    if not misses:
        return ""
    ends = sorted({round(min(misses), 1), round(max(misses), 1)})
    shown = " to ".join(_describe_miss(end) for end in ends)
    return (
        f"Cells with neighbours on both sides, left out and interpolated alike, come out "
        f"{shown} (median: {_describe_miss(round(median(misses), 1))})."
    )


def _describe_miss(points: float) -> str:
    if not points:
        return "right to 0.1 points"
    return f"{abs(points):.1f} points too {'high' if points > 0 else 'low'}"


def _describe_undecided(fit: Fit) -> Iterator[str]:
    for bound in fit.bounds:
        if bound.quantity.name == "latency":
            unsure = [own for own in fit.ranked if own.latency and own.latency.high > bound.limit]
            if unsure:
                yield (
                    f"Latency of {name_cell(unsure[0])}"
                    f"{f' and {len(unsure) - 1} more' if len(unsure) > 1 else ''}: the interval "
                    "of its median reaches over the limit; more passes would decide."
                )


def describe_front(fit: Fit) -> str:
    """What the mark means."""
    goal, *limited = (name_quantity(fit, quantity) for quantity in fit.wanted)
    usual = fit.goal.most == fit.goal.quantity.more_is_better
    way = "" if usual else " (the most)" if fit.goal.most else " (the least)"
    return f"{FRONT} on the Pareto front of {_join([f'{goal}{way}', *limited])}."


def list_records(fit: Fit) -> Iterator[dict[str, Any]]:
    """Each cell of which all is known, as plain data: rank, place, amounts, what is left."""
    ranks = {id(result): rank for rank, result in enumerate(fit.ranked, 1)}
    front = {id(result) for result in fit.front}
    for result in (*fit.ranked, *(own for own in fit.known if id(own) not in ranks)):
        yield {
            "rank": ranks.get(id(result)),
            "on_front": id(result) in front,
            **record_cell(fit, result),
            "left": {
                rename(fit, bound.quantity.name): None if excess is None else -excess
                for bound in fit.bounds
                for excess in [bound.find_excess(result)]
            },
        }


def rename(fit: Fit, name: str) -> str:
    """The name of a quantity in a file: counts in FLOPs are `flops`."""
    known = find_known_convention(fit.sweep)
    return known.key if name == "macs" and known else name


def record_cell(fit: Fit, result: CellResult) -> dict[str, Any]:
    """A cell as plain data: model, axes, amounts of every quantity that is known."""
    amounts: Mapping[str, float | None] = {
        rename(fit, quantity.name): quantity.amount(result) for quantity in QUANTITIES.values()
    }
    accuracy = result.accuracy
    return {
        "model": result.cell.model,
        "point": dict(result.cell.point),
        "on": result.cell.on,
        "label": result.label,
        "amounts": {name: own for name, own in amounts.items() if own is not None},
        "top1_source": accuracy.source if accuracy else None,
    }
