"""Kernels of the CPU that make their output and none of its numbers.

Counters that need real tensors spend nearly all their time in products. They see the
same calls, shapes and graphs where the products are left out: what is replaced lies
below everything that a counter listens to.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor


def _convolve(image: Tensor, weight: Tensor, bias: Any, *options: Any) -> Tensor:
    stride, padding, dilation, transposed = options[:4]
    assert not transposed, "no network of torchvision's lists has one"
    kernel = weight.shape[2:]
    sizes = [
        (size + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i, size in enumerate(image.shape[2:])
    ]
    return torch.zeros(image.shape[0], weight.shape[0], *sizes)


def _multiply(left: Tensor, right: Tensor) -> Tensor:
    return torch.zeros(*left.shape[:-1], right.shape[-1])


def _add_product(addend: Tensor, left: Tensor, right: Tensor, **options: Any) -> Tensor:
    return _multiply(left, right)


_KERNELS = {
    "_convolution": _convolve,
    "mm": _multiply,
    "bmm": _multiply,
    "addmm": _add_product,
    "baddbmm": _add_product,
}


@cache
def install() -> Any:
    """Replace the kernels of this process; they stay replaced as long as it lives."""
    library: Any = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a kernel is replaced is what is wanted
        for name, kernel in _KERNELS.items():
            library.impl(name, kernel, "CPU")
    return library
