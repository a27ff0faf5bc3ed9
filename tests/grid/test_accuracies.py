"""Accuracies joined to the cells of a grid."""

import time
from pathlib import Path

import pytest

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.accuracies import join_accuracies, list_unmatched
from mobilenet_profiler.grid.axes import Axis, make_axis
from mobilenet_profiler.grid.cells import Cell, list_cells
from mobilenet_profiler.spec import ModelSpec

ALPHA, RESOLUTION = make_axis("alpha", (1.0, 0.5)), make_axis("resolution", (224, 160))
Grid = tuple[list[ModelSpec | None], tuple[Cell, ...]]


def make_grid(*axes: Axis, models: tuple[str, ...] = ("mobilenet_v1",), **settings: int) -> Grid:
    cells = list_cells(models, axes)
    return [cell.make_spec(settings) for cell in cells], cells


def write(folder: Path, text: str) -> str:
    (folder / "own.csv").write_text(text, encoding="utf-8")
    return str(folder / "own.csv")


def show(found: tuple[Accuracy | None, ...]) -> list[str]:
    return [accuracy.text if accuracy else "-" for accuracy in found]


def test_the_16_pairs_have_the_accuracies_of_their_checkpoints_from_one_source() -> None:
    sizes = make_axis("resolution", (224, 192, 160, 128))
    found = join_accuracies(*make_grid(make_axis("alpha", (1.0, 0.75, 0.5, 0.25)), sizes))
    assert show(found)[:4] == ["70.9%", "70.0%", "68.0%", "65.2%"]
    assert show(found)[-1] == "41.5%"
    assert len({accuracy.source for accuracy in found if accuracy}) == 1


def test_a_network_has_accuracies_of_one_source_alone_even_where_others_know_more_cells() -> None:
    found = join_accuracies(*make_grid(ALPHA, RESOLUTION), source="mobilenet_v1_paper")
    assert show(found) == ["70.6%", "67.2%", "63.7%", "60.2%"]
    axes = (make_axis("alpha", (1.0, 0.35)),)
    mixed = join_accuracies(*make_grid(*axes, models=("mobilenet_v1", "mobilenet_v2")))
    sources = [accuracy.source for accuracy in mixed[2:] if accuracy]
    assert len(set(sources)) == 1
    assert mixed[1] is None


def test_a_cell_without_a_spec_has_no_accuracy_and_moves_no_other() -> None:
    specs, cells = make_grid(ALPHA)
    assert show(join_accuracies([None, specs[1]], cells))[0] == "-"
    assert (
        show(join_accuracies([None, specs[1]], cells))[1] == show(join_accuracies(specs, cells))[1]
    )


def test_the_users_own_win_and_the_published_fill_up(tmp_path: Path) -> None:
    path = write(tmp_path, "alpha,resolution,top1\n0.5,160,61.25\n1,224,71%\n")
    found = join_accuracies(*make_grid(ALPHA, RESOLUTION), "mobilenet_v1_md", path)
    assert show(found) == ["71%", "68.0%", "63.3%", "61.25%"]
    assert next(accuracy.source for accuracy in found if accuracy) == "own.csv"


def test_a_row_may_name_its_source_and_its_model(tmp_path: Path) -> None:
    text = "model,alpha,top1,source\nmobilenet_v2,0.5,65.0,run 7\nmobilenet_v1,0.5,64.0,\n"
    grid = make_grid(ALPHA, models=("mobilenet_v1", "mobilenet_v2 num_classes=10"))
    found = join_accuracies(*grid, path=write(tmp_path, text))
    assert found[1] == Accuracy("64.0%", "own.csv")
    assert found[3] == Accuracy("65.0%", "run 7")


def test_a_row_speaks_of_every_cell_with_its_values_and_a_closer_one_goes_first(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "alpha,resolution,top1\n0.5,,60\n0.5,160,59\n")
    found = join_accuracies(*make_grid(ALPHA, RESOLUTION), "vgg_paper", path)
    assert show(found) == ["-", "-", "60%", "59%"]


