"""A budget: what is over, what grew, and nothing said that is not so."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, linalg, nn

import mobilenet_profiler as mp
from mobilenet_profiler.render.budget import (
    render_check,
    render_github,
    render_json,
    render_markdown,
)
from mobilenet_profiler.render.json import render_json as save_json
from mobilenet_profiler.render.profile_json import render_profile
from mobilenet_profiler.render.table import draw_text
from tests.measured.building import build_profile

WHOLE = mp.trace("mobilenet_v1")
NARROW = mp.trace("mobilenet_v1", alpha=0.75)
SHALLOW = mp.trace("shallow_mobilenet_v1")


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = linalg.svdvals(x)
        return values


@given(st.integers(1, 10**9), st.integers(1, 10**7))
def test_within_is_at_most_the_limit_of_each(macs: int, params: int) -> None:
    found = mp.check(WHOLE, max_macs=macs, max_params=params)
    assert found.within == (macs >= 568_740_352 and params >= 4_231_976)
    assert sum(limit.excess for limit in found.limits) == max(568_740_352 - macs, 0) + max(
        4_231_976 - params, 0
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("macs", 568_740_352),
        ("params", 4_231_976),
        ("weights", 4_209_088),
        ("activations", 5_043_688),
    ],
)
def test_a_limit_is_the_most_that_is_allowed(name: str, value: int) -> None:
    assert mp.check(WHOLE, **{f"max_{name}": value}).within  # type: ignore[arg-type]
    over = mp.check(WHOLE, **{f"max_{name}": value - 1})  # type: ignore[arg-type]
    assert not over.within
    assert over.limits[0].excess == 1
    assert "over by 1" in str(over)


def test_a_result_reads_as_its_verdict_and_the_largest_layers() -> None:
    text = str(mp.check(WHOLE, max_macs="300M", max_params="4.3M"))
    assert text.startswith("mobilenet_v1 input=1x3x224x224: over budget: MACs by 268,740,352\n")
    assert re.search(r"params +4,231,976 +4,300,000 +98\.42  within", text)
    assert re.search(r"Conv2d_3\.pointwise +pointwise 1x1 +51,380,224 +9\.03", text)
    text = str(mp.check(WHOLE, max_macs="600M"))
    assert "within budget" in text
    assert "Conv2d" not in text


def test_a_baseline_alone_is_the_limit() -> None:
    assert mp.check(WHOLE, baseline=WHOLE).within
    assert mp.check(NARROW, baseline=WHOLE).within
    found = mp.check(WHOLE, baseline=NARROW)
    assert [(limit.quantity, limit.limit) for limit in found.limits] == [
        ("macs", 325_400_448),
        ("params", 2_585_560),
    ]
    assert not found.within


def test_limits_decide_where_there_is_a_baseline_too() -> None:
    assert mp.check(WHOLE, max_macs="600M", baseline=NARROW).within
    assert not mp.check(NARROW, max_macs="300M", baseline=WHOLE).within


def test_growth_adds_up_and_is_sorted() -> None:
    found = mp.check(SHALLOW, baseline=WHOLE)
    growth = [row.difference(1, "macs") for row in found.changes]
    assert growth == sorted(growth, reverse=True)
    assert sum(growth) == 307_323_392 - 568_740_352
    for name in ("params", "weights", "activations"):
        whole = sum(row.difference(1, name) for row in found.changes)
        assert whole == getattr(SHALLOW.total, name) - getattr(WHOLE.total, name)


def test_new_removed_and_changed_layers_by_hand() -> None:
    old = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    new = nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.Linear(6, 2), nn.Linear(2, 9)
    )
    found = mp.check(mp.trace(new, (1, 4)), baseline=mp.trace(old, (1, 4)))
    rows = {change["path"]: change for change in json.loads(render_json(found))["changes"]}
    # 1: a linear layer of 8 x 8 became an activation, 2 the other way round; 3 takes 6 for 8.
    assert list(rows) == ["2", "4", "3", "1"]
    growth = {
        path: row.difference(1, "macs") for path, row in zip(rows, found.changes, strict=True)
    }
    assert growth == {"2": 8 * 6, "4": 2 * 9, "3": -2 * 2, "1": -8 * 8}
    assert rows["4"]["change"] == "new"
    assert rows["4"]["before"] is None
    assert rows["3"]["change"] == "changed"
    back = mp.check(mp.trace(old, (1, 4)), baseline=mp.trace(new, (1, 4)))
    verdicts = {row["path"]: row["change"] for row in json.loads(render_json(back))["changes"]}
    assert verdicts == {"1": "changed", "2": "changed", "3": "changed", "4": "removed"}
    assert "removed" in str(back)


def test_layers_are_sorted_by_what_is_over() -> None:
    found = mp.check(WHOLE, max_macs="1G", max_params="1M")
    assert found.decisive == "params"
    assert found.largest[0].path.startswith("Conv2d_13.pointwise")
    assert [limit.quantity for limit in found.over] == ["params"]


def test_a_baseline_of_another_model_is_named_with_what_differs() -> None:
    text = str(mp.check(mp.trace("shallow_mobilenet_v1", resolution=128), baseline=NARROW))
    first, second, *_ = text.splitlines()
    assert "within budget" in first or "over budget" in first
    assert second.startswith("baseline of another model, mobilenet_v1 alpha=0.75")
    found = mp.check(mp.trace("shallow_mobilenet_v1", resolution=128), baseline=NARROW)
    assert found.other_model == (
        "model: mobilenet_v1 → shallow_mobilenet_v1",
        "alpha: 0.75 → not given",
        "input: 1x3x224x224 → 1x3x128x128",
    )
    assert "another model" not in str(mp.check(WHOLE, baseline=WHOLE))


def test_a_file_is_a_baseline(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(save_json(NARROW))
    assert str(mp.check(WHOLE, baseline=file)) == str(mp.check(WHOLE, baseline=NARROW))
    assert not mp.check(WHOLE, baseline=str(file)).within


def test_work_without_a_count_is_said() -> None:
    trace = mp.trace(Unknown(), (4, 4))
    for text in (
        str(mp.check(trace, max_macs=1)),
        render_github(mp.check(trace, max_macs=1)),
        render_markdown(mp.check(trace, max_macs=1)),
    ):
        assert "within budget; work is left that is not counted" in text
        assert "not counted: aten::" in text.replace("\\", "")
    assert "work in the baseline is not counted" in str(mp.check(WHOLE, baseline=trace))


def test_a_baseline_in_another_convention_is_refused() -> None:
    with pytest.raises(mp.UsageError, match=r"'macs'.*'thop'"):
        mp.check(NARROW.convert("thop"), baseline=WHOLE)
    found = mp.check(NARROW.convert("thop"), baseline=WHOLE.convert("thop"))
    assert "MACs (thop)" in str(found)


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(mp.UsageError, match="give a limit, such as max_macs, or a baseline"):
        mp.check(WHOLE)
    with pytest.raises(mp.UsageError, match="max_params must be a whole number above 0"):
        mp.check(WHOLE, max_params="4.3X")
    with pytest.raises(mp.UsageError, match="check takes a trace"):
        mp.check(nn.Linear(2, 2), max_macs=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width: int) -> None:
    everything: dict[str, Any] = {
        "max_macs": 1,
        "max_params": 1,
        "max_weights": 1,
        "max_activations": 1,
    }
    cost = replace(WHOLE.layers[0].cost, macs=10**15, params=10**12)
    huge = replace(WHOLE, layers=(replace(WHOLE.layers[0], cost=cost), *WHOLE.layers[1:]))
    for trace, baseline in ((WHOLE, None), (SHALLOW, WHOLE), (huge, WHOLE)):
        found = mp.check(trace, baseline=baseline, **everything)
        text = draw_text(render_check(found, width), width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
        assert f"{trace.total.macs:,}" in text


def test_the_rows_of_changes_add_up_to_the_growth() -> None:
    for top in (1, 3, 100):
        text = draw_text(render_check(mp.check(SHALLOW, baseline=WHOLE), 200, top), 200)
        table = text.partition("\nlayer ")[2].splitlines()[2:]
        growth = [
            int(found[0].replace(",", ""))
            for line in table
            if (found := re.findall(r"[+-]\d[\d,]*", line))
        ]
        assert sum(growth) == 307_323_392 - 568_740_352


def test_github_folds_the_layers_and_escapes_every_text() -> None:
    spec = {**WHOLE.spec, "name": "<img src=x>|[a](b)"}
    layer = replace(WHOLE.layers[0], path="<b>|\nx`y`", kind="<i>")
    strange = replace(
        WHOLE, label="<img src=x>|[a](b)", spec=spec, layers=(layer, *WHOLE.layers[1:])
    )
    for text in (
        render_github(mp.check(strange, baseline=NARROW)),
        render_github(mp.check(strange, max_macs=1)),
        render_markdown(mp.check(strange, max_macs=1)),
        render_github(mp.check(NARROW, baseline=strange)),
    ):
        plain = re.sub(r"\\.", "", text)
        tags = re.findall(r"<[^>]*>", plain)
        assert set(tags) <= {"<details>", "</details>", "<summary>", "</summary>"}
        assert "](" not in plain
        assert "`" not in plain
        for table in re.findall(r"(?:^\|.*\n)+", plain, re.MULTILINE):
            assert len({line.count("|") for line in table.splitlines()}) == 1
    folded = render_github(mp.check(WHOLE, baseline=NARROW))
    assert "<details>\n<summary>55 layers changed, 55 grew</summary>\n\n| layer |" in folded
    assert "<details>" not in render_github(mp.check(WHOLE, baseline=WHOLE))


def test_a_notebook_gets_escaped_tables() -> None:
    html = mp.check(replace(WHOLE, label="<b>&"), max_macs=1)._repr_html_()
    assert "<b>" not in html
    assert html.count("<table>") == 2


def test_json_has_every_layer_and_exact_numbers() -> None:
    data = json.loads(render_json(mp.check(SHALLOW, baseline=WHOLE), top=1))
    assert data["within"] is True
    assert data["limits"][0] == {
        "quantity": "macs",
        "value": 307_323_392,
        "limit": 568_740_352,
        "excess": 0,
        "within": True,
    }
    grown = sum((row["after"] or {"macs": 0})["macs"] for row in data["changes"])
    before = sum((row["before"] or {"macs": 0})["macs"] for row in data["changes"])
    assert grown - before == data["total"]["macs"] - data["baseline"]["total"]["macs"]


def test_a_latency_is_checked_of_a_profile_or_its_file(tmp_path: Path) -> None:
    profile = build_profile(clean=[2_000_000] * 9)
    file = tmp_path / "run.json"
    file.write_text(render_profile(profile))
    for given_ in (profile, file, str(file)):
        found = mp.check(profile.trace, profile=given_, max_latency="3ms")
        assert found.within
        assert found.latency is not None
        assert (found.latency.verdict, found.limits) == ("within", ())
        assert not mp.check(profile.trace, profile=given_, max_latency="1999us")
    both = mp.check(profile.trace, max_macs=1, profile=profile, max_latency="1ms")
    assert "over budget: MACs by" in str(both)
    assert "latency by 1.000 ms" in " ".join(str(both).split())


def test_what_the_data_cannot_decide_passes_and_says_so() -> None:
    profile = build_profile(clean=[1_900_000, 2_100_000] * 5)
    found = mp.check(profile.trace, profile=profile, max_latency="2ms")
    assert found.within
    assert found.undecided
    text = " ".join(str(found).split())
    assert "its interval 1.9 to 2.1 ms holds the limit, so the check passes" in text
    assert "too near the limit for more passes to help" in text
    few = mp.check(profile.trace, profile=build_profile(clean=[1] * 5), max_latency="1s")
    assert "5 clean passes" in str(few)
    assert "these are too few to decide, so the check passes; --iterations 24" in " ".join(
        str(few).split()
    )
    assert not mp.check(profile.trace, max_macs="1G").undecided


def test_a_baseline_limits_macs_beside_a_latency_too() -> None:
    profile = build_profile()
    smaller = replace(profile.trace, layers=profile.trace.layers[:4])
    found = mp.check(profile.trace, baseline=smaller, profile=profile, max_latency="1s")
    assert [limit.quantity for limit in found.limits] == ["macs", "params"]
    assert not found.within
    table = render_github(found).partition("\n\n<details>")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert rows[-1].startswith("| latency | 1.000 ms | 1 s | within | - |")


def test_a_profile_that_does_not_fit_is_refused() -> None:
    profile = build_profile()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"profile": profile}, "give max_latency with profile"),
        ({"max_latency": "1s"}, "give profile with max_latency"),
        ({"profile": profile, "max_latency": 20}, "max_latency must be a time above 0"),
        ({"profile": profile, "max_latency": "1s"}, "of another network: alpha: not given → 0.25"),
    ]
    for given_, message in wrong:
        with pytest.raises(mp.UsageError, match=message):
            mp.check(WHOLE, **given_)
    with pytest.raises(mp.UsageError, match="check takes a trace"):
        mp.check(profile, max_latency="1s")  # type: ignore[arg-type]


def test_remarks_of_a_profile_stand_under_the_check() -> None:
    profile = build_profile(notes=("it was <late>",))
    found = mp.check(profile.trace, profile=profile, max_latency="1s")
    assert "note: it was <late>" in str(found)
    assert "- note: it was \\<late\\>" in render_markdown(found)
    assert "it was &lt;late&gt;" in found._repr_html_()
    assert any("late" in note for note in json.loads(render_json(found))["notes"])
