"""Verdicts: everything that was published agrees or is explained, and planted errors are caught."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.conventions.catalogue import find_convention, list_names
from mobilenet_profiler.published.catalogue import find_figure, list_figures, list_sources
from mobilenet_profiler.published.figure import (
    TEXTS,
    Difference,
    Figure,
    Reading,
    read_number,
)
from mobilenet_profiler.trace.tracer import trace
from mobilenet_profiler.verification.verdicts import (
    Networks,
    Verdict,
    measure_figure,
    verify_figure,
    verify_figures,
)

FIGURES = list_figures()
COUNTED = [figure for figure in FIGURES if figure.counted]
SOURCES = [s.name for s in list_sources() if any(f.source == s.name for f in COUNTED)]


def find(name: str) -> Figure:
    return find_figure(name, FIGURES)


def test_every_published_figure_agrees_or_is_a_known_difference(networks: Networks) -> None:
    known = verify_figures(FIGURES, networks)
    assert [verdict.figure.name for verdict in known.select("differs")] == []
    explained = {verdict.figure.name for verdict in known.select("known difference")}
    assert explained == {figure.name for figure in FIGURES if figure.difference}
    assert len(known.select("listed")) == len(FIGURES) - len(COUNTED)
    assert sum(known.count().values()) == len(FIGURES)
    assert known.agrees


@pytest.mark.parametrize(
    ("name", "status", "how", "exact"),
    [
        ("mobilenet_v1_docstring/0.75-128x128/total/macs", "agrees", "exact", 106_002_432),
        ("mobilenet_v1_docstring/1.0-224x224/total/params", "agrees", "exact", 3_185_088),
        ("mobilenet_v1_paper/table-4/mobilenet/macs", "agrees", "rounded", 568_740_352),
        # Tables 7 and 9 print 290 and 76 for 290.68 and 76.52 M.
        ("table-7/1.0-mobilenet-160/macs", "agrees", "truncated", 290_675_200),
        ("table-9/0.50-mobilenet-160/macs", "agrees", "truncated", 76_524_800),
        ("mobilenet_v1_md/float/mobilenet_v1_1.0_224/params", "agrees", "rounded", 4_243_945),
        # TensorFlow's SAME rule at 2 x 568,740,352 operations, rounded up from 1.13748.
        ("mlperf_paper/table-i/mobilenet-v1-224/macs", "agrees", "rounded up", 1_137_480_704),
        ("2019-page/mobilenet/params", "agrees", "exact", 4_253_864),
        ("2019-page/inceptionv3/params", "agrees", "exact", 23_851_784),
        ("2019-page/resnet50/params", "agrees", "exact", 25_636_712),
        ("2019-page/vgg16/params", "agrees", "exact", 138_357_544),
        ("section-3.2/95-in-1x1-convolutions", "agrees", "rounded", Fraction(539492352, 568740352)),
        # 16.9 MB: four bytes for each of 4,222,057 numbers, BatchNorm folded.
        (
            "tflite_hosted_models/float/mobilenet_v1_1.0_224/size",
            "agrees",
            "rounded",
            4 * 4_222_057,
        ),
        ("table-2/conv-3x3/macs_share", "known difference", "", Fraction(10838016, 568740352)),
        ("table-4/conv-mobilenet/macs", "known difference", "", 4_867_293_184),
        ("mobilenet_v1_paper/table-4/mobilenet/top1", "listed", "", None),
    ],
)
def test_a_figure_has_its_verdict(
    networks: Networks, name: str, status: str, how: str, exact: Any
) -> None:
    verdict = verify_figure(find(name), networks)
    assert (verdict.status, verdict.how, verdict.exact) == (status, how, exact)


def change_digits(figure: Figure) -> Iterator[Figure]:
    """The figure with each digit changed, as far as the rule can see: by two units or more."""
    for index, digit in enumerate(figure.printed):
        if not digit.isdigit():
            continue
        last = not any(map(str.isdigit, figure.printed[index + 1 :]))
        other = (int(digit) + 5) % 10 if last else (int(digit) + 1) % 10
        text = figure.printed[:index] + str(other) + figure.printed[index + 1 :]
        yield replace(figure, printed=text)


@pytest.mark.parametrize("source", SOURCES)
def test_one_digit_changed_in_any_figure_differs(networks: Networks, source: str) -> None:
    planted = 0
    for figure in (figure for figure in COUNTED if figure.source == source):
        for wrong in change_digits(figure):
            verdict = verify_figure(wrong, networks)
            assert verdict.status == "differs", (wrong.name, wrong.printed)
            assert verdict.figure.name == figure.name
            planted += 1
    assert planted


@pytest.mark.parametrize("quantity", ["macs", "params"])
def test_a_convention_swapped_differs_where_it_counts_another_number(
    networks: Networks, quantity: str
) -> None:
    swapped = 0
    for figure in COUNTED:
        if figure.quantity != quantity or figure.difference:
            continue
        printed, place = read_number(figure.printed, figure.unit)
        for name in list_names():
            if quantity == "macs" and not find_convention(name).rules:
                continue
            other = replace(figure, convention=name)
            count = measure_figure(other, networks)
            assert isinstance(count, Fraction)
            expected = "agrees" if abs(count - printed) < place else "differs"
            assert verify_figure(other, networks).status == expected
            swapped += expected == "differs"
    assert swapped > 1000


@pytest.mark.parametrize(
    ("name", "convention"),
    [
        ("mobilenet_v1_docstring/1.0-224x224/total/macs", "paper"),
        ("mobilenet_v1_paper/table-4/mobilenet/macs", "slim"),  # 567.72 is a whole M away
        ("mobilenet_v1_md/float/mobilenet_v1_1.0_224/params", "paper"),  # 4.21, not 4.24
        ("2019-page/mobilenet/params", "macs"),
        ("mlperf_paper/table-i/mobilenet-v1-224/macs", "macs"),
    ],
)
def test_these_conventions_swapped_differ(networks: Networks, name: str, convention: str) -> None:
    verdict = verify_figure(replace(find(name), convention=convention), networks)
    assert verdict.status == "differs"
    assert verdict.reason


EXPLAINED = find("mobilenet_v1_md/float/mobilenet_v1_0.75_224/macs")


def verify_difference(networks: Networks, **changes: Any) -> Verdict:
    assert EXPLAINED.difference is not None
    changed = replace(EXPLAINED.difference, **changes)
    return verify_figure(replace(EXPLAINED, difference=changed), networks)


def test_a_known_difference_is_said_with_its_reason(networks: Networks) -> None:
    verdict = verify_figure(EXPLAINED, networks)
    assert verdict.status == "known difference"
    assert "a first convolution of 16 channels" in verdict.reason


def test_a_known_difference_that_agrees_is_a_failure(networks: Networks) -> None:
    right = find("mobilenet_v1_paper/table-5/0.75-mobilenet/macs")
    stale = Difference(right.printed, "325400448", "it was thought to differ: 1 and 1 are 2")
    verdict = verify_figure(replace(right, difference=stale), networks)
    assert verdict.status == "differs"
    assert "take it off the list" in verdict.reason


def test_a_known_difference_holds_for_one_printed_number_and_one_count(
    networks: Networks,
) -> None:
    verdict = verify_difference(networks, printed="318")
    assert verdict.status == "differs"
    assert "speaks of '318', given '317'" in verdict.reason
    verdict = verify_difference(networks, count="325401217")
    assert verdict.status == "differs"
    assert "speaks of a count of 325401217" in verdict.reason


def test_a_known_difference_must_explain_its_figure(networks: Networks) -> None:
    assert verify_difference(networks, instead=Reading(times=2)).status == "differs"
    assert verify_difference(networks, instead=Reading(plus=-8_430_336)).status == (
        "known difference"
    )
    assert verify_difference(networks, instead=None).status == "known difference"


def test_the_known_difference_of_16_channels_is_traced_not_assumed(networks: Networks) -> None:
    # A stem of 16 channels: 16 x 27 + 16 x 9 + 16 x 48 products a position less 24's.
    exact = measure_figure(EXPLAINED, networks)
    assert EXPLAINED.difference is not None
    assert EXPLAINED.difference.instead is not None
    stem = measure_figure(EXPLAINED, networks, EXPLAINED.difference.instead.options)
    assert isinstance(exact, Fraction)
    assert isinstance(stem, Fraction)
    assert exact - stem == 112 * 112 * (24 - 16) * (27 + 9 + 48)


def test_a_text_differs_where_one_character_does(networks: Networks) -> None:
    row = find("table-1/row-2/filter_shape")
    assert row.quantity in TEXTS
    assert verify_figure(row, networks).status == "agrees"
    wrong = verify_figure(replace(row, printed="3x3x64 dw"), networks)
    assert wrong.status == "differs"
    assert wrong.reason == "printed '3x3x64 dw', but it is '3x3x32 dw'"


def plant(name: str, **options: Any) -> Networks:
    """Networks of which one is built with other options than figures say."""

    def build(spec: mp.ModelSpec) -> mp.Trace:
        changed = {**spec.options, **options} if spec.model == name else spec.options
        return trace(replace(spec, options=changed))

    return Networks(build)


def test_one_row_of_mobilenet_changed_differs_and_names_the_figures() -> None:
    from mobilenet_profiler.zoo.mobilenet_v1 import MOBILENET_V1_ROWS

    of_model = [figure for figure in COUNTED if figure.model == "mobilenet_v1"]
    for index, row in enumerate(MOBILENET_V1_ROWS):
        for wrong in (row._replace(depth=row.depth + 8), row._replace(kernel=(5, 5))):
            rows = (*MOBILENET_V1_ROWS[:index], wrong, *MOBILENET_V1_ROWS[index + 1 :])
            known = verify_figures(of_model, plant("mobilenet_v1", rows=rows))
            names = {verdict.figure.name for verdict in known.select("differs")}
            assert "mobilenet_v1_docstring/1.0-224x224/total/macs" in names
            assert not known.agrees


# Of each network: where its rows stand, and the text that figures of it have.
ROWS = [
    ("mobilenet_v1", "CONV_MOBILENET_V1_ROWS", "conv_mobilenet_v1"),
    ("mobilenet_v2", "MOBILENET_V2_ROWS", "mobilenet_v2"),
    ("mobilenet_v3", "LARGE_ROWS", "mobilenet_v3_large num_classes=1001"),
    ("mobilenet_v3", "SMALL_ROWS", "mobilenet_v3_small num_classes=1001"),
    ("mobilenet_v3", "EDGE_TPU_ROWS", "mobilenet_edgetpu num_classes=1001"),
    ("alexnet", "ONE_TOWER_ROWS", "alexnet"),
    ("alexnet", "GROUPED_ROWS", "alexnet_grouped"),
    ("vgg", "A_ROWS", "vgg11"),
    ("vgg", "B_ROWS", "vgg13"),
    ("vgg", "D_ROWS", "vgg16"),
    ("vgg", "E_ROWS", "vgg19"),
    ("googlenet", "GOOGLENET_ROWS", "googlenet"),
    ("googlenet", "BATCH_NORM_ROWS", "googlenet batch_norm=true"),
    ("inception_v3", "INCEPTION_V3_ROWS", "inception_v3"),
    ("resnet", "RESNET_18_ROWS", "resnet18"),
    ("resnet", "RESNET_34_ROWS", "resnet34"),
    ("resnet", "RESNET_50_ROWS", "resnet50"),
    ("resnet", "RESNET_101_ROWS", "resnet101"),
    ("resnet", "RESNET_152_ROWS", "resnet152"),
    ("squeezenet", "SQUEEZENET_1_0_ROWS", "squeezenet1_0"),
    ("squeezenet", "SQUEEZENET_1_1_ROWS", "squeezenet1_1"),
]


def widen(value: Any) -> Any:
    """A row with its last number of channels changed; None where it has none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value + 8 if value >= 8 else None
    if not isinstance(value, tuple):
        return None
    for index in reversed(range(len(value))):
        changed = widen(value[index])
        if changed is not None:
            parts = (*value[:index], changed, *value[index + 1 :])
            return type(value)(*parts) if hasattr(value, "_fields") else parts
    return None


