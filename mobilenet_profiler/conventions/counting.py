"""A Trace counted in a convention. Pure: no torch, nothing printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.conventions.convention import (
    FAMILIES,
    Convention,
    ParamsRule,
    Rule,
    Use,
    name_class,
)
from mobilenet_profiler.cost import ModuleFacts, OpCost, TensorFacts, Trace
from mobilenet_profiler.errors import UsageError

_UNKNOWN = ModuleFacts(type="", leaf=False, calls=0)


@dataclass(frozen=True)
class Count:
    """What a convention counts of a trace.

    total: in the convention's unit; None where it speaks of params alone.
    params: what it calls params. items: total by family, in the order of FAMILIES; they
    add up to it. layers, layer_params: total and params by the path of the layer.
    """

    convention: Convention
    total: int | None
    params: int
    items: Mapping[str, int]
    layers: Mapping[str, int]
    layer_params: Mapping[str, int]

    @property
    def unit(self) -> str:
        """'MACs', or 'FLOPs' where a multiply-accumulate is two."""
        return self.convention.unit

    def __str__(self) -> str:
        from mobilenet_profiler.render.summaries import summarise_count

        return summarise_count(self).draw()

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.summaries import summarise_count

        return summarise_count(self).write_html()


def count_trace(trace: Trace, convention: Convention | str) -> Count:
    """A trace in a convention, of its name or itself.

    Raises UsageError for an unknown name, and for a trace that was read from a file: it has
    no operations to count.
    """
    known = find_convention(convention) if isinstance(convention, str) else convention
    if not trace.ops and any(layer.multiplies for layer in trace.layers):
        raise UsageError(
            f"{trace.label} has no operations, as a saved trace has none; trace it again"
        )
    layers: Counter[str] = Counter()
    items: Counter[str] = Counter()
    for path, family, amount in _count_uses(trace, known):
        layers[path] += amount
        items[family] += amount
    params = _count_params(trace, known.params)
    return Count(
        convention=known,
        total=sum(layers.values()) if known.rules else None,
        params=sum(params.values()),
        items={family: items[family] for family in FAMILIES if items[family]},
        layers=layers,
        layer_params=params,
    )


def _count_uses(trace: Trace, convention: Convention) -> Iterator[tuple[str, str, int]]:
    """Path, family and amount of everything that a rule counts."""
    rules = _Rules(convention.rules)
    kinds = {layer.path: layer.kind for layer in trace.layers}
    forward = [op for op in trace.ops if op.phase == "forward"]
    if rules.by_operation or rules.anything:
        for op in forward:
            module = trace.modules.get(op.path, _UNKNOWN)
            use = Use(op, module, kinds.get(op.owner, ""))
            yield from ((op.owner, *item) for item in rules.count(use))
    if rules.of_calls:
        for path, op in _list_calls(trace, forward):
            use = Use(op, trace.modules[path], kinds.get(path, ""), call=True)
            yield from ((path, *item) for item in rules.count(use))


class _Rules:
    """The rules by the operation that they name, in their order."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self.by_operation = {name for rule in rules for name in rule.operations}
        self.anything = any(not rule.operations and not rule.call for rule in rules)
        self.of_calls = any(rule.call for rule in rules)
        self._chosen: dict[str, tuple[Rule, ...]] = {}

    def count(self, use: Use) -> list[tuple[str, int]]:
        """The items of the first rule that matches."""
        name = use.op.name.removeprefix("aten::").removesuffix("_")
        chosen = self._chosen.get(name)
        if chosen is None:
            fits = [rule for rule in self.rules if not rule.operations or name in rule.operations]
            chosen = self._chosen[name] = tuple(fits)
        rule = next((rule for rule in chosen if rule.matches(use)), None)
        return rule.count_items(use) if rule else []


def _list_calls(trace: Trace, forward: list[OpCost]) -> Iterator[tuple[str, OpCost]]:
    """Every call of a module that holds no others, by its last operation."""
    ran: dict[str, list[OpCost]] = {}
    for op in forward:
        ran.setdefault(op.path, []).append(op)
    for path, operations in ran.items():
        module = trace.modules.get(path, _UNKNOWN)
        if module.leaf and module.calls:
            step = max(len(operations) // module.calls, 1)
            yield from ((path, op) for op in operations[step - 1 :: step])


def _count_params(trace: Trace, rule: ParamsRule | None) -> dict[str, int]:
    if rule is None:
        return {layer.path: layer.params for layer in trace.layers}
    kinds = {layer.path: layer.kind for layer in trace.layers}
    seen: set[int] = set()
    counted = {}
    for path, module in trace.modules.items():
        own = [tensor for tensor in _list_tensors(module, rule) if _is_new(tensor, rule, seen)]
        if _counts_module(path, module, kinds.get(path, ""), rule):
            counted[path] = sum(prod(tensor.shape) for tensor in own)
    return counted


def _counts_module(path: str, module: ModuleFacts, kind: str, rule: ParamsRule) -> bool:
    if kind in rule.not_kinds:
        return False
    known = name_class(module.type) in rule.modules
    return not rule.modules or (known and path != "" and module.calls > 0)


def _list_tensors(module: ModuleFacts, rule: ParamsRule) -> Iterator[TensorFacts]:
    left_out = rule.without if name_class(module.type) in rule.without_modules else frozenset()
    for tensor in module.parameters:
        plain = tensor.name not in left_out and (tensor.trainable or not rule.trainable)
        if plain and (len(tensor.shape) > 1 or not rule.kernels):
            yield tensor
    yield from (tensor for tensor in module.buffers if tensor.name in rule.buffers)


def _is_new(tensor: TensorFacts, rule: ParamsRule, seen: set[int]) -> bool:
    known = tensor.key in seen
    seen.add(tensor.key)
    return rule.shared or not known
