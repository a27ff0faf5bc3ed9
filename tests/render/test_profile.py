"""What a profile shows: columns that add up, digits that are supported, nothing cut."""

import csv
import io
import re
from dataclasses import replace
from typing import Any

import pytest

from mobilenet_profiler.columns import align_points
from mobilenet_profiler.cost import Uncounted
from mobilenet_profiler.measured.columns import (
    COLUMNS,
    choose_columns,
    fit_columns,
    list_columns,
    list_lines,
    make_sheet,
)
from mobilenet_profiler.measured.profile import Contention, LayerWork, Pass, Profile
from mobilenet_profiler.measured.reach import list_points
from mobilenet_profiler.measured.rows import BETWEEN, list_rest, make_timed_rows, summarise_times
from mobilenet_profiler.render.profile import (
    CSV_HEADER,
    render_csv,
    render_html,
    render_markdown,
    render_profile,
    render_text,
)
from mobilenet_profiler.render.table import draw_text
from tests.profiles import (
    INSIDE,
    OUTSIDE,
    make_ceiling,
    make_plain_profile,
    make_profile,
)

KINDS: dict[str, dict[str, Any]] = {
    "inference": {},
    "training": {"training": True},
    "gpu": {"kernels": True, "device": "cuda:0"},
    "gpu training": {"kernels": True, "device": "cuda:0", "training": True},
}
MEMORY = {
    **{"predicted_peak": 31_000_000, "measured_peak": 31_465_000, "weights": 17_000_000},
    **{"inputs": 600_000, "gradients_at_peak": 0, "activations_at_peak": 13_400_000},
}


@pytest.fixture(params=KINDS)
def profile(request: pytest.FixtureRequest) -> Profile:
    return make_profile(**KINDS[request.param])


def show(profile: Profile, width: int, ceiling: bool = True) -> str:
    device, threads = profile.setup.device, 1 if profile.setup.device == "cpu" else 0
    return render_text(profile, width, make_ceiling(device, threads) if ceiling else None)


