"""`verify` and `published` as commands: what they print, what they refuse, their exit codes."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

import mobilenet_profiler as mp
from mobilenet_profiler.cli import run

VARIANT = """
alpha = 0.5
resolution = 160

[[figure]]
quantity = "macs"
printed = "76M"
convention = "paper"

[[figure]]
quantity = "params"
printed = "{params}"
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def write(folder: Path, params: str) -> str:
    file = folder / "my_variant.toml"
    file.write_text(VARIANT.format(params=params), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(("params", "code"), [("1.33M", 0), ("1.32M", 1)])
def test_a_variant_is_verified_against_the_figures_of_its_draft(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, params: str, code: int
) -> None:
    found, out, _ = call(capsys, "verify", write(tmp_path, params))
    assert found == code
    assert re.search(r"macs +76 M +76,524,800 +truncated", out)
    assert ("differs" in out) == (code == 1)
    if code:
        assert "my_variant.toml:12:my_variant/params" in "".join(out.split())


def test_expectations_stand_beside_the_figures_of_a_variant(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = call(capsys, "verify", write(tmp_path, "1.33M"), "--expect", "macs=77M")
    assert code == 0
    assert "3 figures: 3 agree" in out
    (tmp_path / "bare.toml").write_text("alpha = 0.5\n")
    code, out, _ = call(capsys, "verify", str(tmp_path / "bare.toml"), "--expect", "macs=149M")
    assert code == 0
    assert "1 figure: 1 agrees" in out


def test_the_figures_of_a_variant_do_not_hinder_its_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = call(capsys, "table", write(tmp_path, "1M"), "--format", "csv")
    assert code == 0
    assert sum(int(row["macs"]) for row in csv.DictReader(io.StringIO(out))) == 76_524_800


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--expect", "macs=32", "--expect", "params=40"), 0),
        (("--expect", "macs=33"), 1),
        (("--expect", "params=40", "--convention", "paper"), 1),  # kernels alone: 32
    ],
)
def test_any_source_is_verified_against_what_is_expected(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int
) -> None:
    options = ("--set", "in_features=4", "--set", "out_features=8", "--input", "1x4")
    assert call(capsys, "verify", "torch.nn:Linear", *options, *arguments)[0] == code


def test_figures_of_a_file_of_their_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "figures.csv"
    file.write_text("model,quantity,printed\nmobilenet_v1,macs,569M\n,params,4.2M\n")
    code, out, _ = call(capsys, "verify", "mobilenet_v1", "--figures", str(file))
    assert code == 0
    assert "2 figures: 2 agree (2 rounded), 0 differ." in out
    code, _, err = call(capsys, "verify", "--figures", str(file))
    assert code == 2
    assert "figures.csv:3: the figure names no model" in err


def test_a_model_with_options_is_verified_against_what_has_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = call(
        capsys, "verify", "mobilenet_v1 resolution=192", "--alpha", "0.75", "--format", "json"
    )
    data = json.loads(out)
    assert code == 0
    assert {figure["model"] for figure in data["figures"]} == {
        f"mobilenet_v1 alpha=0.75 resolution=192 num_classes={classes}" for classes in (120, 1001)
    }
    assert data["counts"]["differs"] == 0


