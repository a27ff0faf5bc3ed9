"""`operations` on the command line."""

import json
from pathlib import Path

import pytest

from mobilenet_profiler.cli import run
from mobilenet_profiler.trace.policy import RULES


def test_the_ledger_of_the_reference_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["operations", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["total"]["macs"] == 568_740_352
    assert data["uncounted"] == []


def test_every_rule_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["operations", "--rules"]) == 0
    shown = capsys.readouterr().out
    assert all(rule in shown for rule in RULES)
    assert "aten::batch_norm" in shown


def test_strict_fails_on_unknown_work_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\nclass Net(torch.nn.Module):\n"
        "    def forward(self, x):\n        return torch.linalg.svdvals(x)\n"
    )
    command = ["operations", f"{file}:Net", "--input", "4x4", "--strict", "--format", "csv"]
    assert run(command) == 1
    assert "aten::_linalg_svd x1 at net.py:4" in capsys.readouterr().err
    assert run(command[:-3]) == 0


def test_an_unknown_format_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["operations", "--format", "jsn"]) == 2
    assert "did you mean 'json'" in capsys.readouterr().err
