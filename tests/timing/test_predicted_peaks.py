"""What is predicted of memory, beside what PyTorch's allocators record when it runs."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

import mobilenet_profiler as mp
from mobilenet_profiler.memory import MemoryUse
from mobilenet_profiler.spec import make_spec
from mobilenet_profiler.timing.allocations import _keep_quiet, measure_peak
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.losses import Loss
from mobilenet_profiler.trace.optimizers import make_optimizer

WITHIN = 0.05
NUMBER = 8  # bytes of a number that is given to an operation, as a tensor for the while
BLOCKED = torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AVX2"))


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    """What a library takes grows with the threads of an operation."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


class Dense(nn.Module):
    """Every layer reads the outputs of all before it."""

    def __init__(self, width: int = 32, growth: int = 16, layers: int = 6) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(width + growth * index),
                nn.ReLU(inplace=True),
                nn.Conv2d(width + growth * index, growth, 3, padding=1, bias=False),
            )
            for index in range(layers)
        )
        self.head = nn.Linear(width + growth * layers, 100)

    def forward(self, x: Tensor) -> Tensor:
        features = [functional.max_pool2d(self.stem(x), 3, 2, 1)]
        for layer in self.layers:
            features.append(layer(torch.cat(features, 1)))
        logits: Tensor = self.head(torch.cat(features, 1).mean((2, 3)))
        return logits


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.before(x)).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        heads = [part.transpose(1, 2) for part in (query, key, value)]
        y = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        x = x + self.out(y)
        output: Tensor = x + self.outer(functional.gelu(self.inner(self.after(x))))
        return output


