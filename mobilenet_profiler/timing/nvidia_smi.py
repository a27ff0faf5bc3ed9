"""What NVIDIA's own program says of a GPU: driver, clocks, power, temperature."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

_PATIENCE = 10.0  # seconds; without persistence mode the driver starts first
_UUID = "uuid"
_UNITS = ("_watts", "_mhz", "_celsius", "_percent")

# The names of `nvidia-smi --help-query-gpu`, and ours with their units.
LASTING: Mapping[str, str] = {
    "driver_version": "driver",
    "persistence_mode": "persistence",
    "compute_mode": "compute_mode",
    "mig.mode.current": "mig",
    "ecc.mode.current": "ecc",
    "power.limit": "power_limit_watts",
    "clocks.max.sm": "max_sm_clock_mhz",
    "clocks.max.memory": "max_memory_clock_mhz",
}
MOMENTARY: Mapping[str, str] = {  # what changes by itself from one second to the next
    "pstate": "power_state",
    "power.draw": "power_draw_watts",
    "temperature.gpu": "temperature_celsius",
    "clocks.sm": "sm_clock_mhz",
    "clocks.mem": "memory_clock_mhz",
    "utilization.gpu": "utilization_percent",
}

Value = str | int | float | None
Run = Callable[[Sequence[str]], tuple[int, str]]


def run_program(arguments: Sequence[str]) -> tuple[int, str]:
    """nvidia-smi's exit code and output; 127 where it is not installed or does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 127, ""
    try:
        asked = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 127, ""
    return asked.returncode, asked.stdout + asked.stderr


def query_gpu(uuid: str, run: Run = run_program) -> dict[str, Value]:
    """What is known of the GPU of this identity, as torch tells it; {} where nothing is.

    A name that this version of the program does not know is left out.
    """
    names = [_UUID, *LASTING, *MOMENTARY]
    while True:
        code, text = run([f"--query-gpu={','.join(names)}", "--format=csv,noheader,nounits"])
        refused = re.search(r'Field "([^"]+)" is not a valid field', text)
        if refused is None or refused[1] not in names[1:]:
            break
        names.remove(refused[1])
    return {} if code else choose_gpu(parse_gpus(text, names), uuid)


def parse_gpus(text: str, names: Sequence[str]) -> list[dict[str, str]]:
    """The program's lines as texts by name; lines of another length are no GPUs."""
    lines = [[value.strip() for value in line.split(",")] for line in text.splitlines()]
    return [dict(zip(names, line, strict=True)) for line in lines if len(line) == len(names)]


def choose_gpu(gpus: Sequence[Mapping[str, str]], uuid: str) -> dict[str, Value]:
    """The GPU of this identity, or the only one: a slice of a GPU has an identity of its own."""
    found = [gpu for gpu in gpus if uuid and uuid in gpu[_UUID]] or list(gpus)
    if len(found) != 1:
        return {}
    names = {**LASTING, **MOMENTARY}
    return {ours: parse_value(found[0].get(theirs, ""), ours) for theirs, ours in names.items()}


def parse_value(text: str, name: str) -> Value:
    """A number where the name has a unit, else text; None for '', '[N/A]' and their like."""
    if not text or text.startswith("[") or text == "N/A":
        return None
    if not name.endswith(_UNITS):
        return text
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return None
    return float(text) if "." in text else int(text)
