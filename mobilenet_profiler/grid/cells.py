"""The cells of a grid: which networks it holds, before anything is known of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.grid.axes import Axis
from mobilenet_profiler.spec import ModelSpec, read_spec
from mobilenet_profiler.variant import INPUT_KEYS
from mobilenet_profiler.zoo.catalogue import ZooEntry, find_model

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
        """What tells it from every other cell, in the file of a sweep too."""
        return json.dumps([self.model, dict(self.point), self.on], default=str)

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


def list_cells(
    models: Sequence[str], axes: Sequence[Axis], nodes: Sequence[str] = ("",)
) -> tuple[Cell, ...]:
    """Every cell, the last axis running fastest; those of one network together.

    A network of the zoo that has no such option takes part once, without that axis.
    Raises UsageError for a network given twice, or an axis that none of the networks has.
    """
    for index, model in enumerate(models):
        if model in models[:index]:
            raise UsageError(f"model {model!r} is given twice")
    for axis in axes:
        _check_axis(axis, models)
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