def test_columns_may_tell_what_is_fixed_in_this_grid(tmp_path: Path) -> None:
    path = write(tmp_path, "alpha,resolution,top1\n0.5,160,59\n1,160,66\n1,224,70\n")
    grid = make_grid(ALPHA, resolution=160)
    assert show(join_accuracies(*grid, path=path)) == ["66%", "59%"]
    grid = make_grid(RESOLUTION)
    assert show(join_accuracies(*grid, path=path)) == ["70%", "66%"]


def test_a_beta_means_the_resolution_it_makes(tmp_path: Path) -> None:
    path = write(tmp_path, "beta,top1\n0.714,59\n1,70\n")
    assert show(join_accuracies(*make_grid(RESOLUTION), path=path)) == ["70%", "59%"]
    own = make_grid(make_axis("beta", (1.0, 0.714)))
    assert show(join_accuracies(*own, path=path)) == ["70%", "59%"]
    path = write(tmp_path, "resolution,top1\n160,58\n")
    assert show(join_accuracies(*own, path=path))[1] == "58%"


def test_lists_and_texts_are_values_too(tmp_path: Path) -> None:
    axes = (make_axis("layers", ([3, 4], [2, 2])), make_axis("norm", ("batch", "none")))
    grid = make_grid(*axes, models=("net.py:Net",))
    path = write(tmp_path, 'layers,norm,top1\n"[2, 2]",batch,55\n"[3,4]",batch,56\n')
    assert show(join_accuracies(*grid, path=path)) == ["56%", "-", "55%", "-"]


def test_rows_that_speak_of_no_cell_are_told_by_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "alpha,top1\n0.5,60\n0.75,68\n\n0.3,50\n")
    grid = make_grid(ALPHA)
    assert list_unmatched(*grid, path) == (f"{path}: 2 of 3 rows speak of no cell: line 3, 5",)
    path = write(tmp_path, "alpha,top1\n0.5,60\n")
    assert list_unmatched(*grid, path) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alhpa,top1\n1,70\n", "own.csv:1: unknown column 'alhpa' .*did you mean 'alpha'"),
        ("alpha,accurate\n1,70\n", "own.csv:1: no column top1; given: alpha, accurate"),
        ("alpha,alpha,top1\n1,1,70\n", "column 'alpha' stands there twice"),
        ("alpha,top1\n1\n", "own.csv:2: 1 cells in a row of 2 columns"),
        ("alpha,top1\n1,high\n", "own.csv:2: top1 must be in per cent, .* given 'high'"),
        ("alpha,top1\n1,170\n", "given '170'"),
        ("alpha,top1\n1,nan\n", "given 'nan'"),
        ("alpha,top1\n1,0.706\n0.5,0.6\n", "given 0.706 and no row above 1"),
        ("alpha,top1\n1,70\n1.0,71\n", "own.csv:3: says what line 2 says already"),
        ("alpha,resolution,top1\n1,,70\n,224,71\n", "lines 2 and 3 both speak of mobilenet_v1"),
        ("alpha,top1\n0.3,50\n", "no row speaks of a cell of this grid; line 2 has alpha=0.3"),
        ("resolution,beta,top1\n224,1,50\n", "resolution or of beta, not both"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        join_accuracies(*make_grid(ALPHA, RESOLUTION), path=write(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        join_accuracies(*make_grid(ALPHA), path=str(tmp_path / "none.csv"))
    (tmp_path / "bytes.csv").write_bytes(b"alpha,top1\n\xff,1")
    with pytest.raises(UsageError, match="no text in UTF-8"):
        join_accuracies(*make_grid(ALPHA), path=str(tmp_path / "bytes.csv"))


def test_a_source_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown source"):
        join_accuracies(*make_grid(ALPHA), source="nobody")


def test_ten_thousand_cells_and_rows_are_joined_in_seconds(tmp_path: Path) -> None:
    axes = (
        make_axis("alpha", [0.01 * n for n in range(1, 101)]),
        make_axis("resolution", range(32, 132)),
    )
    grid = make_grid(*axes)
    lines = [f"{cell.point['alpha']!r},{cell.point['resolution']},50" for cell in grid[1]]
    path = write(tmp_path, "\n".join(["alpha,resolution,top1", *lines]))
    start = time.perf_counter()
    assert all(join_accuracies(*grid, path=path))
    assert time.perf_counter() - start < 10
