"""Verdicts on published figures: terminal, Markdown, CSV, JSON, JUnit."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from html import escape

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mobilenet_profiler.columns import fit_lines
from mobilenet_profiler.published.figure import TEXTS, Figure
from mobilenet_profiler.render.compare import write_html
from mobilenet_profiler.render.figures import name_row
from mobilenet_profiler.render.json import SCHEMA_VERSION
from mobilenet_profiler.render.table import add_text_column, start_table
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.units import format_count, format_decimal
from mobilenet_profiler.verification.measures import Exact
from mobilenet_profiler.verification.verdicts import STATUSES, Verdict, Verification

NOTE = "agrees: the count is less than one unit of the last printed place away."
LISTED_NOTE = "listed: accuracies, times and networks that are not built here."
HINT = "--explain FIGURE shows which convention a figure would fit."
_VERBS = {
    "agrees": ("agrees", "agree"),
    "known difference": ("known difference", "known differences"),
    "differs": ("differs", "differ"),
    "listed": ("listed", "listed"),
}
_STYLES = {"differs": "bold red", "known difference": "yellow", "listed": "dim"}
_LEAST_NEEDED = (5, 4, 1)  # columns of the summary
_TEXT_HEADINGS = ("figure", "network", "printed", "counted", "convention", "verdict")
_EXACT_HEADINGS = ("figure", "printed", "counted", "verdict")


def render_verification(known: Verification, width: int, every: bool = False) -> Group:
    """Counts by source, what differs, what is known to, and a line of counts.

    every: each figure too, source by source.
    """
    parts: list[RenderableType] = []
    if every:
        parts += _list_sources(known, width)
    else:
        parts += [_make_summary(known, width), Text()]
    parts += _list_differing(known)
    parts += [] if every else _list_known(known)
    notes = [NOTE, LISTED_NOTE if known.select("listed") else "", "" if known.agrees else HINT]
    note = " ".join(filter(None, notes))
    return Group(*parts, Text(count_verdicts(known), style="bold"), Text(note, style="dim"))


def count_verdicts(known: Verification) -> str:
    """`40 figures: 36 agree (20 exact, 10 rounded, 6 truncated), 4 known differences, 0 differ.`"""
    ways = Counter(verdict.how for verdict in known.select("agrees"))
    shown = ", ".join(f"{count} {how}" for how, count in ways.most_common())
    parts = []
    for status, number in known.count().items():
        if number or status in ("agrees", "differs"):
            text = f"{number:,} {_VERBS[status][number != 1]}"
            parts.append(f"{text} ({shown})" if status == "agrees" and shown else text)
    total = len(known.verdicts)
    return f"{total:,} figure{'s' * (total != 1)}: {', '.join(parts)}."


def show_exact(figure: Figure, exact: Exact | None) -> str:
    """What was counted, as text: whole numbers whole, shares in per cent, ratios to 4 places."""
    if exact is None:
        return "-"
    if isinstance(exact, str):
        return exact
    if figure.unit == "%":
        return f"{format_decimal(100 * exact, 4)} %"
    return format_count(int(exact)) if exact.denominator == 1 else format_decimal(exact, 4)


def _make_summary(known: Verification, width: int) -> Table:
    lines: list[tuple[str, ...]] = [("source", "agree", "known", "differ", "listed", "figures")]
    for source, part in known.by_source().items():
        lines.append((source, *map(format_count, part.count().values()), _count(part)))
    total = ("total", *map(format_count, known.count().values()), _count(known))
    table = start_table()
    kept = fit_lines([*lines, total], width, _LEAST_NEEDED)
    for index in kept:
        column = [line[index] for line in (*lines, total)]
        add_text_column(table, column, numeric=index > 0)
        table.columns[-1].footer = Text(column[-1])
    for line in lines[1:]:
        style = "bold red" if line[3] != "0" else ""
        table.add_row(*(Text(line[index]) for index in kept), style=style)
    return table


def _count(known: Verification) -> str:
    return format_count(len(known.verdicts))


def _list_differing(known: Verification) -> Iterator[RenderableType]:
    for verdict in known.select("differs"):
        figure = verdict.figure
        yield Text(f"differs: {name_figure(figure)}", style=_STYLES["differs"])
        yield _indent(describe_numbers(verdict))
        yield _indent(verdict.reason)
        yield Text()


def name_figure(figure: Figure) -> str:
    """Its name, after the line of the file that it stands in."""
    return f"{figure.line}: {figure.name}" if figure.line else figure.name


def describe_numbers(verdict: Verdict) -> str:
    """`mobilenet_v1 alpha=0.75: macs printed 317 M, counted 325,401,216 in mobilenet_v1_md`."""
    figure = verdict.figure
    of = f" of {figure.of}" if figure.of else ""
    counts = figure.convention if figure.quantity not in TEXTS else ""
    convention = f" by convention {counts}" if counts else ""
    counted = show_exact(figure, verdict.exact)
    return (
        f"{figure.model}: {figure.quantity}{of} printed {figure.text}, "
        f"counted {counted}{convention}"
    )


def _list_known(known: Verification) -> Iterator[RenderableType]:
    """Each reason once, below the figures that it explains."""
    groups = group_reasons(known)
    if groups:
        yield Text("known differences", style=_STYLES["known difference"])
    for reason, verdicts in groups.items():
        for verdict in verdicts:
            numbers = f"{verdict.figure.text}, counted {show_exact(verdict.figure, verdict.exact)}"
            yield _indent(f"{verdict.figure.name}: {numbers}")
        yield _indent(reason, style="dim", by=4)
        yield Text()


def group_reasons(known: Verification) -> dict[str, list[Verdict]]:
    """The known differences by what explains them."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in known.select("known difference"):
        groups.setdefault(verdict.reason, []).append(verdict)
    return groups


