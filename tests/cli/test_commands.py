"""What the command line prints, refuses and writes."""

import csv
import importlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mobilenet_profiler.cli import output, run
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.zoo.catalogue import list_models

VARIANT = """
name = "narrow"
alpha = 0.5
resolution = 160
num_classes = 10
global_pool = true
explicit_padding = true

[[rows]]
type = "Conv"
kernel = [3, 3]
stride = 2
depth = 32

[[rows]]
type = "DepthSepConv"
kernel = 5
depth = 64
"""


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json_is_one_object_with_exact_integers(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "table", "--format", "json")
    data = json.loads(out)
    assert (code, err) == (0, "")
    assert {"schema_version", "spec", "layers", "total", "uncounted"} <= data.keys()
    assert data["total"]["macs"] == 568_740_352
    assert sum(layer["macs"] for layer in data["layers"]) == 568_740_352
    assert sum(layer["params"] for layer in data["layers"]) == data["total"]["params"] == 4_231_976
    assert {"path", "kind", "input_shape", "output_shape", "params", "macs"} <= data["layers"][
        0
    ].keys()
    assert data["layers"][0]["input_shape"] == [1, 3, 224, 224]
    assert data["spec"]["inputs"] == [[1, 3, 224, 224]]
    assert data["uncounted"] == []


def test_csv_lists_every_layer_and_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "table", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 3 * 27 + 5
    assert sum(int(row["macs"]) for row in rows) == 568_740_352
    assert sum(int(row["weights"]) for row in rows) == 4_209_088


@pytest.mark.parametrize("format", ["table", "markdown", "latex"])
@pytest.mark.parametrize("view", [(), ("--by", "kind"), ("--depth", "1"), ("--top", "4")])
def test_columns_of_printed_tables_add_up_to_their_last_row(
    capsys: pytest.CaptureFixture[str], format: str, view: tuple[str, ...]
) -> None:
    arguments = ("--columns", "layer,params,macs,activations", "--format", format, *view)
    _, out, _ = call(capsys, "table", *arguments)
    first = out.split("\n\n568.74M")[0]
    found = [re.findall(r"\d[\d,]*(?=\s|$|\\|\s\|)", line) for line in first.splitlines()]
    rows = [[int(cell.replace(",", "")) for cell in line[-3:]] for line in found if len(line) >= 3]
    assert rows[-1] == [sum(column) for column in zip(*rows[:-1], strict=True)]
    assert rows[-1] == [4_231_976, 568_740_352, 5_043_688]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = call(capsys, "table")
    assert max(map(len, out.splitlines())) <= width
    if width >= 80:
        lines = out.split("\n\n568.74M")[0].splitlines()
        assert sum(line.rstrip()[-1:].isdigit() for line in lines[3:]) == 27 + 1 + 1 + 1
        assert "kind" in out


def test_block_rows_are_bracketed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "table")
    assert "╭\u00a0Conv2d_1.depthwise" in out
    assert "╰\u00a0Conv2d_1.pointwise" in out


def test_a_block_inside_a_block_does_not_break_its_bracket(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capsys, "table", "mobilenet_v3_small")
    rows = [line.split(" ")[0] for line in out.splitlines() if "expanded_conv_3." in line]
    marks = [row.partition("\u00a0")[0] for row in rows]
    assert marks == ["╭", "│", "│", "│", "╰"]
    _, out, _ = call(capsys, "table", "mobilenet_v3_small", "--by", "block", "--format", "csv")
    names = [row["layer"] for row in csv.DictReader(io.StringIO(out))]
    assert "expanded_conv_3" in names
    assert not [name for name in names if "squeeze" in name]


def test_sort_and_top_keep_the_rest_in_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(
        capsys, "table", "--sort", "params", "--top", "2", "--format", "csv", "--columns", "layer"
    )
    assert out.splitlines() == ["layer", "Conv2d_13.pointwise", "logits", "84 more"]


