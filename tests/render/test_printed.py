"""The paper's tables and the 16 checkpoints, ours beside theirs."""

import csv
import io
import json
import re
from functools import cache

import pytest

from mobilenet_profiler.cli.model import trace_spec
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.render.printed import PRINTED, render_printed
from mobilenet_profiler.render.table import draw_text
from mobilenet_profiler.verification.printed import PrintedTable, choose_places, make_printed


@cache
def make(*names: str) -> tuple[PrintedTable, ...]:
    return make_printed(names, trace_spec)


def show(*names: str, width: int = 200) -> str:
    return draw_text(render_printed(make(*names), width), width)


def find_row(text: str, start: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return re.split(r"  +", line)


def test_table_6_has_the_papers_numbers_and_ours_beside_each() -> None:
    text = show("6")
    assert find_row(text, "0.5 MobileNet-224") == [
        *("0.5 MobileNet-224", "63.7%", "149", "149,497,088", "rounded"),
        *("1.3", "1,319,648", "rounded"),
    ]
    assert "(arXiv 1704.04861, Table 6)" in text
    assert "8 figures: 8 agree (8 rounded), 0 differ." in text


def test_table_7_says_which_number_was_truncated() -> None:
    assert find_row(show("7"), "1.0 MobileNet-160")[2:5] == ["290", "290,675,200", "truncated"]


def test_table_3_is_of_one_layer_and_has_no_accuracies() -> None:
    (table,) = make("3")
    assert [row.subject for row in table.rows][::3] == ["Convolution", "rho=0.714"]
    # 14 x 14 positions, 512 channels in and out; then a width of 0.75 on 10 x 10.
    assert table.rows[0].verdicts["macs"].exact == 14 * 14 * 512 * 512 * 9
    assert table.rows[3].verdicts["macs"].exact == 10 * 10 * 384 * (384 + 9)


def test_the_16_checkpoints_agree_or_are_known_to_differ_and_it_is_told_why() -> None:
    text = show("checkpoints")
    assert len(re.findall(r"^MobileNet_v1_\d", text, re.MULTILINE)) == 16
    assert find_row(text, "MobileNet_v1_0.75_224")[1:4] == [
        *("317", "325,401,216", "known difference"),
    ]
    assert "known difference: MobileNet_v1_0.25_192 macs: Fits a first convolution" in text
    assert find_row(text, "MobileNet_v1_0.25_128")[-2:] == ["41.5%", "66.3%"]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_broken(width: int) -> None:
    text = show("all", width=width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("MobileNet_v1_0.25_128 ") >= 1
    assert text.count("1.0 MobileNet-224 ") == 2


def test_a_narrow_table_has_marks_that_are_explained_below_it() -> None:
    text = show("7", width=80)
    assert find_row(text, "1.0 MobileNet-160")[3] == "290,675,200 ↓"
    assert "≈ rounded, ↓ truncated." in text
    assert "known difference" not in text


def test_every_printed_count_has_a_verdict_that_does_not_differ() -> None:
    known = [own for table in make("all") for own in table.known.verdicts]
    assert len(known) == 8 * 3 + 32
    assert {own.status for own in known} == {"agrees", "known difference"}


def test_tables_are_shown_once_each_in_the_order_given() -> None:
    assert [place.place for place in choose_places(["7", "6", "7"])] == ["Table 7", "Table 6"]
    assert len(choose_places(["all", "6"])) == 4
    with pytest.raises(UsageError, match="unknown table '5'; allowed: 3, 6, 7, checkpoints, all"):
        choose_places(["5"])


def test_files_for_programs_hold_every_number_with_its_verdict() -> None:
    rows = list(csv.DictReader(io.StringIO(PRINTED["csv"](make("6", "7")))))
    assert len(rows) == 2 * 4 * 3
    assert {row["place"] for row in rows} == {"Table 6", "Table 7"}
    figures = json.loads(PRINTED["json"](make("checkpoints")))["figures"]
    assert len(figures) == 16 * 4
    assert sum(figure["verdict"] == "known difference" for figure in figures) == 5


def test_markdown_and_latex_have_a_table_each_with_verdicts_in_words() -> None:
    markdown, latex = PRINTED["markdown"](make("all")), PRINTED["latex"](make("all"))
    assert "| 1.0 MobileNet-160 | 67.2% | 290 | 290,675,200 | truncated | 4.2 |" in markdown
    assert markdown.count("| --- |") >= 4
    assert r"1.0 MobileNet-160 & 67.2\% & 290 & 290,675,200 & truncated" in latex
    assert latex.count(r"\begin{tabular}") == 4
