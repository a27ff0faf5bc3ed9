"""Where a profile was taken: the machine, the libraries and their settings, as plain data.

Nothing here tells whose machine it is: no names of hosts or users, no paths, no serial
numbers. What a system does not tell is None; the keys are always the same.
"""

from __future__ import annotations

import os
import platform
import re
import warnings
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import torch

from mobilenet_profiler import __version__
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.profile import DEVICES
from mobilenet_profiler.timing.nvidia_smi import LASTING, MOMENTARY, query_gpu
from mobilenet_profiler.timing.processor import count_memory, describe_processor

# Variables that change how fast a network runs.
_VARIABLES = re.compile(
    r"(OMP|KMP|GOMP|MKL|OPENBLAS|BLIS|VECLIB|GOTO|DNNL|ONEDNN|MALLOC|CUDNN|CUBLAS)_\w+"
    r"|TORCH_CUDNN_\w+|PYTORCH_\w+|ATEN_CPU_CAPABILITY|TORCH_(ALLOW_TF32|BLAS)\w+"
    r"|CUDA_(VISIBLE_DEVICES|DEVICE_ORDER|DEVICE_MAX_CONNECTIONS|LAUNCH_BLOCKING|MODULE_LOADING)"
    r"|NVIDIA_TF32_OVERRIDE|LD_PRELOAD|DYLD_INSERT_LIBRARIES"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|CREDENTIAL|API_KEY")
_IDENTITY = re.compile(r"\b(GPU|MIG)-[0-9a-fA-F-]+")


def describe_environment(device: str) -> dict[str, Any]:
    """Everything beside the network that its time depends on, in JSON's types alone.

    device: as `parse_device` gives it. The key 'gpu' is None for 'cpu'; its 'state' holds
    what changes by itself (clocks, temperature), so that two runs may differ there.
    """
    return {
        "mobilenet_profiler": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "system": {
            "name": platform.system(),
            "release": find_release(platform.release()),
            "machine": platform.machine(),
        },
        "cpu": describe_processor(),
        "memory_bytes": count_memory(),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "libraries": describe_libraries(torch.__config__.show()),
        "numerics": describe_numerics(),
        "variables": choose_variables(os.environ),
        "gpu": describe_gpu(device),
    }


def find_release(text: str) -> str:
    """The numbers of a system's release; who built it may have signed the rest."""
    return re.split(r"[^\d.]", text)[0].rstrip(".")


def describe_libraries(built: str) -> dict[str, Any]:
    """What computes on the CPU. built: `torch.__config__.show()`."""
    mkl = re.search(r"Math Kernel Library Version ([\d.]+)", built)
    onednn = re.search(r"MKL-DNN v([\d.]+)", built)
    available = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": mkl[1] if mkl else None,
        "onednn": onednn[1] if onednn else None,
        "onednn_available": available,
        "onednn_enabled": available and bool(torch.backends.mkldnn.enabled),
        "openmp": bool(torch.backends.openmp.is_available()),  # type: ignore[no-untyped-call]
    }


