"""The loss of a training step, of whatever a network returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.trace.passes import find_tensors


class Loss:
    """What a step minimises, chosen by what the network returns.

    A loss of its own (numbers without axes that have a gradient); else the cross entropy of
    every (N, C) or (N, C, 1, 1) output, such as those of auxiliary heads, added up, with
    random labels; else the mean of every output that has a gradient. In float32 where the
    network is in half precision. seed: of the labels, which stay the same.

    Called with the output; raises UsageError where nothing of it has a gradient.
    """

    def __init__(self, seed: int = 0) -> None:
        self.description = ""
        self._numbers = torch.Generator().manual_seed(seed)
        self._labels: dict[tuple[int, int], Tensor] = {}

    def prepare(self, output: Any) -> tuple[Tensor, ...]:
        """The labels for an output, made before they are needed where it needs any."""
        for logits in filter(is_logits, list_trainable(output)):
            self._find_labels(logits)
        return tuple(self._labels.values())

    def __call__(self, output: Any) -> Tensor:
        usable = list_trainable(output)
        words, lose, chosen = self._choose(usable)
        if not self.description:
            several = f", the sum over {len(chosen)} outputs" if len(chosen) > 1 else ""
            left = len(usable) - len(chosen)
            others = f"; outputs without a part in it: {left}" if left else ""
            self.description = f"the loss is {words}{several}{others}"
        return reduce(torch.add, [lose(widen(tensor)) for tensor in chosen])

    def _choose(
        self, usable: Sequence[Tensor]
    ) -> tuple[str, Callable[[Tensor], Tensor], Sequence[Tensor]]:
        """The loss in words, what makes it of an output, and of which outputs."""
        own = [tensor for tensor in usable if tensor.dim() == 0]
        logits = [tensor for tensor in usable if is_logits(tensor)]
        if own:
            return "that which the network returns", lambda loss: loss, own
        if logits:
            return "the cross entropy with random labels", self._classify, logits
        return "the mean of the output, which has no shape (N, C)", Tensor.mean, usable

    def _classify(self, logits: Tensor) -> Tensor:
        return functional.cross_entropy(logits.flatten(1), self._find_labels(logits))

    def _find_labels(self, logits: Tensor) -> Tensor:
        shape = (logits.shape[0], logits.shape[1])
        if shape not in self._labels:
            labels = torch.randint(shape[1], shape[:1], generator=self._numbers)
            self._labels[shape] = labels.to(logits.device)
        return self._labels[shape]


def widen(tensor: Tensor) -> Tensor:
    """Half precision as float32; sums and exponentials of many numbers leave its range."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def list_trainable(output: Any) -> list[Tensor]:
    """What a network returned that a loss can be made of, each tensor once."""
    tensors = {id(tensor): tensor for tensor in find_tensors(output)}
    usable = [t for t in tensors.values() if t.requires_grad and t.is_floating_point()]
    if not usable:
        raise UsageError(
            "nothing that the network returns has a gradient: no loss can be made of it"
        )
    return usable


def is_logits(tensor: Tensor) -> bool:
    """Whether it is a row of two or more numbers for each image."""
    flat = tensor.dim() == 2 or (tensor.dim() == 4 and tensor.shape[2:] == (1, 1))
    return flat and tensor.shape[1] > 1
