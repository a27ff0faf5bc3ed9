"""From a spec to a network, with or without memory for its weights."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import ModelSpec
from mobilenet_profiler.zoo.catalogue import find_model


def build_model(spec: ModelSpec, device: str = "meta") -> nn.Module:
    """The network of a spec, in eval mode; on meta it has shapes and no numbers.

    Raises UsageError on an option that the network does not take.
    """
    entry = find_model(spec.model)
    if entry is None:
        raise UsageError(f"unknown model {spec.model!r}")
    module, _, function = entry.factory.partition(":")
    factory = getattr(importlib.import_module(module), function)
    options = dict(spec.options)
    for name in options:
        if name not in entry.options:
            raise unknown_name(f"option of {spec.model}", name, entry.options)
    try:
        if device != "meta":
            return factory(**options).to(device).eval()  # type: ignore[no-any-return]
        with torch.device("meta"), _SkipInitialisation():  # type: ignore[no-untyped-call]
            return factory(**options).eval()  # type: ignore[no-any-return]
    except (RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"cannot build {spec.label}: {reason}") from error


class _SkipInitialisation(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Answers an in-place operation on a meta tensor by the tensor: it has no numbers."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.is_mutable and args and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))
