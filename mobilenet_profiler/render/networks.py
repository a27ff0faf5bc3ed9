"""Profiles of several networks side by side, in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from mobilenet_profiler.measured.networks import list_grid, list_latencies, list_shares
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.render.compare import Lines, write_markdown


def render_latencies(profiles: Sequence[Profile]) -> str:
    """What each costs, how long it takes, how well its parts close."""
    return _write(list_latencies(profiles))


def render_shares(profiles: Sequence[Profile]) -> str:
    """Shares of MACs beside shares of time, by family of layers."""
    return _write(list_shares(profiles))


def render_grid(profiles: Sequence[Profile]) -> str:
    """Latency over alpha and resolution, milliseconds."""
    return _write(list_grid(profiles))


def _write(lines: Lines) -> str:
    return "".join(write_markdown(lines, (lines[0][0],)))
