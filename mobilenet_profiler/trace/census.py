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
    return ModuleFacts(
        type=_name_type(kind),
        leaf=not module._modules,
        calls=calls,
        parameters=_list_tensors(module._parameters, keys) if module._parameters else (),
        buffers=_list_tensors(module._buffers, keys) if module._buffers else (),
    )


@cache
def _name_type(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _list_tensors(
    tensors: Mapping[str, Tensor | None], keys: dict[int, int]
) -> tuple[TensorFacts, ...]:
    facts = []
    for name, tensor in tensors.items():
        if tensor is not None:
            key = keys.setdefault(id(tensor), len(keys))
            facts.append(TensorFacts(name, tuple(tensor.shape), key, tensor.requires_grad))
    return tuple(facts)
