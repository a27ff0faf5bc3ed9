"""What a figure's quantity is of a traced network: an exact number, or a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.counting import Count, count_trace
from mobilenet_profiler.cost import LayerCost, Trace
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.paper import Line, list_paper_rows
from mobilenet_profiler.rows import list_pairs, name_layers

Exact = Fraction | str
_KERNELS = "paper"  # the convention whose params are kernels and matrices alone
_BYTES = {"float32": (4, 4), "int8": (1, 4)}  # of a number in a kernel, and in a bias


@dataclass(frozen=True)
class Measured:
    """A trace, with the counts that were asked of it."""

    trace: Trace

    @cached_property
    def _counts(self) -> dict[str, Count]:
        return {}

    @cached_property
    def lines(self) -> list[Line]:
        """The rows of the paper's Table 1."""
        return list_paper_rows(self.trace)

    @cached_property
    def names(self) -> dict[str, str]:
        """The short name of every layer."""
        return name_layers(self.trace)

    def count(self, convention: str) -> Count:
        """The trace in a convention, counted once."""
        known = find_convention(convention or DEFAULT)
        if known.name not in self._counts:
            self._counts[known.name] = count_trace(self.trace, known)
        return self._counts[known.name]


Measure = Callable[[Measured, str, str], Exact]


def measure(known: Measured, quantity: str, of: str = "", convention: str = "") -> Exact:
    """A quantity of a network, or of its layers `of`: a path or a kind.

    Shares are fractions of one. Raises UsageError for a layer that there is not, or a
    convention that does not count the quantity.
    """
    return MEASURES[quantity](known, of, convention)


def _count_macs(known: Measured, of: str, convention: str) -> Exact:
    count = known.count(convention)
    if count.total is None:
        raise UsageError(f"convention {count.convention.name!r} counts params alone")
    return Fraction(_sum_layers(known, count.layers, of) if of else count.total)


def _count_params(known: Measured, of: str, convention: str) -> Exact:
    count = known.count(convention)
    return Fraction(_sum_layers(known, count.layer_params, of) if of else count.params)


def _count_weights(known: Measured, of: str, convention: str) -> Exact:
    return _count_params(known, of, _KERNELS)


def _count_activations(known: Measured, of: str, convention: str) -> Exact:
    counts = {layer.path: layer.activations for layer in known.trace.layers}
    return Fraction(_sum_layers(known, counts, of) if of else sum(counts.values()))


def _share(part: Measure) -> Measure:
    def share(known: Measured, of: str, convention: str) -> Exact:
        whole = part(known, "", convention)
        own = part(known, of, convention)
        assert isinstance(own, Fraction)
        assert isinstance(whole, Fraction)
        return own / whole if whole else Fraction(0)

    return share


def _find_least_saving(known: Measured, of: str, convention: str) -> Exact:
    return min(_list_savings(known.trace))


def _find_most_saving(known: Measured, of: str, convention: str) -> Exact:
    return max(_list_savings(known.trace))


def _list_savings(trace: Trace) -> list[Fraction]:
    """MACs of the full convolution over those of each separable pair (section 3.1)."""
    savings = [
        Fraction(pointwise.macs * prod(depthwise.weight_shape[2:]), depthwise.macs + pointwise.macs)
        for depthwise, pointwise in list_pairs(trace)
        if depthwise.weight_shape
    ]
    if not savings:
        raise UsageError(f"{trace.label} has no depthwise separable pair")
    return savings


def _count_activation_memory(known: Measured, of: str, convention: str) -> Exact:
    """Elements that a layer reads and writes, without its weights."""
    layers = _find_layers(known, of) if of else known.trace.counted
    return Fraction(sum(_count_elements(layer) for layer in layers if layer.multiplies))


def _count_elements(layer: LayerCost) -> int:
    return prod(layer.input_shape or (0,)) + prod(layer.output_shape or (0,))


def _count_bytes(known: Measured, of: str, convention: str) -> Exact:
    """Bytes of the params of a convention; of: the type of its kernels, biases in four bytes."""
    if of not in _BYTES:
        raise unknown_name("type of numbers", of, _BYTES)
    kernel, bias = _BYTES[of]
    kernels = known.count(_KERNELS).params
    return Fraction(kernel * kernels + bias * (known.count(convention).params - kernels))


def _read_line(column: int) -> Measure:
    def read(known: Measured, of: str, convention: str) -> Exact:
        index = int(of) - 1 if of.isdecimal() else -1
        if not 0 <= index < len(known.lines):
            raise UsageError(f"row {of!r}: the table has rows 1 to {len(known.lines)}")
        return known.lines[index][column]

    return read


def _sum_layers(known: Measured, counts: Mapping[str, int], of: str) -> int:
    return sum(counts.get(layer.path, 0) for layer in _find_layers(known, of))


def _find_layers(known: Measured, of: str) -> list[LayerCost]:
    layers = list(_match_layers(known, of))
    if not layers:
        kinds = dict.fromkeys(layer.kind for layer in known.trace.layers)
        names = [known.names[layer.path] for layer in known.trace.counted]
        raise unknown_name("layer or kind", of, [*kinds, *names], limit=6)
    return layers


def _match_layers(known: Measured, of: str) -> Iterator[LayerCost]:
    """Those of a kind, of a short name, at a path or below it."""
    for layer in known.trace.layers:
        inside = layer.path == of or layer.path.startswith(f"{of}.")
        if inside or of in (layer.kind, known.names[layer.path]):
            yield layer


MEASURES: Mapping[str, Measure] = {
    "macs": _count_macs,
    "params": _count_params,
    "weights": _count_weights,
    "activations": _count_activations,
    "macs_share": _share(_count_macs),
    "params_share": _share(_count_params),
    "least_saving": _find_least_saving,
    "most_saving": _find_most_saving,
    "activation_memory": _count_activation_memory,
    "size": _count_bytes,
    "layer_type": _read_line(0),
    "filter_shape": _read_line(1),
    "input_size": _read_line(2),
}
