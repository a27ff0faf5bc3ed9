"""A sweep as people and programs read it."""

import csv
import io
import re
import time
from dataclasses import replace
from typing import Any

import pytest

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.grid.tables import list_tables
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.render.compare import draw_lines
from mobilenet_profiler.render.sweep import (
    SWEEPS,
    render_csv,
    render_html,
    render_latex,
    render_markdown,
    render_text,
    write_plain,
)
from mobilenet_profiler.render.table import draw_text
from tests.sweeps import make_published_sweep, make_sweep

ALPHA, RESOLUTION = make_axis("alpha", (1.0, 0.5)), make_axis("resolution", (224, 128))


def fill_costs(cell: Cell) -> dict[str, Any]:
    size, alpha = cell.point.get("resolution", 100), cell.point.get("alpha", 1)
    return {"cost": Cost(params=int(1000 * alpha), macs=int(alpha * size**2))}


def fail_at(size: int, error: str = "no room") -> Any:
    return lambda cell: {"error": error} if cell.point["resolution"] == size else fill_costs(cell)


def find_lines(text: str, pattern: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(pattern, line)]


def test_each_quantity_is_a_table_of_alpha_down_and_resolution_across() -> None:
    text = render_text(make_published_sweep(), 80)
    table = text.partition("MACs: alpha down, resolution across\n")[2].splitlines()
    assert table[0].split() == ["alpha", "224", "192", "160", "128"]
    assert table[2].split() == ["1", "568,740,352", "418,121,728", "290,675,200", "186,400,768"]
    assert table[5].split()[:2] == ["0.25", "41,030,272"]
    assert "top-1 accuracy, %: alpha down, resolution across" in text


def test_what_no_resolution_changes_is_shown_once() -> None:
    text = render_text(make_published_sweep(), 80, quantities=["params"])
    assert "params: alpha down, the same for every resolution" in text
    assert text.count("4,231,976") == 1


def test_no_line_is_wider_than_the_terminal_and_no_number_is_lost() -> None:
    for width in (40, 60, 80, 200):
        text = render_text(make_published_sweep(), width, long=True)
        assert max(map(len, text.splitlines())) <= width
        for exact, rounded in (("568,740,352", "568.74M"), ("41,030,272", "41.03M")):
            assert text.count(exact) + text.count(rounded) == 2
        assert text.count("70.9") == 2


def test_the_long_table_has_a_row_for_each_cell() -> None:
    text = render_text(make_published_sweep(), 100, quantities=["macs", "top1"], long=True)
    assert len(find_lines(text, r"^ *(1|0\.\d+) +(224|192|160|128) +[\d,]{10,} +\d\d\.\d$")) == 16


def test_a_sweep_of_one_axis_is_one_table() -> None:
    text = render_text(make_sweep((ALPHA,), fill_costs), 80)
    assert "across" not in text
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["alpha", "MACs", "params"],
        ["─" * len(find_lines(text, "─")[0])],
        ["1", "10,000", "1,000"],
        ["0.5", "5,000", "500"],
    ]


def test_networks_without_axes_are_rows_by_name() -> None:
    text = render_text(make_sweep((), fill_costs, ("resnet50", "vgg16")), 80)
    assert len(find_lines(text, r"^(resnet50|vgg16) +10,000 +1,000$")) == 2


def test_a_network_that_has_no_axis_of_the_grid_stands_in_a_table_of_its_own() -> None:
    axes = (ALPHA, make_axis("output_stride", (32, 16)))
    text = render_text(make_sweep(axes, fill_costs, ("mobilenet_v1", "resnet50")), 80)
    assert "alpha down, output_stride across" in text or "the same for every output_stride" in text
    assert find_lines(text, r"^resnet50 +10,000 +1,000$")


def test_a_cell_that_failed_says_so_in_its_place_and_why_below() -> None:
    text = render_text(make_sweep((ALPHA, RESOLUTION), fail_at(128)), 100)
    assert find_lines(text, r"^0.5 +25,088 +failed$")
    (line,) = find_lines(text, "^failed:")
    assert "mobilenet_v1 alpha=1 resolution=128, mobilenet_v1 alpha=0.5 resolution=128" in line
    assert text.rstrip().endswith("no room")


