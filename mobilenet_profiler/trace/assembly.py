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
    params = count_parameters(model)
    paths = list(by_path) + [path for path in params if params[path] and path not in by_path]
    return tuple(
        _make_layer(path, modules[path], by_path.get(path, []), params.get(path, 0), calls)
        for path in paths
    )


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Numbers that each module owns itself; one shared by several counts at the first."""
    seen: set[int] = set()
    counts: dict[str, int] = {}
    for path, module in model.named_modules():
        own = {id(p): p.numel() for p in module.parameters(recurse=False) if id(p) not in seen}
        seen |= own.keys()
        counts[path] = sum(own.values())
    return counts


def list_uncounted(operations: Iterable[OpCost]) -> tuple[Uncounted, ...]:
    """The unknown operations, equal ones at one place gathered."""
    unknown = [(op.path, op.name, op.inputs) for op in operations if op.status == "unknown"]
    return tuple(Uncounted(*what, calls=calls) for what, calls in Counter(unknown).items())


def _make_layer(
    path: str,
    module: nn.Module,
    ran: Sequence[tuple[OpCost, str]],
    params: int,
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
        weight_shape=main.inputs[1] if main and params else None,
        cost=Cost(
            params,
            sum(operation.macs for operation in counted),
            sum(_count_elements(operation.outputs) for operation in counted),
        ),
        stride=_as_pair(geometry.get("stride")),
        dilation=_as_pair(geometry.get("dilation")),
        groups=geometry.get("groups", 1),
        calls=calls.get(path, 0),
    )


def _choose_kind(
    module: nn.Module, ran: Sequence[tuple[OpCost, str]], main: OpCost | None
) -> str:
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
