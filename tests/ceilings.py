"""A ceiling whose every rate can be read off: one sample, one call, round numbers."""

from __future__ import annotations

from collections.abc import Sequence

from mobilenet_profiler.measured.roofline import (
    OPERATIONS,
    PATTERNS,
    Bandwidth,
    Ceiling,
    Overhead,
    Peak,
)

ENVIRONMENT = {"torch": "2.13.0", "cpu": {"model": "Some Processor"}}
SETS = {96 << 10: 40, 1536 << 10: 80, 6 << 20: 20, 384 << 20: 10}  # bytes: GB/s of one thread
OVERHEADS = {"convolution": 4_000, "depthwise": 40_000, "linear": 2_000, "elementwise": 1_000}


def make_peak(dtype: str = "float32", gigamacs: float = 100, threads: int = 1) -> Peak:
    """Products of 1,000 rows, so 10⁹ MACs each."""
    return Peak(dtype, 1000, threads, 1, (round(1e9 / gigamacs),))


def make_bandwidth(pattern: str, size: int, gigabytes: float, threads: int = 1) -> Bandwidth:
    return Bandwidth(pattern, size, threads, 1000, (round(1000 * size / gigabytes),))


def make_ceiling(threads: Sequence[int] = (1, 2), device: str = "cpu") -> Ceiling:
    """Float32: 100 GMAC/s a thread, bfloat16: 400; bandwidths as in SETS, read a quarter more."""
    rates = {"float32": 100, "bfloat16": 400}
    return Ceiling(
        device,
        ENVIRONMENT,
        tuple(
            make_peak(dtype, rate * max(count, 1), count)
            for count in threads
            for dtype, rate in rates.items()
        ),
        tuple(
            make_bandwidth(
                pattern, size, rate * max(count, 1) * (1.25 if pattern == "read" else 1), count
            )
            for count in threads
            for pattern in PATTERNS
            for size, rate in SETS.items()
        ),
        tuple(
            Overhead(operation, "float32", count, 1, (OVERHEADS[operation],))
            for count in threads
            for operation in OPERATIONS
        ),
        "2026-11-26T10:00:00+00:00",
    )
