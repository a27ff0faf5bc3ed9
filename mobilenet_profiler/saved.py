"""What `table --format json` wrote, read back into a Trace. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.cost import Cost, LayerCost, Shape, Trace, Uncounted
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.memory import MemoryStep, MemoryUse, TensorLife
from mobilenet_profiler.render.json import SCHEMA_VERSION
from mobilenet_profiler.spec import list_label_parts

_WORDS = {int: "a whole number", str: "a text", bool: "true or false", list: "a list", dict: "{…}"}


def read_trace(path: str | Path) -> Trace:
    """The trace in a file of `table --format json`: layers, spec, convention, notes, and memory
    where the file has each operation's; no `ops`.

    Raises UsageError, naming the file and what is wrong in it.
    """
    data = read_json(path)
    with blame_file(path):
        if find_kind(data) != "trace":
            raise UsageError("holds a profile, not a trace; `table --format json` writes one")
        return make_trace(data)


def read_json(path: str | Path) -> Any:
    """What a JSON file holds. Raises UsageError where it cannot be read or is none."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        return json.loads(text, parse_constant=_refuse_constant)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from None


def _refuse_constant(text: str) -> None:
    raise ValueError(f"it has no number {text}")


@contextmanager
def blame_file(path: str | Path) -> Iterator[None]:
    """Name the file in whatever is found wrong in it."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def find_kind(data: Any) -> str:
    """What the file says that it holds: 'trace', 'profile' or 'profiles'; traces say nothing."""
    kind: str | None = data.get("kind") if isinstance(data, dict) else None
    return kind if kind in ("profile", "profiles") else "trace"


def check_version(data: Any, writer: str) -> None:
    """Refuse what is written by another version, or by nothing of ours. writer: a command."""
    if isinstance(data, dict) and "schema_version" not in data:
        raise UsageError(f"the file has no 'schema_version'; `{writer}` writes it")
    version = take(data, "schema_version", int, "the file")
    if version != SCHEMA_VERSION:
        raise UsageError(f"schema_version must be {SCHEMA_VERSION}, given {version}")


def make_trace(data: Any) -> Trace:
    """The trace that `render.json.describe_trace` made plain data of, without its `ops`."""
    check_version(data, "table --format json")
    convention = _read_convention(take(data, "convention", dict, "the file"))
    spec = _read_spec(take(data, "spec", dict, "the file"))
    trace = Trace(
        label=" ".join(list_label_parts(spec)),
        spec=spec,
        layers=_read_layers(take(data, "layers", list, "the file"), convention),
        ops=(),
        uncounted=tuple(map(_read_uncounted, take(data, "uncounted", list, "the file"))),
        notes=take_texts(data, "notes", "the file"),
        backward=take(data, "backward", bool, "the file"),
        convention=convention,
        memory=_read_memory(data["memory"]) if "memory" in data else None,
    )
    if trace.total != _read_cost(take(data, "total", dict, "the file"), convention, "total"):
        raise UsageError("its layers do not add up to its total")
    return trace


def _read_convention(data: dict[str, Any]) -> Convention | None:
    name = take(data, "name", str, "convention")
    return None if name == DEFAULT else find_convention(name)


def _read_spec(data: dict[str, Any]) -> dict[str, Any]:
    for key in ("model", "name", "mode"):
        take(data, key, str, "spec")
    take(data, "options", dict, "spec")
    take_texts(data, "arguments", "spec")
    for shape in take(data, "inputs", list, "spec"):
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
        path=take(data, "path", str, where),
        kind=take(data, "kind", str, where),
        module=take(data, "module", str, where),
        input_shape=_read_shape(data, "input_shape", where),
        output_shape=_read_shape(data, "output_shape", where),
        weight_shape=_read_shape(data, "weight_shape", where),
        cost=_read_cost(data, convention, where),
        stride=_read_shape(data, "stride", where) or (),
        dilation=_read_shape(data, "dilation", where) or (),
        groups=take(data, "groups", int, where),
        calls=take(data, "calls", int, where),
        tied=take(data, "tied", int, where),
        tied_to=take(data, "tied_to", str, where),
        counted=take(data, "multiplies", bool, where) if convention else None,
    )


def _read_cost(data: Mapping[str, Any], convention: Convention | None, where: str) -> Cost:
    keys = {field.name: field.name for field in fields(Cost)}
    keys["macs"] = convention.key if convention else "macs"
    return Cost(**{name: take(data, key, int, where) for name, key in keys.items()})


def _read_uncounted(data: Any) -> Uncounted:
    where = "uncounted"
    return Uncounted(
        path=take(data, "path", str, where),
        name=take(data, "name", str, where),
        inputs=tuple(_check_shape(item, where) for item in take(data, "inputs", list, where)),
        calls=take(data, "calls", int, where),
        site=take(data, "site", str, where),
    )


def _read_memory(data: Any) -> MemoryUse | None:
    """The memory of a pass; None where a file holds its figures alone."""
    if not isinstance(data, dict) or "steps" not in data:
        return None
    steps = tuple(_read_step(step) for step in take(data, "steps", list, "memory"))
    use = MemoryUse(
        inputs=take(data, "inputs", int, "memory"),
        weights=take(data, "weights", int, "memory"),
        steps=steps,
        tensors=tuple(
            _read_tensor(tensor, len(steps)) for tensor in take(data, "tensors", list, "memory")
        ),
        optimizer=take(data, "optimizer", int, "memory"),
        device=take(data, "device", str, "memory"),
        notes=take_texts(data, "notes", "memory"),
    )
    if use.peak != take(data, "predicted_peak", int, "memory"):
        raise UsageError("its tensors do not add up to its 'predicted_peak'")
    return use


def _read_step(data: Any) -> MemoryStep:
    where = "a step of memory"
    path, name, phase = (take(data, key, str, where) for key in ("path", "name", "phase"))
    return MemoryStep(path, name, phase, take(data, "workspace", int, where))


def _read_tensor(data: Any, steps: int) -> TensorLife:
    where = "a tensor of memory"
    made, freed = (take(data, key, int, where) for key in ("made", "freed"))
    if not made < steps or not made <= freed <= steps:
        raise UsageError(f"{where} lives from step {made} to {freed}, of {steps}")
    path, name, phase, dtype = (
        take(data, key, str, where) for key in ("path", "name", "phase", "dtype")
    )
    return TensorLife(
        *(path, name, phase, _check_shape(data.get("shape"), f"'shape' of {where}"), dtype),
        bytes=take(data, "bytes", int, where),
        made=made,
        freed=freed,
        gradient=take(data, "gradient", bool, where),
    )


def take_texts(data: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """The texts of a list."""
    texts = take(data, key, list, where)
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{key!r} of {where} must be a list of texts")
    return tuple(texts)


def _read_shape(data: Mapping[str, Any], key: str, where: str) -> Shape | None:
    if key in data and data[key] is None:
        return None
    return _check_shape(take(data, key, list, where), f"{key!r} of {where}")


def _check_shape(sizes: Any, where: str) -> Shape:
    if not isinstance(sizes, list) or any(type(size) is not int for size in sizes):
        raise UsageError(f"{where} must be a list of whole numbers, given {shorten(sizes)}")
    return tuple(sizes)


def take(data: Any, key: str, kind: type, where: str) -> Any:
    """What stands under a key, of exactly this type; of whole numbers 0 or more.

    where: what `data` is, for the UsageError that anything else raises.
    """
    if not isinstance(data, dict):
        raise UsageError(f"{where} must be {{…}}, given {shorten(data)}")
    if key not in data:
        raise UsageError(f"{where} has no {key!r}")
    if type(data[key]) is not kind:
        raise UsageError(f"{key!r} of {where} must be {_WORDS[kind]}, given {shorten(data[key])}")
    if kind is int and data[key] < 0:
        raise UsageError(f"{key!r} of {where} must be 0 or more, given {shorten(data[key])}")
    return data[key]


def shorten(value: Any) -> str:
    """A value as Python writes it, in 40 characters at most."""
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
