"""The roofline plot, by its axes, lines, marks and texts."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import combinations
from math import atan, degrees
from typing import Any

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from mobilenet_profiler.measured.roofline import RooflinePoint
from mobilenet_profiler.render.plot.ceiling import draw_bandwidths
from mobilenet_profiler.render.plot.labels import Ground, Label, place_labels
from mobilenet_profiler.render.plot.roofline import draw_roofline, find_area, format_part
from mobilenet_profiler.render.plot.style import (
    DARK,
    LIGHT,
    THEMES,
    WIDTHS,
    Theme,
    choose_marks,
    make_figure,
    use_theme,
)
from tests.ceilings import make_ceiling

CEILING = make_ceiling()
POINTS = (
    RooflinePoint("first", "full 3x3", 3.0, 40e9, 0.20),
    RooflinePoint("a.depthwise", "depthwise 3x3", 1.1, 6e9, 0.10),
    RooflinePoint("b.depthwise", "depthwise 3x3", 0.9, 5e9, 0.05),
    RooflinePoint("a.pointwise", "pointwise 1x1", 20.0, 90e9, 0.30),
    RooflinePoint("logits", "fully connected", 0.25, 4e9, 0.02),
    RooflinePoint("norm", "batch norm", 0.0, 0.0, 0.15),
)
SCATTERED = st.lists(
    st.builds(
        RooflinePoint,
        name=st.text("abcdefghij_.", min_size=1, max_size=25),
        kind=st.sampled_from(["full 3x3", "depthwise 3x3", "pointwise 1x1", "lstm"]),
        intensity=st.floats(0.01, 1000),
        macs_per_second=st.floats(1e6, 2e11),
        share=st.floats(0, 0.3),
    ),
    max_size=25,
)


@cache
def draw(theme: Theme = LIGHT, width: str = "column") -> Figure:
    return draw_roofline(
        POINTS, CEILING, "float32", 1, "mobilenet_v1", "2026-11-27", theme=theme, width=width
    )


def find_axes(figure: Figure) -> Axes:
    (axes,) = figure.axes
    return axes


def list_names(figure: Figure) -> list[Annotation]:
    return [text for text in find_axes(figure).texts if isinstance(text, Annotation)]


def list_ends(line: Any) -> list[tuple[float, float]]:
    """The points of a line, in data's units."""
    return [(float(x), float(y)) for x, y in line.get_xydata()]


def find_line(figure: Figure, label: str) -> list[tuple[float, float]]:
    (line,) = (line for line in find_axes(figure).lines if line.get_label() == label)
    return list_ends(line)


def list_marks(figure: Figure) -> list[Any]:
    """The scatters, one a kind."""
    return list(find_axes(figure).collections)


def read_caption(figure: Figure) -> str:
    return " ".join(figure.texts[0].get_text().split())


def test_both_axes_are_logarithmic_and_say_their_units() -> None:
    axes = find_axes(draw())
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "arithmetic intensity (MACs / byte)"
    assert axes.get_ylabel() == "achieved (GMAC/s)"


def test_every_layer_with_macs_is_a_point_of_its_kind() -> None:
    drawn = {
        (marks.get_label(), float(x), float(y))
        for marks in list_marks(draw())
        for x, y in marks.get_offsets()
    }
    assert drawn == {
        (point.kind, point.intensity, point.macs_per_second / 1e9) for point in POINTS[:-1]
    }


def test_kinds_differ_in_colour_and_in_mark() -> None:
    marks = list_marks(draw())
    assert len({to_hex(own.get_facecolor()[0]) for own in marks}) == 4
    assert len({str(own.get_paths()[0].vertices) for own in marks}) == 4


def test_the_area_of_a_mark_grows_with_the_share_of_the_time() -> None:
    assert find_area(0) < find_area(0.1) < find_area(1)
    assert find_area(0.2) - find_area(0.1) == pytest.approx(find_area(0.9) - find_area(0.8))
    (marks,) = (own for own in list_marks(draw()) if own.get_label() == "pointwise 1x1")
    assert list(marks.get_sizes()) == [pytest.approx(find_area(0.3))]


