"""What the processor is and how much of it this process may use, as the system tells.

Every function takes the folder that stands for `/`, so that any machine's files can be read.
What a system does not tell is None.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
_PATIENCE = 5.0  # seconds for a small program of the system


def describe_processor(root: Path = ROOT) -> dict[str, Any]:
    """Model, cores, caches in bytes and clock policy of the processors this process may use."""
    cpus = find_usable_cpus()
    first = root / _CPUS / f"cpu{min(cpus, default=0)}"
    quota = find_quota(root)
    return {
        "model": find_model(root),
        "virtual": find_virtual(root),
        "logical_cores": os.cpu_count(),
        "usable_cores": len(cpus) or os.cpu_count(),
        "usable_physical_cores": count_physical(cpus, root),
        "quota_cores": None if quota is None else round(quota, 2),
        "caches": find_caches(first),
        "governor": read_line(first / "cpufreq/scaling_governor"),
        "max_frequency_khz": _to_int(read_line(first / "cpufreq/scaling_max_freq")),
        "turbo": find_turbo(root),
    }


def count_usable_cores(root: Path = ROOT) -> int:
    """Cores that this process can keep busy: those it may run on, no more than its quota."""
    cores = len(find_usable_cpus()) or os.cpu_count() or 1
    quota = find_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def find_usable_cpus() -> frozenset[int]:
    """Numbers of the processors that the scheduler may give this process; empty if not told."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset()


def find_model(root: Path = ROOT) -> str | None:
    """The processor's name: of /proc/cpuinfo, of macOS' sysctl, or what Python knows."""
    known = _read_cpuinfo(root)
    if "model name" in known:
        return " ".join(known["model name"].split())
    if "CPU part" in known:  # Arm: the kernel names it by numbers alone
        return f"implementer {known.get('CPU implementer', '?')} part {known['CPU part']}"
    return ask_sysctl("machdep.cpu.brand_string") or platform.processor() or None


def find_virtual(root: Path = ROOT) -> bool | None:
    """Whether a hypervisor stands between; None where the processor does not say."""
    flags = _read_cpuinfo(root).get("flags")
    return None if flags is None else "hypervisor" in flags.split()


def count_physical(cpus: frozenset[int], root: Path = ROOT) -> int | None:
    """Cores of silicon among these processors: two threads of one core count once."""
    places = set()
    for cpu in cpus:
        topology = root / _CPUS / f"cpu{cpu}/topology"
        core = read_line(topology / "core_id")
        if core is not None:
            places.add((read_line(topology / "physical_package_id"), core))
    return len(places) or _to_int(ask_sysctl("hw.physicalcpu"))


def find_caches(cpu: Path) -> dict[str, int]:
    """Bytes of each cache that one processor reaches: {'L1d': 49152, 'L2': …}."""
    caches = {}
    for index in sorted(cpu.glob("cache/index[0-9]*")):
        level, kind = read_line(index / "level"), read_line(index / "type")
        size = parse_size(read_line(index / "size") or "")
        if level and kind and size:
            letter = {"Data": "d", "Instruction": "i"}.get(kind, "")
            caches[f"L{level}{letter}"] = size
    return dict(sorted(caches.items()))


def find_turbo(root: Path = ROOT) -> bool | None:
    """Whether the clock may rise above its nominal frequency."""
    refused = read_line(root / _CPUS / "intel_pstate/no_turbo")
    if refused is not None:
        return refused == "0"
    boost = read_line(root / _CPUS / "cpufreq/boost")
    return None if boost is None else boost == "1"


def find_quota(root: Path = ROOT) -> float | None:
    """Processors' worth of time that the control group may use; None where it has no limit.

    Both versions of control groups; the tightest limit from its own group up.
    """
    limits = [limit for group in _walk_groups(root) if (limit := _read_limit(group)) is not None]
    return min(limits, default=None)


def _walk_groups(root: Path) -> Iterator[Path]:
    """The folders of this process' control groups and those above them."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        own = top / place.lstrip("/")
        yield from (group for group in (own, *own.parents) if group.is_relative_to(top))


def _read_limit(group: Path) -> float | None:
    second = (read_line(group / "cpu.max") or "").split()
    if len(second) == 2 and second[0].isdigit():
        return int(second[0]) / int(second[1])
    quota = _to_int(read_line(group / "cpu.cfs_quota_us"))
    period = _to_int(read_line(group / "cpu.cfs_period_us"))
    return quota / period if quota and quota > 0 and period else None


def parse_size(text: str) -> int | None:
    """Bytes of '48K', '2M' or '512'."""
    found = re.fullmatch(r"(\d+)([KMG]?)B?", text.strip())
    if found is None:
        return None
    return int(found[1]) << 10 * " KMG".index(found[2] or " ")


def count_memory() -> int | None:
    """Bytes of the machine's memory."""
    if not hasattr(os, "sysconf"):
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def ask_sysctl(name: str) -> str | None:
    """What macOS says of itself under this name; None elsewhere."""
    if platform.system() != "Darwin":
        return None
    try:
        asked = subprocess.run(
            ["sysctl", "-n", name], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None


def read_line(path: Path) -> str | None:
    """The text of a small file without the space around it; None where it cannot be read."""
    return _read(path).strip() or None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read_cpuinfo(root: Path) -> dict[str, str]:
    """The first processor's entries in /proc/cpuinfo."""
    first = _read(root / "proc/cpuinfo").strip().partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _to_int(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d+", text) else None
