"""The cells that a budget allows, the best first; what keeps better ones out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.interpolation import Surface, make_surface
from mobilenet_profiler.grid.pareto import find_front
from mobilenet_profiler.grid.quantities import QUANTITIES, Quantity, find_quantity
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.units import parse_amount, parse_bytes, parse_duration

if TYPE_CHECKING:
    import pandas

BOUNDED = ("macs", "params", "weights", "activations", "memory", "latency")
BETWEEN = ("alpha", "resolution")  # the axes between whose values one may look
ALPHA_STEP, RESOLUTION_STEP = 0.01, 16
_FEW = 20  # values of an axis; of more, those in steps are looked at alone
_TRIES = 5  # latencies that are measured to find one that fits

CountCell = Callable[[Cell], CellResult]


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a cell may have of a quantity, or the least.

    limit: counts, bytes, nanoseconds, per cent.
    """

    quantity: Quantity
    limit: float
    least: bool = False

    def find_excess(self, result: CellResult) -> float | None:
        """How far a cell is beyond the limit, as a part of it; 0 or below within."""
        amount = self.quantity.amount(result)
        if amount is None:
            return None
        return (self.limit - amount if self.least else amount - self.limit) / self.limit

    def allows(self, result: CellResult) -> bool:
        """Whether a cell is within; one whose amount is not known is not."""
        excess = self.find_excess(result)
        return excess is not None and excess <= 0


@dataclass(frozen=True, slots=True)
class Goal:
    """What one wants most of, or least."""

    quantity: Quantity
    most: bool

    def place(self, result: CellResult) -> float:
        """Where a cell that has an amount stands: the best first."""
        amount = self.quantity.amount(result)
        assert amount is not None
        return -amount if self.most else amount


@dataclass(frozen=True, slots=True)
class Between:
    """A network between the cells of a grid, within the budget.

    result: counted, and timed where there is a limit of latency, like any cell; it has no
    accuracy. top1: per cent, interpolated. sides: the values between which it lies, by axis.
    misses: by how many points each cell between two others would be missed by the same
    interpolation, if it were not known; above 0 where too much.
    """

    result: CellResult
    top1: float
    sides: Mapping[str, tuple[float, ...]]
    misses: tuple[float, ...]


@dataclass(frozen=True)
class Fit:
    """A grid under a budget.

    sweep: the cells among which one looks. bounds: the budget. goal: what is wanted.
    between: the best between its cells where that is better than any; None where none is.
    """

    sweep: Sweep
    bounds: tuple[Bound, ...]
    goal: Goal
    between: Between | None = None

    def __bool__(self) -> bool:
        return self.best is not None

    @property
    def timed(self) -> bool:
        """Whether latency is limited."""
        return any(bound.quantity.name == "latency" for bound in self.bounds)

    @property
    def best(self) -> CellResult | None:
        """The best cell within the budget."""
        return self.ranked[0] if self.ranked else None

    @cached_property
    def ranked(self) -> tuple[CellResult, ...]:
        """The cells within the budget, the best first; of equal ones that with fewer MACs."""
        within = [result for result in self.known if self.allows(result)]
        return tuple(sorted(within, key=self._rank))

    @cached_property
    def known(self) -> tuple[CellResult, ...]:
        """The cells of which the goal is known, and everything that is limited."""
        return tuple(
            result
            for result in self.sweep.results
            if all(quantity.amount(result) is not None for quantity in self.wanted)
        )

    @property
    def wanted(self) -> tuple[Quantity, ...]:
        """The goal and what is limited, each once."""
        limited = (bound.quantity for bound in self.bounds)
        return tuple(dict.fromkeys((self.goal.quantity, *limited)))

    @cached_property
    def front(self) -> tuple[CellResult, ...]:
        """Those within to which none is better in the goal and in all that is limited."""
        goal, *limited = self.wanted
        return find_front(self.ranked, (replace(goal, more_is_better=self.goal.most), *limited))

    @cached_property
    def better(self) -> tuple[CellResult, ...]:
        """The cells outside that would be better than the best, the nearest first.

        All cells outside where none is within.
        """
        best = self.best
        outside = [result for result in self.known if not self.allows(result)]
        if best is not None:
            place = self.goal.place(best)
            outside = [result for result in outside if self.goal.place(result) < place]
        return tuple(
            sorted(outside, key=lambda result: (self.find_excess(result), *self._rank(result)))
        )

    def allows(self, result: CellResult) -> bool:
        """Whether a cell is within the whole budget."""
        return all(bound.allows(result) for bound in self.bounds)

    def find_excess(self, result: CellResult) -> float:
        """How far a cell is beyond the limit that it exceeds most, as a part of that."""
        return max(bound.find_excess(result) or 0.0 for bound in self.bounds)

    def drop(self, bound: Bound) -> CellResult | None:
        """The best cell without one of the limits, where that is better than the best."""
        bounds = tuple(own for own in self.bounds if own is not bound)
        best = replace(self, bounds=bounds, between=None).best
        if best is None or (self.best and self.goal.place(best) >= self.goal.place(self.best)):
            return None
        return best

    def _rank(self, result: CellResult) -> tuple[float, ...]:
        macs = QUANTITIES["macs"].amount(result)
        return (self.goal.place(result), 0.0 if macs is None else macs)

    def frame(self) -> pandas.DataFrame:
        """The cells within as `Sweep.frame` has them, the best first, and left_macs and so on.

        What a cell leaves of a limit is a part of it.
        """
        from mobilenet_profiler.frames import frame_fit

        return frame_fit(self)

    def __str__(self) -> str:
        from mobilenet_profiler.render.fit import render_text

        return render_text(self, width=100)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.fit import render_html

        return render_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def parse_bounds(given: Mapping[str, object], prefix: str = "max_") -> tuple[Bound, ...]:
    """The limits that were given, by quantity, 'min_accuracy' among them. Raises UsageError."""
    bounds = [
        Bound(QUANTITIES[name], _parse_limit(name, f"{prefix}{name}", value))
        for name in BOUNDED
        if (value := given.get(name)) is not None
    ]
    least = given.get("min_accuracy")
    if least is not None:
        what = f"{prefix.replace('max', 'min')}accuracy"
        bounds.append(Bound(QUANTITIES["top1"], _parse_percent(what, least), least=True))
    return tuple(bounds)


