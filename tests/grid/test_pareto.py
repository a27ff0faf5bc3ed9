"""The Pareto front against brute force."""

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.pareto import find_front
from mobilenet_profiler.grid.quantities import QUANTITIES
from mobilenet_profiler.grid.results import CellResult
from tests.sweeps import make_published_sweep, make_sweep

MACS, PARAMS, TOP1 = QUANTITIES["macs"], QUANTITIES["params"], QUANTITIES["top1"]
AMOUNTS = st.tuples(st.integers(0, 6), st.integers(0, 6), st.none() | st.integers(0, 6))


def make_cells(amounts: list[tuple[int, int, int | None]]) -> list[CellResult]:
    return [
        CellResult(
            Cell("net.py:Net", {"width": index}),
            cost=Cost(macs=macs, params=params),
            accuracy=None if top1 is None else Accuracy(f"{top1}%", "made"),
        )
        for index, (macs, params, top1) in enumerate(amounts)
    ]


def place(cell: CellResult, names: list[str]) -> list[float]:
    """Its amounts, less is better."""
    amounts = [(name, QUANTITIES[name].amount(cell)) for name in names]
    assert all(amount is not None for _, amount in amounts)
    return [-(amount or 0) if name == "top1" else (amount or 0) for name, amount in amounts]


def beats(one: CellResult, other: CellResult, names: list[str]) -> bool:
    """By the definition: as good in all, better in one."""
    pairs = list(zip(place(one, names), place(other, names), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(
    st.lists(AMOUNTS, max_size=30),
    st.lists(st.sampled_from(["macs", "params", "top1"]), min_size=1, max_size=3, unique=True),
)
def test_the_front_is_that_of_brute_force(
    amounts: list[tuple[int, int, int | None]], names: list[str]
) -> None:
    cells = make_cells(amounts)
    known = [cell for cell in cells if "top1" not in names or cell.accuracy]
    expected = [cell for cell in known if not any(beats(other, cell, names) for other in known)]
    found = find_front(cells, [QUANTITIES[name] for name in names])
    assert sorted(cell.cell.point["width"] for cell in found) == [
        cell.cell.point["width"] for cell in expected
    ]


@given(st.lists(AMOUNTS, max_size=30), st.booleans())
def test_the_front_goes_from_least_to_most_of_the_first_quantity(
    amounts: list[tuple[int, int, int | None]], reverse: bool
) -> None:
    quantities = [TOP1, MACS] if reverse else [MACS, TOP1]
    found = find_front(make_cells(amounts), quantities)
    shown = [[quantity.amount(cell) or 0 for quantity in quantities] for cell in found]
    assert shown == sorted(shown)


def test_cells_alike_in_all_each_take_part() -> None:
    assert len(find_front(make_cells([(1, 1, 5), (1, 1, 5), (2, 1, 5)]), [MACS, TOP1])) == 2


def test_of_the_16_pairs_those_on_the_front_are_the_known_ones() -> None:
    front = make_published_sweep().pareto("macs", "top1")
    pairs = [(own.cell.point["alpha"], own.cell.point["resolution"]) for own in front.results]
    assert pairs[0] == (0.25, 128)
    assert pairs[-1] == (1.0, 224)
    # 0.75 at 128 has 106.8 M MACs and 62.1 %, 0.5 at 192 has 110.0 M and 61.7 %.
    assert (0.75, 128) in pairs
    assert (0.5, 192) not in pairs


def test_a_front_is_a_sweep_that_says_what_it_leaves_out() -> None:
    sweep = make_published_sweep()
    front = sweep.pareto()
    assert front.left_out == 16 - len(front.results) > 0
    assert f"{front.left_out} cells left out" in str(front)
    assert "on the Pareto front of macs, top1" in str(front)
    assert len(front.frame()) == len(front.results)
    assert front.pareto().results == front.results


def test_the_front_of_ten_thousand_cells_takes_a_moment() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        width, size = cell.point["alpha"], cell.point["resolution"]
        macs = width * size * size
        return {"cost": Cost(macs=macs, params=width), "accuracy": Accuracy(f"{macs % 97}", "")}

    axes = (make_axis("alpha", range(1, 101)), make_axis("resolution", range(100, 200)))
    sweep = make_sweep(axes, fill)
    start = time.perf_counter()
    assert find_front(sweep.results, [MACS, TOP1])
    assert find_front(sweep.results, [MACS, PARAMS, TOP1])
    assert time.perf_counter() - start < 5