def take_table(text: str, heading: str) -> list[str]:
    """The lines of the table whose first heading this is, without its rules."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.lstrip().startswith(heading))
    after = (i for i in range(start, len(lines)) if not lines[i].strip())
    end = next(after, len(lines))
    return [line for line in lines[start:end] if "──" not in line]


@pytest.mark.parametrize("ceiling", [False, True])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(
    profile: Profile, width: int, ceiling: bool
) -> None:
    crowded = replace(profile, memory=MEMORY, graph=(700_000,) * 9, eager=profile.instrumented)
    text = show(crowded, width, ceiling)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    known = make_ceiling(profile.setup.device, 0) if ceiling else None
    sheet = make_sheet(crowded, make_timed_rows(crowded), known)
    columns = fit_columns(list_columns(sheet), sheet, width)
    shown = {word for line in take_table(text, "layer") for word in line.split()}
    for line in list_lines(sheet, [column for column in columns if column.numeric])[1:]:
        assert {cell for cell in line if cell} <= shown


@pytest.mark.parametrize(
    ("width", "setup", "names"),
    [
        (80, {}, "layer MACs % time % time µs ± GMAC/s bound by"),
        (60, {}, "layer MACs % time % time µs ±"),
        (80, {"training": True}, "layer MACs % time % time µs ± forward backward"),
        (60, {"training": True}, "layer MACs % time % time µs ±"),
        (80, {"kernels": True, "device": "cuda:0"}, "layer MACs % time % time µs ± kernels"),
    ],
)
def test_a_narrow_terminal_keeps_what_matters_most(
    width: int, setup: dict[str, Any], names: str
) -> None:
    heading = take_table(show(make_profile(**setup), width), "layer")[0]
    assert " ".join(heading.split()).startswith(names)


def test_a_wide_terminal_shows_every_column() -> None:
    text = show(make_profile(training=True, kernels=True), 200)
    heading = " ".join(take_table(text, "layer")[0].split())
    assert heading == (
        "layer kind MACs MACs % time % time µs ± forward backward kernels GMAC/s MB MACs/B "
        "ceiling % bound by"
    )


def test_columns_of_what_was_not_measured_are_left_out() -> None:
    heading = take_table(show(make_profile(), 200, ceiling=False), "layer")[0]
    for name in ("forward", "backward", "kernels", "ceiling", "bound"):
        assert name not in heading


@pytest.mark.parametrize("by", ["layer", "block", "kind"])
def test_times_of_rows_and_what_lies_between_add_up_to_the_pass(profile: Profile, by: str) -> None:
    rows = (*make_timed_rows(profile, by=by), *list_rest(profile))
    calls = sum(layer.calls for layer in profile.layers)
    for index, whole in enumerate(profile.instrumented):
        own = sum(row.samples[index] for row in rows if row.samples)
        assert own == pytest.approx(whole.time - calls * (INSIDE + OUTSIDE))


@pytest.mark.parametrize("by", ["layer", "kind"])
@pytest.mark.parametrize("top", [None, 5])
def test_printed_shares_of_time_add_up_to_100(profile: Profile, by: str, top: int | None) -> None:
    sheet = make_sheet(profile, make_timed_rows(profile, by=by, sort="time", top=top))
    lines = list_lines(sheet, choose_columns("time_share", "macs_share", "time"))[1:-1]
    shares, macs, times = zip(*lines, strict=True)
    printed = [float(share) for share in shares if share != "-"]
    assert sum(printed) == pytest.approx(100, abs=0.05 * len(printed))
    assert sum(float(share) for share in macs if share != "-") == pytest.approx(100, abs=0.2)
    added = sum(float(time.replace(",", "")) for time in times if time != "-")
    assert added == pytest.approx(sheet.whole / sheet.unit.nanoseconds, rel=1e-3)


def test_the_last_line_adds_up_what_adds_up(profile: Profile) -> None:
    sheet = make_sheet(profile, make_timed_rows(profile))
    columns = choose_columns("layer", "macs", "macs_share", "time_share", "megabytes", "rate")
    *lines, last = list_lines(sheet, columns)[1:]
    total = f"{profile.trace.total.macs:,}"
    moved = sum(work.bytes_moved for work in profile.work.values()) / 1e6
    assert last == ("total", total, "100.00", "100", f"{moved:.2f}", "")
    assert f"{sum(int(line[1].replace(',', '')) for line in lines if line[1] != '-'):,}" == total


def test_phases_without_layers_are_rows_of_their_own() -> None:
    profile = make_profile(training=True)
    rest = {row.row.name: row for row in list_rest(profile)}
    assert list(rest) == [BETWEEN, "loss", "optimizer"]
    assert rest["loss"].samples == tuple(sample.phases[1] for sample in profile.instrumented)
    assert set(rest[BETWEEN].phases) == {"forward", "backward"}


def make_two() -> Profile:
    """Two layers: 3,000 MACs in 1,000 ns and 500 bytes; 8,000 in 3,000 ns and 1,000 bytes."""
    return make_plain_profile(
        {"a": (1_000,) * 8, "b": (3_000,) * 8},
        {"a": LayerWork(3_000, 500, 1, 1), "b": LayerWork(8_000, 1_000, 1, 1)},
        between=1_000,
    )


def test_cells_are_worked_out_by_hand() -> None:
    profile = make_two()
    sheet = make_sheet(profile, make_timed_rows(profile), make_ceiling())
    columns = choose_columns("layer", "time", "time_share", "rate", "megabytes", "intensity")
    assert list_lines(sheet, columns) == [
        ("layer", "time µs", "time %", "GMAC/s", "MB", "MACs/B"),
        ("a", "1.000", "20.0", "3.00", "0.00", "6.00"),  # 1 of 5 us, 3,000 / 1,000, 3,000 / 500
        ("b", "3.000", "60.0", "2.67", "0.00", "8.00"),
        (BETWEEN, "1.000", "20.0", "-", "-", "-"),
        ("total", "5.000", "100", "", "0.00", ""),
    ]


def test_a_row_of_several_layers_comes_as_near_the_ceiling_as_they_do_together() -> None:
    profile = make_two()
    # At 40 GMAC/s and 20 GB/s: 75 and 200 ns of arithmetic, 25 and 50 ns of bytes.
    sheet = make_sheet(profile, make_timed_rows(profile, by="kind"), make_ceiling())
    (row,) = sheet.rows
    reach = sheet.find_reach(row)
    assert reach is not None
    assert reach.share == pytest.approx((75 + 200) / 4_000)
    assert reach.binds == "overhead"  # the 1 us that starting each takes is more
    layers = make_sheet(profile, make_timed_rows(profile), make_ceiling())
    assert list_lines(layers, choose_columns("reach", "bound"))[1] == ("7.5", "overhead")


def test_the_bound_of_a_row_is_that_of_most_of_its_time() -> None:
    profile = make_plain_profile(
        {"a": (10_000,) * 8, "b": (15_000,) * 8},
        {"a": LayerWork(400_000, 10, 1, 1), "b": LayerWork(0, 200_000, 1, 0)},
    )
    sheet = make_sheet(profile, make_timed_rows(profile, by="kind"), make_ceiling())
    reach = sheet.find_reach(sheet.rows[0])
    assert reach is not None
    assert reach.share == pytest.approx((10_000 + 10_000) / 25_000)
    assert reach.binds == "memory"


def test_float32_of_a_gpu_is_held_against_what_it_multiplies_in() -> None:
    ceiling = make_ceiling("cuda:0", 0)
    fast = replace(ceiling.peaks[0], dtype="tf32", samples=(2_500,))
    ceiling = replace(ceiling, peaks=(*ceiling.peaks, fast))
    plain = replace(make_two(), setup=replace(make_two().setup, device="cuda:0"))
    settings = {"convolution_precision": "tf32", "matmul_precision": "ieee"}
    tensor = replace(plain, environment={"gpu": {"settings": settings}})
    found = []
    for profile in (plain, tensor):
        sheet = make_sheet(profile, make_timed_rows(profile), ceiling)
        found.append(sheet.bounds["b"].compute)
    assert found == [pytest.approx(200), pytest.approx(20)]


def test_a_roofline_has_a_point_for_each_layer() -> None:
    first, second = list_points(make_two())
    assert (first.name, first.kind, first.intensity) == ("a", "pointwise 1x1", 6)
    assert (first.macs_per_second, first.share) == (3e9, 0.2)
    assert (second.intensity, second.share) == (8, 0.6)


def test_a_time_has_no_digit_that_its_spread_does_not_support() -> None:
    samples = tuple(22_500_000 + 400_000 * (place % 3 - 1) for place in range(30))
    profile = make_plain_profile({"a": samples, "b": (5_123_456,) * 30})
    sheet = make_sheet(profile, make_timed_rows(profile))
    cells = list_lines(sheet, choose_columns("layer", "time", "spread"))
    assert cells[0] == ("layer", "time ms", "±")
    assert cells[1] == ("a", "22.5", "0.4")
    assert cells[2] == ("b", "5.123", "0")


def test_what_was_not_timed_apart_is_a_dash_and_is_said() -> None:
    text = show(make_profile(), 80)
    (line,) = [line for line in take_table(text, "layer") if "flatten" in line]
    assert set(line.split()) == {"flatten", "0", "-"}
    assert "Not timed apart (no work of their own): flatten." in " ".join(text.split())


def test_blocks_are_bracketed() -> None:
    lines = take_table(show(make_profile(), 80), "layer")
    assert lines[2].startswith("╭\u00a0Conv2d_1.depthwise")
    assert lines[3].startswith("╰\u00a0Conv2d_1.pointwise")
    profile = make_profile()
    sheet = make_sheet(profile, make_timed_rows(profile, sort="time"))
    assert "╭" not in draw_text(render_profile(sheet, 80, brackets=False), 80)


def test_kinds_show_params_macs_and_time_side_by_side() -> None:
    profile = make_profile()
    lines = take_table(show(profile, 100, ceiling=False), "by kind")
    assert " ".join(lines[0].split()) == "by kind params % MACs % time % time µs ± GMAC/s"
    names = [re.split(r"  +", line)[0] for line in lines[1:]]
    assert names[-2:] == [BETWEEN, "total"]
    assert names[0] == "pointwise 1x1 x13"
    times = [row.nanoseconds for row in summarise_times(profile)]
    assert times == sorted(times, reverse=True)
    shares = [line.split()[-4] for line in lines[1:-1] if "x1 " not in line]
    assert all(re.fullmatch(r"\d+(\.\d)?", share) for share in shares)


def say(profile: Profile, ceiling: bool = False) -> str:
    """The text without its line breaks."""
    return " ".join(show(profile, 200, ceiling).split())


def test_the_totals_say_what_each_figure_is() -> None:
    clean = tuple(4_400_000 + 100_000 * (place % 2) for place in range(40))
    profile = make_plain_profile(
        {"a": (1_000_000,) * 40, "b": (3_000_000,) * 40}, clean=clean, between=500_000
    )
    text = say(profile)
    assert "latency 4.45 ± 0.05 ms median of 40 clean passes; nine of ten below 4.50 ms" in text
    assert "throughput 225 ± 3 images/s" in text  # 1e9 / 4.45e6
    assert "sum of layers 4.000 ms own times of 2 layers" in text
    assert "between layers 500.0 µs" in text
    assert "layers + between: 4.50 ms, the clean pass: 4.45 ms" in text
    # 4.5 over 4.4 and over 4.5 in turns: 2.27% and 0% more.
    assert "closing error +1 ± 1 %" in text


def test_the_instruments_are_taken_off_and_said() -> None:
    profile = make_profile()
    calls = sum(layer.calls for layer in profile.layers)
    assert calls == 85
    assert f"instruments 110 µs taken off: {calls} calls at 1.3 µs" in say(profile)
    assert f"warm-up 7 passes then measured for {profile.setup.stop}" in say(profile)


def test_training_shows_phases_steps_and_an_epoch() -> None:
    profile = make_profile(training=True)
    step = profile.latency.value / 1e9
    text = say(profile)
    assert f"steps {1 / step:.1f} ± 0." in text
    minutes, seconds = divmod(round(-(-1_281_167 // 64) * step), 60)
    assert f"an epoch about {minutes} min {seconds} s 1,281,167 images at this rate" in text
    lines = take_table(show(profile, 80), "phase")
    assert [line.split()[0] for line in lines[1:]] == [*profile.phases, "total"]
    shares = [float(line.split()[3]) for line in lines[1:-1]]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    cost = profile.trace.total
    assert [line.split()[1] for line in lines[1:]] == [
        f"{count:,}"
        for count in (cost.macs, 0, cost.backward_macs, 0, cost.macs + cost.backward_macs)
    ]
    assert cost.backward_macs


def test_memory_graph_kernels_and_compilation_are_shown_where_they_are_known() -> None:
    plain = say(make_profile())
    for name in ("peak memory", "CUDA graph", "kernels", "without compile"):
        assert name not in plain
    profile = make_profile(kernels=True)
    slower = tuple(Pass(p.phases, 2 * p.wall) for p in profile.clean)
    graph = (round(profile.latency.value / 4),) * 9
    full = say(replace(profile, memory=MEMORY, graph=graph, eager=slower))
    assert "peak memory 30.01 MiB measured, +1.5% of the 29.56 MiB predicted: weights" in full
    assert "the latency is 4.0 times this" in full
    # Half of each layer's time: more than a launch is lost where a layer takes over 10 us.
    walls = [row.nanoseconds for row in make_timed_rows(profile, every=True) if row.time]
    assert len(walls) == 85
    waiting = sum(wall > 10_000 for wall in walls)
    assert f"50% of the layers' time; {waiting} of 85 wait for their launches" in full
    assert "times faster; the layers are of these" in full
    assert "the eager pass" in full


def test_predicted_memory_stands_alone_where_none_was_measured() -> None:
    profile = replace(make_profile(), memory={"predicted_peak": 2**20, "weights": 2**19})
    assert "peak memory 1.00 MiB predicted from the trace: weights 512.00 KiB" in say(profile)
    alone = replace(profile, memory={"measured_peak": 2**21})
    assert "peak memory 2.00 MiB measured by kind" in say(alone)


def spoil(profile: Profile, slow: dict[int, float]) -> Profile:
    """Clean passes that took so many times as long, by place."""
    return replace(
        profile,
        clean=tuple(
            replace(sample, wall=round(sample.wall * slow.get(place, 1)))
            for place, sample in enumerate(profile.clean)
        ),
    )


def test_a_quiet_profile_warns_of_nothing() -> None:
    text = show(make_profile(noise=0.005), 80)
    assert text.splitlines()[-1].startswith("total")


def test_outliers_are_named_from_one() -> None:
    profile = make_profile(rounds=50, noise=0.01)
    text = say(spoil(profile, {2: 1.9, 16: 1.9}))
    assert re.search(r"passes 3 and 17 of 50 took 1.\d+( to 1.\d+)? times the median; none", text)
    many = say(spoil(profile, dict.fromkeys(range(0, 14, 2), 3.0)))
    assert re.search(r"passes 1, 3, 5, 7 and 3 more of 50 took", many)
    assert "pass 4 of 50 took 0.5" in say(spoil(profile, {3: 0.5}))


def test_what_may_mislead_is_said_with_what_to_do() -> None:
    profile = make_profile(noise=0.005)
    cold = say(replace(profile, settled=False))
    assert "passes still got faster after 7 of warm-up" in cold
    assert "give --warmup 14" in cold
    few = say(make_profile(rounds=3, noise=0.005))
    assert "too few passes (3): the intervals hold their medians in 75 of 100 cases" in few
    wide = say(spoil(profile, {place: 1 + place / 20 for place in range(20)}))
    assert re.search(r"the median is known within \d+% only", wide)
    open_ = say(replace(profile, clean=tuple(Pass((p.time * 2,), p.wall) for p in profile.clean)))
    assert "layers and what lies between take 50% less than a clean pass" in open_
    busy = say(replace(profile, contention=Contention(10**9, 10**9, load=9.0, cores=2)))
    assert "load 9.0 on 2 cores" in busy


def test_spikes_that_hit_one_layer_after_the_other_are_said() -> None:
    # Each pass takes 10 + 10 + 30 us in another order: medians of 10, a median pass of 50.
    times = [(10_000, 10_000, 30_000), (10_000, 30_000, 10_000), (30_000, 10_000, 10_000)] * 8
    names = dict(zip("abc", zip(*times, strict=True), strict=True))
    text = say(make_plain_profile(names))
    assert "the medians of the layers add up to 40% less than the median pass" in text
    assert "add up to" not in say(make_plain_profile({"a": (10_000,) * 24}))


def test_notes_and_uncounted_work_come_last() -> None:
    profile = make_profile(noise=0.005)
    trace = replace(profile.trace, uncounted=(Uncounted("a", "mylib::f", ((1, 2),), 3),))
    lines = show(replace(profile, trace=trace, notes=("half the batch",)), 80).splitlines()
    assert lines[-2:] == ["note: half the batch", "not counted: mylib::f x3 in a on 1x2"]


def test_csv_has_every_row_in_whole_nanoseconds(profile: Profile) -> None:
    sheet = make_sheet(profile, make_timed_rows(profile, every=True))
    rows = list(csv.DictReader(io.StringIO(render_csv([sheet]))))
    assert list(rows[0]) == list(CSV_HEADER)
    assert sum(int(row["macs"]) for row in rows) == profile.trace.total.macs
    assert sum(float(row["time_share"]) for row in rows if row["time_share"]) == pytest.approx(1)
    for row in rows:
        if row["time_ns"]:
            assert int(row["time_low_ns"]) <= int(row["time_ns"]) <= int(row["time_high_ns"])
    assert [row["layer"] for row in rows if row["layers"] == "0"] == [
        row.row.name for row in list_rest(profile)
    ]
    assert {row["batch"] for row in rows} == {str(profile.setup.batch)}
    backward = [row for row in rows if row["backward_ns"]]
    assert bool(backward) == ("backward" in profile.phases)


def test_markdown_has_tables_of_equal_rows_and_nothing_that_it_reads_as_markup() -> None:
    profile = make_profile(training=True)
    sheet = make_sheet(profile, make_timed_rows(profile), make_ceiling())
    text = render_markdown(sheet, ["a_hint"])
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "Conv2d\\_1.depthwise" in text
    assert text.startswith("**mobilenet\\_v1")
    assert text.endswith("- a\\_hint\n")


def test_a_notebook_gets_escaped_tables() -> None:
    profile = make_profile()
    named = replace(profile, trace=replace(profile.trace, label="<b>"), notes=("<i>",))
    html = render_html(named)
    assert html == named._repr_html_()
    assert "&lt;b&gt;" in html
    assert "note: &lt;i&gt;" in html
    assert html.count("<table>") == html.count("</table>") == 3
    assert "<b>" not in html.replace("<b>&lt;b&gt;", "").replace("<p><b>", "")


def test_print_shows_the_table() -> None:
    profile = make_profile()
    assert str(profile) == render_text(profile, 100)


def test_points_stand_below_each_other() -> None:
    assert align_points(("time", "1.25", "12", "-", "", "1,000.5")) == (
        *("    time", "    1.25", "   12   ", "    -   ", "        ", "1,000.5 "),
    )


def test_every_column_has_a_name_of_its_own() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)


def test_long_names_are_folded_and_numbers_stay() -> None:
    names = [f"features.denseblock.denselayer.convolution{place}" for place in range(3)]
    profile = make_plain_profile(dict.fromkeys(names, (1_000_000,) * 8))
    lines = show(profile, 60, ceiling=False).splitlines()
    assert max(map(len, lines)) <= 60
    table = take_table("\n".join(lines), "layer")
    assert "time %" in table[0]
    width = table[0].index("MACs %") - 1
    joined = "".join(line[2:width].strip() for line in table)
    assert all(name in joined for name in names)
