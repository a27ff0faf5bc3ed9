"""The recorder: a dispatch mode that sees every ATen operation.

In inference mode operations arrive whole (`aten::conv2d`, `aten::linear`). Each is
answered from memory where the same use was seen before, else by PyTorch on meta
tensors; only a pass on real tensors runs kernels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from mobilenet_profiler.cost import OpCost, Phase
from mobilenet_profiler.trace.higher_order import enter_operator
from mobilenet_profiler.trace.memory import Memory
from mobilenet_profiler.trace.modules import ModuleStack, find_site
from mobilenet_profiler.trace.operations import (
    Operation,
    cost_operation,
    describe_operation,
    find_written,
    forget_operations,
    list_tensors,
)
from mobilenet_profiler.trace.recipes import (
    Answer,
    Recipe,
    answer_fresh,
    answer_itself,
    infer,
    infer_leniently,
    is_plain,
    make_answer,
    make_key,
)
from mobilenet_profiler.trace.registered import count_changes
from mobilenet_profiler.trace.shapes import IN_PLACE
from mobilenet_profiler.trace.values import Constants, ValuesNeeded, lacks_values, to_meta

_book: Memory[Recipe] = Memory()
_seen_changes = 0


class OperationRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records each operation beside the module it ran in.

    owners: id of a parameter's stand-in -> paths of the modules that own it.
    real: run kernels on real tensors instead of answering with meta tensors.
    """

    supports_higher_order_operators = True

    def __init__(self, modules: ModuleStack, owners: dict[int, list[str]], real: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.modules, self.owners, self.real = modules, owners, real
        self.constants = Constants()
        self.records: list[tuple[Recipe, str, str, Phase]] = []
        _forget_outdated()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Without this, PyTorch wraps the method below and imports its compiler.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        key = make_key(func, args, kwargs)
        recipe = _book.find(key) if key is not None else None
        if recipe is not None and recipe.answer is not None and not self.real:
            self.record(recipe, args)
            return recipe.answer(args)
        return self._meet(func, args, kwargs or {}, key, recipe)

    def _meet(self, func: Any, args: Any, kwargs: Any, key: Any, recipe: Recipe | None) -> Any:
        """An operation that memory cannot answer."""
        operation = describe_operation(func)
        if operation.composite:
            with self:
                return func.decompose(*args, **kwargs)
        if isinstance(func, HigherOrderOperator):
            return enter_operator(self, func, operation, args, kwargs)
        output, answer = self._run(func, operation, args, kwargs)
        if recipe is None:
            recipe = Recipe(self.cost(operation, args, kwargs, output), answer)
            if key is not None and recipe.cost.status != "unknown":
                _book.add(key, recipe)
        self.record(recipe, args)
        return output

    def _run(
        self, func: Any, operation: Operation, args: Any, kwargs: Any
    ) -> tuple[Any, Answer | None]:
        """The output, and the answer to remember where there is one."""
        if self.real:
            return func(*args, **kwargs), None
        if self.constants.hold(args, kwargs):
            return self.constants.compute(func, operation, args, kwargs), None
        if operation.mutable and func._name in IN_PLACE and is_plain(args[0]):
            return args[0], answer_itself(0)
        inferred = infer(func, args, kwargs)
        if inferred is not None:
            answer = answer_fresh(*inferred)
            return answer(args), answer
        output = self._run_on_meta(func, operation, args, kwargs)
        if _all_real(args):  # constants that lost their values: others of their shape have theirs
            return output, None
        return output, make_answer(func, operation, args, kwargs, output)

    def _run_on_meta(self, func: Any, operation: Operation, args: Any, kwargs: Any) -> Any:
        written = find_written(operation, args, kwargs) if operation.mutable else []
        real = [tensor for tensor in written if not tensor.is_meta]
        for tensor in real:
            self.constants.lose(tensor)
        if real:
            return real[0] if len(written) == 1 else tuple(written)
        converted = {name: to_meta(value) for name, value in kwargs.items()}
        try:
            return func(*to_meta(args), **converted)
        except Exception as error:
            inferred = infer_leniently(operation, args)
            if inferred is not None:
                return inferred
            if operation.looks or lacks_values(error) or _mixes(args):
                raise ValuesNeeded(f"{operation.name} at {find_site()}") from error
            raise

    def cost(self, operation: Operation, args: Any, kwargs: Any, output: Any) -> OpCost:
        """What this use costs, with the place of its call where that is unknown."""
        site = "" if operation.formula or operation.rule else find_site()
        return cost_operation(operation, args, kwargs, output, site)

    def record(self, recipe: Recipe, args: Any) -> None:
        """Note a use where it ran, charged to the owner of its weights."""
        modules = self.modules
        path = modules.stack[-1]
        if not recipe.still and path not in modules.leaves:
            path = modules.find_path()
        owner = self.find_owner(path, args) if recipe.cost.macs else path
        self.records.append((recipe, path, owner, "forward"))

    def find_owner(self, path: str, args: Any) -> str:
        """The module whose parameter an operation multiplies by, or where it ran."""
        owners = self.owners
        for value in args:
            found = owners.get(id(value))
            if found:
                return path if path in found else found[0]
        return path

    def list_operations(self) -> tuple[OpCost, ...]:
        """What was recorded, in order, each at its place.

        Weights of a module that runs itself are charged to whoever uses them; those of
        one that never does (the output projection inside attention) to their owner.
        """
        calls = self.modules.calls
        return tuple(
            [
                recipe.place(path, path if owner in calls else owner, phase)
                for recipe, path, owner, phase in self.records
            ]
        )


class BackwardRecorder(OperationRecorder):  # type: ignore[no-untyped-call]
    """Records the backward pass alone, each operation at the module whose forward made it.

    Autograd numbers its nodes in the order of the forward pass; the node that is being
    computed leads back to the module that ran when it was made.
    """

    def __init__(self, modules: ModuleStack, owners: dict[int, list[str]], real: bool) -> None:
        super().__init__(modules, owners, real)
        self.going_back = False
        self._places: dict[int, tuple[str, str]] = {}
        self._made = torch._C._autograd._get_sequence_nr()

    def record(self, recipe: Recipe, args: Any) -> None:
        """Note where a node is made in the forward pass, and every use in the backward."""
        place = self.find_place(args)
        if self.going_back:
            self.records.append((recipe, *place, "backward"))

    def find_place(self, args: Any) -> tuple[str, str]:
        """Where a use runs and whose weights it takes; on the way back, of the node's forward."""
        modules = self.modules
        if self.going_back and len(modules.stack) == 1:
            return self._find_node()
        path = modules.find_path()
        place = (path, self.find_owner(path, args))
        made = torch._C._autograd._get_sequence_nr()
        self._places.update(dict.fromkeys(range(self._made, made), place))
        self._made = made
        return place

    def cost(self, operation: Operation, args: Any, kwargs: Any, output: Any) -> OpCost:
        """What this use costs; autograd calls it, and no code of the model's, on the way back."""
        if self.going_back:
            return cost_operation(operation, args, kwargs, output)
        return super().cost(operation, args, kwargs, output)

    def _find_node(self) -> tuple[str, str]:
        node = torch._C._current_autograd_node()
        return self._places.get(node._sequence_nr(), ("", "")) if node is not None else ("", "")


def _all_real(args: Any) -> bool:
    tensors = list_tensors(args)
    return bool(tensors) and not any(tensor.is_meta for tensor in tensors)


def _mixes(args: Any) -> bool:
    """Whether some tensors have values: a failure may come of taking these away."""
    return any(not tensor.is_meta for tensor in list_tensors(args))


def _forget_outdated() -> None:
    """Forget what was remembered under other registered costs."""
    global _seen_changes
    if _seen_changes != count_changes():
        _seen_changes = count_changes()
        _book.clear()
        forget_operations()