class Transformer(nn.Module):
    def __init__(self, width: int = 192, heads: int = 3, blocks: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.position = nn.Parameter(torch.zeros(1, 196, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        logits: Tensor = self.head(self.norm(self.blocks(x)).mean(1))
        return logits


Made = tuple[nn.Module, Tensor]


def build(name: str, batch: int = 1, **options: Any) -> Made:
    spec = make_spec(name, batch=batch, **options)
    model = build_model(spec, device="cpu")
    return model, torch.rand(spec.input_shape)


NETWORKS: dict[str, Callable[[], Made]] = {
    "mobilenet_v1": lambda: build("mobilenet_v1"),
    "mobilenet_v1 x0.5 160": lambda: build("mobilenet_v1", alpha=0.5, resolution=160),
    "mobilenet_v1 x0.25 128 batch 4": lambda: build(
        "mobilenet_v1", 4, alpha=0.25, resolution=128, explicit_padding=True
    ),
    "mobilenet_v2": lambda: build("mobilenet_v2", resolution=160),
    "mobilenet_v3_large": lambda: build("mobilenet_v3_large", resolution=160),
    "resnet18": lambda: build("resnet18", resolution=160),
    "resnet50": lambda: build("resnet50", resolution=160),
    "resnet50 batch 4": lambda: build("resnet50", 4, resolution=128),
    "vgg16": lambda: build("vgg16", resolution=128),
    "googlenet": lambda: build("googlenet"),
    "squeezenet1_1": lambda: build("squeezenet1_1", resolution=160),
    "dense": lambda: (Dense().eval(), torch.rand(2, 3, 96, 96)),
    "transformer": lambda: (Transformer().eval(), torch.rand(2, 3, 224, 224)),
}
needs_blocks = pytest.mark.skipif(
    not BLOCKED, reason="what oneDNN takes is known of processors with AVX2 or AVX-512"
)


@needs_blocks
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_an_inference_holds_what_was_predicted(make: Callable[[], Made]) -> None:
    model, images = make()
    with torch.inference_mode():
        model(images)
        measured = measure_peak(lambda: model(images), "cpu")
    use = mp.predict_memory(model, images, device="cpu")
    assert use.activations == pytest.approx(measured, rel=WITHIN)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_between_operations_exactly_what_was_predicted_is_held(make: Callable[[], Made]) -> None:
    """Whatever a library does inside an operation: this holds on every processor."""
    model, images = make()
    with torch.inference_mode():
        model(images)
        measured = list_resting(lambda: model(images))
    predicted = list_before(mp.predict_memory(model, images))
    assert len(set(measured)) > 5
    assert set(measured) <= set(predicted)


def list_before(use: MemoryUse) -> list[int]:
    """What is held before each operation."""
    made = [0] * len(use.steps)
    for tensor in use.tensors:
        made[tensor.made] += tensor.bytes
    return [live - own for live, own in zip(use.live, made, strict=True)]


def list_resting(run: Callable[[], Any]) -> list[int]:
    """What the allocator has given out whenever an operation begins that is part of no other."""
    with _keep_quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    results: Any = record.profiler
    events = results.kineto_results.events()
    memory = sorted(
        (event.start_ns(), event.nbytes())
        for event in events
        if event.name() == "[memory]" and abs(event.nbytes()) > NUMBER
    )
    times, totals = [time for time, _ in memory], [0, *accumulate(size for _, size in memory)]
    spans = sorted(
        (e.start_ns(), -e.duration_ns()) for e in events if e.name().startswith("aten::")
    )
    starts, end = [], 0
    for start, length in spans:
        if start >= end:
            starts.append(start)
            end = start - length
    return [totals[bisect_right(times, start)] for start in starts]


STEPS: dict[str, tuple[Callable[[], Made], str | None]] = {
    "mobilenet_v1": (lambda: build("mobilenet_v1", 2, mode="train", resolution=128), "rmsprop"),
    "mobilenet_v1 x0.5": (
        lambda: build("mobilenet_v1", 4, mode="train", alpha=0.5, resolution=96),
        None,
    ),
    "mobilenet_v2": (lambda: build("mobilenet_v2", 2, mode="train", resolution=128), "adamw"),
    "resnet18": (lambda: build("resnet18", mode="train", resolution=160), "rmsprop"),
    "resnet18 batch 4": (lambda: build("resnet18", 4, mode="train", resolution=128), "sgd"),
    "squeezenet1_1": (lambda: build("squeezenet1_1", 2, mode="train"), None),
    "dense": (lambda: (Dense().train(), torch.rand(2, 3, 160, 160)), "sgd"),
    "transformer": (lambda: (Transformer().train(), torch.rand(2, 3, 224, 224)), "adamw"),
}


@needs_blocks
@pytest.mark.parametrize(("make", "optimizer"), STEPS.values(), ids=STEPS.keys())
def test_a_step_of_training_holds_what_was_predicted(
    make: Callable[[], Made], optimizer: str | None
) -> None:
    model, images = make()
    step = make_step(model, images, optimizer)
    step()
    model.zero_grad(set_to_none=True)
    measured = measure_peak(step, "cpu")
    model.zero_grad(set_to_none=True)
    use = mp.predict_memory(model, images, training=True, optimizer=optimizer, device="cpu")
    assert use.activations == pytest.approx(measured, rel=WITHIN)


def make_step(model: nn.Module, images: Tensor, name: str | None) -> Callable[[], None]:
    optimizer = make_optimizer(name, model) if name else None
    find_loss = Loss()

    def step() -> None:
        output = model(images)
        loss = find_loss(output)
        loss.backward()  # type: ignore[no-untyped-call]
        if optimizer is not None:
            optimizer.step()

    return step


# On a GPU.

GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
ON_GPU: dict[str, Callable[[], Made]] = {
    "mobilenet_v1": lambda: build("mobilenet_v1", 32),
    "resnet50": lambda: build("resnet50", 32),
    "vgg16": lambda: build("vgg16", 16),
    "transformer": lambda: (Transformer().eval(), torch.rand(32, 3, 224, 224)),
}


@pytest.mark.parametrize("make", [pytest.param(v, id=k, marks=GPU) for k, v in ON_GPU.items()])
def test_an_inference_on_a_gpu_holds_what_was_predicted(make: Callable[[], Made]) -> None:
    model, images = move(make())
    with torch.inference_mode():
        for _ in range(2):
            model(images)
        measured = measure_peak(lambda: model(images), "cuda")
    use = mp.predict_memory(model, images, device="cuda")
    assert use.activations == pytest.approx(measured, rel=WITHIN)


@pytest.mark.parametrize("make", [pytest.param(v, id=k, marks=GPU) for k, v in ON_GPU.items()])
@pytest.mark.parametrize("optimizer", ["rmsprop", "adamw"])
def test_a_step_on_a_gpu_holds_what_was_predicted(make: Callable[[], Made], optimizer: str) -> None:
    model, images = move(make())
    step = make_step(model.train(), images, optimizer)
    for _ in range(2):
        step()
    model.zero_grad(set_to_none=True)
    measured = measure_peak(step, "cuda")
    model.zero_grad(set_to_none=True)
    use = mp.predict_memory(model, images, training=True, optimizer=optimizer, device="cuda")
    assert use.activations == pytest.approx(measured, rel=WITHIN)


def move(made: Made) -> Made:
    """On the GPU in the order of cuDNN's kernels, which else convert images in a workspace."""
    model, images = made
    moved: Any = model.cuda()
    layout = torch.channels_last
    return moved.to(memory_format=layout), images.cuda().contiguous(memory_format=layout)
