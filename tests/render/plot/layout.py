"""What any figure must be: no text on another, none beyond the edge."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

# Boxes of texts have room for letters that reach below and above: of neighbours that room may
# overlap, the letters may not.
_ROOM = 0.16


def list_texts(figure: Figure) -> list[Text]:
    """Every text that is seen; those along slanted lines, whose boxes are not theirs, left out."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        found += [*axes.texts, *_list_titles(axes), *_list_ticks(axes)]
    return [text for text in found if text.get_text().strip() and text.get_rotation() in (0, 90)]


def _list_titles(axes: Axes) -> Iterator[Text]:
    yield from (axes.title, axes.xaxis.label, axes.yaxis.label)
    yield axes._left_title  # type: ignore[attr-defined]


def _list_ticks(axes: Axes) -> Iterator[Text]:
    """The numbers and names at the ticks that lie on each axis."""
    for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        low, high = sorted(ends)
        for tick in axis.get_major_ticks():
            if low <= tick.get_loc() <= high and tick.label1.get_visible():
                yield tick.label1


def find_box(text: Text) -> Bbox:
    """What a text takes, pixels, without what its line has room for."""
    box = Text.get_window_extent(text)
    room = _ROOM * min(box.width, box.height)
    return box.padded(-room)


def assert_readable(figure: Figure) -> None:
    """No text lies on another, and none is cut by the edge of the figure."""
    figure.draw_without_rendering()
    texts = list_texts(figure)
    assert len(texts) > 3
    boxes = [(text.get_text(), find_box(text)) for text in texts]
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not first.overlaps(second), (one, other)
    edge = figure.bbox
    for text, box in boxes:
        assert edge.x0 <= box.x0, text
        assert box.x1 <= edge.x1, text
        assert edge.y0 <= box.y0, text
        assert box.y1 <= edge.y1, text


def read_caption(figure: Figure) -> str:
    """The text at the foot, in one line."""
    lowest = min(figure.texts, key=lambda text: text.get_position()[1])
    return " ".join(lowest.get_text().split())


def list_legend(figure: Figure) -> list[str]:
    """What the entries of all legends say, from top to bottom."""
    legends = sorted(figure.legends, key=lambda legend: -legend.get_window_extent().y1)
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def list_offsets(axes: Axes) -> list[tuple[float, float]]:
    """Where the marks of all scatters stand, in data's units."""
    return [pair for marks in axes.collections for pair in list_pairs(marks.get_offsets())]


def list_pairs(points: Any) -> list[tuple[float, float]]:
    """Points as pairs of numbers."""
    return [(float(x), float(y)) for x, y in points]


def list_values(values: Any) -> list[float]:
    """The data of a line along one axis."""
    return [float(value) for value in values]
