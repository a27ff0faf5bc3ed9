"""What a sweep is asked for: `Order`, checked before anything is traced. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import Axis, make_axes
from mobilenet_profiler.grid.cells import Cell, list_cells
from mobilenet_profiler.grid.conditions import Condition, parse_conditions

# The pairs of the paper's Tables 6 and 7, and of the 16 checkpoints that were published.
PUBLISHED_GRID = (
    Axis("alpha", (1.0, 0.75, 0.5, 0.25)),
    Axis("resolution", (224, 192, 160, 128)),
)
_SIZED = ("alpha", "resolution", "beta", "inputs", "inputs_from")


@dataclass(frozen=True)
class Order:
    """A grid and what is wanted of each of its cells.

    models, axes: of the grid. nodes: kinds of nodes that time each cell; '' is this machine.
    settings: as `read_spec` takes them, for every cell alike. convention: of the costs.
    where: conditions, as text. memory, latency: whether these are wanted too.
    setup: how latencies are measured, plain data. accuracies: where accuracies come from,
    plain data. Raises UsageError for what does not go together.
    """

    models: tuple[str, ...]
    axes: tuple[Axis, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    convention: str = DEFAULT
    where: tuple[str, ...] = ()
    memory: bool = False
    latency: bool = False
    nodes: tuple[str, ...] = ("",)
    setup: Mapping[str, Any] = field(default_factory=dict)
    accuracies: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        find_convention(self.convention)
        if not self.models:
            raise UsageError("a sweep needs a model, given none")
        if len(set(self.nodes)) < len(self.nodes):
            raise UsageError(f"a kind of node is given twice: {', '.join(self.nodes)}")
        if self.nodes != ("",) and not self.latency:
            raise UsageError(f"nodes time cells: ask for latency too, given on {self.nodes[0]!r}")
        _ = self.cells, self.conditions

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every place of the grid, those too that conditions leave out."""
        return list_cells(self.models, self.axes, self.nodes)

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """What every cell must meet."""
        known = {"memory": self.memory, "latency": self.latency}
        measured = [name for name, wanted in known.items() if wanted]
        return parse_conditions(self.where, [axis.name for axis in self.axes], measured)


def choose_axes(
    models: Sequence[str], axes: Sequence[Axis], settings: Mapping[str, Any]
) -> tuple[Axis, ...]:
    """The axes that were given; for MobileNet V1 alone, where none was, the published grid.

    Raises UsageError where one is given twice, or has a fixed value too.
    """
    fixed = {name: value for name, value in settings.items() if value is not None}
    fixed |= settings.get("arguments") or {}
    if not axes and tuple(models) == ("mobilenet_v1",):
        return () if any(fixed.get(name) for name in _SIZED) else PUBLISHED_GRID
    made = make_axes(axes, fixed)
    sizes = {axis.name for axis in made} & {"resolution", "beta", "batch", "input"}
    for name in ("inputs", "inputs_from"):
        if sizes and fixed.get(name):
            raise UsageError(f"{sorted(sizes)[0]} is an axis, given {name} for every cell too")
    return made


def make_order(
    models: Sequence[str],
    axes: Sequence[Axis],
    settings: Mapping[str, Any],
    how: Mapping[str, Any] | None = None,
    accuracies: Mapping[str, Any] | None = None,
    **wanted: Any,
) -> Order:
    """An order whose axes are chosen, with how its latencies are measured where they are wanted.

    how: device, dtype, threads, …, as `profile` takes them; None stands for not given.
    wanted: other fields of Order. Raises UsageError, for what goes with latencies alone too.
    """
    given = {name: value for name, value in (how or {}).items() if value not in (None, False)}
    if given and not wanted.get("latency"):
        name = next(iter(given)).replace("_", "-")
        raise UsageError(f"{name} says how latency is measured: ask for latency too")
    if wanted.get("latency"):
        given = {"device": "cpu", **given}
        _check_modes(settings, axes)
    chosen = choose_axes(models, axes, settings)
    sources = {name: value for name, value in (accuracies or {}).items() if value is not None}
    own = level_settings(settings)
    return Order(tuple(models), chosen, own, setup=given, accuracies=sources, **wanted)


def level_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that say nothing: the command line gives more of them than Python."""
    given = {name: value for name, value in settings.items() if value not in (None, (), [], {})}
    if given.get("mode") == "eval":
        del given["mode"]
    return {**given, "inputs": tuple(given["inputs"])} if "inputs" in given else given


def _check_modes(settings: Mapping[str, Any], axes: Sequence[Axis]) -> None:
    if settings.get("mode", "eval") != "eval" or any(axis.name == "mode" for axis in axes):
        raise UsageError("latency is that of inference, given a mode; leave it out")
