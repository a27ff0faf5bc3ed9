"""How near the rows of a profile come to the machine's ceiling. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mobilenet_profiler.measured.correction import correct_samples
from mobilenet_profiler.measured.profile import FORWARD, Profile
from mobilenet_profiler.measured.roofline import (
    CONVOLUTION,
    DEPTHWISE,
    Bound,
    Ceiling,
    RooflinePoint,
    bound_layer,
    make_point,
    name_operation,
)
from mobilenet_profiler.measured.rows import TimedRow, list_rest, make_timed_rows
from mobilenet_profiler.measured.statistics import find_median


@dataclass(frozen=True, slots=True)
class Reach:
    """A row beside the ceiling: the part of it that it reached, what binds most of its time."""

    share: float
    binds: str


def bound_layers(profile: Profile, ceiling: Ceiling) -> dict[str, Bound]:
    """What binds each layer in the forward pass, by path, where the ceiling tells."""
    kinds = {layer.path: layer.kind for layer in profile.trace.layers}
    threads = profile.setup.threads if profile.setup.device == "cpu" else 0
    bounds = {}
    for layer in profile.layers:
        work = profile.work.get(layer.path)
        if layer.phase != FORWARD[0] or work is None:
            continue
        time, kind = find_median(correct_samples(profile, layer)), kinds.get(layer.path, "")
        dtype = find_dtype(profile, kind)
        if bound := bound_layer(ceiling, work, time, dtype, threads, kind):
            bounds[layer.path] = bound
    return bounds


def find_dtype(profile: Profile, kind: str) -> str:
    """What a layer of this kind multiplies in: 'tf32' where a GPU was set to that for float32."""
    dtype = profile.setup.dtype
    settings = (profile.environment.get("gpu") or {}).get("settings") or {}
    convolves = name_operation(kind) in (CONVOLUTION, DEPTHWISE)
    precision = settings.get("convolution_precision" if convolves else "matmul_precision")
    return "tf32" if dtype == "float32" and precision == "tf32" else dtype


def list_points(profile: Profile) -> list[RooflinePoint]:
    """Every layer that was timed, on a roofline: its forward pass, its share of all time."""
    rows = make_timed_rows(profile, every=True)
    whole = sum(row.nanoseconds for row in (*rows, *list_rest(profile)))
    return [
        make_point(row.row.name, row.row.kind, row.work, forward.value, row.nanoseconds / whole)
        for row in rows
        if (forward := row.estimate_phase(FORWARD[0])) and whole
    ]


def find_reach(row: TimedRow, bounds: Mapping[str, Bound]) -> Reach | None:
    """Of a row that stands for several layers: their least times together over its own.

    None where it has no time in the forward pass, or no layer with a bound.
    """
    time = row.estimate_phase(FORWARD[0])
    known = [bounds[path] for path in row.row.paths if path in bounds]
    held: dict[str, float] = {}
    for bound in known:
        if bound.binds:
            held[bound.binds] = held.get(bound.binds, 0.0) + bound.time
    if time is None or not time.value or not held:
        return None
    least = sum(max(bound.compute, bound.memory) for bound in known)
    return Reach(least / time.value, max(held, key=lambda name: held[name]))
