"""The command `ceiling`."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilenet_profiler.cli.ceiling import find_conditions, prepare_ceiling
from mobilenet_profiler.measured.kept import decode_ceiling, find_ceiling
from mobilenet_profiler.measured.roofline import Ceiling, find_peak
from mobilenet_profiler.timing import ceiling as timing
from tests.ceilings import make_ceiling, make_peak
from tests.cli.test_commands import call

asked: list[tuple[str, tuple[int, ...]]] = []


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a measurement that takes no time."""
    monkeypatch.setenv("MOBILENET_PROFILER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(timing, "measure_ceiling", measure)
    asked.clear()
    return tmp_path / "cache"


def measure(
    device: str,
    environment: Mapping[str, Any],
    threads: Sequence[int],
    on_progress: Callable[[float, str], None] | None,
) -> Ceiling:
    if on_progress:
        on_progress(0.5, "everything")
    asked.append((device, tuple(threads)))
    return replace(make_ceiling(tuple(sorted({1, 2, *threads}))), environment=environment)


def test_the_table_has_peaks_bandwidths_and_overheads(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "ceiling")
    assert code == 0
    assert out.startswith("ceiling of cpu, ")
    lines = {" ".join(line.split()) for line in out.splitlines()}
    # GMAC/s, rows and the MACs a byte that memory's 12.5 GB/s a thread can feed.
    assert "float32 100 1000 8.00 200 1000 8.00" in lines
    assert "bfloat16 400 1000 32.0 800 1000 32.0" in lines
    # GB/s of copy, triad and read.
    assert "1.5 MiB 80.0 80.0 100 160 160 200" in lines
    assert "depthwise 40.0 40.0" in lines
    assert re.fullmatch(r"kept in \S+ceiling-cpu-[0-9a-f]{16}\.json\n", err)


def test_it_is_kept_and_shown_again_without_measuring(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    _, out, _ = call(capsys, "ceiling")
    assert len(list(folder.iterdir())) == 1
    assert call(capsys, "ceiling", "--kept") == (0, out, "")
    assert asked == [("cpu", ())]


def test_measuring_again_keeps_the_better(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call(capsys, "ceiling")

    def measure_slowly(device: str, environment: Mapping[str, Any], *rest: Any) -> Ceiling:
        peaks = (make_peak("float32", 50), make_peak("bfloat16", 500))
        return replace(make_ceiling(), environment=environment, peaks=peaks)

    monkeypatch.setattr(timing, "measure_ceiling", measure_slowly)
    _, out, _ = call(capsys, "ceiling", "-f", "json")
    joined = decode_ceiling(out)
    assert find_peak(joined, "float32", 1) == 100e9
    assert find_peak(joined, "bfloat16", 1) == 500e9
    assert decode_ceiling(call(capsys, "ceiling", "--kept", "-f", "json")[1]) == joined


def test_a_profile_measures_only_what_is_not_kept() -> None:
    first = prepare_ceiling("cpu", 2)
    assert prepare_ceiling("cpu", 1) == prepare_ceiling("cpu", 2) == first
    assert asked == [("cpu", (2,))]
    assert prepare_ceiling("cpu", 3).threads == (1, 2, 3)
    assert prepare_ceiling("cpu", 3).covers(3)
    assert asked == [("cpu", (2,)), ("cpu", (3,))]


def test_json_is_what_is_kept(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, out, _ = call(capsys, "ceiling", "-f", "json")
    (path,) = folder.iterdir()
    assert path.read_text(encoding="utf-8") == out
    assert json.loads(out)["peaks"][0]["macs_per_second"] == 100e9


def test_csv_has_a_line_a_point(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "ceiling", "-f", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    made = make_ceiling()
    assert len(rows) == len(made.peaks) + len(made.bandwidths) + len(made.overheads)
    assert rows[0] == {
        **{"measured": "product", "name": "", "dtype": "float32", "size": "1000"},
        **{"threads": "1", "value": "100000000000", "unit": "MAC/s", "samples": "1"},
    }
    assert {row["unit"] for row in rows} == {"MAC/s", "B/s", "ns"}


def test_markdown_has_three_tables_of_equal_columns(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "ceiling", "-f", "markdown")
    tables = [part for part in out.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.count(" | ") for line in table.splitlines()}) == 1
    assert "| float32 | 100 | 1000 | 8.00 | 200 | 1000 | 8.00 |" in out


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = call(capsys, "ceiling", "--threads", "16")
    assert max(map(len, out.splitlines())) <= width
    assert "16 threads" in out
    assert out.count("384 MiB") in (1, 3)  # three tables where one does not fit


def test_notes_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_less(device: str, environment: Mapping[str, Any], *rest: Any) -> Ceiling:
        return replace(make_ceiling(), environment=environment, notes=("float16: refused",))

    monkeypatch.setattr(timing, "measure_ceiling", measure_less)
    assert "note: float16: refused" in call(capsys, "ceiling")[1]
    assert "- float16: refused" in call(capsys, "ceiling", "-f", "markdown")[1]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_plot_is_written_as_its_name_ends(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"bandwidth.{suffix}"
    assert call(capsys, "ceiling", "--plot", str(path))[0] == 0
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert path.read_bytes().startswith(starts[suffix])


def test_the_same_figure_is_the_same_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for suffix in ("png", "svg", "pdf"):
        paths = [tmp_path / f"{name}.{suffix}" for name in ("one", "two")]
        for path in paths:
            call(capsys, "ceiling", "--plot", str(path))
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_interrupted_write_leaves_the_old_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    call(capsys, "ceiling")
    (path,) = folder.iterdir()
    before = path.read_bytes()

    def interrupt(source: Any, target: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    assert call(capsys, "ceiling", "--threads", "3")[0] == 130
    assert list(folder.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_broken_file_is_ignored_with_one_line_and_replaced(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    call(capsys, "ceiling")
    (path,) = folder.iterdir()
    path.write_text("{")
    code, out, err = call(capsys, "ceiling", "--kept")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == f"ignored {str(path)!r}: it is not JSON"
    assert len(err.splitlines()) == 2
    code, _, err = call(capsys, "ceiling")
    assert (code, len(err.splitlines())) == (0, 2)
    assert decode_ceiling(path.read_text(encoding="utf-8")).threads == (1, 2)


def test_a_folder_that_refuses_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MOBILENET_PROFILER_CACHE", str(tmp_path / "file" / "cache"))
    code, out, err = call(capsys, "ceiling")
    assert code == 0
    assert "GMAC/s" in out
    assert err.splitlines()[-1].startswith("not kept: cannot make ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-f", "jsn"), "did you mean 'json'"),
        (("--device", "cudaa"), "did you mean 'cuda'"),
        (("--threads", "0"), "--threads must be at least 1, given 0"),
        (("--threads", "2", "--device", "mps"), "--threads is of device 'cpu'"),
        (("--threads", "2", "--kept"), "--kept measures nothing"),
        (("--kept",), "no ceiling of device 'cpu' is kept for this environment"),
        (("--plot", "-"), "a plot is a file that ends in .png, .svg, .pdf, given '-'"),
        (("--plot", "roof.jpg"), "a plot is a file that ends in .png, .svg, .pdf"),
        (("--plot", "{missing}/roof.png"), "cannot write"),
        (("--output", "{missing}/ceiling.txt"), "cannot write"),
    ],
)
def test_wrong_use_gets_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [argument.format(missing=tmp_path / "missing") for argument in arguments]
    code, out, err = call(capsys, "ceiling", *given)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err
    assert asked == []


def test_the_environment_of_this_machine_is_data_that_json_can_hold() -> None:
    device, conditions = find_conditions("CPU")
    assert device == "cpu"
    assert json.loads(json.dumps(conditions)) == conditions
    assert {"torch", "python", "cpu"} <= conditions.keys()
    assert find_ceiling(device, conditions) is None
