"""How much memory a device has free."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_UNLIMITED = 2**60  # version 1 has no word for it, but a number near 2**63


def measure_free(device: torch.device | str) -> int | None:
    """Bytes that can still be allocated on a device; None where it does not say.

    On a CPU the least of what the system has available and what its control groups
    still allow; on a GPU what its driver has free and PyTorch's allocator holds unused.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return _measure_cuda(torch.device(device))
    if kind == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return measure_free_cpu() if kind == "cpu" else None


def measure_free_cpu(root: Path = Path("/")) -> int | None:
    """The same of main memory. root: where the system's files are, for tests."""
    known = [_read_available(root), *_list_allowances(root)]
    free = [value for value in known if value is not None]
    return min(free) if free else _measure_physical()


def _measure_cuda(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + unused


def _read_available(root: Path) -> int | None:
    """MemAvailable of Linux: free memory, and caches that can be given up."""
    for line in _read(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _list_allowances(root: Path) -> Iterator[int]:
    """What the control groups around this process still allow, of both versions."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _list_limits(root / "sys/fs/cgroup", path, _V2)
        elif "memory" in controllers.split(","):
            yield from _list_limits(root / "sys/fs/cgroup/memory", path, _V1)


def _list_limits(mount: Path, path: str, files: tuple[str, str, str]) -> Iterator[int]:
    """Of a group and all that hold it: limit less use, caches that can be given up left out.

    In a container the path may be the host's, and the group's files lie at the mount.
    """
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        group = mount.joinpath(*parts[:length])
        limit, use = (_read(group / name).strip() for name in files[:2])
        if limit.isdigit() and use.isdigit() and int(limit) < _UNLIMITED:
            yield max(0, int(limit) - int(use) + _read_cache(group, files[2]))


def _read_cache(group: Path, name: str) -> int:
    for line in _read(group / "memory.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _measure_physical() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
