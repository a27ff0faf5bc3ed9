"""What the page's tables hold: text that is ready to be read, and what it sorts by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mobilenet_profiler.render.plot.style import LIGHT, choose_marks


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    text: as it is read. key: the number that it sorts by, where its text does not begin with
    that. share: 0 to 1, the length of the bar behind it. about: a second line, smaller.
    tone: how it is marked, such as a verdict's status. place: where that is from, before its
    second line; link: the address of that. under: what its text begins with, left unsaid
    where the row stands under that very head.
    """

    text: str
    key: float | None = None
    share: float | None = None
    about: str = ""
    tone: str = ""
    link: str = ""
    place: str = ""
    under: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a column.

    numeric: whether it holds numbers, set flush right and sorted largest first.
    sums: whether its numbers add up to the total, so that those of a selection mean something.
    about: what it is, in words.
    """

    text: str
    numeric: bool = True
    sums: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row. kind: what it is filtered by. minor: left out until it is asked for."""

    cells: tuple[Cell, ...]
    kind: str = ""
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that stand together.

    head: cells above them, which sum them up; none for lone rows. Where there are fewer than
    columns, the first has the room of those that are missing.
    """

    lines: tuple[Line, ...]
    head: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class PageTable:
    """A table that can be sorted, and filtered where it has several kinds of rows.

    name: of the element, unique in the page. caption: what it holds. minor: what the rows are
    called that are left out at first. filtered: whether it is searched and filtered by kind.
    noun: what a row is, in the plural. folded: whether its blocks are collapsed at first.
    colours: of its kinds, as numbers.
    """

    name: str
    caption: str
    headings: tuple[Heading, ...]
    blocks: tuple[Block, ...]
    total: tuple[Cell, ...] = ()
    kind: str = "kind"
    minor: str = ""
    noun: str = "rows"
    filtered: bool = True
    folded: bool = False
    colours: dict[str, int] = field(default_factory=dict)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every row, in its order."""
        return tuple(line for block in self.blocks for line in block.lines)

    @cached_property
    def kinds(self) -> dict[str, int]:
        """How many rows each kind has: those of rows that are shown at first, then the others."""
        counts: dict[str, int] = {}
        for line in sorted(self.lines, key=lambda line: line.minor):
            counts[line.kind] = counts.get(line.kind, 0) + 1
        return counts

    @cached_property
    def places(self) -> dict[str, int]:
        """The number of each kind, by which rows name it."""
        return {kind: place for place, kind in enumerate(self.kinds)}

    @property
    def folds(self) -> bool:
        """Whether it has blocks to collapse."""
        return any(block.head for block in self.blocks)

    @property
    def minors(self) -> int:
        """How many rows are left out at first."""
        return sum(line.minor for line in self.lines)

    @property
    def left_out(self) -> str:
        """The same in words: `58 layers without MACs`, `1 layer without MACs`."""
        words = self.minor
        if self.minors == 1:
            words = words.replace(self.noun, self.noun.removesuffix("s"), 1)
        return f"{self.minors:,} {words}"


def colour_kinds(kinds: Iterable[str]) -> dict[str, int]:
    """The number of the colour that each kind of layer has in every figure."""
    marks = choose_marks(kinds, LIGHT)
    return {kind: LIGHT.series.index(mark.colour) for kind, mark in marks.items()}


def make_plain_table(
    name: str,
    caption: str,
    lines: Sequence[Sequence[str]],
    texts: Sequence[str],
    total: bool = False,
    noun: str = "rows",
) -> PageTable:
    """A table of lines of text, headings first. texts: headings of columns of no numbers.

    total: whether the last line is one.
    """
    headings = tuple(Heading(text, text not in texts) for text in lines[0])
    *body, last = [tuple(Cell(text) for text in line) for line in lines[1:]]
    rows = body if total else [*body, last]
    block = Block(tuple(Line(cells) for cells in rows))
    foot = last if total else ()
    return PageTable(name, caption, headings, (block,), foot, noun=noun, filtered=False)
