"""The totals of a profile in words: each figure with what it is made of. Pure text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mobilenet_profiler.measured.correction import waits_for_host
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.rows import Totals, add_samples, add_up_times
from mobilenet_profiler.measured.statistics import (
    Estimate,
    estimate_median,
    estimate_ratio,
)
from mobilenet_profiler.measured.training import EPOCH, estimate_epoch
from mobilenet_profiler.units import (
    TimeUnit,
    choose_time_unit,
    describe_ratio,
    format_bytes,
    format_count,
    format_digits,
    format_duration,
    format_estimate,
    format_share,
    format_supported,
)

_PARTS = ("weights", "inputs", "optimizer", "gradients_at_peak", "activations_at_peak")


class Line(NamedTuple):
    """A figure of the totals: its name, its value with its unit, what it is made of."""

    name: str
    value: str
    about: str = ""


def list_totals(profile: Profile) -> list[Line]:
    """Latency and throughput, what they are made of, what the instruments cost, memory."""
    totals = add_up_times(profile)
    return [
        _describe_latency(profile, totals),
        *_describe_rates(profile, totals),
        *_describe_floors(profile, totals),
        *_describe_parts(profile, totals),
        *_describe_memory(profile),
    ]


def _describe_latency(profile: Profile, totals: Totals) -> Line:
    name = "training step" if profile.setup.mode == "train" else "latency"
    count, tail = totals.latency.count, format_like(totals.tail, totals.latency)
    passes = "pass" if count == 1 else "passes"
    about = f"median of {count} clean {passes}; nine of ten below {tail} (p90)"
    return Line(name, format_estimate(totals.latency), about)


def format_like(nanoseconds: float, estimate: Estimate) -> str:
    """A time without interval, in the unit and to the place of an estimate: `23.0 ms`."""
    unit = choose_time_unit(estimate.value)
    half = estimate.half_width / unit.nanoseconds
    return f"{format_supported(nanoseconds / unit.nanoseconds, half)} {unit.sign}"


def format_rate(rate: Estimate, unit: str) -> str:
    """How many a second: `45.2 ± 0.6 images/s`; four digits where no spread was seen."""
    half = rate.half_width
    if not half:
        return f"{format_supported(rate.value, 0.0, digits=4)} {unit}"
    return f"{format_supported(rate.value, half)} ± {format_supported(half, half)} {unit}"


def show_whole_rate(profile: Profile, latency: Estimate) -> str:
    """GMAC/s of a whole pass, forward and backward; a dash where nothing multiplies."""
    total = profile.trace.total
    rate = (total.macs + total.backward_macs) / latency.value if latency.value else 0.0
    return format_supported(rate, rate * latency.relative, digits=3) if rate else "-"


def count_per_second(each: Estimate, number: float = 1) -> Estimate:
    """So many in each time of nanoseconds, a second."""
    low, high = (number * 1e9 / bound for bound in (each.high, each.low))
    return Estimate(number * 1e9 / each.value, low, high, each.count, each.confidence)


def _describe_rates(profile: Profile, totals: Totals) -> Iterator[Line]:
    if not totals.latency.low:
        return
    step, rate = totals.latency, show_whole_rate(profile, totals.latency)
    about = "" if rate == "-" else f"{rate} GMAC/s"
    trains = profile.setup.mode == "train"
    if trains:
        yield Line("steps", format_rate(count_per_second(step), "steps/s"), about)
    if totals.images is not None:
        name = "images" if trains else "throughput"
        yield Line(name, format_rate(totals.images, "images/s"), "" if trains else about)
    if trains and profile.setup.batch:
        epoch = estimate_epoch(step, profile.setup.batch)
        yield Line(
            "an epoch",
            f"about {format_duration(epoch.value)}",
            f"{format_count(EPOCH)} images at this rate: an estimate, no data is loaded",
        )


def _describe_floors(profile: Profile, totals: Totals) -> Iterator[Line]:
    """What the same pass would take otherwise: not compiled, or without launches."""
    if profile.eager:
        eager = [sample.wall for sample in profile.eager]
        ratio = estimate_ratio(eager, [sample.wall for sample in profile.clean])
        yield Line(
            "without compile",
            format_estimate(estimate_median(eager)),
            f"compiled: {describe_ratio(ratio)}; the layers are of these" if ratio else "",
        )
    if profile.graph:
        graph = estimate_median(profile.graph)
        times = format_supported(totals.latency.value / graph.value, 0.1)
        yield Line(
            "CUDA graph",
            format_estimate(graph),
            f"the pass replayed without launches: the floor; the latency is {times} times this",
        )


def _describe_parts(profile: Profile, totals: Totals) -> Iterator[Line]:
    layers = len({layer.path for layer in profile.layers})
    noun = "layer" if layers == 1 else "layers"
    yield Line("sum of layers", format_estimate(totals.layers), f"own times of {layers} {noun}")
    if profile.setup.mode == "train":
        yield Line("outside layers", format_estimate(totals.between), "loss, optimizer, between")
    else:
        yield Line("between layers", format_estimate(totals.between))
    yield from _describe_kernels(profile, totals)
    yield _describe_closing(profile, totals)
    calls = sum(layer.calls for layer in profile.layers)
    each = totals.instruments.value / calls if calls else 0.0
    yield Line(
        "instruments",
        format_cost(totals.instruments.value),
        f"taken off: {format_count(calls)} calls at {format_cost(each)}",
    )
    until = f"then measured for {profile.setup.stop}" if profile.setup.stop else ""
    yield Line("warm-up", f"{profile.warmup} passes", until)


def _describe_kernels(profile: Profile, totals: Totals) -> Iterator[Line]:
    known = [layer.kernels for layer in profile.layers if layer.kernels]
    if not known:
        return
    kernels = estimate_median(add_samples(known))
    share = format_supported(100 * kernels.value / totals.layers.value, 1)
    waiting = sum(waits_for_host(profile, layer) for layer in profile.layers)
    verb = "waits for its launches" if waiting == 1 else "wait for their launches"
    yield Line(
        "kernels",
        format_estimate(kernels),
        f"{share}% of the layers' time; {waiting} of {len(known)} {verb}",
    )


def _describe_closing(profile: Profile, totals: Totals) -> Line:
    closing = totals.closing.scale(100)
    half = closing.half_width
    value = format_supported(closing.value, half, most=2)
    sign = "" if value.startswith("-") else "+"
    together = format_like(totals.together.value, totals.clean)
    clean = format_like(totals.clean.value, totals.clean)
    parts = "layers + the rest" if profile.setup.mode == "train" else "layers + between"
    held = "eager" if profile.eager else "clean"
    return Line(
        "closing error",
        f"{sign}{value} ± {format_supported(half, half, most=2)} %",
        f"{parts}: {together}, the {held} pass: {clean}",
    )


def format_cost(nanoseconds: float) -> str:
    """A time that has no interval, two digits: `0.11 ms`, `1.3 µs`."""
    unit = choose_time_unit(nanoseconds)
    return f"{format_digits(nanoseconds / unit.nanoseconds, 2)} {unit.sign}"


def _describe_memory(profile: Profile) -> Iterator[Line]:
    """The peak, measured where it was, beside the prediction and what holds it."""
    memory = profile.memory
    predicted, measured = memory.get("predicted_peak"), memory.get("measured_peak")
    peak = predicted if measured is None else measured
    if peak is None:
        return
    parts = [
        f"{name.removesuffix('_at_peak')} {format_bytes(memory[name])}"
        for name in _PARTS
        if memory.get(name)
    ]
    if measured is not None and predicted:
        off = 100 * (measured - predicted) / predicted
        about = f"measured, {off:+.1f}% of the {format_bytes(predicted)} predicted"
    else:
        about = "predicted from the trace" if measured is None else "measured"
    yield Line("peak memory", format_bytes(peak), ": ".join([about, *_join(parts)]))


def _join(parts: list[str]) -> list[str]:
    return [", ".join(parts)] if parts else []


def list_phases(profile: Profile) -> list[tuple[str, ...]]:
    """A heading, a line a phase and the total, where there are several phases."""
    if len(profile.phases) < 2:
        return []
    phases, cost = add_up_times(profile).phases, profile.trace.total
    whole = sum(estimate.value for estimate in phases.values())
    unit = choose_time_unit(max(estimate.value for estimate in phases.values()))
    macs = {"forward": cost.macs, "backward": cost.backward_macs}
    lines = [
        _describe_phase(name, estimate, macs.get(name, 0), sum(macs.values()), whole, unit)
        for name, estimate in phases.items()
    ]
    spread = estimate_median([sample.time for sample in profile.clean]).half_width
    summed = format_supported(whole / unit.nanoseconds, spread / unit.nanoseconds)
    total = format_count(sum(macs.values()))
    table = [
        ("phase", "MACs", "MACs %", "time %", f"time {unit.sign}", "±", "GMAC/s"),
        *lines,
        ("total", total, format_share(1, 1), "100", summed, "", ""),
    ]
    memory = _list_phase_peaks(profile)
    return [(*line, peak) for line, peak in zip(table, memory, strict=True)] if memory else table


def _list_phase_peaks(profile: Profile) -> list[str]:
    """The most memory that is held in each phase and in all, predicted; none where it is not."""
    peaks = [profile.memory.get(f"{phase}_peak") for phase in profile.phases]
    known = [peak for peak in peaks if peak is not None]
    if not known:
        return []
    cells = ["-" if peak is None else format_bytes(peak) for peak in peaks]
    return ["peak memory", *cells, format_bytes(max(known))]


def _describe_phase(
    name: str, estimate: Estimate, macs: int, total: int, whole: float, unit: TimeUnit
) -> tuple[str, ...]:
    own, share = estimate.scale(1 / unit.nanoseconds), estimate.scale(100 / whole)
    rate = macs / estimate.value if estimate.value else 0.0
    return (
        name,
        format_count(macs),
        format_share(macs, total),
        format_supported(share.value, share.half_width, most=1),
        format_supported(own.value, own.half_width),
        format_supported(own.half_width, own.half_width),
        format_supported(rate, rate * estimate.relative, digits=3) if macs else "-",
    )


def describe_machine(profile: Profile) -> str:
    """Where it was measured, in a line: processor or GPU, and the version of torch."""
    known = profile.environment
    gpu, cpu = known.get("gpu") or {}, known.get("cpu") or {}
    names = [gpu.get("name") if profile.setup.device != "cpu" else cpu.get("model")]
    names += [f"torch {known['torch']}" if known.get("torch") else None]
    return ", ".join(name for name in names if name)
