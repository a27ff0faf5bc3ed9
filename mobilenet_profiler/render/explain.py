"""The arithmetic behind one layer, in the paper's symbols (section 3.1, equations 2 to 5)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from mobilenet_profiler.cost import LayerCost, OpCost, Trace
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.rows import list_pairs, name_layers
from mobilenet_profiler.units import format_share


def render_explanation(trace: Trace, name: str) -> str:
    """Lines of text: sizes, MACs and params as products, and the separable pair's saving.

    name: a path or short name; `Conv2d_1_depthwise` and `Conv2d_1.depthwise` are one.
    Raises UsageError when no counted layer has that name.
    """
    layer = find_layer(trace, name)
    lines = [trace.label, *_explain_layer(layer, trace)]
    pair = find_pair(trace, layer)
    return "\n".join([*lines, *(_explain_pair(*pair) if pair else [])]) + "\n"


def find_layer(trace: Trace, name: str) -> LayerCost:
    """The layer of that name; the only counted one below it, if it names a module."""
    shorts = name_layers(trace)
    wanted = _fold(name)
    layers = [*trace.counted, *(layer for layer in trace.layers if not layer.multiplies)]
    exact = [layer for layer in layers if wanted in (_fold(layer.path), _fold(shorts[layer.path]))]
    exact = exact[:1]
    below = [layer for layer in trace.counted if _fold(layer.path).startswith(wanted + "_")]
    found = exact or below
    if len(found) > 1:
        choices = ", ".join(shorts[layer.path] for layer in found)
        raise UsageError(f"{name!r} holds several layers; name one of: {choices}")
    if not found:
        raise unknown_name("layer", name, [shorts[layer.path] for layer in trace.counted])
    return found[0]


def find_pair(trace: Trace, layer: LayerCost) -> tuple[LayerCost, LayerCost] | None:
    """The separable pair that `layer` belongs to."""
    return next((pair for pair in list_pairs(trace) if layer in pair), None)


def _fold(name: str) -> str:
    return name.replace(".", "_").replace("/", "_").casefold()


def _explain_layer(layer: LayerCost, trace: Trace) -> list[str]:
    shapes = f"  input {_show(layer.input_shape)}, output {_show(layer.output_shape)}"
    return [
        "",
        f"{name_layers(trace)[layer.path]}: {layer.kind}",
        shapes,
        f"  MACs    {_write_macs(layer, trace)} = {layer.macs:,}"
        f" ({format_share(layer.macs, trace.total.macs)}% of the model)",
        f"  params  {_write_params(layer, trace)} = {layer.params:,}"
        f" ({format_share(layer.params, trace.total.params)}% of the model)",
    ]


def _write_params(layer: LayerCost, trace: Trace) -> str:
    """One matrix as a product, with its bias; else every parameter of the layer by its shape."""
    own = layer.params - layer.weights
    if layer.weight_shape and _is_product(layer) and layer.weights == prod(layer.weight_shape):
        return _write_weights(layer) + (f" + {own:,} (bias)" if own else "")
    facts = trace.modules.get(layer.path)
    shapes = [tensor.shape for tensor in facts.parameters] if facts else []
    if sum(map(prod, shapes)) != layer.params:
        return f"shared with {layer.tied_to}" if layer.tied else "none"
    return " + ".join(map(_show, shapes)) or "none"


def _write_weights(layer: LayerCost) -> str:
    shape = layer.weight_shape or ()
    kernel = [*shape[2:]]
    if layer.kind.startswith("depthwise"):
        return _write(["DK", "DK", "M"], [*kernel, shape[0]])
    names = ["DK", "DK"] if kernel else []
    group = "" if layer.groups == 1 else "/g"
    if layer.kind.startswith("transposed"):  # stored the other way round
        return _write([*names, "M", f"N{group}"], [*kernel, shape[0], shape[1]])
    return _write([*names, f"M{group}", "N"], [*kernel, shape[1], shape[0]])


def _write_macs(layer: LayerCost, trace: Trace) -> str:
    """A product where one matrix makes all of it; else a sum over the operations that ran."""
    shape, output = layer.weight_shape, layer.output_shape
    ran = [op for op in trace.ops if op.owner == layer.path and op.phase == "forward" and op.macs]
    plain = len(ran) == 1 and _is_product(layer)
    if shape is None or output is None or not plain or layer.macs % prod(shape):
        return _write_sum(ran)
    positions = layer.macs // prod(shape)
    spatial = list(output[-len(shape[2:]) :]) if shape[2:] else []
    if layer.kind.startswith("transposed") or positions % prod(spatial):
        return f"{prod(shape):,} weights · {positions:,} positions"
    batch = positions // prod(spatial)
    weights, numbers = _write_weights(layer).split(" = ")
    names = weights + " · DF" * len(spatial) + (" · B" if batch > 1 else "")
    values = " · ".join([numbers, *map(str, spatial), *([str(batch)] if batch > 1 else [])])
    return f"{names} = {values}"


def _is_product(layer: LayerCost) -> bool:
    """Whether it is a convolution, or a linear layer of one matrix."""
    kind, shape = layer.kind.split(" ")[0], layer.weight_shape or ()
    return kind in _CONVOLUTIONS or (kind == "fully" and len(shape) != 3)


_CONVOLUTIONS = ("pointwise", "depthwise", "full", "grouped", "transposed")


def _write_sum(ran: Sequence[OpCost]) -> str:
    sums: dict[str, int] = {}
    for operation in ran:
        name = operation.name.removeprefix("aten::")
        sums[name] = sums.get(name, 0) + operation.macs
    if len(sums) < 2:
        return "".join(f"formula of {name}" for name in sums) or "none"
    return " + ".join(f"{macs:,} ({name})" for name, macs in sums.items())


def _write(names: list[str], values: list[int]) -> str:
    return f"{' · '.join(names)} = {' · '.join(map(str, values))}"


def _explain_pair(depthwise: LayerCost, pointwise: LayerCost) -> list[str]:
    """The pair beside the full convolution it stands for: equation 5."""
    kernel, output = depthwise.weight_shape or (), pointwise.weight_shape or ()
    area, channels, depth = prod(kernel[2:]), kernel[0], output[0]
    pair = depthwise.macs + pointwise.macs
    full = pointwise.macs * area
    ratio, formula = Fraction(pair, full), Fraction(1, depth) + Fraction(1, area)
    size = "x".join(map(str, kernel[2:]))
    square = f"{kernel[2]}²" if kernel[2] == kernel[3] else str(area)
    return [
        "",
        "  depthwise separable pair against the standard convolution",
        f"    pair       {depthwise.macs:,} + {pointwise.macs:,} = {pair:,}",
        f"    standard   {size} from {channels} to {depth} channels = {full:,}",
        f"    ratio      {pair:,} / {full:,} = {float(ratio):.4f}",
        f"    1/N + 1/DK² = 1/{depth} + 1/{square} = {float(formula):.4f}"
        + ("  (equal)" if ratio == formula else ""),
        f"    {float(1 / ratio):.2f} times fewer MACs",
    ]


def _show(shape: tuple[int, ...] | None) -> str:
    return "x".join(map(str, shape)) if shape else "-"
