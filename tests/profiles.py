"""Profiles made by hand: exact costs of a real trace, times by a rule, noise by a seed."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import mobilenet_profiler as mp
from mobilenet_profiler.cost import Trace
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

INSIDE, OUTSIDE = 400.0, 900.0  # what the instruments cost a call, nanoseconds
BETWEEN = 120_000  # between all layers of a pass
LOSS, OPTIMIZER = 80_000, 900_000


def trace_small(**options: Any) -> Trace:
    """MobileNet V1 at a quarter of its width, 128 pixels: 13,570,048 MACs."""
    return mp.trace("mobilenet_v1", **{"alpha": 0.25, "resolution": 128, **options})


def add_up_work(trace: Trace) -> dict[str, LayerWork]:
    """Bytes and operations of each layer, from the operations of the trace."""
    work = {}
    for layer in trace.layers:
        own = [op for op in trace.ops if op.path == layer.path and op.phase == "forward"]
        moved = sum(op.bytes_read + op.bytes_written for op in own)
        ran = [op for op in own if op.bytes_written]
        counted = sum(1 for op in ran if op.macs)
        work[layer.path] = LayerWork(layer.macs, moved, len(ran), counted)
    return work


def make_profile(
    trace: Trace | None = None,
    rounds: int = 20,
    noise: float = 0.03,
    training: bool = False,
    seed: int = 0,
    **setup: Any,
) -> Profile:
    """A profile whose layers take 20 GMAC/s, 10 GB/s and 5 us a call, whichever is slower."""
    trace = trace or trace_small()
    work, chance = add_up_work(trace), random.Random(seed)
    phases = TRAINING if training else FORWARD
    layers = [
        LayerSamples(
            layer.path,
            phase,
            tuple(
                round(time * chance.uniform(1, 1 + noise) + layer.calls * INSIDE)
                for _ in range(rounds)
            ),
            layer.calls,
        )
        for phase, times in (("forward", 1), ("backward", 2))
        if phase in phases
        for layer in trace.layers
        if work[layer.path].operations
        for time in (times * _take(work[layer.path]),)
    ]
    instrumented = [
        _add_up(phases, layers, index, chance.uniform(1, 1 + noise)) for index in range(rounds)
    ]
    clean = [_shorten(sample, layers, chance.uniform(0.99, 1.01)) for sample in instrumented]
    mode, batch = ("train", 64) if training else ("inference", 1)
    chosen = replace(
        Setup(mode=mode, batch=batch, stop=f"{2 * rounds} iterations"),
        **{"optimizer": "rmsprop" if training else "", **setup},
    )
    return Profile(
        trace=trace,
        setup=chosen,
        environment={"processor": "a processor", "torch": "2.13.0"},
        phases=phases,
        clean=tuple(clean),
        instrumented=tuple(instrumented),
        layers=tuple(layers),
        work=work,
        empty=EmptyCosts((INSIDE,) * rounds, (OUTSIDE,) * rounds),
        timeline=draw_timeline(phases, layers),
        warmup=7,
        contention=Contention(wall=10**9, cpu=10**9, cores=2, load=0.4),
    )


def _take(work: LayerWork) -> float:
    return max(work.macs / 20, work.bytes_moved / 10, 5_000)


def _add_up(phases: tuple[str, ...], layers: list[LayerSamples], index: int, factor: float) -> Pass:
    others = {"forward": BETWEEN, "backward": BETWEEN, "loss": LOSS, "optimizer": OPTIMIZER}
    times = []
    for phase in phases:
        own = [layer for layer in layers if layer.phase == phase]
        marks = sum(layer.calls for layer in own) * OUTSIDE
        samples = sum(layer.samples[index] for layer in own)
        times.append(round(samples + marks + others[phase] * factor))
    return Pass(tuple(times), sum(times) + 3_000)


def _shorten(sample: Pass, layers: list[LayerSamples], factor: float) -> Pass:
    """The same pass without instruments."""
    calls = sum(layer.calls for layer in layers)
    share = 1 - calls * (INSIDE + OUTSIDE) / sample.time
    times = tuple(round(time * share * factor) for time in sample.phases)
    return Pass(times, sum(times) + 3_000)


def draw_timeline(phases: tuple[str, ...], layers: list[LayerSamples]) -> tuple[Span, ...]:
    """One call after the other, ten nanoseconds between them, in each phase."""
    spans, now = [], 0
    for phase in phases:
        start = now
        for layer in layers:
            if layer.phase == phase:
                spans.append(Span(layer.path, phase, now + 10, layer.samples[0], 1))
                now += 10 + layer.samples[0]
        now += 10
        spans.append(Span("", phase, start, now - start))
    return tuple(spans)
