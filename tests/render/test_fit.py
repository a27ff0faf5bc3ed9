"""What fits a budget, as people and programs read it."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.lines import Line2D

import mobilenet_profiler as mp
from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.fit import Between, Fit, find_fit, make_goal, parse_bounds
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.render.fit import (
    FITS,
    render_csv,
    render_html,
    render_json,
    render_markdown,
    render_text,
)
from mobilenet_profiler.render.plot.fit import draw_fit
from tests.render.plot.layout import list_legend, read_caption
from tests.sweeps import make_published_sweep, make_sweep


def fit(goal: str = "", **limits: Any) -> Fit:
    chosen = make_goal(minimize=goal) if goal else make_goal()
    return find_fit(make_published_sweep(), parse_bounds(limits), chosen)


def find_row(text: str, *start: str) -> list[str]:
    rows = [line.replace("*", " ").split() for line in text.splitlines()]
    (row,) = (row for row in rows if tuple(row[: len(start)]) == start)
    return row


def test_a_row_says_what_it_leaves_of_each_limit() -> None:
    text = render_text(fit(macs="150M", params="2M"), 100)
    assert find_row(text, "0.5", "224") == [
        *("0.5", "224", "63.3", "149,497,088", "0.3", "1,331,592", "33.4"),
    ]
    assert find_row(text, "0.75", "160")[-3:] == ["-10.9", "2,585,560", "-29.3"]


def test_cells_on_the_front_are_marked_and_the_mark_is_explained() -> None:
    lines = render_text(fit(latency="3ms", memory="14MiB"), 100).splitlines()
    marked = [line for line in lines if line.startswith("*   ")]
    assert len(marked) == 6
    assert "* on the Pareto front of top-1 accuracy, peak memory and latency." in lines


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "limits",
    [{"macs": "150M", "params": "2M"}, {"latency": "3ms", "memory": "14MiB"}, {"macs": "1M"}],
)
def test_no_line_is_wider_than_the_terminal(width: int, limits: dict[str, Any]) -> None:
    text = render_text(fit(**limits), width)
    assert max(map(len, text.splitlines())) <= width
    assert "63.3" in text or "No cell fits." in text or "62.1" in text


def test_the_budget_is_told_as_it_was_given() -> None:
    text = " ".join(render_text(fit(macs="150M", params=1_999_999, memory="20MiB"), 200).split())
    assert "at most 150M MACs, 1,999,999 params and 20.00 MiB of peak memory" in text
    text = render_text(fit("macs", min_accuracy="65"), 200)
    assert "at least 65% top-1 accuracy: 7 of 16 cells fit; least MACs first" in text


def test_markdown_and_html_hold_the_same_rows() -> None:
    found = fit(macs="150M", params="2M")
    assert "| \\* | 0.5 | 224 | 63.3 | 149,497,088 | 0.3 | 1,331,592 | 33.4 |" in (
        render_markdown(found)
    )
    html = render_html(found)
    assert html.count("<table>") == html.count("</table>") == 2
    assert "149,497,088" in html


def test_a_users_texts_are_escaped() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        return {"cost": Cost(macs=1), "accuracy": Accuracy("60%", "<script>|")}

    sweep = make_sweep((make_axis("k", ("<i>", "b")),), fill, ("net.py:Net",))
    found = find_fit(sweep, parse_bounds({"macs": 10}), make_goal())
    assert "<script>" not in render_html(found)
    assert "<i>" not in render_html(found)
    assert "\\<script\\>\\|" in render_markdown(found)


def test_files_hold_every_cell_with_exact_numbers() -> None:
    found = fit(macs="150M", params="2M")
    rows = list(csv.DictReader(io.StringIO(render_csv(found))))
    data = json.loads(render_json(found))
    for row, cell in zip(rows, data["cells"], strict=True):
        assert int(row["macs"]) == cell["amounts"]["macs"]
        assert float(row["left_macs"]) == pytest.approx(1 - int(row["macs"]) / 150e6)
        assert float(row["left_params"]) == pytest.approx(cell["left"]["params"])
    assert data["budget"][0] == {
        **{"quantity": "macs", "unit": "MACs", "limit": 150_000_000, "least": False},
    }
    assert set(FITS) == {"markdown", "csv", "json"}


def test_counts_in_flops_are_called_so() -> None:
    sweep = make_sweep(
        (make_axis("alpha", (1.0, 0.5)),),
        lambda cell: {"cost": Cost(macs=2), "accuracy": Accuracy("60%", "made")},
        convention="flop_counter",
    )
    found = find_fit(sweep, parse_bounds({"macs": 10}), make_goal())
    assert "at most 10 FLOPs (flop_counter)" in render_text(found, 100)
    assert json.loads(render_json(found))["best"]["amounts"]["flops"] == 2
    assert "left_flops" in render_csv(found).splitlines()[0]


def list_limits(found: Fit) -> list[Line2D]:
    (axes, *_) = draw_fit(found).axes
    return [line for line in axes.lines if line.get_label() == "_limit"]


def test_the_picture_has_a_line_at_each_limit_of_what_it_shows() -> None:
    (line,) = list_limits(fit(macs="150M", params="2M"))
    assert np.asarray(line.get_xdata()).tolist() == [150, 150]  # millions
    upright, level = list_limits(fit(macs="150M", min_accuracy=60))
    assert np.asarray(upright.get_xdata()).tolist() == [150, 150]
    assert np.asarray(level.get_ydata()).tolist() == [60, 60]
    (line,) = list_limits(fit(latency="3ms"))
    assert np.asarray(line.get_xdata()).tolist() == [3, 3]  # milliseconds


def test_the_picture_says_its_budget() -> None:
    (axes, *_) = draw_fit(fit(macs="150M", params="2M")).axes
    assert axes.get_title("left") == "budget: at most 150M MACs (dashed), at most 2M params"


def list_rings(found: Fit) -> list[list[float]]:
    (axes, *_) = draw_fit(found).axes
    rings = (own for own in axes.collections if own.get_label() == "_ring")
    return [np.asarray(own.get_offsets())[0].tolist() for own in rings]


def test_the_picture_marks_the_best_cell_and_what_lies_between() -> None:
    found = fit(macs="150M", params="2M")
    assert list_rings(found) == [pytest.approx([149.497088, 63.3])]
    cell = Cell("mobilenet_v1", {"alpha": 0.59, "resolution": 192})
    own = Between(CellResult(cell, cost=Cost(macs=149_597_848)), 63.9, {}, ())
    both = replace(found, between=own)
    assert list_rings(both) == [
        pytest.approx([149.497088, 63.3]),
        pytest.approx([149.597848, 63.9]),
    ]
    figure = draw_fit(both)
    assert list_legend(figure)[-2:] == ["best cell", "between the cells"]
    assert read_caption(figure).endswith(
        "Best: mobilenet_v1 alpha=0.5 resolution=224. Between the cells: mobilenet_v1 alpha=0.59 "
        "resolution=192, about 63.9% top-1, interpolated."
    )
    assert list_rings(fit(macs="1M")) == []


def test_fit_is_a_function_of_the_package() -> None:
    found = mp.fit(make_published_sweep(), max_macs="150M", max_params="2M", between=False)
    assert found.best is not None
    assert found.best.cell.point == {"alpha": 0.5, "resolution": 224}
    with pytest.raises(mp.UsageError, match="alpha does not apply"):
        mp.fit(make_published_sweep(), max_macs="150M", alpha=[1.0])
