"""The table of the reference's module docstring, character for character.

Source: tensorflow/models, research/slim/nets/mobilenet_v1.py (d4a6670ade6e). It
counts the body's convolution weights and their MACs: no BatchNorm, bias, logits
or pooling.
"""

from __future__ import annotations

import re

from mobilenet_profiler.cost import LayerCost, Trace
from mobilenet_profiler.errors import UsageError

_RULE = "-" * 80


def render_slim(trace: Trace) -> str:
    """Header, a line a convolution, rules of 80 dashes, `Total:`.

    Raises UsageError for a trace that is not of the MobileNet V1 family.
    """
    layers = [layer for layer in trace.counted if layer.path.startswith("Conv2d_")]
    if not layers or not str(trace.spec.get("model", "")).endswith("mobilenet_v1"):
        raise UsageError(
            f"format 'slim' is the table of MobileNet V1 networks, given {trace.label!r}; "
            "allowed here: table, paper, markdown, csv, json, latex"
        )
    lines = [_line(f"{name_slim(layer)}:", layer.weights, layer.macs) for layer in layers]
    params, macs = sum(layer.weights for layer in layers), sum(layer.macs for layer in layers)
    header = f"{'Layer':<58}params{'macs':>15}"
    return "\n".join([header, _RULE, *lines, _RULE, _line("Total:", params, macs)]) + "\n"


def name_slim(layer: LayerCost) -> str:
    """`Conv2d_1.depthwise.conv` as `MobilenetV1/Conv2d_1_depthwise/depthwise`."""
    scope = re.sub(r"\.conv$", "", layer.path).replace(".", "_")
    variable = "depthwise" if scope.endswith("_depthwise") else "Conv2D"
    return f"MobilenetV1/{scope}/{variable}"


def _line(name: str, params: int, macs: int) -> str:
    return f"{name:<48}{params:>16,}{macs:>16,}"
