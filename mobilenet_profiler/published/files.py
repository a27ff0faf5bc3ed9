"""Figures of a user's own: `[[figure]]` tables of a TOML file, lines of a CSV file, or `key=value`.

Whatever cannot be read is one line that names the file and the line.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.published.catalogue import make_difference
from mobilenet_profiler.published.figure import (
    COUNTED,
    QUANTITIES,
    TEXTS,
    Figure,
    check_unit,
    read_number,
    split_printed,
)

KEYS = (
    *("quantity", "printed", "unit", "of", "convention", "model", "options"),
    *("source", "place", "subject", "known_difference"),
)
_HEADER = re.compile(r"\s*\[\[\s*[\"']?figure[\"']?\s*\]\]")
_ANY_HEADER = re.compile(r"\s*\[")


def read_figures(path: Path, model: str = "", needed: bool = True) -> tuple[Figure, ...]:
    """The figures of a file, of which those that name no model are of `model`.

    needed: whether there must be any. Raises UsageError, with file and line, for anything
    that is no figure.
    """
    text = _read_text(path)
    found = _read_csv(path, text) if path.suffix.casefold() == ".csv" else _read_toml(path, text)
    if needed and not found:
        raise UsageError(f"{path}: there is no figure; give each a [[figure]] table")
    return tuple(_make_figure(data, model, path.stem, lines) for data, lines in found)


def read_expectation(text: str, model: str, convention: str = DEFAULT) -> Figure:
    """The figure in `macs=325M`, or `macs@Conv2d_0=2.7M` for a part. Raises UsageError."""
    key, equals, printed = text.partition("=")
    quantity, _, of = key.partition("@")
    if not equals or not printed.strip():
        raise UsageError(f"an expectation must be like macs=325M, given {text!r}")
    data = {"quantity": quantity.strip(), "of": of.strip(), "printed": printed.strip()}
    lines = _Lines(f"--expect {text}")
    return _make_figure({**data, "convention": convention}, model, "expected", lines)


class _Lines:
    """Where a figure stands, and each of its keys: `file.toml:12`."""

    def __init__(self, file: str, first: int = 0, keys: Mapping[str, int] | None = None) -> None:
        self.file, self.first, self.keys = file, first, keys or {}

    def find(self, key: str = "") -> str:
        number = self.keys.get(key, self.first)
        return f"{self.file}:{number}" if number else self.file


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8: {error.reason}") from None


def _read_toml(path: Path, text: str) -> list[tuple[Mapping[str, Any], _Lines]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{path}:{line[1]}" if line else str(path)
        raise UsageError(f"{where}: not TOML: {error}") from None
    tables = data.get("figure", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: figures must be tables, each headed [[figure]]")
    places = _find_tables(text)
    if len(places) == len(tables):
        lines = [_Lines(str(path), *place) for place in places]
    else:  # inline tables have no heading
        lines = [_Lines(f"{path}: figure {index}") for index in range(1, len(tables) + 1)]
    return list(zip(tables, lines, strict=True))


def _find_tables(text: str) -> list[tuple[int, dict[str, int]]]:
    """The line of each [[figure]], and of each key in it."""
    found: list[tuple[int, dict[str, int]]] = []
    inside = False
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if _HEADER.match(line) and _is_toml("\n".join(lines[: number - 1])):
            found.append((number, {}))
            inside = True
        elif _ANY_HEADER.match(line):
            inside = False
        elif inside and (key := re.match(r"\s*[\"']?(\w+)[\"']?\s*[.=]", line)):
            found[-1][1].setdefault(key[1], number)
    return found


def _is_toml(text: str) -> bool:
    """Whether what stands before a heading is whole: inside a text of several lines it is not."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _read_csv(path: Path, text: str) -> list[tuple[Mapping[str, Any], _Lines]]:
    reader = csv.DictReader(text.splitlines())
    names = reader.fieldnames or ()
    if len(set(names)) < len(names):
        raise UsageError(f"{path}:1: a column stands twice: {', '.join(names)}")
    found: list[tuple[Mapping[str, Any], _Lines]] = []
    for row in reader:
        lines = _Lines(str(path), reader.line_num)
        if None in row or None in row.values():
            raise UsageError(f"{lines.find()}: the line has not as many cells as the first")
        found.append(({key: cell.strip() for key, cell in row.items() if cell.strip()}, lines))
    return found


