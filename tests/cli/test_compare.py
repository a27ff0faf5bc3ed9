"""The command `compare`."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mobilenet_profiler.render.profile_json import render_profile, render_profiles
from tests.cli.test_commands import call
from tests.measured.building import build_profile
from tests.measured.test_comparing import AFTER, BEFORE

TWO = ("compare", "mobilenet_v1", "mobilenet_v1 alpha=0.75")
NETS = """
import torch
from torch import nn

class Unknown(nn.Module):
    def forward(self, x):
        return torch.linalg.svdvals(x)

def make(size=4):
    return nn.Linear(size, size)
"""


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize(
    "models",
    [
        ("mobilenet_v1", "mobilenet_v1 alpha=0.75 resolution=128"),
        ("mobilenet_v1", "conv_mobilenet_v1", "shallow_mobilenet_v1", "mobilenet_v1 alpha=.5"),
    ],
)
def test_no_line_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    models: tuple[str, ...],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for view in ((), ("--all",), ("--no-layers",), ("--convention", "flop_counter")):
        code, out, err = call(capsys, "compare", *models, *view)
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= width
        assert ("Conv2d_13" in out) == (view != ("--no-layers",))


def test_options_apply_to_every_model_and_a_text_overrides_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capsys, *TWO, "--alpha", "0.5", "--resolution", "128", "-f", "json")
    labels = [model["label"] for model in json.loads(out)["models"]]
    assert labels == [
        "mobilenet_v1 alpha=0.5 input=1x3x128x128",
        "mobilenet_v1 alpha=0.75 input=1x3x128x128",
    ]


def test_every_format_has_the_same_totals(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, *TWO, "-f", "json")
    data = json.loads(out)
    totals = [model["total"]["macs"] for model in data["models"]]
    assert totals == [568_740_352, 325_400_448]
    for rows in (data["kinds"], data["layers"]):
        for index, total in enumerate(totals):
            assert sum((row["costs"][index] or {"macs": 0})["macs"] for row in rows) == total
    _, out, _ = call(capsys, *TWO, "-f", "csv")
    for level in ("model", "kind", "layer"):
        lines = [line for line in csv.DictReader(io.StringIO(out)) if line["level"] == level]
        assert sum(int(line["macs"]) for line in lines) == sum(totals)
    _, out, _ = call(capsys, *TWO, "-f", "markdown")
    assert "| alpha=0.75 | 68.4% | 325,400,448 | 0.572 | 2,585,560 | 0.611 |" in out
    assert "- alpha=0.75: 61.1% of the params and 57.2% of the MACs of mobilenet\\_v1." in out
    for table in out.split("\n\n"):
        if table.startswith("|"):
            cells = {line.count(" | ") for line in table.splitlines() if line.startswith("|")}
            assert len(cells) == 1


def test_a_saved_trace_and_a_variant_are_models_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved, variant = tmp_path / "saved.json", tmp_path / "small.toml"
    call(capsys, "table", "--alpha", "0.75", "-f", "json", "-o", str(saved))
    variant.write_text("alpha = 0.5\nresolution = 160\n")
    code, out, _ = call(capsys, "compare", "mobilenet_v1", str(saved), str(variant), "-f", "json")
    names = [model["name"] for model in json.loads(out)["models"]]
    assert (code, names) == (0, ["mobilenet_v1", "mobilenet_v1 alpha=0.75", "small alpha=0.5"])
    thop = ("--convention", "thop")
    call(capsys, "table", "--alpha", "0.75", *thop, "-f", "json", "-o", str(saved))
    assert call(capsys, "compare", str(saved), "mobilenet_v1", *thop)[0] == 0


def test_uncounted_work_is_said_and_strict_exits_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strange_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    asked = ("compare", "strange_nets.py:make size=3 input=3x3", "strange_nets.py:Unknown")
    code, out, _ = call(capsys, *asked, "--input", "3x3")
    assert code == 0
    assert "strange_nets.py:Unknown: not counted: aten::_linalg_svd" in " ".join(out.split())
    code, out, err = call(capsys, *asked, "--input", "3x3", "--strict", "-f", "csv")
    assert code == 1
    assert "not counted" in err
    assert "not counted" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mobilenet_v1",), "two models or more, given 1"),
        (("mobilenet_v1", "mobilenet_v9"), "did you mean 'mobilenet_v"),
        (("mobilenet_v1", "mobilenet_v1 alfa=1"), "did you mean 'alpha'"),
        (("mobilenet_v1", "mobilenet_v1", "-f", "jsn"), "did you mean 'json'"),
        (("mobilenet_v1", "mobilenet_v1", "--convention", "kerass"), "did you mean 'keras'"),
        (("mobilenet_v1", "mobilenet_v1", "--no-layers", "--all"), "--all lists layers"),
        (("mobilenet_v1", "missing.json"), "cannot read 'missing.json': No such file"),
        (("mobilenet_v1", "{saved}", "--alpha", "1"), "options of a model do not apply to it"),
        (("mobilenet_v1", "{saved}", "--convention", "thop"), "counts in convention 'macs'"),
    ],
)
def test_wrong_use_gets_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    saved = tmp_path / "saved.json"
    call(capsys, "table", "-f", "json", "-o", str(saved))
    given = [argument.format(saved=saved) for argument in arguments]
    code, out, err = call(capsys, "compare", *given)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err


@pytest.fixture
def profiles(tmp_path: Path) -> tuple[str, str]:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(render_profile(BEFORE))
    after.write_text(render_profile(AFTER))
    return str(before), str(after)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_two_profiles_say_how_many_times_faster(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    profiles: tuple[str, str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for view in ((), ("--all",), ("--no-layers",)):
        code, out, err = call(capsys, "compare", *profiles, *view)
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= width
        assert "times faster" in out
        assert ("Conv2d_1.depthwise" in out) == (view != ("--no-layers",))
        assert ("Conv2d_0.norm" in out) == (view == ("--all",))


def test_every_format_of_two_profiles_has_the_same_ratio(
    capsys: pytest.CaptureFixture[str], profiles: tuple[str, str], tmp_path: Path
) -> None:
    code, out, err = call(capsys, "compare", *profiles, "-f", "json")
    assert (code, err) == (0, "")
    ratio = json.loads(out)["whole"][0]["ratio"]["value"]
    code, out, err = call(capsys, "compare", *profiles, "-f", "csv")
    (whole,) = (line for line in csv.DictReader(io.StringIO(out)) if line["level"] == "whole")
    assert float(whole["ratio"]) == ratio
    assert "times faster" in err
    code, out, err = call(capsys, "compare", *profiles, "-f", "markdown")
    assert f"| {ratio:.2f}" in out or f"| {ratio:.3f}" in out
    file = tmp_path / "out.md"
    assert call(capsys, "compare", *profiles, "-f", "markdown", "-o", str(file))[1] == ""
    assert file.read_text() == out


def test_profiles_are_compared_with_one_another_alone(
    capsys: pytest.CaptureFixture[str], profiles: tuple[str, str], tmp_path: Path
) -> None:
    before, after = profiles
    trace, several = tmp_path / "trace.json", tmp_path / "several.json"
    call(capsys, "table", "-f", "json", "-o", str(trace))
    batches = [build_profile(setup={"batch": batch}) for batch in (1, 8)]
    several.write_text(render_profiles(batches))
    for arguments, message in (
        ((before, "mobilenet_v1"), "holds a profile and 'mobilenet_v1' does not: give two files"),
        ((str(trace), after), "does not: give two files of `profile --save`, or models alone"),
        ((before, after, after), "profiles are compared by twos, before and after, given 3"),
        ((before, str(several)), "holds 2 profiles, of batches 1, 8; one is needed"),
        ((before, after, "--alpha", "1"), "is a profile already: options of a model do not apply"),
        ((before, after, "--values"), "is a profile already: --values does not apply to it"),
        ((before, after, "--source", "x"), "is a profile already: --source does not apply to it"),
        ((before, after, "--convention", "thop"), "--convention does not apply to it"),
        ((before,), "two models or more, given 1"),
        ((before, "missing.json"), "cannot read 'missing.json': No such file"),
    ):
        code, out, err = call(capsys, "compare", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert message in err


def test_comparing_profiles_imports_no_torch(profiles: tuple[str, str]) -> None:
    check = (
        f"from mobilenet_profiler.cli import run; assert run(['compare', *{profiles!r}]) == 0\n"
        f"assert run(['check', {profiles[0]!r}, '--max-latency', '1s']) == 0\n"
        "import sys; assert not {'torch', 'pandas', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
