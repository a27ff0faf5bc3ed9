"""What differs between two runs besides their times: setup, machine, network. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from mobilenet_profiler.comparing import list_differences
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.units import format_count

# What two runs on one machine never share, wherever it stands in the environment.
_MOMENTARY = ("date", "load", "load_average", "state", "time", "timestamp", "uptime")
_LONGEST = 60


def list_run_differences(before: Profile, after: Profile) -> tuple[str, ...]:
    """A line for each: `setup differs: threads 1 → 2`; setup, environment, then the network.

    When it was measured, how busy and how hot the machine was then, and what ended the
    measurement are no differences.
    """
    own, other = ({**asdict(item.setup), "stop": ""} for item in (before, after))
    here, there = (
        {key: value for key, value in item.environment.items() if key not in own}
        for item in (before, after)
    )
    return (
        *(f"setup differs: {line}" for line in _compare(own, other)),
        *(f"environment differs: {line}" for line in _compare(here, there)),
        *(f"model differs: {line}" for line in _compare_traces(before.trace, after.trace)),
    )


def _compare(old: Mapping[str, Any], new: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """`torch 2.13.0 → 2.12.1`; a room that only one has is one line."""
    for key in dict.fromkeys((*old, *new)):
        one, other = old.get(key), new.get(key)
        if one == other or key in _MOMENTARY:
            continue
        path = f"{name} {key}".strip()
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _compare(one, other, path)
        else:
            yield f"{path} {_show(one)} → {_show(other)}"


def _show(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name", "…"))
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "none" if value is None else " ".join(str(value).split()) or "none"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _compare_traces(old: Trace, new: Trace) -> Iterator[str]:
    """What the specs say; where they say the same, what was traced."""
    lines = [line.replace(":", "", 1) for line in list_differences(old.spec, new.spec)]
    if lines or old.layers == new.layers:
        yield from lines
        return
    yield from (
        f"{name} {format_count(one)} → {format_count(other)}"
        for name, one, other in (
            ("MACs", old.total.macs, new.total.macs),
            ("params", old.total.params, new.total.params),
        )
        if one != other
    )
    if (old.total.macs, old.total.params) == (new.total.macs, new.total.params):
        yield "its layers, not its MACs and params"