def test_a_variant_file_names_rows_and_options(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "narrow.toml"
    file.write_text(VARIANT)
    _, out, _ = call(capsys, "table", str(file), "--format", "json")
    data = json.loads(out)
    # 16 channels at half width, 80x80 after the stem; depthwise 5x5, then 32 channels.
    macs = [80 * 80 * 16 * 27, 80 * 80 * 16 * 25, 80 * 80 * 16 * 32, 32 * 10]
    assert [layer["macs"] for layer in data["layers"] if layer["macs"]] == macs
    assert data["spec"]["name"] == "narrow"
    _, out, _ = call(
        capsys, "table", str(file), "--alpha", "1", "--beta", "0.5", "--format", "json"
    )
    assert json.loads(out)["spec"]["inputs"] == [[1, 3, 112, 112]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rows = 3", "'rows' must be tables"),
        ("[[rows]]\ntype = 'Conf'\ndepth = 8", "did you mean 'Conv'"),
        ("[[rows]]\ntype = 'Conv'", "row 0 has no 'depth'"),
        ("[[rows]]\ntype = 'Conv'\ndeph = 8\n", "did you mean 'depth'"),
        ("[[rows]]\ntype = 'Conv'\ndepth = 8\nkernel = [3]", "kernel must be"),
        ("[[rows]]\ntype = 'Conv'\ndepth = 8\nstride = 0", "stride must be a whole number"),
        ("alfa = 1", "did you mean 'alpha'"),
        ("model = 'mobilenet'", "did you mean"),
        ("model = 3", "model must be a name"),
        ("alpha = ", "is not TOML"),
        ("alpha = 'wide'", "at most 1000, given 'wide'"),
        ("beta = 'half'", "beta must be a number"),
        ("name = 3", "name must be a text"),
        ("alpha = 1e300", "alpha must be a number above 0 and at most 1000"),
        (
            "alpha = 1000\n" + "[[rows]]\ntype = 'Conv'\ndepth = 1000000\n" * 2,
            "cannot build wrong alpha=1000",
        ),
        ("num_classes = true", "num_classes must be a whole number"),
        ("min_depth = true", "min_depth must be a whole number"),
        ("output_stride = 8.0", "output_stride must be 8, 16, 32"),
        ("explicit_padding = 'yes'", "explicit_padding must be true or false, given 'yes'"),
        ("global_pool = 3", "global_pool must be true or false"),
        ("spatial_squeeze = 1", "spatial_squeeze must be true or false"),
    ],
)
def test_a_wrong_variant_file_gets_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(content)
    code, out, err = call(capsys, "table", str(file))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tabel"], "Did you mean 'table'"),
        (["table", "mobilenet_v11"], "did you mean 'mobilenet_v1'"),
        (["table", "nowhere.toml"], "cannot read 'nowhere.toml': No such file"),
        (["table", "--format", "jsn"], "did you mean 'json'"),
        (["table", "--by", "kinds"], "did you mean 'kind'"),
        (["table", "--sort", "mac"], "did you mean 'macs'"),
        (["table", "--columns", "layer,mac"], "did you mean 'macs'"),
        (["table", "--format", "slim", "--top", "3"], "--top does not apply to format 'slim'"),
        (["table", "--top", "0"], "--top must be at least 1, given 0"),
        (["table", "--depth", "1", "--by", "kind"], "--depth or --by, not both"),
        (["table", "--alpha", "0"], "alpha must be a number above 0 and at most 1000, given 0.0"),
        (["table", "--alpha", "wide"], "'--alpha'"),
        (["table", "--beta", "1", "--resolution", "224"], "resolution or beta, not both"),
        (["table", "--output-stride", "7"], "output_stride must be 8, 16, 32"),
        (["table", "--final-endpoint", "Conv2d_3"], "unknown final endpoint 'Conv2d_3'"),
        (["table", "--resolutoin", "224"], "--resolution"),
        (["table", "-o", "/nonexistent/file"], "cannot write '/nonexistent/file'"),
        (["table", "conv_mobilenet_v1", "extra"], "extra"),
        (["explain", "Conv2d_99"], "unknown layer 'Conv2d_99'"),
        (["explain", "Conv2d_3"], "holds several layers; name one of: Conv2d_3.depthwise"),
        (["explain", "a", "b", "c"], "explain takes [MODEL] LAYER, given 3 names"),
    ],
)
def test_wrong_use_gets_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, out, err = call(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err


def test_cross_check_prints_three_equal_counts(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(
        capsys,
        "table",
        "--alpha",
        "0.25",
        "--resolution",
        "128",
        "--format",
        "json",
        "--cross-check",
    )
    assert code == 0
    assert json.loads(out)["total"]["macs"] == 13_570_048
    assert err.count("13,570,048") == 3


def test_cross_check_exits_1_when_a_counter_differs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobilenet_profiler.trace import cross_check

    monkeypatch.setattr(cross_check, "count_with_fvcore", lambda spec: 1)
    code, _, err = call(capsys, "table", "--alpha", "0.25", "--cross-check")
    assert code == 1
    assert "DIFFERENT" in err


def test_explain_shows_the_product_and_the_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "explain", "Conv2d_7_depthwise")
    assert code == 0
    assert "DK · DK · M · DF · DF = 3 · 3 · 512 · 14 · 14 = 903,168" in out
    assert "1/N + 1/DK² = 1/512 + 1/3² = 0.1131  (equal)" in out
    _, dotted, _ = call(capsys, "explain", "mobilenet_v1", "Conv2d_7.depthwise.conv")
    assert dotted == out


def test_models_lists_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "models")
    heading, rule, *lines = out.splitlines()
    assert heading.split()[:2] == ["model", "input"]
    assert set(rule) == {"─"}
    assert [line.split()[0] for line in lines] == [entry.name for entry in list_models()]
    assert lines[0].split()[:2] == ["mobilenet_v1", "224"]
    assert max(map(len, out.splitlines())) <= 80


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.csv"
    file.write_text("before")
    call(capsys, "table", "--format", "csv", "-o", str(file))
    assert file.read_text().startswith("layer,kind")

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    file.write_text("before")
    monkeypatch.setattr(os, "replace", interrupt)
    assert call(capsys, "table", "--format", "csv", "-o", str(file))[0] == 130
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    link = tmp_path / "link.txt"
    link.symlink_to("target.txt")
    output.write_text("text", str(link))
    assert link.is_symlink()
    assert (tmp_path / "target.txt").read_text() == "text"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write '/dev/full'"):
        output.write_text("text", "/dev/full")