def _parse_limit(name: str, what: str, value: object) -> int:
    if name == "memory":
        return parse_bytes(what, value)
    return parse_duration(what, value) if name == "latency" else parse_amount(what, value)


def _parse_percent(what: str, value: object) -> float:
    text = str(value).strip().removesuffix("%")
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 100:
        raise UsageError(f"{what} must be in per cent, such as 65 or 70.6%, given {value!r}")
    return number


def make_goal(maximize: str | None = None, minimize: str | None = None) -> Goal:
    """What is wanted; accuracy where nobody says. Raises UsageError."""
    if maximize is not None and minimize is not None:
        raise UsageError(f"give maximize or minimize, given {maximize!r} and {minimize!r}")
    if minimize is not None:
        return Goal(find_quantity(minimize), most=False)
    return Goal(find_quantity(maximize or "accuracy"), most=True)


def find_fit(sweep: Sweep, bounds: Sequence[Bound], goal: Goal) -> Fit:
    """A grid under a budget. Raises UsageError without a limit, or where nothing can be told.

    That is where no cell has an amount of the goal, or of a quantity that is limited.
    """
    if not bounds:
        raise UsageError("no budget: give a limit, such as max_macs or max_params")
    fit = Fit(sweep, tuple(bounds), goal)
    for quantity in fit.wanted:
        if all(quantity.amount(result) is None for result in sweep.results):
            raise UsageError(f"no cell of this grid has a known {quantity.name}{_advise(quantity)}")
    return fit


def _advise(quantity: Quantity) -> str:
    hints = {
        "top1": ": give accuracies of your own in a CSV file, or minimize another quantity",
        "memory": ": ask for memory when the sweep is made",
        "latency": ": ask for latency when the sweep is made",
    }
    return hints.get(quantity.name, "")


def look_between(fit: Fit, count_cell: CountCell, time_cell: CountCell | None = None) -> Fit:
    """The same with the best network between the cells, where that is better than any cell.

    It lies between alphas and resolutions of which accuracies are known, in steps of
    ALPHA_STEP and RESOLUTION_STEP, within the budget by its own counts; its accuracy is
    interpolated, never extrapolated. The goal is accuracy, or the least of what is counted at
    a least accuracy; with any other there is none. count_cell: what a cell costs, exactly.
    time_cell: the same with its latency measured, needed where that is limited.
    """
    if not _can_look_between(fit) or (fit.timed and time_cell is None):
        return fit
    search = _search if fit.goal.most else _search_least
    found = [
        own for group in _list_groups(fit) if (own := search(fit, group, count_cell, time_cell))
    ]
    best = min(found, key=lambda own: _place_between(fit, own), default=None)
    return fit if best is None or not _improves(fit, best) else replace(fit, between=best)


