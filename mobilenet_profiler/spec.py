"""ModelSpec: what to build and with which inputs. No torch."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.zoo.catalogue import find_model, list_models

DEFAULT_RESOLUTION = 224
_INPUT_KEYS = ("resolution", "beta", "batch")
_FILE_KEYS = ("model", "name", "rows")


@dataclass(frozen=True)
class ModelSpec:
    """A network of the zoo with its options and the size of its input.

    model: a name of the zoo. options: arguments of its factory.
    resolution: height and width of the square RGB input, pixels.
    batch: images. name: what a variant calls itself, for headings.
    """

    model: str = "mobilenet_v1"
    options: Mapping[str, Any] = field(default_factory=dict)
    resolution: int = DEFAULT_RESOLUTION
    batch: int = 1
    name: str | None = None

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, 3, self.resolution, self.resolution)

    @property
    def label(self) -> str:
        """One line for a heading: name, options that were set, input."""
        shown = {key: value for key, value in self.options.items() if key != "rows"}
        parts = [self.name or self.model]
        parts += [f"{key}={_shorten(value)}" for key, value in shown.items()]
        return " ".join([*parts, f"input={'x'.join(map(str, self.input_shape))}"])

    def as_dict(self) -> dict[str, Any]:
        """The spec as plain data, for JSON."""
        options = {key: _plain(value) for key, value in self.options.items()}
        return {
            "model": self.model,
            "name": self.name or self.model,
            "options": options,
            "inputs": [list(self.input_shape)],
        }


def make_spec(source: str, **settings: Any) -> ModelSpec:
    """A spec from a zoo name or the path of a TOML variant.

    settings: factory options, `resolution` or `beta` (resolution = 224 beta), and
    `batch`; they override the file's. Raises UsageError, naming what is allowed.
    """
    given = read_variant(Path(source)) if source.casefold().endswith(".toml") else {"model": source}
    if settings.get("beta") is not None or settings.get("resolution") is not None:
        given = {key: value for key, value in given.items() if key not in ("beta", "resolution")}
    return _assemble({**given, **settings})


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
    allowed = [*_FILE_KEYS, *_INPUT_KEYS, *_options_of(data["model"])]
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
    sizes = [_check_size(f"row {index}: kernel", size) for size in kernel]
    return (
        str(row["type"]),
        (sizes[0], sizes[1]),
        _check_size(f"row {index}: stride", row["stride"]),
        _check_size(f"row {index}: depth", row["depth"]),
    )


def _assemble(given: Mapping[str, Any]) -> ModelSpec:
    settings = dict(given)
    model, name = settings.pop("model"), _check_name(settings.pop("name", None))
    options_allowed = _options_of(model)
    resolution = _choose_resolution(settings.pop("resolution", None), settings.pop("beta", None))
    batch = settings.pop("batch", None)
    for key in settings:
        if key not in options_allowed:
            raise unknown_name(f"option of {model}", key, [*options_allowed, *_INPUT_KEYS])
    batch = 1 if batch is None else _check_size("batch", batch)
    return ModelSpec(model, settings, resolution, batch, name)


def _options_of(model: object) -> tuple[str, ...]:
    if not isinstance(model, str):
        raise UsageError(f"model must be a name, given {model!r}")
    entry = find_model(model)
    if entry is None:
        raise unknown_name("model", model, [known.name for known in list_models()])
    return entry.options


def _choose_resolution(resolution: Any, beta: Any) -> int:
    if resolution is not None and beta is not None:
        raise UsageError("give resolution or beta, not both (beta = resolution / 224)")
    if resolution is not None:
        return _check_size("resolution", resolution)
    if beta is None:
        return DEFAULT_RESOLUTION
    if isinstance(beta, bool) or not isinstance(beta, int | float) or not 0 < beta <= 64:
        raise UsageError(f"beta must be a number above 0 and at most 64, given {beta!r}")
    return _check_size("224 * beta, rounded,", round(DEFAULT_RESOLUTION * beta))


def _check_size(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2**20:
        raise UsageError(f"{what} must be a whole number from 1 to {2**20}, given {value!r}")
    return value


def _check_name(name: Any) -> str | None:
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise UsageError(f"name must be a text, given {name!r}")
    return " ".join("".join(filter(str.isprintable, name)).split()) if name else None


def _shorten(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
