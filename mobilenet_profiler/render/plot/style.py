"""How every figure looks: sizes of a paper's columns, fonts, two themes, marks for layers."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

# Inches. A column and a page of two columns, as IEEE's and most conferences' templates have them.
WIDTHS: Mapping[str, float] = {"column": 3.5, "page": 7.16}
RESOLUTION = 300  # dots an inch, of PNG
FONT, SMALL = 7.0, 6.0  # points: what journals ask for at the size it is printed
_HASHED = re.compile(rb'(?<=["#])[A-Za-z][A-Za-z0-9_]*?[0-9a-f]{10}(?=[")])')  # matplotlib's ids
_GAP = 0.06  # inches around what stands below the axes


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a figure. series: one after another, for whatever has no colour of its own."""

    background: str
    text: str
    muted: str
    grid: str
    series: tuple[str, ...]


# The eight colours that Okabe and Ito chose to be told apart with any colour vision (Color
# Universal Design, 2008), without yellow, which is too pale for a mark on white, and with the
# paler two somewhat darker for the same reason. On a dark ground the same hues, lighter.
LIGHT = Theme(
    background="#ffffff",
    text="#1a1a1a",
    muted="#5c5c5c",
    grid="#e4e4e4",
    series=("#0072b2", "#d55e00", "#009e73", "#b85c94", "#c48400", "#3a94cc", "#6e6e6e"),
)
DARK = Theme(
    background="#16181c",
    text="#f0f0f0",
    muted="#b0b0b0",
    grid="#33363c",
    series=("#4aa8e0", "#ff8c42", "#2fc79a", "#e08cc0", "#f0b429", "#9ad4f5", "#a8a8a8"),
)
THEMES: Mapping[str, Theme] = {"light": LIGHT, "dark": DARK}

# A family of kinds ('depthwise 3x3' is of depthwise) has its colour and mark in every figure.
FAMILIES: Mapping[str, tuple[int, str]] = {
    "pointwise": (0, "o"),
    "depthwise": (1, "^"),
    "full": (2, "s"),
    "fully": (3, "D"),
    "grouped": (4, "v"),
    "attention": (5, "P"),
    "matrix": (5, "X"),
    "transposed": (4, "<"),
}
_OTHER = (6, "h")
# Marks of whatever has no mark of its own, one after another.
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">", "p", "*", "h")
_SPARE_MARKS = (">", "p", "*", "d", "H", "8", "<", "X", "P", "h")


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands for a kind of layer."""

    colour: str
    marker: str


def choose_marks(kinds: Iterable[str], theme: Theme = LIGHT) -> dict[str, Mark]:
    """A mark for each kind, in their order: colour by family, no marker twice while they last."""
    marks: dict[str, Mark] = {}
    for kind in dict.fromkeys(kinds):
        colour, marker = FAMILIES.get(kind.split(" ")[0], _OTHER)
        used = {mark.marker for mark in marks.values()}
        free = [own for own in (marker, *_SPARE_MARKS) if own not in used]
        marks[kind] = Mark(theme.series[colour], free[0] if free else marker)
    return marks


def make_mark_handle(mark: Mark, label: str) -> Line2D:
    """What stands for a mark in a legend."""
    return Line2D(
        *([], []),
        linestyle="",
        color=mark.colour,
        marker=mark.marker,
        markersize=4.5,
        markeredgewidth=0,
        label=label,
    )


def list_settings(theme: Theme) -> dict[str, Any]:
    """matplotlib's settings under which a figure is drawn and saved."""
    return {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
        "font.size": FONT,
        "axes.labelsize": FONT,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "text.color": theme.text,
        "axes.labelcolor": theme.text,
        "axes.edgecolor": theme.muted,
        "axes.facecolor": theme.background,
        "figure.facecolor": theme.background,
        "savefig.facecolor": theme.background,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.text,
        "ytick.labelcolor": theme.text,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.major.size": 3.0,
        "ytick.major.size": 3.0,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.grid.which": "major",
        "grid.color": theme.grid,
        "grid.linewidth": 0.5,
        "legend.frameon": False,
        "pdf.fonttype": 42,  # TrueType, which publishers demand
        "svg.hashsalt": "mobilenet-profiler",  # the same file from the same figure
        "text.parse_math": False,  # a name may hold a dollar
    }


@contextmanager
def use_theme(theme: Theme) -> Iterator[None]:
    """Draw in this style until the end; then as matplotlib was set before."""
    with mpl.rc_context():
        mpl.rcdefaults()
        apply_settings(list_settings(theme))
        yield


def apply_settings(settings: Any) -> None:
    """Set what matplotlib's own type of a setting's name would have spelt out."""
    mpl.rcParams.update(settings)


class Drawing(Figure):
    """A figure whose marks can say what they are.

    titles: by an artist's gid, a line for each of its marks in the order in which it draws
    them; a picture leaves them out, a page shows them where one points at a mark.
    """

    titles: dict[str, tuple[str, ...]]

    def _repr_png_(self) -> bytes:
        """The picture that a notebook shows."""
        return encode_figure(self, "png")


