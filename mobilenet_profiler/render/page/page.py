"""The report's page: everything in one HTML file that asks nothing of a network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from mobilenet_profiler import __version__
from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.render.compare import list_notes, name_quantity
from mobilenet_profiler.render.page.grids import Grids, make_grids
from mobilenet_profiler.render.page.layers import (
    Bar,
    describe_main,
    make_bars,
    make_kind_table,
    make_layer_table,
)
from mobilenet_profiler.render.page.machines import Machine, make_machine
from mobilenet_profiler.render.page.measured import Measured, make_measured
from mobilenet_profiler.render.page.sides import Side, make_kind_sides, make_layer_sides, make_sides
from mobilenet_profiler.render.page.tables import PageTable
from mobilenet_profiler.render.page.verdicts import Tally, list_tallies, make_verdict_table
from mobilenet_profiler.render.plot.inline import list_variables
from mobilenet_profiler.render.plot.style import DARK, LIGHT
from mobilenet_profiler.report import Report
from mobilenet_profiler.rows import describe_memory, list_warnings
from mobilenet_profiler.spec import list_label_parts
from mobilenet_profiler.units import (
    format_bytes,
    format_count,
    format_estimate,
    format_interval,
    format_rounded,
)

_FILES = files("mobilenet_profiler.render.page")
_SCRIPTS = ("theme.js", "page.js")
_PARTS = ("page.html.jinja", "tables.html.jinja")


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot for the page.

    name: of its element and file. title: above it. svg: the drawing, safe as markup. about:
    what it shows, for who cannot see it. narrow: the same for a screen as wide as a hand.
    """

    name: str
    title: str
    svg: str
    about: str = ""
    narrow: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A figure of the summary: rounded, large, and below it exactly, or what it is."""

    name: str
    value: str
    unit: str
    about: str


@dataclass(frozen=True)
class Network:
    """One network as the page shows it. name: of its elements; title: of the network."""

    name: str
    title: str
    parts: tuple[str, ...]
    cards: tuple[Card, ...]
    main: str
    bars: tuple[Bar, ...]
    kinds: PageTable
    layers: PageTable
    notes: tuple[str, ...]
    uncounted: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """All that the template shows, in its order; what is empty is left out."""

    title: str
    names: tuple[str, ...]
    version: str
    networks: tuple[Network, ...]
    sentences: tuple[str, ...]
    sides: tuple[Side, ...]
    side_notes: tuple[str, ...]
    grids: Grids | None
    pictures: tuple[Picture, ...]
    verdicts: PageTable | None
    tallies: tuple[Tally, ...]
    measured: tuple[Measured, ...]
    machines: tuple[Machine, ...]
    counts: str
    files: tuple[str, ...]


def render_page(
    report: Report, pictures: Sequence[Picture] = (), others: Sequence[str] = ()
) -> str:
    """The page as text. pictures: its plots. others: the files that lie beside it.

    The same report gives the same bytes. Every text of it is escaped, and no script runs but
    the page's own, whose hash its policy names.
    """
    page = make_page(report, pictures, others)
    template = _find_template()
    scripts = [Markup(_read(name)) for name in _SCRIPTS]
    return template.render(
        page=page,
        style=Markup(_write_colours() + _read("page.css")),
        scripts=scripts,
        policy=_write_policy(scripts),
        Markup=Markup,
    )


def make_page(report: Report, pictures: Sequence[Picture] = (), others: Sequence[str] = ()) -> Page:
    """What the page shows of a report."""
    known, comparison = report.verification, report.comparison
    return Page(
        title=report.title,
        names=report.names,
        version=__version__,
        networks=tuple(_list_networks(report)),
        sentences=comparison.sentences if comparison else (),
        sides=(make_sides(comparison), make_kind_sides(comparison), *make_layer_sides(comparison))
        if comparison
        else (),
        side_notes=tuple(list_notes(comparison)) if comparison else (),
        grids=make_grids(report.sweep, "grid") if report.sweep else None,
        pictures=tuple(pictures),
        verdicts=make_verdict_table(known, "verdicts") if known.verdicts else None,
        tallies=list_tallies(known) if known.verdicts else (),
        measured=tuple(
            make_measured(profile, ceiling, f"measured-{place}")
            for place, (profile, ceiling) in enumerate(
                zip(report.profiles, report.ceilings, strict=True), 1
            )
        ),
        machines=tuple(make_machine(*item) for item in report.machines.items()),
        counts=describe_counts(report),
        files=tuple(others),
    )


def _list_networks(report: Report) -> Iterator[Network]:
    for place, (title, trace, accuracy) in enumerate(
        zip(report.names, report.traces, report.accuracies, strict=True), 1
    ):
        name = f"network-{place}"
        profiles = report.find_profiles(trace)
        yield Network(
            name,
            title,
            tuple(list_label_parts(trace.spec)[1:]),
            tuple(list_cards(trace, accuracy, profiles)),
            describe_main(trace),
            make_bars(trace),
            make_kind_table(trace, f"{name}-kinds"),
            make_layer_table(trace, f"{name}-layers", "Layer by layer"),
            (*describe_memory(trace), *(f"Note: {note}" for note in trace.notes)),
            tuple(line for line in list_warnings(trace) if not line.startswith("note: ")),
        )


def list_cards(
    trace: Trace, accuracy: Accuracy | None, profiles: Sequence[Profile]
) -> Iterator[Card]:
    """Exact counts, then what is predicted, published and measured."""
    total, known = trace.total, trace.convention
    for quantity, unit in (("macs", "MACs"), ("params", "params"), ("weights", "weights")):
        heading = name_quantity(quantity, known) if known else unit
        yield _make_count(heading, getattr(total, quantity))
    if trace.backward:
        yield _make_count("backward MACs", total.backward_macs)
    yield _make_count("activations", total.activations)
    if trace.memory:
        peak = trace.memory.activations
        about = f"{format_count(peak)} bytes, predicted"
        yield Card("peak activation memory", *_split(format_bytes(peak)), about)
    if accuracy:
        yield Card("ImageNet top-1", accuracy.text.rstrip("% "), "%", accuracy.source)
    for profile in profiles:
        latency = profile.latency
        value = format_estimate(latency)
        about = f"median of {latency.count} passes, {format_interval(latency)}"
        setup = profile.setup
        threads = f", threads {setup.threads}" if setup.device == "cpu" else ""
        machine = f"{setup.device}{threads}, {setup.dtype}, batch {setup.batch}"
        yield Card("latency", *_split(value), f"{about}; {machine}")


def _make_count(name: str, count: int) -> Card:
    text = format_rounded(count)
    exact = format_count(count) if text != str(count) else "exactly"
    value, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "")
    return Card(name, value, unit, exact)


def _split(text: str) -> tuple[str, str]:
    """`22.5 ± 0.4 ms` as its number and its unit."""
    value, _, unit = text.rpartition(" ")
    return value, unit


def describe_counts(report: Report) -> str:
    """What the numbers of a report count, in its convention, in words."""
    known = report.convention
    if known:
        return f"{known.heading}: {known.counts} (convention {known.name}, {known.source})."
    return (
        "MACs: multiply-accumulates of convolutions, linear layers, matrix products, attention and "
        "recurrent layers; no bias, norm or activation. params: every learned number, once; "
        "weights: those of kernels alone. activations: elements that the counted operations write."
    )


@cache
def _find_template() -> Template:
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = break_name
    return environment.get_template(_PARTS[0])


def break_name(text: str) -> Markup:
    """A name as markup, whose lines may end after its dots, lines, slashes and equals signs."""
    parts = re.split(r"(?<=[._/=])(?=[^._/=])", text)
    return Markup("<wbr>").join(parts)


def _write_colours() -> str:
    """The colours of figures as variables, for both themes and on paper."""
    light, dark = (
        "".join(f"{name}:{colour};" for name, colour in list_variables(theme).items())
        for theme in (LIGHT, DARK)
    )
    system = "@media screen and (prefers-color-scheme:dark)"
    return (
        f":root{{{light}}}"
        f'{system}{{:root:not([data-theme="light"]){{{dark}}}}}'
        f'@media screen{{:root[data-theme="dark"]{{{dark}}}}}'
    )


@cache
def _read(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _write_policy(scripts: Sequence[str]) -> str:
    """What a browser may load and run: the page's own style and scripts, and no more."""
    hashes = (
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    )
    allowed = " ".join(f"'sha256-{own}'" for own in hashes)
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )
