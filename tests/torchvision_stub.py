"""torchvision's wheel beside a CPU build of torch: two operators that its import asks for."""

import contextlib
import importlib.util

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def define_operators() -> bool:
    """Whether torchvision is installed; if so, its import works from now on."""
    if importlib.util.find_spec("torchvision") is None:
        return False
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # defined already
            torch.library.define(f"torchvision::{name}", _SCHEMA)
    return True
