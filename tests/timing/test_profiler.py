"""Real networks on the real clock: what a profile holds, whatever the machine is doing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.rows import add_up_times, make_timed_rows
from mobilenet_profiler.timing.profiler import profile_specs


@pytest.fixture(scope="module")
def mobilenet() -> Profile:
    return mp.profile("mobilenet_v1", alpha=0.25, resolution=64, iterations=12)


def test_the_exact_part_is_the_trace(mobilenet: Profile) -> None:
    trace = mp.trace("mobilenet_v1", alpha=0.25, resolution=64)
    assert mobilenet.trace.total == trace.total
    assert mobilenet.trace.layers == trace.layers
    assert mobilenet.trace.label == trace.label


def test_every_layer_but_those_that_only_take_views_has_a_sample_a_pass(
    mobilenet: Profile,
) -> None:
    timed = {layer.path for layer in mobilenet.layers}
    assert {layer.path for layer in mobilenet.trace.layers} - timed == {""}  # flatten
    assert {len(layer.samples) for layer in mobilenet.layers} == {6}
    assert all(sample > 0 for layer in mobilenet.layers for sample in layer.samples)


def test_own_times_and_what_lies_between_are_the_pass(mobilenet: Profile) -> None:
    for index, taken in enumerate(mobilenet.instrumented):
        own = sum(layer.samples[index] for layer in mobilenet.layers)
        assert 0 < own < taken.time
        assert sum(taken.phases) == taken.time <= taken.wall


def test_rows_add_up_to_all_layers_pass_by_pass(mobilenet: Profile) -> None:
    whole = add_up_times(mobilenet).layers
    for view in ({}, {"by": "kind"}, {"by": "block"}, {"top": 3, "sort": "time"}, {"every": True}):
        rows = make_timed_rows(mobilenet, **view)
        timed = [row.samples for row in rows if row.samples]
        added = [sum(samples) for samples in zip(*timed, strict=True)]
        assert sorted(added)[len(added) // 2 - 1] <= whole.value <= sorted(added)[len(added) // 2]


def test_a_frame_has_a_row_a_timed_layer_and_columns_that_add_up(mobilenet: Profile) -> None:
    frame = mobilenet.frame()
    assert len(frame) == len(mobilenet.layers)
    assert int(frame["macs"].sum()) == mobilenet.trace.total.macs
    assert float(frame["time_share"].sum()) == pytest.approx(1)
    assert (frame["low_ns"] <= frame["time_ns"]).all()


def test_the_work_of_a_layer_is_that_of_its_operations(mobilenet: Profile) -> None:
    work = mobilenet.work["Conv2d_1.pointwise.conv"]
    inside, outside, kernel = 32 * 32 * 8, 32 * 32 * 16, 8 * 16
    assert work.macs == 32 * 32 * 8 * 16
    assert work.bytes_moved == 4 * (inside + outside + kernel)
    assert (work.operations, work.counted) == (1, 1)


def test_the_timeline_lies_within_its_pass(mobilenet: Profile) -> None:
    (whole,) = (span for span in mobilenet.timeline if span.depth == 0)
    assert (whole.path, whole.phase, whole.start) == ("", "forward", 0)
    inner = [span for span in mobilenet.timeline if span.depth]
    assert len(inner) == sum(layer.calls for layer in mobilenet.layers)
    assert all(span.start + span.duration <= whole.duration for span in inner)


def test_setup_and_stop_say_how_it_ran(mobilenet: Profile) -> None:
    setup = mobilenet.setup
    assert (setup.device, setup.dtype, setup.batch) == ("cpu", "float32", 1)
    assert setup.threads == torch.get_num_threads()
    assert setup.stop == "12 iterations"


def test_bytes_are_those_of_the_dtype() -> None:
    half = mp.profile("mobilenet_v1", alpha=0.25, resolution=32, dtype="bfloat16", iterations=2)
    whole = mp.profile("mobilenet_v1", alpha=0.25, resolution=32, iterations=2)
    assert half.setup.dtype == "bfloat16"
    for path, work in whole.work.items():
        assert work.bytes_moved == 2 * half.work[path].bytes_moved
        assert work.macs == half.work[path].macs


def test_several_batches_are_profiles_of_one_network() -> None:
    specs = [mp.make_spec("mobilenet_v1", alpha=0.25, resolution=32, batch=n) for n in (1, 3)]
    one, three = profile_specs(specs, iterations=4)
    assert [one.setup.batch, three.setup.batch] == [1, 3]
    assert three.trace.total.macs == 3 * one.trace.total.macs
    assert three.trace.total.params == one.trace.total.params


class Counts(nn.Module):
    """Changes what it holds whenever it runs."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.drop = nn.Linear(4, 4), nn.Dropout(0.5)
        self.register_buffer("seen", torch.zeros(1))
        self.calls, self.log = 0, list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.log.append(self.calls)
        self.seen += 1
        y: Tensor = self.drop(self.linear(x))
        return y


