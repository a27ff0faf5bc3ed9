"""The instruments' own cost, taken off what they measured. Pure.

A device that waits for its host gets everything later by what the marks cost the host. One
that is busy finds them queued behind its work: it takes what they cost itself, which is far
less, while what they cost the host, which runs ahead, shows nowhere. Both costs are measured
(`EmptyCosts`), and each layer's kernel records say which is its own. What a call costs
outside its marks is part of what holds it: it goes by the layer around it or, between
layers, by all layers of the phase together. Without records a device is taken to be busy,
so that no layer becomes too short. A CPU has one cost only.
"""

from __future__ import annotations

from mobilenet_profiler.measured.kernels import is_launch_bound
from mobilenet_profiler.measured.profile import LayerSamples, Profile
from mobilenet_profiler.measured.statistics import find_median


def find_call_costs(
    profile: Profile, phase: str = "forward", waits: bool = False
) -> tuple[float, float]:
    """What the instruments add to one call, nanoseconds: inside the layer, and outside it.

    A call in the phase 'backward' is a node of autograd's graph, marked by hooks. waits: on
    a device that waits for its host; else on one that is busy, where that was measured.
    """
    empty, what = profile.empty, "backward_" if phase == "backward" else ""
    if not waits and getattr(empty, f"busy_{what}inside"):
        what = f"busy_{what}"
    both = (getattr(empty, f"{what}{side}") for side in ("inside", "outside"))
    inside, outside = (find_median(samples) if samples else 0.0 for samples in both)
    return inside, outside


def list_call_costs(profile: Profile) -> list[float]:
    """What an empty instrumented call costs more than a plain one, nanoseconds, by round."""
    empty = profile.empty
    return [inside + outside for inside, outside in zip(empty.inside, empty.outside, strict=False)]


def waits_for_host(profile: Profile, *layers: LayerSamples) -> bool:
    """Whether layers are launch-bound, one or several together; not without kernel records.

    Their wall times are those less the smaller cost: the larger one holds only if they wait.
    """
    known = [layer for layer in layers if layer.kernels]
    walls = (find_median(layer.samples) - _add_up_cost(profile, layer, False) for layer in known)
    return is_launch_bound(sum(walls), sum(find_median(layer.kernels) for layer in known))


def cost_instruments(profile: Profile, phase: str | None = None) -> float:
    """What the instruments add to a pass, or to one phase of it, nanoseconds.

    What goes off all layers, and the outside of the calls that no layer holds: layers, what
    lies between them and this are the instrumented pass.
    """
    phases = profile.phases if phase is None else (phase,)
    return sum(_cost_phase(profile, name) for name in phases)


def _cost_phase(profile: Profile, phase: str) -> float:
    layers = [layer for layer in profile.layers if layer.phase == phase]
    alone = sum(layer.calls - layer.inner for layer in layers)
    _, outside = find_call_costs(profile, phase, waits_for_host(profile, *layers))
    return sum(_cost_layer(profile, layer) for layer in layers) + alone * outside


def _cost_layer(profile: Profile, layer: LayerSamples) -> float:
    """What the instruments add to a layer's own time in a pass."""
    return _add_up_cost(profile, layer, waits_for_host(profile, layer))


def _add_up_cost(profile: Profile, layer: LayerSamples, waits: bool) -> float:
    inside, outside = find_call_costs(profile, layer.phase, waits)
    return layer.calls * inside + layer.inner * outside


def correct_samples(profile: Profile, layer: LayerSamples) -> list[float]:
    """A layer's own time in each instrumented pass, nanoseconds, without the instruments.

    What lies between its marks and is not its own goes off for each of its calls, and
    what the instruments of a layer inside it cost beside that layer's marks, for each of
    those. A time does not fall below 0.
    """
    cost = _cost_layer(profile, layer)
    return [max(sample - cost, 0.0) for sample in layer.samples]
