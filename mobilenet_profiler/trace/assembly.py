"""From recorded operations and the facts of modules to layers: pure, no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import prod
from operator import attrgetter
from typing import Any, NamedTuple

from mobilenet_profiler.cost import (
    Cost,
    LayerCost,
    ModuleFacts,
    OpCost,
    Shape,
    TensorFacts,
    Uncounted,
)
from mobilenet_profiler.trace.kinds import ATTENTION, name_kinds, name_module
from mobilenet_profiler.trace.memory import Memory

Ran = list[tuple[OpCost, str]]


class Owned(NamedTuple):
    """Parameters of one module itself: those counted here, and those counted before."""

    params: int = 0
    weights: int = 0
    tied: int = 0
    tied_to: str = ""


_NOTHING = Owned()


def assemble_layers(
    modules: Mapping[str, ModuleFacts], operations: Sequence[OpCost]
) -> tuple[LayerCost, ...]:
    """A layer for each module, by path, that ran operations or owns parameters.

    In the order in which they first ran; those that never ran come last.
    """
    forward: dict[str, Ran] = {}
    backward: Counter[str] = Counter()
    first = [operation for operation in operations if operation.phase == "forward"]
    for operation, kind in zip(first, name_kinds(first), strict=True):
        forward.setdefault(operation.owner, []).append((operation, kind))
    for operation in operations[len(first) :]:
        backward[operation.owner] += operation.macs
    owned = count_parameters(modules)
    differentiated = [path for path, macs in backward.items() if macs]
    used = [path for path, own in owned.items() if own.params or (own.tied and path in forward)]
    return tuple(
        _find_layer(path, modules[path], forward.get(path, []), owned[path], backward.get(path, 0))
        for path in dict.fromkeys([*forward, *used, *differentiated])
    )


def count_parameters(modules: Mapping[str, ModuleFacts]) -> dict[str, Owned]:
    """What each module owns itself; a parameter that is shared counts at the first."""
    seen: dict[int, str] = {}
    return {
        path: _count_owned(path, facts.parameters, seen) if facts.parameters else _NOTHING
        for path, facts in modules.items()
    }


def _count_owned(path: str, tensors: Iterable[TensorFacts], seen: dict[int, str]) -> Owned:
    params = weights = tied = 0
    tied_to = ""
    for key, shape in {tensor.key: tensor.shape for tensor in tensors}.items():
        place = seen.setdefault(key, path)
        size = prod(shape)
        if place != path:
            tied, tied_to = tied + size, tied_to or place
        else:
            params += size
            weights += size if len(shape) > 1 else 0
    return Owned(params, weights, tied, tied_to)


def list_uncounted(operations: Iterable[OpCost]) -> tuple[Uncounted, ...]:
    """The unknown operations, equal ones at one place gathered."""
    unknown = [
        (op.owner, op.name, op.inputs, op.site) for op in operations if op.status == "unknown"
    ]
    return tuple(
        Uncounted(path, name, inputs, calls, site)
        for (path, name, inputs, site), calls in Counter(unknown).items()
    )


def _find_layer(path: str, module: ModuleFacts, ran: Ran, owned: Owned, backward: int) -> LayerCost:
    """The layer, from memory where the very same few operations ran there before."""
    if len(ran) > _FEW:
        return _make_layer(path, module, ran, owned, backward)
    key = (path, module, owned, backward, *[id(operation) for operation, _ in ran])
    kinds = [kind for _, kind in ran]
    known = _layers.find(key)
    if known is None or known[1] != kinds:
        known = (_make_layer(path, module, ran, owned, backward), kinds, ran)
        _layers.add(key, known)
    return known[0]


_FEW = 8
# By the operations themselves, which are held here too, so that an id is not given again.
_layers: Memory[tuple[LayerCost, list[str], Ran]] = Memory()


def _make_layer(path: str, module: ModuleFacts, ran: Ran, owned: Owned, backward: int) -> LayerCost:
    counted = [operation for operation, _ in ran if operation.macs]
    main = max(counted, key=_get_macs) if counted else None
    first = ran[0][0] if ran else None
    if first and not first.inputs:
        first = next((operation for operation, _ in ran if operation.inputs), None)
    shown = main or first
    options = shown.options if shown else {}
    groups = options.get("groups", 1)
    return LayerCost(
        path=path,
        kind=_choose_kind(module, ran, main),
        module=module.type.rpartition(".")[2],
        input_shape=_find_input(first) if first else None,
        output_shape=_find_output(ran),
        weight_shape=_find_weight(module, main) if main else None,
        cost=_add_up(owned, ran, counted, backward),
        stride=_as_pair(options.get("stride")),
        dilation=_as_pair(options.get("dilation")),
        groups=groups if isinstance(groups, int) else 1,
        calls=module.calls,
        tied=owned.tied,
        tied_to=owned.tied_to,
    )


_get_macs = attrgetter("macs")


def _add_up(owned: Owned, ran: Ran, counted: Sequence[OpCost], backward: int) -> Cost:
    return Cost(
        params=owned.params,
        weights=owned.weights,
        macs=sum([operation.macs for operation in counted]),
        activations=sum([prod(shape) for operation in counted for shape in operation.outputs]),
        elementwise=sum([operation.elementwise for operation, _ in ran]),
        backward_macs=backward,
    )


def _find_input(operation: OpCost) -> Shape:
    """Its first tensor that is no weight: an embedding is given its weight first."""
    named = zip(operation.arguments, operation.inputs, strict=False)
    return next((shape for name, shape in named if name != "weight"), operation.inputs[0])


def _find_output(ran: Ran) -> Shape | None:
    if ran and ran[-1][0].outputs:
        return ran[-1][0].outputs[0]
    return next((op.outputs[0] for op, _ in reversed(ran) if op.outputs), None)


def _find_weight(module: ModuleFacts, main: OpCost) -> Shape | None:
    """The module's own parameter that its main operation multiplies by, as it is stored."""
    shapes = [tensor.shape for tensor in module.parameters if len(tensor.shape) > 1]
    for shape in main.inputs[1:]:
        for stored in (shape, shape[::-1] if len(shape) == 2 else shape):
            if stored in shapes:
                return stored
    return shapes[0] if len(shapes) == 1 and len(main.inputs) == 1 else None


def _choose_kind(module: ModuleFacts, ran: Ran, main: OpCost | None) -> str:
    if main is not None:
        kinds = [kind for operation, kind in ran if operation.macs]
        if ATTENTION in kinds or module.type.endswith(".MultiheadAttention"):
            return ATTENTION
        return kinds[0] if len(kinds) == 1 else _of(ran, main)
    if module.type.startswith("torch.nn.modules."):
        return name_module(module.type.rpartition(".")[2])
    kinds = [kind for kind, _ in groupby(kind for _, kind in ran)]
    return " + ".join(kinds[:3]) if kinds else "not run"


def _of(ran: Ran, main: OpCost) -> str:
    return next(kind for operation, kind in ran if operation is main)


def _as_pair(value: Any) -> Shape:
    if isinstance(value, tuple) and value:
        return value * 2 if len(value) == 1 else value
    return (value, value) if isinstance(value, int) else (1, 1)
