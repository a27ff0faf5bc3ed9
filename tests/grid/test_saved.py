"""A sweep is read back as it was written, from each of its three formats."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.order import Order
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.grid.saved import describe_change, read_cell, read_kept, read_sweep
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.render.sweep import render_csv
from mobilenet_profiler.render.sweep_json import (
    describe_cell,
    describe_machine,
    describe_order,
    render_line,
    render_sweep,
)
from tests.sweeps import make_published_sweep, make_sweep

AXES = (make_axis("layers", [[3, 4], [2, 2]]), make_axis("note", ["plain", None, True]))


def fill(cell: Cell) -> dict[str, Any]:
    """A cell that has everything, one that failed, and the rest with costs alone."""
    if cell.point == {"layers": (3, 4), "note": "plain"}:
        return {
            "cost": Cost(1, 2, 3, 4, 5, 6),
            "uncounted": 2,
            "memory": 0,
            "latency": Estimate(1.5, 1.0, 2.5, 3, 0.75),
            "samples": (1, 2, 1),
            "machine": "a machine",
            "accuracy": Accuracy("70.60%", "a paper, Table 1"),
            "notes": ("one", "two"),
            "spec": {"model": "net", "options": {"layers": [3, 4]}},
        }
    if cell.point["note"] is None:
        return {"error": 'ValueError: "no" (net.py:1)\u2028 é'}
    return {"cost": Cost(7, 7, 7)}


def make_odd(**settings: Any) -> Sweep:
    given = {"machines": {"a machine": {"cpu": {"model": "x"}}}, "where": ("macs < 3M",)}
    return make_sweep(AXES, fill, ("net.py:Net",), **{**given, **settings})


def test_one_object_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    for sweep in (
        make_odd(missing=3, left_out=4, settings={"mode": "eval"}),
        make_published_sweep(),
    ):
        path = tmp_path / "sweep.json"
        path.write_text(render_sweep(sweep), encoding="utf-8")
        assert read_sweep(path) == sweep


def test_a_cell_a_line_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    sweep = make_odd()
    order = Order(sweep.models, sweep.axes, where=sweep.where)
    path = tmp_path / "sweep.jsonl"
    path.write_text(write_lines(sweep, order), encoding="utf-8")
    assert read_sweep(path) == sweep
    kept = read_kept(path)
    assert kept.order == order
    assert kept.length == path.stat().st_size


def write_lines(sweep: Sweep, order: Order) -> str:
    machines = [describe_machine(*item) for item in sweep.machines.items()]
    cells = [describe_cell(result, order.convention) for result in sweep.results]
    return "".join(map(render_line, (describe_order(order), *machines, *cells)))


def test_every_cut_of_a_file_that_grows_gives_its_whole_lines(tmp_path: Path) -> None:
    sweep = make_odd()
    order = Order(sweep.models, sweep.axes, where=sweep.where)
    data = write_lines(sweep, order).encode()
    path = tmp_path / "sweep.jsonl"
    head = data.index(b"\n") + 1
    for length in range(head, len(data), 7):
        path.write_bytes(data[:length])
        read = read_sweep(path)
        whole = data[:length].count(b'{"kind": "cell"') - (data[length - 1 : length] != b"\n")
        torn_elsewhere = b'{"kind": "cell"' not in data[data[:length].rfind(b"\n") + 1 : length]
        expected = whole + (torn_elsewhere and data[length - 1 : length] != b"\n")
        assert read.results == sweep.results[:expected]
        assert read.missing == 6 - expected


def test_cells_in_any_order_are_read_in_that_of_the_grid(tmp_path: Path) -> None:
    sweep = make_odd()
    order = Order(sweep.models, sweep.axes, where=sweep.where)
    head, *rest = write_lines(sweep, order).strip().split("\n")
    path = tmp_path / "sweep.jsonl"
    path.write_text("\n".join([head, *reversed(rest), ""]), encoding="utf-8")
    assert read_sweep(path) == sweep


def test_cells_that_were_left_out_are_counted(tmp_path: Path) -> None:
    sweep = make_odd()
    marked = replace(
        sweep, results=tuple(replace(own, left_out=i > 3) for i, own in enumerate(sweep.results))
    )
    order = Order(sweep.models, sweep.axes, where=sweep.where)
    path = tmp_path / "sweep.jsonl"
    path.write_text(write_lines(marked, order), encoding="utf-8")
    read = read_sweep(path)
    assert (read.results, read.left_out, read.missing) == (sweep.results[:4], 2, 0)


def test_the_long_table_gives_counts_times_and_accuracies(tmp_path: Path) -> None:
    sweep = make_published_sweep()
    path = tmp_path / "sweep.csv"
    path.write_text(render_csv(sweep), encoding="utf-8")
    read = read_sweep(path)
    assert (read.models, read.axes, read.convention) == (sweep.models, sweep.axes, "macs")
    for found, own in zip(read.results, sweep.results, strict=True):
        assert (found.cell, found.accuracy) == (own.cell, own.accuracy)
        assert found.cost is not None
        assert own.cost is not None
        for name in ("params", "weights", "macs", "activations"):
            assert getattr(found.cost, name) == getattr(own.cost, name)
        assert found.latency is not None
        assert own.latency is not None
        assert found.latency.value == pytest.approx(own.latency.value)
        assert found.latency.count == own.latency.count


def test_the_long_table_keeps_odd_axes_and_errors(tmp_path: Path) -> None:
    sweep = make_odd()
    path = tmp_path / "sweep.csv"
    path.write_text(render_csv(sweep), encoding="utf-8")
    read = read_sweep(path)
    assert [own.error for own in read.results] == [own.error for own in sweep.results]
    assert [own.cell.point["layers"] for own in read.results] == [(3, 4)] * 3 + [(2, 2)] * 3
    assert read.results[0].notes == ("one", "two")


def test_counts_in_flops_are_read_as_such(tmp_path: Path) -> None:
    sweep = make_sweep((), lambda cell: {"cost": Cost(1, 1, 6)}, convention="deepspeed-flops")
    for name, text in (("a.json", render_sweep(sweep)), ("a.csv", render_csv(sweep))):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert "flops" in text
        (read,) = read_sweep(tmp_path / name).results
        assert read.cost == Cost(1, 1, 6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 9}, "schema_version must be 1"),
        ({"kind": "profile"}, "holds no sweep"),
        ({"models": [1]}, "'models' of the sweep must be a list of texts"),
        ({"axes": [{"name": "alpha"}]}, "an axis has no 'values'"),
        ({"convention": "mac"}, "unknown convention"),
        ({"cells": [{"kind": "cell"}]}, "cell 1: the cell has no 'point'"),
        ({"cells": [{"model": "m", "point": {}, "cost": {"macs": -1}}]}, "cell 1: "),
        ({"cells": [{"model": "m", "point": {}, "samples": [0.5]}]}, "whole numbers"),
        ({"cells": [{"model": "m", "point": {}, "memory": "1"}]}, "'memory' of the cell"),
        ({"cells": [{"model": "m", "point": {}, "accuracy": {"text": "?", "source": ""}}]}, "per"),
        ({"missing": None}, "'missing' of the sweep"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    data = json.loads(render_sweep(make_sweep((), lambda cell: {"cost": Cost()})))
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps({**data, **change}))
    with pytest.raises(UsageError) as caught:
        read_sweep(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "", "ends in .jsonl, .json, .csv"),
        ("a.jsonl", "", "is empty"),
        ("a.jsonl", '{"kind": "sw', "is empty"),
        ("a.jsonl", "no\n", "line 1: is not JSON"),
        ("a.csv", "", "has no column 'model'"),
        ("a.csv", "model,macs\n", "has no row"),
        ("a.csv", "model,macs\nm,many\n", "line 2: macs must be a whole number, given 'many'"),
        ("a.csv", "model,macs\nm,1,2\n", "line 2: has more or fewer values"),
        ("a.csv", "model,top1\nm,high\n", "line 2: top1 must be a number"),
    ],
)
def test_what_is_no_sweep_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=told):
        read_sweep(tmp_path / name)


def test_a_file_that_is_not_there_is_named() -> None:
    for name in ("no.jsonl", "no.json", "no.csv"):
        with pytest.raises(UsageError, match=f"cannot read '{name}'"):
            read_sweep(name)


def test_a_cell_has_one_key_however_its_numbers_are_written() -> None:
    assert Cell("m", {"alpha": 1.0}).key == Cell("m", {"alpha": 1}).key
    keys = {Cell("m", {"a": value}).key for value in (0.5, "0.5", True, 1, None, (1,), (1, 2))}
    assert len(keys) == 7
    assert Cell("m", {}, "cpu").key != Cell("m", {}).key


def test_a_change_between_orders_is_told_in_words() -> None:
    axes = (make_axis("alpha", [1, 0.75]),)
    one = Order(("mobilenet_v1",), axes, {"mode": "eval"})
    assert describe_change(describe_order(one), describe_order(one)) == ""
    for change, told in (
        ({"axes": (make_axis("alpha", [1]),)}, "axes is alpha=1,0.75 there, asked for alpha=1"),
        ({"settings": {"mode": "train"}}, "mode is 'eval' there, asked for 'train'"),
        ({"convention": "thop"}, "convention is 'macs' there, asked for 'thop'"),
        ({"memory": True}, "memory is False there, asked for True"),
    ):
        other = replace(one, **change)
        assert describe_change(describe_order(one), describe_order(other)) == told


def test_a_bare_cell_says_nothing_that_is_not_known() -> None:
    (bare,) = make_sweep((), lambda cell: {}).results
    data = describe_cell(replace(bare, label=""), "macs")
    assert data == {"kind": "cell", "model": "mobilenet_v1", "point": {}}
    assert read_cell(data, "macs") == replace(bare, label="")
