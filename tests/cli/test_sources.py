"""Any model and any input from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mobilenet_profiler.cli import run

CODE = """
print("imported")
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden, depth=2):
        super().__init__()
        print("built")
        self.body = nn.Sequential(nn.Linear(16, hidden), *[nn.Linear(hidden, hidden)] * depth)

    def forward(self, x, mask=None):
        print("run")
        return self.body(x)

def classify(num_classes=10, alpha=1.0):
    return nn.Sequential(
        nn.Conv2d(3, int(8 * alpha), 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(int(8 * alpha), num_classes),
    )

def make_inputs():
    return torch.ones(2, 16), torch.ones(2, dtype=torch.bool)
"""


@pytest.fixture(autouse=True)
def _nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def read_spec(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    code, out, err = call(capsys, "table", *arguments, "--format", "json")
    assert code == 0, err
    spec: dict[str, object] = json.loads(out)["spec"]
    return spec


def test_what_a_model_prints_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "table", "nets.py:Net", "--set", "hidden=8", "--format", "json")
    assert code == 0
    assert json.loads(out)["total"]["macs"] == 16 * 8 + 2 * 64
    assert err.split() == ["imported", "built", "run"]


def test_arguments_and_inputs_reach_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("nets.py:Net", "--set", "hidden=4", "--set", "depth=1")
    spec = read_spec(capsys, *given, "--input", "3x16", "--input", "mask=3x4:bool", "--train")
    assert spec == {
        "model": "nets.py:Net",
        "name": "nets.py:Net",
        "options": {"hidden": 4, "depth": 1},
        "mode": "train",
        "inputs": [[3, 16], [3, 4]],
        "arguments": ["3x16", "mask=3x4:bool"],
    }
    spec = read_spec(capsys, *given, "--inputs-from", "nets.py:make_inputs")
    assert spec["arguments"] == ["2x16", "2:bool"]


def test_options_of_the_zoo_reach_any_factory_and_size_its_image(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--classes", "7", "--alpha", "0.5", "--resolution", "32", "--batch", "2")
    spec = read_spec(capsys, "nets.py:classify", *options)
    assert spec["options"] == {"alpha": 0.5, "num_classes": 7}
    assert spec["inputs"] == [[2, 3, 32, 32]]
    spec = read_spec(capsys, "mobilenet_v1", "--set", "alpha=0.5", "--set", "resolution=96")
    assert (spec["options"], spec["inputs"]) == ({"alpha": 0.5}, [[1, 3, 96, 96]])


def test_inputs_override_the_size_in_a_variant(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "small.toml").write_text("resolution = 160\nalpha = 0.25\n")
    spec = read_spec(capsys, "small.toml", "--input", "1x3x96x96")
    assert (spec["name"], spec["inputs"]) == ("small", [[1, 3, 96, 96]])


def test_explain_takes_any_model(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "explain", "nets.py:classify", "0", "--resolution", "12")
    assert code == 0
    assert out.startswith("nets.py:classify input=1x3x12x12\n")
    assert "21,600" in out  # 10 x 10 outputs of 8 channels from 3 x 3 x 3 inputs


def test_a_factory_is_cross_checked(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("nets.py:classify", "--resolution", "12", "--cross-check", "--format", "json")
    code, _, err = call(capsys, "table", *given)
    assert code == 0
    assert err.count("21,680") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nets.py"], "name what to build after a ':'; it holds Net, classify, make_inputs"),
        (["nets.py:Net"], "needs hidden; give --set hidden=VALUE"),
        (["nets.py:Net", "--set", "hiden=3"], "did you mean 'hidden'"),
        (["nets.py:Net", "--set", "hidden"], "an argument must be key=value"),
        (["nets.py:Net", "--set", "hidden=1", "--set", "hidden=2"], "hidden is given twice"),
        (["nets.py:Net", "--alpha", "1"], "'alpha'; allowed: hidden, depth"),
        (["nets.py:Net", "--set", "hidden=x"], "cannot build nets.py:Net hidden=x: TypeError"),
        (["nets.py:classify", "--input", "1x3"], "failed in '0', which got 1x3, on input 1x3"),
        (["nets.py:classify", "--input", "1x-3"], "must be a shape such as"),
        (["nets.py:classify", "--input", "1x3:flot32"], "did you mean 'float32'"),
        (["nets.py:classify", "--input", "y=1x3"], "unknown input of Sequential.forward: 'y'"),
        (["nets.py:classify", "--input", "1x3", "--batch", "2"], "inputs, or batch for the"),
        (["nets.py:classify", "--inputs-from", "nets.py:make"], "did you mean 'make_inputs'"),
        (["weights.pth"], "'weights.pth' holds weights, not a network"),
        (["missing.py:Net"], "cannot read 'missing.py': No such file"),
        (["missing.module:net"], "cannot import 'missing.module': No module named 'missing'"),
        (["nets.Net"], "'nets.Net' names no factory; write 'nets:Net'"),
    ],
)
def test_a_wrong_model_or_input_gets_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, out, err = call(capsys, "table", *arguments)
    printed = ("imported", "built", "run")
    lines = [line for line in err.splitlines() if line not in printed]
    assert (code, out, len(lines)) == (2, "", 1), err
    assert message in err


@pytest.mark.parametrize("model", ["nowhere:", "weights.pt", "a.py:b c", "table.txt", "x.y"])
def test_a_source_that_cannot_be_is_refused_without_torch(model: str) -> None:
    check = (
        f"from mobilenet_profiler.cli import run; assert run(['table', {model!r}, '--set', 'a']) "
        "== 2\nimport sys\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def test_a_forward_that_exits_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "leaves.py"
    file.write_text(
        "import sys, torch\nclass Net(torch.nn.Module):\n"
        "    def forward(self, x):\n        sys.exit(0)\n"
    )
    assert run(["operations", f"{file}:Net", "--input", "4x4", "--strict"]) == 2
    assert "the forward pass failed in 'Net'" in capsys.readouterr().err