def _make_figure(data: Mapping[str, Any], model: str, source: str, lines: _Lines) -> Figure:
    _check_keys(data, lines)
    quantity = _choose(data, "quantity", QUANTITIES, lines)
    printed, unit = _read_printed(data, lines)
    network = " ".join(filter(None, (data.get("model", model), data.get("options", ""))))
    if not network.strip():
        raise UsageError(f"{lines.find()}: the figure names no model")
    own = " ".join(filter(None, map(data.get, ("model", "options"))))
    figure = Figure(
        source=_show(data.get("source", source)),
        place=_show(data.get("place", "")),
        subject=_show(data.get("subject", own)),
        model=network,
        quantity=quantity,
        printed=printed,
        unit=unit,
        convention=_choose_convention(data, lines),
        of=data.get("of", ""),
        line=lines.find("printed"),
    )
    return _add_difference(figure, data, lines)


def _show(text: str) -> str:
    """A text that a terminal can show: no control characters, one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _check_keys(data: Mapping[str, Any], lines: _Lines) -> None:
    for key, value in data.items():
        if key not in KEYS:
            raise _place(unknown_name("key of a figure", key, KEYS), lines, key)
        if key != "known_difference" and not isinstance(value, str):
            hint = f'; write {key} = "{value}"' if isinstance(value, int | float) else ""
            raise UsageError(f"{lines.find(key)}: {key} must be a text, given {value!r}{hint}")
    for key in ("quantity", "printed"):
        if not data.get(key, "").strip():
            raise UsageError(f"{lines.find(key)}: the figure has no {key!r}")


def _read_printed(data: Mapping[str, Any], lines: _Lines) -> tuple[str, str]:
    """The number and its unit, which stands behind it or in a key of its own."""
    printed, unit = data["printed"].strip(), data.get("unit", "")
    try:
        if data["quantity"] in TEXTS:
            check_unit(data["quantity"], unit)
            return printed, unit
        number, tail = split_printed(printed)
        if tail and unit:
            raise UsageError(f"printed {printed!r} has a unit of its own beside {unit!r}")
        value, _ = read_number(number, tail or unit)
        check_unit(data["quantity"], tail or unit)
        if not value:
            raise UsageError(f"printed {printed!r} is zero, which says nothing of a count")
    except UsageError as error:
        raise _place(error, lines, "printed") from None
    return number, tail or unit


def _choose(data: Mapping[str, Any], key: str, allowed: tuple[str, ...], lines: _Lines) -> str:
    value: str = data[key]
    if value not in allowed:
        raise _place(unknown_name(key, value, (*COUNTED, *TEXTS)), lines, key)
    return value


def _choose_convention(data: Mapping[str, Any], lines: _Lines) -> str:
    try:
        return find_convention(data.get("convention", DEFAULT)).name
    except UsageError as error:
        raise _place(error, lines, "convention") from None


def _add_difference(figure: Figure, data: Mapping[str, Any], lines: _Lines) -> Figure:
    if "known_difference" not in data:
        return figure
    try:
        table = data["known_difference"]
        if not isinstance(table, dict):
            raise UsageError("known_difference must be a table with count and reason")
        return replace(figure, difference=make_difference({"printed": figure.printed, **table}))
    except UsageError as error:
        raise _place(error, lines, "known_difference") from None


def _place(error: UsageError, lines: _Lines, key: str) -> UsageError:
    return UsageError(f"{lines.find(key)}: {error}")


def refuse_twins(figures: Iterable[Figure]) -> None:
    """Two figures of one name could not be told apart: ask for a subject or a place."""
    lines: dict[str, str] = {}
    for figure in figures:
        if figure.name in lines:
            raise UsageError(
                f"{figure.line}: the figure stands at {lines[figure.name]} already; "
                "give each a place or a subject of its own"
            )
        lines[figure.name] = figure.line
