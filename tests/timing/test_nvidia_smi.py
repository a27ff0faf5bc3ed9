"""Lines of nvidia-smi become values; what a GPU does not tell is None."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import pytest

from mobilenet_profiler.timing.nvidia_smi import (
    LASTING,
    MOMENTARY,
    choose_gpu,
    parse_gpus,
    parse_value,
    query_gpu,
    run_program,
)

NAMES = ["uuid", *LASTING, *MOMENTARY]
SERVER = (
    "GPU-1b724e78-0000-4163-d43c-e4da15d41176, 550.127.05, Enabled, Default, Disabled, Enabled,"
    " 700.00, 1980, 2619, P0, 72.15, 31, 1980, 2619, 0"
)
LAPTOP = (
    "GPU-2c8344aa-1111-4163-d43c-e4da15d41176, 566.36, Disabled, Default, [N/A], [N/A], [N/A],"
    " 3105, 8001, P8, 4.07, 44, 210, [Unknown Error], 12"
)


def answer(*texts: str) -> tuple[Any, list[list[str]]]:
    """A program that says these texts one after another, and what it was asked."""
    asked: list[list[str]] = []

    def run(arguments: Sequence[str]) -> tuple[int, str]:
        asked.append(list(arguments))
        text = texts[len(asked) - 1]
        return (2 if text.startswith("Field") else 0), text

    return run, asked


def test_a_line_becomes_values_with_their_units_in_the_name() -> None:
    run, asked = answer(SERVER + "\n")
    assert query_gpu("1b724e78-0000-4163-d43c-e4da15d41176", run) == {
        "driver": "550.127.05",
        "persistence": "Enabled",
        "compute_mode": "Default",
        "mig": "Disabled",
        "ecc": "Enabled",
        "power_limit_watts": 700.0,
        "max_sm_clock_mhz": 1980,
        "max_memory_clock_mhz": 2619,
        "power_state": "P0",
        "power_draw_watts": 72.15,
        "temperature_celsius": 31,
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619,
        "utilization_percent": 0,
    }
    assert asked[0][1] == "--format=csv,noheader,nounits"


def test_what_a_gpu_does_not_tell_is_none() -> None:
    told = choose_gpu(parse_gpus(LAPTOP, NAMES), "2c8344aa")
    assert told["mig"] is told["ecc"] is told["power_limit_watts"] is None
    assert told["memory_clock_mhz"] is None
    assert told["power_draw_watts"] == 4.07


@pytest.mark.parametrize("text", ["[N/A]", "[Not Supported]", "[Unknown Error]", "N/A", ""])
def test_what_is_no_value_is_none(text: str) -> None:
    assert parse_value(text, "power_draw_watts") is None
    assert parse_value(text, "mig") is None


def test_only_what_has_a_unit_is_a_number() -> None:
    assert parse_value("72.15", "power_draw_watts") == 72.15
    assert repr(parse_value("1980", "sm_clock_mhz")) == "1980"
    assert parse_value("566.36", "driver") == "566.36"
    assert parse_value("P0", "power_state") == "P0"


def test_of_several_gpus_the_one_of_this_identity_is_told() -> None:
    gpus = parse_gpus(f"{SERVER}\n{LAPTOP}\n", NAMES)
    assert choose_gpu(gpus, "2c8344aa-1111")["driver"] == "566.36"


def test_a_slice_of_the_only_gpu_is_described_by_it() -> None:
    assert choose_gpu(parse_gpus(SERVER, NAMES), "another identity")["driver"] == "550.127.05"


def test_of_several_gpus_none_is_guessed() -> None:
    assert choose_gpu(parse_gpus(f"{SERVER}\n{LAPTOP}", NAMES), "another identity") == {}
    assert choose_gpu([], "1b724e78") == {}


def test_a_name_that_an_old_program_does_not_know_is_left_out() -> None:
    older = SERVER.replace(" Default, Disabled,", " Default,")
    run, asked = answer('Field "mig.mode.current" is not a valid field to query.\n', older)
    told = query_gpu("1b724e78", run)
    assert (told["mig"], told["ecc"], told["utilization_percent"]) == (None, "Enabled", 0)
    assert "mig.mode.current" not in asked[1][0]


def test_a_program_that_fails_tells_nothing() -> None:
    assert query_gpu("1b724e78", lambda _: (9, "NVIDIA-SMI has failed")) == {}
    assert query_gpu("1b724e78", lambda _: (2, 'Field "uuid" is not a valid field')) == {}
    assert query_gpu("1b724e78", lambda _: (0, "No devices were found\n")) == {}


def test_without_the_program_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert run_program(["--help"]) == (127, "")
