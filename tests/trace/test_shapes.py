"""A shape by arithmetic, or a remembered one, is the shape PyTorch would give."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mobilenet_profiler as mp
from mobilenet_profiler.trace import engine, recipes
from mobilenet_profiler.trace.shapes import IN_PLACE, SHAPE_RULES

aten = torch.ops.aten


def check(func: object, *args: object) -> None:
    """The rule's answer, where it has one, equals PyTorch's in shape, strides and dtype."""
    answer = recipes.infer(func, args, {})
    if answer is not None:
        output = func(*args)  # type: ignore[operator]
        assert answer == (tuple(output.shape), output.stride(), output.dtype)


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 2),
    st.tuples(st.integers(4, 12), st.integers(4, 12)),
)
def test_convolution(
    batch: int,
    groups: int,
    channels: int,
    kernel: tuple[int, int],
    stride: int,
    padding: int,
    dilation: int,
    size: tuple[int, int],
) -> None:
    image = empty(batch, channels * groups, *size)
    weight = empty(2 * groups, channels, *kernel)
    geometry = ([stride] * 2, [padding] * 2, [dilation] * 2, groups)
    try:
        check(aten.conv2d.default, image, weight, None, *geometry)
    except RuntimeError:
        assert min((s - dilation * (k - 1)) for s, k in zip(size, kernel, strict=True)) <= 0


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_elementwise_and_norm(sizes: list[int]) -> None:
    image, vector = empty(*sizes), empty(sizes[1])
    check(aten.relu.default, image)
    check(aten.hardtanh.default, image, 0.0, 6.0)
    check(aten.softmax.int, image, 1)
    check(aten.batch_norm.default, image, vector, vector, vector, vector, False, 0.1, 1e-3, True)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_pool_and_pad(batch: int, size: int, window: int, strided: bool) -> None:
    image = empty(batch, 2, size, size + 1)
    if window <= size:
        check(aten.avg_pool2d.default, image, [window] * 2, [2, 2] if strided else [])
    check(aten.pad.default, image, [0, 1, 1, window])


def test_the_rules_answer_for_the_reference_network() -> None:
    """So that the shortcut is taken, and the test above does not pass by never answering."""
    image = empty(1, 3, 8, 8)
    geometry = ([1, 1], [1, 1], [1, 1], 1)
    assert recipes.infer(aten.conv2d.default, (image, empty(4, 3, 3, 3), None, *geometry), {})
    assert recipes.infer(aten.pad.default, (image, [0, 1, 0, 1]), {})


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_other_layouts_are_left_to_pytorch(layout: torch.memory_format) -> None:
    image = empty(2, 3, 8, 8).contiguous(memory_format=layout)
    answer = recipes.infer(aten.relu.default, (image,), {})
    assert (answer is None) is (layout is torch.channels_last)


@pytest.mark.parametrize("model", ["mobilenet_v1", "conv_mobilenet_v1"])
@pytest.mark.parametrize("options", [{}, {"output_stride": 8, "global_pool": True}, {"batch": 3}])
def test_traces_are_the_same_without_rules_and_without_memory(
    model: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    mp.trace(model, **options)
    warm = mp.trace(model, **options)
    monkeypatch.setattr(recipes, "SHAPE_RULES", {})
    engine._book.clear()
    cold = mp.trace(model, **options)
    engine._book.clear()
    assert warm == cold
    assert SHAPE_RULES


def test_one_name_at_two_widths_gives_two_counts() -> None:
    # A memory keyed by name would answer the second with the first.
    assert [mp.trace("mobilenet_v1", alpha=a).total.macs for a in (1.0, 0.5)] == [
        568_740_352,
        149_497_088,
    ]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 6), st.booleans())
def test_linear_sum_and_layer_norm(sizes: list[int], features: int, biased: bool) -> None:
    rows, bias = empty(*sizes), empty(features) if biased else None
    check(aten.linear.default, rows, empty(features, sizes[-1]), bias)
    check(aten.add.Tensor, rows, empty(*sizes))
    check(aten.mul.Tensor, rows, empty(*sizes))
    check(aten.layer_norm.default, rows, sizes[-1:], None, empty(sizes[-1]))
    for func in (aten.silu, aten.gelu, aten.hardswish, aten.hardsigmoid, aten.sigmoid):
        check(func.default, rows)


@given(st.integers(1, 3), st.integers(1, 9), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_adaptive_pool(batch: int, size: int, target: tuple[int, int]) -> None:
    check(aten.adaptive_avg_pool2d.default, empty(batch, 2, size, size + 1), list(target))


@pytest.mark.parametrize("name", sorted(IN_PLACE))
def test_work_in_place_answers_with_its_tensor(name: str) -> None:
    tensor = empty(2, 3)
    assert getattr(aten, name.removeprefix("aten::")).default(tensor) is tensor


@pytest.mark.parametrize(
    ("func", "args"),
    [
        (aten.linear.default, (empty(2, 3), empty(4, 5))),
        (aten.add.Tensor, (empty(2, 3), empty(3))),
        (aten.layer_norm.default, (empty(2, 3), [2])),
        (aten.adaptive_avg_pool2d.default, (empty(2, 3, 4), [1, 1])),
    ],
)
def test_what_does_not_fit_or_broadcasts_is_left_to_pytorch(
    func: object, args: tuple[object, ...]
) -> None:
    assert recipes.infer(func, args, {}) is None


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.lists(st.integers(-5, 4), max_size=3),
    st.booleans(),
)
def test_mean(sizes: list[int], axes: list[int], keep: bool) -> None:
    try:
        check(aten.mean.dim, empty(*sizes), axes, keep)
    except (RuntimeError, IndexError):
        assert recipes.infer(aten.mean.dim, (empty(*sizes), axes, keep), {}) is None


def test_the_mean_of_everything_is_a_number() -> None:
    assert recipes.infer(aten.mean.dim, (empty(2, 3), [0, 1]), {}) == ((), (), torch.float32)