def test_many_different_failures_are_counted_not_listed() -> None:
    axes = (make_axis("resolution", range(32, 64)),)
    sweep = make_sweep(axes, lambda cell: {"error": f"error {cell.point['resolution']}"})
    lines = find_lines(render_text(sweep, 200), "^failed:")
    assert len(lines) == 9
    assert lines[-1].startswith("failed: 24 cells more")


def test_uncounted_missing_and_left_out_cells_are_told() -> None:
    sweep = make_sweep(
        (ALPHA, RESOLUTION),
        lambda cell: {**fill_costs(cell), "uncounted": 3 if cell.point["alpha"] == 1 else 0},
        missing=7,
        left_out=1,
        where=("macs < 300M",),
    )
    text = render_text(sweep, 200)
    assert "not counted: 6 calls of operations in 2 cells: mobilenet_v1 alpha=1" in text
    assert "7 cells without a result yet" in text
    assert "1 cell left out by the conditions: macs < 300M." in text


def test_every_source_of_an_accuracy_is_named_with_how_many_cells_it_gives() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        if cell.point["alpha"] == 1:
            return {**fill_costs(cell), "accuracy": Accuracy("70.0%", "one")}
        other = Accuracy("60%", "two") if cell.point["resolution"] == 224 else None
        return {**fill_costs(cell), "accuracy": other}

    text = render_text(make_sweep((ALPHA, RESOLUTION), fill), 200)
    assert "as in one (2 cells); two (1 cell). 1 cell without one." in text
    assert find_lines(text, r"^0.5 +60 +-$")


def test_latencies_have_one_unit_a_table_and_say_where_they_were_measured() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        time = 2e6 if cell.point["resolution"] == 224 else 0.5e6
        return {**fill_costs(cell), "latency": Estimate(time, time - 1e4, time + 1e4, 30)}

    sweep = make_sweep((ALPHA, RESOLUTION), fill, setup={"device": "cpu", "threads": 1})
    text = render_text(sweep, 200)
    assert "latency, ms: alpha down, resolution across" in text
    assert find_lines(text, r"^1 +2\.00 ± 0\.01 +0\.50 ± 0\.01$")
    assert "the median of 30 passes or more, ± half of its 95% interval; device cpu" in text


def test_counts_in_another_convention_are_headed_by_it() -> None:
    sweep = make_sweep((ALPHA, RESOLUTION), fill_costs, convention="flop_counter")
    assert "FLOPs (flop_counter): alpha down, resolution across" in render_text(sweep, 80)
    header, first, *_ = csv.reader(io.StringIO(render_csv(sweep)))
    row = dict(zip(header, first, strict=True))
    assert (row["flops"], row["convention"]) == ("50176", "flop_counter")
    assert "macs" not in row


def test_csv_has_whole_numbers_and_a_line_a_cell_that_add_up_again() -> None:
    sweep = make_published_sweep()
    rows = list(csv.DictReader(io.StringIO(render_csv(sweep))))
    assert len(rows) == 16
    assert sum(int(row["macs"]) for row in rows) == sum(
        result.cost.macs for result in sweep.results if result.cost
    )
    first = rows[0]
    assert (first["model"], first["alpha"], first["resolution"]) == ("mobilenet_v1", "1.0", "224")
    assert (first["top1"], first["latency_samples"], first["error"]) == ("70.9", "40", "")


def test_csv_leaves_unknown_numbers_empty_and_tells_the_error() -> None:
    rows = list(csv.DictReader(io.StringIO(render_csv(make_sweep((RESOLUTION,), fail_at(128))))))
    assert rows[1] == {
        **dict.fromkeys(rows[1], ""),
        **{"model": "mobilenet_v1", "resolution": "128", "uncounted": "0"},
        **{"error": "no room", "convention": "macs"},
    }


def test_csv_and_frame_name_the_node_where_cells_have_one() -> None:
    sweep = make_sweep((ALPHA,), fill_costs, nodes=("cpu", "gpu:h100"))
    rows = list(csv.DictReader(io.StringIO(render_csv(sweep))))
    assert [row["on"] for row in rows] == ["cpu", "gpu:h100"] * 2
    assert list(sweep.frame()["on"]) == ["cpu", "gpu:h100"] * 2
    assert "on gpu:h100" in render_text(sweep, 80) or "gpu:h100" in render_text(sweep, 80)


