"""What the system's files say of the processor, read from files written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobilenet_profiler.timing import processor
from mobilenet_profiler.timing.processor import (
    count_memory,
    count_physical,
    count_usable_cores,
    describe_processor,
    find_caches,
    find_model,
    find_quota,
    find_turbo,
    find_virtual,
    parse_size,
)

CPUS = "sys/devices/system/cpu"


def put(root: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")


def test_the_model_is_the_name_that_the_kernel_prints(tmp_path: Path) -> None:
    text = "processor\t: 0\nmodel name\t: Acme(R)  Fast CPU @ 2.10GHz\nflags\t\t: fpu sse\n\n"
    put(tmp_path, {"proc/cpuinfo": text + text.replace("Fast", "Slow")})
    assert find_model(tmp_path) == "Acme(R) Fast CPU @ 2.10GHz"
    assert find_virtual(tmp_path) is False


def test_an_arm_processor_is_told_by_its_numbers(tmp_path: Path) -> None:
    text = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"
    put(tmp_path, {"proc/cpuinfo": text})
    assert find_model(tmp_path) == "implementer 0x41 part 0xd0c"
    assert find_virtual(tmp_path) is None


def test_a_hypervisor_is_among_the_flags(tmp_path: Path) -> None:
    put(tmp_path, {"proc/cpuinfo": "flags\t: fpu hypervisor avx2"})
    assert find_virtual(tmp_path) is True


def test_two_threads_of_a_core_count_once(tmp_path: Path) -> None:
    for cpu, (package, core) in enumerate([(0, 0), (0, 1), (0, 0), (0, 1), (1, 0)]):
        folder = f"{CPUS}/cpu{cpu}/topology"
        put(
            tmp_path,
            {f"{folder}/physical_package_id": str(package), f"{folder}/core_id": f"{core}"},
        )
    assert count_physical(frozenset([0, 2]), tmp_path) == 1
    assert count_physical(frozenset(range(5)), tmp_path) == 3


def test_caches_are_bytes_by_level_and_kind(tmp_path: Path) -> None:
    kinds = [("1", "Instruction", "32K"), ("1", "Data", "48K"), ("2", "Unified", "2M")]
    for index, (level, kind, size) in enumerate(kinds):
        folder = f"cache/index{index}"
        put(tmp_path, {f"{folder}/level": level, f"{folder}/type": kind, f"{folder}/size": size})
    put(tmp_path, {"cache/index3/level": "3"})  # its size is not told
    assert find_caches(tmp_path) == {"L1d": 48 * 1024, "L1i": 32 * 1024, "L2": 2 * 1024**2}


@pytest.mark.parametrize(
    ("text", "size"),
    [("48K", 49152), ("2M", 2097152), ("1G", 1 << 30), ("512", 512), ("", None), ("many", None)],
)
def test_sizes_with_letters(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"intel_pstate/no_turbo": "0", "cpufreq/boost": "0"}, True),
        ({"intel_pstate/no_turbo": "1"}, False),
        ({"cpufreq/boost": "1"}, True),
        ({"cpufreq/boost": "0"}, False),
        ({}, None),
    ],
)
def test_turbo_is_told_in_two_places(
    tmp_path: Path, files: dict[str, str], turbo: bool | None
) -> None:
    put(tmp_path, {f"{CPUS}/{name}": text for name, text in files.items()})
    assert find_turbo(tmp_path) is turbo


def test_the_tightest_quota_of_the_groups_above_holds(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/self/cgroup": "0::/outer/inner",
            "sys/fs/cgroup/outer/inner/cpu.max": "max 100000",
            "sys/fs/cgroup/outer/cpu.max": "150000 100000",
            "sys/fs/cgroup/cpu.max": "400000 100000",
            "sys/fs/cpu.max": "1 100000",  # above the top: no group
        },
    )
    assert find_quota(tmp_path) == 1.5


def test_the_first_version_of_control_groups_has_a_quota_too(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/x\n0::/",
            "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "300000",
            "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    )
    assert find_quota(tmp_path) == 3.0


def test_without_a_limit_there_is_no_quota(tmp_path: Path) -> None:
    assert find_quota(tmp_path) is None


@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("250000", 2), ("9900000", 8)])
def test_a_quota_holds_fewer_cores_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    monkeypatch.setattr(processor, "find_usable_cpus", lambda: frozenset(range(8)))
    put(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": f"{quota} 100000"})
    assert count_usable_cores(tmp_path) == cores


def test_a_system_that_tells_nothing_has_every_key(tmp_path: Path) -> None:
    told = describe_processor(tmp_path)
    assert told.keys() == describe_processor().keys()
    assert told["caches"] == {}
    assert told["governor"] is told["turbo"] is told["quota_cores"] is told["virtual"] is None


def test_this_machine_has_cores_and_memory() -> None:
    assert count_usable_cores() >= 1
    memory = count_memory()
    assert memory is None or memory > 2**20
