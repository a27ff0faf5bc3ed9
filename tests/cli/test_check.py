"""The command `check`: what it prints, and what it exits with."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.render.profile_json import render_profile
from mobilenet_profiler.spec import ModelSpec
from tests.cli.test_commands import call
from tests.cli.test_compare import NETS
from tests.measured.building import build_profile


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
        ((), "nothing to check: give --max-macs, --max-params, --max-latency or --baseline"),
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


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """Passes of 19.0 to 21.0 ms: of twenty the 6th and the 15th hold the median, 20 +- 0.495."""
    file = tmp_path / "run.json"  # in an order in which none is like the ones before
    times = random.Random(1).sample(range(18_955_000, 21_155_000, 110_000), 20)
    file.write_text(render_profile(build_profile(clean=times)))
    return str(file)


@pytest.mark.parametrize(
    ("limit", "code", "verdict"),
    [
        ("25ms", 0, "latency  20.0 ± 0.5 ms    25 ms    80  within"),
        ("20.1ms", 0, "latency  20.0 ± 0.5 ms  20.1 ms   100  undecided"),
        ("18000us", 1, "latency  20.0 ± 0.5 ms    18 ms   111  over by 2.0 ± 0.5 ms"),
    ],
)
def test_a_latency_fails_only_where_the_data_shows_it(
    capsys: pytest.CaptureFixture[str], saved: str, limit: str, code: int, verdict: str
) -> None:
    given, out, err = call(capsys, "check", saved, "--max-latency", limit)
    assert (given, err) == (code, "")
    assert re.sub(" +", " ", verdict) in re.sub(" +", " ", out), out
    assert "median of 20 clean passes, inference cpu float32 threads=1" in out
    assert ("--iterations 990 may decide" in " ".join(out.split())) == (limit == "20.1ms")
    first = out.splitlines()[0]
    ends = {"25ms": ": within budget", "20.1ms": ": latency undecided"}
    assert first.endswith(ends.get(limit, "over budget: latency by 2.0 ± 0.5 ms"))


@pytest.mark.parametrize("format", ["table", "markdown", "github", "json"])
def test_every_format_says_the_latency_with_its_interval_and_the_verdict(
    capsys: pytest.CaptureFixture[str], saved: str, format: str
) -> None:
    asked = ("check", saved, "--max-latency", "20ms", "--max-macs", "1", "-f", format)
    code, out, _ = call(capsys, *asked)
    assert code == 1
    if format == "json":
        latency = json.loads(out)["latency"]
        assert (latency["value"], latency["limit"]) == (20_000_000, 20_000_000)
        assert (latency["low"], latency["high"]) == (19_505_000, 20_495_000)
        assert (latency["verdict"], latency["passes"], latency["unit"]) == ("undecided", 20, "ns")
    else:
        assert "20.0 ± 0.5 ms" in out
        assert "latency undecided" in " ".join(out.split())
        assert "holds the limit, so the check passes" in " ".join(out.split())


def test_a_saved_profile_has_a_trace_to_check_too(
    capsys: pytest.CaptureFixture[str], saved: str, baseline: str
) -> None:
    assert call(capsys, "check", saved, "--max-macs", "1G")[0] == 0
    assert call(capsys, "check", saved, "--max-macs", "1k")[0] == 1
    code, out, _ = call(capsys, "check", saved, "--max-latency", "1s", "--baseline", baseline)
    assert code == 0
    assert re.search(r"MACs +[\d,]+ +325,400,448", out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{saved}",), "nothing to check: give --max-macs, --max-params, --max-latency or"),
        (("{saved}", "--max-latency", "20"), "--max-latency must be a time above 0 with its unit"),
        (("{saved}", "--max-latency", "1s", "--alpha", "1"), "options of a model do not apply"),
        (("{saved}", "--max-latency", "1s", "--threads", "2"), "--threads does not apply to it"),
        (("{saved}", "--max-latency", "1s", "--iterations", "9"), "--iterations does not apply"),
        (("{saved}", "--max-macs", "1", "--convention", "thop"), "--convention does not apply"),
        (("{baseline}", "--max-latency", "1s"), "holds a trace, which has no times: give a model"),
        (("--max-macs", "1M", "--device", "cpu"), "--device is of --max-latency, which is not"),
        (("--max-macs", "1M", "--iterations", "9"), "--iterations is of --max-latency"),
        (("--max-latency", "1s", "--train"), "--max-latency is of inference, given --train"),
        (("--max-latency", "1s", "--device", "gpu"), "unknown device 'gpu'"),
        (("--max-latency", "1s", "--dtype", "float31"), "did you mean 'float32'"),
        (("--max-latency", "1s", "--threads", "0"), "--threads must be at least 1, given 0"),
        (("--max-latency", "1s", "--iterations", "1"), "--iterations must be at least 2"),
        (
            ("--max-latency", "1s", "--iterations", "10"),
            "--iterations must be at least 12 to decide a latency, given 10",
        ),
        (("--max-latency", "1s", "--threads", "100000"), "--threads must be at most"),
        (("--max-macs", "1", "--baseline", "{saved}"), "holds a profile, not a trace"),
    ],
)
def test_a_latency_that_cannot_be_checked_gets_one_line(
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
    saved: str,
    baseline: str,
) -> None:
    given = [argument.format(saved=saved, baseline=baseline) for argument in arguments]
    code, out, err = call(capsys, "check", *given)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err


def test_a_model_is_measured_as_it_was_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mobilenet_profiler as mp

    asked: list[tuple[Sequence[ModelSpec], dict[str, Any]]] = []

    def profile_specs(specs: Sequence[ModelSpec], **how: Any) -> tuple[Profile, ...]:
        asked.append((specs, {name: value for name, value in how.items() if name != "on_progress"}))
        return (build_profile(mp.trace(specs[0])),)

    monkeypatch.setattr("mobilenet_profiler.timing.profiler.profile_specs", profile_specs)
    how = ("--device", "cpu", "--dtype", "float32", "--threads", "1", "--iterations", "40")
    model = ("mobilenet_v1", "--alpha", "0.25", "--batch", "2")
    code, out, _ = call(capsys, "check", *model, "--max-latency", "2ms", *how)
    assert code == 0
    assert "1.000 ms" in out
    ((spec,), options) = asked[0]
    assert (spec.label, options) == (
        "mobilenet_v1 alpha=0.25 input=2x3x224x224",
        {"device": "cpu", "dtype": "float32", "threads": 1, "iterations": 40},
    )


def test_a_small_network_is_measured_in_earnest(capsys: pytest.CaptureFixture[str]) -> None:
    small = ("mobilenet_v1", "--alpha", "0.25", "--resolution", "32", "--global-pool")
    code, out, _ = call(capsys, "check", *small, "--max-latency", "1000s", "--iterations", "12")
    assert code == 0
    assert "median of 6 clean passes" in out
    assert "within budget" in out
