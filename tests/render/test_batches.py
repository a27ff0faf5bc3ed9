"""Several batch sizes side by side: rates, shares by kind, what is wrong with each."""

import re
from dataclasses import replace

import pytest

from mobilenet_profiler.measured.batches import describe_gain, list_batches, list_kinds
from mobilenet_profiler.measured.profile import Contention, Profile
from mobilenet_profiler.render.batches import (
    list_batch_remarks,
    render_html,
    render_markdown,
    render_text,
)
from tests.profiles import make_plain_profile, make_profile, trace_small


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    return [make_profile(trace_small(batch), batch=batch) for batch in (1, 8, 32)]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(profiles: list[Profile], width: int) -> None:
    text = render_text(profiles, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_the_heading_names_the_batches_and_no_input(profiles: list[Profile]) -> None:
    assert render_text(profiles).splitlines()[0] == (
        "mobilenet_v1 alpha=0.25 inference cpu float32 threads=1, batches 1, 8, 32"
    )


def make_batch(batch: int, nanoseconds: int) -> Profile:
    return make_plain_profile({"a": (nanoseconds,) * 8}, batch=batch)


def test_rates_are_worked_out_by_hand() -> None:
    profiles = [make_batch(1, 2_000_000), make_batch(4, 4_000_000)]
    headings, *lines = list_batches(profiles)
    assert headings == (
        *("batch", "latency ms", "±", "p90", "images/s", "±", "ms/image", "GMAC/s"),
    )
    assert [line[0] for line in lines] == ["1", "4"]
    assert [float(line[4].replace(",", "")) for line in lines] == [500, 1000]
    assert [float(line[6]) for line in lines] == [2, 1]
    assert describe_gain(profiles) == (
        "Batch 4 has the most images a second: 2.00 times those of batch 1."
    )
    slower = [make_batch(1, 2_000_000), make_batch(4, 9_000_000)]
    assert describe_gain(slower) == "No batch has more images a second than batch 1."
    assert describe_gain([make_batch(2, 1_000)]) == ""


def test_memory_is_a_column_where_it_is_known(profiles: list[Profile]) -> None:
    measured = [replace(p, memory={"predicted_peak": 1, "measured_peak": 2**20}) for p in profiles]
    assert [line[-1] for line in list_batches(measured)] == ["peak memory", *["1.00 MiB"] * 3]
    assert list_batches([measured[0], profiles[1]])[2][-1] == "-"


def test_shares_of_each_batch_add_up_to_100(profiles: list[Profile]) -> None:
    heading, *lines, total = list_kinds(profiles)
    assert heading[:2] == ("by kind", "time %\nat 1")
    assert total[:4] == ("total", "100", "100", "100")
    for column in (1, 2, 3):
        shares = [float(line[column]) for line in lines if line[column] != "-"]
        assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares))


def test_a_narrow_terminal_has_a_table_of_shares_and_one_of_rates(profiles: list[Profile]) -> None:
    assert render_text(profiles, 80).count("by kind") == 1
    narrow = render_text(profiles, 60)
    assert narrow.count("by kind") == 2
    assert narrow.count("batch norm") == 1  # it has no rate


def test_what_holds_for_all_is_said_once(profiles: list[Profile]) -> None:
    noted = [replace(profile, notes=("all alike",)) for profile in profiles]
    noted[1] = replace(noted[1], contention=Contention(10**9, 10**9, load=9.0, cores=2))
    lines = list_batch_remarks(noted)
    assert [line for line in lines if "alike" in line] == ["note: all alike"]
    (busy,) = [line for line in lines if "load" in line]
    assert busy.startswith("batch 8: load 9.0")


def test_markdown_and_html_have_both_tables(profiles: list[Profile]) -> None:
    text = render_markdown(profiles, ["a hint"])
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert [len({line.count("|") for line in table.splitlines()}) for table in tables] == [1, 1]
    assert "time % at 8" in text
    assert text.endswith("- a hint\n")
    html = render_html(profiles)
    assert html.count("<table>") == html.count("</table>") == 2
