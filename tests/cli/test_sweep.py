"""The `sweep` command: what it prints, writes, refuses, and goes on with."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.cli import run
from tests.sweeping.test_sweep import NET
from tests.sweeps import make_published_sweep

SMALL = ("sweep", "--alpha", "0.5,0.25", "--resolution", "64,32")
ODD = ("sweep", NET, "--input", "1x3x8x8", "--axis", 'trouble="",raise', "--axis", "width=1:3:2")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_without_options_it_is_the_published_grid(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "sweep")
    assert (code, err) == (0, "")
    for result in make_published_sweep().results:
        assert result.cost is not None
        assert f"{result.cost.macs:,}" in out
        assert result.accuracy is not None
        assert f"{result.accuracy.percent:.1f}" in out


def test_axes_are_lists_ranges_and_lists_of_lists(capsys: pytest.CaptureFixture[str]) -> None:
    shown = ("--format", "json")
    _, out, _ = call(capsys, *ODD, *shown)
    points = [cell["point"] for cell in json.loads(out)["cells"]]
    assert points == [
        *({"trouble": "", "width": 1}, {"trouble": "", "width": 3}),
        *({"trouble": "raise", "width": 1}, {"trouble": "raise", "width": 3}),
    ]
    _, out, _ = call(capsys, "sweep", "resnet18", "resnet34", "--resolution", "64:32:-32", *shown)
    cells = json.loads(out)["cells"]
    assert [(cell["model"], cell["point"]["resolution"]) for cell in cells] == [
        *(("resnet18", 64), ("resnet18", 32), ("resnet34", 64), ("resnet34", 32)),
    ]
    _, out, _ = call(capsys, "sweep", NET, "--axis", "trouble=[3,4],[5,6]", *shown)
    points = [cell["point"] for cell in json.loads(out)["cells"]]
    assert points == [{"trouble": [3, 4]}, {"trouble": [5, 6]}]


def test_json_is_the_sweep(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    assert call(capsys, *SMALL, "--format", "json", "-o", str(path)) == (0, "", "")
    assert mp.read_sweep(path).results == mp.sweep(alpha=[0.5, 0.25], resolution=[64, 32]).results


def test_csv_has_a_line_a_cell_and_failures_go_to_stderr_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = call(capsys, *ODD, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["macs"] for row in rows] == ["192", "576", "", ""]
    assert [bool(row["error"]) for row in rows] == [False, False, True, True]
    assert "first line second line" in err


@pytest.mark.parametrize("format", ["markdown", "latex"])
def test_tables_in_other_languages_have_every_number(
    capsys: pytest.CaptureFixture[str], format: str
) -> None:
    code, out, err = call(capsys, *SMALL, "--format", format, "--quantity", "macs")
    assert (code, err) == (0, "")
    for result in mp.sweep(alpha=[0.5, 0.25], resolution=[64, 32]).results:
        assert result.cost is not None
        assert f"{result.cost.macs:,}" in out


def test_parquet_is_a_file_with_the_frame(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "sweep.parquet"
    assert call(capsys, *SMALL, "--format", "parquet", "-o", str(path)) == (0, "", "")
    frame = pandas.read_parquet(path)
    assert frame["macs"].tolist() == [
        result.cost.macs for result in mp.sweep(alpha=[0.5, 0.25], resolution=[64, 32]).results
        if result.cost
    ]  # fmt: skip


def test_strict_exits_1_where_a_cell_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, *ODD)[0] == 0
    assert call(capsys, *ODD, "--strict")[0] == 1
    assert call(capsys, *SMALL, "--strict")[0] == 0


def test_a_saved_sweep_is_shown_again_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    paths = [str(tmp_path / f"sweep.{suffix}") for suffix in ("jsonl", "json")]
    _, first, _ = call(capsys, *SMALL, "--save", paths[0], "--long", "--where", "macs < 12M")
    call(capsys, "sweep", paths[0], "--format", "json", "-o", paths[1])
    for path in paths:
        assert call(capsys, "sweep", path, "--long") == (0, first, "")


def test_a_saved_sweep_is_not_measured_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(tmp_path / "sweep.jsonl")
    call(capsys, *SMALL, "--save", path)
    for options, told in (
        (("--alpha", "1"), "--alpha"),
        (("--axis", "width=1"), "--axis"),
        (("--where", "macs < 1M"), "--where"),
        (("--latency",), "--latency"),
        (("--accuracy", "a.csv"), "--accuracy"),
        (("--jobs", "2"), "--jobs"),
        (("--resume",), "--resume"),
        (("--classes", "10"), "an option of a model"),
    ):
        code, out, err = call(capsys, "sweep", path, *options)
        assert (code, out) == (2, "")
        assert f"is a sweep already: {told} does not apply to it" in err
    code, _, err = call(capsys, "sweep", path, "resnet18")
    assert (code, "give it alone" in err) == (2, True)


def test_resume_goes_on_and_without_it_nothing_is_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    call(capsys, *SMALL, "--save", str(path))
    data = path.read_bytes()
    code, out, err = call(capsys, *SMALL, "--save", str(path))
    assert (code, out) == (2, "")
    assert "is there already" in err
    path.write_bytes(data[:-30])
    assert call(capsys, *SMALL, "--save", str(path), "--resume")[0] == 0
    assert path.read_bytes() == data


def test_ctrl_c_without_a_file_says_that_nothing_was_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobilenet_profiler.sweeping import sweep

    def stop(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run_order", stop)
    code, out, err = call(capsys, *SMALL)
    assert (code, out) == (130, "")
    assert err == "nothing was kept; --save FILE.jsonl keeps what is done\ninterrupted\n"


def test_a_plot_of_known_accuracies_is_a_tradeoff_and_else_a_heat_map(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for options in ((), ("--alpha", "0.3,0.4", "--resolution", "32,48")):
        path = tmp_path / f"{len(options)}.svg"
        assert call(capsys, "sweep", *options, "--plot", str(path))[0] == 0
        assert b"</svg>" in path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "html"), "unknown format 'html'"),
        (("--format", "csv", "--long"), "--long does not apply to format 'csv'"),
        (("--format", "json", "--down", "alpha"), "--down does not apply to format 'json'"),
        (("--format", "parquet"), "give a file with --output"),
        (("--quantity", "mac"), "did you mean 'macs'?"),
        (("--down", "width"), "unknown axis 'width'"),
        (("--plot", "a.gif"), "a plot is a file that ends in"),
        (("--alpha", "wide"), "--alpha must be numbers such as 1,0.75"),
        (("--alpha", "1,,2"), "axis alpha has an empty value"),
        (("--axis", "alpha"), "an axis must be name=value"),
        (("--axis", "classes=10,10"), "has the value 10 twice"),
        (("--classes", "10", "--axis", "classes=10,20"), "is an axis and has the value 10 too"),
        (("--threads", "2"), "threads says how latency is measured"),
        (("--latency", "--device", "gpu"), "unknown device 'gpu'"),
        (("--latency", "--precision", "2"), "--precision must be per cent"),
        (("--latency", "--iterations", "0"), "--iterations must be at least 1"),
        (("--on", "cpu"), "nodes time cells"),
        (("--save", "sweep.json"), "ends in .jsonl"),
        (("--where", "macs < 300M or alpha > 1"), "joined by 'and' alone"),
        (("mobilenet_v9",), "unknown model 'mobilenet_v9'"),
        (("nowhere.py:Net", "--axis", "width=4,8"), "cannot read 'nowhere.py'"),
        (("--down", "alpha", "--across", "alpha"), "given 'alpha' for both"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = call(capsys, "sweep", *arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_values_of_an_option_that_is_repeated_are_one_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    together = call(capsys, "sweep", "--alpha", "0.5,0.25", "--resolution", "32")
    apart = call(capsys, "sweep", "--alpha", "0.5", "--alpha", "0.25", "--resolution", "32")
    assert apart == together


def test_a_network_that_is_not_there_is_refused_before_a_file_is_begun(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "grid.jsonl"
    code, _, _ = call(capsys, "sweep", "nowhere.py:Net", "--save", str(path))
    assert (code, path.exists()) == (2, False)


def test_a_sweep_in_which_nothing_could_be_counted_exits_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing = ("sweep", NET, "--input", "1x3x8x8", "--axis")
    assert call(capsys, *failing, "trouble=raise")[0] == 1
    assert call(capsys, *failing, 'trouble="",raise')[0] == 0


def test_peaks_of_memory_have_one_unit_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(
        capsys,
        "sweep",
        "--alpha",
        "1,0.25",
        "--resolution",
        "224,32",
        "--memory",
        "--quantity",
        "memory",
    )
    assert "peak activation memory, KiB" in out or "peak activation memory, MiB" in out
    assert out.count("iB") == 1