def _can_look_between(fit: Fit) -> bool:
    """Whether what is wanted is accuracy, or the least of a count that has to reach one."""
    if fit.goal.most:
        return fit.goal.quantity.name == "top1"
    counted = fit.goal.quantity.name not in ("top1", "latency")
    return counted and any(bound.least for bound in fit.bounds)


def _place_between(fit: Fit, own: Between) -> float:
    """Where it stands: the best first."""
    return -own.top1 if fit.goal.most else fit.goal.place(own.result)


def _improves(fit: Fit, own: Between) -> bool:
    """Whether it is better than every cell, and as accurate as it has to be."""
    if any(bound.least and own.top1 < bound.limit for bound in fit.bounds):
        return False
    if fit.goal.most:
        return round(own.top1, 1) > _find_floor(fit)
    return fit.best is None or fit.goal.place(own.result) < fit.goal.place(fit.best)


def _find_floor(fit: Fit) -> float:
    """The accuracy that there is already within the budget."""
    return fit.best.accuracy.percent if fit.best and fit.best.accuracy else 0.0


@dataclass(frozen=True, slots=True)
class _Group:
    """The cells of one network that differ in alpha and resolution alone.

    cell: one of them. accuracy, latency: over both axes.
    """

    cell: Cell
    accuracy: Surface
    latency: Surface


def _list_groups(fit: Fit) -> Iterator[_Group]:
    groups: dict[str, list[CellResult]] = {}
    for result in fit.sweep.results:
        point = {name: own for name, own in result.cell.point.items() if name not in BETWEEN}
        groups.setdefault(repr((result.cell.model, point, result.cell.on)), []).append(result)
    for results in groups.values():
        names = [name for name in BETWEEN if all(_is_size(own, name) for own in results)]
        accuracy = _make_surface(results, names, QUANTITIES["top1"])
        if any(map(_has_gaps, names, accuracy.values)):
            yield _Group(
                results[0].cell, accuracy, _make_surface(results, names, QUANTITIES["latency"])
            )


def _has_gaps(name: str, values: Sequence[float]) -> bool:
    """Whether steps lie between the values of an axis."""
    step = ALPHA_STEP if name == "alpha" else RESOLUTION_STEP
    return any(above - below > 1.5 * step for below, above in pairwise(values))


def _is_size(result: CellResult, name: str) -> bool:
    value = result.cell.point.get(name)
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _make_surface(results: Sequence[CellResult], names: Sequence[str], of: Quantity) -> Surface:
    amounts = {
        tuple(float(own.cell.point[name]) for name in names): amount
        for own in results
        if (amount := of.amount(own)) is not None
    }
    return make_surface(names, amounts)


def _search(
    fit: Fit, group: _Group, count_cell: CountCell, time_cell: CountCell | None
) -> Between | None:
    """The best of a group within the budget."""
    counted = _Counted(group, count_cell)
    bounds = _list_counted(fit)
    places = [place for line in _list_lines(group) for place in _cut(line, counted, bounds)]
    found = [(top1, place) for place in places if (top1 := group.accuracy.find(place)) is not None]
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    if not fit.timed or time_cell is None:
        chosen = ((top1, place, counted.find(place)) for top1, place in found)
        best = next(((top1, place, own) for top1, place, own in chosen if own.cost), None)
    else:
        best = _find_fast(fit, group, found, counted, time_cell)
    return _make_between(group, *best) if best else None


def _list_counted(fit: Fit) -> list[Bound]:
    """The limits of what a count tells."""
    return [bound for bound in fit.bounds if bound.quantity.name not in ("latency", "top1")]


