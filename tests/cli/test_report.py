"""The command `report`."""

from __future__ import annotations

import errno
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.cli.output import write_folder
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.render.profile_json import render_profile
from mobilenet_profiler.render.report import list_stale
from mobilenet_profiler.render.sweep_json import render_sweep
from tests.cli.test_commands import call
from tests.measured.building import build_profile
from tests.page.pages import time_small
from tests.sweeps import make_published_sweep

SMALL = "mobilenet_v1 alpha=0.25 resolution=128"


def list_names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_report_of_one_network_is_a_folder_of_its_page_and_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "report"
    code, out, err = call(
        capsys, "report", SMALL, "--alpha", "1,0.25", "--resolution", "128", "-o", str(folder)
    )
    assert (code, out, err) == (0, f"{folder / 'index.html'}\n", "")
    assert list_names(folder) == {
        *("index.html", "report.md", "layers.csv", "layers.json", "sweep.csv", "sweep.json"),
        *("figures.csv", "figures.json", "figures/depth.svg", "figures/memory.svg"),
        *("figures/tradeoff-macs.svg", "figures/tradeoff-params.svg"),
    }
    assert "13,570,048" in (folder / "index.html").read_text()
    cells = json.loads((folder / "sweep.json").read_text())["cells"]
    assert [own["point"] for own in cells] == [{"alpha": 1}, {"alpha": 0.25}]
    assert [own["spec"]["inputs"] for own in cells] == [[[1, 3, 128, 128]]] * 2


def test_a_network_without_alpha_has_no_grid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "report", "squeezenet1_0", "-o", str(tmp_path))[0] == 0
    assert "sweep.csv" not in list_names(tmp_path)
    assert 'id="grids"' not in (tmp_path / "index.html").read_text()


def test_a_report_is_of_what_was_measured_or_swept_where_nothing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, sweep = tmp_path / "profile.json", tmp_path / "sweep.json"
    profile.write_text(render_profile(time_small()))
    sweep.write_text(render_sweep(make_published_sweep()))
    folder = tmp_path / "report"
    code, _, err = call(
        capsys, "report", "--profile", str(profile), "--sweep", str(sweep), "-o", str(folder)
    )
    assert (code, err) == (0, "")
    page = (folder / "index.html").read_text()
    assert "a made processor" in page
    assert "alpha=0.25" in page
    names = list_names(folder)
    assert {
        "profiles.json",
        "sweep.json",
        "figures/time.svg",
        "figures/tradeoff-latency.svg",
    } <= names


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-o", "-"), "-o takes a folder, given '-'"),
        (("mobilenet_v9",), "mobilenet_v9"),
        (("--no-grid", "--alpha", "1,0.5"), "several of --alpha are a grid, given --no-grid"),
        (
            ("--sweep", "grid.json", "--alpha", "1,0.5"),
            "several of --alpha are a grid, given --sweep grid.json",
        ),
        (("--sweep", "grid.json", "--no-grid"), "--no-grid is of a grid that is counted"),
        (("--alpha", "1,"), "axis alpha has an empty value"),
        (("--convention", "thopp"), "thop"),
        (("--source", "nobody"), "nobody"),
        (("--profile", "nowhere.json"), "nowhere.json"),
        (("squeezenet1_0", "--alpha", "1"), "alpha"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, "report", *arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused_before_anything_is_traced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("kept")
    for name in ("taken", "taken/below"):
        code, _, err = call(capsys, "report", "no_such_model", "-o", str(tmp_path / name))
        assert code == 2
        assert "Not a directory" in err
    assert (tmp_path / "taken").read_text() == "kept"


def test_the_files_of_a_folder_are_written_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("before")
    (tmp_path / "b.txt").mkdir()
    (tmp_path / "b.txt" / "inside").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        write_folder({"a.txt": b"after", "b.txt": b"after"}, str(tmp_path))
    assert (tmp_path / "a.txt").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "b.txt"}
    write_folder({"a.txt": b"after", "c/d.txt": b"new"}, str(tmp_path))
    assert (tmp_path / "a.txt").read_text() == "after"
    assert (tmp_path / "c" / "d.txt").read_text() == "new"


def test_strict_exits_1_where_work_is_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.py"
    net.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Unknown(nn.Module):\n"
        "    def forward(self, x):\n        return torch.linalg.svdvals(x)\n"
    )
    given = (f"{net}:Unknown", "--input", "1x4x4", "--strict", "-o", str(tmp_path / "report"))
    code, _, err = call(capsys, "report", *given)
    assert code == 1
    assert err.startswith("not counted: ")
    assert err.count("\n") == 1
    page = (tmp_path / "report" / "index.html").read_text()
    assert "work that no number here includes" in page
    assert "linalg_svd" in page


