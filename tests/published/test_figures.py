"""What every published figure that comes with the package must hold."""

import csv
import tomllib
from collections import Counter
from fractions import Fraction
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mobilenet_profiler as mp
from mobilenet_profiler.conventions.catalogue import list_names
from mobilenet_profiler.published.catalogue import (
    find_figure,
    list_figures,
    list_sources,
)
from mobilenet_profiler.published.figure import (
    COUNTED,
    QUANTITIES,
    TEXTS,
    UNITS_OF,
    read_number,
    split_printed,
)
from mobilenet_profiler.spec import read_spec
from mobilenet_profiler.zoo.catalogue import find_model

DATA = files("mobilenet_profiler.published") / "data"
FIGURES = list_figures()


def test_every_figure_has_a_source_that_is_listed_and_every_source_figures() -> None:
    listed = [source.name for source in list_sources()]
    assert {figure.source for figure in FIGURES} == set(listed)
    found = {file.name for file in DATA.iterdir() if file.name.endswith(".csv")}
    assert found == {f"{name}.csv" for name in listed}
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("source", list_sources(), ids=lambda source: source.name)
def test_every_source_says_whose_it_is_where_it_stands_and_what_it_counts(
    source: object,
) -> None:
    for value in (getattr(source, name) for name in ("title", "where", "counts")):
        assert value == " ".join(value.split()) != ""


def test_every_figure_has_a_name_of_its_own() -> None:
    twice = [name for name, times in Counter(f.name for f in FIGURES).items() if times > 1]
    assert not twice


def test_every_figure_is_a_number_with_a_unit_or_the_text_of_a_table() -> None:
    for figure in FIGURES:
        assert figure.quantity in QUANTITIES, figure.name
        assert figure.unit in UNITS_OF[figure.quantity], figure.name
        assert figure.place, figure.name
        assert figure.subject, figure.name
        if figure.quantity not in TEXTS:
            value, place = read_number(figure.printed, figure.unit)
            assert value > 0, figure.name
            assert place > 0, figure.name


def test_every_count_names_a_convention_and_a_network_of_the_zoo() -> None:
    for figure in FIGURES:
        if figure.quantity in COUNTED and figure.quantity != "activation_memory":
            assert figure.convention in list_names(), figure.name
        if figure.model:
            spec = read_spec(figure.model)
            assert find_model(spec.model) is not None, figure.name


def test_every_known_difference_names_a_figure_and_quotes_it_as_it_was_printed() -> None:
    data = tomllib.loads((DATA / "differences.toml").read_text(encoding="utf-8"))
    known = {figure.name: figure for figure in FIGURES}
    names = [name for entry in data["difference"] for name in entry["figures"]]
    assert len(names) == len(set(names))
    assert set(names) == {figure.name for figure in FIGURES if figure.difference}
    for entry in data["difference"]:
        for name, (printed, _) in entry["figures"].items():
            assert known[name].printed == printed, name


def test_the_reason_of_every_known_difference_is_arithmetic() -> None:
    for figure in FIGURES:
        if figure.difference:
            assert sum(map(str.isdigit, figure.difference.reason)) > 2, figure.name


def test_the_sources_that_were_asked_for_are_whole() -> None:
    # Tables 1 to 9 of the paper: 22 rows of three cells; 4 x 2 shares; 4 x 2; then rows of
    # accuracy, MACs and params: 2, 2, 4, 4, 3, 3.
    of_paper = list_figures(source="mobilenet_v1_paper")
    tables = Counter(figure.place for figure in of_paper)
    printed = {"Table 1": 66, "Table 2": 8, "Table 3": 8, "Table 4": 6, "Table 5": 6}
    printed |= {"Table 6": 12, "Table 7": 12, "Table 8": 9, "Table 9": 9}
    assert {place: tables[place] for place in printed} == printed
    assert len(list_figures(source="mobilenet_v1_docstring")) == 2 * 28 * 2
    checkpoints = list_figures(source="mobilenet_v1_md")
    assert Counter(figure.quantity for figure in checkpoints) == dict.fromkeys(
        ("macs", "params", "top1", "top5"), 32
    )
    phones = list_figures("mobilenet_v1", "tflite_hosted_models", "size")
    assert len({figure.subject for figure in phones}) == 32