def change_rows(rows: Any) -> Iterator[Any]:
    """The rows, with one of them changed, for each that has channels."""
    keys = list(rows) if isinstance(rows, dict) else range(len(rows))
    for key in keys:
        changed = widen(rows[key])
        if changed is None:
            continue
        if isinstance(rows, dict):
            yield {**rows, key: changed}
        else:
            yield (*rows[:key], changed, *rows[key + 1 :])


@pytest.mark.parametrize(("module", "constant", "model"), ROWS, ids=lambda part: str(part))
def test_one_row_of_any_network_changed_differs(
    monkeypatch: pytest.MonkeyPatch, module: str, constant: str, model: str
) -> None:
    zoo = importlib.import_module(f"mobilenet_profiler.zoo.{module}")
    of_model = [
        figure
        for figure in COUNTED
        if figure.model == model and figure.quantity in ("macs", "params")
    ]
    assert of_model
    planted = 0
    for rows in change_rows(getattr(zoo, constant)):
        monkeypatch.setattr(zoo, constant, rows)
        known = verify_figures(of_model, Networks(trace))
        assert known.select("differs"), rows
        assert all(verdict.figure.model == model for verdict in known.select("differs"))
        planted += 1
    assert planted >= 3


def test_an_unknown_layer_names_the_nearest_and_the_line(networks: Networks) -> None:
    wrong = replace(find("1.0-224x224/mobilenetv1-conv2d_0-conv2d/macs"), of="Conv2d_00")
    verdict = verify_figure(wrong, networks)
    assert verdict.status == "differs"
    assert "unknown layer or kind 'Conv2d_00' (did you mean 'Conv2d_0'?)" in verdict.reason
    with pytest.raises(mp.UsageError, match=r"draft.toml:3: unknown layer or kind 'Conv2d_00'"):
        verify_figure(replace(wrong, line="draft.toml:3"), networks)


