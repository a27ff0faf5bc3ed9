"""Accuracies of the cells of a grid: published ones, and a user's own from a CSV file.

The file has a column `top1` in per cent and a column for each thing that tells a row's cells:
`model`, axes, options of the network, `resolution` or `beta`. A row without a value there
speaks of all cells that have its other values. `source` says where a number is from.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.axes import MODEL, RENAMED
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.quantities import ALIASES
from mobilenet_profiler.published.accuracies import find_grid_accuracies
from mobilenet_profiler.spec import DEFAULT_RESOLUTION, ModelSpec, parse_argument
from mobilenet_profiler.variant import INPUT_KEYS
from mobilenet_profiler.zoo.catalogue import find_model

_AMOUNT, _SOURCE = "top1", "source"
_SIZE = "resolution"  # beta is told as that, so that a file may have either
_SHOWN = 3  # lines that a sentence names

_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file. values: by column, those left empty not among them."""

    line: int
    values: Mapping[str, Any]
    accuracy: Accuracy


def join_accuracies(
    specs: Sequence[ModelSpec | None],
    cells: Sequence[Cell],
    source: str | None = None,
    path: str | None = None,
) -> tuple[Accuracy | None, ...]:
    """The top-1 accuracy of each cell: the user's own where the file has one, else published.

    specs: of the cells; None where a cell has none. source: of the published ones; None takes
    for each network the one source that knows most of its cells. path: the user's file.
    Raises UsageError for a source that there is not, a file that cannot be read, a column that
    tells nothing of any cell, two rows that speak of one cell, or a file of which no row
    speaks of any.
    """
    published = _find_published(specs, source)
    if path is None:
        return published
    rows = read_accuracies(path, specs, cells)
    own = _match(rows, specs, cells, path)
    if rows and not any(own):
        raise UsageError(f"{path}: no row speaks of a cell of this grid; {_describe(rows[0])}")
    return tuple(row.accuracy if row else other for row, other in zip(own, published, strict=True))


def list_unmatched(
    specs: Sequence[ModelSpec | None], cells: Sequence[Cell], path: str
) -> tuple[str, ...]:
    """In a sentence, which rows of the user's file speak of no cell; none where all do."""
    rows = read_accuracies(path, specs, cells)
    used = {row.line for row in _match(rows, specs, cells, path) if row}
    lines = [str(row.line) for row in rows if row.line not in used]
    if not lines:
        return ()
    shown = ", ".join(lines[:_SHOWN]) + (
        f" and {len(lines) - _SHOWN:,} more" if len(lines) > _SHOWN else ""
    )
    return (f"{path}: {len(lines):,} of {len(rows):,} rows speak of no cell: line {shown}",)


def _find_published(
    specs: Sequence[ModelSpec | None], source: str | None
) -> tuple[Accuracy | None, ...]:
    known = [spec.as_dict() for spec in specs if spec is not None]
    found = iter(find_grid_accuracies(known, source))
    return tuple(None if spec is None else next(found) for spec in specs)


def read_accuracies(
    path: str, specs: Sequence[ModelSpec | None], cells: Sequence[Cell]
) -> list[_Row]:
    """The rows of a user's file. Raises UsageError, with file and line."""
    reader = csv.reader(io.StringIO(_read_text(path)))
    try:
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    if not lines:
        raise UsageError(f"{path} is empty; its first line must name the columns, among them top1")
    header = [_name_column(name) for name in lines[0][1]]
    _check_header(header, path, _list_columns(specs, cells))
    rows = [
        _read_row(header, line, f"{path}:{number}", number, path)
        for number, line in lines[1:]
        if any(cell.strip() for cell in line)
    ]
    _refuse_fractions(rows, path)
    return rows


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8: {error.reason}") from None


def _name_column(text: str) -> str:
    name = text.strip()
    return RENAMED.get(name, ALIASES.get(name, name))


def _list_columns(specs: Sequence[ModelSpec | None], cells: Sequence[Cell]) -> list[str]:
    """What can tell cells apart, or is of every cell alike."""
    names = [MODEL, *(name for cell in cells for name in cell.point)]
    names += [name for spec in specs if spec for name in spec.options]
    entries = [find_model(name) for name in dict.fromkeys(map(_find_name, cells))]
    names += [name for entry in entries if entry for name in entry.options]
    return list(dict.fromkeys([*names, *INPUT_KEYS]))


def _find_name(cell: Cell) -> str:
    return cell.model.partition(" ")[0]


def _check_header(header: Sequence[str], path: str, known: Sequence[str]) -> None:
    if _AMOUNT not in header:
        raise UsageError(f"{path}:1: no column top1; given: {', '.join(header)}")
    for name in header:
        if header.count(name) > 1:
            raise UsageError(f"{path}:1: column {name!r} stands there twice")
        if name not in (_AMOUNT, _SOURCE, *known):
            error = unknown_name("column", name, [_AMOUNT, _SOURCE, *known], limit=12)
            raise UsageError(f"{path}:1: {error}")
    if _SIZE in header and "beta" in header:
        raise UsageError(f"{path}:1: give a column of resolution or of beta, not both")


