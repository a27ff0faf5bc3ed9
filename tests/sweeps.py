"""Sweeps made by hand: MobileNet V1 at its 16 published pairs, and whatever a test asks for."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.axes import Axis, make_axis
from mobilenet_profiler.grid.cells import Cell, list_cells
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.published.accuracies import find_accuracies

ALPHAS, RESOLUTIONS = (1.0, 0.75, 0.5, 0.25), (224, 192, 160, 128)
_PAIRS = Path(__file__).parent / "data" / "mobilenet_v1_16_pairs.csv"


@cache
def make_published_sweep() -> Sweep:
    """The 16 pairs: exact counts by closed forms, published accuracies, times by a rule."""
    axes = (make_axis("alpha", ALPHAS), make_axis("resolution", RESOLUTIONS))
    cells = list_cells(("mobilenet_v1",), axes)
    specs = [cell.make_spec({}) for cell in cells]
    accuracies = find_accuracies([spec.as_dict() for spec in specs], "mobilenet_v1_md")
    costs = _read_costs()
    results = []
    for cell, spec, accuracy in zip(cells, specs, accuracies, strict=True):
        cost = costs[cell.point["alpha"], cell.point["resolution"]]
        time = 400_000 + 0.02 * cost.macs
        results.append(
            CellResult(
                cell,
                spec.label,
                spec.as_dict(),
                cost,
                memory=12 * 32 * cell.point["resolution"] ** 2,
                latency=Estimate(time, 0.98 * time, 1.03 * time, 40),
                machine="a made machine",
                accuracy=accuracy,
            )
        )
    setup = {"device": "cpu", "threads": 1, "dtype": "float32", "batch": 1}
    machines = {"a made machine": {"processor": "made up"}}
    return Sweep(("mobilenet_v1",), axes, tuple(results), setup=setup, machines=machines)


def make_sweep(
    axes: tuple[Axis, ...],
    fill: Callable[[Cell], dict[str, Any]],
    models: tuple[str, ...] = ("mobilenet_v1",),
    nodes: tuple[str, ...] = ("",),
    **settings: Any,
) -> Sweep:
    """A sweep whose cells hold what `fill` says of them."""
    cells = list_cells(models, axes, nodes)
    results = tuple(CellResult(cell, cell.label, **fill(cell)) for cell in cells)
    return Sweep(models, axes, results, **settings)


def _read_costs() -> dict[tuple[float, int], Cost]:
    lines = [line for line in _PAIRS.read_text().splitlines() if not line.startswith("#")]
    return {
        (float(row["alpha"]), int(row["resolution"])): Cost(
            params=int(row["params"]),
            macs=int(row["total_macs"]),
            activations=int(row["activations"]),
        )
        for row in csv.DictReader(lines)
    }
