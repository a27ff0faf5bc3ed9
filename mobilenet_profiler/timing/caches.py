"""The last cache of a device, before its memory. None where it does not tell."""

from __future__ import annotations

from pathlib import Path

import torch

from mobilenet_profiler.timing.processor import ROOT, parse_size, read_line

_CACHES = "sys/devices/system/cpu/cpu[0-9]*/cache/index[0-9]*"


def find_last_cache(device: str, root: Path = ROOT) -> int | None:
    """Bytes of the last cache before memory, all instances of it together."""
    if device.startswith("cuda"):
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    return add_caches(root) if device == "cpu" else None


def add_caches(root: Path = ROOT) -> int | None:
    """Bytes of the CPU's caches of the highest level: processors that share one have one."""
    found: dict[tuple[int, str], int] = {}
    for index in root.glob(_CACHES):
        level, sharers = read_line(index / "level"), read_line(index / "shared_cpu_list")
        size = parse_size(read_line(index / "size") or "")
        if level and sharers and size:
            found[int(level), sharers] = size
    last = max((level for level, _ in found), default=0)
    return sum(size for (level, _), size in found.items() if level == last) or None