@pytest.mark.parametrize(
    ("printed", "unit", "value", "place"),
    [
        ("569", "M", 569_000_000, 1_000_000),
        ("4.24", "M", 4_240_000, 10_000),
        ("4,253,864", "", 4_253_864, 1),
        ("94.86", "%", Fraction(9486, 10_000), Fraction(1, 10_000)),
        ("15.47", "G", 15_470_000_000, 10_000_000),
        ("1.138", "B", 1_138_000_000, 1_000_000),
        ("8", "x", 8, 1),
        ("2e3", "", 2000, 1000),
        ("3.40", "MB", 3_400_000, 10_000),
    ],
)
def test_a_printed_number_has_a_value_and_a_last_place(
    printed: str, unit: str, value: Fraction, place: Fraction
) -> None:
    assert read_number(printed, unit) == (value, place)


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("325M", "325", "M"),
        ("2.6 M", "2.6", "M"),
        (" 94.86% ", "94.86", "%"),
        ("4,231,976", "4,231,976", ""),
        ("1.138G", "1.138", "G"),
    ],
)
def test_a_number_may_carry_its_unit(text: str, number: str, unit: str) -> None:
    assert split_printed(text) == (number, unit)


@pytest.mark.parametrize(
    "text",
    ["", "M", "abc", "-3", "1.2.3", "1,2,3", "12,34", "٣M", "3 million", "nan", ".5", "0x10"],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(mp.UsageError):
        split_printed(text)


@given(st.integers(0, 10**12), st.integers(0, 6), st.sampled_from(["", "k", "M", "G"]))
def test_every_decimal_is_read_as_written(digits: int, places: int, unit: str) -> None:
    whole, part = divmod(digits, 10**places)
    text = f"{whole}.{part:0{places}}" if places else str(whole)
    scale = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[unit]
    assert read_number(text, unit) == (
        Fraction(digits * scale, 10**places),
        Fraction(scale, 10**places),
    )


def test_figures_are_chosen_by_network_source_and_quantity() -> None:
    found = list_figures("shallow_mobilenet_v1", "mobilenet_v1_paper", "macs")
    assert [figure.text for figure in found] == ["307 M"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"model": "mobilenet_v11"}, "unknown network 'mobilenet_v11'"),
        ({"source": "mlperf"}, "unknown source 'mlperf' .did you mean 'mlperf_paper'"),
        ({"quantity": "mac"}, "unknown quantity 'mac' .did you mean 'macs'"),
    ],
)
def test_a_wrong_choice_names_the_nearest(chosen: dict[str, str], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message):
        list_figures(**chosen)


def test_a_figure_is_found_by_a_part_of_its_name_where_that_is_its_alone() -> None:
    assert find_figure("table-4/conv-mobilenet/macs", FIGURES).printed == "4866"
    with pytest.raises(mp.UsageError, match=r"names \d+ figures; give one of: .* and \d+ more"):
        find_figure("table-4", FIGURES)
    with pytest.raises(mp.UsageError, match="unknown figure 'table-44'"):
        find_figure("table-44", FIGURES)


def test_every_line_of_data_has_every_cell() -> None:
    for source in list_sources():
        lines = list(csv.reader((DATA / f"{source.name}.csv").read_text().splitlines()))
        assert {len(line) for line in lines} == {8}, source.name


def test_every_sum_that_a_known_difference_adds_stands_in_its_reason() -> None:
    for figure in FIGURES:
        known = figure.difference
        if known and known.instead and known.instead.plus and known.instead.convention != "macs":
            total = int(known.count) * known.instead.times + known.instead.plus
            assert f"{total:,}" in known.reason, figure.name