def test_a_report_in_the_place_of_another_leaves_none_of_its_files_and_all_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = (SMALL, "mobilenet_v1 alpha=0.25 resolution=160")
    assert call(capsys, "report", *networks, "-o", str(tmp_path))[0] == 0
    before = list_names(tmp_path)
    assert {"comparison.csv", "sweep.json", "figures/depth-2.svg"} <= before
    (tmp_path / "mine.txt").write_text("kept")
    (tmp_path / "profiles.json").write_text("measured, and named by no report")
    (tmp_path / "figures" / "mine.svg").write_text("kept")
    assert call(capsys, "report", SMALL, "--no-grid", "-o", str(tmp_path))[0] == 0
    assert list_names(tmp_path) == {
        *("index.html", "report.md", "layers.csv", "layers.json", "figures.csv", "figures.json"),
        *("figures/depth.svg", "figures/memory.svg"),
        *("mine.txt", "profiles.json", "figures/mine.svg"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "[a](../sweep.csv)",
        "[a](/sweep.csv)",
        "[a](figures/../../x.svg)",
        "[a](notes.txt)",
        "[a](index.html)",
        "sweep.csv",
        "",
    ],
)
def test_only_what_a_report_writes_and_the_earlier_one_names_is_stale(text: str) -> None:
    assert list_stale(text, ()) == ()
    assert list_stale(f"{text}[a](sweep.csv)[b](figures/depth-2.svg)", ("sweep.csv",)) == (
        "figures/depth-2.svg",
    )


@pytest.mark.parametrize("name", ["new/report", "taken"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_traced(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    (tmp_path / "taken" / "figures").mkdir(parents=True)
    shut = {tmp_path, tmp_path / "taken" / "figures"}

    def refuse(dir: Path) -> Any:
        if dir in shut:
            raise PermissionError(errno.EACCES, "Permission denied")
        return io.BytesIO()

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    code, _, err = call(capsys, "report", "no_such_model", "-o", str(tmp_path / name))
    assert code == 2
    assert "Permission denied" in err
    assert not (tmp_path / "new").exists()


def read_points(folder: Path) -> list[dict[str, Any]]:
    cells = json.loads((folder / "sweep.json").read_text())["cells"]
    return [own["point"] for own in cells]


@pytest.mark.parametrize(
    "given",
    [
        ("--alpha", "0.5", "--resolution", "160"),
        ("mobilenet_v1 alpha=0.5 resolution=160",),
        ("mobilenet_v1 alpha=0.5", "--resolution", "160"),
    ],
)
def test_one_alpha_is_the_networks_own_and_the_whole_grid_stands_around_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...]
) -> None:
    assert call(capsys, "report", *given, "-o", str(tmp_path))[0] == 0
    page = (tmp_path / "index.html").read_text()
    assert "alpha=0.5</code>" in page
    assert '<span class="about">76,524,800</span>' in page  # its MACs by closed forms
    points = read_points(tmp_path)
    assert len(points) == 16
    assert {"alpha": 0.5, "resolution": 160} in points


def test_several_alphas_are_the_grid_of_the_network_at_the_one_resolution_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--alpha", "0.5,0.25", "--resolution", "128", "-o", str(tmp_path))
    assert call(capsys, "report", "mobilenet_v1 alpha=0.75", *given)[0] == 0
    assert read_points(tmp_path) == [{"alpha": 0.5}, {"alpha": 0.25}]
    page = (tmp_path / "index.html").read_text()
    assert "alpha=0.75</code>" in page
    assert "input=1x3x128x128</code>" in page


def test_a_variant_has_the_grid_of_its_network_with_its_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variant = tmp_path / "narrow.toml"
    variant.write_text('model = "mobilenet_v1"\nalpha = 0.5\nresolution = 96\nnum_classes = 10\n')
    assert call(capsys, "report", str(variant), "-o", str(tmp_path / "out"))[0] == 0
    cells = json.loads((tmp_path / "out" / "sweep.json").read_text())["cells"]
    assert len(cells) == 16
    assert {own["spec"]["options"]["num_classes"] for own in cells} == {10}
    assert [own["spec"]["inputs"][0][-1] for own in cells[:4]] == [224, 192, 160, 128]
    assert not [own for own in cells if own.get("error")]


def test_a_network_of_an_input_of_its_own_has_no_grid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("mobilenet_v1 alpha=0.25", "--input", "1x3x64x96", "-o", str(tmp_path))
    assert call(capsys, "report", *given)[0] == 0
    assert "sweep.csv" not in list_names(tmp_path)


def test_cells_that_failed_or_are_missing_are_told_beside_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = make_published_sweep()
    failed = replace(whole.results[1], cost=None, accuracy=None, error="it broke")
    cut = replace(whole, results=(whole.results[0], failed), missing=14)
    file = tmp_path / "cut.json"
    file.write_text(render_sweep(cut))
    given = ("mobilenet_v1", "--sweep", str(file), "-o", str(tmp_path / "out"))
    code, _, err = call(capsys, "report", *given)
    assert code == 0
    assert err == (
        "failed: mobilenet_v1 alpha=1 resolution=192: it broke\n"
        "14 cells without a result yet: `sweep --resume` goes on.\n"
    )


def test_what_was_measured_stands_with_the_published_figures_of_its_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = mp.trace("mobilenet_v1", alpha=0.25, resolution=128)
    layers = {own.path: [1000] * 9 for own in trace.counted}
    file = tmp_path / "profile.json"
    file.write_text(render_profile(build_profile(trace, layers=layers)))
    assert call(capsys, "report", "--profile", str(file), "-o", str(tmp_path / "timed"))[0] == 0
    assert call(capsys, "report", SMALL, "--no-grid", "-o", str(tmp_path / "named"))[0] == 0
    figures = (tmp_path / "timed" / "figures.csv").read_text()
    assert figures.count("\n") > 2
    assert figures == (tmp_path / "named" / "figures.csv").read_text()


def test_options_of_a_model_need_one_beside_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "profile.json"
    file.write_text(render_profile(time_small()))
    code, _, err = call(capsys, "report", "--profile", str(file), "--alpha", "0.5")
    assert code == 2
    assert "a profile has its network" in err
