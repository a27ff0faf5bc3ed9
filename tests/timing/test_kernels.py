"""Each kernel is charged to the innermost layer around its launch; no time is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from mobilenet_profiler.measured.kernels import KernelTimes
from mobilenet_profiler.timing.kernels import (
    LAYER,
    PASS,
    KernelInstruments,
    attribute_kernels,
    charge_kernels,
    measure_kernels,
    record_passes,
)
from mobilenet_profiler.trace.modules import Structure


@dataclass
class Range:
    start: float
    end: float


@dataclass
class Fake:
    """A record as the profiler would make it."""

    name: str
    activity_type: str
    time_range: Range
    id: int = 0
    thread: int = 1
    cpu_parent: Any = None
    linked_correlation_id: int = 0
    sequence_nr: int = -1
    fwd_thread: int = 0


@dataclass
class Story:
    """Records in the order in which they are told; parents are named."""

    records: list[Any] = field(default_factory=list)
    kernels: int = 0

    def add(self, record: Fake) -> Fake:
        self.records.append(record)
        return record

    def begin_pass(self, number: int, start: float, end: float) -> Fake:
        return self.add(Fake(f"{PASS}{number}", "user_annotation", Range(start, end)))

    def layer(self, path: str, start: float, end: float, parent: Fake | None = None) -> Fake:
        name = LAYER + path
        return self.add(Fake(name, "user_annotation", Range(start, end), cpu_parent=parent))

    def operation(self, start: float, end: float, parent: Fake | None = None, **known: Any) -> Fake:
        number = 1 + sum(record.activity_type == "cpu_op" for record in self.records)
        place = Range(start, end)
        return self.add(Fake("op", "cpu_op", place, number, cpu_parent=parent, **known))

    def kernel(
        self,
        microseconds: float,
        operation: Fake | None = None,
        launched: float | None = None,
        kind: str = "kernel",
        at: float = 1_000.0,
    ) -> None:
        """A kernel that an operation launched, or nobody knows who at a time, or nobody."""
        self.kernels += 1
        link = operation.id if operation else 0
        launch = operation.time_range.start if operation else launched
        if launch is not None:
            place = Range(launch, launch)
            self.add(
                Fake("cudaLaunchKernel", "cuda_runtime", place, self.kernels, 1, operation, link)
            )
        place = Range(at, at + microseconds)
        self.add(Fake("sgemm", kind, place, self.kernels, 7, None, link))


def find_layers(story: Story) -> dict[tuple[str, str], int]:
    found = attribute_kernels(story.records)
    return {key: sum(times) for key, times in found.layers.items()}


def test_a_kernel_belongs_to_the_innermost_layer_around_its_launch() -> None:
    story = Story()
    outer = story.layer("block", 0, 100)
    inner = story.layer("block.conv", 10, 50, outer)
    story.kernel(3, story.operation(20, 40, inner))
    story.kernel(5, story.operation(60, 70, outer))
    assert find_layers(story) == {
        ("block.conv", "forward"): 3_000,
        ("block", "forward"): 5_000,
    }


def test_an_operation_inside_an_operation_has_the_layer_of_both() -> None:
    story = Story()
    layer = story.layer("conv", 0, 100)
    outside = story.operation(10, 90, layer)
    story.kernel(2.5, story.operation(20, 80, outside))
    assert find_layers(story) == {("conv", "forward"): 2_500}


def test_copies_and_fills_are_work_and_a_range_shown_on_the_device_is_none() -> None:
    story = Story()
    layer = story.layer("conv", 0, 100)
    for kind in ("gpu_memcpy", "gpu_memset", "gpu_user_annotation"):
        story.kernel(4, story.operation(20, 40, layer), kind=kind)
    assert find_layers(story) == {("conv", "forward"): 8_000}


def test_a_backward_kernel_belongs_to_the_layer_whose_operation_made_its_node() -> None:
    story = Story()
    conv = story.layer("conv", 0, 100)
    story.operation(10, 90, conv, sequence_nr=7)
    relu = story.layer("relu", 100, 200)
    story.operation(110, 190, relu, sequence_nr=8)
    node = story.operation(300, 400, thread=2, sequence_nr=7, fwd_thread=1)
    story.kernel(6, story.operation(310, 390, node, thread=2))
    assert find_layers(story) == {("conv", "backward"): 6_000}


def test_of_operations_that_saw_one_number_the_last_made_the_node() -> None:
    # What runs inside the convolution sees the number of the next node already.
    story = Story()
    conv = story.layer("conv", 0, 100)
    convolution = story.operation(10, 90, conv, sequence_nr=7)
    story.operation(20, 80, convolution, sequence_nr=8)
    relu = story.layer("relu", 100, 200)
    story.operation(110, 190, relu, sequence_nr=8)
    node = story.operation(300, 400, sequence_nr=8, fwd_thread=1)
    story.kernel(6, node)
    assert find_layers(story) == {("relu", "backward"): 6_000}


def test_numbers_count_within_their_thread() -> None:
    story = Story()
    conv = story.layer("conv", 0, 100)
    story.operation(10, 20, conv, sequence_nr=7)
    story.operation(30, 40, None, sequence_nr=7, thread=3)
    story.kernel(6, story.operation(300, 400, thread=2, sequence_nr=7, fwd_thread=1))
    assert find_layers(story) == {("conv", "backward"): 6_000}


def test_a_layer_that_runs_again_in_the_backward_pass_is_its_own() -> None:
    # Checkpointed activations: the forward operations of a layer run inside a node.
    story = Story()
    node = story.operation(300, 400, sequence_nr=7, fwd_thread=1)
    again = story.layer("conv", 310, 390, node)
    story.kernel(6, story.operation(320, 330, again))
    assert find_layers(story) == {("conv", "forward"): 6_000}


def test_what_no_layer_launched_is_an_entry_of_its_own() -> None:
    story = Story()
    whole = story.begin_pass(0, 0, 500)
    story.kernel(1, story.operation(10, 20, whole))  # between layers
    story.kernel(2, story.operation(300, 310, whole, sequence_nr=9, fwd_thread=1))  # no maker
    story.kernel(4)  # its launch is not known
    found = attribute_kernels(story.records)
    assert found == KernelTimes({}, (7_000,))
    assert found.total == (7_000,)


def test_a_launch_without_an_operation_belongs_to_the_layer_that_ran_then() -> None:
    story = Story()
    outer = story.layer("block", 0, 100)
    story.layer("block.first", 10, 40, outer)
    story.layer("block.second", 50, 90, outer)
    story.kernel(3, launched=60)
    story.kernel(5, launched=45)
    story.kernel(7, launched=200)
    found = attribute_kernels(story.records)
    assert found.layers == {
        ("block.second", "forward"): (3_000,),
        ("block", "forward"): (5_000,),
    }
    assert found.unattributed == (7_000,)


def test_an_operation_that_the_profiler_joined_with_another_is_found_by_its_launch() -> None:
    story = Story()
    layer = story.layer("conv", 0, 100)
    joined = story.operation(10, 90, layer)
    story.kernel(3, joined)
    for record in story.records:
        if record.activity_type in ("cuda_runtime", "kernel"):
            record.linked_correlation_id = 4_711  # of the operation that is gone
    assert find_layers(story) == {("conv", "forward"): 3_000}


def test_a_kernel_without_a_record_of_its_launch_is_found_by_its_operation() -> None:
    story = Story()
    story.kernel(3, story.operation(10, 90, story.layer("conv", 0, 100)))
    story.records = [record for record in story.records if record.activity_type != "cuda_runtime"]
    assert find_layers(story) == {("conv", "forward"): 3_000}


def test_each_pass_has_a_sample() -> None:
    story = Story()
    for number, microseconds in enumerate((3, 5)):
        start = 1_000.0 * number
        whole = story.begin_pass(number, start, start + 900)
        layer = story.layer("conv", start + 10, start + 100, whole)
        story.kernel(microseconds, story.operation(start + 20, start + 30, layer))
    second = story.records[-1]
    story.kernel(1, story.operation(1_500, 1_510, story.layer("only second", 1_490, 1_600)))
    found = attribute_kernels(story.records)
    assert second.time_range.start == 1_000.0
    assert found.layers == {
        ("conv", "forward"): (3_000, 5_000),
        ("only second", "forward"): (0, 1_000),
    }
    assert found.unattributed == (0, 0)
    assert found.total == (3_000, 6_000)


def test_without_records_of_a_device_the_reason_is_told() -> None:
    story = Story()
    story.operation(10, 20, story.layer("conv", 0, 100))
    assert "no records of a GPU" in attribute_kernels(story.records).reason
    assert attribute_kernels([]).total == ()


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Layers and operations nested at random, with kernels of all sorts."""
    story = Story()
    parents: list[Fake | None] = [None]
    for number in range(draw(st.integers(0, 2))):
        parents.append(story.begin_pass(number, 500.0 * number, 500.0 * number + 400))
    for index in range(draw(st.integers(1, 20))):
        start = float(draw(st.integers(0, 1_000)))
        parent = draw(st.sampled_from(parents))
        match draw(st.sampled_from(["layer", "operation", "kernel"])):
            case "layer":
                parents.append(story.layer(f"layer{index % 4}", start, start + 50, parent))
            case "operation":
                sequence, forward = draw(st.integers(-1, 3)), draw(st.integers(0, 1))
                made = story.operation(
                    start, start + 20, parent, sequence_nr=sequence, fwd_thread=forward
                )
                parents.append(made)
            case _:
                operations = [None, *(r for r in story.records if r.activity_type == "cpu_op")]
                story.kernel(
                    draw(st.integers(1, 10**6)) / 1000,
                    draw(st.sampled_from(operations)),
                    draw(st.none() | st.floats(0, 1_000)),
                    draw(st.sampled_from(["kernel", "gpu_memcpy", "gpu_memset"])),
                )
    return story


