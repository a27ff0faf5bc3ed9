"""A Trace as one JSON object. Integers stay integers; shapes are lists."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from mobilenet_profiler.cost import Cost, LayerCost, Trace

SCHEMA_VERSION = 1


def render_json(trace: Trace) -> str:
    """`schema_version`, `spec`, `layers`, `total`, `uncounted`, indented by two."""
    return json.dumps(describe_trace(trace), indent=2, ensure_ascii=False) + "\n"


def describe_trace(trace: Trace) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "spec": dict(trace.spec),
        "units": {
            "macs": "multiply-accumulates of convolutions, linear layers, matrix products",
            "params": "learned numbers, each counted once",
            "weights": "learned numbers in kernels and matrices alone",
            "activations": "elements written by the operations that macs counts",
            "elementwise": "element operations that are free by rule, forward",
            "backward_macs": "multiply-accumulates of the backward pass, where it was traced",
        },
        "layers": [_describe_layer(layer) for layer in trace.layers],
        "total": _describe_cost(trace.total),
        "uncounted": [asdict(item) for item in trace.uncounted],
        "notes": list(trace.notes),
        "backward": trace.backward,
    }


def _describe_layer(layer: LayerCost) -> dict[str, Any]:
    data = asdict(layer)
    return {**{key: data[key] for key in data if key != "cost"}, **_describe_cost(layer.cost)}


def _describe_cost(cost: Cost) -> dict[str, int]:
    return asdict(cost)
