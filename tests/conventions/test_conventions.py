"""Conventions are data that can be read, and what they count adds up."""

import tomllib
from importlib.resources import files

import pytest
import torch
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.conventions.catalogue import find_convention, list_conventions, list_names
from mobilenet_profiler.conventions.comparison import compare_conventions, describe_sum
from mobilenet_profiler.conventions.convention import FAMILIES
from mobilenet_profiler.conventions.counting import count_trace
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.rows import GROUPINGS, make_rows
from tests.architectures import ARCHITECTURES

NAMES = list_names()
DATA = files("mobilenet_profiler.conventions") / "data"


@pytest.fixture(scope="module")
def mobilenet() -> Trace:
    return mp.trace("mobilenet_v1", explicit_padding=True)


@pytest.fixture(scope="module", params=["vit", "unet", "densenet", "lstm"])
def trace(request: pytest.FixtureRequest) -> Trace:
    make, shape = ARCHITECTURES[request.param]
    return mp.trace(make(), (torch.zeros(shape),), mode="eval")


@pytest.mark.parametrize("name", NAMES)
def test_every_file_says_whose_it_is_what_it_counts_and_where_that_was_read(name: str) -> None:
    data = tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))
    assert data["unit"] in ("MACs", "FLOPs")
    assert data["title"]
    assert data["counts"]
    assert any(character.isdigit() for character in data["source"]) or name in (
        "macs",
        "mobilenet_v1_md",
    )
    convention = find_convention(name)
    assert convention.rules or convention.params
    assert {rule.family for rule in convention.rules} <= set(FAMILIES)


def test_every_group_of_operations_is_used() -> None:
    groups = tomllib.loads((DATA / "operations.toml").read_text(encoding="utf-8"))
    used = "".join((DATA / f"{name}.toml").read_text(encoding="utf-8") for name in NAMES)
    assert not [name for name in groups if f'"{name}"' not in used]


def test_an_unknown_convention_names_the_nearest() -> None:
    with pytest.raises(mp.UsageError, match=r"unknown convention 'thopp' .did you mean 'thop'"):
        find_convention("thopp")


@pytest.mark.parametrize("name", NAMES)
def test_layers_and_families_add_up_to_the_total(name: str, trace: Trace) -> None:
    count = trace.count(name)
    assert sum(count.layer_params.values()) == count.params
    if count.total is not None:
        assert sum(count.layers.values()) == count.total
        assert sum(count.items.values()) == count.total


@pytest.mark.parametrize("name", NAMES)
def test_the_difference_to_ours_is_what_is_extra_less_what_is_missing(
    name: str, trace: Trace
) -> None:
    (row,) = compare_conventions(trace, [name])
    if row.difference is not None:
        assert sum(row.extra.values()) - sum(row.missing.values()) == row.difference


@pytest.mark.parametrize("by", GROUPINGS)
@pytest.mark.parametrize("name", NAMES)
def test_rows_in_a_convention_add_up_to_its_total(name: str, by: str, trace: Trace) -> None:
    count, converted = trace.count(name), trace.convert(name)
    rows = make_rows(converted, by=by)
    ours = trace.total.macs
    assert sum(row.cost.macs for row in rows) == (ours if count.total is None else count.total)
    assert sum(row.cost.params for row in rows) == count.params
    assert [row.name for row in rows] == [row.name for row in make_rows(trace, by=by)]


def test_our_own_convention_changes_nothing(trace: Trace) -> None:
    assert trace.convert("macs") is trace
    count = trace.count("macs")
    assert (count.total, count.params) == (trace.total.macs, trace.total.params)


@pytest.mark.parametrize("name", NAMES)
def test_a_count_doubles_with_the_batch_but_for_the_bias_of_pycls(name: str) -> None:
    make, shape = ARCHITECTURES["resnet"]
    one, two = (
        mp.trace(make(), (torch.zeros(batch, *shape[1:]),), mode="eval").count(name)
        for batch in (1, 2)
    )
    assert one.params == two.params
    if one.total is not None and two.total is not None and name != "pycls":
        assert two.total == 2 * one.total