def test_a_module_is_given_back_as_it_was() -> None:
    model = Counts().train()
    hook = model.linear.register_forward_hook(lambda *given: None)
    state = copy.deepcopy(model.state_dict())
    attributes = {path: dict(module.__dict__) for path, module in model.named_modules()}
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    made = mp.profile(model, (2, 4), iterations=4, threads=1)
    assert made.setup.threads == 1
    assert model.training
    assert model.drop.training
    assert (model.calls, model.log) == (0, [])
    assert all(torch.equal(model.state_dict()[key], value) for key, value in state.items())
    for path, module in model.named_modules():
        assert module.__dict__ == attributes[path]
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == threads
    hook.remove()


def test_a_module_that_is_converted_is_a_copy() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    weight = model[0].weight
    made = mp.profile(model, (1, 3, 8, 8), dtype="bfloat16", channels_last=True, iterations=2)
    assert (made.setup.dtype, made.setup.channels_last) == ("bfloat16", True)
    assert model[0].weight is weight
    assert weight.dtype is torch.float32
    assert weight.is_contiguous()


class Fails(nn.Module):
    """Runs on shapes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        if not y.is_meta:
            raise RuntimeError("no values,\nplease")
        return y


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 4)

    def forward(self, x: Tensor, *, twice: bool = False) -> Tensor:
        y: Tensor = self.body(x)
        return x + (self.body(y) if twice else y)


def test_a_network_that_does_not_run_is_one_line_and_given_back() -> None:
    model = Fails()
    with pytest.raises(UsageError) as caught:
        mp.profile(model, (1, 4), iterations=2)
    assert str(caught.value).startswith("Fails input=1x4 does not run on input 1x4")
    assert "RuntimeError: no values, please" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "_compiled_call_impl" not in model.linear.__dict__


def test_keywords_and_work_between_calls_are_timed() -> None:
    made = mp.profile(Residual(), (2, 4), keywords={"twice": True}, iterations=2)
    by_path = {layer.path: layer for layer in made.layers}
    assert (by_path["body"].calls, by_path[""].calls, by_path[""].inner) == (2, 1, 2)


def test_layers_that_no_call_reaches_have_no_time_of_their_own() -> None:
    made = mp.profile(nn.MultiheadAttention(8, 2, batch_first=True), ((2, 5, 8),) * 3, iterations=2)
    rows = {row.row.name: row for row in make_timed_rows(made)}
    assert rows["out_proj"].time is None
    assert made.layers[0].path == ""


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    "lstm": (lambda: nn.LSTM(4, 8, batch_first=True), (2, 5, 4)),
    "embedding": (lambda: nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2)), "2x7:int64"),
    "double": (lambda: nn.Linear(4, 4).double(), (1, 4)),
    "nothing": (lambda: nn.Identity(), (1, 4)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_every_kind_run(name: str) -> None:
    make, inputs = NETWORKS[name]
    made = mp.profile(make(), inputs, iterations=2)
    assert made.latency.value > 0
    assert add_up_times(made).layers.value >= 0


def test_a_module_without_values_is_refused() -> None:
    with torch.device("meta"):
        model = nn.Linear(4, 4)
    with pytest.raises(UsageError, match="Linear is on the meta device and has no values"):
        mp.profile(model, (1, 4), iterations=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "float17"}, "unknown dtype 'float17'.*did you mean 'float16'"),
        ({"mode": "training"}, "unknown mode 'training'.*'train'"),
        ({"optimizer": "adam", "mode": "train"}, "unknown optimizer 'adam'.*'adamw'"),
        ({"threads": 0}, "threads must be a whole number of at least 1, given 0"),
        ({"threads": 10**9}, r"threads must be a whole number from 1 to \d+, given 1000000000"),
        ({"precision": 2}, "precision must be a number above 0 and below 1, given 2"),
        ({"compile": 3}, "compile must be True or False, given 3"),
        ({"warmup": True}, "warmup must be a whole number"),
        ({"iterations": 2, "precision": 0.1}, "one of iterations"),
        ({"iterations": "3"}, "iterations must be a whole number of at least 1, given '3'"),
        ({"iterations": 2.5}, "iterations must be a whole number of at least 1, given 2.5"),
        ({"iterations": True}, "iterations must be a whole number of at least 1, given True"),
        ({"precision": "2%"}, "precision must be a number above 0 and below 1, given '2%'"),
        ({"device": "gpu"}, "unknown device 'gpu'.*did you mean 'cuda'"),
        ({"device": "meta"}, "unknown device 'meta'"),
        ({"device": 5}, "device must be a text such as 'cuda:0', given 5"),
        ({"seed": None}, "seed must be a whole number of at least 0, given None"),
        ({"seed": 2**70}, "seed must be a whole number from 0 to"),
        ({"alpha": "wide"}, "alpha"),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mp.profile("mobilenet_v1", **given)


def test_profiles_of_no_specs_are_refused() -> None:
    with pytest.raises(UsageError, match="give at least one spec to profile, given none"):
        profile_specs([], iterations=2)


class Tiny(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 1e-39


def test_denormal_numbers_are_noticed() -> None:
    made = mp.profile(nn.Sequential(Tiny()), (4, 4), iterations=2)
    assert "denormal numbers" in made.notes[0]
    assert not mp.profile(nn.Sequential(nn.ReLU()), (4, 4), iterations=2).notes


class Doubles(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + x


def test_clean_passes_run_compiled_and_layers_beside_eager_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, calls = nn.Sequential(Doubles()), list[int]()

    def compile_module(module: nn.Module) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            calls.append(1)
            y: Tensor = module(x)
            return y

        return run

    monkeypatch.setattr(torch, "compile", compile_module)
    made = mp.profile(model, (4, 4), iterations=9, warmup=0, compile=True)
    assert made.setup.compiled
    assert len(made.clean) == len(made.eager) == len(made.instrumented) == len(calls) == 3


class Greedy(nn.Module):
    """Has no memory for more than three rows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if not x.is_meta and len(x) > 3:
            raise torch.OutOfMemoryError("no more")
        y: Tensor = self.linear(x) * mask
        return y