def _list_sources(known: Verification, width: int) -> Iterator[RenderableType]:
    for source, part in known.by_source().items():
        yield Text(source, style="bold")
        yield _make_table(part.verdicts, width)
        for reason, verdicts in group_reasons(part).items():
            names = ", ".join(name_row(verdict.figure) for verdict in verdicts)
            yield _indent(f"{names}: {reason}", style="yellow")
        yield Text()


def _make_table(verdicts: Sequence[Verdict], width: int) -> Table:
    lines = [_EXACT_HEADINGS, *map(_list_cells, verdicts)]
    table = start_table(footer=False)
    for column in zip(*lines, strict=True):
        add_text_column(table, column, numeric=column[0] in ("printed", "counted"))
    for line, verdict in zip(lines[1:], verdicts, strict=True):
        table.add_row(*map(Text, line), style=_STYLES.get(verdict.status, ""))
    return table


def _list_cells(verdict: Verdict) -> tuple[str, ...]:
    figure = verdict.figure
    counted = show_exact(figure, verdict.exact)
    shown = verdict.how or verdict.status
    return (name_row(figure), figure.text, counted, shown)


def _indent(text: str, style: str = "", by: int = 2) -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, by))


def render_verification_markdown(known: Verification, every: bool = False) -> str:
    """Counts by source, then what differs and what is known to, as tables."""
    heads = ("source", *STATUSES, "figures")
    rows = [
        (source, *map(format_count, part.count().values()), _count(part))
        for source, part in (*known.by_source().items(), ("total", known))
    ]
    parts = [_write_table(heads, rows, numeric=range(1, len(heads)))]
    shown = [*known.select("differs"), *known.select("known difference")]
    if every:
        shown = list(known.verdicts)
    if shown:
        parts.append(_write_table(_TEXT_HEADINGS, map(_list_texts, shown), numeric=(2, 3)))
    return "\n".join([*parts, f"{escape_markdown(count_verdicts(known))}\n"])


def render_html(known: Verification) -> str:
    """Every figure in a table for a notebook, every text escaped, and the line of counts."""
    lines = [_TEXT_HEADINGS, *map(_list_texts, known.verdicts)]
    texts = [name for name in _TEXT_HEADINGS if name not in ("printed", "counted")]
    return f"{write_html(lines, texts)}<p>{escape(count_verdicts(known))}</p>"


def _list_texts(verdict: Verdict) -> tuple[str, ...]:
    figure, how = verdict.figure, f" ({verdict.how})" if verdict.how else ""
    reason = f": {verdict.reason}" if verdict.reason else ""
    counted = show_exact(figure, verdict.exact)
    return (
        *(name_figure(figure), figure.model or "-", figure.text, counted, figure.convention or "-"),
        f"{verdict.status}{how}{reason}",
    )


def _write_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int]
) -> str:
    rule = ["---:" if index in numeric else "---" for index in range(len(heads))]
    lines = [heads, rule, *([escape_markdown(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


CSV_HEADER = (
    *("source", "place", "subject", "model", "quantity", "of", "printed", "unit", "convention"),
    *("counted", "verdict", "how", "reason"),
)


def render_verification_csv(known: Verification) -> str:
    """A line a figure, all of them; `counted` in ones, shares of one as decimals."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for verdict in known.verdicts:
        own = [getattr(verdict.figure, name) for name in CSV_HEADER[:9]]
        writer.writerow([*own, _plain(verdict.exact), verdict.status, verdict.how, verdict.reason])
    return buffer.getvalue()


def render_verification_json(known: Verification) -> str:
    """`counts` and `figures`, all of them, each with its verdict."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "agrees": known.agrees,
        "counts": dict(known.count()),
        "figures": [
            {
                "name": verdict.figure.name,
                **{name: getattr(verdict.figure, name) for name in CSV_HEADER[:9]},
                "line": verdict.figure.line,
                "counted": _plain(verdict.exact),
                "verdict": verdict.status,
                "how": verdict.how,
                "reason": verdict.reason,
            }
            for verdict in known.verdicts
        ],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _plain(exact: Exact | None) -> str | int | float | None:
    """A whole number whole, any other as the nearest decimal."""
    if not isinstance(exact, Fraction):
        return exact
    return int(exact) if exact.denominator == 1 else float(exact)
