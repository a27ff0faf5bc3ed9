"""What kind of layer an operation makes: the rows of the paper's Table 2, and the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from mobilenet_profiler.cost import OpCost, Shape

FULLY_CONNECTED = "fully connected"
ATTENTION = "attention"
_POOLS = ("pool", "mean")
_LINEAR = ("linear", "addmm")
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu", "rnn")


def name_kinds(operations: Iterable[OpCost]) -> Iterator[str]:
    """A kind for each operation of a forward pass, in the order in which they ran.

    A 1x1 convolution that follows a pool on a 1x1 map is a fully connected layer
    written as a convolution: the reference's logits, a squeeze-and-excite pair.
    """
    after_pool = False
    for operation in operations:
        kind = _name_kind(operation, after_pool)
        if _is_pool(operation.name):
            after_pool = True
        elif operation.status == "counted":
            after_pool = kind == FULLY_CONNECTED
        yield kind


@cache
def _is_pool(name: str) -> bool:
    return any(word in name for word in _POOLS)


def _name_kind(operation: OpCost, after_pool: bool) -> str:
    if operation.status != "counted":
        return name_operation(operation.name)
    name = operation.name.split("::")[-1]
    if "conv" in name:
        return _name_convolution(operation, after_pool)
    if ATTENTION in name:
        return ATTENTION
    if any(word in name for word in _LINEAR):
        return FULLY_CONNECTED
    recurrent = any(word in name for word in _RECURRENT)
    if recurrent or not operation.name.startswith("aten::"):
        return name_operation(operation.name)
    return "matrix product"


def _name_convolution(operation: OpCost, after_pool: bool) -> str:
    if len(operation.inputs) < 2 or len(operation.inputs[1]) < 3:
        return "convolution"  # its weight is packed
    image, weight = operation.inputs[:2]
    kernel, groups = weight[2:], operation.options.get("groups", 1)
    size = "x".join(map(str, kernel))
    if "transpose" in operation.name or operation.options.get("transposed"):
        return f"transposed {size}"
    if groups > 1:
        depthwise = weight[1] == 1 and groups == image[1]
        return f"depthwise {size}" if depthwise else f"grouped {size}"
    if set(kernel) == {1}:
        on_vector = after_pool and set(_spatial(image, weight)) == {1}
        return FULLY_CONNECTED if on_vector else f"pointwise {size}"
    return f"full {size}"


def _spatial(image: Shape, weight: Shape) -> Shape:
    return image[len(image) - len(weight) + 2 :]


@cache
def name_operation(name: str) -> str:
    """`aten::avg_pool2d` as `avg pool`."""
    words = re.sub(r"\d+d$", "", name.split("::")[-1]).strip("_")
    return words.replace("_", " ")


@cache
def name_module(class_name: str) -> str:
    """`BatchNorm2d` as `batch norm`, `ReLU6` as `relu6`, `AvgPool2d` as `avg pool`."""
    bare = re.sub(r"\d+d$", "", class_name)
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", bare).lower()
