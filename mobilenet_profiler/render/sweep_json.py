"""A sweep as JSON: a line for each cell of a file that grows, or one object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mobilenet_profiler import __version__
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.grid.axes import Axis
from mobilenet_profiler.grid.order import Order
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.render.json import SCHEMA_VERSION, describe_cost, describe_interval
from mobilenet_profiler.spec import make_plain


def describe_order(order: Order) -> dict[str, Any]:
    """The first line of a file that grows: what was asked for, and by which version."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "sweep",
        "mobilenet_profiler": __version__,
        "models": list(order.models),
        "axes": list(map(_describe_axis, order.axes)),
        "nodes": list(order.nodes),
        "settings": make_plain(order.settings),
        "convention": order.convention,
        "where": list(order.where),
        "memory": order.memory,
        "latency": order.latency,
        "setup": make_plain(order.setup),
        "accuracies": make_plain(order.accuracies),
    }


def describe_machine(name: str, environment: Mapping[str, Any]) -> dict[str, Any]:
    """The line of a machine, before the first cell that it timed."""
    return {"kind": "machine", "name": name, "environment": dict(environment)}


def describe_cell(result: CellResult, convention: str) -> dict[str, Any]:
    """A cell as plain data; what is not known of it is left out.

    latency: nanoseconds of a pass, the median with its interval; samples: those of each.
    """
    cell, cost, accuracy = result.cell, result.cost, result.accuracy
    key = find_convention(convention).key
    time = result.latency
    known = {
        "on": cell.on,
        "label": result.label,
        "spec": make_plain(result.spec),
        "cost": describe_cost(cost, key) if cost else None,
        "uncounted": result.uncounted or None,
        "memory": result.memory,
        "latency": {**describe_interval(time), "count": time.count} if time else None,
        "samples": list(result.samples),
        "machine": result.machine,
        "accuracy": {"text": accuracy.text, "source": accuracy.source} if accuracy else None,
        "notes": list(result.notes),
        "error": result.error,
        "left_out": result.left_out or None,
    }
    place = {"kind": "cell", "model": cell.model, "point": make_plain(cell.point)}
    return {**place, **{name: value for name, value in known.items() if value not in _NOTHING}}


_NOTHING: tuple[Any, ...] = (None, "", [], {})


def render_line(data: Mapping[str, Any]) -> str:
    """Plain data as one line of JSON."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n"


def render_sweep(sweep: Sweep) -> str:
    """One object: what the sweep is, the machines, and a line for each cell."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "kind": "sweep",
        "models": list(sweep.models),
        "axes": list(map(_describe_axis, sweep.axes)),
        "settings": make_plain(sweep.settings),
        "convention": sweep.convention,
        "where": list(sweep.where),
        "setup": make_plain(sweep.setup),
        "missing": sweep.missing,
        "left_out": sweep.left_out,
        "machines": dict(sweep.machines),
    }
    lines = [f"  {json.dumps(name)}: {_encode(value)}" for name, value in head.items()]
    cells = [f"    {_encode(describe_cell(cell, sweep.convention))}" for cell in sweep.results]
    shown = "[\n" + ",\n".join(cells) + "\n  ]" if cells else "[]"
    return "{\n" + ",\n".join([*lines, f'  "cells": {shown}']) + "\n}\n"


def _encode(value: Any) -> str:
    return render_line(value).rstrip("\n")


def _describe_axis(axis: Axis) -> dict[str, Any]:
    return {"name": axis.name, "values": make_plain(axis.values)}
