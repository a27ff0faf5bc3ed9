"""The loss of a training step, of whatever a network returns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.trace.passes import find_tensors


def find_logits(output: Any) -> Tensor | None:
    """The (N, C) logits of a classifier, or None where a network returns anything else."""
    is_matrix = isinstance(output, Tensor) and output.dim() == 2 and output.is_floating_point()
    return output if is_matrix else None


def compute_loss(output: Any, labels: Tensor | None = None) -> Tensor:
    """Cross entropy of (N, C) logits and (N,) labels; else the mean of all floating outputs.

    Raises UsageError where no output depends on a parameter that needs a gradient.
    """
    logits = find_logits(output)
    if logits is not None and labels is not None and logits.requires_grad:
        return functional.cross_entropy(logits, labels)
    means = [
        tensor.mean()
        for tensor in find_tensors(output)
        if tensor.is_floating_point() and tensor.requires_grad
    ]
    if not means:
        raise UsageError("no output depends on a parameter that needs a gradient")
    return torch.stack(means).mean() if len(means) > 1 else means[0]
