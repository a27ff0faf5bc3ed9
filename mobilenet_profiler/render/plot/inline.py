"""A figure inside a page: an SVG whose marks say what they are, in the page's own colours."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

from mobilenet_profiler.render.plot.style import LIGHT, Drawing, Theme, use_theme

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
# DejaVu Sans is wide: what a reader's machine has instead takes no more room.
_FONTS = "'DejaVu Sans', Verdana, sans-serif"
_REFERENCE = re.compile(r"(url\(#|^#)([^)]+)")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_STILL = re.compile(r"\s*rotate\(-?0 [^)]*\)")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")  # not in XML
_MOVED = ("d", "x", "y", "transform", "points", "width", "height")


def encode_inline(
    figure: Figure, theme: Theme = LIGHT, prefix: str = "plot", label: str = ""
) -> str:
    """A figure as the `<svg>` element of an HTML page; the same text whenever it is made.

    theme: the one it is drawn in: its colours become `var(--plot-text, #1a1a1a)`, which a page
    sets with `list_variables`. prefix: of every id, for pages of several figures. label: what
    a screen reader says of it. Every mark that has a title (`title_marks`) is of class `mark`
    and holds a `<title>`. It takes the width that it is given.
    """
    root = ElementTree.fromstring(_UNPRINTABLE.sub("\ufffd", _write(figure)))
    _strip(root)
    titles = figure.titles if isinstance(figure, Drawing) else {}
    for gid, lines in titles.items():
        _title(root, gid, lines)
    _shorten(root, _list_names(theme), prefix)
    _frame(root, label)
    return ElementTree.tostring(root, encoding="unicode")


def list_variables(theme: Theme) -> dict[str, str]:
    """The colours of a theme by the names of their CSS variables: `--plot-text`."""
    return {name: colour for colour, name in _list_names(theme).items()}


def _list_names(theme: Theme) -> dict[str, str]:
    own = {
        theme.background: "background",
        theme.text: "text",
        theme.muted: "muted",
        theme.grid: "grid",
    }
    series = {colour: f"series-{index}" for index, colour in enumerate(theme.series)}
    return {colour: f"--plot-{name}" for colour, name in {**series, **own}.items()}


def _write(figure: Figure) -> str:
    """As matplotlib writes it, text as text."""
    buffer = io.StringIO()
    with use_theme(LIGHT):
        mpl.rcParams["svg.fonttype"] = "none"
        figure.savefig(
            buffer, format="svg", facecolor=figure.get_facecolor(), metadata={"Date": None}
        )
    return buffer.getvalue()


def _strip(root: ElementTree.Element) -> None:
    """Leave out the metadata, and the style sheet, which would be the whole page's."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)


def _title(root: ElementTree.Element, gid: str, lines: tuple[str, ...]) -> None:
    """Give each mark of an artist its line, or the whole artist its only one."""
    group = next((own for own in root.iter(f"{_SVG}g") if own.get("id") == gid), None)
    if group is None:
        return
    marks = list(_list_marks(group))
    owners = [group] if len(lines) == 1 and len(marks) > 1 else marks
    for mark, line in zip(owners, lines, strict=True):
        mark.set("class", "mark")
        title = ElementTree.Element(f"{_SVG}title")
        title.text = _UNPRINTABLE.sub("\ufffd", line)
        mark.insert(0, title)


def _list_marks(group: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """What is drawn, in order: not what is kept to be used."""
    for child in group:
        if child.tag in (f"{_SVG}use", f"{_SVG}path"):
            yield child
        elif child.tag == f"{_SVG}g":
            yield from _list_marks(child)


def _shorten(root: ElementTree.Element, names: Mapping[str, str], prefix: str) -> None:
    """Colours as variables, ids of this figure alone and only where used, numbers to 0.01."""
    used = dict.fromkeys(chain.from_iterable(map(_list_references, root.iter())))
    ids = {name: f"{prefix}-{index}" for index, name in enumerate(used)}
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            if short := _rewrite(name, value, names, ids):
                element.set("href" if name == f"{_XLINK}href" else name, short)
        if element.text and not element.text.strip():
            element.text = None
        if element.tail and not element.tail.strip():
            element.tail = None


def _list_references(element: ElementTree.Element) -> Iterator[str]:
    for name, value in element.attrib.items():
        if name != "id":
            yield from (found for _, found in _REFERENCE.findall(value))


def _rewrite(name: str, value: str, names: Mapping[str, str], ids: Mapping[str, str]) -> str:
    """The value of an attribute, shorter; '' for an id that nothing refers to."""
    if name == "id":
        return ids.get(value, "")
    if name == "style":
        value = value.replace("font-family: 'DejaVu Sans'; ", "")
        value = _COLOUR.sub(lambda found: _name_colour(found[0], names), value)
    if name in _MOVED:
        value = _LONG_NUMBER.sub(lambda found: _round(found[0]), _STILL.sub("", value))
        value = " ".join(value.split())
    return _REFERENCE.sub(lambda found: f"{found[1]}{ids[found[2]]}", value)


def _name_colour(colour: str, names: Mapping[str, str]) -> str:
    return f"var({names[colour]}, {colour})" if colour in names else colour


def _round(number: str) -> str:
    text = f"{float(number):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _frame(root: ElementTree.Element, label: str) -> None:
    """The element itself: as wide as it may be, and what it is to a screen reader."""
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("class", "plot")
    root.set("role", "img")
    if label:
        root.set("aria-label", _UNPRINTABLE.sub("\ufffd", label))
    root.set("style", f"font-family: {_FONTS}; stroke-linejoin: round; stroke-linecap: butt")