@pytest.mark.parametrize(
    ("quantity", "of", "convention", "exact"),
    [
        ("macs", "Conv2d_1", "macs", 112 * 112 * 32 * (9 + 64)),
        ("macs", "Conv2d_1.depthwise", "macs", 112 * 112 * 32 * 9),
        ("macs", "depthwise 3x3", "macs", 17_385_984),
        ("params", "Conv2d_0", "paper", 864),
        ("params", "Conv2d_0", "macs", 864 + 64),
        ("weights", "", "", 4_209_088),
        ("activation_memory", "Conv2d_0", "", 3 * 224**2 + 32 * 112**2),
        ("size", "float32", "openvino", 4 * 4_221_032),
        ("size", "int8", "openvino", 4_209_088 + 4 * (10_944 + 1000)),
        ("macs_share", "Conv2d_0", "macs", Fraction(10_838_016, 568_740_352)),
        # 1 / (1/N + 1/9) with N from 64 to 1024.
        ("least_saving", "", "", 1 / (Fraction(1, 64) + Fraction(1, 9))),
        ("most_saving", "", "", 1 / (Fraction(1, 1024) + Fraction(1, 9))),
    ],
)
def test_a_quantity_is_measured_of_a_whole_network_or_of_a_part(
    networks: Networks, quantity: str, of: str, convention: str, exact: Fraction
) -> None:
    figure = Figure("own", "", "", "mobilenet_v1", quantity, "1", of=of, convention=convention)
    assert measure_figure(figure, networks) == exact


def test_activations_are_the_elements_that_counted_layers_write(networks: Networks) -> None:
    figure = Figure("own", "", "", "mobilenet_v1", "activations", "5,043,688")
    assert verify_figure(figure, networks).how == "exact"  # 5,042,688 and 1,000 logits
