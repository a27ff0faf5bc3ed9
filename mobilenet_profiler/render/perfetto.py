"""One pass as trace events that open in ui.perfetto.dev, a span for each call of a layer.

The form is the Trace Event Format, "JSON Object Format" with complete events (`"ph": "X"`):
times are microseconds, spans of one thread nest by time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mobilenet_profiler.cost import LayerCost
from mobilenet_profiler.measured.profile import Profile, Span

_PROCESS, _THREAD = 1, 1  # 0 would be the kernel's idle process


def render_trace_events(profile: Profile) -> str:
    """The pass that `profile.timeline` holds: the whole, each phase, each call of a layer."""
    data = {
        "traceEvents": [*_name_tracks(profile), *_list_events(profile)],
        "displayTimeUnit": "ms",
        "otherData": {
            "model": profile.trace.label,
            "setup": profile.label,
            "shown": "one instrumented pass; the instruments' own cost is in it",
        },
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _name_tracks(profile: Profile) -> Iterator[dict[str, Any]]:
    names = {"process_name": profile.trace.label, "thread_name": profile.setup.device}
    for event, name in names.items():
        yield {
            "name": event,
            "ph": "M",
            "pid": _PROCESS,
            "tid": _THREAD,
            "args": {"name": name},
        }


def _list_events(profile: Profile) -> Iterator[dict[str, Any]]:
    """Outer spans before those inside them, each by its start."""
    if not profile.timeline:
        return
    layers = {layer.path: layer for layer in profile.trace.layers}
    yield _make_event("pass", profile.setup.mode, _enclose(profile.timeline), {})
    for span in sorted(profile.timeline, key=lambda span: (span.start, span.depth)):
        if span.depth:
            name = span.path or "(model)"
            yield _make_event(name, span.phase, span, _describe(profile, span, layers))
        else:
            yield _make_event(span.phase, "phase", span, {})


def _enclose(spans: tuple[Span, ...]) -> Span:
    """From the start of the first to the end of the last."""
    start = min(span.start for span in spans)
    return Span("", "", start, max(span.start + span.duration for span in spans) - start)


def _make_event(name: str, category: str, span: Span, args: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "ts": span.start / 1000,
        "dur": span.duration / 1000,
        "pid": _PROCESS,
        "tid": _THREAD,
        "args": args,
    }


def _describe(profile: Profile, span: Span, layers: dict[str, LayerCost]) -> dict[str, Any]:
    """What a reader of the span asks: kind, shapes, exact work, how fast it was done.

    The work of a layer that runs several times is that of all its calls: no speed is said.
    """
    known: dict[str, Any] = {"path": span.path, "phase": span.phase}
    if layer := layers.get(span.path):
        known |= {
            "kind": layer.kind,
            "input": list(layer.input_shape or ()),
            "output": list(layer.output_shape or ()),
            "weight": list(layer.weight_shape or ()),
            "calls": layer.calls,
            "MACs": layer.macs,
            "params": layer.params,
        }
    if work := profile.work.get(span.path):
        known["bytes moved"] = work.bytes_moved
        alone = span.phase == "forward" and layer is not None and layer.calls == 1
        if alone and work.macs and span.duration:
            known["GMAC/s"] = round(work.macs / span.duration, 2)
    return known