def test_an_option_at_its_default_is_what_no_figure_spells_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("--alpha", "1.0", "--resolution", "224", "--classes", "1000")
    _, out, _ = call(capsys, "verify", "mobilenet_v1", *arguments, "--format", "json")
    assert {figure["model"] for figure in json.loads(out)["figures"]} == {"mobilenet_v1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mobilenet_v9",), "unknown model 'mobilenet_v9'"),
        (("torch.nn:Linear",), "no published figure speaks of 'torch.nn:Linear'; give --expect"),
        (("mobilenet_v1", "--alpha", "0.33"), "no published figure speaks of mobilenet_v1 alpha"),
        (("--expect", "macs=1M"), "--expect macs=1M needs a MODEL"),
        (("mobilenet_v1", "--expect", "macs"), "an expectation must be like macs=325M"),
        (("mobilenet_v1", "vgg16", "--expect", "macs=1M"), "are of one model, given 2"),
        (("--source", "the_paper"), "unknown source 'the_paper'"),
        (("vgg16", "--source", "slim_tests"), "source 'slim_tests' has no figure of what was"),
        (("--alpha", "0.5"), "options of a model need one: mobilenet-profiler verify MODEL"),
        (("mobilenet_v1", "--convention", "thop"), "--convention thop is that of --expect"),
        (("--format", "yaml"), "unknown format 'yaml'"),
        (("--explain", "nothing-of-the-kind"), "unknown figure 'nothing-of-the-kind'"),
        (("--explain", "table-4/mobilenet/top1"), "there is nothing to count"),
        (("mobilenet_v1", "--expect", "top1=70.6%"), "nothing to verify: top1 is no count"),
        (
            ("mobilenet_v1", "--expect", "macs=569M", "--expect", "macs=569M"),
            "the figure stands at --expect macs=569M already",
        ),
        (
            ("mobilenet_v1", "--expect", "macs=569M", "--source", "timm"),
            "source 'timm' is of published figures, given your own",
        ),
        (("--explain", "table-6", "--format", "csv"), "--explain does not apply to format 'csv'"),
        (("nowhere.toml",), "cannot read 'nowhere.toml'"),
    ],
)
def test_what_cannot_be_verified_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = call(capsys, "verify", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_the_summary_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "verify", "mobilenet_v1")
    lines = [line.split() for line in out.split("\n\n")[0].splitlines()]
    rows = [line for line in lines if len(line) == 6 and line[0] not in ("source", "total")]
    numbers = [[int(cell.replace(",", "")) for cell in line[1:]] for line in (*rows, lines[-1])]
    *sources, total = numbers
    assert code == 0
    assert [sum(column) for column in zip(*sources, strict=True)] == total
    assert all(sum(line[:4]) == line[4] for line in numbers)


@pytest.mark.parametrize("format", ["csv", "json", "junit", "markdown"])
def test_every_format_holds_the_same_verdicts(
    capsys: pytest.CaptureFixture[str], format: str, tmp_path: Path
) -> None:
    target = ("verify", write(tmp_path, "1.32M"), "--format", format)
    code, out, _ = call(capsys, *target)
    assert code == 1
    if format == "csv":
        found = [(row["quantity"], row["verdict"]) for row in csv.DictReader(io.StringIO(out))]
    elif format == "json":
        data = json.loads(out)
        found = [(figure["quantity"], figure["verdict"]) for figure in data["figures"]]
        assert data["counts"] == {"agrees": 1, "known difference": 0, "differs": 1, "listed": 0}
        assert data["agrees"] is False
    elif format == "junit":
        root = ElementTree.fromstring(out.encode())
        assert (root.get("tests"), root.get("failures")) == ("2", "1")
        cases = list(root.iter("testcase"))
        found = [
            (str(case.get("name")).rpartition("/")[2], "agrees" if len(case) == 0 else "differs")
            for case in cases
        ]
    else:
        lines = [line.split(" | ") for line in out.splitlines() if "my\\_variant/" in line]
        found = [
            (line[0].rpartition("/")[2], line[-1].partition(" ")[0].rstrip(":")) for line in lines
        ]
    assert found == [("macs", "agrees"), ("params", "differs")]


def test_explain_shows_every_convention_and_the_nearest_that_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = call(capsys, "verify", "--explain", "table-4/conv-mobilenet/macs")
    assert code == 0
    assert "4,867,293,184       +1,293,184" in out
    assert "What fits, the nearest first: as its known difference reads it (rounded)." in out
    for name in ("paper", "thop", "fvcore", "calflops-flops", "openvino"):
        assert name in out


