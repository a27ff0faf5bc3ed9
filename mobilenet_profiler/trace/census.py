"""What conventions ask of a model's modules: classes, parameters, buffers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import Tensor, nn

from mobilenet_profiler.cost import ModuleFacts, TensorFacts


def list_modules(
    placed: Mapping[str, nn.Module], calls: Mapping[str, int]
) -> dict[str, ModuleFacts]:
    """The facts of every module by path. placed: the modules by path."""
    keys: dict[int, int] = {}
    return {path: _describe(module, calls.get(path, 0), keys) for path, module in placed.items()}


def _describe(module: nn.Module, calls: int, keys: dict[int, int]) -> ModuleFacts:
    kind: Any = type(module)
    parameters, buffers = module._parameters, module._buffers
    return ModuleFacts(
        _name_type(kind),
        not module._modules,
        calls,
        _list_tensors(parameters, keys) if parameters else (),
        _list_tensors(buffers, keys) if buffers else (),
    )


@cache
def _name_type(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _list_tensors(
    tensors: Mapping[str, Tensor | None], keys: dict[int, int]
) -> tuple[TensorFacts, ...]:
    return tuple(
        [
            TensorFacts(
                name,
                tuple(tensor.shape),
                keys.setdefault(id(tensor), len(keys)),
                tensor.requires_grad,
            )
            for name, tensor in tensors.items()
            if tensor is not None
        ]
    )
