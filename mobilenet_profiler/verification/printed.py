"""Published tables as they print, with what is counted beside each number. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mobilenet_profiler.errors import unknown_name
from mobilenet_profiler.published.catalogue import find_source, list_figures
from mobilenet_profiler.published.figure import Figure, Source
from mobilenet_profiler.verification.verdicts import (
    Networks,
    TraceOf,
    Verdict,
    Verification,
    verify_figures,
)

ALL = "all"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table was printed.

    title: what it shows, in words. heading: of its rows.
    source, place: of its figures. columns: the heading of each quantity, in its order.
    """

    title: str
    heading: str
    source: str
    place: str
    columns: Mapping[str, str]


_PAPER = {"top1": "ImageNet accuracy", "macs": "million mult-adds", "params": "million params"}
PLACES: Mapping[str, Place] = {
    "3": Place(
        "Resource usage for modifications to standard convolution",
        "layer or modification",
        "mobilenet_v1_paper",
        "Table 3",
        {name: _PAPER[name] for name in ("macs", "params")},
    ),
    "6": Place("Width multiplier", "width multiplier", "mobilenet_v1_paper", "Table 6", _PAPER),
    "7": Place("Resolution", "resolution", "mobilenet_v1_paper", "Table 7", _PAPER),
    "checkpoints": Place(
        "The 16 checkpoints",
        "checkpoint",
        "mobilenet_v1_md",
        "float",
        {
            "macs": "MACs, M",
            "params": "params, M",
            "top1": "top-1",
            "top5": "top-5",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """One row: its name as printed, and the verdict on each of its numbers, by quantity."""

    subject: str
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A table as it was printed, with what is counted of each number in it."""

    place: Place
    rows: tuple[PrintedRow, ...]

    @property
    def source(self) -> Source:
        """The paper or the file, with its revision."""
        return find_source(self.place.source)

    @property
    def known(self) -> Verification:
        """The verdicts on the numbers that are counts; accuracies are not."""
        verdicts = (verdict for row in self.rows for verdict in row.verdicts.values())
        return Verification(tuple(own for own in verdicts if own.figure.counted))


def choose_places(names: Sequence[str]) -> tuple[Place, ...]:
    """The tables of these names, each once; 'all' is every one. Raises UsageError."""
    for name in names:
        if name not in (*PLACES, ALL):
            raise unknown_name("table", name, (*PLACES, ALL))
    wanted = PLACES if ALL in names else dict.fromkeys(names)
    return tuple(PLACES[name] for name in wanted)


def make_printed(names: Sequence[str], trace_of: TraceOf) -> tuple[PrintedTable, ...]:
    """The tables of these names beside what is counted of the networks they speak of.

    trace_of: gives the trace of a spec. Raises UsageError for a table that there is not.
    """
    places, networks = choose_places(names), Networks(trace_of)
    return tuple(_make_table(place, networks) for place in places)


def _make_table(place: Place, networks: Networks) -> PrintedTable:
    figures = [own for own in list_figures(source=place.source) if own.place == place.place]
    verdicts = verify_figures(figures, networks).verdicts
    subjects = dict.fromkeys(figure.subject for figure in figures)
    return PrintedTable(place, tuple(_make_row(name, verdicts) for name in subjects))


def _make_row(subject: str, verdicts: Iterable[Verdict]) -> PrintedRow:
    own = {own.figure.quantity: own for own in verdicts if own.figure.subject == subject}
    return PrintedRow(subject, own)


def show_printed(figure: Figure) -> str:
    """The number alone where its unit stands in the heading: `569`, `70.6%`."""
    return f"{figure.printed}%" if figure.unit == "%" else figure.printed
