"""`mobilenet-profiler profile`: what it refuses, what it measures, where it writes."""

import csv
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilenet_profiler.cli import progress, run
from mobilenet_profiler.measured import kept
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.roofline import Ceiling
from mobilenet_profiler.spec import ModelSpec
from tests.profiles import make_ceiling, make_profile, trace_small

command = importlib.import_module("mobilenet_profiler.cli.profile")


class Measuring:
    """Stands in for the measurement: notes what it was asked for, gives profiles by hand."""

    def __init__(self) -> None:
        self.specs: list[ModelSpec] = []
        self.how: dict[str, Any] = {}

    def __call__(self, specs: Sequence[ModelSpec], how: dict[str, Any]) -> tuple[Profile, ...]:
        self.specs, self.how = list(specs), how
        trains = how["mode"] == "train"
        return tuple(
            make_profile(trace_small(1 if trains else spec.batch or 1, trains), training=trains)
            if trains
            else make_profile(trace_small(spec.batch or 1), batch=spec.batch or 1)
            for spec in specs
        )


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Measuring:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv(kept.FOLDER_VARIABLE, str(tmp_path / "cache"))
    stand_in = Measuring()
    monkeypatch.setattr(command, "measure", stand_in)
    return stand_in


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["profile", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


REFUSED = [
    (["--batch", "0"], "--batch must be whole numbers of at least 1"),
    (["--batch", "1,,8"], "given '1,,8'"),
    (["--batch", "eight"], "such as 8 or 1,8,32, given 'eight'"),
    (["--mode", "trian"], "did you mean 'train'"),
    (["--optimizer", "adam", "--mode", "train"], "did you mean 'adamw'"),
    (["--optimizer", "sgd"], "--optimizer is of --mode train"),
    (["--device", "gpu"], "unknown device 'gpu'"),
    (["--device", "cuda:x"], "allowed: cpu, cuda, mps, cuda:N"),
    (["--dtype", "float64"], "unknown dtype 'float64'"),
    (["--threads", "0"], "--threads must be at least 1, given 0"),
    (["--threads", "2", "--device", "cuda"], "--threads is of device 'cpu'"),
    (["--warmup", "-1"], "--warmup must be at least 0"),
    (["--seed", "-1"], "--seed must be at least 0"),
    (["--iterations", "1"], "--iterations must be at least 2"),
    (["--min-time", "0"], "--min-time must be seconds above 0"),
    (["--min-time", "nan"], "--min-time must be seconds above 0"),
    (["--precision", "0.02"], "such as 2%, given '0.02'"),
    (["--precision", "0%"], "such as 2%, given '0%'"),
    (["--iterations", "8", "--min-time", "1"], "given --iterations and --min-time"),
    (["--precision", "2%", "--min-time", "1"], "given --min-time and --precision"),
    (["--format", "html"], "unknown format 'html'"),
    (["--format", "json", "--top", "3"], "--top does not apply to format 'json'"),
    (["--format", "json", "--all"], "--all does not apply to format 'json'"),
    (["--by", "kinds"], "did you mean 'kind'"),
    (["--sort", "tiem"], "did you mean 'time'"),
    (["--sort", "activations"], "allowed: time, macs, params, name"),
    (["--top", "0"], "--top must be at least 1"),
    (["--depth", "1", "--by", "kind"], "--depth or --by, not both"),
    (["mobilenet_v11"], "did you mean 'mobilenet_v1'"),
    (["--input", "1x3x8x8", "--batch", "2"], "give inputs, or batch"),
    (["--save", "-"], "--save takes a file"),
    (["--save", "/nonexistent/run.json"], "cannot write '/nonexistent/run.json'"),
    (["--trace-out", "/nonexistent/a.json", "--batch", "1,2"], "/nonexistent/a.batch1.json"),
    (["-o", "/nonexistent/table.txt"], "cannot write '/nonexistent/table.txt'"),
    (["--save", "."], "Is a directory"),
    (["--save", "a.json", "--trace-out", "./a.json"], "--save and --trace-out name one file"),
    (["--plot", "roofline.jpg"], ".png, .svg, .pdf"),
    (["--plot", "roofline.png", "--no-ceiling"], "given --no-ceiling"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    REFUSED,
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_used_gets_one_line_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str],
    measuring: Measuring,
    arguments: list[str],
    message: str,
) -> None:
    code, out, err = call(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err
    assert not measuring.specs


def test_refusing_and_help_import_no_torch() -> None:
    lines = [arguments for arguments, _ in REFUSED] + [["--help"]]
    script = (
        "import sys; from mobilenet_profiler.cli import run\n"
        f"codes = {{run(['profile', *arguments]) for arguments in {lines!r}}}\n"
        "assert codes == {0, 2}, codes\n"
        "assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_options_of_the_model_and_of_the_run_reach_the_measurement(
    capsys: pytest.CaptureFixture[str], measuring: Measuring
) -> None:
    options = ["--alpha", "0.5", "--resolution", "96", "--batch", "1, 8", "--dtype", "bfloat16"]
    options += ["--threads", "2", "--channels-last", "--compile", "--precision", "2.5 %"]
    options += ["--warmup", "0", "--seed", "7"]
    assert call(capsys, *options)[0] == 0
    assert [spec.input_shape for spec in measuring.specs] == [(1, 3, 96, 96), (8, 3, 96, 96)]
    assert {spec.options["alpha"] for spec in measuring.specs} == {0.5}
    assert {spec.mode for spec in measuring.specs} == {"eval"}
    assert measuring.how == {
        **{"device": "cpu", "dtype": "bfloat16", "threads": 2, "channels_last": True},
        **{"compile": True, "mode": "inference", "optimizer": "rmsprop", "warmup": 0, "seed": 7},
        "precision": 0.025,
    }


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ((), {}),
        (("--iterations", "20"), {"iterations": 20}),
        (("--min-time", "0.5"), {"min_time": 0.5}),
    ],
)
def test_one_rule_at_most_ends_the_measurement(
    capsys: pytest.CaptureFixture[str],
    measuring: Measuring,
    given: tuple[str, ...],
    rule: dict[str, float],
) -> None:
    call(capsys, *given)
    rules = ("iterations", "min_time", "precision")
    assert {name: measuring.how[name] for name in rules if name in measuring.how} == rule