def test_markdown_and_latex_escape_a_name_that_means_something_there() -> None:
    axes = (make_axis("resolution", (224,)),)
    sweep = make_sweep(axes, fill_costs, ("a_b.py:C|d",))
    assert "a\\_b.py:C\\|d" in render_markdown(sweep)
    sweep = make_sweep((), fill_costs, ("net.py:a_b&c", "net.py:d"))
    latex = render_latex(sweep)
    assert r"net.py:a\_b\&c & 10,000 & 1,000 \\" in latex
    assert latex.count(r"\toprule") == latex.count(r"\end{tabular}") == 1


def test_html_escapes_every_text() -> None:
    sweep = make_sweep((), lambda cell: {"error": "<b>"}, ("net.py:<script>", "net.py:b"))
    html = render_html(sweep)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>net" not in html.replace("<p><b>", "")


@pytest.mark.parametrize("name", SWEEPS)
def test_every_format_holds_every_count(name: str) -> None:
    sweep = make_published_sweep()
    text = SWEEPS[name](sweep)
    assert all(f"{result.cost.macs:,}" in text for result in sweep.results if result.cost)


def test_an_axis_or_a_quantity_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'alpha'"):
        render_text(make_published_sweep(), 80, down="alhpa")
    with pytest.raises(UsageError, match="did you mean 'macs'"):
        render_text(make_published_sweep(), 80, quantities=["mac"])


def test_axes_may_change_places() -> None:
    text = render_text(
        make_published_sweep(), 80, quantities=["macs"], down="resolution", across="alpha"
    )
    assert find_lines(text, r"^resolution +1 +0\.75 +0\.5 +0\.25$")
    assert find_lines(text, r"^ *224 +568,740,352 +325,400,448 ")


def test_a_table_of_many_rows_looks_as_one_of_few_and_is_drawn_at_once() -> None:
    lines = list_tables(make_published_sweep(), ["macs", "latency"], long=True)[-1]
    drawn = draw_text(draw_lines(lines.lines, ("alpha",)), 100)
    assert drawn == write_plain(lines.lines, ("alpha",)) + "\n"
    axes = (make_axis("alpha", range(1, 101)), make_axis("resolution", range(32, 132)))
    sweep = make_sweep(axes, fill_costs)
    start = time.perf_counter()
    text = render_text(sweep, 100, quantities=["macs"], long=True)
    assert time.perf_counter() - start < 10
    assert text.count("\n") > 10_000


def test_a_network_without_the_axis_that_runs_down_is_a_row_of_its_own_name() -> None:
    models = ("mobilenet_v1", "resnet50", "vgg16")
    text = render_text(make_sweep((ALPHA, RESOLUTION), fill_costs, models), 80, quantities=["macs"])
    table = text.partition("MACs: resolution across\n")[2].splitlines()
    assert [line.split() for line in (table[0], *table[2:])] == [
        ["model", "224", "128"],
        ["resnet50", "50,176", "16,384"],
        ["vgg16", "50,176", "16,384"],
    ]


def test_an_axis_of_one_value_is_neither_down_nor_across() -> None:
    axes = (make_axis("num_classes", (10,)), ALPHA, make_axis("resolution", (224,)))
    text = render_text(make_sweep(axes, fill_costs), 80, quantities=["macs"])
    assert "across" not in text
    axes = (make_axis("num_classes", (10,)), ALPHA, RESOLUTION)
    text = render_text(make_sweep(axes, fill_costs), 80, quantities=["macs"])
    assert "MACs: alpha down, resolution across; num_classes 10" in text


def test_a_cell_shows_what_is_known_of_it() -> None:
    own = make_published_sweep().results[8]
    assert str(own) == (
        "mobilenet_v1 alpha=0.5 resolution=224: macs 149,497,088, params 1,331,592, weights 0, "
        "activations 2,522,344, memory 18.38 MiB, latency 3.39 ± 0.08 ms, top1 63.3% "
        "(tensorflow/models, research/slim/nets/mobilenet_v1.md (465354df8f96), float)"
    )
    html = replace(own, accuracy=None, error="<no room>")._repr_html_()
    assert '<td style="text-align:right">149,497,088</td>' in html
    assert "&lt;no room&gt;" in html
    assert "top1" not in html
    assert str(CellResult(Cell("mobilenet_v1"))) == "mobilenet_v1: nothing known"