def test_a_file_has_no_colours_and_a_width_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    file = tmp_path / "table.txt"
    assert call(capsys, "table", "-o", str(file)) == (0, "", "")
    assert "\x1b" not in file.read_text()
    assert "kind" in file.read_text()


HEAVY = ("torch", "pandas", "matplotlib", "fvcore", "numpy")


@pytest.mark.parametrize(
    "statement",
    [
        "from mobilenet_profiler.cli import run; run(['--help'])",
        "from mobilenet_profiler.cli import run; run(['table', '--help'])",
        "from mobilenet_profiler.cli import run; run(['models'])",
        "from mobilenet_profiler.cli import run; run(['table', 'nonsense'])",
        "import mobilenet_profiler; import mobilenet_profiler.trace; dir(mobilenet_profiler)",
        "from mobilenet_profiler.cli.options import complete_model as c; assert c('conv')",
    ],
)
def test_light_commands_import_nothing_heavy(statement: str) -> None:
    check = f"{statement}\nimport sys\nassert not set({HEAVY!r}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def test_table_imports_neither_pandas_nor_matplotlib_nor_fvcore() -> None:
    heavy = ("pandas", "matplotlib", "fvcore", "sympy", "torch._dynamo")
    check = (
        "from mobilenet_profiler.cli import run; run(['table'])\nimport sys\n"
        f"assert not set({heavy!r}) & set(sys.modules), set({heavy!r}) & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m mobilenet_profiler table --all | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_terminal_gets_colours_unless_no_color_is_set() -> None:
    pty = pytest.importorskip("pty")
    for extra, coloured in [({}, True), ({"NO_COLOR": "1"}, False)]:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **extra}
        environment.pop("FORCE_COLOR", None)
        leader, follower = pty.openpty()
        command = [sys.executable, "-m", "mobilenet_profiler", "table", "--by", "kind"]
        with subprocess.Popen(command, stdout=follower, env=environment) as process:
            os.close(follower)
            text = b""
            try:
                while chunk := os.read(leader, 4096):
                    text += chunk
            except OSError:
                pass
            assert process.wait() == 0
        os.close(leader)
        assert (b"\x1b[36m" in text or b"\x1b[33m" in text) is coloured


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys.modules["mobilenet_profiler.cli.table"], "show", fail)
    with pytest.raises(ZeroDivisionError):
        run(["table"])


def test_a_legacy_code_page_and_a_full_stdout_are_no_tracebacks() -> None:
    command = [sys.executable, "-m", "mobilenet_profiler", "table", "--by", "kind"]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=ascii_only, check=True)
    assert b"568,740,352" in done.stdout
    with Path("/dev/full").open("w") as full:
        failed = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (failed.returncode, failed.stderr.count(b"\n")) == (2, 1)
    assert b"cannot write to stdout" in failed.stderr


def test_output_strides_work_at_224_with_a_global_pool(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--output-stride", "16", "--global-pool", "--format", "json")
    code, out, _ = call(capsys, "table", *arguments)
    assert code == 0
    assert json.loads(out)["layers"][-1]["kind"] == "softmax"


def test_repeated_single_lines_are_folded_too(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "table", "conv_mobilenet_v1", "--format", "paper")
    assert out.count("5x Conv / s1") == 1


def test_a_command_that_is_interrupted_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    models = importlib.import_module("mobilenet_profiler.cli.models")
    monkeypatch.setattr(models, "list_models", interrupt)
    assert run(["models"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