def test_training_has_the_settings_of_the_reference(
    capsys: pytest.CaptureFixture[str], measuring: Measuring
) -> None:
    _, out, _ = call(capsys, "--mode", "train")
    (spec,) = measuring.specs
    assert (spec.mode, spec.batch, spec.options["num_classes"]) == ("train", 64, 1001)
    assert measuring.how["optimizer"] == "rmsprop"
    assert "an epoch" in out
    call(capsys, "--mode", "train", "--batch", "8", "--classes", "10", "--optimizer", "sgd")
    (spec,) = measuring.specs
    assert (spec.batch, spec.options["num_classes"]) == (8, 10)
    assert measuring.how["optimizer"] == "sgd"


def test_the_table_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = call(capsys)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "latency" in out
    assert out.count("by kind") == 1


def test_rows_are_grouped_sorted_and_cut(
    capsys: pytest.CaptureFixture[str], measuring: Measuring
) -> None:
    _, out, _ = call(capsys, "--sort", "time", "--top", "2", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    times = [int(row["time_ns"]) for row in rows[:2]]
    assert times == sorted(times, reverse=True)
    assert [row["layer"] for row in rows[2:]] == ["32 more", "between layers"]
    _, out, _ = call(capsys, "--by", "kind")
    assert "by kind" not in out
    assert "pointwise 1x1 x13" in out
    _, out, _ = call(capsys, "--sort", "macs")
    assert "╭" not in out


def test_several_batches_are_compared_and_their_layers_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], measuring: Measuring
) -> None:
    _, out, _ = call(capsys, "--batch", "1,8")
    assert "batches 1, 8" in out.splitlines()[0]
    assert "Conv2d_0" not in out
    _, out, _ = call(capsys, "--batch", "1,8", "--by", "layer")
    assert out.count("Conv2d_0 ") == 2
    _, out, _ = call(capsys, "--batch", "1,8", "--format", "markdown", "--top", "3")
    assert out.count("| Conv2d\\_0 |") == 2
    _, out, _ = call(capsys, "--batch", "1,8", "--format", "csv")
    assert {row["batch"] for row in csv.DictReader(io.StringIO(out))} == {"1", "8"}


def test_the_same_batch_twice_is_measured_once(
    capsys: pytest.CaptureFixture[str], measuring: Measuring
) -> None:
    call(capsys, "--batch", "8,1,8")
    assert [spec.batch for spec in measuring.specs] == [8, 1]


def test_a_ceiling_that_is_not_known_is_said_with_the_command_that_measures_it(
    capsys: pytest.CaptureFixture[str], measuring: Measuring
) -> None:
    _, out, err = call(capsys)
    assert "`mobilenet-profiler ceiling --threads 1`" in " ".join(out.split())
    _, out, err = call(capsys, "--format", "csv")
    assert "mobilenet-profiler ceiling" in err
    assert "mobilenet-profiler ceiling" not in out
    _, out, err = call(capsys, "--no-ceiling")
    assert "mobilenet-profiler ceiling" not in out + err


@pytest.mark.parametrize("threads", [1, 4])
def test_a_ceiling_of_the_same_threads_is_drawn_on(
    capsys: pytest.CaptureFixture[str],
    measuring: Measuring,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    found = make_ceiling(threads=threads)
    monkeypatch.setattr(kept, "find_ceiling", lambda *given: found)
    _, out, _ = call(capsys)
    assert ("bound by" in out) == (threads == 1)
    assert ("mobilenet-profiler ceiling" in out) == (threads != 1)


def test_every_file_is_written_beside_the_table(
    capsys: pytest.CaptureFixture[str], measuring: Measuring, tmp_path: Path
) -> None:
    save, trace, table = (tmp_path / name for name in ("run.json", "pass.json", "table.txt"))
    code, out, err = call(capsys, "--save", f"{save}", "--trace-out", f"{trace}", "-o", f"{table}")
    assert (code, out, err) == (0, "", "")
    assert json.loads(save.read_text())["kind"] == "profile"
    assert json.loads(trace.read_text())["traceEvents"]
    assert "latency" in table.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "pass.json",
        "run.json",
        "table.txt",
    ]


