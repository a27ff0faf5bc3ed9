"""What several networks are asked alike: their options and their images, refused in one line."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mobilenet_profiler.errors import UsageError

WIDEST = 2**20  # channels, and what else is a size
MOST_CLASSES = 2**30


def check_alpha(alpha: Any) -> None:
    """A width multiplier."""
    if not is_number(alpha) or not 0 < alpha <= 1000:
        raise UsageError(f"alpha must be a number above 0 and at most 1000, given {alpha!r}")


def check_classes(classes: Any) -> None:
    """A number of classes; None and 0 ask for features."""
    if classes is not None and (not is_whole(classes) or not 0 <= classes <= MOST_CLASSES):
        raise UsageError(
            f"num_classes must be a whole number to {MOST_CLASSES}, or 0 for features, "
            f"given {classes!r}"
        )


def check_size(name: str, size: Any) -> None:
    """A number of channels or pixels."""
    if not is_whole(size) or not 1 <= size <= WIDEST:
        raise UsageError(f"{name} must be a whole number from 1 to {WIDEST}, given {size!r}")


def check_switches(**switches: Any) -> None:
    """Options that are on or off."""
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be true or false, given {value!r}")


def check_images(images: Tensor) -> None:
    """A batch of images, whatever their size."""
    if images.dim() != 4:
        raise UsageError(f"input must have rank 4 (N, 3, H, W), given shape {tuple(images.shape)}")


def is_whole(value: Any) -> bool:
    """An integer that is no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """An integer or a float that is no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
