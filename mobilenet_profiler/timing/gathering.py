"""From what was recorded to a Profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mobilenet_profiler.cost import OpCost, Trace
from mobilenet_profiler.measured.profile import Contention, LayerSamples, LayerWork, Profile
from mobilenet_profiler.measured.statistics import estimate_median
from mobilenet_profiler.timing.environment import describe_environment
from mobilenet_profiler.timing.measuring import CLEAN, EAGER, INSTRUMENTED, Recording
from mobilenet_profiler.timing.preparing import Prepared
from mobilenet_profiler.timing.records import join_kernels, take_records
from mobilenet_profiler.timing.request import Request


def make_profile(
    prepared: Prepared, recording: Recording, request: Request, contention: Contention
) -> Profile:
    """The profile of a network, with what its device tells besides, which is asked for now."""
    clean = tuple(recording.passes[CLEAN])
    reached = estimate_median([sample.wall for sample in clean]).relative
    records = take_records(prepared.subject, request.device, replays=not request.trains)
    stop = request.rule.describe(len(clean), reached)
    return Profile(
        trace=prepared.trace,
        setup=replace(prepared.setup, stop=stop),
        environment=describe_environment(request.device),
        phases=prepared.subject.phases,
        clean=clean,
        instrumented=tuple(recording.passes[INSTRUMENTED]),
        layers=join_kernels(gather_layers(recording), records.kernels),
        work=find_work(prepared.trace, prepared.subject.timed),
        empty=recording.empty,
        timeline=recording.timeline,
        warmup=recording.warmup,
        settled=recording.settled,
        contention=contention,
        eager=tuple(recording.passes.get(EAGER, ())),
        graph=records.graph,
        memory=records.memory,
        notes=(*prepared.notes, *prepared.subject.list_notes(), *records.notes),
    )


def gather_layers(recording: Recording) -> tuple[LayerSamples, ...]:
    """A record for each layer and phase, in the order in which they first ran."""
    keys = dict.fromkeys(key for decoded in recording.decoded for key in decoded.layers)
    return tuple(_gather_layer(recording, *key) for key in keys)


def _gather_layer(recording: Recording, path: str, phase: str) -> LayerSamples:
    own = [decoded.layers.get((path, phase)) for decoded in recording.decoded]
    first = next(item for item in own if item is not None)
    samples = tuple(item.time if item else 0 for item in own)
    return LayerSamples(path, phase, samples, first.calls, first.inner)


def find_work(trace: Trace, timed: Sequence[str]) -> dict[str, LayerWork]:
    """What each timed layer does in a forward pass: the operations that run in it."""
    ran: dict[str, list[OpCost]] = {path: [] for path in timed}
    for operation in trace.ops:
        if operation.phase == "forward" and operation.path in ran:
            ran[operation.path].append(operation)
    return {path: _add_up_work(operations) for path, operations in ran.items()}


def _add_up_work(operations: Sequence[OpCost]) -> LayerWork:
    real = [op for op in operations if op.bytes_read or op.bytes_written]
    return LayerWork(
        macs=sum(op.macs for op in operations),
        bytes_moved=sum(op.bytes_read + op.bytes_written for op in real),
        operations=len(real),
        counted=sum(1 for op in operations if op.macs),
    )
