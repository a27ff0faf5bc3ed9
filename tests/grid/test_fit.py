"""What a budget allows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mobilenet_profiler as mp
from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.fit import (
    Fit,
    find_fit,
    look_between,
    make_goal,
    parse_bounds,
)
from mobilenet_profiler.grid.fit_order import list_published_axes, make_fit_order
from mobilenet_profiler.grid.fit_words import (
    describe_front,
    describe_heading,
    list_sentences,
    show_left,
)
from mobilenet_profiler.grid.interpolation import make_surface
from mobilenet_profiler.grid.pareto import find_front
from mobilenet_profiler.grid.quantities import QUANTITIES
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.measured.statistics import Estimate
from tests.sweeps import make_published_sweep, make_sweep


def fit(sweep: Sweep | None = None, goal: str = "", **limits: Any) -> Fit:
    chosen = make_goal(minimize=goal) if goal else make_goal()
    return find_fit(sweep or make_published_sweep(), parse_bounds(limits), chosen)


def name(result: CellResult | None) -> tuple[Any, ...]:
    return tuple(result.cell.point.values()) if result else ()


def count_by_rule(cell: Cell) -> CellResult:
    """MACs and params as alpha and resolution make them, near those of MobileNet V1."""
    alpha, size = cell.point.get("alpha", 1), cell.point.get("resolution", 224)
    macs = 569e6 * alpha**1.9 * (size / 224) ** 2
    return CellResult(cell, cell.label, cost=Cost(params=int(4.2e6 * alpha**1.7), macs=int(macs)))


def test_the_best_mobilenet_under_150_million_macs_and_2_million_params() -> None:
    found = fit(macs="150M", params="2M")
    assert name(found.best) == (0.5, 224)
    assert found.best is not None
    assert found.best.accuracy is not None
    assert found.best.accuracy.text == "63.3%"
    best, binding, *_ = list_sentences(found)
    assert best == (
        "Best: mobilenet_v1 alpha=0.5 resolution=224: 63.3% top-1 (tensorflow/models, "
        "research/slim/nets/mobilenet_v1.md (465354df8f96), float), 149,497,088 MACs, "
        "1,331,592 params."
    )
    assert binding == (
        "No limit alone keeps a better cell out. Nearest better cell: mobilenet_v1 alpha=0.75 "
        "resolution=160 (65.3%): MACs 10.9% over, params 29.3% over."
    )


LIMITS = st.tuples(
    st.integers(10**7, 6 * 10**8), st.integers(4 * 10**5, 5 * 10**6), st.floats(40, 71)
)


@given(LIMITS)
def test_the_ranking_is_that_of_brute_force(limits: tuple[int, int, float]) -> None:
    macs, params, least = limits
    found = fit(macs=macs, params=params, min_accuracy=least)
    within = [
        result
        for result in make_published_sweep().results
        if result.cost
        and result.accuracy
        and result.cost.macs <= macs
        and result.cost.params <= params
        and result.accuracy.percent >= least
    ]
    assert {name(own) for own in found.ranked} == {name(own) for own in within}
    amounts = [own.accuracy.percent for own in found.ranked if own.accuracy]
    assert amounts == sorted(amounts, reverse=True)
    quantities = [QUANTITIES[own] for own in ("top1", "macs", "params")]
    assert set(map(name, found.front)) == set(map(name, find_front(within, quantities)))
    assert bool(found) == bool(within)


@given(LIMITS)
def test_every_better_cell_is_outside_and_a_limit_binds_only_if_dropping_it_helps(
    limits: tuple[int, int, float],
) -> None:
    found = fit(macs=limits[0], params=limits[1])
    for result in found.better:
        assert not found.allows(result)
        assert found.find_excess(result) > 0
    for bound in found.bounds:
        best = found.drop(bound)
        if best is not None and found.best is not None:
            assert found.goal.place(best) < found.goal.place(found.best)
            assert all(own.allows(best) for own in found.bounds if own is not bound)


def test_of_cells_as_good_that_with_fewer_macs_is_first() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        return {"cost": Cost(macs=cell.point["resolution"]), "accuracy": Accuracy("60%", "made")}

    found = fit(make_sweep((make_axis("resolution", (96, 64, 128)),), fill), macs=1000)
    assert [name(own) for own in found.ranked] == [(64,), (96,), (128,)]


def test_where_none_fits_the_nearest_is_named_with_how_far_it_is_over() -> None:
    found = fit(macs="10M")
    assert not found
    assert list_sentences(found)[0] == "No cell fits."
    assert "alpha=0.25 resolution=128: 41.5% top-1" in list_sentences(found)[1]
    assert list_sentences(found)[1].endswith("MACs 35.7% over.")
    assert list_sentences(fit(macs="1M"))[1].endswith("MACs 13.6 times the limit.")
    far = fit(macs=1)
    assert list_sentences(far)[1].endswith("MACs 13,570,048 times the limit.")
    assert show_left(far.bounds[0], far.better[0]) == "-1,357,004,700"
    assert show_left(fit(macs="10M").bounds[0], far.better[0]) == "-35.7"


def test_one_limit_that_binds_is_said_to_with_what_there_would_be_without_it() -> None:
    told = list_sentences(fit(macs="150M", params="5M"))[1]
    assert told == (
        "The limit of MACs binds: without it mobilenet_v1 alpha=1 resolution=224 (70.9%)."
    )
    assert list_sentences(fit(macs="1G"))[1] == "No limit binds: no cell of the grid is better."


def test_the_smallest_network_of_an_accuracy_is_asked_for_the_other_way_round() -> None:
    found = fit(goal="macs", min_accuracy="65%")
    assert name(found.best) == (0.75, 160)
    assert name(found.better[0]) == (0.5, 224)
    assert "top-1 accuracy 1.7 points below" in " ".join(list_sentences(found))


def test_the_front_turns_with_the_goal() -> None:
    bounds = parse_bounds({"macs": "150M"})
    found = find_fit(make_published_sweep(), bounds, make_goal("macs"))
    assert [name(own) for own in found.front] == [name(found.best)] == [(0.5, 224)]
    assert describe_front(found) == "* on the Pareto front of MACs (the most)."
    assert describe_front(fit(macs="150M")) == "* on the Pareto front of top-1 accuracy and MACs."


def test_latency_and_memory_are_limits_too() -> None:
    found = fit(latency="3ms", memory="14MiB")
    assert name(found.best) == (0.75, 128)
    assert all(own.memory is not None and own.memory <= 14 * 2**20 for own in found.ranked)


def test_a_latency_whose_interval_reaches_over_the_limit_is_said_to_be_undecided() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        return {
            "cost": Cost(macs=1),
            "latency": Estimate(9e6, 8e6, 11e6, 20),
            "accuracy": Accuracy("60%", "made"),
        }

    sweep = make_sweep((make_axis("resolution", (64, 32)),), fill)
    (line,) = (own for own in list_sentences(fit(sweep, latency="10ms")) if "interval" in own)
    assert "resolution=64 and 1 more" in line
    assert not [own for own in list_sentences(fit(sweep, latency="12ms")) if "interval" in own]


def test_cells_of_which_not_all_is_known_take_no_part_and_are_counted() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        if cell.point["resolution"] == 32:
            return {"error": "no room"}
        return {"cost": Cost(macs=1), "accuracy": Accuracy("60%", "made")}

    found = fit(make_sweep((make_axis("resolution", (64, 32)),), fill), macs=10)
    assert len(found.known) == 1
    assert describe_heading(found).endswith(
        "1 of the 1 cell with known top-1 accuracy and MACs fits (1 has not all)"
    )


def test_cells_without_an_accuracy_are_counted_once_and_apart_from_those_that_do_not_fit() -> None:
    published = make_published_sweep()
    results = tuple(
        own if own.cell.point["alpha"] == 0.5 else replace(own, accuracy=None)
        for own in published.results
    )
    found = fit(replace(published, results=results), macs="100M")
    assert describe_heading(found).startswith(
        "mobilenet_v1, at most 100M MACs: 2 of the 4 cells with known top-1 accuracy fit "
        "(12 have none); most"
    )
    assert str(found).count("12 have none") == 1
    assert "without one" not in str(found)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "no budget"),
        ({"macs": "many"}, "max_macs must be a whole number"),
        ({"memory": "2 parsecs"}, "max_memory must be bytes"),
        ({"latency": "10"}, "max_latency must be a time"),
        ({"min_accuracy": "170"}, "min_accuracy must be in per cent"),
        ({"min_accuracy": "high"}, "min_accuracy must be in per cent"),
    ],
)
def test_what_is_no_limit_is_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        fit(**limits)


def test_a_quantity_of_which_no_cell_has_an_amount_is_refused_with_what_to_do() -> None:
    sweep = make_sweep((make_axis("resolution", (64,)),), lambda cell: {"cost": Cost(macs=1)})
    with pytest.raises(mp.UsageError, match="known top1: give accuracies of your own"):
        fit(sweep, macs=10)
    with pytest.raises(mp.UsageError, match="known latency: ask for latency"):
        fit(sweep, goal="macs", latency="10ms")
    with pytest.raises(mp.UsageError, match="give maximize or minimize"):
        make_goal("accuracy", "macs")
    with pytest.raises(mp.UsageError, match="did you mean 'accuracy'"):
        make_goal("acuracy")


def look(found: Fit, time_cell: Callable[[Cell], CellResult] | None = None) -> Fit:
    return look_between(found, count_by_rule, time_cell)


@given(st.integers(2 * 10**7, 5 * 10**8), st.integers(5 * 10**5, 4 * 10**6))
def test_what_lies_between_is_within_the_budget_inside_the_grid_and_better_than_any_cell(
    macs: int, params: int
) -> None:
    sweep = make_sweep(make_published_sweep().axes, fill_from_rule)
    found = look(fit(sweep, macs=macs, params=params))
    if found.between is None:
        return
    point, result = found.between.result.cell.point, found.between.result
    assert found.allows(result)
    assert result.accuracy is None
    assert 0.25 <= point["alpha"] <= 1
    assert 128 <= point["resolution"] <= 224
    assert point["resolution"] == int(point["resolution"])
    corners = [
        own.accuracy.percent
        for own in sweep.results
        if own.accuracy
        and all(own.cell.point[axis] in sides for axis, sides in found.between.sides.items())
    ]
    assert min(corners) - 1e-9 <= found.between.top1 <= max(corners) + 1e-9
    if found.best is not None and found.best.accuracy is not None:
        assert found.between.top1 > found.best.accuracy.percent


def fill_from_rule(cell: Cell) -> dict[str, Any]:
    (published,) = (own for own in make_published_sweep().results if own.cell.point == cell.point)
    return {"cost": count_by_rule(cell).cost, "accuracy": published.accuracy}


def test_no_other_place_between_the_cells_is_better() -> None:
    """Against every place of the grid in steps of 0.01 and 16 pixels."""
    sweep = make_sweep(make_published_sweep().axes, fill_from_rule)
    found = look(fit(sweep, macs="150M", params="2M"))
    assert found.between is not None
    surface = make_surface(("alpha", "resolution"), list_accuracies(sweep))
    tops = [
        surface.find((hundredth / 100, float(size))) or 0
        for hundredth in range(25, 101)
        for size in range(128, 225, 16)
        if found.allows(
            count_by_rule(Cell("mobilenet_v1", {"alpha": hundredth / 100, "resolution": size}))
        )
    ]
    assert found.between.top1 == pytest.approx(max(tops))


def test_an_interpolated_accuracy_is_said_to_be_and_how_far_off_it_may_be() -> None:
    sweep = make_sweep(make_published_sweep().axes, fill_from_rule)
    (told,) = (own for own in list_sentences(look(fit(sweep, macs="150M"))) if "Between" in own)
    assert "counted; about " in told
    assert "interpolated between alpha " in told
    assert "not measured" in told
    assert "points too low" in told


def test_nothing_lies_between_cells_of_one_alone_or_where_no_accuracy_is_asked_for() -> None:
    sweep = make_sweep((make_axis("resolution", (224,)),), fill_one)
    assert look(fit(sweep, macs="1G")).between is None
    assert look(fit(goal="macs", params="2M")).between is None
    assert look(fit(goal="latency", min_accuracy=65)).between is None


@given(st.floats(42, 70), st.integers(5 * 10**5, 4 * 10**6), st.sampled_from(["macs", "params"]))
def test_the_least_between_the_cells_is_that_of_every_place(
    least: float, params: int, goal: str
) -> None:
    """Against every place in steps of 0.01 and 16 pixels that is as accurate and fits."""
    sweep = make_sweep(make_published_sweep().axes, fill_from_rule)
    bounded = fit(sweep, goal=goal, params=params, min_accuracy=least)
    quantity = QUANTITIES[goal]
    places = (count_by_rule(Cell("mobilenet_v1", point)) for point in list_accurate(sweep, least))
    within = [own for own in places if bounded.bounds[0].allows(own)]
    lowest = min((quantity.amount(own) or 0 for own in within), default=None)
    found, best = look(bounded), bounded.best
    if found.between is not None:
        assert found.between.top1 >= least
        assert quantity.amount(found.between.result) == lowest
    else:
        assert lowest is None or (best is not None and lowest == quantity.amount(best))


def list_accurate(sweep: Sweep, least: float) -> list[dict[str, Any]]:
    surface = make_surface(("alpha", "resolution"), list_accuracies(sweep))
    return [
        {"alpha": hundredth / 100, "resolution": size}
        for hundredth in range(25, 101)
        for size in range(128, 225, 16)
        if (surface.find((hundredth / 100, float(size))) or 0) >= least
    ]


def list_accuracies(sweep: Sweep) -> dict[tuple[float, ...], float]:
    return {
        (own.cell.point["alpha"], float(own.cell.point["resolution"])): own.accuracy.percent
        for own in sweep.results
        if own.accuracy
    }


def test_the_least_between_the_cells_is_measured_where_latency_is_limited() -> None:
    sweep = make_published_sweep()
    bounded = fit(sweep, goal="params", latency="3.2ms", min_accuracy=60)
    found = look(bounded, time_by_rule(1.0))
    assert found.between is not None
    assert found.between.result.latency is not None
    assert found.between.result.latency.value <= 3.2e6
    assert look(bounded, time_by_rule(50.0)).between is None


def fill_one(cell: Cell) -> dict[str, Any]:
    return {"cost": count_by_rule(cell).cost, "accuracy": Accuracy("70%", "made")}


def test_what_lies_between_is_not_offered_where_it_is_less_accurate_than_asked_for() -> None:
    sweep = make_sweep(make_published_sweep().axes, fill_from_rule)
    assert look(fit(sweep, macs="150M", min_accuracy=62)).between is not None
    found = look(fit(sweep, macs="150M", min_accuracy=70))
    assert found.best is None
    assert found.between is None


def test_a_hole_in_the_grid_is_not_interpolated_across() -> None:
    def fill(cell: Cell) -> dict[str, Any]:
        known = fill_from_rule(cell)
        return {**known, "accuracy": None} if cell.point["alpha"] == 0.75 else known

    axes = make_published_sweep().axes
    sweep = make_sweep(axes, lambda cell: {**fill(cell)})
    found = look(fit(sweep, macs="150M"))
    assert found.between is None or found.between.sides["alpha"] == (0.5, 1.0)


def time_by_rule(factor: float) -> Callable[[Cell], CellResult]:
    def time_cell(cell: Cell) -> CellResult:
        counted = count_by_rule(cell)
        assert counted.cost is not None
        time = factor * (400_000 + 0.02 * counted.cost.macs)
        return CellResult(
            cell, cell.label, cost=counted.cost, latency=Estimate(time, time, time, 9)
        )

    return time_cell


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.05])
def test_the_latency_of_what_lies_between_is_measured_and_kept(factor: float) -> None:
    found = look(fit(latency="3ms"), time_by_rule(factor))
    assert found.between is not None
    latency = found.between.result.latency
    assert latency is not None
    assert latency.value <= 3e6


def test_what_is_measured_too_slow_everywhere_is_not_offered() -> None:
    assert look(fit(latency="3ms"), time_by_rule(50.0)).between is None


def test_without_a_clock_nothing_between_is_offered_where_latency_is_limited() -> None:
    assert look(fit(latency="3ms")).between is None


def test_the_grid_is_that_of_the_published_accuracies() -> None:
    alphas, sizes = list_published_axes(["mobilenet_v1"])
    assert alphas.values == (1.0, 0.75, 0.5, 0.25)
    assert sizes.values == (224, 192, 160, 128)
    (alphas,) = list_published_axes(["mobilenet_v3_large"])
    assert alphas.values == (1.0, 0.75)
    assert list_published_axes(["resnet50", "net.py:Net"]) == ()
    (sizes,) = list_published_axes(["mobilenet_v1 alpha=0.5"])
    assert sizes.name == "resolution"


def test_an_order_asks_for_all_that_the_budget_needs() -> None:
    bounds = parse_bounds({"memory": "2MB", "latency": "10ms"})
    order = make_fit_order(["mobilenet_v1"], (), {}, bounds, make_goal())
    assert (order.memory, order.latency, order.where) == (True, True, ("top1 > 0",))
    assert len(order.cells) == 16
    bounds = parse_bounds({"macs": "150M"})
    order = make_fit_order(["mobilenet_v1"], (), {}, bounds, make_goal(minimize="params"))
    assert (order.memory, order.latency, order.where) == (False, False, ())
    own = (make_axis("alpha", (0.9, 0.8)),)
    assert make_fit_order(["mobilenet_v1"], own, {}, bounds, make_goal()).axes == own
    with pytest.raises(mp.UsageError, match="no budget"):
        make_fit_order(["mobilenet_v1"], (), {}, (), make_goal())
