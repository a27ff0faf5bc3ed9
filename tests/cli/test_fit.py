"""`fit` and `sweep --paper` on the command line."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.cli import run

Captured = pytest.CaptureFixture[str]
BUDGET = ("--max-macs", "150M", "--max-params", "2M")


def call(capsys: Captured, *arguments: str, code: int = 0) -> str:
    assert run(list(arguments)) == code
    captured = capsys.readouterr()
    return captured.out if code in (0, 1) else captured.err


def test_the_best_cell_under_a_budget_is_named_with_its_accuracy_and_source(
    capsys: Captured,
) -> None:
    text = " ".join(call(capsys, "fit", *BUDGET).split())
    assert "8 of 16 cells fit" in text
    assert "Best: mobilenet_v1 alpha=0.5 resolution=224: 63.3% top-1 (tensorflow/models" in text
    assert "149,497,088 MACs, 1,331,592 params." in text


def test_the_network_between_the_cells_has_the_counts_that_its_trace_has(capsys: Captured) -> None:
    data = json.loads(call(capsys, "fit", *BUDGET, "--format", "json"))
    own = data["between"]
    total = mp.trace("mobilenet_v1", **own["point"]).total
    assert (own["amounts"]["macs"], own["amounts"]["params"]) == (total.macs, total.params)
    assert total.macs <= 150_000_000
    assert total.params <= 2_000_000
    assert 63.3 < own["top1_interpolated"] < 66
    assert "top1" not in own["amounts"]
    assert data["best"]["point"] == {"alpha": 0.5, "resolution": 224}
    assert len(data["cells"]) == 16
    assert [cell["rank"] for cell in data["cells"]] == [*range(1, 9), *[None] * 8]


def test_between_the_cells_one_need_not_look(capsys: Captured) -> None:
    data = json.loads(call(capsys, "fit", *BUDGET, "--no-between", "--format", "json"))
    assert data["between"] is None


def test_where_none_fits_the_exit_code_is_1(capsys: Captured) -> None:
    assert "No cell fits." in call(capsys, "fit", "--max-macs", "1M", code=1)


def test_csv_ranks_every_cell_with_what_it_leaves(capsys: Captured) -> None:
    rows = list(csv.DictReader(io.StringIO(call(capsys, "fit", *BUDGET, "--format", "csv"))))
    assert len(rows) == 16
    first = rows[0]
    assert (first["rank"], first["alpha"], first["resolution"]) == ("1", "0.5", "224")
    assert float(first["left_macs"]) == pytest.approx(1 - 149_497_088 / 150e6)
    assert [row["rank"] for row in rows[8:]] == [""] * 8
    assert all(float(row["left_macs"]) < 0 or float(row["left_params"]) < 0 for row in rows[8:])


def test_several_networks_compete(capsys: Captured) -> None:
    networks = ("mobilenet_v1", "mobilenet_v2")
    data = json.loads(call(capsys, "fit", *networks, *BUDGET, "--format", "json"))
    assert data["best"]["model"] == "mobilenet_v2"
    assert data["best"]["top1_source"].endswith("mobilenet/README.md, V2")


def test_a_grid_and_accuracies_of_ones_own(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("alpha,top1\n0.9,80\n0.3,75\n0.1,1\n")
    assert run(["fit", "--alpha", "0.9,0.3", "--accuracy", str(file), "--max-macs", "100M"]) == 0
    captured = capsys.readouterr()
    assert "Best: mobilenet_v1 alpha=0.3: 75% top-1 (own.csv)" in captured.out
    assert "1 of 3 rows speak of no cell: line 4" in captured.err


def test_a_saved_sweep_is_fitted_without_counting_again(capsys: Captured, tmp_path: Path) -> None:
    file = str(tmp_path / "grid.jsonl")
    call(capsys, "sweep", "--alpha", "1,0.5", "--resolution", "224,128", "--save", file)
    text = call(capsys, "fit", file, "--max-macs", "150M", "--no-between")
    assert "Best: mobilenet_v1 alpha=0.5 resolution=224" in text
    assert "2 of 4 cells fit" in text
    between = call(capsys, "fit", file, "--max-macs", "150M")
    assert "Between the cells" in between
    error = call(capsys, "fit", file, "--max-macs", "150M", "--alpha", "1", code=2)
    assert "--alpha does not apply" in error


def test_the_picture_has_the_limit_among_the_cells(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "fit.svg"
    call(capsys, "fit", *BUDGET, "--no-between", "--plot", str(file))
    assert "<svg" in file.read_text()


@pytest.mark.parametrize("format", ["markdown", "table"])
def test_tables_for_people_show_as_many_cells_as_were_asked_for(
    capsys: Captured, format: str
) -> None:
    text = call(capsys, "fit", *BUDGET, "--no-between", "--top", "2", "--format", format)
    assert "the first 2 of 8" in text
    assert text.count("1,331,592") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no budget: give a limit"),
        (("--max-macs", "lots"), "--max-macs must be a whole number"),
        (("--min-accuracy", "0"), "--min-accuracy must be in per cent"),
        ((*BUDGET, "--device", "cpu"), "device says how latency is measured"),
        ((*BUDGET, "--top", "0"), "--top must be at least 1"),
        ((*BUDGET, "--format", "yaml"), "unknown format 'yaml'"),
        ((*BUDGET, "--maximize", "acuracy"), "did you mean 'accuracy'"),
        ((*BUDGET, "--plot", "fit.txt"), "a plot is a file that ends in"),
        (
            ("vgg11", *BUDGET, "--source", "mobilenet_v1_md"),
            "no cell of this grid has a known top1",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(
    capsys: Captured, arguments: tuple[str, ...], message: str
) -> None:
    error = call(capsys, "fit", *arguments, code=2)
    assert message in error
    assert len(error.splitlines()) == 1


def test_the_papers_tables_print_beside_our_counts(capsys: Captured) -> None:
    text = call(capsys, "sweep", "--paper", "6", "--paper", "7")
    assert "(arXiv 1704.04861, Table 6)" in text
    assert "(arXiv 1704.04861, Table 7)" in text
    rows = csv.DictReader(io.StringIO(call(capsys, "sweep", "--paper", "all", "--format", "csv")))
    assert sum(row["verdict"] != "listed" for row in rows) == 56


def test_the_help_names_every_published_table(capsys: Captured) -> None:
    from mobilenet_profiler.verification.printed import ALL, PLACES

    text = re.sub(r"[^a-z0-9,:]+", " ", call(capsys, "sweep", "--help"))
    assert f"ours beside it: {', '.join([*PLACES, ALL])}" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("5",), "unknown table '5'; allowed: 3, 6, 7, checkpoints, all"),
        (("6", "--alpha", "1"), "--alpha does not apply to --paper"),
        (("6", "mobilenet_v2"), "MODEL does not apply to --paper"),
        (("6", "--format", "parquet", "-o", "x.parquet"), "--paper has no format 'parquet'"),
    ],
)
def test_a_published_table_takes_nothing_of_a_grid(
    capsys: Captured, arguments: tuple[str, ...], message: str
) -> None:
    assert message in call(capsys, "sweep", "--paper", *arguments, code=2)
