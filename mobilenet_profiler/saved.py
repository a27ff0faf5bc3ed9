"""What `table --format json` wrote, read back into a Trace. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.cost import Cost, LayerCost, Shape, Trace, Uncounted
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.render.json import SCHEMA_VERSION
from mobilenet_profiler.spec import list_label_parts

_WORDS = {int: "a whole number", str: "a text", bool: "true or false", list: "a list", dict: "{…}"}


def read_trace(path: str | Path) -> Trace:
    """The trace in a file of `table --format json`: layers, spec, convention, notes; no `ops`.

    Raises UsageError, naming the file and what is wrong in it.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from None
    try:
        return _make_trace(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _make_trace(data: Any) -> Trace:
    version = _take(data, "schema_version", int, "the file")
    if version != SCHEMA_VERSION:
        raise UsageError(f"schema_version must be {SCHEMA_VERSION}, given {version}")
    convention = _read_convention(_take(data, "convention", dict, "the file"))
    spec = _read_spec(_take(data, "spec", dict, "the file"))
    trace = Trace(
        label=" ".join(list_label_parts(spec)),
        spec=spec,
        layers=_read_layers(_take(data, "layers", list, "the file"), convention),
        ops=(),
        uncounted=tuple(map(_read_uncounted, _take(data, "uncounted", list, "the file"))),
        notes=_read_texts(data, "notes", "the file"),
        backward=_take(data, "backward", bool, "the file"),
        convention=convention,
    )
    if trace.total != _read_cost(_take(data, "total", dict, "the file"), convention, "total"):
        raise UsageError("its layers do not add up to its total")
    return trace


def _read_convention(data: dict[str, Any]) -> Convention | None:
    name = _take(data, "name", str, "convention")
    return None if name == DEFAULT else find_convention(name)


def _read_spec(data: dict[str, Any]) -> dict[str, Any]:
    for key in ("model", "name", "mode"):
        _take(data, key, str, "spec")
    _take(data, "options", dict, "spec")
    _read_texts(data, "arguments", "spec")
    for shape in _take(data, "inputs", list, "spec"):
        _check_shape(shape, "'inputs' of spec")
    return data


def _read_layers(items: list[Any], convention: Convention | None) -> tuple[LayerCost, ...]:
    layers = tuple(
        _read_layer(data, convention, f"layer {index}") for index, data in enumerate(items)
    )
    if len({layer.path for layer in layers}) < len(layers):
        raise UsageError("two of its layers have one path")
    return layers


def _read_layer(data: Any, convention: Convention | None, where: str) -> LayerCost:
    return LayerCost(
        path=_take(data, "path", str, where),
        kind=_take(data, "kind", str, where),
        module=_take(data, "module", str, where),
        input_shape=_read_shape(data, "input_shape", where),
        output_shape=_read_shape(data, "output_shape", where),
        weight_shape=_read_shape(data, "weight_shape", where),
        cost=_read_cost(data, convention, where),
        stride=_read_shape(data, "stride", where) or (),
        dilation=_read_shape(data, "dilation", where) or (),
        groups=_take(data, "groups", int, where),
        calls=_take(data, "calls", int, where),
        tied=_take(data, "tied", int, where),
        tied_to=_take(data, "tied_to", str, where),
        counted=_take(data, "multiplies", bool, where) if convention else None,
    )


def _read_cost(data: Mapping[str, Any], convention: Convention | None, where: str) -> Cost:
    keys = {field.name: field.name for field in fields(Cost)}
    keys["macs"] = convention.key if convention else "macs"
    return Cost(**{name: _take(data, key, int, where) for name, key in keys.items()})


def _read_uncounted(data: Any) -> Uncounted:
    where = "uncounted"
    return Uncounted(
        path=_take(data, "path", str, where),
        name=_take(data, "name", str, where),
        inputs=tuple(_check_shape(item, where) for item in _take(data, "inputs", list, where)),
        calls=_take(data, "calls", int, where),
        site=_take(data, "site", str, where),
    )


def _read_texts(data: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    texts = _take(data, key, list, where)
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{key!r} of {where} must be a list of texts")
    return tuple(texts)


def _read_shape(data: Mapping[str, Any], key: str, where: str) -> Shape | None:
    if key in data and data[key] is None:
        return None
    return _check_shape(_take(data, key, list, where), f"{key!r} of {where}")


def _check_shape(sizes: Any, where: str) -> Shape:
    if not isinstance(sizes, list) or any(type(size) is not int for size in sizes):
        raise UsageError(f"{where} must be a list of whole numbers, given {_cut(sizes)}")
    return tuple(sizes)


def _take(data: Any, key: str, kind: type, where: str) -> Any:
    """What stands under a key, of exactly this type."""
    if not isinstance(data, dict):
        raise UsageError(f"{where} must be {{…}}, given {_cut(data)}")
    if key not in data:
        raise UsageError(f"{where} has no {key!r}; `table --format json` writes it")
    if type(data[key]) is not kind:
        raise UsageError(f"{key!r} of {where} must be {_WORDS[kind]}, given {_cut(data[key])}")
    if kind is int and data[key] < 0:
        raise UsageError(f"{key!r} of {where} must be 0 or more, given {_cut(data[key])}")
    return data[key]


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