@pytest.mark.parametrize("mode", ["inference", "train"])
def test_a_batch_that_does_not_fit_is_halved_and_said(mode: str) -> None:
    made = mp.profile(Greedy(), ((20, 4), (20, 1)), mode=mode, iterations=2)
    assert made.setup.batch == 2
    assert made.trace.total.macs == 2 * 16
    assert "out of memory at batch 20, 10 and 5: measured at 2" in made.notes
    assert "20" not in made.trace.label


def test_a_network_that_never_fits_is_refused() -> None:
    class Full(Greedy):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            if not x.is_meta:
                raise torch.OutOfMemoryError("no more")
            return x

    with pytest.raises(UsageError, match="out of memory at batch 2 and 1: give smaller inputs"):
        mp.profile(Full(), ((2, 4), (2, 1)), iterations=2)


def test_devices_and_dtypes_of_torch_are_taken_too() -> None:
    made = mp.profile(
        nn.Linear(4, 4), (1, 4), device=torch.device("cpu"), dtype=torch.bfloat16, iterations=2
    )
    assert (made.setup.device, made.setup.dtype) == ("cpu", "bfloat16")


def test_a_profile_is_checked_without_another_trace() -> None:
    made = mp.profile(nn.Linear(4, 4), (1, 4), iterations=20)
    assert mp.check(profile=made, max_latency="10s").within