def _search_least(
    fit: Fit, group: _Group, count_cell: CountCell, time_cell: CountCell | None
) -> Between | None:
    """The least of a group that is as accurate as it has to be: costs grow along a line."""
    counted, bounds = _Counted(group, count_cell), _list_counted(fit)
    least = max(bound.limit for bound in fit.bounds if bound.least)
    found = []
    for line in _list_lines(group):
        tops = ((group.accuracy.find(place), place) for place in line)
        known = ((top1, place) for top1, place in tops if top1 is not None and top1 >= least)
        for top1, place in islice(known, 1):
            result = counted.find(place)
            known_there = fit.goal.quantity.amount(result) is not None
            if known_there and all(bound.allows(result) for bound in bounds):
                found.append((top1, place, result))
    found.sort(key=lambda own: fit.goal.place(own[2]))
    if fit.timed and time_cell is not None:
        timed = ((top1, place, time_cell(own.cell)) for top1, place, own in found[:_TRIES])
        (limit,) = (bound for bound in fit.bounds if bound.quantity.name == "latency")
        found = list(islice((own for own in timed if limit.allows(own[2])), 1))
    return _make_between(group, *found[0]) if found else None


@dataclass
class _Counted:
    """Counts the cells of a group, each once."""

    group: _Group
    count_cell: CountCell

    def __post_init__(self) -> None:
        self._known: dict[tuple[float, ...], CellResult] = {}

    def find(self, place: tuple[float, ...]) -> CellResult:
        """What the cell at a place costs."""
        if place not in self._known:
            self._known[place] = self.count_cell(self.make_cell(place))
        return self._known[place]

    def make_cell(self, place: tuple[float, ...]) -> Cell:
        """The cell at a place; a resolution is a whole number."""
        point: dict[str, Any] = dict(self.group.cell.point)
        for name, value in zip(self.group.accuracy.names, place, strict=True):
            point[name] = int(value) if name == "resolution" else value
        return replace(self.group.cell, point=point)


def _list_lines(group: _Group) -> Iterator[Sequence[tuple[float, ...]]]:
    """Places for each resolution, from the least to the largest alpha."""
    values = dict(zip(group.accuracy.names, group.accuracy.values, strict=True))
    alphas = _list_steps(values.get("alpha", ()), ALPHA_STEP)
    sizes = _list_steps(values.get("resolution", ()), RESOLUTION_STEP)
    if "resolution" not in values:
        yield [(alpha,) for alpha in alphas]
    elif "alpha" not in values:
        yield [(size,) for size in sizes]
    else:
        yield from ([(alpha, size) for alpha in alphas] for size in sizes)


def _list_steps(values: Sequence[float], step: float) -> list[float]:
    """From the least value to the largest in steps; the values too, where they are few."""
    if not values:
        return []
    first, last = values[0], values[-1]
    steps = (round(first + index * step, 6) for index in range(int((last - first) / step) + 2))
    own = values if len(values) <= _FEW else values[-1:]
    return sorted({*own, *(value for value in steps if value <= last)})


def _cut(
    line: Sequence[tuple[float, ...]], counted: _Counted, bounds: Sequence[Bound]
) -> Sequence[tuple[float, ...]]:
    """The places of a line within all limits: costs grow along it."""
    first, last = 0, len(line)
    while first < last:
        middle = (first + last) // 2
        if all(bound.allows(counted.find(line[middle])) for bound in bounds):
            first = middle + 1
        else:
            last = middle
    return line[:first]


def _find_fast(
    fit: Fit,
    group: _Group,
    found: Sequence[tuple[float, tuple[float, ...]]],
    counted: _Counted,
    time_cell: CountCell,
) -> tuple[float, tuple[float, ...], CellResult] | None:
    """The most accurate place that is measured to be fast enough.

    What lies around it says which are worth a measurement, and each measurement how much
    that is off.
    """
    (limit,) = (bound.limit for bound in fit.bounds if bound.quantity.name == "latency")
    allowed, floor = limit, _find_floor(fit)
    for _ in range(_TRIES):
        fast = (
            (top1, place, guess)
            for top1, place in found
            if (guess := group.latency.find(place)) is not None and guess <= allowed
        )
        top1, place, guess = next(fast, (0.0, (), 0.0))
        if not place or top1 <= floor:
            return None
        result = time_cell(counted.make_cell(place))
        if result.latency and result.latency.value <= limit:
            return top1, place, result
        slower = result.latency.value / limit if result.latency else 2.0
        allowed = min(guess / slower, 0.98 * guess)
    return None


def _make_between(
    group: _Group, top1: float, place: tuple[float, ...], result: CellResult
) -> Between:
    sides = group.accuracy.find_sides(place) or ()
    misses = tuple(group.accuracy.find_misses().values())
    return Between(result, top1, dict(zip(group.accuracy.names, sides, strict=True)), misses)
