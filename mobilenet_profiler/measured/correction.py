"""The instruments' own cost, taken off what they measured. Pure."""

from __future__ import annotations

from mobilenet_profiler.measured.profile import LayerSamples, Profile
from mobilenet_profiler.measured.statistics import find_median


def find_call_costs(profile: Profile, phase: str = "forward") -> tuple[float, float]:
    """What the instruments add to one call, nanoseconds: inside the layer, and outside it.

    A call in the phase 'backward' is a node of autograd's graph, marked by hooks.
    """
    inside, outside = profile.empty.inside, profile.empty.outside
    if phase == "backward":
        inside, outside = profile.empty.backward_inside, profile.empty.backward_outside
    return (find_median(inside) if inside else 0.0, find_median(outside) if outside else 0.0)


def list_call_costs(profile: Profile) -> list[float]:
    """What an empty instrumented call costs more than a plain one, nanoseconds, by round."""
    empty = profile.empty
    return [inside + outside for inside, outside in zip(empty.inside, empty.outside, strict=False)]


def cost_instruments(profile: Profile, phase: str | None = None) -> float:
    """What the instruments add to a pass, or to one phase of it, nanoseconds."""
    return sum(
        layer.calls * sum(find_call_costs(profile, layer.phase))
        for layer in profile.layers
        if phase in (None, layer.phase)
    )


def correct_samples(profile: Profile, layer: LayerSamples) -> list[float]:
    """A layer's own time in each instrumented pass, nanoseconds, without the instruments.

    What lies between its marks and is not its own goes off for each of its calls, and
    what the instruments of a layer inside it cost beside that layer's marks, for each of
    those. A time does not fall below 0.
    """
    inside, outside = find_call_costs(profile, layer.phase)
    cost = layer.calls * inside + layer.inner * outside
    return [max(sample - cost, 0.0) for sample in layer.samples]
