"""What PyTorch takes on a CPU inside an operation, besides the tensors that it returns.

oneDNN computes a convolution on copies of image, weight and result whose channels stand
in blocks of 16 (AVX-512) or 8 (AVX2), filled up with zeros; PyTorch's own convolution on
columns. Formulas of shapes, read off the allocator's record of PyTorch 2.13 and checked
against it in the tests; scratch that depends on the number of threads is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from mobilenet_profiler.cost import OpCost

Shape = tuple[int, ...]

_BLOCKS = (("AVX512", 16), ("AVX2", 8))
# A transposed convolution by oneDNN has no name in PyTorch's list of them.
_ONEDNN = ("Mkldnn", "MkldnnTranspose", "???")


class Processor(NamedTuple):
    """What decides how PyTorch computes on a CPU.

    block: channels that oneDNN keeps together; 0 where nothing is known of its copies.
    threads: of one operation.
    """

    block: int
    threads: int


class Copies(NamedTuple):
    """Elements of the copies that a convolution is computed on; 0 where there is none."""

    image: int
    weight: int
    output: int


def read_processor() -> Processor:
    """The processor that this runs on, as PyTorch sees it."""
    capability = torch.backends.cpu.get_cpu_capability()
    usable = torch.backends.mkldnn.enabled and torch._C._has_mkldnn
    known = (size for name, size in _BLOCKS if capability.startswith(name))
    return Processor(next(known, 0) if usable else 0, torch.get_num_threads())


def count_workspace(operation: OpCost, processor: Processor) -> int:
    """Bytes that an operation takes at its peak, besides its outputs.

    Known of convolutions and their gradients; 0 for all else.
    """
    count = _KNOWN.get(operation.name)
    if count is None or not processor.block:
        return 0
    dtype: torch.dtype = getattr(torch, operation.dtype)
    return count(operation, processor) * dtype.itemsize


def count_copies(
    image: Shape, weight: Shape, output: Shape, groups: int, block: int, transposed: bool = False
) -> Copies:
    """The copies of oneDNN for a convolution of (N, C, …) by (C_out, C / groups, …)."""
    if groups > 1:
        depthwise = image[1] == output[1] == groups
        widen = _widen if depthwise else _keep
        rows = _round_up(weight[0], block) if depthwise else weight[0]
        return Copies(widen(image, block), rows * prod(weight[1:]), widen(output, block))
    rows, columns = (_round_up(size, block) for size in weight[:2])
    if image[1] < block and prod(weight[2:]) > 1 and not transposed:
        # The first layer reads the image as it is.
        return Copies(0, rows * prod(weight[1:]), _widen(output, block))
    kernel = rows * columns * prod(weight[2:])
    return Copies(_widen(image, block), kernel, _widen(output, block))


class _Convolution(NamedTuple):
    """The arguments of a convolution, a number for each axis of the image."""

    image: Shape
    weight: Shape
    output: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    output_padding: Shape
    transposed: bool
    groups: int

    @property
    def strided(self) -> bool:
        return max(self.stride, default=1) > 1

    @property
    def pointwise(self) -> bool:
        return prod(self.weight[2:]) == 1


def _read_convolution(
    operation: OpCost, image: Shape, weight: Shape, output: Shape
) -> _Convolution:
    options, axes = operation.options, len(image) - 2

    def read(name: str, default: int) -> Shape:
        sizes = tuple(options.get(name, (default,)))
        return sizes * axes if len(sizes) == 1 else sizes

    lists = (read("stride", 1), read("padding", 0), read("dilation", 1), read("output_padding", 0))
    transposed, groups = bool(options.get("transposed")), int(options.get("groups", 1))
    return _Convolution(image, weight, output, *lists, transposed, groups)


def _count_forward(operation: OpCost, processor: Processor) -> int:
    image, weight = operation.inputs[:2]
    given = _read_convolution(operation, image, weight, operation.outputs[0])
    backend = _choose_backend(given, operation.dtype)
    if backend not in _ONEDNN:
        return _count_columns(given, backend)
    sizes = (image, weight, given.output)
    copies = count_copies(*sizes, given.groups, processor.block, given.transposed)
    if not operation.contiguous:  # channels last: oneDNN takes images as they are
        return copies.weight
    result = prod(given.output)
    if given.transposed and given.groups == 1:
        return max(sum(copies) - result, copies.output + result)
    gathered = processor.threads * _count_gathered(given, processor.block)
    return max(gathered + sum(copies) - result, copies.output)


def _count_gathered(given: _Convolution, block: int) -> int:
    """What a 1x1 convolution that strides first gathers of an image, where it strides evenly."""
    sizes = zip(given.image[2:], given.output[2:], given.stride, strict=True)
    even = all(size == small * stride for size, small, stride in sizes)
    if not (given.pointwise and min(given.stride) > 1 and even):
        return 0
    return _round_up(given.image[1], block) * prod(given.output[2:])


def _count_backward(operation: OpCost, processor: Processor) -> int:
    """First the image's gradient, then the weight's: the copies of each live in turn."""
    gradient, image, weight = operation.inputs[:3]
    given = _read_convolution(operation, image, weight, gradient)
    backend = _choose_backend(given, operation.dtype)
    if backend not in _ONEDNN:
        return _count_columns(given, backend)
    copies = count_copies(image, weight, gradient, given.groups, processor.block, given.transposed)
    if not operation.contiguous:
        copies = Copies(0, copies.weight, 0)
    asked = operation.options.get("output_mask", (True, True, True))
    needs = _list_needs(given, copies, *asked)
    outputs = sum(map(prod, operation.outputs))
    return max(outputs, *needs) - outputs


def _list_needs(
    given: _Convolution, copies: Copies, of_image: bool, of_weight: bool, of_bias: bool
) -> list[int]:
    """What is held at each step towards the gradients that are asked for."""
    returned = prod(given.image) if of_image else 0
    bias = given.output[1] if of_bias else 0
    needs = [0]
    if of_image:
        twice = given.strided and given.groups == 1  # turned into the order of the image once more
        needs += [sum(copies), copies.image + returned * (2 if twice else 1)]
    if of_weight:
        needs += [returned + sum(copies) + bias]
        needs += [returned + copies.weight + prod(given.weight) + 2 * bias]
    return needs


def _count_attention(operation: OpCost, processor: Processor) -> int:
    """A block of queries with its scores in each thread, in float32 (FlashAttentionKernel.cpp)."""
    query, key = operation.inputs[:2]
    rows = next(size for least, size in _QUERIES if query[2] >= least)
    rows, columns = min(rows, query[2]), min(_KEYS, key[2])
    return processor.threads * rows * (columns + 2 + query[3])


_QUERIES = ((768, 256), (192, 64), (0, 32))  # queries of a block, by the length of the sequence
_KEYS = 512

_KNOWN: dict[str, Callable[[OpCost, Processor], int]] = {
    "aten::convolution": _count_forward,
    "aten::convolution_backward": _count_backward,
    "aten::_scaled_dot_product_flash_attention_for_cpu": _count_attention,
}


def _count_columns(given: _Convolution, backend: str) -> int:
    """Of the windows that PyTorch's own kernels write out; one element needs none."""
    plain = given.pointwise and not given.strided and not any(given.padding)
    if plain or not backend.startswith("Slow"):
        return 0
    return given.output[0] * prod(given.weight[1:]) * prod(given.output[2:])


def _choose_backend(given: _Convolution, dtype: str) -> str:
    """How PyTorch would compute a convolution here: asked with tensors of one number."""
    one: Tensor = torch.empty((), dtype=getattr(torch, dtype))
    lists = [*map(list, (given.stride, given.padding, given.dilation))]
    padding, image, weight = [*given.output_padding], *map(one.expand, given[:2])
    chosen = torch._C._select_conv_backend(
        image, weight, None, *lists, given.transposed, padding, given.groups
    )
    return str(chosen).rpartition(".")[2]


def _widen(shape: Shape, block: int) -> int:
    """Elements of (N, C, …) with C filled up to whole blocks."""
    return shape[0] * _round_up(shape[1], block) * prod(shape[2:])


def _keep(shape: Shape, block: int) -> int:
    return prod(shape)


def _round_up(size: int, block: int) -> int:
    return -(-size // block) * block
