"""What counting asks of a model's modules: classes, parameters, buffers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from torch import Tensor, nn

from mobilenet_profiler.cost import ModuleFacts, TensorFacts
from mobilenet_profiler.trace.operations import unpack_weights

Keys = dict[Hashable, int]


def list_modules(
    placed: Mapping[str, nn.Module], calls: Mapping[str, int]
) -> dict[str, ModuleFacts]:
    """The facts of every module by path. placed: the modules by path."""
    keys: Keys = {}
    return {path: _describe(module, calls.get(path, 0), keys) for path, module in placed.items()}


def _describe(module: nn.Module, calls: int, keys: Keys) -> ModuleFacts:
    kind: Any = type(module)
    name = _name_type(kind)
    parameters, buffers = module._parameters, module._buffers
    facts = _list_tensors(parameters, keys) if parameters else ()
    if ".quantized." in name:
        facts = (*facts, *_list_packed(module.__dict__.items(), keys))
    return ModuleFacts(
        name,
        not module._modules,
        calls,
        facts,
        _list_tensors(buffers, keys) if buffers else (),
    )


@cache
def _name_type(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _list_tensors(tensors: Mapping[str, Tensor | None], keys: Keys) -> tuple[TensorFacts, ...]:
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


def _list_packed(attributes: Iterable[tuple[str, Any]], keys: Keys) -> Iterator[TensorFacts]:
    """The weight and bias that a quantised module packs; unpacking makes them anew."""
    for name, value in attributes:
        for index, tensor in enumerate(unpack_weights(value)):
            key = keys.setdefault((id(value), index), len(keys))
            yield TensorFacts(f"{name}.{index}", tuple(tensor.shape), key)