@given(stories())
def test_no_kernels_time_is_lost_or_counted_twice(story: Story) -> None:
    found = attribute_kernels(story.records)
    kinds = ("kernel", "gpu_memcpy", "gpu_memset")
    whole = sum(
        round(1000 * (record.time_range.end - record.time_range.start))
        for record in story.records
        if record.activity_type in kinds
    )
    assert sum(found.total) == whole
    assert sum(charge.time for charge in charge_kernels(story.records)) == whole


class Block(nn.Module):
    """A layer with an addition of its own around two others."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.conv(x))
        return normed + x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block, self.relu = Block(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.relu(self.block(x))
        return output


PATHS = ["block", "block.conv", "block.norm", "relu"]


def add_kernels(records: Sequence[Any], times: Mapping[str, float]) -> list[Any]:
    """A kernel of so many microseconds for each operation of these names, as linked by CUPTI."""
    made: list[Any] = []
    for number, record in enumerate(records):
        if record.activity_type == "cpu_op" and record.name in times:
            start = record.time_range.start
            launch = Fake("cudaLaunchKernel", "cuda_runtime", Range(start, start), number, 1)
            launch.cpu_parent, launch.linked_correlation_id = record, record.id
            end = start + 50 + times[record.name]
            kernel = Fake("sgemm", "kernel", Range(start + 50, end), number, 7)
            kernel.linked_correlation_id = record.id
            made += [launch, kernel]
    return [*records, *made]


def test_real_ranges_of_a_forward_pass_hold_its_operations() -> None:
    net, image = Net().eval(), torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        records = record_passes(lambda: net(image), Structure(net), PATHS, "cpu", 3)
    names = {"aten::convolution": 8, "aten::batch_norm": 4, "aten::add": 2, "aten::relu": 1}
    found = attribute_kernels(add_kernels(records, names))
    assert found.layers == {
        ("block.conv", "forward"): (8_000,) * 3,
        ("block.norm", "forward"): (4_000,) * 3,
        ("block", "forward"): (2_000,) * 3,
        ("relu", "forward"): (1_000,) * 3,
    }
    assert found.unattributed == (0, 0, 0)


def test_real_nodes_of_a_backward_pass_lead_to_their_layers() -> None:
    net, image = Net(), torch.rand(2, 3, 8, 8)

    def step() -> None:
        net(image).sum().backward()

    records = record_passes(step, Structure(net), PATHS, "cpu", 2)
    names = {
        "aten::convolution": 8,
        "aten::threshold_backward": 16,
        "aten::native_batch_norm_backward": 32,
        "aten::convolution_backward": 64,
        "aten::sum": 128,
    }
    found = attribute_kernels(add_kernels(records, names))
    assert found.layers == {
        ("block.conv", "forward"): (8_000,) * 2,
        ("relu", "backward"): (16_000,) * 2,
        ("block.norm", "backward"): (32_000,) * 2,
        ("block.conv", "backward"): (64_000,) * 2,
    }
    assert found.unattributed == (128_000,) * 2


def test_a_shared_layer_has_the_path_under_which_it_was_called() -> None:
    shared = nn.ReLU()
    net = nn.Sequential(nn.Sequential(shared), nn.Sequential(shared, shared))
    structure = Structure(net)
    records = record_passes(lambda: net(torch.rand(3)), structure, ["0.0", "0"], "cpu", 2)
    names = Counter(r.name.removeprefix(LAYER) for r in records if r.name.startswith(LAYER))
    assert names["0.0"] == 2


def count_own_calls(net: nn.Module) -> int:
    return sum("_compiled_call_impl" in module.__dict__ for module in net.modules())


def test_calls_are_put_back_when_the_network_fails() -> None:
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("no such shape")

    net = nn.Sequential(nn.ReLU(), Fails())
    with pytest.raises(ValueError, match="no such shape"):
        record_passes(lambda: net(torch.rand(3)), Structure(net), ["0", "1"], "cpu")
    assert count_own_calls(net) == 0
    instruments = KernelInstruments(Structure(net), ["0"])
    with instruments.attach():
        assert count_own_calls(net) == 1
    assert instruments.stack == []


def test_on_a_cpu_there_is_a_reason_and_no_time() -> None:
    net = nn.ReLU()
    found = measure_kernels(lambda: net(torch.rand(3)), Structure(net), [""], "cpu")
    assert found.layers == {}
    assert found.reason == "no kernel times: the profiler has no records of a GPU (CUPTI)"


def test_another_profiler_is_left_alone() -> None:
    net = nn.ReLU()
    with profile(activities=[ProfilerActivity.CPU]):
        found = measure_kernels(lambda: net(torch.rand(3)), Structure(net), [""], "cpu")
    assert found.reason == "no kernel times: another profiler is at work"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_kernels_of_a_real_gpu_are_found_in_their_layers() -> None:
    net, image = Net().cuda().eval(), torch.rand(8, 3, 64, 64, device="cuda")
    with torch.inference_mode():
        net(image)
        found = measure_kernels(lambda: net(image), Structure(net), PATHS, "cuda:0", 3)
    assert found.reason == ""
    assert {path for path, _ in found.layers} == set(PATHS)
    assert all(min(times) > 0 for times in found.layers.values())
    assert found.unattributed == (0, 0, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_backward_kernels_of_a_real_gpu_are_found_in_their_layers() -> None:
    net, image = Net().cuda(), torch.rand(8, 3, 64, 64, device="cuda")

    def step() -> None:
        net(image).sum().backward()

    step()
    found = measure_kernels(step, Structure(net), PATHS, "cuda:0", 3)
    assert {("block.conv", "backward"), ("block.norm", "backward")} <= set(found.layers)
    assert sum(found.unattributed) > 0  # the sum and its gradient
