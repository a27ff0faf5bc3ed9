"""Profiles of several networks, run alike, side by side. Pure text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mobilenet_profiler.comparing import name_models
from mobilenet_profiler.measured.columns import Sheet, make_sheet
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.rows import BETWEEN, TimedRow, add_up_times, summarise_times
from mobilenet_profiler.measured.statistics import Estimate, estimate_median
from mobilenet_profiler.measured.summary import show_whole_rate
from mobilenet_profiler.units import (
    format_rounded,
    format_share,
    format_supported,
)

Lines = list[tuple[str, ...]]

FAMILIES = ("pointwise", "depthwise", "full", "fully connected")
_MILLISECOND = 1e6


def list_latencies(profiles: Sequence[Profile]) -> Lines:
    """A line a network: what it costs, how long it takes, how well its parts close."""
    lines: Lines = [
        ("network", "MACs", "params", "latency ms", "±", "p90", "GMAC/s", "closing error %", "±")
    ]
    for name, profile in zip(_name(profiles), profiles, strict=True):
        total, cost = add_up_times(profile), profile.trace.total
        own, closing = total.latency.scale(1 / _MILLISECOND), total.closing.scale(100)
        lines.append(
            (
                *(name, format_rounded(cost.macs), format_rounded(cost.params)),
                *_show(own),
                format_supported(total.tail / _MILLISECOND, own.half_width),
                show_whole_rate(profile, total.latency),
                *_show(closing, signed=True),
            )
        )
    return lines


def list_shares(profiles: Sequence[Profile]) -> Lines:
    """Each family of layers: its share of the MACs beside its share of the time, per cent.

    The paper's Table 2 has the first of these for MobileNet V1: 94.86% in 1x1 convolutions.
    """
    headings = [f"{family} {what} %" for family in FAMILIES for what in ("MACs", "time")]
    lines: Lines = [("network", *headings, "other layers time %", "between time %")]
    for name, profile in zip(_name(profiles), profiles, strict=True):
        sheet = make_sheet(profile, summarise_times(profile))
        cells = [cell for family in FAMILIES for cell in _show_family(sheet, family)]
        rest = [row for row in sheet.rows if _find_family(row) is None]
        between = [row for row in sheet.rest if row.row.name == BETWEEN]
        lines.append((name, *cells, _show_time(sheet, rest), _show_time(sheet, between)))
    return lines


def list_grid(profiles: Sequence[Profile]) -> Lines:
    """Latency of one network over alpha, downwards, and resolution, across; milliseconds."""
    places = {_find_place(profile): profile for profile in profiles}
    alphas = sorted({alpha for alpha, _ in places}, reverse=True)
    sizes = sorted({size for _, size in places}, reverse=True)
    lines: Lines = [("alpha", *map(str, sizes))]
    for alpha in alphas:
        cells = [_show_latency(places.get((alpha, size))) for size in sizes]
        lines.append((f"{alpha:g}", *cells))
    return lines


def _find_place(profile: Profile) -> tuple[float, int]:
    """The width multiplier and the pixels of a profile's network."""
    spec = profile.trace.spec
    return float(spec["options"].get("alpha", 1.0)), int(spec["inputs"][0][-1])


def _show_latency(profile: Profile | None) -> str:
    if profile is None:
        return "-"
    value, half = _show(profile.latency.scale(1 / _MILLISECOND))
    return f"{value} ± {half}"


def _name(profiles: Sequence[Profile]) -> list[str]:
    return list(name_models([profile.trace for profile in profiles]))


def _show(estimate: Estimate, signed: bool = False) -> tuple[str, str]:
    half = estimate.half_width
    text = format_supported(estimate.value, half, digits=None if half else 4)
    spread = format_supported(half, half) if half else "0"
    return (f"+{text}" if signed and estimate.value > 0 else text), spread


def _find_family(row: TimedRow) -> str | None:
    """The family of a kind of layer: 'pointwise' of 'pointwise 1x1'; None of the others."""
    kind = row.row.kind
    if kind in FAMILIES:
        return kind
    return next((name for name in FAMILIES if kind.startswith(f"{name} ")), None)


def _show_family(sheet: Sheet, family: str) -> tuple[str, str]:
    rows = [row for row in sheet.rows if _find_family(row) == family]
    if not rows:
        return "-", "-"
    macs = sum(row.row.cost.macs for row in rows)
    return format_share(macs, sheet.cost.macs), _show_time(sheet, rows)


def _show_time(sheet: Sheet, rows: Iterable[TimedRow]) -> str:
    """Their part of each pass, the median, no finer than its interval supports."""
    own = [row.samples for row in rows if row.samples]
    added = map(sum, zip(*own, strict=True))
    parts = [100 * part / whole for part, whole in zip(added, sheet.passes, strict=False) if whole]
    if not parts:
        return "0"
    estimate = estimate_median(parts)
    return format_supported(estimate.value, estimate.half_width, most=1)
