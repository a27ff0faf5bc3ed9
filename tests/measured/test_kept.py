"""Ceilings that are kept: found where they hold, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.measured.kept import (
    choose_conditions,
    decode_ceiling,
    describe_ceiling,
    encode_ceiling,
    find_ceiling,
    locate_ceiling,
    locate_folder,
)
from mobilenet_profiler.measured.roofline import Bandwidth, Ceiling, Overhead, Peak
from tests.ceilings import ENVIRONMENT, make_ceiling

CEILING = make_ceiling()
NAMES = st.sampled_from(["float32", "copy", "linear", "naïve"])
SAMPLES = st.lists(st.integers(1, 10**15), min_size=1, max_size=4).map(tuple)
SIZES, THREADS = st.integers(1, 10**12), st.integers(0, 99)
TEXTS = st.text(max_size=9)
CEILINGS = st.builds(
    Ceiling,
    device=st.just("cpu"),
    environment=st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS),
    peaks=st.lists(st.builds(Peak, NAMES, SIZES, THREADS, SIZES, SAMPLES), max_size=3).map(tuple),
    bandwidths=st.lists(
        st.builds(Bandwidth, NAMES, SIZES, THREADS, SIZES, SAMPLES), max_size=3
    ).map(tuple),
    overheads=st.lists(st.builds(Overhead, NAMES, NAMES, THREADS, SIZES, SAMPLES), max_size=3).map(
        tuple
    ),
    date=TEXTS,
    notes=st.lists(TEXTS, max_size=2).map(tuple),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOBILENET_PROFILER_CACHE", str(tmp_path))
    return tmp_path


def keep(ceiling: Ceiling, text: str | None = None) -> Path:
    path = locate_ceiling(ceiling.device, ceiling.environment)
    path.write_text(encode_ceiling(ceiling) if text is None else text, encoding="utf-8")
    return path


@given(CEILINGS)
def test_what_is_written_is_what_is_read(ceiling: Ceiling) -> None:
    assert decode_ceiling(encode_ceiling(ceiling)) == ceiling


def test_what_is_kept_is_found() -> None:
    assert find_ceiling("cpu", ENVIRONMENT) is None
    keep(CEILING)
    told: list[str] = []
    assert find_ceiling("cpu", ENVIRONMENT, told.append) == CEILING
    assert told == []


@pytest.mark.parametrize(
    "environment", [{**ENVIRONMENT, "torch": "2.14.0"}, {"torch": "2.13.0"}, {}]
)
def test_another_environment_does_not_find_it(environment: dict[str, Any]) -> None:
    keep(CEILING)
    assert find_ceiling("cpu", environment) is None
    assert find_ceiling("cuda:0", ENVIRONMENT) is None


def test_a_file_of_another_environment_is_refused_wherever_it_lies() -> None:
    foreign = Ceiling("cpu", {**ENVIRONMENT, "torch": "2.14.0"})
    keep(CEILING, encode_ceiling(foreign))
    told: list[str] = []
    assert find_ceiling("cpu", ENVIRONMENT, told.append) is None
    assert len(told) == 1
    assert told[0].endswith("it was measured in another environment: torch")


def test_a_file_of_another_device_is_refused() -> None:
    keep(CEILING, encode_ceiling(Ceiling("cuda:0", ENVIRONMENT)))
    told: list[str] = []
    assert find_ceiling("cpu", ENVIRONMENT, told.append) is None
    assert "'cuda:0', not of 'cpu'" in told[0]


def change(**changes: Any) -> str:
    return json.dumps({**describe_ceiling(CEILING), **changes})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        (encode_ceiling(CEILING)[:-200], "it is not JSON"),
        ("[]", "'schema_version' is missing or of another type"),
        ("null", "'schema_version' is missing or of another type"),
        (change(schema_version=2), "its schema_version is 2, not 1"),
        (change(device=None), "'device' is missing"),
        (change(peaks={}), "'peaks' is missing or of another type"),
        (change(peaks=[3]), "'peaks' has an item of another type"),
        (change(notes=[3]), "'notes' has an item of another type"),
        (change(peaks=[{}]), "'dtype' of its peaks is 'None'"),
        (
            change(peaks=[{"dtype": "x", "size": 1, "threads": 1, "calls": 1, "samples": []}]),
            "'samples' of its peaks is '[]'",
        ),
        (
            change(peaks=[{"dtype": "x", "size": 1, "threads": 1, "calls": 1, "samples": [0]}]),
            "'samples' of its peaks is '[0]'",
        ),
        (
            change(peaks=[{"dtype": "x", "size": 1, "threads": True, "calls": 1, "samples": [1]}]),
            "'threads' of its peaks is 'True'",
        ),
        ("[" * 100_000, ""),
    ],
)
def test_a_broken_file_is_ignored_with_one_line(text: str, reason: str) -> None:
    path = keep(CEILING, text)
    told: list[str] = []
    assert find_ceiling("cpu", ENVIRONMENT, told.append) is None
    assert len(told) == 1
    assert told[0].startswith(f"ignored {str(path)!r}: ")
    assert reason in told[0]
    assert "\n" not in told[0]


def test_bytes_that_are_no_text_are_ignored() -> None:
    locate_ceiling("cpu", ENVIRONMENT).write_bytes(b"\xff\xfe")
    told: list[str] = []
    assert find_ceiling("cpu", ENVIRONMENT, told.append) is None
    assert len(told) == 1


def test_a_folder_in_its_place_is_ignored() -> None:
    locate_ceiling("cpu", ENVIRONMENT).mkdir()
    told: list[str] = []
    assert find_ceiling("cpu", ENVIRONMENT, told.append) is None
    assert "Is a directory" in told[0]


def test_the_file_holds_every_sample_and_the_rates_they_make() -> None:
    data = json.loads(encode_ceiling(CEILING))
    assert data["peaks"][0]["samples"] == list(CEILING.peaks[0].samples)
    assert data["peaks"][0]["macs_per_second"] == 100e9
    assert data["environment"] == ENVIRONMENT


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert locate_folder() == tmp_path
    monkeypatch.delenv("MOBILENET_PROFILER_CACHE")
    assert locate_folder().name == "mobilenet-profiler"


def test_a_ceiling_depends_on_the_machine_and_not_on_its_mood() -> None:
    told: dict[str, Any] = {
        "mobilenet_profiler": "0.1.0",
        "python": "3.11.9",
        "torch": "2.13.0",
        "threads": 2,
        "cpu": {"model": "Some Processor", "usable_cores": 2, "virtual": True},
        "numerics": {"onednn_matmul": "none", "denormals_flushed": False},
        "gpu": {"name": "Some GPU", "driver": "580", "state": {"sm_clock_mhz": 1980}},
    }
    assert choose_conditions(told) == {
        "python": "3.11.9",
        "torch": "2.13.0",
        "cpu": {"model": "Some Processor", "usable_cores": 2},
        "numerics": {"onednn_matmul": "none"},
        "gpu": {"name": "Some GPU", "driver": "580"},
    }
    assert "gpu" not in choose_conditions({**told, "gpu": None})
