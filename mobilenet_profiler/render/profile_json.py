"""A Profile as one JSON object: every raw sample, so that nothing need be measured again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mobilenet_profiler.measured.profile import LayerSamples, Pass, Profile
from mobilenet_profiler.render.json import SCHEMA_VERSION, describe_trace

_INDENT = "  "


def render_profile(profile: Profile) -> str:
    """`schema_version`, `kind`, `trace`, then what was measured; a line a record."""
    return write_json(describe_profile(profile)) + "\n"


def render_profiles(profiles: Sequence[Profile]) -> str:
    """One as `render_profile` has it; several as a list under `profiles`."""
    if len(profiles) == 1:
        return render_profile(profiles[0])
    data = {
        "schema_version": SCHEMA_VERSION,
        "kind": "profiles",
        "profiles": [describe_profile(profile) for profile in profiles],
    }
    return write_json(data) + "\n"


def describe_profile(profile: Profile) -> dict[str, Any]:
    """A profile as plain data; times are whole nanoseconds. Of its trace without `ops`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "profile",
        "trace": describe_trace(profile.trace),
        "setup": asdict(profile.setup),
        "environment": dict(profile.environment),
        "phases": list(profile.phases),
        "clean": _describe_passes(profile.clean, profile.phases),
        "instrumented": _describe_passes(profile.instrumented, profile.phases),
        "eager": _describe_passes(profile.eager, profile.phases),
        "graph": list(profile.graph),
        "layers": [_describe_layer(layer) for layer in profile.layers],
        "work": {path: asdict(work) for path, work in profile.work.items()},
        "empty": asdict(profile.empty),
        "timeline": [asdict(span) for span in profile.timeline],
        "warmup": profile.warmup,
        "settled": profile.settled,
        "contention": asdict(profile.contention),
        "memory": dict(profile.memory),
        "notes": list(profile.notes),
    }


def _describe_passes(passes: Sequence[Pass], phases: Sequence[str]) -> dict[str, Any]:
    """`wall` of each pass, and its time in each phase."""
    times = {name: [own.phases[place] for own in passes] for place, name in enumerate(phases)}
    return {"wall": [own.wall for own in passes], "phases": times}


def _describe_layer(layer: LayerSamples) -> dict[str, Any]:
    own = {"path": layer.path, "phase": layer.phase, "calls": layer.calls, "inner": layer.inner}
    samples = {"samples": list(layer.samples), "kernels": list(layer.kernels)}
    return {**own, **samples, "kind": layer.kind}


def write_json(value: Any, depth: int = 0) -> str:
    """Plain data as JSON; what holds no other records stands on one line.

    A list of a thousand samples is a line, and so is a layer: such a file is small, and two
    of them differ line by line.
    """
    if _is_record(value):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner, outer = _INDENT * (depth + 1), _INDENT * depth
    opening, closing = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
    lines = ",\n".join(inner + line for line in _write_items(value, depth + 1))
    return f"{opening}\n{lines}\n{outer}{closing}"


def _write_items(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{json.dumps(str(key), ensure_ascii=False)}: {write_json(item, depth)}"
    else:
        for item in value:
            yield write_json(item, depth)


def _is_record(value: Any) -> bool:
    """Whether it holds single values and lists of them alone."""
    if isinstance(value, Mapping):
        return all(_is_flat(item) for item in value.values())
    return _is_flat(value)


def _is_flat(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return not any(isinstance(item, Mapping | list | tuple) for item in value)
    return not isinstance(value, Mapping)
