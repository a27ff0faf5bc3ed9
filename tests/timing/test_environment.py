"""Where a profile was taken, as plain data that tells nothing of whose machine it is."""

from __future__ import annotations

import json
import os
import platform
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.timing import environment
from mobilenet_profiler.timing.environment import (
    choose_variables,
    describe_cuda_settings,
    describe_environment,
    describe_gpu,
    describe_libraries,
    find_flushed_denormals,
    find_matmul_precision,
    find_release,
    name_cudnn,
    parse_device,
)
from mobilenet_profiler.timing.nvidia_smi import LASTING, MOMENTARY

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device")


def test_it_is_json_and_the_same_twice() -> None:
    told = describe_environment("cpu")
    assert json.loads(json.dumps(told)) == told
    assert describe_environment("cpu") == told


def test_it_says_what_torch_was_set_to() -> None:
    told = describe_environment("cpu")
    assert told["torch"] == torch.__version__
    assert told["threads"] == torch.get_num_threads()
    assert told["gpu"] is None


def test_it_names_no_host_user_or_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTORCH_KERNEL_CACHE_PATH", str(Path.home()))
    monkeypatch.setenv("LD_PRELOAD", str(Path.home() / "libjemalloc.so"))
    monkeypatch.setattr(platform, "release", lambda: f"6.1.0-{socket.gethostname()}")
    text = json.dumps(describe_environment("cpu"))
    assert socket.gethostname() not in text
    assert str(Path.home()) not in text
    assert "libjemalloc.so" in text
    assert "/" not in text


def test_of_a_release_the_numbers_are_kept() -> None:
    assert find_release("6.1.0-27-cloud-amd64") == "6.1.0"
    assert find_release("23.4.0") == "23.4.0"
    assert find_release("5.15.0.alice") == "5.15.0"


def test_libraries_are_found_in_what_torch_says_it_was_built_with() -> None:
    built = (
        "PyTorch built with:\n"
        "  - Intel(R) oneAPI Math Kernel Library Version 2024.2-Product Build 20240605 for x\n"
        "  - Intel(R) MKL-DNN v3.12.0 (Git Hash 80afa71)\n"
    )
    told = describe_libraries(built)
    assert (told["mkl"], told["onednn"]) == ("2024.2", "3.12.0")
    told = describe_libraries("PyTorch built with:\n  - GCC 13.3\n")
    assert (told["mkl"], told["onednn"]) == (None, None)


def test_a_backend_that_is_switched_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert describe_libraries("")["onednn_enabled"] is False


def test_flushed_denormals_are_found_by_computing_with_one() -> None:
    assert find_flushed_denormals() is False
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    try:
        assert find_flushed_denormals() is True
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def matmul_precision(value: str) -> Iterator[None]:
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = value
    try:
        yield
    finally:
        matmul.fp32_precision = before


def test_settings_that_contradict_each_other_are_told_and_no_error() -> None:
    assert find_matmul_precision() == "highest"
    with matmul_precision("tf32"):
        assert find_matmul_precision() == "mixed"
        assert describe_cuda_settings()["matmul_precision"] == "tf32"


@pytest.mark.filterwarnings("error")
def test_the_flags_of_cuda_are_read_without_a_warning() -> None:
    told = describe_cuda_settings()
    assert told["convolution_precision"] in ("tf32", "ieee", "none")
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, fp32_precision=None):
        assert describe_cuda_settings()["cudnn_benchmark"] is True


def test_variables_that_change_speed_are_kept_in_order() -> None:
    environ = {
        "OMP_NUM_THREADS": "2",
        "KMP_AFFINITY": "granularity=fine,compact,1,0",
        "ATEN_CPU_CAPABILITY": "avx2",
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",
        "HOME": "/home/alice",
        "USER": "alice",
        "PYTORCH_API_TOKEN": "hunter2",
        "MY_OMP_NUM_THREADS": "4",
    }
    assert list(choose_variables(environ).items()) == [
        ("ATEN_CPU_CAPABILITY", "avx2"),
        ("KMP_AFFINITY", "granularity=fine,compact,1,0"),
        ("OMP_NUM_THREADS", "2"),
        ("PYTORCH_ALLOC_CONF", "expandable_segments:True"),
    ]


def test_paths_and_identities_are_taken_out_of_variables() -> None:
    assert choose_variables(
        {
            "LD_PRELOAD": "/usr/lib/x/libtcmalloc.so.4:/opt/libiomp5.so",
            "PYTORCH_KERNEL_CACHE_PATH": "/home/alice/.cache",
            "CUDA_VISIBLE_DEVICES": "GPU-1b724e78-eef5-4163,MIG-0f,1",
        }
    ) == {
        "LD_PRELOAD": "libtcmalloc.so.4 libiomp5.so",
        "PYTORCH_KERNEL_CACHE_PATH": "(a path)",
        "CUDA_VISIBLE_DEVICES": "GPU-…,MIG-…,1",
    }


def test_versions_of_cudnn() -> None:
    assert name_cudnn(91002) == "9.10.2"
    assert name_cudnn(90100) == "9.1.0"
    assert name_cudnn(8907) == "8.9.7"
    assert name_cudnn(None) is None


