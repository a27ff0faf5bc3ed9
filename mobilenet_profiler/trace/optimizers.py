"""The optimizers of a training step, with the settings of the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer, RMSprop

from mobilenet_profiler.errors import UsageError, unknown_name

MakeOptimizer = Callable[[nn.Module], Optimizer]

MOMENTUM = 0.9
WEIGHT_DECAY = 4e-5
# RMSprop as TF-slim trains: train_image_classifier.py's flags, with their defaults.
_RMSPROP: dict[str, Any] = {"lr": 0.01, "alpha": 0.9, "eps": 1.0}
_MAKERS: dict[str, Callable[..., Optimizer]] = {
    "rmsprop": lambda groups, momentum, foreach: RMSprop(
        groups, momentum=momentum, foreach=foreach, **_RMSPROP
    ),
    "sgd": lambda groups, momentum, foreach: SGD(
        groups, lr=0.01, momentum=momentum, foreach=foreach
    ),
    "adamw": lambda groups, momentum, foreach: AdamW(
        groups, lr=0.001, betas=(momentum, 0.999), foreach=foreach
    ),
}
OPTIMIZERS = tuple(_MAKERS)


def make_optimizer(
    name: str, model: nn.Module, momentum: float = MOMENTUM, foreach: bool | None = None
) -> Optimizer:
    """An optimizer of a network's trainable parameters.

    name: rmsprop, sgd or adamw. Weight decay is 4e-5, on kernels and matrices alone and not
    on depthwise kernels, as in the reference. foreach: one kernel for all parameters; None
    is PyTorch's choice: on a GPU, not on a CPU. Raises UsageError for any other name, or
    where there is nothing to train.
    """
    if name not in _MAKERS:
        raise unknown_name("optimizer", name, OPTIMIZERS)
    decayed = {id(tensor) for tensor in _list_decayed(model)}
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    if not trained:
        raise UsageError("no parameter of the model needs a gradient: there is nothing to train")
    groups = [
        {"params": [p for p in trained if id(p) in decayed], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in trained if id(p) not in decayed], "weight_decay": 0.0},
    ]
    return _MAKERS[name]([group for group in groups if group["params"]], momentum, foreach)


def _list_decayed(model: nn.Module) -> Iterator[torch.Tensor]:
    for module in model.modules():
        groups = getattr(module, "groups", 1)
        depthwise = groups > 1 and groups == getattr(module, "in_channels", 0)
        for parameter in () if depthwise else module.parameters(recurse=False):
            if parameter.dim() > 1:
                yield parameter
