"""The one door to pandas."""

from __future__ import annotations

import pandas

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.memory import LayerMemory


def frame_layers(trace: Trace) -> pandas.DataFrame:
    """A row a layer: path, kind, module, shapes, stride, groups, calls, counts.

    Shapes stay tuples and counts int64; `frame.macs.sum()` is `trace.total.macs`. With
    `trace.memory` also memory and allocated, bytes; 0 for a layer that ran nothing.
    """
    names = ("path", "kind", "module", "input_shape", "output_shape", "weight_shape")
    counts = ("params", "weights", "macs", "activations", "elementwise", "backward_macs", "tied")
    numbers = ("groups", "calls", *counts)
    fields = (*names, "stride", "dilation", *numbers)
    records = [[getattr(layer, name) for name in fields] for layer in trace.layers]
    frame = pandas.DataFrame(records, columns=list(fields))
    frame = frame.astype(dict.fromkeys(numbers, "int64"))
    if trace.memory is not None:
        layers = [trace.memory.layers.get(layer.path, LayerMemory()) for layer in trace.layers]
        frame["memory"] = [layer.peak for layer in layers]
        frame["allocated"] = [layer.allocated for layer in layers]
    return frame
