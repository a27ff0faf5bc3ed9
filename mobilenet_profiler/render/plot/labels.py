"""Names beside points, placed so that none lies on another, on a mark or outside the axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import atan2, cos, degrees, pi, sin
from typing import Any

from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Affine2D, Bbox

_RINGS = (2.0, 6.0, 12.0, 20.0, 30.0)  # points between a mark and its name
_NEAR = 6.0  # so far a name is its mark's without a leader
_DIRECTIONS = tuple(pi / 8 * step for step in (1, 15, 7, 9, 0, 8, 4, 12, 2, 14, 6, 10))
_MARGIN = 1.0  # points around a name


@dataclass(frozen=True, slots=True)
class Label:
    """A name to place: its text, its point in data's units, the radius of its mark in points."""

    text: str
    x: float
    y: float
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Ground:
    """Where names may lie, and what they must not touch: boxes, and straight lines; in pixels."""

    inside: Bbox
    boxes: tuple[Bbox, ...] = ()
    lines: tuple[Path, ...] = ()

    def is_free(self, box: Bbox, taken: Sequence[Bbox]) -> bool:
        """Whether a box lies inside, and on nothing."""
        inside = self.inside
        if box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1:
            return False
        if any(box.overlaps(other) for other in (*self.boxes, *taken)):
            return False
        return not any(line.intersects_bbox(box, filled=False) for line in self.lines)

    def is_clear(self, leader: Path, taken: Sequence[Bbox], start: tuple[float, float]) -> bool:
        """Whether a leader meets no name, no line, and no mark but those it starts from."""
        others = [box for box in (*self.boxes, *taken) if not box.contains(*start)]
        return not any(leader.intersects_bbox(box, filled=False) for box in others) and not any(
            leader.intersects_path(line, filled=False) for line in self.lines
        )


def place_labels(
    axes: Axes, labels: Sequence[Label], ground: Ground, size: float, colour: str
) -> list[Annotation]:
    """Names for as many labels as find room, the first ones first; far ones have a leader.

    size: of the font, points. The layout must be final: places are found in pixels.
    """
    taken: list[Bbox] = []
    placed: list[Annotation] = []
    for label in labels:
        found = find_room(axes, label, ground, taken, size)
        if found is None:
            continue
        box, offset, far = found
        taken.append(box)
        placed.append(_annotate(axes, label, offset, far, size, colour))
    return placed


def find_room(
    axes: Axes, label: Label, ground: Ground, taken: Sequence[Bbox], size: float
) -> tuple[Bbox, tuple[float, float], bool] | None:
    """The nearest free place of a name: its box, the offset of its middle, whether that is far."""
    scale = axes.figure.dpi / 72
    width, height = measure_text(axes, label.text, size)
    x, y = axes.transData.transform((label.x, label.y))
    for ring in _RINGS:
        far = ring > _NEAR
        for right, up in _list_offsets(width / scale, height / scale, label.radius + ring):
            middle = (x + right * scale, y + up * scale)
            box = Bbox.from_bounds(middle[0] - width / 2, middle[1] - height / 2, width, height)
            free = ground.is_free(box.padded(_MARGIN * scale), taken)
            if free and (not far or ground.is_clear(Path([(x, y), middle]), taken, (x, y))):
                return box, (right, up), far
    return None


@dataclass(frozen=True, slots=True)
class Slanted:
    """A text along a straight line through the origin of logarithmic axes, y = slope x.

    size: of its font, points. extent: its width and height, pixels. x: where it begins, in
    data's units. above: on which side of the line it stands.
    """

    text: str
    size: float
    extent: tuple[float, float]
    x: float
    slope: float
    above: bool

    def write(self, axes: Axes) -> Path:
        """Put it there, below all marks; the rectangle that it takes, pixels."""
        corner = self._list_corners(axes)[0 if self.above else 3]
        x, y = axes.transData.inverted().transform(corner)
        note = axes.text(
            x,
            y,
            self.text,
            fontsize=self.size,
            rotation=degrees(self._find_angle(axes)),
            rotation_mode="anchor",
            ha="left",
            va="bottom" if self.above else "top",
            zorder=3,
        )
        note.set_in_layout(False)
        return self.outline(axes)

    def outline(self, axes: Axes) -> Path:
        """The rectangle that it would take, pixels."""
        corners = self._list_corners(axes)
        return Path([*corners, corners[0]])

    def _list_corners(self, axes: Axes) -> list[tuple[float, float]]:
        """From the lower left one round, as the text is read; pixels."""
        width, height = self.extent
        gap = _MARGIN * axes.figure.dpi / 72
        low = gap if self.above else -gap - height
        corners = [(0, low), (width, low), (width, low + height), (0, low + height)]
        foot = axes.transData.transform((self.x, self.slope * self.x))
        turn = Affine2D().rotate(self._find_angle(axes)).translate(*foot)
        return [(float(x), float(y)) for x, y in turn.transform(corners)]

    def _find_angle(self, axes: Axes) -> float:
        """Of the line on the screen, radians."""
        ends = axes.transData.transform([(x, self.slope * x) for x in (self.x, 2 * self.x)])
        return atan2(ends[1][1] - ends[0][1], ends[1][0] - ends[0][0])


def measure_text(axes: Axes, text: str, size: float) -> tuple[float, float]:
    """Width and height of a line of text, pixels."""
    probe: Text = axes.text(0, 0, text, fontsize=size, transform=None)
    box = probe.get_window_extent()
    probe.remove()
    return box.width, box.height


def _list_offsets(width: float, height: float, reach: float) -> Iterator[tuple[float, float]]:
    """Places of a name's middle around its point: its nearest edge `reach` away, in points."""
    for angle in _DIRECTIONS:
        yield (reach + width / 2) * cos(angle), (reach + height / 2) * sin(angle)


def _annotate(
    axes: Axes, label: Label, offset: tuple[float, float], far: bool, size: float, colour: str
) -> Annotation:
    leader: dict[str, Any] = {"arrowstyle": "-", "linewidth": 0.4, "color": colour, "shrinkA": 0}
    leader["shrinkB"] = label.radius
    note = axes.annotate(
        label.text,
        (label.x, label.y),
        xytext=offset,
        textcoords="offset points",
        fontsize=size,
        color=colour,
        ha="center",
        va="center",
        zorder=6,
        arrowprops=leader if far else None,
    )
    note.set_in_layout(False)
    return note
