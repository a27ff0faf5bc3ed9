"""Published figures beside counts for the page: a verdict each, the sources with their words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mobilenet_profiler.published.catalogue import list_sources
from mobilenet_profiler.published.figure import Figure
from mobilenet_profiler.render.figures import name_row
from mobilenet_profiler.render.page.tables import Block, Cell, Heading, Line, PageTable
from mobilenet_profiler.render.verdicts import show_exact
from mobilenet_profiler.units import format_count
from mobilenet_profiler.verification.verdicts import STATUSES, Verdict, Verification

_ARXIV = re.compile(r"\barXiv (\d{4}\.\d{4,5})\b")
_SAID = {"agrees": "agree", "known difference": "known", "differs": "differ", "listed": "listed"}
_HEADINGS = (
    Heading("figure", False, about="table and row of the source, and the quantity"),
    Heading("network", False),
    Heading("printed", about="as the source prints it"),
    Heading("counted", about="what is counted of the same network, exactly"),
    Heading("convention", False, about="what the printed number counts"),
    Heading("verdict", False),
)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many figures have a status."""

    status: str
    count: int
    text: str


def list_tallies(known: Verification) -> tuple[Tally, ...]:
    """Every status, also those of no figure where that is the point of it."""
    counts = known.count()
    shown = [name for name in STATUSES if counts[name] or name in ("agrees", "differs")]
    return tuple(Tally(name, counts[name], format_count(counts[name])) for name in shown)


def make_verdict_table(known: Verification, name: str) -> PageTable:
    """A row a figure, source by source, those that no count stands beside left out at first."""
    blocks = tuple(_make_block(source, part) for source, part in known.by_source().items())
    return PageTable(
        name,
        "Published figures beside what is counted",
        _HEADINGS,
        blocks,
        kind="verdict",
        minor="figures that nothing is counted for",
        noun="figures",
        folded=True,
    )


def _make_block(source: str, part: Verification) -> Block:
    lines = tuple(_make_line(verdict) for verdict in part.verdicts)
    return Block(lines, (_name_source(source), _sum_up(part)))


def _sum_up(part: Verification) -> Cell:
    """How many figures have each verdict."""
    counts = part.count()
    shown = [f"{format_count(count)} {_SAID[name]}" for name, count in counts.items() if count]
    return Cell(", ".join(shown))


def _name_source(source: str) -> Cell:
    """Its title, below it where it is to be read and what its numbers count."""
    known = next((own for own in list_sources() if own.name == source), None)
    if known is None:
        return Cell(source)
    found = _ARXIV.search(known.where)
    link = f"https://arxiv.org/abs/{found[1]}" if found else ""
    return Cell(known.title, about=f"Counts: {known.counts}.", link=link, place=known.where)


def _make_line(verdict: Verdict) -> Line:
    figure = verdict.figure
    how = f" ({verdict.how})" if verdict.how else ""
    told = verdict.status in ("differs", "known difference")
    reason = verdict.reason if told or verdict.reason != "not a count" else ""
    cells = (
        Cell(name_row(figure)),
        Cell(figure.model or "-"),
        Cell(figure.text, key=_find_key(figure)),
        Cell(show_exact(figure, verdict.exact)),
        Cell(figure.convention or "-"),
        Cell(f"{verdict.status}{how}", about=reason, tone=verdict.status.replace(" ", "-")),
    )
    return Line(cells, verdict.status, minor=verdict.status == "listed")


def _find_key(figure: Figure) -> float | None:
    """The printed number in ones, so that 4.2 M stands above 569,000; None for a text."""
    from mobilenet_profiler.errors import UsageError
    from mobilenet_profiler.published.figure import TEXTS, read_number

    if figure.quantity in TEXTS:
        return None
    try:
        return float(read_number(figure.printed, figure.unit)[0])
    except UsageError:
        return None
