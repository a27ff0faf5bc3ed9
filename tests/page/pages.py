"""Reports and their pages for tests: made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import mobilenet_profiler as mp
from mobilenet_profiler.cost import Uncounted
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.render.report import list_files
from mobilenet_profiler.report import Report, make_report
from mobilenet_profiler.trace.lifetimes import predict_memory
from tests.measured.building import build_profile, trace_small
from tests.sweeps import make_published_sweep

HOSTILE = '<script>window.stolen = 1</script><img src="x" onerror="window.stolen = 2">'
ENVIRONMENT = {
    "date": "2026-11-26T10:00:00+00:00",
    "torch": "2.13.0",
    "cpu": {"model": "a made processor", "usable_cores": 2, "caches": {"L2": 2097152}},
    "gpu": None,
}


@cache
def trace_network(model: str) -> mp.Trace:
    """A network of the zoo with its memory."""
    return replace(mp.trace(model), memory=predict_memory(model))


@cache
def time_small() -> Profile:
    """A profile of a small network: every counted layer takes 1 ns a MAC of its thousands."""
    trace = trace_small()
    layers = {own.path: [1000 + own.cost.macs // 1000] * 9 for own in trace.counted}
    return build_profile(trace, layers=layers, environment=ENVIRONMENT)


@cache
def report_v1() -> Report:
    """All that a report can hold, of MobileNet V1."""
    known = mp.verify("mobilenet_v1", source="mobilenet_v1_paper")
    trace = trace_network("mobilenet_v1")
    return make_report([trace], known, make_published_sweep(), [time_small()])


@cache
def report_resnet() -> Report:
    """ResNet-50, as the command makes it."""
    return make_report([trace_network("resnet50")], mp.verify("resnet50"))


@cache
def report_several() -> Report:
    """Three networks side by side, two of which have layers of the same path."""
    half = mp.trace("mobilenet_v1", alpha=0.5, resolution=160)
    return make_report([trace_network("mobilenet_v1"), half, mp.trace("squeezenet1_0")])


@cache
def report_hostile() -> Report:
    """Names and notes in every place that holds a text, all of them markup."""
    trace = trace_small()
    layers = tuple(
        replace(own, path=f"{HOSTILE}{own.path}", kind=f"{own.kind} {HOSTILE}")
        for own in trace.layers
    )
    spec = {**trace.spec, "name": HOSTILE, "options": {"alpha": HOSTILE}}
    evil = replace(
        trace,
        layers=layers,
        spec=spec,
        label=HOSTILE,
        notes=(HOSTILE,),
        uncounted=(Uncounted(HOSTILE, HOSTILE, ((1,),), 1, HOSTILE),),
    )
    timed = build_profile(
        evil,
        layers={own.path: [1000] * 9 for own in evil.counted},
        environment={**ENVIRONMENT, "cpu": {"model": HOSTILE}, HOSTILE: HOSTILE},
        notes=(HOSTILE,),
    )
    swept = make_published_sweep()
    cells = tuple(replace(own, label=HOSTILE, error=HOSTILE, cost=None) for own in swept.results)
    swept = replace(swept, results=(*swept.results[:8], *cells[8:]), machines={HOSTILE: {"a": 1}})
    return make_report([evil], sweep=swept, profiles=[timed])


REPORTS = {
    "v1": report_v1,
    "resnet": report_resnet,
    "several": report_several,
    "hostile": report_hostile,
}


@cache
def make_files(name: str) -> Mapping[str, bytes]:
    """The files of one of the reports above, as the command writes them."""
    return list_files(REPORTS[name]())


def show(name: str) -> str:
    """The page among them."""
    return make_files(name)["index.html"].decode()
