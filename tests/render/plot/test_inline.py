"""Figures inside a page: what an SVG element holds, and what it leaves to the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from mobilenet_profiler.render.plot.heatmap import draw_heatmap
from mobilenet_profiler.render.plot.inline import encode_inline, list_variables
from mobilenet_profiler.render.plot.roofline import draw_roofline
from mobilenet_profiler.render.plot.style import (
    DARK,
    LIGHT,
    THEMES,
    make_figure,
    title_marks,
    use_theme,
)
from mobilenet_profiler.render.plot.tradeoff import draw_tradeoff
from tests.ceilings import make_ceiling
from tests.render.plot.test_roofline import POINTS
from tests.sweeps import make_published_sweep

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = {
    "tradeoff": lambda: draw_tradeoff(make_published_sweep()),
    "heatmap": lambda: draw_heatmap(make_published_sweep()),
    "roofline": lambda: draw_roofline(POINTS, make_ceiling(), threads=1),
}


def parse(figure: Figure, label: str = "") -> ElementTree.Element:
    return ElementTree.fromstring(encode_inline(figure, label=label))


def list_titles(root: ElementTree.Element) -> list[str]:
    return [title.text or "" for title in root.iter(f"{SVG}title")]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_one_svg_element_as_wide_as_it_may_be(name: str) -> None:
    root = parse(FIGURES[name](), label="What it shows")
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-label") == "What it shows"
    assert root.get("role") == "img"
    assert root.get("width") is None
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width == pytest.approx(3.5 * 72)
    assert height > 100


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figure_is_the_same_text(name: str) -> None:
    figure = FIGURES[name]()
    first = encode_inline(figure)
    assert encode_inline(figure) == first
    assert encode_inline(FIGURES[name]()) == first


@pytest.mark.parametrize("name", FIGURES)
def test_ids_are_of_one_figure_alone_and_every_reference_finds_its_own(name: str) -> None:
    text = encode_inline(FIGURES[name](), prefix="first")
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(own.startswith("first-") for own in ids)
    used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)
    assert {one or other for one, other in used} == set(ids)


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_in_it_reaches_beyond_it(name: str) -> None:
    text = encode_inline(FIGURES[name]())
    assert "<style" not in text
    assert "<metadata" not in text
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_every_point_of_a_tradeoff_says_what_it_is() -> None:
    root = parse(FIGURES["tradeoff"]())
    titles = list_titles(root)
    assert len(titles) == 16 + 4
    (own,) = (title for title in titles if "alpha=0.5 input=1x3x160x160" in title)
    assert "76,524,800 MACs, ImageNet top-1 accuracy 59.1%" in own
    assert any(title.startswith("VGG16: 15,470,264,320 MACs") for title in titles)
    marks = [element for element in root.iter() if element.get("class") == "mark"]
    assert [mark[0].text for mark in marks] == titles


def test_the_point_with_a_title_stands_where_that_cell_does() -> None:
    root = parse(FIGURES["tradeoff"]())
    places = {
        (use[0].text or "").split(":")[0]: (float(use.attrib["x"]), -float(use.attrib["y"]))
        for use in root.iter(f"{SVG}use")
        if use.get("class") == "mark"
    }
    cells = [result for result in make_published_sweep().results if result.cost]
    for index, by in ((0, lambda r: r.cost.macs), (1, lambda r: r.accuracy.percent)):
        ranked = sorted(cells, key=by)
        drawn = [places[result.label][index] for result in ranked]
        assert drawn == sorted(drawn)


def test_every_cell_of_a_heat_map_says_what_it_is() -> None:
    titles = list_titles(parse(FIGURES["heatmap"]()))
    assert titles[:2] == [
        "alpha 1, resolution 224: 568,740,352 MACs",
        "alpha 1, resolution 192: 418,121,728 MACs",
    ]
    assert len(titles) == 16


def test_the_colours_of_a_theme_are_the_page_s() -> None:
    for theme in THEMES.values():
        variables = list_variables(theme)
        assert variables["--plot-background"] == theme.background
        assert variables["--plot-series-0"] == theme.series[0]
        text = encode_inline(draw_tradeoff(make_published_sweep(), theme=theme), theme)
        left = set(re.findall(r"[^ ,]#[0-9a-f]{6}|(?<!, )#[0-9a-f]{6}", text))
        assert left == set()
        assert set(re.findall(r"var\((--[a-z0-9-]+), #[0-9a-f]{6}\)", text)) <= set(variables)
    assert list(list_variables(LIGHT)) == list(list_variables(DARK))


def test_no_two_colours_of_a_theme_are_one() -> None:
    for theme in THEMES.values():
        assert len(list_variables(theme)) == 4 + len(theme.series)


def test_numbers_on_cells_stay_where_a_page_changes_its_theme() -> None:
    root = parse(FIGURES["heatmap"]())
    numbers = [text for text in root.iter(f"{SVG}text") if text.text in ("569", "13.6")]
    assert len(numbers) == 2
    assert all("var(" not in text.attrib["style"] for text in numbers)
    cells = [path for path in root.iter(f"{SVG}path") if path.get("class") == "mark"]
    assert len(cells) == 16
    assert all(cell.attrib["style"].startswith("fill: #") for cell in cells)


def test_names_are_text_whatever_they_hold() -> None:
    with use_theme(LIGHT):
        figure = make_figure()
        axes = figure.add_subplot()
        axes.text(0.5, 0.5, "<script>&$a$", transform=axes.transAxes)
        title_marks(axes.scatter([0.5], [0.2]), ["</title><script>\x07"])
    text = encode_inline(figure, label='"><script>')
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    assert "<script>&$a$" in [own.text for own in root.iter(f"{SVG}text")]
    assert list_titles(root) == ["</title><script>\ufffd"]


def test_as_many_titles_as_marks_or_none() -> None:
    with use_theme(LIGHT):
        figure = make_figure()
        title_marks(figure.add_subplot().scatter([1, 2, 3], [1, 2, 3]), ["one", "two"])
    with pytest.raises(ValueError, match="zip"):
        encode_inline(figure)


def test_marks_of_a_figure_that_keeps_no_titles_are_refused() -> None:
    with pytest.raises(TypeError, match="make_figure"):
        title_marks(Figure().add_subplot().scatter([1], [1]), ["one"])
