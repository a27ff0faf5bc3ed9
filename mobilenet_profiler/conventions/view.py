"""A Trace in a convention, for every table and file that shows traces."""

from __future__ import annotations

from dataclasses import replace

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.convention import Convention
from mobilenet_profiler.conventions.counting import Count, count_trace
from mobilenet_profiler.cost import Cost, LayerCost, Trace
from mobilenet_profiler.errors import UsageError


def convert_trace(trace: Trace, convention: Convention | str) -> Trace:
    """The trace with `macs` and `params` as the convention counts them.

    Layers keep their names and their order; they add up to the convention's totals.
    Raises UsageError for a convention that there is not, and for a trace with a backward
    pass or in a convention already.
    """
    if trace.convention is not None:
        raise UsageError(f"the trace is in convention {trace.convention.name!r} already")
    if (convention if isinstance(convention, str) else convention.name) == DEFAULT:
        return trace
    count = count_trace(trace, convention)
    known = count.convention
    if trace.backward:
        raise UsageError(f"convention {known.name!r} counts the forward pass alone")
    layers = tuple(_convert_layer(layer, count) for layer in trace.layers)
    return replace(trace, layers=(*layers, *_add_layers(trace, count)), convention=known)


def _convert_layer(layer: LayerCost, count: Count) -> LayerCost:
    macs = layer.macs if count.total is None else count.layers.get(layer.path, 0)
    params = count.layer_params.get(layer.path, 0)
    cost = replace(layer.cost, macs=macs, params=params)
    return replace(layer, cost=cost, counted=layer.multiplies)


def _add_layers(trace: Trace, count: Count) -> list[LayerCost]:
    """Modules that have params in the convention alone: moving statistics of an unused norm."""
    known = {layer.path for layer in trace.layers}
    return [
        LayerCost(
            path=path,
            kind="not run",
            module=trace.modules[path].type.rpartition(".")[2],
            input_shape=None,
            output_shape=None,
            weight_shape=None,
            cost=Cost(params=params),
            calls=0,
        )
        for path, params in count.layer_params.items()
        if params and path not in known
    ]
