"""What a device has free, from files as the system writes them."""

from pathlib import Path

import pytest

from mobilenet_profiler.timing.capacity import measure_free, measure_free_cpu

GIB = 2**30


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


MEMINFO = "MemTotal:       33554432 kB\nMemFree:  1 kB\nMemAvailable:   16777216 kB\n"


def test_a_cpu_has_what_the_system_says_is_available(tmp_path: Path) -> None:
    assert measure_free_cpu(write(tmp_path, {"proc/meminfo": MEMINFO})) == 16 * GIB


def test_a_control_group_leaves_its_limit_less_what_is_used_but_for_caches(
    tmp_path: Path,
) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/memory.max": f"{8 * GIB}\n",
        "sys/fs/cgroup/a/b/memory.current": f"{3 * GIB}\n",
        "sys/fs/cgroup/a/b/memory.stat": f"anon 5\ninactive_file {GIB}\nactive_file 7\n",
    }
    assert measure_free_cpu(write(tmp_path, files)) == 6 * GIB


def test_the_tightest_of_the_groups_around_a_process_decides(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/b/memory.current": "5\n",
        "sys/fs/cgroup/a/memory.max": f"{2 * GIB}\n",
        "sys/fs/cgroup/a/memory.current": f"{GIB}\n",
    }
    assert measure_free_cpu(write(tmp_path, files)) == GIB


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/job\n",
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{4 * GIB}\n",
        "sys/fs/cgroup/memory/job/memory.usage_in_bytes": f"{GIB}\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{20 * GIB}\n",
    }
    assert measure_free_cpu(write(tmp_path, files)) == 3 * GIB


def test_the_path_of_a_container_on_its_host_is_found_at_the_mount(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/../../docker/1234\n",
        "sys/fs/cgroup/memory.max": f"{2 * GIB}\n",
        "sys/fs/cgroup/memory.current": "0\n",
    }
    assert measure_free_cpu(write(tmp_path, files)) == 2 * GIB


def test_a_group_that_is_over_its_limit_leaves_nothing(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "10\n",
        "sys/fs/cgroup/memory.current": "12\n",
    }
    assert measure_free_cpu(write(tmp_path, files)) == 0


def test_a_system_without_such_files_has_its_physical_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"SC_PHYS_PAGES": 1024, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr("os.sysconf", sizes.__getitem__, raising=False)
    assert measure_free_cpu(tmp_path) == 4 * 2**20
    monkeypatch.delattr("os.sysconf")
    assert measure_free_cpu(tmp_path) is None


def test_this_machine_has_some_memory_free() -> None:
    free = measure_free("cpu")
    assert free is not None
    assert 2**20 < free < 2**50


def test_a_gpu_has_what_its_driver_and_the_allocator_have_unused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda device: 60)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda device: 45)
    assert measure_free("cuda:0") == 115


def test_a_device_without_memory_of_its_own_says_nothing() -> None:
    assert measure_free("meta") is None
