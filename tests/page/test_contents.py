"""What the page and the other files of a report hold, without a browser."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.comparing import compare
from mobilenet_profiler.grid.saved import read_sweep
from mobilenet_profiler.measured.saved import read_profiles
from mobilenet_profiler.render.page.grids import make_grids
from mobilenet_profiler.render.page.layers import describe_main, make_bars, make_layer_table
from mobilenet_profiler.render.page.machines import make_machine
from mobilenet_profiler.render.page.page import break_name, make_page, render_page
from mobilenet_profiler.render.page.sides import make_sides
from mobilenet_profiler.render.page.tables import Block, Cell, Heading, Line, PageTable
from mobilenet_profiler.render.page.verdicts import make_verdict_table
from mobilenet_profiler.render.report import list_files
from mobilenet_profiler.report import make_report
from tests.measured.building import build_profile, trace_small
from tests.page.pages import (
    ENVIRONMENT,
    HOSTILE,
    REPORTS,
    make_files,
    report_hostile,
    report_resnet,
    report_v1,
    show,
    time_small,
    trace_network,
)
from tests.sweeps import make_published_sweep

LOADING = ("src", "href", "action", "data", "srcset", "poster", "xlink:href")


def read_count(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("model", ["mobilenet_v1", "resnet50"])
def test_every_layer_stands_in_one_block_and_all_add_up_to_the_total(model: str) -> None:
    trace = trace_network(model)
    table = make_layer_table(trace, "layers", "")
    names = [heading.text for heading in table.headings]
    assert len(table.lines) == len(trace.layers)
    assert table.minors == len(trace.layers) - len(trace.counted)
    for heading, total in (("MACs", trace.total.macs), ("params", trace.total.params)):
        place = names.index(heading)
        assert sum(read_count(line.cells[place].text) for line in table.lines) == total
        assert read_count(table.total[place].text) == total
        for block in table.blocks:
            if block.head:
                own = sum(read_count(line.cells[place].text) for line in block.lines)
                assert read_count(block.head[place].text) == own


def test_only_blocks_of_several_layers_that_multiply_have_a_head() -> None:
    table = make_layer_table(trace_network("mobilenet_v1"), "layers", "")
    heads = [block.head[0].text for block in table.blocks if block.head]
    assert heads == [f"Conv2d_{place}" for place in range(1, 14)]
    for block in table.blocks:
        assert (sum(not line.minor for line in block.lines) > 1) == bool(block.head)


def test_a_row_under_a_head_says_the_rest_of_its_name() -> None:
    table = make_layer_table(trace_network("mobilenet_v1"), "layers", "")
    for block in table.blocks:
        for line in block.lines:
            first = line.cells[0]
            assert (first.under == f"{block.head[0].text}.") if block.head else not first.under


def test_bars_are_as_long_as_the_whole() -> None:
    for bar in make_bars(trace_network("mobilenet_v1")):
        assert sum(part.share for part in bar.parts) == pytest.approx(1)
    assert describe_main(trace_network("mobilenet_v1")) == (
        "94.86% of the MACs and 74.19% of the params are in 13 layers of kind pointwise 1x1."
    )


def test_a_network_that_multiplies_nothing_has_a_page_too() -> None:
    trace = trace_small()
    still = tuple(own for own in trace.layers if not own.multiplies)
    for layers in (still, ()):
        files = list_files(make_report([replace(trace, layers=layers, memory=None)]))
        assert '<th scope="row">total of all layers</th>' in files["index.html"].decode()
        assert not [name for name in files if name.startswith("figures/")]
        header, *lines = files["layers.csv"].decode().splitlines()
        assert header.startswith("model,layer,kind,")
        assert len(lines) == len(layers)


def test_every_figure_has_its_verdict_its_source_and_its_reason() -> None:
    known = report_v1().verification
    table = make_verdict_table(known, "verdicts")
    assert len(table.lines) == len(known.verdicts)
    assert [line.kind for line in table.lines] == [own.status for own in known.verdicts]
    for line, verdict in zip(table.lines, known.verdicts, strict=True):
        assert line.cells[2].text == verdict.figure.text
        if verdict.status == "known difference":
            assert line.cells[-1].about == verdict.reason
    assert "Howard et al., MobileNets" in table.blocks[0].head[0].text


def test_grids_hold_every_cell_and_mark_those_that_none_beats() -> None:
    sweep = make_published_sweep()
    grids = make_grids(sweep, "grid")
    assert [group.title for group in grids.groups][:2] == ["MACs", "params"]
    for group in grids.groups:
        (grid,) = group.grids
        cells = [cell for _, row in grid.rows for cell in row]
        assert len(cells) == 16
        assert max(cell.shade for cell in cells) == 1
        assert all(0 <= cell.shade <= 1 for cell in cells)
    macs = [cell for _, row in grids.groups[0].grids[0].rows for cell in row]
    beaten = [
        place
        for place, own in enumerate(sweep.results)
        if any(_beats(other, own) for other in sweep.results)
    ]
    assert [place for place, cell in enumerate(macs) if not cell.best] == beaten


def _beats(one: object, other: object) -> bool:
    places = [(own.cost.macs, -own.accuracy.percent) for own in (one, other)]  # type: ignore[attr-defined]
    return places[0] != places[1] and all(a <= b for a, b in zip(*places, strict=True))


def test_an_environment_is_told_without_what_is_not_known() -> None:
    facts = {fact.name: fact.value for fact in make_machine("", ENVIRONMENT).facts}
    assert facts == {
        "date": "2026-11-26T10:00:00+00:00",
        "PyTorch": "2.13.0",
        "CPU · model": "a made processor",
        "CPU · usable cores": "2",
        "CPU · caches · L2": "2 MiB",
    }


def test_one_machine_is_told_once() -> None:
    layers = {trace_small().counted[0].path: [1000] * 9}
    later = {**ENVIRONMENT, "date": "2026-11-26T11:00:00+00:00"}
    other = {**ENVIRONMENT, "torch": "2.14.0"}
    profiles = [
        build_profile(trace_small(), layers=layers, environment=own, setup={"threads": place})
        for place, own in enumerate((ENVIRONMENT, later, other), 1)
    ]
    report = make_report([trace_small()], profiles=profiles)
    assert len(report.machines) == 2


def test_names_may_be_broken_after_dots_and_lines_and_stay_escaped() -> None:
    assert break_name("a.b_c=1") == "a.<wbr>b_<wbr>c=<wbr>1"
    assert "<script>" not in break_name(HOSTILE)


def test_a_report_is_the_same_bytes_whenever_it_is_made() -> None:
    assert list_files(report_v1()) == make_files("v1")


def test_the_files_are_read_back_as_what_they_were_made_of(tmp_path: Path) -> None:
    report = report_v1()
    for name, data in make_files("v1").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert mp.read_trace(tmp_path / "layers.json").total == report.traces[0].total
    swept = read_sweep(tmp_path / "sweep.json")
    assert report.sweep is not None
    assert [own.cost for own in swept.results] == [own.cost for own in report.sweep.results]
    (profile,) = read_profiles(tmp_path / "profiles.json")
    assert profile.clean == report.profiles[0].clean
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert len(figures) == len(report.verification.verdicts)


@pytest.mark.parametrize("name", ["v1", "several"])
def test_layers_in_csv_add_up_to_each_network(name: str) -> None:
    made = REPORTS[name]()
    lines = list(csv.DictReader(io.StringIO(make_files(name)["layers.csv"].decode())))
    for title, trace in zip(made.names, made.traces, strict=True):
        own = [line for line in lines if line["model"] == title]
        assert sum(int(line["macs"]) for line in own) == trace.total.macs
        assert sum(int(line["params"]) for line in own) == trace.total.params


def test_markdown_names_every_picture_and_every_file_beside_it() -> None:
    files = make_files("v1")
    text = files["report.md"].decode()
    linked = set(re.findall(r"\]\(([^)]+)\)", text))
    assert linked == set(files) - {"report.md"}
    assert "| total |" in text
    assert "568,740,352" in text


def test_markdown_begins_with_the_figures_of_the_page() -> None:
    text = make_files("v1")["report.md"].decode()
    summary = text[text.index("## Summary") : text.index("## Plots")]
    for line in (
        "| MACs | 568.74 M | 568,740,352 |",
        "| ImageNet top-1 | 70.9 % | tensorflow/models, ",
        "| pointwise 1x1 | 13 | 539,492,352 | 94.86 | 3,139,584 | 74.19 | 74.59 |",
        "94.86% of the MACs and 74.19% of the params are in 13 layers of kind pointwise 1x1.",
    ):
        assert line in summary
    machines = text[text.index("## Machines") : text.index("## How it counts")]
    assert "| CPU · model | a made processor |" in machines
    assert "no bias, norm or activation" in text[text.index("## How it counts") :]
    assert "no number here includes" not in text


def test_markdown_says_first_what_is_not_counted() -> None:
    text = make_files("hostile")["report.md"].decode()
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles[:2] == ["## Work that no number here includes", "## Summary"]


def test_markdown_of_hostile_names_holds_no_markup() -> None:
    text = make_files("hostile")["report.md"].decode()
    assert "<script" not in re.sub(r"\\.", "", text)


@pytest.mark.parametrize("name", ["v1", "resnet", "several", "hostile"])
def test_a_page_asks_nothing_of_a_network(name: str) -> None:
    page = show(name)
    found = Attributes()
    found.feed(page)
    loaded = [value for tag, key, value in found.known if key in LOADING and tag != "a"]
    assert {value for value in loaded if not value.startswith(("#", "data:"))} == set()
    assert not {key for _, key, _ in found.known if key.startswith("on")}
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    links = {value for tag, key, value in found.known if (tag, key) == ("a", "href")}
    outside = {link for link in links if ":" in link}
    assert all(link.startswith("https://arxiv.org/abs/") for link in outside)


class Attributes(HTMLParser):
    """Every attribute of a page as a browser reads it: tag, name, value."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.known += [(tag, key, value or "") for key, value in attributes]


