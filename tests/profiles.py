"""Profiles made by hand: exact costs of a real trace, times by a rule, noise by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import mobilenet_profiler as mp
from mobilenet_profiler.cost import Cost, LayerCost, Trace
from mobilenet_profiler.measured.profile import (
    FORWARD,
    TRAINING,
    EmptyCosts,
    LayerSamples,
    LayerWork,
    Pass,
    Profile,
    Setup,
    Span,
)
from mobilenet_profiler.measured.roofline import (
    OPERATIONS,
    PATTERNS,
    Bandwidth,
    Ceiling,
    Overhead,
    Peak,
)

INSIDE, OUTSIDE = 400.0, 900.0  # what the instruments cost a call, nanoseconds
BETWEEN = 120_000  # between all layers of a phase
LOSS, OPTIMIZER = 80_000, 900_000
HOST = 3_000  # what a caller waits beyond the phases


@cache
def trace_small(batch: int = 1, backward: bool = False) -> Trace:
    """MobileNet V1 at a quarter of its width, 128 pixels: 13,570,048 MACs an image."""
    return mp.trace("mobilenet_v1", alpha=0.25, resolution=128, batch=batch, backward=backward)


def make_profile(
    trace: Trace | None = None,
    rounds: int = 20,
    noise: float = 0.03,
    seed: int = 0,
    training: bool = False,
    kernels: bool = False,
    **setup: Any,
) -> Profile:
    """A profile whose layers take 20 GMAC/s, 10 GB/s or 5 us, whichever is slowest.

    The backward pass takes twice as long. kernels: of a GPU, half of each layer's time.
    setup: what differs from `Setup`'s defaults.
    """
    trace = trace or trace_small(backward=training)
    work, chance = add_up_work(trace), random.Random(seed)
    phases = TRAINING if training else FORWARD
    mode = {"mode": "train", "batch": 64, "optimizer": "rmsprop"} if training else {}
    layers = [
        draw_layer(layer, phase, work[layer.path], rounds, noise, chance, kernels)
        for phase in phases
        for layer in trace.layers
        if work[layer.path].operations and phase in ("forward", "backward")
    ]
    instrumented = [
        add_up_pass(phases, layers, index, chance.uniform(1, 1 + noise)) for index in range(rounds)
    ]
    return Profile(
        trace=trace,
        setup=replace(Setup(stop=f"{2 * rounds} iterations"), **{**mode, **setup}),
        environment={"cpu": {"model": "A Processor"}, "torch": "2.13.0"},
        phases=phases,
        clean=tuple(strip_pass(sample, layers) for sample in instrumented),
        instrumented=tuple(instrumented),
        layers=tuple(layers),
        work=work,
        empty=EmptyCosts(*((INSIDE,) * rounds, (OUTSIDE,) * rounds) * (2 if training else 1)),
        timeline=draw_timeline(phases, layers),
        warmup=7,
    )


def draw_layer(
    layer: LayerCost,
    phase: str,
    work: LayerWork,
    rounds: int,
    noise: float,
    chance: random.Random,
    kernels: bool,
) -> LayerSamples:
    """A layer's samples, the instruments' cost in them."""
    time = max(work.macs / 20, work.bytes_moved / 10, 5_000) * (2 if phase == "backward" else 1)
    own = [time * chance.uniform(1, 1 + noise) for _ in range(rounds)]
    samples = tuple(round(value + layer.calls * INSIDE) for value in own)
    inside = tuple(round(value / 2) for value in own) if kernels else ()
    return LayerSamples(layer.path, phase, samples, layer.calls, 0, inside)


def add_up_work(trace: Trace) -> dict[str, LayerWork]:
    """Bytes and operations of each layer's forward pass, from those of the trace."""
    work = {}
    for layer in trace.layers:
        own = [op for op in trace.ops if op.path == layer.path and op.phase == "forward"]
        real = [op for op in own if op.bytes_read or op.bytes_written]
        moved = sum(op.bytes_read + op.bytes_written for op in real)
        counted = sum(1 for op in real if op.macs)
        work[layer.path] = LayerWork(layer.macs, moved, len(real), counted)
    return work


def add_up_pass(
    phases: Iterable[str], layers: Iterable[LayerSamples], index: int, factor: float
) -> Pass:
    """An instrumented pass of these layers, with what lies between them."""
    rest = {"forward": BETWEEN, "backward": BETWEEN, "loss": LOSS, "optimizer": OPTIMIZER}
    times = [
        round(
            rest[phase] * factor
            + sum(own.samples[index] + own.calls * OUTSIDE for own in layers if own.phase == phase)
        )
        for phase in phases
    ]
    return Pass(tuple(times), sum(times) + HOST)


def strip_pass(sample: Pass, layers: Iterable[LayerSamples], factor: float = 1.0) -> Pass:
    """The same pass with nothing attached, the cost taken off its phases by their length."""
    cost = sum(layer.calls for layer in layers) * (INSIDE + OUTSIDE)
    times = [round(time * (1 - cost / sample.time) * factor) for time in sample.phases]
    return Pass(tuple(times), sum(times) + HOST)


def draw_timeline(phases: Iterable[str], layers: Iterable[LayerSamples]) -> tuple[Span, ...]:
    """One call after the other, ten nanoseconds before each, in every phase."""
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


def make_plain_profile(
    times: dict[str, tuple[int, ...]],
    work: dict[str, LayerWork] | None = None,
    clean: tuple[int, ...] = (),
    between: int = 0,
    **setup: Any,
) -> Profile:
    """Layers of these names and times, convolutions without cost in the instruments.

    times: samples of each, nanoseconds. clean: whole passes; the instrumented ones where
    none are given. between: what lies between the layers in each.
    """
    work = work or {}
    layers = [
        LayerCost(
            *(name, "pointwise 1x1", "Conv2d", (1, 8, 4, 4), (1, 8, 4, 4), (8, 8, 1, 1)),
            Cost(params=8, macs=work[name].macs if name in work else 0),
            counted=True,
        )
        for name in times
    ]
    whole = [sum(column) + between for column in zip(*times.values(), strict=True)]
    return Profile(
        trace=Trace("plain", {"name": "plain"}, tuple(layers), ()),
        setup=Setup(**setup),
        environment={},
        phases=FORWARD,
        clean=tuple(Pass((time,), time) for time in clean or whole),
        instrumented=tuple(Pass((time,), time) for time in whole),
        layers=tuple(LayerSamples(name, "forward", own) for name, own in times.items()),
        work=work,
    )


def make_ceiling(device: str = "cpu", threads: int = 1) -> Ceiling:
    """40 GMAC/s, 20 GB/s whatever the size, 1 us to start any operation."""
    return Ceiling(
        device,
        peaks=(Peak("float32", 100, threads, 1, (25_000,)),),
        bandwidths=tuple(Bandwidth(name, 1_000_000, threads, 1, (50_000,)) for name in PATTERNS),
        overheads=tuple(Overhead(name, "float32", threads, 1, (1_000,)) for name in OPERATIONS),
    )
