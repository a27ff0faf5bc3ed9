"""torchvision's networks beside ours, with the same weights."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.trace.build import build_model
from tests.torchvision_stub import define_operators

needs_torchvision = pytest.mark.skipif(not define_operators(), reason="torchvision is missing")


def build_ours(name: str, **options: Any) -> nn.Module:
    return build_model(mp.make_spec(name, arguments=options))


def build_theirs(name: str, **options: Any) -> nn.Module:
    """A network of torchvision in eval mode, with weights that tell every layer from another."""
    models: Any = importlib.import_module("torchvision.models")
    with torch.device("meta"):
        model: nn.Module = getattr(models, name)(weights=None, **options).eval()
    model.to_empty(device="cpu")
    fill_with_numbers(model)
    return model


def fill_with_numbers(model: nn.Module) -> None:
    """Kernels that keep a signal's size; norms that are not the identity."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.zero_()
            elif tensor.dim() > 1:
                width = (6 / tensor[0].numel()) ** 0.5
                tensor.uniform_(-width, width, generator=generator)
            elif name.endswith(("running_var", "weight")):
                tensor.uniform_(0.5, 1.5, generator=generator)
            else:
                tensor.uniform_(-0.2, 0.2, generator=generator)


def copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Every tensor of theirs to the place of ours in the same order; vectors of 1x1 maps too."""
    mine, given = ours.state_dict(), list(theirs.state_dict().values())
    assert len(mine) == len(given)
    copied = {
        name: adapt(name, tensor, own)
        for (name, own), tensor in zip(mine.items(), given, strict=True)
    }
    ours.load_state_dict(copied, assign=True)


def adapt(name: str, tensor: Tensor, own: Tensor) -> Tensor:
    """A linear layer's weight as that of a 1x1 convolution; nothing else may change its shape."""
    assert tensor.shape == own.shape or own.shape == (*tensor.shape, 1, 1), name
    return tensor.reshape(own.shape)


def check_same_outputs(ours: nn.Module, theirs: nn.Module, *shape: int) -> None:
    copy_weights(ours, theirs)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(images)
        assert expected.std() > 1e-3
        # A 1x1 convolution adds up in another order than a linear layer.
        room = 1e-5 * expected.abs().max().item()
        torch.testing.assert_close(ours(images), expected, rtol=1e-5, atol=room)