def make_figure(width: str = "column", height: float = 2.6) -> Drawing:
    """An empty figure as wide as a 'column' or a 'page', so many inches high."""
    size = (WIDTHS[width], height)
    figure = Drawing(figsize=size, dpi=RESOLUTION, layout="constrained")
    figure.titles = {}
    FigureCanvasAgg(figure)  # measures text, as it will be in PNG
    return figure


def title_marks(artist: Artist, titles: Sequence[str]) -> None:
    """Say of each mark of an artist what it is; one line alone is of the whole artist."""
    figure = artist.get_figure(root=True)
    if not isinstance(figure, Drawing):
        raise TypeError("the artist is in no figure of make_figure")
    gid = f"marks-{len(figure.titles) + 1}"
    artist.set_gid(gid)
    figure.titles[gid] = tuple(titles)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a legend: what its entries have in common, '' for nothing, and they."""

    title: str
    handles: tuple[Artist, ...]


def add_foot(
    figure: Figure, handles: Sequence[Artist] | Sequence[Row], text: str, theme: Theme
) -> None:
    """A legend below the axes, and a caption below that; the axes make room for both.

    handles: entries in as many columns as there is room for, or rows of them.
    """
    height = float(figure.get_size_inches()[1]) * figure.dpi
    gap = _GAP * figure.dpi
    below = gap + _add_caption(figure, text, theme).get_window_extent().height
    rows = _list_rows(handles)
    left = max((_measure_title(figure, row.title) for row in rows), default=0.0)
    for row in reversed(rows):
        legend = _add_legend(figure, row, left, (below + gap) / height)
        below += gap / 2 + legend.get_window_extent().height
    below += gap
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, below / height, 1, 1 - below / height))  # type: ignore[call-arg]


def _list_rows(handles: Sequence[Artist] | Sequence[Row]) -> list[Row]:
    rows = [handle for handle in handles if isinstance(handle, Row)]
    plain = tuple(handle for handle in handles if isinstance(handle, Artist))
    return [row for row in (*rows, Row("", plain)) if row.handles]


def _add_caption(figure: Figure, text: str, theme: Theme) -> Text:
    """Lines of small print at the foot, as long as the figure is wide."""
    width, height = map(float, figure.get_size_inches())
    caption = figure.text(
        _GAP / width, _GAP / height, text, fontsize=SMALL, color=theme.muted, va="bottom"
    )
    caption.set_in_layout(False)
    room = (width - 2 * _GAP) * figure.dpi
    length = max(round(1.1 * len(text) * room / caption.get_window_extent().width), 20)
    while caption.get_window_extent().width > room and length >= 20:
        caption.set_text("\n".join(textwrap.wrap(text, length)))
        length -= 1
    return caption


def _measure_title(figure: Figure, title: str) -> float:
    """The width that the title of a legend's row takes, pixels."""
    if not title:
        return 0.0
    probe = figure.text(0, 0, title, fontsize=SMALL)
    width = probe.get_window_extent().width + _GAP * figure.dpi
    probe.remove()
    return float(width)


def _add_legend(figure: Figure, row: Row, left: float, bottom: float) -> Legend:
    """As many columns as the figure is wide enough for, right of what is left of it (pixels);
    bottom: as a part of its height."""
    for columns in range(len(row.handles), 0, -1):
        legend = figure.legend(
            handles=row.handles,
            loc="lower left",
            bbox_to_anchor=(left / figure.bbox.width, bottom),
            ncols=columns,
            columnspacing=1.0,
            handletextpad=0.4,
            borderpad=0,
            borderaxespad=0.5,
            handlelength=1.2 if row.title else None,
        )
        if left + legend.get_window_extent().width <= 0.98 * figure.bbox.width or columns == 1:
            break
        legend.remove()
    legend.set_in_layout(False)
    if row.title:
        top = legend.get_window_extent().y1 / figure.bbox.height
        x = _GAP * figure.dpi / figure.bbox.width
        title = figure.text(x, top, row.title, fontsize=SMALL, va="top")
        title.set_in_layout(False)
    return legend


def encode_figure(figure: Figure, format: str) -> bytes:
    """A figure as the bytes of a 'png', 'svg' or 'pdf' file; the same whenever it is made."""
    buffer = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with use_theme(LIGHT):
        figure.savefig(
            buffer,
            format=format,
            dpi=RESOLUTION,
            facecolor=figure.get_facecolor(),
            metadata=dates.get(format),
        )
    return _number_ids(buffer.getvalue()) if format == "svg" else buffer.getvalue()


def _number_ids(svg: bytes) -> bytes:
    """One after another, instead of by a hash in which the last bit of a coordinate shows."""
    names = dict.fromkeys(_HASHED.findall(svg))
    places = {name: b"i%d" % place for place, name in enumerate(names)}
    return _HASHED.sub(lambda found: places[found[0]], svg)
