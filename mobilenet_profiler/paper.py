"""A trace as the rows of the paper's Table 1: type / stride, filter shape, input size.

Source: arXiv 1704.04861, Table 1. Repeated pairs are written once, with `5x`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mobilenet_profiler.cost import LayerCost, Shape, Trace

Line = tuple[str, str, str]


def list_paper_rows(trace: Trace) -> list[Line]:
    """Table 1 as cells: convolutions, pool, fully connected and softmax, in order."""
    windows = {
        op.owner: op.options["kernel_size"] for op in trace.ops if "kernel_size" in op.options
    }
    lines = [
        line
        for layer in trace.layers
        if (line := _describe(layer, windows.get(layer.path))) is not None
    ]
    return _fold_repeats(lines)


def _describe(layer: LayerCost, window: Any) -> Line | None:
    size = _format_map(layer.input_shape)
    if layer.kind == "softmax":
        return ("Softmax / s1", "Classifier", size)
    if "pool" in layer.kind or layer.kind == "mean":
        name = "Max Pool" if "max" in layer.kind else "Avg Pool"
        return (f"{name} / s{_pool_stride(layer)}", f"Pool {_format_window(layer, window)}", size)
    weight = layer.weight_shape
    if not layer.macs or weight is None or len(weight) < 2:
        return None
    if layer.kind == "fully connected":
        return ("FC / s1", f"{weight[1]}x{weight[0]}", size)
    kernel = "x".join(map(str, weight[2:]))
    if layer.kind.startswith("depthwise"):
        return (f"Conv dw / s{layer.stride[0]}", f"{kernel}x{weight[0]} dw", size)
    return (f"Conv / s{layer.stride[0]}", f"{kernel}x{weight[1]}x{weight[0]}", size)


def _format_map(shape: Shape | None) -> str:
    """(N, C, H, W) as HxWxC; a vector (N, C) as 1x1xC, as the paper has it."""
    if shape is None:
        return "-"
    spatial = shape[2:] or (1, 1)
    return "x".join(map(str, (*spatial, shape[1] if len(shape) > 1 else shape[0])))


def _pool_stride(layer: LayerCost) -> int:
    """1 where a single window covers the map: the stride is never taken."""
    output = layer.output_shape
    return 1 if output and set(output[2:]) <= {1} else layer.stride[0]


def _format_window(layer: LayerCost, window: Any) -> str:
    """The window that the pool was given; the whole map for a mean and an adaptive pool."""
    shape = (layer.input_shape or ())[2:]
    sizes = tuple(window) if isinstance(window, tuple | list) else (window,) * len(shape)
    sizes = sizes * len(shape) if len(sizes) == 1 else sizes
    return "x".join(map(str, sizes if window else shape))


def _fold_repeats(lines: Sequence[Line]) -> list[Line]:
    """Runs of the same line or pair written once, as `5x Conv dw / s1` and `5x Conv / s1`."""
    folded: list[Line] = []
    index = 0
    while index < len(lines):
        length = 1 if lines[index] == lines[min(index + 1, len(lines) - 1)] else 2
        group = lines[index : index + length]
        repeats = 1
        while len(group) == length and lines[index + length * repeats :][:length] == group:
            repeats += 1
        if repeats > 1:
            folded += [(f"{repeats}x {kind}", shape, size) for kind, shape, size in group]
            index += length * repeats
        else:
            folded.append(lines[index])
            index += 1
    return folded
