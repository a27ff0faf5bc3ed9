"""A model on loan: traced on meta tensors, given back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_DEPTH = 8  # containers in containers; one that holds itself must end somewhere


@contextmanager
def lend_model(model: nn.Module) -> Iterator[dict[int, list[str]]]:
    """Replace parameters and buffers by meta tensors for a while.

    Yields which modules own a parameter: id of the stand-in -> paths. Afterwards,
    also when the body raises, every module has its own attributes again, the very
    same tensors among them, lists, dicts and sets their items, and torch's random
    generator its state. Objects of other types that hang on a module are not copied.
    """
    modules = list(model.named_modules())
    kept = [(module, _snapshot(module)) for _, module in modules]
    generator = torch.get_rng_state()
    stand_ins: dict[int, Tensor] = {}
    owners: dict[int, list[str]] = {}
    try:
        for path, module in modules:
            _replace_tensors(module, path, stand_ins, owners)
        yield owners
    finally:
        for module, state in kept:
            _restore(module, state)
        torch.set_rng_state(generator)


def _replace_tensors(
    module: nn.Module, path: str, stand_ins: dict[int, Tensor], owners: dict[int, list[str]]
) -> None:
    for name, parameter in module._parameters.items():
        if parameter is not None:
            stand_in = stand_ins.setdefault(id(parameter), _make_stand_in(parameter))
            module._parameters[name] = stand_in  # type: ignore[assignment]
            owners.setdefault(id(stand_in), []).append(path)
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = stand_ins.setdefault(id(buffer), _make_stand_in(buffer))


def _make_stand_in(tensor: Tensor) -> Tensor:
    if tensor.is_meta:
        return tensor
    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty


def _snapshot(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """Every attribute, and a copy of what it holds where that is a plain container."""
    return {key: (value, _copy(value)) for key, value in vars(module).items()}


def _copy(value: Any, depth: int = 0) -> Any:
    """What a plain container holds, each item with what it holds in turn, `_DEPTH` deep."""
    if depth > _DEPTH:
        return None
    if isinstance(value, dict):
        return [(key, item, _copy(item, depth + 1)) for key, item in value.items()]
    if isinstance(value, list):
        return [(None, item, _copy(item, depth + 1)) for item in value]
    return value.copy() if isinstance(value, set) else None


def _restore(module: nn.Module, state: dict[str, tuple[Any, Any]]) -> None:
    attributes = vars(module)
    attributes.clear()
    for key, (value, contents) in state.items():
        attributes[key] = value
        _refill(value, contents)


def _refill(value: Any, contents: Any) -> None:
    if contents is None:
        return
    value.clear()
    if isinstance(value, set):
        value.update(contents)
        return
    for key, item, inner in contents:
        if isinstance(value, list):
            value.append(item)
        else:
            value[key] = item
        _refill(item, inner)