def _read_row(
    header: Sequence[str], line: Sequence[str], place: str, number: int, path: str
) -> _Row:
    if len(line) != len(header):
        raise UsageError(f"{place}: {len(line)} cells in a row of {len(header)} columns")
    texts = {name: cell.strip() for name, cell in zip(header, line, strict=True) if cell.strip()}
    source = texts.pop(_SOURCE, Path(path).name)
    accuracy = Accuracy(_read_percent(texts.pop(_AMOUNT, ""), place), source)
    values = {name: _read_value(name, text) for name, text in texts.items()}
    return _Row(number, dict(_settle(values)), accuracy)


def _read_percent(text: str, place: str) -> str:
    number = text.rstrip("% ")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise UsageError(f"{place}: top1 must be in per cent, such as 70.6, given {text!r}")
    return f"{number}%"


def _refuse_fractions(rows: Sequence[_Row], path: str) -> None:
    if rows and all(0 < row.accuracy.percent <= 1 for row in rows):
        text = rows[0].accuracy.text.rstrip("%")
        raise UsageError(
            f"{path}:{rows[0].line}: top1 must be in per cent, such as 70.6, given {text} "
            "and no row above 1"
        )


def _read_value(name: str, text: str) -> Any:
    return text if name == MODEL else parse_argument(f"{name}={text}")[1]


def _settle(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of a row, made comparable: numbers as such, a beta as the size it means."""
    for name, value in values.items():
        if name == "beta" and isinstance(value, int | float):
            entry = find_model(str(values.get(MODEL, "")).partition(" ")[0])
            yield _SIZE, float(round(value * (entry.resolution if entry else DEFAULT_RESOLUTION)))
        else:
            yield name, _compare_as(value)


def _compare_as(value: Any) -> Any:
    """A value that is equal to those that mean the same, and can be looked up."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list | tuple):
        return tuple(map(_compare_as, value))
    return value if isinstance(value, bool | str) or value is None else repr(value)


def _match(
    rows: Sequence[_Row], specs: Sequence[ModelSpec | None], cells: Sequence[Cell], path: str
) -> list[_Row | None]:
    """The row that speaks of each cell."""
    shapes: dict[tuple[str, ...], dict[_Key, _Row]] = {}
    for row in rows:
        names = tuple(sorted(row.values))
        known = shapes.setdefault(names, {})
        key = tuple(row.values[name] for name in names)
        if key in known:
            raise UsageError(f"{path}:{row.line}: says what line {known[key].line} says already")
        known[key] = row
    return [_find_row(shapes, *pair, path) for pair in zip(specs, cells, strict=True)]


def _find_row(
    shapes: Mapping[tuple[str, ...], Mapping[_Key, _Row]],
    spec: ModelSpec | None,
    cell: Cell,
    path: str,
) -> _Row | None:
    """The row with most values that are the cell's; two with as many cannot both be meant."""
    found = [
        row
        for names, known in shapes.items()
        for key in _list_keys(names, spec, cell)
        if (row := known.get(key)) is not None
    ]
    if not found:
        return None
    first, *others = sorted(found, key=lambda row: -len(row.values))
    for other in others:
        if len(other.values) == len(first.values) and other is not first:
            raise UsageError(
                f"{path}: lines {first.line} and {other.line} both speak of {cell.label}"
            )
    return first


def _list_keys(names: Sequence[str], spec: ModelSpec | None, cell: Cell) -> Iterable[_Key]:
    """The values of a cell in these columns: with its model as given, and by its bare name."""
    models = dict.fromkeys([cell.model, _find_name(cell)]) if MODEL in names else [cell.model]
    for model in models:
        yield tuple(model if name == MODEL else _find_own(name, spec, cell) for name in names)


def _find_own(name: str, spec: ModelSpec | None, cell: Cell) -> Any:
    """What a cell has in a column: of its point, its options, or what its network has anyway."""
    if name == _SIZE and spec is not None and not spec.inputs:
        return float(spec.input_shape[-1])
    if name in cell.point:
        return _compare_as(cell.point[name])
    if spec is None:
        return None
    if name == "batch":
        return float(spec.input_shape[0])
    return _compare_as(spec.options.get(name, _DEFAULTS.get(name)))


_DEFAULTS: Mapping[str, float] = {"alpha": 1.0, "num_classes": 1000.0}


def _describe(row: _Row) -> str:
    """The values that a row is looked up by, in words."""
    values = ", ".join(f"{name}={value}" for name, value in row.values.items()) or "no column"
    return f"line {row.line} has {values}"
