"""Models side by side: columns add up, ratios are exact, sentences are true."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.comparing import QUANTITIES, align_layers, name_models
from mobilenet_profiler.render.compare import render_comparison, render_csv, render_json
from mobilenet_profiler.render.table import draw_text

WHOLE = mp.trace("mobilenet_v1")
NARROW = mp.trace("mobilenet_v1", alpha=0.75)
FULL = mp.trace("conv_mobilenet_v1")
SHALLOW = mp.trace("shallow_mobilenet_v1")
SETTINGS = st.fixed_dictionaries(
    {
        "alpha": st.sampled_from([0.25, 0.5, 1.0, 1.5]),
        "resolution": st.sampled_from([128, 160, 224]),
        "num_classes": st.sampled_from([0, 10, 1000]),
    }
)
MODELS = st.sampled_from(["mobilenet_v1", "conv_mobilenet_v1", "shallow_mobilenet_v1"])


def trace_any(model: str, settings: dict[str, Any]) -> mp.Trace:
    return mp.trace(model, global_pool=True, **settings)


@given(MODELS, SETTINGS)
def test_a_model_beside_itself_differs_in_nothing(model: str, settings: dict[str, Any]) -> None:
    trace = trace_any(model, settings)
    found = mp.compare(trace, trace)
    assert all(
        row.difference(1, quantity) == 0
        for row in (*found.kinds, *found.layers, found.total)
        for quantity in QUANTITIES
    )
    ratios = json.loads(render_json(found))["models"][1]["ratios"]
    assert set(ratios.values()) == {1.0, None}
    assert found.sentences == (f"{found.names[1]}: as many params and MACs as {found.names[0]}.",)


@given(MODELS, SETTINGS, MODELS, SETTINGS)
def test_kinds_and_layers_add_up_to_the_totals(
    one: str, settings: dict[str, Any], other: str, others: dict[str, Any]
) -> None:
    found = mp.compare(trace_any(one, settings), trace_any(other, others))
    for rows in (found.kinds, found.layers, align_layers(found.traces, every=True)):
        for quantity in QUANTITIES:
            for index in (0, 1):
                whole = sum(row.amount(index, quantity) for row in rows)
                assert whole == getattr(found.traces[index].total, quantity)
            difference = sum(row.difference(1, quantity) for row in rows)
            assert difference == found.total.difference(1, quantity)


@given(MODELS, SETTINGS, MODELS, SETTINGS)
def test_every_percentage_in_words_is_that_of_the_numbers(
    one: str, settings: dict[str, Any], other: str, others: dict[str, Any]
) -> None:
    found = mp.compare(trace_any(one, settings), trace_any(other, others))
    (text,) = found.sentences
    for unit, quantity in (("params", "params"), ("MACs", "macs")):
        first, second = (found.total.amount(index, quantity) for index in (0, 1))
        for percent in re.findall(rf"([\d.]+)% of the {unit}", text):
            assert float(percent) == pytest.approx(100 * second / first, abs=0.051)
            assert (percent == "100") == (first == second)
        for times in re.findall(rf"([\d.]+) times the {unit}", text):
            assert float(times) == pytest.approx(second / first, abs=0.0051)
        place = re.split(r" (?=MACs: )", text.partition(f" {unit}: ")[2])[0].removesuffix("layers.")
        for adverb, percent, kind in re.findall(
            r"(all|most) of the difference(?: \(([\d.]+)%\))? in ([\w ]+?)(?= layers|$)",
            place.strip(),
        ):
            (row,) = [row for row in found.kinds if row.kind == kind]
            share = row.difference(1, quantity) / (second - first)
            assert share > (0.5 if adverb == "most" else 0.949)
            assert float(percent or 100) == pytest.approx(100 * share, abs=0.051)


def test_ratios_by_hand() -> None:
    # 64 to 32 features of a batch of 2, and twice that and half of that.
    traces = [mp.trace(nn.Linear(64, size), (2, 64)) for size in (32, 64, 16)]
    models = json.loads(render_json(mp.compare(*traces)))["models"]
    assert [model["total"]["macs"] for model in models] == [2 * 64 * 32, 2 * 64 * 64, 2 * 64 * 16]
    assert [model["ratios"]["macs"] for model in models] == [1, 2, 0.5]
    assert [model["ratios"]["params"] for model in models] == [1, 2, 0.5]


def test_a_narrower_model_in_words() -> None:
    (text,) = mp.compare(WHOLE, NARROW).sentences
    # 2,585,560 / 4,231,976 and 325,400,448 / 568,740,352; the pointwise layers lose
    # 1,373,568 of 1,646,416 params and 236,027,904 of 243,339,904 MACs.
    assert text == (
        "alpha=0.75: 61.1% of the params and 57.2% of the MACs of mobilenet_v1. "
        "params: most of the difference (83.4%) in pointwise 1x1 layers. "
        "MACs: nearly all of the difference (97.0%) in pointwise 1x1 layers."
    )


def test_kinds_that_go_both_ways_are_both_named() -> None:
    (text,) = mp.compare(WHOLE, FULL).sentences
    assert text.startswith("conv_mobilenet_v1: 6.92 times the params and 8.56 times the MACs of ")
    # 4,866,269,184 - 10,838,016 more; all of 539,492,352 and 17,385,984 fewer.
    assert "4.86G more in full 3x3 layers." in text
    assert "539.49M fewer in pointwise 1x1 layers (96.9% of all decreases)" in text


def test_one_kind_has_all_of_a_difference() -> None:
    (text,) = mp.compare(WHOLE, mp.trace("mobilenet_v1", num_classes=10)).sentences
    assert text.endswith("MACs: all of the difference in fully connected layers.")
    (text,) = mp.compare(mp.trace(nn.ReLU(), (2, 3)), mp.trace(nn.Linear(3, 3), (2, 3))).sentences
    assert text.startswith("Linear: 12 params against the 0 and 18 MACs against the 0 of ReLU.")


def test_what_neither_has_goes_unsaid() -> None:
    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x

    (text,) = mp.compare(mp.trace(Square(), (4, 4)), mp.trace(Square(), (2, 2))).sentences
    assert text.startswith("input=2x2: 12.5% of the MACs of Square. MACs: all of the difference")


def test_equal_totals_of_different_kinds_are_not_called_equal_by_kind() -> None:
    one = mp.trace(nn.Linear(8, 8, bias=False), (1, 8))
    moved = replace(one.layers[0], kind="attention")
    (text,) = mp.compare(one, replace(one, layers=(moved,))).sentences
    assert "as many params and MACs" in text
    assert "64 fewer in fully connected layers; 64 more in attention layers" in text


def test_layers_line_up_by_path_and_a_missing_one_is_none() -> None:
    found = mp.compare(WHOLE, SHALLOW)
    rows = {row.name: row for row in found.layers}
    assert rows["Conv2d_13.pointwise"].costs[1] is None
    assert rows["Conv2d_13.pointwise"].difference(1, "macs") == -1024 * 1024 * 7 * 7
    assert rows["logits"].costs[0] == rows["logits"].costs[1]
    assert found.lined_up == 2 * 8 + 2
    order = [row.path for row in align_layers((SHALLOW, WHOLE)) if row.path]
    assert set(order) == {layer.path for layer in WHOLE.counted}


def test_what_only_a_later_model_has_stands_where_it_runs() -> None:
    short = nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.Linear(4, 4))
    long = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    traces = [mp.trace(model, (1, 4)) for model in (short, long)]
    assert [row.path for row in align_layers(traces)] == ["0", "1", "2"]
    assert [row.costs[0] is None for row in align_layers(traces)] == [False, True, False]


def test_where_nothing_lines_up_one_line_says_so() -> None:
    found = mp.compare(NARROW, mp.trace(nn.Sequential(nn.Linear(4, 4)), (1, 4)))
    text = str(found)
    assert found.lined_up == 0
    assert "No layer that multiplies has the same path" in text
    assert "Conv2d_1.depthwise" not in text


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["mobilenet_v1", "conv_mobilenet_v1"], ["mobilenet_v1", "conv_mobilenet_v1"]),
        (["mobilenet_v1", "mobilenet_v1 alpha=0.75"], ["mobilenet_v1", "alpha=0.75"]),
        (["mobilenet_v1 alpha=0.5", "mobilenet_v1 alpha=1"], ["alpha=0.5", "alpha=1"]),
        (["mobilenet_v1"] * 3, ["mobilenet_v1", "mobilenet_v1 (2)", "mobilenet_v1 (3)"]),
        (["mobilenet_v1", "mobilenet_v1 batch=2"], ["mobilenet_v1", "input=2x3x224x224"]),
        (
            ["mobilenet_v1", "mobilenet_v1 alpha=0.5", "conv_mobilenet_v1"],
            ["mobilenet_v1", "mobilenet_v1 alpha=0.5", "conv_mobilenet_v1"],
        ),
    ],
)
def test_a_name_is_short_and_unique(texts: list[str], names: list[str]) -> None:
    from mobilenet_profiler.spec import read_spec

    assert list(name_models([mp.trace(read_spec(text)) for text in texts])) == names


def test_published_accuracies_stand_beside_the_totals_with_their_source() -> None:
    # Tables 8 and 9 have these columns: accuracy, mult-adds, parameters.
    source = "arXiv 1704.04861, Table 8"
    found = mp.compare(WHOLE, FULL, accuracies=(mp.Accuracy("70.6%", source), None))
    text = str(found)
    assert re.search(r"mobilenet_v1 +70\.6% +568,740,352 +1 +4,231,976", text)
    assert re.search(r"conv_mobilenet_v1 +- +4,867,293,184", text)
    assert text.count(source) == 1
    models = json.loads(render_json(found))["models"]
    assert models[0]["accuracy"] == {"text": "70.6%", "source": source}
    assert "accuracy" not in str(mp.compare(WHOLE, FULL))


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_every_model_and_every_number_fits_the_width(count: int, width: int) -> None:
    traces = [WHOLE, FULL, SHALLOW, NARROW, mp.trace("mobilenet_v1", alpha=0.5, resolution=160)]
    found = mp.compare(*traces[:count])
    text = draw_text(render_comparison(found, width), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for trace in traces[:count]:
        assert f"{trace.total.macs:,}" in text
        assert f"{max(layer.macs for layer in trace.layers):,}" in text


def test_huge_numbers_are_split_into_tables_rather_than_cut() -> None:
    cost = replace(WHOLE.layers[0].cost, macs=10**18, params=10**15)
    huge = replace(WHOLE, layers=(replace(WHOLE.layers[0], cost=cost),))
    text = draw_text(render_comparison(mp.compare(*[huge] * 5), 80), 80)
    assert f"{10**18:,}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_columns_of_the_printed_layers_add_up_to_their_last_row() -> None:
    text = draw_text(render_comparison(mp.compare(WHOLE, SHALLOW), 200), 200)
    table = text.partition("\nlayer ")[2].splitlines()[2:]
    rule = next(index for index, line in enumerate(table) if line.startswith("──"))
    rows = [re.findall(r"(?<= )(?:-?\d[\d,]*|-)(?= |$)", line)[-5:] for line in table[:rule]]
    numbers = [[int(cell.replace(",", "")) if cell != "-" else 0 for cell in row] for row in rows]
    total = [int(cell.replace(",", "")) for cell in table[rule + 1].split()[1:]]
    assert [sum(column) for column in zip(*numbers, strict=True)] == total
    assert total == [4_231_976, 2_887_976, 568_740_352, 307_323_392, -261_416_960]


def test_csv_has_a_line_for_each_layer_that_a_model_has() -> None:
    lines = render_csv(mp.compare(WHOLE, SHALLOW)).splitlines()
    assert lines[0].startswith("model,level,name,kind,params,weights,macs,activations")
    layers = [line for line in lines if ",layer," in line]
    assert len(layers) == len(WHOLE.layers) + len(SHALLOW.layers)


def test_in_a_convention_all_are_in_it() -> None:
    found = mp.compare(WHOLE.convert("flop_counter"), NARROW.convert("flop_counter"))
    assert "57.2% of the FLOPs of" in found.sentences[0]
    assert "FLOPs" in str(found)
    assert json.loads(render_json(found))["models"][0]["total"]["flops"] == 2 * 568_740_352
    with pytest.raises(mp.UsageError, match=r"'macs'.*'thop'"):
        mp.compare(WHOLE, NARROW.convert("thop"))


def test_a_notebook_gets_escaped_tables() -> None:
    spec = {**WHOLE.spec, "name": "<b>&"}
    html = mp.compare(replace(WHOLE, spec=spec), NARROW)._repr_html_()
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html


def test_a_backward_pass_has_a_column_where_one_was_traced() -> None:
    both = mp.compare(mp.trace(nn.Linear(4, 4), (2, 4), backward=True), WHOLE)
    assert "backward MACs" in str(both)
    assert "backward MACs" not in str(mp.compare(WHOLE, NARROW))


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(mp.UsageError, match="two models or more, given 1"):
        mp.compare(WHOLE)
    with pytest.raises(mp.UsageError, match="takes traces, given 'mobilenet_v1'"):
        mp.compare(WHOLE, "mobilenet_v1")  # type: ignore[call-overload]
    with pytest.raises(mp.UsageError, match="give 2 accuracies"):
        mp.compare(WHOLE, NARROW, accuracies=(None,))


def test_a_name_is_never_taken_for_markup() -> None:
    import torch

    class Net(torch.nn.Linear):
        pass

    Net.__name__ = "slim[/fast][bn]"
    traces = [mp.trace(Net(3, size), (1, 3)) for size in (2, 4)]
    text = str(mp.compare(*traces))
    assert "slim[/fast]" in text.replace("\n", "")


def test_an_accuracy_of_another_type_is_refused() -> None:
    traces = [mp.trace("mobilenet_v1"), mp.trace("mobilenet_v1", alpha=0.5)]
    with pytest.raises(mp.UsageError, match="an accuracy must be an Accuracy or None, given '70%'"):
        mp.compare(*traces, accuracies=["70%", None])  # type: ignore[list-item]
