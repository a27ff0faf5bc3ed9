"""The report's page in a real browser: what a reader does with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mobilenet_profiler.grid.pivot import make_pivots
from mobilenet_profiler.render.report import list_files
from mobilenet_profiler.report import make_report
from mobilenet_profiler.verification.verdicts import Verdict
from tests.page.conftest import Visit, settle
from tests.page.pages import HOSTILE, report_v1, show, trace_network
from tests.sweeps import make_published_sweep

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LAYERS = "#network-1-layers"
MACS, MINORS = 2, 58  # the column of MACs; layers without
PAGES = ("v1", "resnet", "several", "hostile")
LIMIT = 2_000_000

_SHOWN = """(rows) => rows.filter((row) => row.checkVisibility())
  .map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"""
_CONTRAST = """(selector) => {
  const light = (colour) => {
    const own = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * own[0] + 0.7152 * own[1] + 0.0722 * own[2];
  };
  const [text, ground] = [
    getComputedStyle(document.querySelector(selector)).color,
    getComputedStyle(document.body).backgroundColor,
  ].map(light);
  return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
}"""


def read_rows(page: Page, table: str = LAYERS) -> list[list[str]]:
    """The texts of the rows that are in sight, without those that head a block."""
    rows = page.locator(f"{table} tbody tr:not(.head)")
    found: list[list[str]] = rows.evaluate_all(_SHOWN)
    return found


def read_column(page: Page, place: int, table: str = LAYERS) -> list[str]:
    return [row[place] for row in read_rows(page, table)]


def read_macs(page: Page) -> list[int]:
    return [int(text.replace(",", "")) for text in read_column(page, MACS)]


def find_head(page: Page, name: str, table: str = LAYERS) -> Any:
    return page.locator(f"{table} thead th", has_text=re.compile(rf"^{re.escape(name)}$"))


def press(page: Page, name: str, table: str = LAYERS) -> None:
    page.locator(f"{table} .tools button", has_text=re.compile(name)).click()


def test_the_layers_that_multiply_stand_there_as_they_run(visit: Visit) -> None:
    page = visit(show("v1"))
    layers = trace_network("mobilenet_v1").counted
    assert read_macs(page) == [layer.macs for layer in layers]
    total = page.locator(f"{LAYERS} tfoot td").nth(MACS - 1).text_content()
    assert total == "568,740,352"
    assert page.locator(f"{LAYERS} .status").text_content() == (
        "28 of 86 layers · 568,740,352 MACs (100%) · 4,210,088 params (99.5%)"
        " · 5,043,688 activations (100%)"
    )


def test_numbers_sort_largest_first_then_smallest_then_as_they_ran(visit: Visit) -> None:
    page = visit(show("v1"))
    before, head = read_macs(page), find_head(page, "MACs")
    button = head.get_by_role("button")
    assert head.get_attribute("aria-sort") == "none"
    for way, expected in (
        ("descending", sorted(before, reverse=True)),
        ("ascending", sorted(before)),
        ("none", before),
    ):
        button.click()
        assert head.get_attribute("aria-sort") == way
        assert read_macs(page) == expected
    assert page.locator(f"{LAYERS} [aria-sort=descending]").count() == 0


def test_sizes_with_units_sort_by_what_they_are(visit: Visit) -> None:
    page = visit(show("v1"))
    find_head(page, "peak memory").get_by_role("button").click()
    scale = {"B": 1, "KiB": 2**10, "MiB": 2**20}
    place = [head.strip() for head in page.locator(f"{LAYERS} thead th").all_text_contents()].index(
        "peak memory"
    )
    sizes = [text.split() for text in read_column(page, place)]
    numbers = [float(size) * scale[unit] for size, unit in sizes]
    assert numbers == sorted(numbers, reverse=True)
    assert len({unit for _, unit in sizes}) == 2


def test_names_sort_as_people_count_and_are_whole_where_no_block_heads_them(visit: Visit) -> None:
    page = visit(show("v1"))
    find_head(page, "layer").get_by_role("button").click()
    names = read_column(page, 0)
    assert names[:3] == ["Conv2d_0", "Conv2d_1.depthwise", "Conv2d_1.pointwise"]
    assert names.index("Conv2d_2.depthwise") < names.index("Conv2d_10.depthwise")
    assert page.locator(f"{LAYERS} .in:visible").count() == 26


def test_a_kind_filters_and_the_sums_are_those_of_what_is_shown(visit: Visit) -> None:
    page = visit(show("v1"))
    layers = trace_network("mobilenet_v1").layers
    own = [layer for layer in layers if layer.kind == "depthwise 3x3"]
    press(page, "^depthwise 3x3")
    assert read_macs(page) == [layer.macs for layer in own]
    status = page.locator(f"{LAYERS} .status").text_content() or ""
    assert status.startswith(f"13 of 86 layers · {sum(layer.macs for layer in own):,} MACs (3.1%)")
    press(page, "^batch norm")  # kinds add up, and layers without MACs are shown where asked for
    assert len(read_rows(page)) == 13 + 27
    press(page, "^depthwise 3x3")
    assert set(read_column(page, 1)) == {"batch norm"}


def test_what_is_filtered_can_be_sorted_and_sorted_rows_filtered(visit: Visit) -> None:
    page = visit(show("v1"))
    find_head(page, "MACs").get_by_role("button").click()
    press(page, "^depthwise 3x3")
    macs = read_macs(page)
    assert len(macs) == 13
    assert macs == sorted(macs, reverse=True)


def test_search_finds_every_word_in_any_column_and_in_layers_without_macs(visit: Visit) -> None:
    page = visit(show("v1"))
    search = page.locator(f"{LAYERS} input")
    search.fill("CONV2D_13 norm")
    assert read_column(page, 1) == ["batch norm", "batch norm"]
    search.fill("1024x1000")
    assert read_column(page, 0) == ["logits"]
    search.fill("no such layer")
    assert read_rows(page) == []
    assert page.locator(f"{LAYERS} .head").evaluate_all(_SHOWN) == []
    search.fill("")
    assert len(read_rows(page)) == 28


def test_layers_without_macs_are_shown_when_asked_for(visit: Visit) -> None:
    page = visit(show("v1"))
    press(page, f"^Show {MINORS} layers without MACs")
    assert len(read_rows(page)) == 86
    params = [int(row[4].replace(",", "")) for row in read_rows(page)]
    assert sum(params) == 4_231_976


def test_blocks_collapse_one_by_one_and_all_at_once(visit: Visit) -> None:
    page = visit(show("v1"))
    fold = page.locator(f"{LAYERS} button.fold").first
    fold.click()
    assert fold.get_attribute("aria-expanded") == "false"
    assert len(read_rows(page)) == 26
    press(page, "^Collapse all")
    assert read_column(page, 0) == ["Conv2d_0", "logits"]
    heads = page.locator(f"{LAYERS} .head").evaluate_all(_SHOWN)
    lone = 10_838_016 + 1_024_000
    assert sum(int(head[MACS].replace(",", "")) for head in heads) + lone == 568_740_352
    press(page, "^Expand all")
    assert len(read_rows(page)) == 28


def test_a_filter_shows_what_a_collapsed_block_holds(visit: Visit) -> None:
    page = visit(show("v1"))
    press(page, "^Collapse all")
    press(page, "^depthwise")
    assert len(read_rows(page)) == 13
    press(page, "^depthwise")
    assert len(read_rows(page)) == 2


def test_reset_takes_everything_back(visit: Visit) -> None:
    page = visit(show("v1"))
    before = read_rows(page)
    assert not page.locator(f"{LAYERS} [data-reset]").is_visible()
    page.locator(f"{LAYERS} input").fill("pointwise")
    press(page, "^pointwise")
    find_head(page, "params").get_by_role("button").click()
    press(page, "^Reset")
    assert read_rows(page) == before
    assert page.locator(f"{LAYERS} [aria-pressed=true]").count() == 0
    assert not page.locator(f"{LAYERS} [data-reset]").is_visible()


def test_the_grid_shows_one_quantity_at_a_time(visit: Visit) -> None:
    page = visit(show("v1"))
    assert page.locator(".group:visible").count() == 1
    (pivot,) = make_pivots(make_published_sweep(), "top1")
    page.locator("[value=grid-top1]").check()
    assert page.locator(".group:visible").get_attribute("id") == "grid-top1"
    cells = page.locator("#grid-top1 tbody tr").evaluate_all(_SHOWN)
    for row, (_, *texts) in zip(pivot.rows, cells, strict=True):
        numbers = [float(text.rpartition("●")[2].rpartition(": ")[2]) for text in texts]
        assert numbers == [pivot.amount(row, column) for column in pivot.columns]


def test_every_cell_of_the_sweep_stands_below_the_grid(visit: Visit) -> None:
    page = visit(show("v1"))
    assert read_rows(page, "#grid-cells") == []
    page.locator("#grids summary").click()
    assert len(read_rows(page, "#grid-cells")) == 16
    find_head(page, "MACs", "#grid-cells").get_by_role("button").click()
    assert read_rows(page, "#grid-cells")[0][:3] == ["1", "224", "568,740,352"]


def test_verdicts_stand_by_source_and_filter_by_verdict(visit: Visit) -> None:
    page = visit(show("v1"))
    counts = report_v1().verification.count()
    press(page, "^known difference", "#verdicts")
    rows = read_rows(page, "#verdicts")
    assert len(rows) == counts["known difference"]
    assert all(row[-1].startswith("known difference") for row in rows)
    assert all(len(row[-1]) > len("known difference") + 20 for row in rows)  # each has a reason
    tallies = page.locator(".tallies .value").all_text_contents()
    assert [int(text) for text in tallies] == list(counts.values())
    link = page.locator("#verdicts a").first
    assert link.get_attribute("href") == "https://arxiv.org/abs/1704.04861"


def test_a_mark_says_its_numbers_under_the_pointer(visit: Visit) -> None:
    page = visit(show("v1"))
    drawing = page.locator("#plot-tradeoff-macs .drawing.wide-only")
    drawing.scroll_into_view_if_needed()
    assert drawing.locator("title").count() == 0  # no second tip of the browser's own
    mark = drawing.locator("[data-tip*='alpha=0.25 input=1x3x128x128']").first
    mark.hover()
    tip = page.locator("#tip")
    assert "13,570,048" in (tip.text_content() or "")
    assert "41.5" in (tip.text_content() or "")
    box = tip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    page.mouse.move(5, 5)
    assert not tip.is_visible()


def test_the_arrow_keys_step_through_the_marks_of_a_plot(visit: Visit) -> None:
    page = visit(show("v1"))
    drawing = page.locator("#plot-tradeoff-macs .drawing.wide-only")
    drawing.focus()
    seen = []
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        seen.append(page.locator("#tip").text_content())
    assert len(set(seen)) == 3
    page.mouse.wheel(0, 40)
    settle(page)
    assert page.locator("#tip").is_visible()  # it moves with its mark
    page.keyboard.press("ArrowLeft")
    assert page.locator("#tip").text_content() == seen[1]
    assert drawing.locator(".marked").count() == 1
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()


def test_the_keyboard_alone_searches_filters_sorts_and_collapses(visit: Visit) -> None:
    page = visit(show("v1"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator(f"{LAYERS} input").focus()
    page.keyboard.type("pointwise")
    assert len(read_rows(page)) == 65 - 26  # the pointwise layers, their norms and activations
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    page.keyboard.press("Space")
    find_head(page, "MACs").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert read_macs(page)[0] == 51_380_224
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.locator(f"{LAYERS} button.fold").first.focus()
    page.keyboard.press("Enter")
    assert len(read_rows(page)) == 26


def test_tab_reaches_everything_that_can_be_pressed(visit: Visit) -> None:
    page = visit(show("several"), width=1000)
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input, summary, [tabindex=\"0\"]')]"
        ".filter((own) => !own.disabled && own.getClientRects().length > 0).length"
    )
    seen: set[str] = set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate(
                "(() => { const own = document.activeElement; window.count ??= 0;"
                " own.dataset.reached ??= String(++window.count); return own.dataset.reached; })()"
            )
        )
    reached = page.locator("[data-reached]").count()
    assert reached >= wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_systems_until_the_reader_chooses(visit: Visit, scheme: Any) -> None:
    page = visit(show("v1"), color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    grounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}
    other = "light" if scheme == "dark" else "dark"
    assert page.evaluate(ground) == grounds[scheme]
    page.locator("#theme").click()
    assert page.evaluate(ground) == grounds[other]
    page.reload()
    assert page.evaluate(ground) == grounds[other]
    mark = "getComputedStyle(document.querySelector('.plot text')).fill"
    assert page.evaluate(mark) == {"light": "rgb(26, 26, 26)", "dark": "rgb(240, 240, 240)"}[other]


TEXTS = (
    *("body", ".cards .about", ".legend", "thead th", "nav a:not([aria-current])"),
    *(".tone.agrees", ".tone.known-difference", ".head a", "#theme", ".status"),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(visit: Visit, scheme: Any) -> None:
    page = visit(show("v1"), color_scheme=scheme)
    faint = [text for text in TEXTS if page.evaluate(_CONTRAST, text) < 4.5]  # WCAG 2.2, AA
    assert faint == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("touch", [True, False])
def test_nothing_is_wider_than_the_screen(visit: Visit, name: str, touch: bool) -> None:
    page = visit(show(name), has_touch=touch)
    page.evaluate("for (const own of document.querySelectorAll('details')) own.open = true")
    for width in (320, 390, 600) if touch else (768, 1024, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_names_stay_in_sight_beside_the_numbers(visit: Visit) -> None:
    page = visit(show("v1"), width=390, height=844, has_touch=True)
    scroll = page.locator(f"{LAYERS} .scroll")
    scroll.evaluate("(own) => { own.scrollLeft = 300; }")
    settle(page)
    name = page.locator(f"{LAYERS} tbody tr:not(.head) th").first.bounding_box()
    assert name is not None
    assert name["x"] == 0
    text = page.locator("#plot-tradeoff-macs .drawing.narrow text").first
    size = text.evaluate("(own) => own.getBoundingClientRect().height")
    assert size >= 7  # a plot as wide as a page would leave half of that
    assert not page.locator("#plot-tradeoff-macs .drawing.wide-only").is_visible()


def test_the_head_of_a_table_stays_in_sight_below_the_sections(visit: Visit) -> None:
    page = visit(show("v1"))
    page.locator(f"{LAYERS} tbody tr:not(.head) th").nth(60).evaluate(
        "(own) => scrollTo(0, own.closest('table').getBoundingClientRect().top + scrollY + 500)"
    )
    settle(page)
    head = find_head(page, "MACs").bounding_box()
    bar = page.locator("nav").bounding_box()
    assert head is not None
    assert bar is not None
    assert bar["y"] == 0
    assert abs(head["y"] - bar["height"]) <= 2


def test_paper_has_every_grid_no_controls_and_a_white_ground(visit: Visit) -> None:
    page = visit(show("v1"), width=703, color_scheme="dark")  # A4 within its margins
    page.emulate_media(media="print")
    settle(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".group:visible").count() == page.locator(".group").count() > 3
    for control in ("nav", ".tools", ".choose", ".status", "#theme"):
        assert page.locator(f"{control}:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 703
    assert page.pdf().startswith(b"%PDF")


def test_all_of_it_can_be_read_without_scripts(visit: Visit) -> None:
    page = visit(show("v1"), java_script_enabled=False)
    assert page.locator(f"{LAYERS} tbody tr:not(.head):visible").count() == 86
    assert page.locator(".group:visible").count() == page.locator(".group").count()
    assert page.locator("button:visible, input:visible").count() == 0
    assert page.locator(".mark > title").count() > 16
    assert page.locator("#verdicts tbody tr:not(.head):visible").count() == len(
        report_v1().verification.verdicts
    )


def test_markup_in_names_is_text(visit: Visit) -> None:
    page = visit(show("hostile"))
    assert page.evaluate("window.stolen") is None
    assert page.locator("h1").text_content() == HOSTILE
    assert page.locator("main script, img").count() == 0
    shown = page.locator("body").text_content() or ""
    assert shown.count(HOSTILE) > 40
    page.locator(f"{LAYERS} input").fill("<script>")
    assert len(read_rows(page)) == len(report_v1().profiles[0].trace.layers)


def test_no_script_but_its_own_runs_and_nothing_is_fetched(browser: Browser, tmp_path: Any) -> None:
    file = tmp_path / "page.html"
    file.write_text(show("v1").replace("</main>", "<script>window.stolen = 1</script></main>"))
    page = browser.new_page()
    refused: list[str | None] = []
    page.on("requestfailed", lambda request: refused.append(request.failure))
    page.goto(file.as_uri())
    page.evaluate(
        "document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/a.png'}))"
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.stolen") is None
    assert read_macs(page)[0] == 10_838_016
    assert refused == ["csp"]
    page.close()


@pytest.mark.parametrize("name", ["v1", "resnet"])
def test_a_report_is_less_than_two_megabytes_and_opens(visit: Visit, name: str) -> None:
    text = show(name)
    assert len(text.encode()) < LIMIT
    page = visit(text)
    trace = trace_network("resnet50" if name == "resnet" else "mobilenet_v1")
    assert sum(read_macs(page)) == trace.total.macs
    assert page.title() == f"{trace.spec['name']} · mobilenet-profiler"


@pytest.mark.parametrize("name", PAGES)
def test_every_control_has_a_name_and_every_id_is_its_own(visit: Visit, name: str) -> None:
    page = visit(show(name))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((own) => own.id)")
    assert len(ids) == len(set(ids))
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, summary, a')].filter((own) =>"
        " !(own.textContent.trim() || own.ariaLabel || own.labels?.[0]?.textContent.trim())).length"
    )
    assert unnamed == 0
    assert page.locator("h1").count() == 1
    assert page.locator("table:not(:has(caption))").count() == 0
    links = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map((own) => own.hash.slice(1))"
    )
    assert set(links) <= set(ids)


def test_networks_side_by_side_line_up_and_have_tables_of_their_own(visit: Visit) -> None:
    page = visit(show("several"))
    heads = [text.strip() for text in page.locator("#sides thead th").all_text_contents()]
    macs = [row[heads.index("MACs")] for row in read_rows(page, "#sides")]
    assert macs[0] == "568,740,352"
    assert len(macs) == 3
    for place, text in enumerate(macs, 1):
        table = f"#network-{place}-layers"
        own = read_column(page, MACS, table)
        assert sum(int(cell.replace(",", "")) for cell in own) == int(text.replace(",", ""))
    assert len(read_rows(page, "#side-layers")) >= 28


def test_paper_has_the_head_of_a_table_on_each_of_its_pages_and_every_figure(
    visit: Visit, tmp_path: Path
) -> None:
    if not (program := shutil.which("pdftotext")):
        pytest.skip("no pdftotext here, which reads what was printed")
    page = visit(show("v1"))
    file = tmp_path / "page.pdf"
    file.write_bytes(page.pdf(format="A4"))
    read = subprocess.run([program, "-layout", file, "-"], capture_output=True, check=True)
    pages = read.stdout.decode().split("\f")
    assert sum("filter" in own and "output" in own for own in pages) == 2
    known = report_v1().verification.verdicts
    assert sum("printed" in own and "counted" in own for own in pages) > 2
    lines = [line for own in pages for line in own.splitlines()]
    assert sum("known difference" in line for line in lines) > known_count(known) > 0
    assert page.locator("#verdicts tbody tr:not(.head):visible").count() == 0


def known_count(verdicts: Sequence[Verdict]) -> int:
    return sum(own.status == "known difference" for own in verdicts)


def test_on_a_phone_the_titles_of_sources_are_whole(visit: Visit) -> None:
    page = visit(show("v1"), width=390)
    right = "(own) => Math.max(...own.map((part) => part.getBoundingClientRect().right))"
    assert page.locator("#verdicts .head th > *").evaluate_all(right) <= 390


@pytest.mark.parametrize("width", [1280, 390])
def test_a_long_name_leaves_room_for_the_numbers(visit: Visit, width: int) -> None:
    trace = trace_network("mobilenet_v1")
    first, *others = trace.layers
    layers = (replace(first, path="a_part_of_a_name." * 12 + "x" * 60), *others)
    made = list_files(make_report([replace(trace, layers=layers, memory=None)]))
    page = visit(made["index.html"].decode(), width=width)
    name = page.locator(f"{LAYERS} tbody th").first.bounding_box()
    assert name is not None
    assert name["width"] <= min(24 * 15, width / 2)
    if width == 1280:
        table = page.locator(f"{LAYERS} table")
        assert table.evaluate("(own) => own.offsetWidth <= own.parentElement.clientWidth")
