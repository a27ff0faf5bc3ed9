"""A variant of a zoo network as a TOML file, and the checks it shares with a spec. No torch."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.zoo.catalogue import find_model, list_models

INPUT_KEYS = ("resolution", "beta", "batch")
_FILE_KEYS = ("model", "name", "rows")
_FIGURES = "figure"  # what a draft prints of the variant: see published/files.py


def read_variant(path: Path) -> dict[str, Any]:
    """The settings in a variant file, rows as tuples (type, kernel, stride, depth)."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    try:
        return _check_variant(data, path)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _check_variant(data: dict[str, Any], path: Path) -> dict[str, Any]:
    data = {"model": "mobilenet_v1", "name": path.stem, **data}
    data.pop(_FIGURES, None)
    allowed = [*_FILE_KEYS, *INPUT_KEYS, *list_options(data["model"])]
    for key in data:
        if key not in allowed:
            raise unknown_name("option", key, dict.fromkeys(allowed))
    if "rows" in data:
        if not isinstance(data["rows"], list) or not data["rows"]:
            raise UsageError("'rows' must be tables, each headed [[rows]]")
        data["rows"] = tuple(_check_row(index, row) for index, row in enumerate(data["rows"]))
    return data


def _check_row(index: int, row: Any) -> tuple[str, tuple[int, int], int, int]:
    if not isinstance(row, dict):
        raise UsageError(f"row {index} must be a table, given {row!r}")
    row = {"kernel": [3, 3], "stride": 1, **row}
    for key in row:
        if key not in ("type", "kernel", "stride", "depth"):
            raise unknown_name(f"key in row {index}", key, ("type", "kernel", "stride", "depth"))
    for key in ("type", "depth"):
        if key not in row:
            raise UsageError(f"row {index} has no {key!r}")
    kernel = [row["kernel"]] * 2 if isinstance(row["kernel"], int) else row["kernel"]
    if not isinstance(kernel, list) or len(kernel) != 2:
        raise UsageError(f"row {index}: kernel must be [height, width], given {kernel!r}")
    sizes = [check_size(f"row {index}: kernel", size) for size in kernel]
    return (
        str(row["type"]),
        (sizes[0], sizes[1]),
        check_size(f"row {index}: stride", row["stride"]),
        check_size(f"row {index}: depth", row["depth"]),
    )


def list_options(model: object) -> tuple[str, ...]:
    """The options that a network of the zoo takes; raises UsageError on any other name."""
    if not isinstance(model, str):
        raise UsageError(f"model must be a name, given {model!r}")
    entry = find_model(model)
    if entry is None:
        raise unknown_name("model", model, [known.name for known in list_models()])
    return entry.options


def check_size(what: str, value: Any) -> int:
    """A whole number that a dimension can have, or a UsageError that says what it is for."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2**20:
        raise UsageError(f"{what} must be a whole number from 1 to {2**20}, given {value!r}")
    return value
