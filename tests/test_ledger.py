"""A trace by operation adds up to the trace by layer."""

import csv
import io
import json

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.ledger import add_up, make_ledger
from mobilenet_profiler.render.ledger import (
    render_ledger,
    render_ledger_csv,
    render_ledger_json,
    render_ledger_markdown,
)
from mobilenet_profiler.render.table import draw_text


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = torch.linalg.svdvals(self.layers(x))
        return values


@pytest.fixture(scope="module", params=[False, True], ids=["forward", "backward"])
def trace(request: pytest.FixtureRequest) -> mp.Trace:
    return mp.trace(Net(), (1, 3, 8, 8), backward=request.param)


def test_the_ledger_adds_up_to_the_trace(trace: mp.Trace) -> None:
    total = add_up(make_ledger(trace))
    assert total.macs == trace.total.macs == 36 * 4 * 27 + 36 * 4 * 4
    assert total.elementwise == trace.total.elementwise
    assert total.backward_macs == trace.total.backward_macs
    assert total.calls == len(trace.ops)


def test_every_operation_is_on_one_row_counted_unknown_free(trace: mp.Trace) -> None:
    rows = make_ledger(trace)
    assert [row.name for row in rows] == list(dict.fromkeys(row.name for row in rows))
    order = [("counted", "unknown", "free").index(row.status) for row in rows]
    assert order == sorted(order)
    assert all(bool(row.rule) == (row.status == "free") for row in rows)


def test_products_by_hand() -> None:
    first, *rest = make_ledger(mp.trace(Net(), (1, 3, 8, 8)))
    assert (first.name, first.calls, first.macs) == ("aten::conv2d", 2, 36 * 4 * 31)
    # images of 3x8x8, then 4x6x6 twice; kernels of 108 and 16 with biases of 4; 4 bytes each
    assert first.bytes_read == 4 * (192 + 108 + 4 + 144 + 16 + 4)
    assert first.bytes_written == 4 * (144 + 144)
    assert {row.name: row.elementwise for row in rest}["aten::relu"] == 4 * 36


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_number_is_cut_at_any_width(trace: mp.Trace, width: int) -> None:
    text = draw_text(render_ledger(trace, width), width)
    assert "…" not in text
    assert "4,464" in text
    assert max(map(len, text.splitlines())) <= width


def test_the_formats_hold_every_row(trace: mp.Trace) -> None:
    rows = make_ledger(trace)
    records = list(csv.DictReader(io.StringIO(render_ledger_csv(trace))))
    data = json.loads(render_ledger_json(trace))
    assert [record["name"] for record in records] == [row.name for row in rows]
    assert sum(int(record["macs"]) for record in records) == data["total"]["macs"] == 4464
    assert data["uncounted"][0]["name"] == "aten::_linalg_svd"
    assert render_ledger_markdown(trace).count("\n| ") == len(rows) + 3
