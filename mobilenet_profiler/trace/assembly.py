"""From recorded operations to layers: pure, apart from reading the model's structure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import prod
from typing import Any

from torch import nn

from mobilenet_profiler.cost import Cost, LayerCost, OpCost, Shape, Uncounted
from mobilenet_profiler.trace.kinds import name_kinds, name_module


def assemble_layers(
    model: nn.Module, operations: Sequence[OpCost], calls: Mapping[str, int]
) -> tuple[LayerCost, ...]:
    """A layer for each module that ran operations or owns parameters.

    In the order in which they first ran; those that never ran come last.
    """
    by_path: dict[str, list[tuple[OpCost, str]]] = {}
    for operation, kind in zip(operations, name_kinds(operations), strict=True):
        by_path.setdefault(operation.path, []).append((operation, kind))
    modules = dict(model.named_modules())
    owned = count_parameters(model)
    paths = list(by_path) + [path for path in owned if owned[path] != Cost()]
    return tuple(
        _make_layer(path, modules[path], by_path.get(path, []), owned[path], calls)
        for path in dict.fromkeys(paths)
    )


def count_parameters(model: nn.Module) -> dict[str, Cost]:
    """Params and weights that each module owns itself; a shared one counts at the first."""
    seen: set[int] = set()
    owned: dict[str, Cost] = {}
    for path, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        weights = sum(parameter.numel() for parameter in own if parameter.dim() > 1)
        owned[path] = Cost(sum(parameter.numel() for parameter in own), weights)
    return owned


def list_uncounted(operations: Iterable[OpCost]) -> tuple[Uncounted, ...]:
    """The unknown operations, equal ones at one place gathered."""
    unknown = [(op.path, op.name, op.inputs) for op in operations if op.status == "unknown"]
    return tuple(Uncounted(*what, calls=calls) for what, calls in Counter(unknown).items())


def _make_layer(
    path: str,
    module: nn.Module,
    ran: Sequence[tuple[OpCost, str]],
    owned: Cost,
    calls: Mapping[str, int],
) -> LayerCost:
    counted = [operation for operation, _ in ran if operation.status == "counted"]
    main = max(counted, key=lambda operation: operation.macs, default=None)
    first = ran[0][0] if ran else None
    geometry = (main or first).geometry if (main or first) else {}  # type: ignore[union-attr]
    return LayerCost(
        path=path,
        kind=_choose_kind(module, ran, main),
        module=type(module).__name__,
        input_shape=first.inputs[0] if first and first.inputs else None,
        output_shape=ran[-1][0].outputs[-1] if ran and ran[-1][0].outputs else None,
        weight_shape=_find_weight(module, main),
        cost=owned
        + Cost(
            macs=sum(operation.macs for operation in counted),
            activations=sum(_count_elements(operation.outputs) for operation in counted),
        ),
        stride=_as_pair(geometry.get("stride")),
        dilation=_as_pair(geometry.get("dilation")),
        groups=geometry.get("groups", 1),
        calls=calls.get(path, 0),
    )


def _find_weight(module: nn.Module, main: OpCost | None) -> Shape | None:
    """The second operand of the main operation, if the module owns one of that shape."""
    if main is None or len(main.inputs) < 2:
        return None
    shapes = {tuple(parameter.shape) for parameter in module.parameters(recurse=False)}
    return main.inputs[1] if main.inputs[1] in shapes else None


def _choose_kind(module: nn.Module, ran: Sequence[tuple[OpCost, str]], main: OpCost | None) -> str:
    if main is not None:
        return next(kind for operation, kind in ran if operation is main)
    if type(module).__module__.startswith("torch.nn.modules"):
        return name_module(type(module).__name__)
    kinds = [kind for kind, _ in groupby(kind for _, kind in ran)]
    return " + ".join(kinds[:3]) if kinds else "not run"


def _count_elements(shapes: Iterable[Shape]) -> int:
    return sum(map(prod, shapes))


def _as_pair(value: Any) -> Shape:
    if isinstance(value, tuple) and value:
        return value * 2 if len(value) == 1 else value
    return (value, value) if isinstance(value, int) else (1, 1)
