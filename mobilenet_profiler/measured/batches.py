"""Profiles of one network at several batch sizes, side by side. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

from mobilenet_profiler.measured.columns import Sheet, make_sheet, show_rate, show_time_share
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.rows import add_up_times, summarise_times
from mobilenet_profiler.measured.statistics import Estimate, find_median
from mobilenet_profiler.measured.summary import show_whole_rate
from mobilenet_profiler.units import choose_time_unit, format_bytes, format_supported

Lines = list[tuple[str, ...]]


def list_batches(profiles: Sequence[Profile]) -> Lines:
    """A heading and a line a batch: latency, rate, time of an image, memory where it is known."""
    totals = [add_up_times(profile) for profile in profiles]
    unit = choose_time_unit(find_median([total.latency.value for total in totals]))
    known = any(_find_peak(profile) is not None for profile in profiles)
    lines: Lines = [
        (
            *("batch", f"latency {unit.sign}", "±", "p90", "images/s", "±", "ms/image", "GMAC/s"),
            *(["peak memory"] if known else []),
        )
    ]
    for profile, total in zip(profiles, totals, strict=True):
        own, batch = total.latency.scale(1 / unit.nanoseconds), profile.setup.batch
        each = total.latency.scale(1e-6 / batch) if batch else None
        peak = _find_peak(profile)
        lines.append(
            (
                str(batch or "-"),
                *_show(own),
                format_supported(total.tail / unit.nanoseconds, own.half_width),
                *_show(total.images),
                _show(each)[0],
                show_whole_rate(profile, total.latency),
                *([format_bytes(peak) if peak is not None else "-"] if known else []),
            )
        )
    return lines


def _show(estimate: Estimate | None) -> tuple[str, str]:
    """A value and half its interval."""
    if estimate is None:
        return "-", "-"
    half = estimate.half_width
    return format_supported(estimate.value, half), format_supported(half, half)


def _find_peak(profile: Profile) -> int | None:
    return profile.memory.get("measured_peak", profile.memory.get("predicted_peak"))


def list_kinds(profiles: Sequence[Profile]) -> Lines:
    """By kind of layer: its part of the time at each batch, and how fast it is there."""
    sheets = [make_sheet(profile, summarise_times(profile)) for profile in profiles]
    batches = [str(sheet.profile.setup.batch or "-") for sheet in sheets]
    names = dict.fromkeys(row.row.name for sheet in sheets for row in sheet.lines if row.time)
    lines: Lines = [
        (
            "by kind",
            *(f"time %\nat {batch}" for batch in batches),
            *(f"GMAC/s\nat {batch}" for batch in batches),
        )
    ]
    for name in names:
        cells = [_show_kind(sheet, name) for sheet in sheets]
        lines.append((name, *(share for share, _ in cells), *(rate for _, rate in cells)))
    rates = [show_whole_rate(profile, add_up_times(profile).latency) for profile in profiles]
    return [*lines, ("total", *["100"] * len(sheets), *rates)]


def _show_kind(sheet: Sheet, name: str) -> tuple[str, str]:
    row = next((row for row in sheet.lines if row.row.name == name), None)
    return (show_time_share(row, sheet), show_rate(row)) if row else ("-", "-")


def describe_gain(profiles: Sequence[Profile]) -> str:
    """Which batch is the fastest by the image, against the smallest; '' where none is known."""
    rates = {
        profile.setup.batch: total.images.value
        for profile in profiles
        if (total := add_up_times(profile)).images and profile.setup.batch
    }
    if len(rates) < 2:
        return ""
    best, least = max(rates, key=lambda batch: rates[batch]), min(rates)
    if best == least:
        return f"No batch has more images a second than batch {least}."
    times = format_supported(rates[best] / rates[least], 0.01)
    return f"Batch {best} has the most images a second: {times} times those of batch {least}."