def test_explain_tries_other_numbers_of_classes_where_no_convention_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # 1,331,592 and 1,332,105 numbers: with 1000 classes and with 1001.
    arguments = ("mobilenet_v1 alpha=0.5", "--expect", "params=1,332,105", "--explain", "params")
    code, out, _ = call(capsys, "verify", *arguments)
    assert code == 1  # as without --explain: 1,331,592 are counted
    assert "What fits, the nearest first: macs" in out
    assert "num_classes=1001 (exact)." in " ".join(out.split())


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "mobilenet_v1", "--all"),
        ("verify", "mobilenet_v1"),
        ("verify", "--explain", "table-4/conv-mobilenet/macs"),
        ("published", "--model", "mobilenet_v1"),
        ("published", "--source", "tflite_hosted_models"),
    ],
)
def test_no_view_is_wider_than_the_terminal_or_cuts_a_number(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = call(capsys, *arguments)
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out


def test_published_lists_figures_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "published", "--model", "shallow_mobilenet_v1")
    assert code == 0
    assert "arXiv 1704.04861" in out
    assert "307 M" in out
    assert out.endswith("3 figures.\n")


@pytest.mark.parametrize("format", ["csv", "json", "markdown"])
def test_published_files_hold_every_figure_as_it_was_printed(
    capsys: pytest.CaptureFixture[str], format: str
) -> None:
    _, out, _ = call(capsys, "published", "--source", "mobilenet_v1_md", "--format", format)
    if format == "csv":
        printed = [row["printed"] for row in csv.DictReader(io.StringIO(out))]
    elif format == "json":
        data = json.loads(out)
        printed = [figure["printed"] for figure in data["figures"]]
        assert list(data["sources"]) == ["mobilenet_v1_md"]
        assert sum(1 for figure in data["figures"] if figure["known_difference"]) == 10
    else:
        rows = [line.split(" | ") for line in out.splitlines() if line.startswith("| ")][2:]
        printed = [row[4].split(" ")[0] for row in rows]
    assert printed == [
        figure.printed for figure in mp.list_figures() if figure.source == "mobilenet_v1_md"
    ]


def test_from_python_a_module_a_trace_a_name_and_a_file_are_verified(tmp_path: Path) -> None:
    layer = torch.nn.Conv2d(3, 8, 3)
    assert mp.verify(layer, (1, 3, 8, 8), expect={"macs": "7,776", "params": "224"}).agrees
    assert not mp.verify(layer, (1, 3, 8, 8), expect=["macs=7,777"]).agrees
    assert mp.verify(mp.trace("mobilenet_v1"), expect={"macs": "568.74M"}).agrees
    assert mp.verify("mobilenet_v1", alpha=0.75, expect={"macs": "325M"}).agrees
    assert mp.verify(write(tmp_path, "1.33M")).agrees
    known = mp.verify("shallow_mobilenet_v1", source="mobilenet_v1_paper")
    assert known.count() == {"agrees": 2, "known difference": 0, "differs": 0, "listed": 1}
    assert "307,323,392" in str(known)
    assert mp.verify("mobilenet_v1", expect="macs=569M", figures=())


@pytest.mark.parametrize(
    "given",
    [
        {"model": torch.nn.Linear(2, 2), "inputs": (1, 2)},
        {"model": "mobilenet_v1", "inputs": (1, 3, 128, 128)},
        {"model": "mobilenet_v1", "convention": "thop"},
    ],
)
def test_from_python_what_would_be_ignored_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(mp.UsageError, match="go with expect or figures"):
        mp.verify(**given)


def test_a_trace_takes_no_options() -> None:
    with pytest.raises(mp.UsageError, match="has its inputs and options already"):
        mp.verify(mp.trace("mobilenet_v1"), alpha=0.5, expect=["macs=1M"])


def test_a_notebook_shows_every_figure_escaped() -> None:
    layer = torch.nn.Linear(4, 8)
    known = mp.verify(layer, (1, 4), expect=["macs=32", "macs_share@fully connected=100%"])
    shown = known._repr_html_()
    root = ElementTree.fromstring(f"<div>{shown}</div>")
    rows = [[cell.text for cell in row] for row in root.iter("tr")]
    assert rows[0] == ["figure", "network", "printed", "counted", "convention", "verdict"]
    assert [row[2:4] for row in rows[1:]] == [["32", "32"], ["100 %", "100.0000 %"]]
    assert "2 figures: 2 agree" in shown
