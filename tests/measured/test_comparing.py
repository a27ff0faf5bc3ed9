"""Two profiles: ratios to the nanosecond, differences named, nothing claimed of equal ones."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

import mobilenet_profiler as mp
from mobilenet_profiler.measured.comparing import (
    ProfileComparison,
    compare_profiles,
    count_fewest,
    pair_layers,
)
from mobilenet_profiler.measured.profile import EmptyCosts, LayerSamples, Pass, Profile
from mobilenet_profiler.render.compare_profiles import (
    COMPARISONS,
    render_comparison,
    render_csv,
    render_json,
    render_markdown,
)
from mobilenet_profiler.render.table import draw_text
from tests.measured.building import any_profile, build_profile, trace_small

FIRST, SECOND, NORM = "Conv2d_0.conv", "Conv2d_1.depthwise.conv", "Conv2d_0.norm"


def shake(time: int, count: int = 20, seed: int = 0) -> list[int]:
    """Times within a hundredth, in an order that drifts nowhere."""
    numbers = random.Random(seed)
    return [time + numbers.randrange(-time // 100, time // 100 + 1) for _ in range(count)]


def time_layers(factor: float = 1, paths: Sequence[str] = (FIRST, SECOND, NORM)) -> dict[Any, Any]:
    return {
        path: shake(round(factor * 100_000 * place), 20, place)
        for place, path in enumerate(paths, 1)
    }


BEFORE = build_profile(clean=shake(3_000_000), layers=time_layers())
AFTER = build_profile(clean=shake(2_000_000, seed=1), layers=time_layers(0.5))


def test_a_run_that_is_faster_says_by_how_much() -> None:
    found = compare_profiles(BEFORE, AFTER)
    assert found.latency.ratio is not None
    assert found.latency.ratio.value == pytest.approx(1.5, rel=0.01)
    (text,) = found.sentences
    assert re.fullmatch(r"latency: 1\.5\d\d? ± 0\.0\d\d? times faster", text)
    (back,) = compare_profiles(AFTER, BEFORE).sentences
    assert back == text.replace("faster", "slower")


def test_the_ratio_is_that_of_the_medians() -> None:
    before = build_profile(clean=[300, 100, 200, 500, 400, 600, 700])
    after = build_profile(clean=[40, 30, 20, 10, 50, 60, 70])
    ratio = compare_profiles(before, after).latency.ratio
    assert ratio is not None
    assert (ratio.value, ratio.confidence) == (400 / 40, 0.95)


@given(any_profile())
def test_a_run_beside_itself_differs_in_nothing(profile: Profile) -> None:
    found = compare_profiles(profile, profile)
    assert found.differences == ()
    assert not any(row.named for row in (*found.whole, *found.kinds, *found.layers))
    assert {row.verdict for row in found.layers} <= {""}
    assert not any("faster" in line or "slower" in line for line in found.sentences)
    for show in COMPARISONS.values():
        show(found, True, True)


def test_a_layer_is_compared_by_its_own_time_without_the_instruments() -> None:
    # 100 us and 60 us of which 20 us are the marks' own: 80 against 40.
    empty = EmptyCosts(inside=(20_000.0,) * 9, outside=(5_000.0,) * 9)
    before, after = (
        build_profile(layers={FIRST: [time] * 9}, empty=empty) for time in (100_000, 60_000)
    )
    (row,) = compare_profiles(before, after).layers
    assert (row.name, row.path, row.kind) == ("Conv2d_0", FIRST, "full 3x3")
    assert row.ratio is not None
    assert row.ratio.value == 2
    assert row.verdict == "faster"


def test_layers_line_up_by_path_and_the_rest_is_added_up_by_kind() -> None:
    # Its second sample is small where that of the other norm is large: passes are added up.
    second = "Conv2d_1.depthwise.norm"
    one = {FIRST: [10] * 9, NORM: [1, 9] * 4 + [1], second: [9, 1] * 4 + [9]}
    other = {FIRST: [10] * 9, SECOND: [7] * 9, NORM: [5] * 9}
    rows = compare_profiles(build_profile(layers=one), build_profile(layers=other)).layers
    shown = {row.name: (row.verdict, *(e and e.value for e in row.estimates)) for row in rows}
    assert shown == {
        "Conv2d_0": ("", 10, 10),
        "Conv2d_1.depthwise": ("new", None, 7),
        "batch norm": ("faster", 10, 5),
    }
    every = pair_layers(build_profile(layers=one), build_profile(layers=other), every=True)
    assert [row.path for row in every] == [FIRST, NORM, SECOND, second]
    assert [row.verdict for row in every] == ["", "", "new", "removed"]


def test_kinds_and_what_lies_between_add_up_to_the_pass() -> None:
    rows = compare_profiles(BEFORE, AFTER).kinds
    assert [row.name for row in rows][-1] == "between layers"
    for index, profile in enumerate((BEFORE, AFTER)):
        parts = [row.times[index] for row in rows]
        whole = sum(sum(part.values) for part in parts if part)
        assert whole == sum(sample.time for sample in profile.instrumented)
    longest = [max(e.value for e in row.estimates if e) for row in rows[:-1]]
    assert longest == sorted(longest, reverse=True)


def test_a_training_step_has_a_row_a_phase() -> None:
    phases = ("forward", "loss", "backward", "optimizer")
    times = [[400] * 9, [600] * 9]
    before, after = (
        build_profile(
            clean=[4 * time for time in own],
            layers={(FIRST, "forward"): [50] * 9, (FIRST, "backward"): own},
            phases=phases,
        )
        for own in times
    )
    found = compare_profiles(before, after)
    assert [row.name for row in found.whole] == ["training step", *phases]
    assert [(row.name, row.phase) for row in found.layers] == [
        ("Conv2d_0", "forward"),
        ("Conv2d_0", "backward"),
    ]
    assert [row.verdict for row in found.layers] == ["", "slower"]
    assert {row.phase for row in found.kinds} == {"forward", "backward"}
    text = draw_text(render_comparison(found, 80), 80)
    assert re.search(r"layer +kind +phase +before µs", text)
    assert re.search(r"Conv2d_0 +full 3x3 +backward +0\.400 +0\.600 +0\.667 +slower", text)


def test_inference_beside_training_shares_the_forward_pass() -> None:
    forward = build_profile(layers={FIRST: [50] * 9})
    step = build_profile(
        layers={(FIRST, "forward"): [50] * 9, (FIRST, "backward"): [90] * 9},
        phases=("forward", "backward"),
    )
    found = compare_profiles(forward, step)
    assert [(row.phase, row.verdict) for row in found.layers] == [
        ("forward", ""),
        ("backward", "new"),
    ]
    assert found.differences[0] == "setup differs: mode inference → train"


def test_passes_without_compilation_and_as_a_graph_are_compared_where_both_have_them() -> None:
    eager = tuple(Pass((time,), time) for time in range(200, 209))
    compiled = build_profile(setup={"compiled": True}, eager=eager, graph=(5,) * 9)
    names = [row.name for row in compare_profiles(compiled, compiled).whole]
    assert names == ["latency", "without compile", "CUDA graph"]
    assert len(compare_profiles(compiled, BEFORE).whole) == 1


def test_what_differs_is_named_first_and_what_is_no_difference_of_the_machine_is_not() -> None:
    environment = {
        "torch": "2.13.0",
        "threads": 1,
        "cpu": {"model": "A", "turbo": None},
        "gpu": None,
        "variables": {},
        "date": "2026-01-01",
        "load": 0.1,
    }
    other = {
        "torch": "2.12.1",
        "threads": 2,
        "cpu": {"model": "A", "turbo": True},
        "gpu": {"name": "some GPU", "state": {"sm_clock_mhz": 9}, "cores": 7},
        "variables": {"OMP_PROC_BIND": "true"},
        "date": "2026-02-02",
        "load": 3.0,
    }
    trace = mp.trace("mobilenet_v1", alpha=0.5, resolution=32, global_pool=True)
    before = build_profile(environment=environment, setup={"threads": 1, "stop": "2%"})
    after = build_profile(
        trace, environment=other, setup={"threads": 2, "channels_last": True, "stop": "9 s"}
    )
    found = compare_profiles(before, after)
    assert found.differences == (
        "setup differs: threads 1 → 2",
        "setup differs: channels_last no → yes",
        "environment differs: torch 2.13.0 → 2.12.1",
        "environment differs: cpu turbo none → yes",
        "environment differs: gpu none → some GPU",
        "environment differs: variables OMP_PROC_BIND none → true",
        "model differs: alpha 0.25 → 0.5",
    )
    state = {"gpu": {"name": "some GPU", "state": {"sm_clock_mhz": 1}, "cores": 7}}
    hot = build_profile(environment={**other, **state}, setup={"threads": 2})
    cold = build_profile(environment=other, setup={"threads": 2})
    assert compare_profiles(hot, cold).differences == ()
    lines = str(found).splitlines()
    first, last = (
        next(i for i, line in enumerate(lines) if text in line) for text in ("setup", "latency")
    )
    assert first < last


def test_the_same_spec_of_another_network_is_said() -> None:
    trace = trace_small()
    layer = replace(trace.layers[0], cost=replace(trace.layers[0].cost, macs=1))
    fewer = replace(trace, layers=(layer, *trace.layers[1:]))
    old, new = f"{trace.total.macs:,}", f"{fewer.total.macs:,}"
    found = compare_profiles(build_profile(trace), build_profile(fewer))
    assert found.differences == (f"model differs: MACs {old} → {new}",)
    moved = replace(trace, layers=(replace(trace.layers[0], kind="other"), *trace.layers[1:]))
    found = compare_profiles(build_profile(trace), build_profile(moved))
    assert found.differences == ("model differs: its layers, not its MACs and params",)


def test_other_batches_are_compared_by_the_image_too() -> None:
    one = build_profile(clean=[100] * 9, setup={"batch": 1})
    eight = build_profile(clean=[400] * 9, setup={"batch": 8})
    assert compare_profiles(one, eight).sentences == (
        "latency: 4.000 times slower",
        "per image: 2.000 times faster",
    )


def test_a_machine_that_ran_at_another_speed_is_noticed_by_what_the_instruments_cost() -> None:
    before, slow, much_the_same = (
        build_profile(empty=EmptyCosts((-100.0,) * 20, tuple(map(float, shake(time, seed=time)))))
        for time in (1_000, 1_300, 1_020)
    )
    assert compare_profiles(before, much_the_same).machine_speed is None
    assert compare_profiles(before, build_profile()).machine_speed is None
    (_, text) = compare_profiles(before, slow).sentences
    assert re.match(
        r"the machine itself: empty instruments are 1\.3\d* ± 0\.0\d+ times slower", text
    )


def test_of_equal_layers_none_is_named_and_the_table_says_how_many_could_be() -> None:
    paths = [layer.path for layer in trace_small().counted]
    layers = [
        {path: shake(10_000, 30, 2 * place + run) for place, path in enumerate(paths)}
        for run in range(2)
    ]
    found = compare_profiles(*(build_profile(layers=own) for own in layers))
    assert not any(row.named for row in found.layers)
    assert f"verdict: 0 of {len(paths)} rows differ beyond chance" in " ".join(str(found).split())


def test_too_few_passes_are_said_with_how_many_it_takes() -> None:
    # Nine samples reach 1 - 2^-8; a row of 28 asks for 1 - 0.05 / 28, so for 11.
    paths = [layer.path for layer in trace_small().counted]
    assert len(paths) == 28
    assert count_fewest(28) == 11
    assert 1 - 2.0**-10 >= 1 - 0.05 / 28 > 1 - 2.0**-9
    one, other = ({path: [time] * 9 for path in paths} for time in (100, 200))
    text = " ".join(
        str(compare_profiles(*(build_profile(layers=own) for own in (one, other)))).split()
    )
    assert "9 instrumented passes are too few to name any of 28 rows: it takes 11" in text
    assert "--iterations 22" in text


def test_few_clean_passes_show_no_difference() -> None:
    found = compare_profiles(build_profile(clean=[100] * 5), build_profile(clean=[900] * 5))
    assert found.sentences == ("latency: no difference that this data can show (too few samples)",)
    assert found.latency.verdict == ""


def test_a_layer_below_what_the_instruments_cost_has_no_ratio() -> None:
    empty = EmptyCosts(inside=(100.0,) * 9)
    profile = build_profile(layers={FIRST: [60] * 9}, empty=empty)
    (row,) = compare_profiles(profile, profile).layers
    assert row.ratio is None
    assert row.verdict == ""
    assert re.search(r"Conv2d_0 +full 3x3 +0 +0 +- +-", str(compare_profiles(profile, profile)))


def test_where_no_path_is_in_both_one_line_says_so() -> None:
    other = build_profile(trace_small("squeezenet1_1", 64), layers={"stem.conv": [5] * 9})
    text = str(compare_profiles(BEFORE, other))
    assert "No timed layer has the same path in both" in text
    assert not re.search(r"^layer ", text, re.MULTILINE)


@pytest.fixture(scope="module")
def wide() -> ProfileComparison:
    paths = [layer.path for layer in trace_small().layers]
    before = {path: shake(10**9 + place, 30, place) for place, path in enumerate(paths)}
    after = {path: shake(9 * 10**8 + place, 30, 99 + place) for place, path in enumerate(paths)}
    trace = replace(trace_small(), label="a label of many words " * 8)
    return compare_profiles(
        build_profile(trace, shake(10**12), before), build_profile(trace, shake(10**11), after)
    )


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("every", [False, True])
def test_no_line_is_wider_than_the_terminal(
    wide: ProfileComparison, width: int, every: bool
) -> None:
    text = draw_text(render_comparison(wide, width, every=every), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert ("Conv2d_1.depthwise.norm" in text) == every
    assert ("full 3x3" in text.partition("\nlayer ")[2]) == (width > 80)


def test_csv_and_json_have_every_row_with_the_same_numbers() -> None:
    found = compare_profiles(BEFORE, AFTER)
    data = json.loads(render_json(found))
    lines = list(csv.DictReader(io.StringIO(render_csv(found))))
    rows = [*data["whole"], *data["kinds"], *data["layers"]]
    assert [line["name"] for line in lines] == [row["name"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert float(line["before_ns"]) == row["before_ns"]["value"]
        assert float(line["after_high_ns"]) == row["after_ns"]["high"]
        assert float(line["ratio_low"]) == row["ratio"]["low"]
        assert line["verdict"] == row["verdict"]
    assert data["sentences"] == list(found.sentences)
    assert {line["level"] for line in lines} == {"whole", "kind", "layer"}
    assert "layer" not in render_csv(found, layers=False).replace("layers", "")
    few = json.loads(render_json(compare_profiles(*[build_profile(clean=[5] * 3)] * 2)))
    assert few["whole"][0]["ratio"] == {"value": 1, "low": 0, "high": None, "confidence": 0.95}


def test_markdown_and_notebooks_escape_every_text() -> None:
    trace = replace(trace_small(), label="<img>|[a](b)")
    strange = [LayerSamples("<b>|", "forward", (5,) * 9)]
    profile = replace(build_profile(trace), layers=tuple(strange), notes=("<i>`x`",))
    profile = replace(profile, instrumented=(Pass((9,), 9),) * 9)
    found = compare_profiles(profile, replace(profile, environment={"<u>": 1}))
    plain = re.sub(r"\\.", "", render_markdown(found, every=True))
    assert not re.search(r"<[a-z]|\]\(|`", plain)
    for table in re.findall(r"(?:^\|.*\n)+", plain, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    html = found._repr_html_()
    assert not re.search(r"<(img|b|u|i)>", html)
    assert html.count("<table>") == 3


def test_remarks_of_both_profiles_are_said_once() -> None:
    one, other = (build_profile(notes=("shared", name)) for name in ("first", "second"))
    lines = str(compare_profiles(one, other)).splitlines()
    notes = [line for line in lines if "note:" in line]
    assert notes == ["before: note: first", "after: note: second", "both: note: shared"]


def test_compare_takes_two_profiles_or_traces() -> None:
    assert isinstance(mp.compare(BEFORE, AFTER), mp.ProfileComparison)
    assert mp.compare_profiles(BEFORE, AFTER) == mp.compare(BEFORE, AFTER)
    for given_, message in (
        ((BEFORE, trace_small()), "compare takes traces or profiles, given both"),
        ((BEFORE,), "compare takes two profiles, before and after, given 1"),
        ((BEFORE, AFTER, AFTER), "before and after, given 3"),
        ((BEFORE, 3), "compare takes traces, given 3"),
    ):
        with pytest.raises(mp.UsageError, match=message):
            mp.compare(*given_)
    with pytest.raises(mp.UsageError, match="accuracies go with traces"):
        mp.compare(BEFORE, AFTER, accuracies=(None, None))  # type: ignore[call-overload]
    with pytest.raises(mp.UsageError, match="compare_profiles takes two profiles, given 3"):
        compare_profiles(BEFORE, 3)  # type: ignore[arg-type]
    with pytest.raises(mp.UsageError, match="has no clean pass"):
        compare_profiles(BEFORE, replace(AFTER, clean=()))
