"""When tensors are made and freed: closed forms by hand, and the laws that hold of all."""

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.memory import MemoryUse
from mobilenet_profiler.trace.optimizers import make_optimizer

FLOAT = 4


class Runs(nn.Module):
    """Runs a function of one tensor as its forward."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def predict(function: Callable[[Tensor], Any], *shape: int) -> MemoryUse:
    return mp.predict_memory(Runs(function), shape or (10,))


WIDTHS = st.lists(st.integers(1, 64), min_size=2, max_size=7)


@given(WIDTHS, st.integers(1, 4))
def test_a_row_of_convolutions_holds_the_input_and_output_of_one(
    widths: list[int], batch: int
) -> None:
    model = nn.Sequential(*(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths)))
    use = mp.predict_memory(model, (batch, widths[0], 8, 8))
    sizes = [batch * width * 64 * FLOAT for width in widths]
    assert use.inputs == sizes[0]
    # The input is the caller's: of the first convolution the output alone is new.
    assert use.activations == max([sizes[1], *map(sum, pairwise(sizes[1:]))])
    assert use.weights == sum(a * b * 9 + b for a, b in pairwise(widths)) * FLOAT
    assert use.peak == use.inputs + use.weights + use.activations


@given(WIDTHS, st.integers(2, 5))
def test_activations_grow_with_the_batch_and_weights_do_not(widths: list[int], times: int) -> None:
    layers = [nn.Sequential(nn.Linear(a, b), nn.GELU()) for a, b in pairwise(widths)]
    model = nn.Sequential(*layers)
    one = mp.predict_memory(model, (1, widths[0]))
    several = mp.predict_memory(model, (times, widths[0]))
    assert several.activations == times * one.activations
    assert several.weights == one.weights
    assert several.live == tuple(times * live for live in one.live)


@given(st.lists(st.sampled_from(["conv", "relu", "pool", "double"]), min_size=1, max_size=8))
def test_layers_and_tensors_agree_with_the_whole(kinds: list[str]) -> None:
    make: dict[str, Callable[[], nn.Module]] = {
        "conv": lambda: nn.Conv2d(4, 4, 3, padding=1),
        "relu": nn.ReLU,
        "pool": lambda: nn.MaxPool2d(3, 1, 1),
        "double": lambda: Runs(lambda x: x * 2 + x),
    }
    use = mp.predict_memory(nn.Sequential(*(make[kind]() for kind in kinds)), (2, 4, 6, 6))
    assert max(layer.peak for layer in use.layers.values()) == use.activations
    allocated = sum(layer.allocated for layer in use.layers.values())
    assert allocated == sum(tensor.bytes for tensor in use.tensors)
    assert all(0 <= t.made < t.freed <= len(use.steps) for t in use.tensors)
    assert all(t.bytes >= prod(t.shape) for t in use.tensors)


def test_a_residual_holds_its_input_until_the_sum() -> None:
    def forward(x: Tensor) -> Tensor:
        first = torch.relu(x)
        second = torch.sigmoid(first)
        third = torch.tanh(second)
        del second
        return first + third

    use = predict(forward, 100)
    assert [step.name for step in use.steps] == [
        *("aten::relu", "aten::sigmoid", "aten::tanh", "aten::add"),
    ]
    assert use.live == (400, 800, 1200, 1200)
    lives = [(tensor.made, tensor.freed) for tensor in use.tensors]
    assert lives == [(0, 4), (1, 3), (2, 4), (3, 4)]


def test_a_tensor_is_freed_where_the_last_name_of_it_goes() -> None:
    def kept(x: Tensor) -> Tensor:
        y = x + 1
        return torch.relu(y) * 2

    def let_go(x: Tensor) -> Tensor:
        x = x + 1
        x = torch.relu(x)
        return x * 2

    assert predict(kept).live == (40, 80, 120)
    assert predict(let_go).live == (40, 80, 80)


def test_names_that_the_forward_reads_itself_stay() -> None:
    def forward(x: Tensor) -> Tensor:
        names = locals()
        y = torch.relu(x + 1)
        total: Tensor = y + names["x"]
        return total

    assert [step.name for step in predict(forward).steps][-1] == "aten::add"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.view(5, 2),
        lambda x: x.reshape(2, 5).t()[1:],
        lambda x: x.contiguous(),
        lambda x: x.expand(7, 10),
        lambda x: x.detach().chunk(2)[1],
        lambda x: functional.dropout(x, 0.5, training=False),
        lambda x: x.to(torch.float32),
        lambda x: nn.Identity()(x),
    ],
    ids=["view", "reshape", "contiguous", "expand", "chunk", "dropout", "to", "identity"],
)
def test_what_gives_back_the_same_memory_allocates_none(
    function: Callable[[Tensor], Tensor],
) -> None:
    assert predict(function).tensors == ()


def test_work_in_place_allocates_nothing() -> None:
    use = predict(lambda x: torch.relu_(x + 1).mul_(2).add_(1))
    assert [(tensor.name, tensor.bytes) for tensor in use.tensors] == [("aten::add", 40)]


def test_a_view_keeps_the_memory_that_it_looks_at() -> None:
    use = predict(lambda x: (x + 1)[:1] * (x + 2))
    assert use.live[-1] == 120


def test_padding_and_copies_allocate_their_output() -> None:
    use = predict(lambda x: functional.pad(x, (1, 1)), 1, 3, 8)
    assert [tensor.bytes for tensor in use.tensors] == [3 * 10 * FLOAT]
    use = predict(lambda x: x.t().contiguous(), 4, 8)
    assert [tensor.bytes for tensor in use.tensors] == [32 * FLOAT]


def test_a_maximum_pool_allocates_indices_that_go_with_it() -> None:
    use = predict(lambda x: functional.max_pool2d(x, 2) + 1, 1, 1, 8, 8)
    # 16 floats and 16 indices of eight bytes; then 16 floats more, without the indices.
    assert use.live == (16 * 4 + 16 * 8, 16 * 4 + 16 * 4)


def test_statistics_of_a_batch_norm_are_small_tensors_of_their_own() -> None:
    use = mp.predict_memory(nn.BatchNorm2d(6).eval(), (2, 6, 5, 5))
    assert sorted(tensor.bytes for tensor in use.tensors) == [24, 24, 1200]


def test_a_dtype_has_its_own_size() -> None:
    double = mp.predict_memory(nn.Linear(8, 8).double(), (2, 8))
    half = mp.predict_memory(nn.Linear(8, 8).half(), (2, 8))
    assert (double.activations, half.activations) == (128, 32)
    assert (double.weights, half.weights) == (72 * 8, 72 * 2)
    assert (double.inputs, half.inputs) == (128, 32)


def test_a_parameter_that_is_shared_is_held_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.two.weight = self.one.weight

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.two(self.one(x))
            return y

    assert mp.predict_memory(Tied(), (1, 4)).weights == 16 * FLOAT


def test_attention_is_counted_as_one_kernel_without_its_scores() -> None:
    def attend(x: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(x, x, x)

    use = predict(attend, 2, 4, 128, 16)
    output, sums = 2 * 4 * 128 * 16 * FLOAT, 2 * 4 * 128 * FLOAT
    assert use.activations == output + sums
    # Three axes have no such kernel: the scores are a tensor.
    assert predict(attend, 8, 128, 16).activations > 8 * 128 * 128 * FLOAT
    multihead = nn.MultiheadAttention(64, 4, batch_first=True).eval()
    fused = mp.predict_memory(
        Owned(multihead, lambda m, x: m(x, x, x, need_weights=False)[0]), (2, 128, 64)
    )
    assert all(tensor.shape[-2:] != (128, 128) for tensor in fused.tensors)
    assert functional.scaled_dot_product_attention.__name__ == "scaled_dot_product_attention"


class Owned(nn.Module):
    """Calls a module in a way of its own."""

    def __init__(self, inner: nn.Module, function: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.function = inner, function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.inner, x)


def test_a_forward_that_looks_at_values_is_measured_on_copies_and_says_so() -> None:
    use = predict(lambda x: x[x > 2] + 1 if x.sum().item() < 100 else x + 1)
    assert use.notes[0].startswith("traced on real tensors, since the forward pass looks at values")
    assert use.steps[-1].name == "aten::add"


def test_a_forward_that_differentiates_itself_is_measured_with_gradients() -> None:
    def forward(x: Tensor) -> Tensor:
        weight = torch.ones(10, requires_grad=True)
        (gradient,) = torch.autograd.grad((x * weight).sum(), weight)
        return gradient

    assert "aten::mul" in [step.name for step in predict(forward).steps]


def test_the_model_comes_back_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    before = {name: (id(t), t.clone()) for name, t in model.state_dict(keep_vars=True).items()}
    mp.predict_memory(model, (2, 3, 8, 8))
    mp.predict_memory(model, (2, 3, 8, 8), training=True, optimizer="rmsprop")
    after = model.state_dict(keep_vars=True)
    assert all(id(after[name]) == key for name, (key, _) in before.items())
    assert all(torch.equal(after[name], value) for name, (_, value) in before.items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_two_predictions_are_equal() -> None:
    first, second = (mp.predict_memory("mobilenet_v2", resolution=64) for _ in "12")
    assert first == second


# A step of training.


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(20, 30), nn.Linear(30, 5)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.outer(torch.relu(self.inner(x)))
        return y


PARAMS = (20 * 30 + 30 + 30 * 5 + 5) * FLOAT


def test_every_trainable_parameter_has_a_gradient_of_its_own_size() -> None:
    use = mp.predict_memory(Net(), (8, 20), training=True)
    assert use.gradients == use.weights == PARAMS
    assert use.optimizer == 0
    model = Net()
    model.inner.requires_grad_(False)
    assert mp.predict_memory(model, (8, 20), training=True).gradients == 155 * FLOAT


def test_labels_are_an_input_of_logits_alone() -> None:
    use = mp.predict_memory(Net(), (8, 20), training=True)
    assert use.inputs == 8 * 20 * FLOAT + 8 * 8
    flat = mp.predict_memory(nn.Linear(20, 5), (2, 4, 20), training=True)
    assert flat.inputs == 2 * 4 * 20 * FLOAT
    assert "aten::mean" in [step.name for step in flat.steps if step.phase == "loss"]


def test_an_activation_that_the_backward_pass_needs_is_held_until_then() -> None:
    use = mp.predict_memory(Net(), (8, 20), training=True)
    relu = next(tensor for tensor in use.tensors if tensor.name == "aten::relu")
    backward = [i for i, step in enumerate(use.steps) if step.phase == "backward"]
    assert backward[0] < relu.freed < backward[-1]
    # The sum before it is not: relu's gradient asks for its result.
    inner = next(tensor for tensor in use.tensors if tensor.path == "inner")
    assert inner.freed < backward[0]


def test_the_phases_of_a_step_come_in_order() -> None:
    use = mp.predict_memory(Net(), (8, 20), training=True, optimizer="sgd")
    assert [*use.phases] == ["forward", "loss", "backward", "optimizer"]
    assert max(use.phases.values()) == use.peak


@pytest.mark.parametrize(
    ("name", "copies", "scalars"), [("sgd", 0, 0), ("rmsprop", 2, 4), ("adamw", 2, 4)]
)
def test_the_state_of_an_optimizer_is_there_from_the_start(
    name: str, copies: int, scalars: int
) -> None:
    use = mp.predict_memory(Net(), (8, 20), training=True, optimizer=name)
    # Plain SGD; squares and momentum; both moments. The last two count the steps of each.
    assert use.optimizer == copies * PARAMS + 4 * scalars
    assert not [t for t in use.tensors if t.phase == "optimizer" and t.freed == len(use.steps)][1:]


def test_an_optimizer_of_ones_own_has_the_state_that_it_keeps() -> None:
    def make(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    use = mp.predict_memory(Net(), (8, 20), training=True, optimizer=make)
    assert use.optimizer == PARAMS


def count_temporaries(use: MemoryUse) -> int:
    """The most that an optimizer step holds above gradients and what the loop holds."""
    index = next(i for i, step in enumerate(use.steps) if step.phase == "optimizer")
    held = sum(t.bytes for t in use.tensors if t.made < index < t.freed)
    return use.phases["optimizer"] - use.held_throughout - held


def test_on_a_cpu_an_optimizer_goes_from_parameter_to_parameter() -> None:
    use = mp.predict_memory(Net(), (8, 20), training=True, optimizer="rmsprop", device="cpu")
    inner, outer = 600 * FLOAT, 150 * FLOAT
    # The matrices come first, with weight decay: gradient with decay and root of the squares,
    # beside the root of the parameter before, whose name is still taken.
    assert count_temporaries(use) == max(2 * inner, 2 * outer + inner)


def test_on_a_gpu_an_optimizer_takes_all_parameters_of_a_group_at_once() -> None:
    use = mp.predict_memory(Net(), (8, 20), training=True, optimizer="rmsprop", device="cuda")

    def round_up(size: int) -> int:
        return -(-size // 512) * 512

    matrices = round_up(600 * FLOAT) + round_up(150 * FLOAT)
    assert count_temporaries(use) == 2 * matrices
    assert use.gradients == matrices + round_up(30 * FLOAT) + round_up(5 * FLOAT)
    assert use.optimizer == 2 * use.gradients


def test_weight_decay_leaves_out_vectors_and_depthwise_kernels() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)
    )
    decayed, plain = make_optimizer("rmsprop", model).param_groups
    assert decayed["weight_decay"] == 4e-5
    assert plain["weight_decay"] == 0
    assert [tuple(p.shape) for p in decayed["params"]] == [(8, 3, 3, 3), (4, 8, 1, 1)]
    assert decayed["momentum"] == 0.9


def test_gradients_of_a_tensor_used_twice_are_added_in_place() -> None:
    def forward(x: Tensor) -> Tensor:
        weight = torch.zeros(1000, requires_grad=True) + x
        return torch.sin(weight) + torch.cos(weight)

    use = mp.predict_memory(Runs(forward), (1000,), training=True, mode="eval")
    added = next(
        i for i, s in enumerate(use.steps) if s.phase == "backward" and s.name == "aten::add"
    )
    products = [t for t in use.tensors if t.phase == "backward" and t.name == "aten::mul"]
    # The first is the sum so far: it gives its memory to the new one. The second is added.
    assert [tensor.freed for tensor in products] == [added, added + 1]
    assert [tensor.bytes for tensor in use.tensors if tensor.made == added] == [4000]


def test_a_named_model_trains_in_train_mode_unless_told_otherwise() -> None:
    trained = mp.predict_memory("mobilenet_v1", training=True, alpha=0.25, resolution=64)
    frozen = mp.predict_memory(
        "mobilenet_v1", training=True, alpha=0.25, resolution=64, mode="eval"
    )
    assert any(step.name == "aten::bernoulli_" for step in trained.steps)
    assert not any(step.name == "aten::bernoulli_" for step in frozen.steps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "sgd"}, "an optimizer goes with training=True, given 'sgd' without"),
        (
            {"training": True, "optimizer": "adam"},
            "unknown optimizer 'adam' (did you mean 'adamw'?); allowed: rmsprop, sgd, adamw",
        ),
        ({"device": "gpu"}, "unknown device 'gpu' (did you mean 'cpu'?); allowed: cpu, cuda, mps"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        mp.predict_memory(Net(), (8, 20), **options)
    assert str(refused.value) == message


def test_nothing_to_differentiate_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing that the network returns has a gradient"):
        mp.predict_memory(nn.ReLU(), (8, 20), training=True)


def test_a_model_without_parameters_has_nothing_for_an_optimizer() -> None:
    with pytest.raises(UsageError, match="no parameters of ReLU to train: it has none"):
        mp.predict_memory(nn.ReLU(), (8, 20), training=True, optimizer="sgd")
