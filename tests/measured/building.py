"""Profiles to the nanosecond: whatever a test asks for, around the trace of a small network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

import mobilenet_profiler as mp
from mobilenet_profiler.measured.profile import (
    FORWARD,
    TRAINING,
    Contention,
    EmptyCosts,
    LayerSamples,
    LayerWork,
    Pass,
    Profile,
    Setup,
    Span,
)

Times = Mapping[Any, Sequence[int]]  # by path, or by path and phase


@lru_cache
def trace_small(model: str = "mobilenet_v1", size: int = 32) -> mp.Trace:
    """A network of the zoo at a tiny resolution, as a file of its JSON gives it back."""
    options: dict[str, Any] = {"alpha": 0.25, "global_pool": True} if "mobilenet" in model else {}
    whole = mp.trace(model, resolution=size, **options)
    return replace(whole, ops=(), modules={})


def build_profile(
    trace: mp.Trace | None = None,
    clean: Sequence[int] = (1_000_000,) * 9,
    layers: Times | None = None,
    phases: tuple[str, ...] = FORWARD,
    empty: EmptyCosts | None = None,
    setup: Mapping[str, Any] | None = None,
    **others: Any,
) -> Profile:
    """A profile whose clean passes took so long, and whose layers have these samples.

    clean: nanoseconds of each pass, which its phases share alike. layers: own times as the
    clock gave them; an instrumented pass is as long as its layers and 1,000 ns a phase.
    """
    records = [_make_layer(key, samples, phases) for key, samples in (layers or {}).items()]
    count = len(records[0].samples) if records else 9
    instrumented = [
        tuple(1_000 + sum(r.samples[i] for r in records if r.phase == phase) for phase in phases)
        for i in range(count)
    ]
    return Profile(
        trace=trace or trace_small(),
        setup=Setup(**{"mode": "train" if "backward" in phases else "inference", **(setup or {})}),
        environment=others.pop("environment", {"torch": "2.13.0", "cpu": {"model": "some"}}),
        phases=phases,
        clean=tuple(Pass(_share(time, len(phases)), time) for time in clean),
        instrumented=tuple(Pass(times, sum(times)) for times in instrumented),
        layers=tuple(records),
        empty=empty or EmptyCosts(),
        **others,
    )


def _make_layer(key: Any, samples: Sequence[int], phases: tuple[str, ...]) -> LayerSamples:
    path, phase = key if isinstance(key, tuple) else (key, phases[0])
    return LayerSamples(path, phase, tuple(samples))


def _share(time: int, count: int) -> tuple[int, ...]:
    return (*[time // count] * (count - 1), time - time // count * (count - 1))


TIMES = st.integers(0, 10**12)
TEXTS = st.text(max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
COSTS = st.floats(-1e9, 1e9) | st.integers(0, 10**9)


@st.composite
def any_profile(draw: st.DrawFn) -> Profile:
    """Any profile that can be: every field with values of its own."""
    trace = trace_small(draw(st.sampled_from(["mobilenet_v1", "squeezenet1_1"])), 64)
    phases = draw(st.sampled_from([FORWARD, TRAINING, ("forward", "backward")]))
    count, passes = draw(st.integers(1, 4)), draw(st.integers(0, 3))  # instrumented, recorded
    paths = draw(st.lists(st.sampled_from([layer.path for layer in trace.layers]), max_size=4))
    keys = draw(st.lists(st.tuples(st.sampled_from(["", *paths]), st.sampled_from(phases))))
    signed = st.integers(-1_000, 10**12)
    return Profile(
        trace=trace,
        setup=Setup(
            device=draw(TEXTS),
            batch=draw(st.none() | st.integers(1, 512)),
            mode=draw(st.sampled_from(["inference", "train"])),
            threads=draw(st.integers(1, 99)),
            compiled=draw(st.booleans()),
            stop=draw(TEXTS),
        ),
        environment=draw(st.dictionaries(TEXTS, PLAIN, max_size=4)),
        phases=phases,
        clean=draw(_passes(phases, st.integers(1, 4))),
        instrumented=draw(_passes(phases, st.just(count))),
        layers=tuple(
            LayerSamples(
                *key,
                tuple(draw(st.lists(signed, min_size=count, max_size=count))),
                draw(st.integers(1, 9)),
                draw(st.integers(0, 9)),
                tuple(draw(st.just([]) | st.lists(TIMES, min_size=passes, max_size=passes))),
                draw(st.sampled_from(["", "compiled", "functional"])),
            )
            for key in dict.fromkeys(keys)
        ),
        work={path: LayerWork(*draw(st.tuples(*[TIMES] * 4))) for path in paths},
        empty=EmptyCosts(*(tuple(draw(st.lists(COSTS, max_size=3))) for _ in range(8))),
        timeline=tuple(
            Span(*key, *draw(st.tuples(TIMES, TIMES, st.integers(0, 9)))) for key in keys
        ),
        warmup=draw(st.integers(0, 20)),
        settled=draw(st.booleans()),
        contention=Contention(
            wall=draw(TIMES),
            involuntary=draw(TIMES),
            steal=draw(st.none() | st.floats(0, 1)),
            load=draw(st.none() | st.floats(0, 99)),
        ),
        eager=draw(_passes(phases, st.integers(0, 2))),
        graph=tuple(draw(st.lists(TIMES, max_size=3))),
        memory=draw(st.dictionaries(TEXTS, TIMES, max_size=3)),
        notes=tuple(draw(st.lists(TEXTS, max_size=3))),
    )


def _passes(
    phases: Sequence[str], count: st.SearchStrategy[int]
) -> st.SearchStrategy[tuple[Pass, ...]]:
    times = st.tuples(*[TIMES] * len(phases))
    one = st.builds(Pass, times, TIMES)
    return count.flatmap(lambda n: st.lists(one, min_size=n, max_size=n)).map(tuple)