def test_what_was_saved_is_shown_again_without_measuring(
    capsys: pytest.CaptureFixture[str], measuring: Measuring, tmp_path: Path
) -> None:
    save, trace = tmp_path / "run.json", tmp_path / "pass.json"
    _, first, _ = call(capsys, "--save", str(save), "--sort", "time", "--top", "3")
    measuring.specs = []
    options = ("--sort", "time", "--top", "3", "--trace-out", str(trace))
    code, again, err = call(capsys, str(save), *options)
    assert (code, again, err) == (0, first, "")
    assert json.loads(trace.read_text())["traceEvents"]
    for option in (("--alpha", "1"), ("--batch", "8"), ("--seed", "1"), ("--iterations", "9")):
        code, out, err = call(capsys, str(save), *option)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "is measured: options of a model or of a run do not apply" in err
    assert not measuring.specs


def test_a_roofline_is_drawn_below_the_ceiling(
    capsys: pytest.CaptureFixture[str],
    measuring: Measuring,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(kept, "find_ceiling", lambda *given: make_ceiling())
    plot = tmp_path / "roofline.svg"
    assert call(capsys, "--batch", "1,8", "--plot", str(plot))[0] == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["roofline.batch1.svg", "roofline.batch8.svg"]
    assert "GMAC/s" in (tmp_path / names[0]).read_text()


def test_a_plot_measures_a_ceiling_that_is_not_known_but_not_of_another_machine(
    capsys: pytest.CaptureFixture[str],
    measuring: Measuring,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked = []

    def prepare(device: str, threads: int) -> Ceiling:
        asked.append((device, threads))
        return make_ceiling()

    module = importlib.import_module("mobilenet_profiler.cli.ceiling")
    monkeypatch.setattr(module, "prepare_ceiling", prepare)
    save, plot = tmp_path / "run.json", tmp_path / "roofline.png"
    code, out, _ = call(capsys, "--save", str(save), "--plot", str(plot))
    assert (code, asked) == (0, [("cpu", 1)])
    assert "bound by" in out
    plot.unlink()
    code, out, err = call(capsys, str(save), "--plot", str(plot))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "none kept" in err
    assert len(asked) == 1
    assert not plot.exists()


def test_a_trace_is_written_for_each_batch_and_samples_in_one_file(
    capsys: pytest.CaptureFixture[str], measuring: Measuring, tmp_path: Path
) -> None:
    save, trace = tmp_path / "run.json", tmp_path / "pass.json"
    call(capsys, "--batch", "1,8", "--save", str(save), "--trace-out", str(trace))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["pass.batch1.json", "pass.batch8.json", "run.json"]
    assert len(json.loads(save.read_text())["profiles"]) == 2


def test_a_name_that_cannot_be_written_leaves_others_as_they_were(
    capsys: pytest.CaptureFixture[str], measuring: Measuring, tmp_path: Path
) -> None:
    save = tmp_path / "run.json"
    save.write_text("mine")
    code, _, _ = call(capsys, "--save", str(save), "--trace-out", str(tmp_path / "no" / "a.json"))
    assert code == 2
    assert save.read_text() == "mine"
    assert not measuring.specs


def test_json_holds_every_sample_and_warnings_go_to_stderr(
    capsys: pytest.CaptureFixture[str], measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = replace(make_profile(), settled=False)
    monkeypatch.setattr(command, "measure", lambda specs, how: (cold,))
    code, out, err = call(capsys, "--format", "json", "--no-ceiling")
    data = json.loads(out)
    assert code == 0
    assert data["clean"]["wall"] == [sample.wall for sample in cold.clean]
    assert "passes still got faster" in err


def test_a_bar_is_shown_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.show_progress("net") as tell:
        tell(0.5, "round 3")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress.show_progress("net[1]") as tell:
        tell(0.5, "round 3")
        tell(1.0, "round 6")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "net[1]" in captured.err
    assert "100%" in captured.err


def test_a_network_is_measured_and_what_it_prints_is_kept_from_stdout(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv(kept.FOLDER_VARIABLE, str(tmp_path))
    net = tmp_path / "net.py"
    net.write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 1))\n"
        "    def forward(self, x):\n"
        "        print('noise')\n"
        "        return super().forward(x)\n"
    )
    options = ("--input", "2x3x16x16", "--threads", "1", "--iterations", "12", "--warmup", "1")
    code, out, err = call(capsys, f"{net}:Net", *options)
    assert code == 0, err
    assert "noise" not in out
    assert "noise" in err
    assert max(map(len, out.splitlines())) <= 80
    for name in ("relu", "between layers", "latency", "closing error", "images/s"):
        assert name in out
