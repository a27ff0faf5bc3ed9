"""The figures that come with the package: the files of `data/`, read once."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.published.figure import (
    QUANTITIES,
    UNITS,
    Difference,
    Figure,
    Reading,
    Source,
)

_DATA = files("mobilenet_profiler.published") / "data"
_SHOWN = 6  # names that a refusal lists
_READING_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("model", "convention", "quantity", "of", "unit", "printed"), str),
    **dict.fromkeys(("times", "plus", "digits"), int),
    "options": dict,
}
_TYPE_NAMES = {str: "a text", int: "a whole number", dict: "a table"}


@cache
def list_sources() -> tuple[Source, ...]:
    """Every source, the paper first."""
    data = tomllib.loads((_DATA / "sources.toml").read_text(encoding="utf-8"))
    return tuple(Source(name=name, **entry) for name, entry in data.items())


@cache
def _read_figures() -> tuple[Figure, ...]:
    """Every figure, source by source, in the order in which each prints them."""
    differences = _read_differences()
    return tuple(
        _make_figure(source.name, row, differences)
        for source in list_sources()
        for row in _read_rows(source.name)
    )


def find_source(name: str) -> Source:
    """The source of that name. Raises UsageError with the nearest match."""
    known = {source.name: source for source in list_sources()}
    if name not in known:
        raise unknown_name("source", name, known)
    return known[name]


def list_figures(
    model: str | None = None, source: str | None = None, quantity: str | None = None
) -> tuple[Figure, ...]:
    """Every published figure, or those of a network, a source, a quantity.

    model: a name of the zoo, under whatever options. Raises UsageError for a source, a
    network or a quantity that no figure has.
    """
    found = every = _read_figures()
    if source is not None:
        name = find_source(source).name
        found = tuple(figure for figure in found if figure.source == name)
    if model is not None:
        networks = {figure.model.partition(" ")[0] for figure in every} - {""}
        if model not in networks:
            raise unknown_name("network", model, sorted(networks))
        found = tuple(figure for figure in found if figure.model.partition(" ")[0] == model)
    if quantity is not None:
        quantities = dict.fromkeys(figure.quantity for figure in every)
        if quantity not in quantities:
            raise unknown_name("quantity", quantity, quantities)
        found = tuple(figure for figure in found if figure.quantity == quantity)
    return found


def find_figure(name: str, among: tuple[Figure, ...]) -> Figure:
    """The figure of that name, or the only one whose name holds it. Raises UsageError."""
    exact = [figure for figure in among if figure.name == name]
    found = exact or [figure for figure in among if name.casefold() in figure.name]
    if not found:
        raise unknown_name("figure", name, [figure.name for figure in among], limit=_SHOWN)
    if len(found) > 1:
        shown = ", ".join(figure.name for figure in found[:_SHOWN])
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UsageError(f"{name!r} names {len(found)} figures; give one of: {shown}{more}")
    return found[0]


def _read_rows(source: str) -> list[dict[str, str]]:
    text = (_DATA / f"{source}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _make_figure(
    source: str, row: Mapping[str, str], differences: Mapping[str, Difference]
) -> Figure:
    figure = Figure(source, **row)  # type: ignore[arg-type]
    return replace(figure, difference=differences.get(figure.name))


@cache
def _read_differences() -> Mapping[str, Difference]:
    data = tomllib.loads((_DATA / "differences.toml").read_text(encoding="utf-8"))
    return {
        name: make_difference({**entry, "printed": printed, "count": count})
        for entry in data["difference"]
        for name, (printed, count) in entry.pop("figures").items()
    }


def make_difference(data: Mapping[str, Any]) -> Difference:
    """A known difference from the keys of a TOML table. Raises UsageError for any other key."""
    _check_keys("known difference", data, ("printed", "count", "reason", "instead"))
    for key in ("printed", "count", "reason"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise UsageError(f"a known difference must have {key!r}, a text")
    instead = data.get("instead")
    return Difference(
        data["printed"],
        data["count"],
        " ".join(data["reason"].split()),
        None if instead is None else make_reading(instead),
    )


def make_reading(data: Any) -> Reading:
    """Another reading from a TOML table. Raises UsageError for what is none."""
    if not isinstance(data, dict):
        raise UsageError(f"a reading must be a table, given {data!r}")
    _check_keys("reading", data, tuple(_READING_TYPES))
    for key, value in data.items():
        if not isinstance(value, _READING_TYPES[key]) or isinstance(value, bool):
            kind = _TYPE_NAMES[_READING_TYPES[key]]
            raise UsageError(f"{key} of a reading must be {kind}, given {value!r}")
    if data.get("quantity", QUANTITIES[0]) not in QUANTITIES:
        raise unknown_name("quantity", data["quantity"], QUANTITIES)
    if data.get("unit", "") not in UNITS:
        raise unknown_name("unit", data["unit"], [name for name in UNITS if name])
    if data.get("digits", 1) < 1:
        raise UsageError(f"digits of a reading must be at least 1, given {data['digits']}")
    return Reading(**{**data, "options": _freeze(data.get("options", {}))})


def _check_keys(what: str, data: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in data:
        if key not in allowed:
            raise unknown_name(f"key of a {what}", key, allowed)


def _freeze(value: Any) -> Any:
    """Lists as tuples, as the rows of a network are."""
    if isinstance(value, Mapping):
        return {key: _freeze(item) for key, item in value.items()}
    return tuple(map(_freeze, value)) if isinstance(value, list) else value
