"""How much a device holds: its last cache, and memory that is free. None where it does not tell."""

from __future__ import annotations

import re
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


def find_free_memory(device: str, root: Path = ROOT) -> int | None:
    """Bytes that can be taken on the device; on a CPU no more than the control group allows."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    known = [size for size in (_find_available(root), _find_allowed(root)) if size is not None]
    return min(known, default=None)


def _find_available(root: Path) -> int | None:
    told = read_line(root / "proc/meminfo") or ""
    found = re.search(r"^MemAvailable:\s*(\d+) kB", told, re.MULTILINE)
    return int(found[1]) << 10 if found else None


def _find_allowed(root: Path) -> int | None:
    group = root / "sys/fs/cgroup"
    limit = read_line(group / "memory.max") or ""  # 'max' where there is none
    used = read_line(group / "memory.current") or "0"
    return max(int(limit) - int(used), 0) if limit.isdigit() else None