def describe_numerics() -> dict[str, Any]:
    """Settings that trade accuracy for time, or time for the same result every run."""
    return {
        "denormals_flushed": find_flushed_denormals(),
        "float32_matmul": find_matmul_precision(),
        "onednn_matmul": torch.backends.mkldnn.matmul.fp32_precision,  # type: ignore[attr-defined]
        "onednn_convolution": torch.backends.mkldnn.conv.fp32_precision,  # type: ignore[attr-defined]
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def find_flushed_denormals() -> bool:
    """Whether this thread's float32 sums become 0 below 2^-126; there is no getter.

    The bits of the result are looked at: a processor that flushes may compare as flushed.
    """
    smallest = torch.full((1,), 2.0**-126, dtype=torch.float32)
    return int((smallest * 0.5).view(torch.int32)) == 0


def find_matmul_precision() -> str:
    """'highest', 'high' or 'medium'; 'mixed' where settings old and new contradict each other."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "mixed"


def choose_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that change speed, without what would tell whose machine it is."""
    chosen = sorted(
        name for name in environ if _VARIABLES.fullmatch(name) and not _SECRET.search(name)
    )
    return {name: _redact(name, environ[name]) for name in chosen}


def _redact(name: str, value: str) -> str:
    """A value without paths and identities; of preloaded libraries the file names remain."""
    if name in ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES"):
        return " ".join(PurePath(part).name for part in re.split(r"[\s:]+", value) if part)
    if re.search(r"[/\\~]", value):
        return "(a path)"
    return _IDENTITY.sub(r"\1-…", value)


def describe_gpu(device: str) -> dict[str, Any] | None:
    """The GPU and how it is set, or None where the device is none."""
    place = torch.device(device)
    if place.type == "cuda":
        return _describe_cuda(torch.cuda.current_device() if place.index is None else place.index)
    return _describe_mps() if place.type == "mps" else None


def _describe_cuda(index: int) -> dict[str, Any]:
    """A CUDA device by what torch and the driver tell of it."""
    known = torch.cuda.get_device_properties(index)
    told = query_gpu(str(getattr(known, "uuid", "")))
    return {
        "name": known.name,
        "capability": f"{known.major}.{known.minor}",
        "multiprocessors": known.multi_processor_count,
        "memory_bytes": known.total_memory,
        "l2_bytes": known.L2_cache_size,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "cudnn": name_cudnn(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "allocator": torch.cuda.get_allocator_backend(),
        "settings": describe_cuda_settings(),
        **{name: told.get(name) for name in LASTING.values()},
        "state": {name: told.get(name) for name in MOMENTARY.values()},
    }


def describe_cuda_settings() -> dict[str, Any]:
    """Flags of cuBLAS and cuDNN. Precisions: 'tf32', 'ieee', or 'none', which is IEEE's too.

    The flags `allow_tf32` are not read: that is an error where a newer setting differs.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    return {
        "matmul_precision": matmul.fp32_precision,
        "convolution_precision": cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        "fp16_reduced_reduction": matmul.allow_fp16_reduced_precision_reduction,
        "bf16_reduced_reduction": matmul.allow_bf16_reduced_precision_reduction,
        "cudnn_enabled": cudnn.enabled,
        "cudnn_benchmark": cudnn.benchmark,
        "cudnn_deterministic": cudnn.deterministic,
    }


def name_cudnn(version: int | None) -> str | None:
    """'9.10.2' for 91002, '8.9.7' for 8907: from version 9 on there are two digits more."""
    if version is None:
        return None
    major, rest = divmod(version, 10_000 if version >= 90_000 else 1_000)
    return f"{major}.{rest // 100}.{rest % 100}"


def _describe_mps() -> dict[str, Any]:
    """Apple's GPU by what torch tells of it."""
    return {
        "name": torch.backends.mps.get_name(),
        "cores": torch.backends.mps.get_core_count(),
        "memory_bytes": torch.mps.recommended_max_memory(),
        "macos": platform.mac_ver()[0],
    }


def parse_device(text: str) -> str:
    """'cpu', 'cuda:0', 'mps': the device that a text names, with the index of a GPU.

    Raises UsageError, one line, for a device that is not known or not there.
    """
    name, colon, number = text.strip().lower().partition(":")
    if name == "gpu":  # nearer to 'cpu' by its letters
        allowed = ", ".join((*DEVICES, "cuda:N"))
        raise UsageError(f"unknown device {text!r} (did you mean 'cuda'?); allowed: {allowed}")
    if name not in DEVICES:
        raise unknown_name("device", text, DEVICES, also="cuda:N")
    if colon and not re.fullmatch(r"\d{1,3}", number):
        raise UsageError(f"device {text!r}: what follows the colon is a number from 0: {name}:0")
    index = int(number or 0)
    if name == "cuda":
        return _find_cuda(text, index)
    if index:
        raise UsageError(f"device {text!r}: there is one device {name!r}; allowed: {name}")
    if name == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"device {text!r}: no MPS device: {_explain_no_mps()}; {list_devices()}")
    return name


def _find_cuda(text: str, index: int) -> str:
    count, reason = _count_cuda()
    if not count:
        raise UsageError(f"device {text!r}: no CUDA device: {reason}; {list_devices()}")
    if index >= count:
        several = f"are {count} CUDA devices, cuda:0 to cuda:{count - 1}"
        there = several if count > 1 else "is one CUDA device, cuda:0"
        raise UsageError(f"device {text!r}: there {there}")
    return f"cuda:{index}"


def _count_cuda() -> tuple[int, str]:
    """How many CUDA devices there are, and why there is none."""
    with warnings.catch_warnings(record=True) as told:  # the driver's own reason
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return torch.cuda.device_count(), ""
    if torch.version.cuda is None and torch.version.hip is None:
        return 0, "this torch is a CPU build"
    if told:
        return 0, str(told[-1].message).splitlines()[0].partition(". ")[0].rstrip(".")
    return 0, "the driver shows none (it may be missing, or CUDA_VISIBLE_DEVICES hides them)"


def _explain_no_mps() -> str:
    if torch.backends.mps.is_built():
        return "it needs a Mac with Apple's or AMD's GPU and macOS 14 or newer"
    return "this torch is built without it"


def list_devices() -> str:
    """The devices that are there, in words: 'allowed: cpu, cuda:0'."""
    found = ["cpu", *(f"cuda:{index}" for index in range(_count_cuda()[0]))]
    found += ["mps"] if torch.backends.mps.is_available() else []
    return f"allowed: {', '.join(found)}"