def test_a_page_says_which_convention_it_counts_in() -> None:
    trace = trace_network("mobilenet_v1").convert("flop_counter")
    page = render_page(make_report([trace]))
    assert "FLOPs (flop_counter)" in page
    assert "1,137,480,704" in page


def test_work_that_is_not_counted_stands_first() -> None:
    page = render_page(report_hostile())
    assert page.index("work that no number here includes") < page.index('id="network-1"')


def test_a_report_needs_a_network_and_one_convention() -> None:
    with pytest.raises(mp.UsageError, match="needs a model"):
        make_report([])
    whole, trace = trace_network("mobilenet_v1"), trace_small()
    with pytest.raises(mp.UsageError, match="compare in one"):
        make_report([whole, whole.convert("flop_counter")])
    with pytest.raises(mp.UsageError, match="1 ceilings, one a profile, not 2"):
        make_report([trace], profiles=[time_small()], ceilings=[None, None])


def test_the_latency_of_a_profile_stands_with_the_counts_of_its_network() -> None:
    page = render_page(make_report([trace_small()], profiles=[time_small()]))
    card = re.search(r'<span class="name">latency</span>.*?</li>', page, re.DOTALL)
    assert card is not None
    assert "median of 9 passes" in card[0]
    assert "latency</span>" not in render_page(
        make_report([report_resnet().traces[0]], profiles=[time_small()])
    )