def test_the_ceilings_are_those_measured_and_meet_at_their_ridges() -> None:
    figure = draw()
    peak, memory, cache = (find_line(figure, name) for name in ("_peak", "_memory", "_cache"))
    assert {y for _, y in peak} == {100}  # GMAC/s
    assert [y / x for x, y in memory] == pytest.approx([12.5, 12.5])  # GB/s
    assert [y / x for x, y in cache] == pytest.approx([100, 100])
    assert memory[1] == pytest.approx((8, 100))
    assert cache[1] == peak[0] == pytest.approx((1, 100))


def test_every_ceiling_has_its_number_beside_it() -> None:
    texts = {text.get_text() for text in find_axes(draw()).texts}
    assert {"float32 100 GMAC/s", "memory 12.5 GB/s", "cache 100 GB/s"} <= texts


def test_the_number_of_a_bandwidth_runs_along_its_line() -> None:
    figure = draw()
    axes = find_axes(figure)
    start, end = axes.transData.transform(find_line(figure, "_memory"))
    (text,) = (text for text in axes.texts if text.get_text().startswith("memory"))
    slope = (end[1] - start[1]) / (end[0] - start[0])
    assert text.get_rotation() == pytest.approx(degrees(atan(slope)), abs=0.01)


def test_the_caption_says_what_was_measured_and_what_is_not_shown() -> None:
    caption = read_caption(draw())
    assert caption.startswith("mobilenet_v1, 2026-11-27. Some Processor, 1 thread: ")
    assert "ceilings measured 2026-11-26, not from a data sheet" in caption
    assert "cache with 1.5 MiB in use and memory with 384 MiB in use" in caption
    assert caption.endswith("Layers without MACs, not shown, take 15% of it.")


def test_where_all_layers_multiply_nothing_is_said_of_others() -> None:
    assert "Layers without" not in read_caption(draw_roofline(POINTS[:-1], CEILING, threads=1))


def test_the_legend_has_each_kind_with_its_share() -> None:
    (legend,) = draw().legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "pointwise 1x1 (30%)",
        "full 3x3 (20%)",
        "depthwise 3x3 (15%)",
        "fully connected (2%)",
    ]


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0%"), (0.004, "<1%"), (0.0051, "1%"), (1, "100%")]
)
def test_a_part_of_the_time_is_never_nothing(share: float, text: str) -> None:
    assert format_part(share) == text


def test_the_layers_with_the_most_time_are_named() -> None:
    names = [note.get_text() for note in list_names(draw())]
    assert names[:2] == ["a.pointwise", "first"]
    assert "norm" not in names


def assert_nothing_overlaps(figure: Figure) -> None:
    axes = find_axes(figure)
    figure.draw_without_rendering()
    level = [text for text in axes.texts if not text.get_rotation()]
    boxes = [Text.get_window_extent(text) for text in level]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    frame = axes.get_window_extent()
    for box in boxes:
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert frame.y0 <= box.y0
        assert box.y1 <= frame.y1
    below = [figure.texts[0], *figure.legends]
    parts = [axes.get_tightbbox(), *(part.get_window_extent() for part in below)]
    whole = figure.bbox.padded(1)
    for part in parts:
        assert part is not None
        assert whole.x0 <= part.x0
        assert part.x1 <= whole.x1
        assert whole.y0 <= part.y0
    shrunk = [part.padded(-1) for part in parts if part is not None]
    assert not any(one.overlaps(other) for one, other in combinations(shrunk, 2))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_no_text_lies_on_another_or_outside(theme: Theme, width: str) -> None:
    assert_nothing_overlaps(draw(theme, width))


@given(SCATTERED)
@settings(max_examples=12)
def test_whatever_the_points_no_text_lies_on_another(points: list[RooflinePoint]) -> None:
    assert_nothing_overlaps(draw_roofline(points, CEILING, threads=2, label="a model"))


def test_a_name_that_finds_no_room_is_left_out() -> None:
    figure = make_figure()
    axes = figure.add_subplot()
    figure.draw_without_rendering()
    labels = [Label("name", 0.5, 0.5), Label("n" * 400, 0.5, 0.5), Label("other", 0.5, 0.5)]
    placed = place_labels(axes, labels, Ground(axes.get_window_extent()), 6, "black")
    assert [note.get_text() for note in placed] == ["name", "other"]
    wall = Ground(axes.get_window_extent(), (Bbox.from_extents(0, 0, 9999, 9999),))
    assert place_labels(axes, labels, wall, 6, "black") == []
    assert len(axes.texts) == 2


