"""Caches and free memory, read from the files of any machine."""

from __future__ import annotations

from pathlib import Path

from mobilenet_profiler.timing.capacity import add_caches, find_free_memory, find_last_cache


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def describe_cache(cpu: int, index: int, level: int, size: str, sharers: str) -> dict[str, str]:
    place = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    return {
        f"{place}/level": f"{level}",
        f"{place}/size": size,
        f"{place}/shared_cpu_list": sharers,
    }


def test_the_last_caches_are_added_up_each_once(tmp_path: Path) -> None:
    # Four processors, two share a third-level cache of 16 MiB, two another.
    files: dict[str, str] = {}
    for cpu, sharers in enumerate(("0-1", "0-1", "2-3", "2-3")):
        files |= describe_cache(cpu, 2, 2, "1024K", str(cpu))
        files |= describe_cache(cpu, 3, 3, "16M", sharers)
    assert add_caches(write(tmp_path, files)) == 32 << 20
    assert find_last_cache("cpu", tmp_path) == 32 << 20
    assert find_last_cache("mps", tmp_path) is None


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert add_caches(tmp_path) is None
    assert find_free_memory("cpu", tmp_path) is None


def test_free_memory_is_the_less_of_what_is_there_and_what_is_allowed(tmp_path: Path) -> None:
    write(tmp_path, {"proc/meminfo": "MemTotal: 9999 kB\nMemAvailable:   4096 kB"})
    assert find_free_memory("cpu", tmp_path) == 4 << 20
    write(tmp_path, {"sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/memory.current": "1"})
    assert find_free_memory("cpu", tmp_path) == 4 << 20
    write(tmp_path, {"sys/fs/cgroup/memory.max": "3000", "sys/fs/cgroup/memory.current": "1000"})
    assert find_free_memory("cpu", tmp_path) == 2_000
    write(tmp_path, {"sys/fs/cgroup/memory.current": "9000"})
    assert find_free_memory("cpu", tmp_path) == 0