def pretend_gpu(monkeypatch: pytest.MonkeyPatch, count: int, told: dict[str, Any]) -> None:
    """A torch that was built for CUDA and sees so many devices."""
    known = SimpleNamespace(
        name="NVIDIA H100 80GB HBM3",
        major=9,
        minor=0,
        multi_processor_count=132,
        total_memory=85_000_000_000,
        L2_cache_size=52_428_800,
        uuid="1b724e78-0000",
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: known)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_allocator_backend", lambda: "native")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(environment, "query_gpu", lambda uuid: told)


def test_a_gpu_is_described_by_torch_and_by_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu(monkeypatch, 1, {"driver": "550.127.05", "power_state": "P0", "sm_clock_mhz": 1980})
    told = describe_environment("cuda:0")["gpu"]
    assert json.loads(json.dumps(told)) == told
    assert (told["name"], told["capability"]) == ("NVIDIA H100 80GB HBM3", "9.0")
    assert (told["cuda"], told["cudnn"], told["driver"]) == ("12.8", "9.10.2", "550.127.05")
    assert told["state"]["power_state"] == "P0"
    assert told["state"]["sm_clock_mhz"] == 1980
    assert told["power_limit_watts"] is None
    assert "1b724e78" not in json.dumps(told)


def test_what_changes_by_itself_is_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu(monkeypatch, 1, {})
    told = describe_gpu("cuda:0")
    assert told is not None
    assert set(told["state"]) == set(MOMENTARY.values())
    assert set(LASTING.values()) <= set(told)


def test_apples_gpu_is_described_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M3")
    monkeypatch.setattr(torch.backends.mps, "get_core_count", lambda: 10)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 17_179_869_184)
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.1", ("", "", ""), "arm64"))
    assert describe_gpu("mps") == {
        "name": "Apple M3",
        "cores": 10,
        "memory_bytes": 17_179_869_184,
        "macos": "15.1",
    }


@pytest.mark.parametrize("text", ["cpu", " CPU ", "cpu:0"])
def test_the_cpu_has_one_name(text: str) -> None:
    assert parse_device(text) == "cpu"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cup", "unknown device 'cup' (did you mean 'cpu'?); allowed: cpu, cuda, mps, cuda:N"),
        ("gpu", "unknown device 'gpu' (did you mean 'cuda'?); allowed: cpu, cuda, mps, cuda:N"),
        (
            "cdua:1",
            "unknown device 'cdua:1' (did you mean 'cuda'?); allowed: cpu, cuda, mps, cuda:N",
        ),
        ("vulkan", "unknown device 'vulkan'; allowed: cpu, cuda, mps, cuda:N"),
        ("cuda:x", "device 'cuda:x': what follows the colon is a number from 0: cuda:0"),
        ("cuda:-1", "device 'cuda:-1': what follows the colon is a number from 0: cuda:0"),
        ("cuda:", "device 'cuda:': what follows the colon is a number from 0: cuda:0"),
        ("cpu:2", "device 'cpu:2': there is one device 'cpu'; allowed: cpu"),
    ],
)
def test_a_device_that_is_none_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_device(text)
    assert str(refused.value) == message


@no_gpu
def test_a_cpu_build_says_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    with pytest.raises(UsageError) as refused:
        parse_device("cuda:1")
    assert str(refused.value) == (
        "device 'cuda:1': no CUDA device: this torch is a CPU build; allowed: cpu"
    )
    with pytest.raises(UsageError, match="no MPS device: this torch is built without it; allowed"):
        parse_device("mps")


@no_gpu
def test_a_driver_that_shows_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu(monkeypatch, 0, {})
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES hides them"):
        parse_device("cuda")


@no_gpu
def test_why_the_driver_refuses_is_passed_on_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu(monkeypatch, 0, {})

    def refuse() -> bool:
        warnings.warn(
            "CUDA initialization: The NVIDIA driver on your system is too old (found 11040)."
            " Please update it.\nSecond line",
            stacklevel=1,
        )
        return False

    monkeypatch.setattr(torch.cuda, "is_available", refuse)
    with pytest.raises(UsageError) as refused:
        parse_device("cuda")
    assert "driver on your system is too old (found 11040); allowed" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_index_is_one_of_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpu(monkeypatch, 2, {})
    assert parse_device("cuda") == "cuda:0"
    assert parse_device("cuda:1") == "cuda:1"
    with pytest.raises(UsageError) as refused:
        parse_device("cuda:2")
    assert str(refused.value) == "device 'cuda:2': there are 2 CUDA devices, cuda:0 to cuda:1"
    pretend_gpu(monkeypatch, 1, {})
    with pytest.raises(UsageError) as refused:
        parse_device("cuda:7")
    assert str(refused.value) == "device 'cuda:7': there is one CUDA device, cuda:0"


def test_apples_device_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert parse_device("mps:0") == "mps"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_real_gpu_tells_its_name_and_clocks() -> None:
    told = describe_environment("cuda:0")
    gpu = told["gpu"]
    assert json.loads(json.dumps(told)) == told
    assert gpu["name"] == torch.cuda.get_device_name(0)
    assert gpu["memory_bytes"] == torch.cuda.get_device_properties(0).total_memory
    assert gpu["cuda"] is not None or gpu["hip"] is not None
    if gpu["driver"] is not None:  # nvidia-smi is installed
        assert gpu["state"]["power_state"].startswith("P")


def test_the_variables_of_this_process_have_no_paths() -> None:
    assert all("/" not in value for value in choose_variables(os.environ).values())
