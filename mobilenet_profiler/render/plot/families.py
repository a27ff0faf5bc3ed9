"""Kinds of layers as a stack shows them: one colour a family, the rest in greys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Patch

from mobilenet_profiler.render.plot.style import FAMILIES, Theme, title_marks

_OTHER = "other"
_GREYS = (0.0, 0.45, 0.75)  # how much of the ground is in the colours of kinds without a family
_NARROW = 2.0  # points of a bar below which a line around it is most of what is seen
_NAMED = 3  # kinds of a family that a legend names


@dataclass(frozen=True, slots=True)
class Family:
    """Kinds of layers that have one colour. name: for a legend, such as 'full 3x3, 7x7'."""

    name: str
    colour: str
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of a stack: from left to right, from low to high, in data's units.

    title: what a page says of it.
    """

    left: float
    right: float
    low: float
    high: float
    title: str = ""


def list_families(amounts: Mapping[str, float], theme: Theme) -> tuple[Family, ...]:
    """The families of all kinds that have an amount, the most first, those in grey last.

    amounts: by kind of layer. Two kinds without a family have a grey of their own, the
    others one together.
    """
    present = {kind: amount for kind, amount in amounts.items() if amount > 0}
    groups: dict[str, list[str]] = {}
    for kind in sorted(present, key=lambda kind: -present[kind]):
        groups.setdefault(kind.split(" ")[0], []).append(kind)
    known = {name: kinds for name, kinds in groups.items() if name in FAMILIES}
    rest = [kind for name, kinds in groups.items() if name not in FAMILIES for kind in kinds]
    ordered = sorted(known.items(), key=lambda item: -sum(present[kind] for kind in item[1]))
    coloured = [
        Family(_name(kinds), theme.series[FAMILIES[name][0]], frozenset(kinds))
        for name, kinds in ordered
    ]
    return (*coloured, *_list_greys(rest, theme))


def _name(kinds: Sequence[str]) -> str:
    """`full 3x3, 7x7`; the family alone where it has many kinds."""
    if len(kinds) > _NAMED:
        return kinds[0].split(" ")[0]
    sizes = (kind.partition(" ")[2] for kind in kinds[1:])
    return ", ".join([kinds[0], *filter(None, sizes)])


def _list_greys(kinds: Sequence[str], theme: Theme) -> list[Family]:
    own = [*kinds] if len(kinds) <= len(_GREYS) else [*kinds[: len(_GREYS) - 1], _OTHER]
    grey = theme.series[6]
    return [
        Family(
            kind,
            blend(grey, theme.background, share),
            frozenset([kind] if kind != _OTHER else kinds[len(_GREYS) - 1 :]),
        )
        for kind, share in zip(own, _GREYS, strict=False)
    ]


def blend(one: str, other: str, share: float = 0.5) -> str:
    """A colour between two; share: of the other. The first itself where that is 0."""
    if not share:
        return one
    pairs = zip(to_rgb(one), to_rgb(other), strict=True)
    red, green, blue = (a + share * (b - a) for a, b in pairs)
    return to_hex((red, green, blue))


def find_family(families: Sequence[Family], kind: str) -> int | None:
    """The place of a kind's family; None where it has none."""
    return next((index for index, own in enumerate(families) if kind in own.kinds), None)


def draw_blocks(
    axes: Axes, blocks: Iterable[Block], family: Family, theme: Theme, joined: bool = False
) -> None:
    """Rectangles in a family's colour, a thin line of the ground around each, or none."""
    own = [block for block in blocks if block.high > block.low and block.right > block.left]
    if not own:
        return
    corners = [
        [(b.left, b.low), (b.left, b.high), (b.right, b.high), (b.right, b.low)] for b in own
    ]
    drawn = PolyCollection(
        corners,
        facecolors=family.colour,
        edgecolors=family.colour if joined else theme.background,
        linewidths=0.3 if joined else 0.25,
        label=family.name,
        zorder=3,
    )
    axes.add_collection(drawn, autolim=False)
    title_marks(drawn, [block.title for block in own])


def is_crowded(axes: Axes, bars: int) -> bool:
    """Whether so many bars side by side are so narrow that lines between them would pale them."""
    return axes.bbox.width / axes.figure.dpi * 72 < _NARROW * bars


def list_patches(families: Sequence[Family], theme: Theme) -> list[Artist]:
    """The entries of a legend."""
    return [
        Patch(facecolor=own.colour, edgecolor=theme.background, linewidth=0, label=own.name)
        for own in families
    ]
