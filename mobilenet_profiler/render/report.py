"""A report as the files of a folder: the page, Markdown, plots, and CSV and JSON for machines."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from mobilenet_profiler.measured.columns import Sheet, make_sheet
from mobilenet_profiler.measured.rows import make_timed_rows
from mobilenet_profiler.published.figure import make_slug
from mobilenet_profiler.render import compare, profile, profile_json, sweep, sweep_json, verdicts
from mobilenet_profiler.render.json import render_json
from mobilenet_profiler.render.page.page import Picture, render_page
from mobilenet_profiler.render.plot.inline import encode_inline
from mobilenet_profiler.render.plot.style import encode_figure
from mobilenet_profiler.render.report_plots import Plot, list_plots
from mobilenet_profiler.render.report_summary import (
    write_counts,
    write_machines,
    write_summary,
    write_uncounted,
)
from mobilenet_profiler.render.text import escape_markdown, render_csv, render_markdown
from mobilenet_profiler.report import Report
from mobilenet_profiler.rows import make_rows

PAGE, SUMMARY = "index.html", "report.md"
_LINKED = re.compile(r"\]\(([^()\s]+)\)")
_OWN = re.compile(  # whatever a report may write beside its page and its summary
    r"(layers(-\d+(-[\w-]+)?)?|comparison|sweep|figures|profiles)\.(csv|json)|figures/[a-z0-9-]+\.svg"
)


def list_files(report: Report) -> dict[str, bytes]:
    """The bytes of every file by its name in the folder; the same for the same report.

    The JSON files are those that `read_trace`, `read_sweep` and `read_profiles` read back.
    """
    plots, data = tuple(list_plots(report)), dict(_list_data(report))
    wide = [plot.draw("page") for plot in plots]
    pictures = tuple(map(_make_picture, plots, wide))
    texts = {
        PAGE: render_page(report, pictures, tuple(data)),
        SUMMARY: _write_markdown(report, plots, tuple(data)),
        **data,
    }
    return {
        **{name: text.encode() for name, text in texts.items()},
        **{
            f"figures/{plot.name}.svg": encode_figure(figure, "svg")
            for plot, figure in zip(plots, wide, strict=True)
        },
    }


def list_stale(before: str, made: Iterable[str]) -> tuple[str, ...]:
    """The files of an earlier report that one in its place does not have.

    before: the earlier `report.md`, which names every file beside it, so that none goes that
    no report wrote. made: the names of the new files.
    """
    named = dict.fromkeys(_LINKED.findall(before))
    kept = set(made)
    return tuple(name for name in named if _OWN.fullmatch(name) and name not in kept)


def _make_picture(plot: Plot, wide: Figure) -> Picture:
    """A plot for the page, twice: its text is as large as other text on a phone too."""
    svg, narrow = (
        encode_inline(figure, prefix=f"{prefix}-{plot.name}", label=plot.about)
        for figure, prefix in ((wide, "plot"), (plot.draw("column"), "small"))
    )
    return Picture(plot.name, plot.title, svg, plot.about, narrow)


def _list_data(report: Report) -> Iterator[tuple[str, str]]:
    """CSV and JSON of whatever there is."""
    yield "layers.csv", _write_layers(report)
    for name, trace in zip(_name_files(report), report.traces, strict=True):
        yield f"{name}.json", render_json(trace)
    if comparison := report.comparison:
        yield "comparison.csv", compare.render_csv(comparison, every=True)
        yield "comparison.json", compare.render_json(comparison, every=True)
    if report.sweep:
        yield "sweep.csv", sweep.render_csv(report.sweep)
        yield "sweep.json", sweep_json.render_sweep(report.sweep)
    if report.verification.verdicts:
        yield "figures.csv", verdicts.render_verification_csv(report.verification)
        yield "figures.json", verdicts.render_verification_json(report.verification)
    if report.profiles:
        yield "profiles.csv", profile.render_csv(_make_sheets(report))
        yield "profiles.json", profile_json.render_profiles(report.profiles)


def _name_files(report: Report) -> Iterator[str]:
    """`layers` for one network, else `layers-1-mobilenet_v1`, and so on."""
    if len(report.traces) == 1:
        yield "layers"
        return
    for place, name in enumerate(report.names, 1):
        yield "-".join(filter(None, ("layers", str(place), make_slug(name)[:60])))


def _write_layers(report: Report) -> str:
    """Every layer of every network, a line each, the network's name in the first column."""
    tables = [
        csv.DictReader(io.StringIO(render_csv(make_rows(own, every=True), None, own.convention)))
        for own in report.traces
    ]
    columns = dict.fromkeys(name for table in tables for name in table.fieldnames or ())
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["model", *columns], restval="", lineterminator="\n")
    writer.writeheader()
    for name, table in zip(report.names, tables, strict=True):
        writer.writerows({"model": name, **record} for record in table)
    return buffer.getvalue()


def _make_sheets(report: Report) -> list[Sheet]:
    return [
        make_sheet(own, make_timed_rows(own), ceiling)
        for own, ceiling in zip(report.profiles, report.ceilings, strict=True)
    ]


def _write_markdown(report: Report, plots: Sequence[Plot], data: Sequence[str]) -> str:
    """The same for a code host: tables, the plots as pictures, links to the data."""
    sections: Mapping[str, Callable[[], str]] = {
        "Work that no number here includes": lambda: write_uncounted(report),
        "Summary": lambda: write_summary(report),
        "Side by side": lambda: _write_comparison(report),
        "Plots": lambda: _write_plots(plots),
        "Layers": lambda: "\n".join(render_markdown(own, make_rows(own)) for own in report.traces),
        "Grid": lambda: sweep.render_markdown(report.sweep) if report.sweep else "",
        "Published figures": lambda: _write_verdicts(report),
        "Measured": lambda: "\n".join(map(profile.render_markdown, _make_sheets(report))),
        "Machines": lambda: write_machines(report),
        "How it counts": lambda: write_counts(report),
        "Data": lambda: _write_links(data),
    }
    parts = [f"# {escape_markdown(report.title)}\n"]
    for title, write in sections.items():
        if text := write():
            parts.append(f"## {title}\n\n{text}")
    return "\n".join(parts)


def _write_comparison(report: Report) -> str:
    comparison = report.comparison
    return compare.render_markdown(comparison, layers=False) if comparison else ""


def _write_plots(plots: Sequence[Plot]) -> str:
    return "\n".join(f"![{escape_markdown(own.about)}](figures/{own.name}.svg)\n" for own in plots)


def _write_verdicts(report: Report) -> str:
    known = report.verification
    return verdicts.render_verification_markdown(known) if known.verdicts else ""


def _write_links(data: Sequence[str]) -> str:
    names = (PAGE, *data)
    return "".join(f"- [{escape_markdown(name)}]({name})\n" for name in names)
