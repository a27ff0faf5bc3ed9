"""The command `conventions`, and `table --convention`."""

import csv
import io
import json

import pytest

from tests.cli.test_commands import call

SMALL = ("mobilenet_v1", "--alpha", "0.25", "--resolution", "128", "--explicit-padding")


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("arguments", [(), SMALL])
def test_no_line_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = call(capsys, "conventions", *arguments)
    assert code == 0
    assert max(map(len, out.splitlines())) <= width
    assert "deepspeed-flops" in out


def test_a_wide_terminal_has_each_sum_beside_its_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = call(capsys, "conventions", *SMALL, "--convention", "flop_counter")
    assert "made of" in out
    (line,) = [line for line in out.splitlines() if line.startswith("flop_counter")]
    assert line.endswith("2 x 13.57M convolution and linear")


def test_every_format_names_the_convention_and_the_unit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("conventions", *SMALL, "--convention", "thop", "--convention", "flop_counter")
    _, out, _ = call(capsys, *asked, "-f", "json")
    rows = {row["name"]: row for row in json.loads(out)["conventions"]}
    assert list(rows) == ["thop", "flop_counter"]
    assert rows["flop_counter"]["unit"] == "FLOPs"
    assert rows["thop"]["total"] == sum(rows["thop"]["items"].values())
    _, out, _ = call(capsys, *asked, "-f", "csv")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert [line["unit"] for line in lines] == ["MACs", "FLOPs"]
    assert lines[1]["count"] == str(rows["flop_counter"]["total"])
    _, out, _ = call(capsys, *asked, "-f", "markdown")
    assert out.splitlines()[2].startswith("| convention | unit | count |")


def test_one_convention_is_listed_with_its_limits(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "conventions", "--convention", "thop")
    assert "limit: " in out
    _, out, _ = call(capsys, "conventions", "-f", "json")
    assert json.loads(out)["conventions"][0]["name"] == "macs"
    for format in ("csv", "markdown"):
        assert "torchinfo" in call(capsys, "conventions", "-f", format)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conventions", "--alpha", "0.5"), "need one"),
        (("conventions", "--convention", "fvcor"), "did you mean 'fvcore'"),
        (("conventions", "-f", "latex"), "unknown format 'latex'"),
        (("table", "--convention", "kerass"), "did you mean 'keras'"),
        (("table", "--convention", "thop", "--format", "slim"), "does not apply"),
        (("table", "--convention", "thop", "--backward"), "forward pass alone"),
    ],
)
def test_what_cannot_be_asked_gets_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, error = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_table_in_a_convention_says_so_in_every_format(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("table", *SMALL, "--convention", "flop_counter")
    _, out, _ = call(capsys, *asked, "-f", "json")
    data = json.loads(out)
    assert data["convention"]["name"] == "flop_counter"
    assert data["units"]["flops"].startswith("twice")
    assert data["total"]["flops"] == sum(layer["flops"] for layer in data["layers"])
    assert "macs" not in data["total"]
    _, out, _ = call(capsys, *asked, "-f", "csv")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert {line["convention"] for line in lines} == {"flop_counter"}
    assert sum(int(line["flops"]) for line in lines) == data["total"]["flops"]
    assert "| FLOPs (flop_counter) |" in call(capsys, *asked, "-f", "markdown")[1]
    assert "& FLOPs (flop\\_counter) &" in call(capsys, *asked, "-f", "latex")[1]


def test_our_own_numbers_say_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        json.loads(call(capsys, "table", *SMALL, "-f", "json")[1])["convention"]["name"] == "macs"
    )
    lines = list(csv.DictReader(io.StringIO(call(capsys, "table", *SMALL, "-f", "csv")[1])))
    assert {line["convention"] for line in lines} == {"macs"}


def test_layers_without_macs_stay_gathered_by_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = call(capsys, "table", *SMALL, "--convention", "thop")
    (line,) = [line for line in out.splitlines() if line.startswith("  batch norm x27")]
    assert "MACs (thop)" in out
    assert not line.rstrip().endswith(" 0")
