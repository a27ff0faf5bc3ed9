"""A Trace as one JSON object. Integers stay integers; shapes are lists."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.cost import Cost, LayerCost, Trace
from mobilenet_profiler.memory import MemoryUse, count_memory

if TYPE_CHECKING:
    from mobilenet_profiler.measured.statistics import Estimate, Ratio

SCHEMA_VERSION = 1


def render_json(trace: Trace) -> str:
    """`schema_version`, `spec`, `layers`, `total`, `uncounted`, indented by two."""
    return json.dumps(describe_trace(trace), indent=2, ensure_ascii=False) + "\n"


def describe_trace(trace: Trace) -> dict[str, Any]:
    """The same as plain data. Counts in FLOPs have the key `flops` instead of `macs`."""
    known = trace.convention or find_convention(DEFAULT)
    params = known.params.text if known.params else "learned numbers, each counted once"
    return {
        "schema_version": SCHEMA_VERSION,
        "spec": dict(trace.spec),
        "convention": describe_convention(known),
        "units": {
            known.key: (known if known.rules else find_convention(DEFAULT)).counts,
            "params": params,
            "weights": "learned numbers in kernels and matrices alone",
            "activations": "elements written by the operations that macs counts",
            "elementwise": "element operations that are free by rule, forward",
            "backward_macs": "multiply-accumulates of the backward pass, where it was traced",
        },
        "layers": [_describe_layer(layer, known.key) for layer in trace.layers],
        "total": describe_cost(trace.total, known.key),
        "uncounted": [asdict(item) for item in trace.uncounted],
        "notes": list(trace.notes),
        "backward": trace.backward,
        **({"memory": describe_memory(trace.memory)} if trace.memory else {}),
    }


def describe_memory(use: MemoryUse) -> dict[str, Any]:
    """Memory of a pass as plain data, in bytes: figures, what is held at the peak, layers.

    steps, tensors: every operation, and every tensor from the operation that makes it on:
    all else follows from these.
    """
    step = use.peak_step
    return {
        **count_memory(use),
        "peak_at": step._asdict() if step else None,
        "held": [tensor._asdict() for tensor in use.held],
        "layers": {path: asdict(layer) for path, layer in use.layers.items()},
        "device": use.device,
        "notes": list(use.notes),
        "steps": [step._asdict() for step in use.steps],
        "tensors": [tensor._asdict() for tensor in use.tensors],
    }


def describe_convention(convention: Convention) -> dict[str, Any]:
    """Its name, unit, words and source as plain data."""
    return {
        "name": convention.name,
        "title": convention.title,
        "unit": convention.unit if convention.rules else "",
        "counts": convention.counts,
        "params": convention.params.text if convention.params else "all, once",
        "source": convention.source,
        "limits": list(convention.limits),
    }


def _describe_layer(layer: LayerCost, key: str) -> dict[str, Any]:
    data = asdict(layer)
    own = {name: value for name, value in data.items() if name not in ("cost", "counted")}
    return {**own, "multiplies": layer.multiplies, **describe_cost(layer.cost, key)}


def describe_cost(cost: Cost, key: str) -> dict[str, int]:
    """A cost as plain data; key: of its multiply-accumulates, `macs` or `flops`."""
    return {key if name == "macs" else name: value for name, value in asdict(cost).items()}


def describe_interval(estimate: Estimate | Ratio) -> dict[str, float | None]:
    """A value and the ends of its interval as plain data; an end at infinity is null."""
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high if isfinite(estimate.high) else None,
        "confidence": estimate.confidence,
    }
