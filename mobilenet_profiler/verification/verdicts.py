"""Figures beside counts: a verdict each, with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.published.figure import (
    TEXTS,
    UNITS,
    Difference,
    Figure,
    Reading,
    read_number,
)
from mobilenet_profiler.spec import ModelSpec, read_spec
from mobilenet_profiler.units import format_decimal
from mobilenet_profiler.verification.measures import Exact, Measured, measure
from mobilenet_profiler.verification.rule import cut_place, judge

Status = Literal["agrees", "known difference", "differs", "listed"]
STATUSES: tuple[Status, ...] = ("agrees", "known difference", "differs", "listed")
TraceOf = Callable[[ModelSpec], Trace]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one figure.

    status: 'agrees'; 'known difference', which its source explains; 'differs'; or 'listed',
    where nothing is counted that it could be put beside. exact: what was counted: a number
    in ones, a share of one, or a text; None where nothing was. how: 'exact', 'rounded',
    'truncated' or 'rounded up' where it agrees. reason: a sentence, where it does not.
    """

    figure: Figure
    status: Status
    exact: Exact | None = None
    how: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Verification:
    """The verdicts of one run, in the order of their figures."""

    verdicts: tuple[Verdict, ...]

    def __add__(self, other: Verification) -> Verification:
        return Verification(self.verdicts + other.verdicts)

    def __bool__(self) -> bool:
        return self.agrees

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, known differences aside; `bool` of it is the same."""
        return not self.select("differs")

    def select(self, status: Status) -> tuple[Verdict, ...]:
        """The verdicts of one status."""
        return tuple(verdict for verdict in self.verdicts if verdict.status == status)

    def count(self) -> Mapping[str, int]:
        """How many figures have each status, in the order of STATUSES."""
        found = Counter(verdict.status for verdict in self.verdicts)
        return {status: found[status] for status in STATUSES}

    def by_source(self) -> Mapping[str, Verification]:
        """The same, a source at a time."""
        sources = dict.fromkeys(verdict.figure.source for verdict in self.verdicts)
        return {
            source: Verification(
                tuple(verdict for verdict in self.verdicts if verdict.figure.source == source)
            )
            for source in sources
        }

    def __str__(self) -> str:
        from mobilenet_profiler.render.table import draw_text
        from mobilenet_profiler.render.verdicts import render_verification

        return draw_text(render_verification(self, 100, every=True), 100)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.verdicts import render_html

        return render_html(self)


class Networks:
    """The networks that figures speak of, each traced and counted once.

    trace_of: gives the trace of a spec. settings: what `read_spec` takes beside a figure's
    text. given: traces that there are already, by the text that figures name them by.
    """

    def __init__(
        self,
        trace_of: TraceOf,
        settings: Mapping[str, Any] | None = None,
        given: Mapping[str, Trace] | None = None,
    ) -> None:
        self._trace_of = trace_of
        self._settings = settings or {}
        self._given = {text: Measured(trace) for text, trace in (given or {}).items()}
        self._known: dict[str, Measured] = {}

    def find(self, model: str, options: Mapping[str, Any] | None = None) -> Measured:
        """The measured network of a text. options: of the network, over its own."""
        if model in self._given and not options:
            return self._given[model]
        spec = read_spec(model, **self._settings)
        if options:
            spec = replace(spec, options={**spec.options, **options})
        key = repr((spec.model, spec.options, spec.mode, spec.inputs_from, spec.known_inputs))
        if key not in self._known:
            self._known[key] = Measured(self._trace_of(spec))
        return self._known[key]


def verify_figures(figures: Iterable[Figure], networks: Networks) -> Verification:
    """A verdict for each figure.

    Raises UsageError, with its line, where a user's figure names a network, a layer or a
    convention that there is not; a published one differs then.
    """
    return Verification(tuple(verify_figure(figure, networks) for figure in figures))


def verify_figure(figure: Figure, networks: Networks) -> Verdict:
    """The verdict on one figure."""
    if not figure.counted:
        reason = "no such network is built here" if not figure.model else "not a count"
        return Verdict(figure, "listed", reason=reason)
    try:
        exact = measure_figure(figure, networks)
        if figure.difference is None:
            return _judge_plain(figure, exact)
        return _judge_difference(figure, figure.difference, exact, networks)
    except UsageError as error:
        if figure.line:
            raise UsageError(f"{figure.line}: {error}") from None
        return Verdict(figure, "differs", reason=str(error))


def measure_figure(
    figure: Figure, networks: Networks, options: Mapping[str, Any] | None = None
) -> Exact:
    """What is counted of a figure's network. options: of the network, over its own."""
    known = networks.find(figure.model, options)
    return measure(known, figure.quantity, figure.of, figure.convention)


