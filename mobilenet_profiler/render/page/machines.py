"""Where something was measured, for the page: an environment as names and values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mobilenet_profiler.units import format_size

_NAMED = {
    "mobilenet_profiler": "mobilenet-profiler",
    "cpu": "CPU",
    "gpu": "GPU",
    "mkl": "MKL",
    "onednn": "oneDNN",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
    "openmp": "OpenMP",
    "cpu_capability": "CPU capability",
    "torch": "PyTorch",
    "python": "Python",
}
_BYTES = ("memory_bytes", "total_memory_bytes")


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of what is known: `CPU · model`, `Intel …`."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Machine:
    """One environment. name: what was measured there. facts: what is known of it."""

    name: str
    facts: tuple[Fact, ...]


def make_machine(name: str, environment: Mapping[str, Any]) -> Machine:
    """All that is known of an environment; what is not known is left out."""
    return Machine(name, tuple(_list_facts(environment)))


def _list_facts(known: Mapping[str, Any], under: str = "") -> Iterator[Fact]:
    for key, value in known.items():
        name = " · ".join(filter(None, (under, _name(key))))
        if isinstance(value, Mapping):
            yield from _list_facts(value, name)
        elif value is not None and value != []:
            yield Fact(name, _show(key, value, under))


def _name(key: str) -> str:
    return _NAMED.get(key, key.removesuffix("_bytes").replace("_", " "))


def _show(key: str, value: Any, under: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and (key in _BYTES or under.endswith("caches")):
        return format_size(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
