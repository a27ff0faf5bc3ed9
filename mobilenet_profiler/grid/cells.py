"""The cells of a grid: which networks it holds, before anything is known of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.axes import RENAMED, Axis
from mobilenet_profiler.spec import ModelSpec, make_plain, read_spec
from mobilenet_profiler.variant import INPUT_KEYS
from mobilenet_profiler.zoo.catalogue import ZooEntry, find_model

MOST_CELLS = 1_000_000
_OF_ANY = (*INPUT_KEYS, "input", "mode")  # axes that every network has


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a grid.

    model: the network as it was given, 'mobilenet_v1' or 'net.py:Net depth=4'.
    point: the value of each axis that it has, by name, in the order of the axes.
    on: the kind of node that times it, such as 'gpu:h100'; '' is this machine.
    """

    model: str
    point: Mapping[str, Any] = field(default_factory=dict)
    on: str = ""

    @property
    def key(self) -> str:
        """What tells it from every other cell, in the file of a sweep too; 1 and 1.0 are one."""
        return json.dumps([self.model, _level(make_plain(self.point)), self.on])

    @property
    def label(self) -> str:
        """For a line of text: `mobilenet_v1 alpha=0.75 resolution=128`."""
        parts = [f"{name}={value}" for name, value in self.point.items()]
        return " ".join([self.model, *parts, *([f"on={self.on}"] if self.on else [])])

    def make_spec(self, settings: Mapping[str, Any]) -> ModelSpec:
        """Its network and input. settings: what `read_spec` takes, for every cell alike.

        Raises UsageError where the values of its point cannot be used.
        """
        point = dict(self.point)
        inputs = (point.pop("input"),) if "input" in point else settings.get("inputs", ())
        return read_spec(self.model, **{**settings, "inputs": inputs, **point})

    def try_spec(self, settings: Mapping[str, Any]) -> ModelSpec | UsageError:
        """The same, or why there is none."""
        try:
            return self.make_spec(settings)
        except UsageError as error:
            return error


def _level(value: Any) -> Any:
    """Plain data with one way to write a number."""
    if isinstance(value, dict):
        return {key: _level(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_level(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def list_cells(
    models: Sequence[str], axes: Sequence[Axis], nodes: Sequence[str] = ("",)
) -> tuple[Cell, ...]:
    """Every cell, the last axis running fastest; those of one network together.

    A network of the zoo that has no such option takes part once, without that axis.
    Raises UsageError for a network given twice, an axis that none of the networks has or
    that the text of one gives a value, and for more cells than any sweep can hold.
    """
    for index, model in enumerate(models):
        if model in models[:index]:
            raise UsageError(f"model {model!r} is given twice")
        _refuse_own_values(model, axes)
    for axis in axes:
        _check_axis(axis, models)
    count = len(nodes) * sum(prod(map(len, _list_values(model, axes))) for model in models)
    if count > MOST_CELLS:
        raise UsageError(f"the grid has {count:,} cells, at most {MOST_CELLS:,}: take fewer values")
    return tuple(
        Cell(model, point, node)
        for model in models
        for point in _list_points(model, axes)
        for node in nodes
    )


def _list_points(model: str, axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    own = [axis for axis in axes if _takes(model, axis.name)]
    for values in product(*(axis.values for axis in own)):
        yield {axis.name: value for axis, value in zip(own, values, strict=True)}


def _list_values(model: str, axes: Sequence[Axis]) -> list[tuple[Any, ...]]:
    return [axis.values for axis in axes if _takes(model, axis.name)]


def _refuse_own_values(model: str, axes: Sequence[Axis]) -> None:
    """What the text of a network gives, it gives for every cell."""
    given = {word.partition("=")[0] for word in model.split(" ")[1:] if "=" in word}
    given = {RENAMED.get(name, name) for name in given}
    for axis in axes:
        if axis.name in given or {axis.name, *given} >= {"beta", "resolution"}:
            raise UsageError(
                f"{model!r} has a value for the axis {axis.name} already; leave it out"
            )


def _takes(model: str, name: str) -> bool:
    """Whether a network has an axis; of one that is not in the zoo that is not known."""
    entry = _find_entry(model)
    return entry is None or name in _OF_ANY or name in entry.options


def _find_entry(model: str) -> ZooEntry | None:
    return find_model(model.partition(" ")[0])


def _check_axis(axis: Axis, models: Sequence[str]) -> None:
    if any(_takes(model, axis.name) for model in models):
        return
    entries = [entry for entry in map(_find_entry, models) if entry]
    allowed = dict.fromkeys(name for entry in entries for name in (*entry.options, *_OF_ANY))
    raise unknown_name("axis", axis.name, allowed)