def test_a_ceiling_without_the_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="no float16 with 1 threads"):
        draw_roofline(POINTS, CEILING, "float16", 1)


def test_one_bandwidth_is_one_line_where_no_cache_is_faster() -> None:
    flat = tuple(point for point in CEILING.bandwidths if point.working_set == 384 << 20)
    axes = find_axes(draw_roofline(POINTS, replace(CEILING, bandwidths=flat), threads=1))
    assert [line.get_label() for line in axes.lines] == ["_peak", "_memory"]


def test_dollars_in_a_name_are_no_formula() -> None:
    point = replace(POINTS[0], name="a$b$c")
    (note,) = list_names(draw_roofline([point], CEILING, threads=1))
    assert note.get_text() == "a$b$c"
    assert not note.get_parse_math()


def test_matplotlib_is_set_as_it_was() -> None:
    before = dict(mpl.rcParams)
    draw_roofline(POINTS, CEILING, threads=1, theme=DARK)
    assert dict(mpl.rcParams) == before


def test_pyplot_is_never_imported() -> None:
    code = (
        "import sys, tests.render.plot.test_roofline as t; t.draw();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def find_contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    lights = sorted(map(find_luminance, (one, other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def find_luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_marks_and_text_stand_out_from_the_ground(theme: Theme) -> None:
    # WCAG 2.2: 3 for graphical objects (1.4.11), 4.5 for text (1.4.3).
    assert all(find_contrast(colour, theme.background) >= 3 for colour in theme.series)
    assert find_contrast(theme.text, theme.background) >= 7
    assert find_contrast(theme.muted, theme.background) >= 4.5


def test_a_family_keeps_its_colour_and_kinds_their_own_marks() -> None:
    kinds = ["full 3x3", "depthwise 3x3", "depthwise 5x5", "full 1x7", "lstm", "gru"]
    marks = choose_marks(kinds)
    assert marks["depthwise 3x3"].colour == marks["depthwise 5x5"].colour
    assert marks["depthwise 3x3"].colour != marks["full 3x3"].colour
    assert len({mark.marker for mark in marks.values()}) == len(kinds)
    assert choose_marks(["depthwise 5x5"])["depthwise 5x5"].marker == "^"


def test_a_figure_is_as_wide_as_a_column_or_a_page() -> None:
    for width, inches in WIDTHS.items():
        assert draw(width=width).get_size_inches()[0] == inches


def test_fonts_are_the_same_on_every_machine() -> None:
    with use_theme(LIGHT):
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]


def test_bandwidths_are_lines_by_thread_count_and_pattern() -> None:
    figure = draw_bandwidths(CEILING)
    axes = find_axes(figure)
    assert {line.get_label() for line in axes.lines} == {
        f"{pattern}, {count}" for pattern in ("copy", "triad", "read") for count in (1, 2)
    }
    assert find_line(figure, "read, 1") == [
        pytest.approx((96 << 10, 50)),
        pytest.approx((1536 << 10, 100)),
        pytest.approx((6 << 20, 25)),
        pytest.approx((384 << 20, 12.5)),
    ]
    assert len({line.get_color() for line in axes.lines}) == 2
    assert axes.get_ylabel() == "bandwidth (GB/s)"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("copy", "triad", "read", "1 thread", "2 threads")
    ]
    assert_nothing_overlaps(figure)


def test_a_gpu_has_no_threads_in_its_legend() -> None:
    (legend,) = draw_bandwidths(make_ceiling((0,), "cuda:0")).legends
    assert [text.get_text() for text in legend.get_texts()] == ["copy", "triad", "read"]


def test_ticks_are_plain_numbers() -> None:
    figure = draw()
    axes = find_axes(figure)
    ticks = [tick.get_text() for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    assert all(re.fullmatch(r"[\d,.]+", tick) for tick in ticks if tick)
    assert {"1", "10", "100"} <= set(ticks)
