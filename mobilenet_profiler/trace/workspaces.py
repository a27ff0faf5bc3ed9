"""What PyTorch takes on a CPU inside an operation, besides the tensors that it returns.

oneDNN computes a convolution on copies of image, weight and result whose channels stand
in blocks of 16 (AVX-512) or 8 (AVX2), filled up with zeros; PyTorch's own convolution on
columns. Formulas of shapes, read off the allocator's record of PyTorch 2.13 and checked
against it in the tests; scratch that depends on the number of threads is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from mobilenet_profiler.cost import OpCost

Shape = tuple[int, ...]

_BLOCKS = (("AVX512", 16), ("AVX2", 8))
_ONEDNN = ("Mkldnn", "???")  # transposed by oneDNN has no name in PyTorch's own list


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


def _count_forward(operation: OpCost, processor: Processor) -> int:
    image, weight, *_ = operation.inputs
    output = operation.outputs[0]
    if _choose_backend(operation, image, weight) not in _ONEDNN:
        return _count_columns(operation, weight, output)
    copies = _count_of(operation, image, weight, output, processor.block)
    if not operation.contiguous:  # channels last: oneDNN takes images as they are
        return copies.weight
    if operation.options.get("transposed") and operation.options.get("groups", 1) == 1:
        return max(sum(copies) - prod(output), copies.output + prod(output))
    gathered = 0
    if _gathers(operation, image, weight, output):
        gathered = processor.threads * _widen(image, processor.block) // image[0]
        gathered = gathered * prod(output[2:]) // prod(image[2:])
    return max(gathered + sum(copies) - prod(output), copies.output)


def _gathers(operation: OpCost, image: Shape, weight: Shape, output: Shape) -> bool:
    """Whether a 1x1 convolution that strides first gathers what it reads, in each thread."""
    strides = operation.options.get("stride", (1,))
    exact = all(
        size == small * stride
        for size, small, stride in zip(image[2:], output[2:], strides, strict=True)
    )
    return prod(weight[2:]) == 1 and min(strides) > 1 and exact


def _count_backward(operation: OpCost, processor: Processor) -> int:
    """First the image's gradient, then the weight's: the copies of each live in turn."""
    gradient, image, weight = operation.inputs[:3]
    if _choose_backend(operation, image, weight) not in _ONEDNN:
        return _count_columns(operation, weight, gradient)
    copies = _count_of(operation, image, weight, gradient, processor.block)
    if not operation.contiguous:
        copies = Copies(0, copies.weight, 0)
    masks = operation.options.get("output_mask", (True, True, True))
    outputs = sum(map(prod, operation.outputs))
    returned = prod(image) if masks[0] else 0
    needs = [outputs]
    if masks[0]:
        strided = max(operation.options.get("stride", (1,))) > 1
        twice = strided and operation.options.get("groups", 1) == 1
        needs += [sum(copies), copies.image + returned * (2 if twice else 1)]
    if masks[1]:
        shift = gradient[1] if masks[2] else 0
        own = copies.weight + prod(weight) + 2 * shift
        needs += [returned + sum(copies) + shift, returned + own]
    return max(needs) - outputs


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


def _count_of(operation: OpCost, image: Shape, weight: Shape, output: Shape, block: int) -> Copies:
    options = operation.options
    transposed = bool(options.get("transposed"))
    return count_copies(image, weight, output, options.get("groups", 1), block, transposed)


def _count_columns(operation: OpCost, weight: Shape, output: Shape) -> int:
    """Of the windows written out as columns; a kernel of one element needs none."""
    options = operation.options
    moved = {*options.get("stride", (1,)), *(1 + size for size in options.get("padding", (0,)))}
    if prod(weight[2:]) == 1 and moved == {1}:
        return 0
    return output[0] * prod(weight[1:]) * prod(output[2:])


def _choose_backend(operation: OpCost, image: Shape, weight: Shape) -> str:
    """How PyTorch would compute a convolution here. No memory is taken."""
    options = operation.options
    one: Tensor = torch.empty((), dtype=getattr(torch, operation.dtype))
    chosen = torch._C._select_conv_backend(
        one.expand(image),
        one.expand(weight),
        None,
        _list(options.get("stride", (1,))),
        _list(options.get("padding", (0,))),
        _list(options.get("dilation", (1,))),
        bool(options.get("transposed")),
        _list(options.get("output_padding", (0,))),
        options.get("groups", 1),
    )
    return str(chosen).rpartition(".")[2]


def _list(values: Sequence[int]) -> list[int]:
    return list(values)


def _widen(shape: Shape, block: int) -> int:
    """Elements of (N, C, …) with C filled up to whole blocks."""
    return shape[0] * _round_up(shape[1], block) * prod(shape[2:])


def _keep(shape: Shape, block: int) -> int:
    return prod(shape)


def _round_up(size: int, block: int) -> int:
    return -(-size // block) * block
