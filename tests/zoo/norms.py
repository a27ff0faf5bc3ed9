"""What BatchNorm adds to a count of params, which tools count differently."""

from torch import nn


def count_norm_channels(model: nn.Module) -> int:
    return sum(m.num_features for m in model.modules() if isinstance(m, nn.BatchNorm2d))
