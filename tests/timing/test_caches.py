"""Caches, read from the files of any machine."""

from __future__ import annotations

from pathlib import Path

from mobilenet_profiler.timing.caches import add_caches, find_last_cache


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
