"""Steps of training: what is minimised, what is trained, and what a profile of them holds."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import TRAINING, Profile
from mobilenet_profiler.measured.rows import add_up_times, list_rest, make_timed_rows
from mobilenet_profiler.measured.training import LEARNING_RATE, OPTIMIZERS, SETTINGS
from mobilenet_profiler.timing.clocks import make_clock
from mobilenet_profiler.timing.instruments import Watch
from mobilenet_profiler.timing.measuring import (
    CLEAN,
    EAGER,
    INSTRUMENTED,
    StopRule,
    measure,
    take_row,
)
from mobilenet_profiler.timing.training import TrainingStep
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.losses import Loss
from mobilenet_profiler.trace.optimizers import group_parameters, make_optimizer
from mobilenet_profiler.zoo.auxiliary import AuxiliaryHead, AuxiliaryNetwork
from mobilenet_profiler.zoo.mobilenet_v1 import group_weight_decay, mobilenet_v1
from tests.timing.fakes import FakeCpuClock
from tests.timing.test_backward import Works


def make_step(
    network: nn.Module, *x: Tensor, timed: tuple[str, ...] = (), **how: Any
) -> TrainingStep:
    return TrainingStep("net", network, Inputs(x), timed, **how)


def run(subject: TrainingStep, kind: str = CLEAN) -> Watch:
    watch = Watch(FakeCpuClock())
    watch.start()
    subject.run(kind, watch)
    return watch


def give(*shape: int) -> Tensor:
    return torch.rand(shape, requires_grad=True)


# What is minimised


def find_labels(seed: int, classes: int, images: int) -> Tensor:
    return torch.randint(classes, (images,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(4, 7), (4, 7, 1, 1)])
def test_logits_have_the_cross_entropy_of_seeded_labels(shape: tuple[int, ...]) -> None:
    logits, loss = give(*shape), Loss(seed=3)
    wanted = functional.cross_entropy(logits.reshape(4, 7), find_labels(3, 7, 4))
    assert torch.equal(loss(logits), wanted)
    assert torch.equal(loss(logits), wanted)  # the labels stay
    assert not torch.equal(Loss(seed=4)(logits), wanted)
    assert loss.description == "the loss is the cross entropy with random labels"


class Outputs(NamedTuple):
    logits: Tensor
    auxiliary: tuple[Tensor, ...]


@dataclass
class Answer:
    logits: Tensor
    hidden: Tensor


def test_the_losses_of_auxiliary_heads_are_added() -> None:
    first, second, third = give(4, 7), give(4, 7), give(4, 5)
    loss = Loss()
    wanted = Loss()(first) + Loss()(second)
    assert torch.allclose(loss(Outputs(first, (second,))), wanted)
    assert loss.description.endswith("random labels, the sum over 2 outputs")
    assert bool(Loss()([first, {"a": third}]) > Loss()(first))


def test_an_output_twice_counts_once() -> None:
    logits = give(4, 7)
    assert torch.equal(Loss()({"logits": logits, "last": logits}), Loss()(logits))


def test_features_beside_logits_have_no_part_in_the_loss() -> None:
    logits, loss = give(4, 7), Loss()
    assert torch.equal(loss(Answer(logits, give(4, 9, 3, 3))), Loss()(logits))
    assert loss.description.endswith("; outputs without a part in it: 1")


def test_without_logits_it_is_the_mean_of_all_outputs() -> None:
    first, second, loss = give(2, 3, 4, 4), give(5), Loss()
    masks = torch.zeros(2, 3)
    assert torch.allclose(loss((first, masks, second)), first.mean() + second.mean())
    assert "the mean of the output, which has no shape (N, C), the sum over 2" in loss.description


@pytest.mark.parametrize("shape", [(4, 1), (4, 7, 2, 1), (4,)])
def test_one_number_an_image_and_maps_are_no_logits(shape: tuple[int, ...]) -> None:
    output = give(*shape)
    assert torch.equal(Loss()(output), output.mean())


def test_a_network_with_losses_of_its_own_keeps_them() -> None:
    boxes, classes = give(), give()
    loss = Loss()
    assert torch.equal(
        loss({"boxes": boxes, "classes": classes, "logits": give(2, 3)}), boxes + classes
    )
    assert loss.description.startswith("the loss is that which the network returns, the sum over 2")


@pytest.mark.parametrize("output", [torch.zeros(2, 3), None, torch.zeros(2, dtype=torch.long)])
def test_an_output_without_a_gradient_has_no_loss(output: Any) -> None:
    with pytest.raises(UsageError, match="nothing that the network returns has a gradient"):
        Loss()(output)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_precision_is_added_up_in_float32(dtype: torch.dtype) -> None:
    logits = give(4, 7).detach().to(dtype).requires_grad_()
    loss = Loss()(logits)
    assert loss.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.dtype is dtype


# What is trained


def test_mobilenet_is_decayed_as_the_reference_decays_it() -> None:
    network = mobilenet_v1(alpha=0.25)
    own, reference = group_parameters(network), group_weight_decay(network)
    assert [group["weight_decay"] for group in own] == [4e-5, 0.0]
    for ours, theirs in zip(own, reference, strict=True):
        assert set(map(id, ours["params"])) == set(map(id, theirs["params"]))


def test_kernels_and_matrices_decay_and_depthwise_norms_and_biases_do_not() -> None:
    network = nn.ModuleDict(
        {
            "linear": nn.Linear(4, 4),
            "grouped": nn.Conv2d(4, 8, 3, groups=2, bias=False),
            "depthwise": nn.Conv2d(4, 8, 3, groups=4, bias=False),
            "norm": nn.LayerNorm((4, 4)),
            "frozen": nn.Linear(4, 4).requires_grad_(False),
        }
    )
    network["tied"] = nn.Linear(4, 4, bias=False)
    network["tied"].weight = network["linear"].weight
    decayed, rest = (group["params"] for group in group_parameters(network))
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert [names[id(p)] for p in decayed] == ["linear.weight", "grouped.weight"]
    assert [names[id(p)] for p in rest] == [
        "linear.bias",
        "depthwise.weight",
        "norm.weight",
        "norm.bias",
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_have_the_settings_that_are_written_down(name: str) -> None:
    made = make_optimizer(name, nn.Linear(2, 2))
    assert type(made).__name__.lower() == name
    for group in made.param_groups:
        assert group["lr"] == LEARNING_RATE
        assert {key: group[key] for key in SETTINGS[name]} == SETTINGS[name]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_many_steps_work_on_the_same_weights_and_stay_finite(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(5))
    images = torch.rand(2, 3, 6, 6)
    network(images)
    subject = make_step(network.train(), images, optimizer=name)
    before = {key: value.clone() for key, value in network.named_parameters()}
    for _ in range(200):
        run(subject)
    assert all(torch.equal(before[key], value) for key, value in network.named_parameters())
    assert all(
        bool(torch.isfinite(value).all())
        for state in subject.optimizer.state.values()
        for value in state.values()
    )
    assert len(subject.list_notes()) == 2  # the loss and the optimizer: nothing left its range


def test_a_step_updates_what_has_a_gradient_and_clears_it() -> None:
    network = nn.Linear(3, 4)
    x = torch.rand(2, 3, requires_grad=True)
    subject = make_step(network, x)
    run(subject)
    assert len(subject.optimizer.state) == 2
    assert x.grad is None
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_step_that_nothing_watches_is_a_whole_and_eager_one() -> None:
    def compiled(x: Tensor) -> Tensor:
        raise AssertionError

    subject = make_step(nn.Linear(3, 4), torch.rand(2, 3), compiled=compiled)
    subject.run_once()
    assert [int(state["step"]) for state in subject.optimizer.state.values()] == [1, 1]


def test_a_step_has_four_phases_and_what_attaches_marks_is_in_none() -> None:
    watch = run(make_step(nn.Linear(3, 4), torch.rand(2, 3)))
    assert watch.ends == ["forward", "loss", "", "backward", "optimizer"]


def test_layers_of_a_step_are_exact_and_the_parts_close(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeCpuClock(before=20, after=25)
    network = nn.Sequential(nn.Linear(2, 3), Works(clock, 1_000, 2_500), Works(clock, 70, 90))
    subject = make_step(network, torch.rand(2, 2), timed=("0", "1", "2"))
    update = subject.optimizer.step

    def step() -> None:
        clock.run(400)
        update()

    monkeypatch.setattr(subject.optimizer, "step", step)
    (recording,) = measure([subject], clock, StopRule(iterations=8), warmup=0)
    assert {p.phases for p in recording.passes[CLEAN]} == {(1_070 + 45, 45, 2_590 + 45, 400 + 45)}
    costs = recording.empty
    assert {*costs.inside, *costs.outside, *costs.backward_inside, *costs.backward_outside} == {
        45.0
    }
    for decoded, taken in zip(recording.decoded, recording.passes[INSTRUMENTED], strict=True):
        own = {key: own.time - 45 * own.calls for key, own in decoded.layers.items()}
        assert (own["1", "forward"], own["1", "backward"]) == (1_000, 2_500)
        assert (own["2", "forward"], own["2", "backward"]) == (70, 90)
        assert own["0", "forward"] == own["0", "backward"] == 0
        nodes = sum(
            item.calls for (_, phase), item in decoded.layers.items() if phase == "backward"
        )
        assert nodes == 1 + 1 + 4  # two of its own, the weight's transpose, two gradients
        calls = 3 + nodes
        assert taken.time - calls * 90 == recording.passes[CLEAN][0].time


def test_clean_passes_are_compiled_and_layers_are_of_eager_ones() -> None:
    network, calls = nn.Linear(3, 4), list[int]()

    def compiled(x: Tensor) -> Tensor:
        calls.append(1)
        made: Tensor = network(x)
        return made

    subject = make_step(network, torch.rand(2, 3), compiled=compiled)
    assert subject.kinds == (CLEAN, EAGER, INSTRUMENTED)
    for kind in subject.kinds:
        run(subject, kind)
    assert len(calls) == 1


# What a profile holds


@pytest.fixture(scope="module")
def mobilenet() -> Profile:
    return mp.profile(
        "mobilenet_v1", mode="train", alpha=0.25, resolution=32, batch=2, iterations=6
    )


def test_a_profile_of_training_has_four_phases_that_are_the_pass(mobilenet: Profile) -> None:
    assert mobilenet.phases == TRAINING
    assert mobilenet.setup.optimizer == "rmsprop"
    for taken in (*mobilenet.clean, *mobilenet.instrumented):
        assert len(taken.phases) == 4
        assert sum(taken.phases) == taken.time <= taken.wall


def test_layers_with_macs_are_timed_in_both_phases(mobilenet: Profile) -> None:
    timed = {(layer.path, layer.phase) for layer in mobilenet.layers}
    for layer in mobilenet.trace.layers:
        assert not layer.macs or (layer.path, "forward") in timed
        assert not layer.backward_macs or (layer.path, "backward") in timed
    assert {phase for _, phase in timed} == {"forward", "backward"}


def test_layers_and_the_rest_are_the_instrumented_pass_less_its_instruments(
    mobilenet: Profile,
) -> None:
    rows = [*make_timed_rows(mobilenet, every=True), *list_rest(mobilenet)]
    parts = [row.samples for row in rows if row.samples]
    cost = add_up_times(mobilenet).instruments.value
    for index, taken in enumerate(mobilenet.instrumented):
        whole = sum(samples[index] for samples in parts)
        assert whole == pytest.approx(taken.time - cost, abs=1)


def test_the_reference_has_1001_classes_and_notes_say_how_it_is_trained(
    mobilenet: Profile,
) -> None:
    assert "num_classes=1001" in mobilenet.trace.label
    assert mobilenet.notes[-2:] == (
        "the loss is the cross entropy with random labels",
        "rmsprop has decay 0.9, momentum 0.9, epsilon 1, weight decay 4e-05 of kernels that are "
        "not depthwise; its learning rate is 0, so that every step works on the same weights",
    )


class Trained(nn.Module):
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(4, 5)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.seen += 1
        maps = self.norm(self.conv(x))
        return {"logits": self.head(self.drop(maps.mean((2, 3)))), "maps": maps.detach()}


def test_the_callers_module_is_never_trained() -> None:
    model = Trained().eval()
    model.head.bias.requires_grad_(False)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    made = mp.profile(model, (2, 3, 8, 8), mode="train", iterations=4)
    assert made.notes[-2] == "the loss is the cross entropy with random labels"
    assert not model.training
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert "_compiled_call_impl" not in model.conv.__dict__


def test_frozen_layers_cost_nothing_on_the_way_back() -> None:
    model = Trained()
    model.conv.requires_grad_(False)
    made = mp.profile(model, (2, 3, 8, 8), mode="train", iterations=2)
    backward = {layer.path for layer in made.layers if layer.phase == "backward"}
    assert backward >= {"norm", "drop", "head"}
    assert "conv" not in backward
    assert made.trace.total.backward_macs == 2 * (2 * 4 * 5)


def test_networks_with_auxiliary_heads_train_all_of_them() -> None:
    parts = {
        "stem": nn.Conv2d(3, 4, 3),
        "first": AuxiliaryHead(nn.Flatten(), nn.Linear(144, 5)),
        "body": nn.Conv2d(4, 4, 3),
        "second": AuxiliaryHead(nn.Flatten(), nn.Linear(64, 5)),
        "head": nn.Sequential(nn.Flatten(), nn.Linear(64, 5)),
    }
    made = mp.profile(
        AuxiliaryNetwork(OrderedDict(parts)), (2, 3, 8, 8), mode="train", iterations=2
    )
    assert made.notes[0] == (
        "the loss is the cross entropy with random labels, the sum over 3 outputs"
    )
    backward = {layer.path for layer in made.layers if layer.phase == "backward"}
    assert backward >= {"stem", "first.1", "body", "second.1", "head.1"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_trained_on_a_cpu(dtype: str) -> None:
    made = mp.profile(Trained(), (2, 3, 8, 8), mode="train", dtype=dtype, iterations=2)
    assert made.setup.dtype == dtype
    assert len(made.clean) == 1


class Far(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x) * 60_000 * 60_000
        return y


def test_a_loss_that_is_no_number_is_said() -> None:
    made = mp.profile(Far(), (2, 4), mode="train", dtype="float16", iterations=2)
    assert made.notes[-1].endswith("these weights leave the range of float16")


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        return y.argmax(1)


def freeze(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nn.ReLU, "no parameters of ReLU to train: it has none"),
        (lambda: freeze(nn.Linear(4, 4)), "no parameters of Linear to train: all 2 are frozen"),
        (Constant, "no output depends on a parameter that needs a gradient"),
        (
            lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)),
            "more than 1 value per channel",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    make: Callable[[], nn.Module], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        mp.profile(make(), (1, 4), mode="train", iterations=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad])
def test_steps_have_gradients_whatever_the_caller_forbids(context: Callable[[], Any]) -> None:
    with context():
        made = mp.profile(
            "mobilenet_v1", mode="train", alpha=0.25, resolution=32, batch=2, iterations=2
        )
    assert any(layer.phase == "backward" for layer in made.layers)


# On a GPU


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_steps_on_a_gpu_have_a_time_for_every_layer_in_both_phases(dtype: str) -> None:
    made = mp.profile(
        "mobilenet_v1", mode="train", device="cuda", batch=8, dtype=dtype, iterations=12
    )
    timed = {(layer.path, layer.phase) for layer in made.layers}
    for layer in made.trace.layers:
        assert not layer.backward_macs or (layer.path, "backward") in timed
    for index, taken in enumerate(made.instrumented):
        for place, phase in enumerate(made.phases):
            own = sum(layer.samples[index] for layer in made.layers if layer.phase == phase)
            assert 0 <= own <= taken.phases[place] + 1_000 * len(timed)  # events resolve 0.5 us
    assert made.empty.backward_inside


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_step_on_a_gpu_and_leave_the_weights(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).cuda()
    subject = make_step(network, torch.rand(2, 3, 8, 8, device="cuda"), optimizer=name)
    before = [parameter.clone() for parameter in network.parameters()]
    for _ in range(5):
        run(subject)
    pairs = zip(before, network.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in pairs)


@pytest.mark.gpu
@gpu
def test_marks_of_a_gpus_backward_pass_come_in_the_order_of_its_nodes() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 5)).cuda()
    clock = make_clock("cuda")
    subject = make_step(network, torch.rand(2, 4, device="cuda"), timed=("0", "1", "2"))
    ((_, decoded),) = take_row(subject, clock, INSTRUMENTED)
    backward = [span for span in decoded.spans if span.phase == "backward" and span.depth]
    starts = [span.start for span in backward]
    assert starts == sorted(starts)
    assert list(dict.fromkeys(span.path for span in backward)) == ["2", "1", "0"]