def compare_printed(exact: Exact, figure: Figure, digits: int | None = None) -> str | None:
    """How a printed figure came from what was counted, or None where they do not agree."""
    if isinstance(exact, str) or figure.quantity in TEXTS:
        return "exact" if exact == figure.printed else None
    printed, place = read_number(figure.printed, figure.unit)
    return judge(exact, printed, cut_place(printed, place, digits))


def _judge_plain(figure: Figure, exact: Exact) -> Verdict:
    how = compare_printed(exact, figure)
    if how is None:
        return Verdict(figure, "differs", exact, reason=describe_gap(figure, exact))
    return Verdict(figure, "agrees", exact, how)


def describe_gap(figure: Figure, exact: Exact) -> str:
    """How far a count is from the printed number, beside what the rule allows."""
    if isinstance(exact, str):
        return f"printed {figure.printed!r}, but it is {exact!r}"
    printed, place = read_number(figure.printed, figure.unit)
    scale = UNITS[figure.unit]
    gap, allowed = abs(exact - printed) / scale, place / scale
    side = "more" if exact > printed else "less"
    amount = f"{_show_amount(gap)} {figure.unit}".strip()
    return f"{amount} {side} than printed; less than {_show_amount(allowed)} would agree"


def _show_amount(amount: Fraction) -> str:
    """A number to four places at the most, without zeros at its end."""
    text = format_decimal(amount, 4)
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _judge_difference(
    figure: Figure, known: Difference, exact: Exact, networks: Networks
) -> Verdict:
    """A known difference holds for one printed string and one count, and must explain it."""
    broken = next(_list_breaches(figure, known, exact, networks), None)
    if broken is not None:
        return Verdict(figure, "differs", exact, reason=broken)
    return Verdict(figure, "known difference", exact, reason=known.reason)


def _list_breaches(
    figure: Figure, known: Difference, exact: Exact, networks: Networks
) -> Iterator[str]:
    if figure.printed != known.printed:
        yield f"its known difference speaks of {known.printed!r}, given {figure.printed!r}"
    if compare_printed(exact, figure) is not None:
        yield "it agrees, but is listed as a known difference: take it off the list"
    if exact != read_count(known.count, figure):
        yield f"its known difference speaks of a count of {known.count}"
    if known.instead is not None and not fits_reading(figure, known.instead, networks):
        yield f"its known difference does not explain it: {known.reason}"


def read_count(text: str, figure: Figure) -> Exact:
    """A count as a known difference has it: `568740352`, `10838016/568740352`, or a text."""
    if figure.quantity in TEXTS:
        return text
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"count {text!r} is no whole number and no ratio of two") from None


def fits_reading(figure: Figure, reading: Reading, networks: Networks) -> bool:
    """Whether a figure agrees when it is read in that other way."""
    exact = measure_reading(figure, reading, networks)
    return compare_printed(exact, apply_reading(figure, reading), reading.digits) is not None


def measure_reading(figure: Figure, reading: Reading, networks: Networks) -> Exact:
    """What is counted where a figure is read in that other way."""
    exact = measure_figure(apply_reading(figure, reading), networks, reading.options)
    return exact if isinstance(exact, str) else exact * reading.times + reading.plus


def apply_reading(figure: Figure, reading: Reading) -> Figure:
    """The figure with what the reading puts in the place of its own."""
    return replace(
        figure,
        model=reading.model or figure.model,
        convention=reading.convention or figure.convention,
        quantity=reading.quantity or figure.quantity,
        of=figure.of if reading.of is None else reading.of,
        unit=figure.unit if reading.unit is None else reading.unit,
        printed=reading.printed or figure.printed,
    )
