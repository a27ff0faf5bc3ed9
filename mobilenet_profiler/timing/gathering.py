"""From what was recorded to a Profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from mobilenet_profiler.cost import OpCost, Trace
from mobilenet_profiler.measured.profile import Contention, LayerSamples, LayerWork, Profile
from mobilenet_profiler.measured.statistics import estimate_median
from mobilenet_profiler.memory import MemoryUse, count_memory
from mobilenet_profiler.timing.environment import describe_environment
from mobilenet_profiler.timing.instruments import OwnTime
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
    date = datetime.now(UTC).isoformat(timespec="seconds")
    records = take_records(prepared.subject, request.device, replays=not request.trains)
    stop = request.rule.describe(len(clean), reached)
    return Profile(
        trace=prepared.trace,
        setup=replace(prepared.setup, stop=stop),
        environment={"date": date, **describe_environment(request.device)},
        phases=prepared.subject.phases,
        clean=clean,
        instrumented=tuple(recording.passes[INSTRUMENTED]),
        layers=join_kernels(gather_layers(recording, prepared.kinds), records.kernels),
        work=find_work(prepared.trace, prepared.subject.timed),
        empty=recording.empty,
        timeline=recording.timeline,
        warmup=recording.warmup,
        settled=recording.settled,
        contention=contention,
        eager=tuple(recording.passes.get(EAGER, ())),
        graph=records.graph,
        memory={**list_memory(prepared.memory), **records.memory},
        notes=(*prepared.notes, *_list_notes(prepared, recording), *records.notes),
    )


def list_memory(use: MemoryUse | None) -> dict[str, int]:
    """What was predicted, by name: the peak with its parts, and that of each phase."""
    if use is None:
        return {}
    return {**count_memory(use), **{f"{name}_peak": size for name, size in use.phases.items()}}


def _list_notes(prepared: Prepared, recording: Recording) -> Iterator[str]:
    yield from prepared.subject.list_notes()
    yield from list_call_notes(recording)
    yield from list_hidden_notes(prepared.trace, recording)


def gather_layers(recording: Recording, kinds: Mapping[str, str]) -> tuple[LayerSamples, ...]:
    """A record for each layer and phase, in the order in which they first ran.

    kinds: of layers that the trace has no row for, by path.
    """
    keys = dict.fromkeys(key for decoded in recording.decoded for key in decoded.layers)
    return tuple(_gather_layer(recording, *key, kinds.get(key[0], "")) for key in keys)


def _gather_layer(recording: Recording, path: str, phase: str, kind: str) -> LayerSamples:
    own = [decoded.layers.get((path, phase), OwnTime()) for decoded in recording.decoded]
    calls, inner = (sorted(counts)[len(own) // 2] for counts in _count_calls(own))
    return LayerSamples(path, phase, tuple(item.time for item in own), calls, inner, kind=kind)


def _count_calls(own: Sequence[OwnTime]) -> tuple[list[int], list[int]]:
    return [item.calls for item in own], [item.inner for item in own]


def list_call_notes(recording: Recording) -> Iterator[str]:
    """That layers ran more often in one pass than in another, where they did."""
    counts: dict[tuple[str, str], set[int]] = {}
    for decoded in recording.decoded:
        for key, own in decoded.layers.items():
            counts.setdefault(key, set()).add(own.calls)
    ran = len(recording.decoded)
    varying = [
        path
        for (path, phase), calls in counts.items()
        if len(calls) > 1 or sum((path, phase) in d.layers for d in recording.decoded) < ran
    ]
    if varying:
        more = f" and {len(varying) - 1} more" if len(varying) > 1 else ""
        yield (
            f"{varying[0] or 'the network itself'}{more} ran more often in some passes than in "
            "others: samples are of passes that do different work"
        )


def list_hidden_notes(trace: Trace, recording: Recording) -> Iterator[str]:
    """That layers with MACs were not called by themselves, where they were not."""
    called = {path for decoded in recording.decoded for path, _ in decoded.layers}
    hidden = [layer.path for layer in trace.counted if layer.path not in called]
    if hidden:
        more = f" and {len(hidden) - 1} more" if len(hidden) > 1 else ""
        yield (
            f"{hidden[0]}{more} ran inside other modules without a call of their own (fused "
            "attention, compiled modules, weights used elsewhere): their time is in those"
        )


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
