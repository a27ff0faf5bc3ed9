"""The conventions that there are: the files of `data/`, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.conditions import CONDITIONS
from mobilenet_profiler.conventions.convention import (
    BIAS_FAMILY,
    FAMILIES,
    Convention,
    ParamsRule,
    Rule,
)
from mobilenet_profiler.conventions.quantities import QUANTITIES
from mobilenet_profiler.errors import UsageError, unknown_name

_DATA = files("mobilenet_profiler.conventions") / "data"
_GROUPS = "operations.toml"
# Ours first, then the tools by what they are closest to, then papers and documents.
_ORDER = (
    *(DEFAULT, "torchvision", "flop_counter", "fvcore", "timm", "thop", "ptflops"),
    *("ptflops-aten", "torchinfo", "calflops", "calflops-flops", "deepspeed"),
    *("deepspeed-flops", "openvino", "pycls", "keras", "paper", "slim", "mobilenet_v1_md"),
    "mobilenet_v3_docstring",
)


@cache
def list_names() -> tuple[str, ...]:
    """Every convention's name, ours first."""
    found = sorted(
        file.name.removesuffix(".toml")
        for file in _DATA.iterdir()
        if file.name.endswith(".toml") and file.name != _GROUPS
    )
    known = [name for name in _ORDER if name in found]
    return (*known, *(name for name in found if name not in known))


def list_conventions() -> tuple[Convention, ...]:
    """Every convention, ours first."""
    return tuple(find_convention(name) for name in list_names())


@cache
def find_convention(name: str) -> Convention:
    """The convention of that name. Raises UsageError with the nearest match."""
    if name not in list_names():
        raise unknown_name("convention", name, list_names())
    data = _read(f"{name}.toml")
    return _make_convention(name, data, find_convention(data["like"]) if "like" in data else None)


def _read(file: str) -> dict[str, Any]:
    return tomllib.loads((_DATA / file).read_text(encoding="utf-8"))


@cache
def _list_groups() -> Mapping[str, tuple[str, ...]]:
    return {name: tuple(operations) for name, operations in _read(_GROUPS).items()}


def _make_convention(name: str, data: Mapping[str, Any], like: Convention | None) -> Convention:
    try:
        rules = tuple(_make_rule(rule) for rule in data.get("rules", ()))
        params = _make_params(data["params"]) if "params" in data else None
        return Convention(
            name=name,
            title=data["title"],
            source=data["source"],
            unit=data["unit"],
            counts=data["counts"],
            limits=tuple(data.get("limits", ())),
            rules=rules or (like.rules if like else ()),
            params=params or (like.params if like else None),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"convention {name!r} cannot be read: {error!r}") from error


def _make_rule(data: Mapping[str, Any]) -> Rule:
    groups = _list_groups()
    operations = {
        operation for name in data.get("operations", ()) for operation in groups.get(name, (name,))
    }
    _check("quantity", data["count"], QUANTITIES)
    _check("condition", data.get("when", {}), CONDITIONS)
    _check("family", (data["family"],), [name for name in FAMILIES if name != BIAS_FAMILY])
    return Rule(**{**data, **_freeze(data), "operations": frozenset(operations)})


def _make_params(data: Mapping[str, Any]) -> ParamsRule:
    return ParamsRule(**{**data, **_freeze(data)})


def _freeze(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: frozenset(value) for key, value in data.items() if isinstance(value, list)}


def _check(what: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise unknown_name(what, name, known)