@pytest.mark.parametrize(
    ("name", "total", "params"),
    [
        ("macs", 568_740_352, 4_231_976),
        ("paper", 568_740_352, 4_209_088),  # arXiv 1704.04861, Tables 2 and 8: 569, 4.2
        ("slim", 567_716_352, 3_185_088),  # the docstring of mobilenet_v1.py
        ("keras", None, 4_253_864),  # the count_params of keras.applications.MobileNet
        ("mobilenet_v1_md", 568_740_352, 4_242_920),  # mobilenet_v1.md: 569, 4.24
        ("fvcore", 568_740_352 + 2 * 5_042_688, 4_231_976),  # two a BatchNorm element
        ("flop_counter", 2 * 568_740_352, 4_231_976),
    ],
)
def test_mobilenet_v1_in_the_conventions_that_publish_it(
    name: str, total: int | None, params: int, mobilenet: Trace
) -> None:
    count = mobilenet.count(name)
    assert (count.total, count.params) == (total, params)


def test_the_smaller_docstring_table() -> None:
    count = mp.trace("mobilenet_v1", alpha=0.75, resolution=128).count("slim")
    assert (count.total, count.params) == (106_002_432, 1_800_144)


def test_pycls_adds_the_bias_of_the_classifier_once() -> None:
    """ResNet-50 is 4,089,185,256 there: 4,089,184,256 and 1,000."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(144, 1000))
    trace = mp.trace(net, (1, 3, 8, 8), mode="eval")
    assert trace.count("pycls").total == trace.total.macs + 1000


def test_the_sum_behind_a_number_reads_as_one(mobilenet: Trace) -> None:
    (thop,) = compare_conventions(mobilenet, ["thop"])
    assert describe_sum(thop) == (
        "588.91M = 568.74M convolution and linear + 20.17M BatchNorm + 3.00k activation"
    )
    (flops,) = compare_conventions(mobilenet, ["flop_counter"])
    assert describe_sum(flops) == "1.14G = 2 x 568.74M convolution and linear"


def test_what_a_convention_leaves_out_is_said() -> None:
    make, shape = ARCHITECTURES["vit"]
    trace = mp.trace(make(), (torch.zeros(shape),), mode="eval")
    (row,) = compare_conventions(trace, ["fvcore"])
    assert row.missing == {"attention": 2 * 17 * 17 * 16}
    assert describe_sum(row).endswith("; without 9.25k of attention")


def test_tied_weights_count_once_or_at_each_module_as_the_tool_does() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x))  # type: ignore[no-any-return]

    trace = mp.trace(Tied(), (1, 4))
    assert {name: trace.count(name).params for name in ("macs", "thop", "torchinfo")} == {
        "macs": 16,
        "thop": 32,
        "torchinfo": 32,
    }


def test_frozen_weights_are_no_params_of_ptflops() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    net[0].requires_grad_(False)
    trace = mp.trace(net, (1, 4))
    assert (trace.count("ptflops").params, trace.count("fvcore").params) == (10, 30)


def test_a_backward_pass_is_in_no_other_convention() -> None:
    trace = mp.trace(nn.Linear(4, 4), (1, 4), backward=True)
    with pytest.raises(mp.UsageError, match="forward pass alone"):
        trace.convert("thop")


def test_conventions_come_in_one_order_ours_first() -> None:
    assert [convention.name for convention in list_conventions()] == list(NAMES)
    assert NAMES[0] == "macs"
    assert count_trace(mp.trace(nn.Linear(4, 4), (1, 4)), list_conventions()[0]).total == 16


def test_fvcore_counts_nothing_where_padding_has_a_name() -> None:
    from fvcore.nn import FlopCountAnalysis

    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding="same"), nn.Conv2d(4, 4, 3, padding=1))
    analysis = FlopCountAnalysis(model, torch.zeros(1, 3, 8, 8))
    assert mp.trace(model, (1, 3, 8, 8)).count("fvcore").total == analysis.total() == 64 * 4 * 36


def test_what_is_unknown_is_said_in_every_format() -> None:
    from mobilenet_profiler.render.conventions import COMPARISONS

    class Singular(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = torch.linalg.svdvals(x)
            return values

    trace = mp.trace(Singular(), (4, 4))
    rows = compare_conventions(trace, ("macs", "thop"))
    assert all("linalg" in COMPARISONS[name](trace, rows) for name in ("markdown", "json"))
