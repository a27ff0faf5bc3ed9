"""Rows with times: layers that the trace has no row for have one here, and all adds up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mobilenet_profiler.measured.profile import LayerSamples, Profile
from mobilenet_profiler.measured.rows import add_samples, list_extra, make_timed_rows
from tests.measured.building import build_profile, trace_small

KNOWN = LayerSamples("Conv2d_0.conv", "forward", (700, 800))
EXTRA = (
    LayerSamples("", "forward", (10, 20), kind="functional"),
    LayerSamples("Conv2d_1", "forward", (100, 200), kind="compiled"),
    LayerSamples("Conv2d_1", "backward", (3, 4), kind="compiled"),
    LayerSamples("Conv2d_2", "forward", (1_000, 2_000), kind="compiled"),
)


@pytest.fixture
def profile() -> Profile:
    trace = trace_small()
    trace = replace(trace, layers=tuple(layer for layer in trace.layers if layer.path))
    made = build_profile(trace, layers={KNOWN.path: KNOWN.samples}, phases=("forward", "backward"))
    return replace(made, layers=(KNOWN, *EXTRA))


def test_layers_without_a_row_in_the_trace_have_one_that_costs_nothing(profile: Profile) -> None:
    rows = list_extra(profile)
    assert [(row.name, row.kind, row.paths) for row in rows] == [
        ("(model)", "functional", ("",)),
        ("Conv2d_1", "compiled", ("Conv2d_1",)),
        ("Conv2d_2", "compiled", ("Conv2d_2",)),
    ]
    assert not any(row.cost.params or row.cost.macs or row.multiplies for row in rows)


def test_by_kind_they_are_added_up(profile: Profile) -> None:
    functional, compiled = list_extra(profile, by="kind")
    assert (functional.name, functional.layers) == ("functional", 1)
    assert (compiled.name, compiled.layers) == ("compiled", 2)
    (row,) = (row for row in make_timed_rows(profile, by="kind") if row.row.name == "compiled")
    assert row.samples == (1_103, 2_204)
    assert row.phases == {"forward": (1_100, 2_200), "backward": (3, 4)}


@pytest.mark.parametrize(
    "view", [{}, {"every": True}, {"by": "kind"}, {"by": "block"}, {"sort": "time", "top": 2}]
)
def test_their_time_is_among_that_of_all_rows(profile: Profile, view: dict[str, Any]) -> None:
    rows = [row.samples for row in make_timed_rows(profile, **view) if row.samples]
    assert add_samples(rows) == (1_813, 3_024)


def test_where_the_trace_has_every_layer_there_are_none() -> None:
    assert list_extra(build_profile(layers={KNOWN.path: KNOWN.samples})) == []