def test_a_network_has_the_accuracy_that_the_grid_beside_it_shows() -> None:
    sweep = make_published_sweep()
    cell = sweep.results[0]
    assert cell.accuracy is not None
    trace = trace_network("mobilenet_v1")
    alone = make_report([trace]).accuracies[0]
    assert alone is not None
    assert alone != cell.accuracy
    beside = make_report([trace, trace_network("resnet50")], sweep=sweep)
    assert beside.accuracies[0] == cell.accuracy
    assert beside.accuracies[1] == make_report([trace_network("resnet50")]).accuracies[0]
    page = make_page(make_report([trace], sweep=sweep))
    card = next(own for own in page.networks[0].cards if own.name == "ImageNet top-1")
    assert (f"{card.value}%", card.about) == (cell.accuracy.text, cell.accuracy.source)


def test_networks_side_by_side_have_their_peak_memory_where_it_is_known() -> None:
    networks = [trace_network("mobilenet_v1"), mp.trace("squeezenet1_0")]
    table = make_sides(compare(*networks)).table
    place = [own.text for own in table.headings].index("peak memory")
    known, unknown = (line.cells[place] for line in table.lines)
    assert (known.text, known.key) == ("7.66 MiB", 8_028_672)
    assert (unknown.text, unknown.key) == ("-", None)
    without = make_sides(compare(*[replace(own, memory=None) for own in networks])).table
    assert "peak memory" not in [own.text for own in without.headings]


def test_the_time_between_layers_is_filtered_by_that_name() -> None:
    measured = make_page(report_v1()).measured[0]
    assert "between layers" in measured.layers.kinds
    assert "-" not in measured.layers.kinds


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 layer without MACs"), (1200, "1,200 layers without MACs")]
)
def test_what_is_left_out_is_said_in_its_number(count: int, words: str) -> None:
    lines = tuple(Line((Cell("a"),), minor=True) for _ in range(count))
    table = PageTable(
        "t", "c", (Heading("h"),), (Block(lines),), minor="layers without MACs", noun="layers"
    )
    assert table.left_out == words
