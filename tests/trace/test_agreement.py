"""Formulas beside torch's own registry and beside loops that count, on random shapes."""

from itertools import product
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import flop_registry

from mobilenet_profiler.trace.formulas import FORMULAS

aten = torch.ops.aten
SIZE = st.integers(1, 7)
KERNELS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), min_size=1, max_size=3)
GRADIENTS = st.tuples(st.booleans(), st.booleans(), st.booleans())


def ours(name: str, *arguments: Any, out: Any) -> int:
    return FORMULAS[f"aten::{name}"](*arguments, out=out)


def theirs(operation: Any, *arguments: Any, out: Any) -> int:
    flops: int = flop_registry[operation](*arguments, out_val=out)
    return flops


@given(SIZE, SIZE, SIZE, SIZE)
def test_matrix_products(batch: int, rows: int, depth: int, columns: int) -> None:
    left, right, out = (rows, depth), (depth, columns), (rows, columns)
    assert 2 * ours("mm", left, right, out=out) == theirs(aten.mm, left, right, out=out)
    addmm = (out, left, right)
    assert 2 * ours("addmm", *addmm, out=out) == theirs(aten.addmm, *addmm, out=out)
    several = ((batch, *left), (batch, *right))
    whole = (batch, *out)
    assert 2 * ours("bmm", *several, out=whole) == theirs(aten.bmm, *several, out=whole)
    added = (whole, *several)
    assert 2 * ours("baddbmm", *added, out=whole) == theirs(aten.baddbmm, *added, out=whole)


def make_convolution(
    batch: int, groups: int, depth: int, width: int, windows: list[tuple[int, int]]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Image, weight and output of a convolution with stride 1 and no padding."""
    kernel, sizes = [k for k, _ in windows], [k + more for k, more in windows]
    image, weight = (batch, groups * depth, *sizes), (groups * width, depth, *kernel)
    return image, weight, (batch, groups * width, *[more + 1 for _, more in windows])


def describe(rank: int, transposed: bool, groups: int) -> tuple[Any, ...]:
    return ([1] * rank, [0] * rank, [1] * rank, transposed, [0] * rank, groups)


@given(SIZE, st.integers(1, 3), SIZE, SIZE, KERNELS)
def test_convolutions(
    batch: int, groups: int, depth: int, width: int, windows: list[tuple[int, int]]
) -> None:
    image, weight, out = make_convolution(batch, groups, depth, width, windows)
    arguments = (image, weight, None, *describe(len(windows), False, groups))
    mine = ours("convolution", *arguments, out=out)
    assert 2 * mine == theirs(aten.convolution, *arguments, out=out)
    turned = (out, weight, None, *describe(len(windows), True, groups))
    mine = ours("convolution", *turned, out=image)
    assert 2 * mine == theirs(aten.convolution, *turned, out=image)


@given(SIZE, SIZE, SIZE, KERNELS, GRADIENTS)
def test_the_backward_of_a_convolution_without_groups(
    batch: int,
    depth: int,
    width: int,
    windows: list[tuple[int, int]],
    wanted: tuple[bool, bool, bool],
) -> None:
    image, weight, out = make_convolution(batch, 1, depth, width, windows)
    arguments = (out, image, weight, None, *describe(len(windows), False, 1), wanted)
    results = (image, weight, (width,))
    mine = ours("convolution_backward", *arguments, out=results)
    assert 2 * mine == theirs(aten.convolution_backward, *arguments, out=results)


def count_by_loops(image: Any, weight: Any, out: Any, groups: int) -> int:
    """Products of out[n, o, y] += image[n, c, y + k] * weight[o, c in its group, k].

    No other term uses these three numbers together, so that the gradients of input and
    weight, which multiply the other two, have each as many products.
    """
    pairs = [
        (o, c)
        for o, c in product(range(weight[0]), range(image[1]))
        if c // weight[1] == o // (weight[0] // groups)
    ]
    positions, kernel = map(range, out[2:]), map(range, weight[2:])
    return sum(1 for _ in product(range(image[0]), pairs, *positions, *kernel))


@given(
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 2),
    KERNELS.filter(lambda windows: len(windows) < 3),
)
def test_the_backward_of_a_grouped_convolution_is_what_a_loop_counts(
    batch: int, groups: int, depth: int, width: int, windows: list[tuple[int, int]]
) -> None:
    image, weight, out = make_convolution(batch, groups, depth, width, windows)
    each = count_by_loops(image, weight, out, groups)
    start = (out, image, weight, None, *describe(len(windows), False, groups))
    results = (image, weight, None)
    for mask, expected in [
        ((True, False, False), each),
        ((False, True, False), each),
        ((True, True, True), 2 * each),
    ]:
        assert ours("convolution_backward", *start, mask, out=results) == expected
    # PyTorch's formula leaves the groups out of the gradient of the weight.
    flops = theirs(aten.convolution_backward, *start, (False, True, False), out=results)
    assert flops == 2 * groups * each


@given(SIZE, st.integers(1, 3), SIZE, SIZE, KERNELS, GRADIENTS)
def test_the_backward_of_a_transposed_convolution_is_its_forward_for_each_gradient(
    batch: int,
    groups: int,
    depth: int,
    width: int,
    windows: list[tuple[int, int]],
    wanted: tuple[bool, bool, bool],
) -> None:
    out, weight, image = make_convolution(batch, groups, depth, width, windows)
    geometry = describe(len(windows), True, groups)
    forward = ours("convolution", image, weight, None, *geometry, out=out)
    back = ours("convolution_backward", out, image, weight, None, *geometry, wanted, out=None)
    assert back == forward * (wanted[0] + wanted[1])
