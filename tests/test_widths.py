"""No view cuts a number, however large it is and however narrow the terminal."""

from collections.abc import Callable

import pytest
import torch
from rich.console import Group
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.conventions.comparison import compare_conventions
from mobilenet_profiler.render.conventions import render_comparison
from mobilenet_profiler.render.ledger import render_ledger
from mobilenet_profiler.render.table import draw_text, render_table

MACS = 10**4 * 10**5 * 2 * 10**5


@pytest.fixture(scope="module")
def trace() -> mp.Trace:
    with torch.device("meta"):
        layer = nn.Linear(10**5, 2 * 10**5)
    return mp.trace(nn.Sequential(layer, nn.ReLU()), (10**4, 10**5), backward=True)


def compare(trace: mp.Trace, width: int) -> Group:
    return render_comparison(trace, compare_conventions(trace, ("macs", "thop")), width)


VIEWS: dict[str, Callable[[mp.Trace, int], Group]] = {
    "table": lambda trace, width: render_table(trace, width=width),
    "operations": render_ledger,
    "conventions": compare,
}


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("view", VIEWS)
def test_large_numbers_are_whole(trace: mp.Trace, view: str, width: int) -> None:
    text = draw_text(VIEWS[view](trace, width), width)
    assert f"{MACS:,}" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
