"""The optimizers of a training step, with the settings of the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.training import LEARNING_RATE, OPTIMIZERS, SETTINGS, WEIGHT_DECAY

MakeOptimizer = Callable[[nn.Module], Optimizer]

_NORMS = tuple(
    f"torch.nn.modules.{room}" for room in ("batchnorm", "instancenorm", "normalization")
)
_CLASSES = {
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
    "adamw": torch.optim.AdamW,
}


def make_optimizer(name: str, module: nn.Module, foreach: bool | None = None) -> Optimizer:
    """An optimizer with the reference's settings for every parameter that is not frozen.

    name: rmsprop, sgd or adamw. foreach: one kernel for all parameters; None is PyTorch's
    choice: on a GPU, not on a CPU. Raises UsageError for any other name, or where there is
    nothing to train.
    """
    if name not in _CLASSES:
        raise unknown_name("optimizer", name, OPTIMIZERS)
    check_trainable(module)
    groups = group_parameters(module)
    settings = {"lr": LEARNING_RATE, "foreach": foreach, **SETTINGS[name]}
    made: Optimizer = _CLASSES[name](groups, **settings)
    return made


def check_trainable(module: nn.Module) -> None:
    """Raise UsageError where a step would train nothing."""
    parameters = list(module.parameters())
    if any(parameter.requires_grad for parameter in parameters):
        return
    known = f"all {len(parameters)} are frozen" if parameters else "it has none"
    raise UsageError(f"no parameters of {type(module).__name__} to train: {known}")


def group_parameters(module: nn.Module) -> list[dict[str, Any]]:
    """Groups for an optimizer: what the reference regularises, and the rest; none is empty.

    Decayed are kernels and matrices, but for depthwise kernels (arXiv 1704.04861, section
    3.2), norms and biases. `zoo.mobilenet_v1.group_weight_decay` is the same rule.
    """
    seen, groups = set[int](), (list[Tensor](), list[Tensor]())
    for held in module.modules():
        for parameter in held._parameters.values():
            if parameter is None or not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            groups[not is_decayed(held, parameter)].append(parameter)
    rates = (WEIGHT_DECAY, 0.0)
    return [
        {"params": group, "weight_decay": rate}
        for group, rate in zip(groups, rates, strict=True)
        if group
    ]


def is_decayed(module: nn.Module, parameter: Tensor) -> bool:
    """Whether a module's parameter is a kernel or matrix that weight decay holds down."""
    if parameter.dim() < 2 or any(kind.__module__ in _NORMS for kind in type(module).__mro__):
        return False
    depthwise = getattr(module, "groups", 1) != 1 and parameter.shape[1] == 1
    return not depthwise
