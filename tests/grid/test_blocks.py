"""Which cells are timed together, and what machines are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.blocks import MOST_TOGETHER, bound_size, make_blocks, name_machine
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import CellResult
from tests.sweeps import make_published_sweep, make_sweep

CPU = {"cpu": {"model": "Fast 9000", "usable_cores": 2}, "gpu": None, "torch": "2"}


def make_results(sizes: list[int]) -> list[CellResult]:
    """Cells whose weights are so many numbers."""
    return [CellResult(Cell("m", {"n": n}), cost=Cost(params=s)) for n, s in enumerate(sizes)]


def test_the_sixteen_pairs_are_timed_in_one_block() -> None:
    (block,) = make_blocks(make_published_sweep().results, 2**30)
    assert len(block) == 16


@given(st.lists(st.integers(0, 100), max_size=200), st.integers(1, 150))
def test_every_cell_is_in_one_block_and_every_block_has_room(sizes: list[int], room: int) -> None:
    results = make_results(sizes)
    blocks = make_blocks(results, 4 * room)
    together = sorted(result.cell.point["n"] for block in blocks for result in block)
    assert together == list(range(len(sizes)))
    for block in blocks:
        assert 0 < len(block) <= MOST_TOGETHER
        assert sum(bound_size(result, 4) for result in block) <= 4 * room or len(block) == 1


def test_what_room_is_not_known_is_not_asked_for() -> None:
    (block,) = make_blocks(make_results([10**15] * 10), None)
    assert len(block) == 10


def test_blocks_follow_no_axis_and_are_the_same_each_time() -> None:
    axes = (make_axis("alpha", range(1, 21)), make_axis("resolution", range(1, 21)))
    results = make_sweep(axes, lambda cell: {"cost": Cost()}).results
    blocks = make_blocks(results, None)
    assert blocks == make_blocks(results, None)
    for axis in ("alpha", "resolution"):  # 10.5 in the whole grid, within four deviations
        for block in blocks[:-1]:
            mean = sum(result.cell.point[axis] for result in block) / len(block)
            assert abs(mean - 10.5) < 4 * 5.77 / len(block) ** 0.5


def test_weights_and_twice_all_activations_are_counted_in_the_items_of_the_dtype() -> None:
    result = CellResult(Cell("m"), cost=Cost(params=100, activations=7))
    assert (bound_size(result, 4), bound_size(result, 2)) == (456, 228)


def test_a_machine_keeps_its_name_while_its_clocks_change() -> None:
    gpu = {**CPU, "gpu": {"name": "H100", "state": {"sm_clock_mhz": 1}}}
    name = name_machine(gpu, {})
    assert name == "H100"
    later = {**gpu, "gpu": {"name": "H100", "state": {"sm_clock_mhz": 2}}, "date": "today"}
    assert name_machine(later, {name: gpu}) == name


def test_a_machine_set_otherwise_has_a_name_of_its_own() -> None:
    known = {"Fast 9000": CPU, "Fast 9000 (2)": {**CPU, "torch": "3"}}
    assert name_machine(CPU, known) == "Fast 9000"
    assert name_machine({**CPU, "torch": "3"}, known) == "Fast 9000 (2)"
    assert name_machine({**CPU, "torch": "4"}, known) == "Fast 9000 (3)"
    assert name_machine({}, {}) == "a machine"
