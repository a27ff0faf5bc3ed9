"""The command `check`: what it prints, and what it exits with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import call
from tests.cli.test_compare import NETS


@pytest.fixture
def baseline(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> str:
    file = tmp_path / "baseline.json"
    assert call(capsys, "table", "--alpha", "0.75", "-f", "json", "-o", str(file))[0] == 0
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--max-macs", "600M"), 0),
        (("--max-macs", "568,740,352", "--max-params", "4_231_976"), 0),
        (("--max-macs", "568,740,351"), 1),
        (("--max-macs", "1e9", "--max-params", "4.2M"), 1),
        (("--max-weights", "4,209,088", "--max-activations", "5,043,688"), 0),
        (("--max-activations", "5M"), 1),
        (("--max-macs", "300M", "--alpha", "0.5"), 0),
        (("--max-macs", "568,740,352", "--convention", "thop", "--explicit-padding"), 1),
        (("--max-macs", "588,914,103", "--convention", "thop", "--explicit-padding"), 0),
    ],
)
def test_it_exits_0_within_and_1_over(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int
) -> None:
    given, out, err = call(capsys, "check", *arguments)
    assert (given, err) == (code, "")
    assert ("over budget" if code else "within budget") in out


def test_a_baseline_alone_is_the_limit_and_shows_growth(
    capsys: pytest.CaptureFixture[str], baseline: str
) -> None:
    assert call(capsys, "check", "mobilenet_v1 alpha=0.75", "--baseline", baseline)[0] == 0
    code, out, _ = call(capsys, "check", "--baseline", baseline)
    assert code == 1
    assert "+243,339,904    +74.78" in out
    assert "28,901,376 → 51,380,224" in out
    assert "alpha: 0.75 → not given" in " ".join(out.split())
    assert call(capsys, "check", "--baseline", baseline, "--max-macs", "600M")[0] == 0


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, baseline: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    limits = ("--max-macs", "1M", "--max-params", "1k", "--max-activations", "1", "--max-weights=1")
    for arguments in (limits, (*limits, "--baseline", baseline), ("--baseline", baseline)):
        for model in ("mobilenet_v1", "conv_mobilenet_v1"):
            _, out, _ = call(capsys, "check", model, *arguments)
            assert max(map(len, out.splitlines())) <= width


@pytest.mark.parametrize("format", ["table", "markdown", "github", "json"])
def test_every_format_says_the_verdict_and_exits_alike(
    capsys: pytest.CaptureFixture[str], format: str, baseline: str
) -> None:
    asked = ("check", "--max-macs", "300M", "--baseline", baseline, "-f", format)
    code, out, _ = call(capsys, *asked)
    assert code == 1
    if format == "json":
        assert json.loads(out)["limits"][0]["excess"] == 268_740_352
    else:
        assert "over by 268,740,352" in out
    assert ("<details>" in out) == (format == "github")


def test_uncounted_work_is_said_and_strict_exits_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    asked = ("check", "odd_nets.py:Unknown", "--input", "3x3", "--max-macs", "1")
    for format in ("table", "markdown", "github"):
        code, out, _ = call(capsys, *asked, "-f", format)
        assert code == 0
        assert "work is left that is not counted" in " ".join(out.split())
        assert call(capsys, *asked, "-f", format, "--strict")[0] == 1
    assert json.loads(call(capsys, *asked, "-f", "json")[1])["uncounted"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to check: give --max-macs, --max-params or --baseline"),
        (("--max-macs", "4,3M"), "--max-macs must be a whole number above 0, such as 300M"),
        (("--max-params", "0"), "--max-params must be a whole number above 0"),
        (("--max-macs", "-5"), "--max-macs must be a whole number above 0"),
        (("--baseline", "missing.json"), "cannot read 'missing.json': No such file"),
        (("--max-macs", "1M", "-f", "githb"), "did you mean 'github'"),
        (("--max-macs", "1M", "--top", "0"), "--top must be at least 1, given 0"),
        (("--max-macs", "1M", "--convention", "tohp"), "did you mean 'thop'"),
        (("--max-macs", "1M", "mobilenet"), "did you mean"),
        (("--baseline", "{baseline}", "--convention", "thop"), "counts in convention 'macs'"),
    ],
)
def test_wrong_use_gets_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str, baseline: str
) -> None:
    given = [argument.format(baseline=baseline) for argument in arguments]
    code, out, err = call(capsys, "check", *given)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "--help"],
        ["compare", "mobilenet_v1", "nonsense"],
        ["check", "--help"],
        ["check", "--max-macs", "few"],
        ["check", "--baseline", "missing.json"],
    ],
)
def test_help_and_refusals_import_nothing_heavy(arguments: list[str]) -> None:
    heavy = ("torch", "pandas", "matplotlib", "fvcore", "numpy")
    check = (
        f"from mobilenet_profiler.cli import run; run({arguments!r})\nimport sys\n"
        f"assert not set({heavy!r}) & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
