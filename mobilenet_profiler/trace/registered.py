"""Costs that a user registers: for operations, Triton kernels, higher-order operators, modules.

    @mp.register_cost("mylib::fused_mlp")
    def fused_mlp(x, up, down, *, out):
        return prod(x) * up[0] + prod(out) * down[1]

A registered cost comes before a built-in formula or rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from torch import nn
from torch._ops import HigherOrderOperator, OpOverload, OpOverloadPacket

from mobilenet_profiler.errors import UsageError

F = TypeVar("F", bound=Callable[..., int])

_operations: dict[str, Callable[..., int]] = {}
_modules: dict[type, Callable[..., int]] = {}
_changes = 0


def register_cost(target: Any, replace: bool = False) -> Callable[[F], F]:
    """Count `target` by the decorated function from now on, in every trace of the process.

    target: an operation's name ('mylib::op', all overloads), `torch.ops.mylib.op`, a
    higher-order operator, a Triton kernel, or a subclass of nn.Module (it, not its
    own subclasses; the work inside it is then not counted again).
    The function gets the operation's arguments, tensors as shapes, lists of tensors
    as lists of shapes, and `out`, the shape or shapes of the output; for a module the
    module comes first. It returns MACs. Raises UsageError for another kind of target,
    or one that has a registered cost already, unless `replace`.
    """
    registry, key = _find_place(target)
    if key in registry and not replace:
        raise UsageError(f"{target!r} has a registered cost already; give replace=True")

    def register(function: F) -> F:
        global _changes
        registry[key] = _check_result(function, key)
        _changes += 1
        return function

    return register


def _check_result(function: Callable[..., int], target: Any) -> Callable[..., int]:
    """The function, its failures told from those of a network."""
    name = target if isinstance(target, str) else target.__name__

    @wraps(function)
    def count(*args: Any, **kwargs: Any) -> int:
        try:
            macs = function(*args, **kwargs)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise UsageError(f"the cost registered for {name} failed: {reason}") from error
        if isinstance(macs, bool) or not isinstance(macs, int) or macs < 0:
            raise UsageError(
                f"the cost registered for {name} must be a whole number from 0, given {macs!r}"
            )
        return macs

    return count


def unregister_cost(target: Any) -> None:
    """Forget a registered cost; raises UsageError where there is none."""
    global _changes
    registry, key = _find_place(target)
    if key not in registry:
        raise UsageError(f"{target!r} has no registered cost")
    del registry[key]
    _changes += 1


def find_operation_cost(name: str) -> Callable[..., int] | None:
    """The registered cost of `mylib::op`, or None."""
    return _operations.get(name)


def find_module_cost(kind: type) -> Callable[..., int] | None:
    """The registered cost of a class of modules, or None."""
    return _modules.get(kind)


def count_registered() -> int:
    """How many costs are registered now."""
    return len(_operations) + len(_modules)


def count_changes() -> int:
    """How often the registry has changed: what is remembered under an older count is stale."""
    return _changes


def _find_place(target: Any) -> tuple[dict[Any, Callable[..., int]], Any]:
    if isinstance(target, type) and issubclass(target, nn.Module):
        return _modules, target
    name = _name_target(target)
    if name is None or name.count("::") != 1:
        raise UsageError(
            f"cannot register a cost for {target!r}; allowed: 'namespace::operation', "
            "torch.ops.namespace.operation, a higher-order operator, a Triton kernel, "
            "a subclass of nn.Module"
        )
    return _operations, name


def _name_target(target: Any) -> str | None:
    if isinstance(target, str):
        return target
    if isinstance(target, OpOverload):
        return target._name.split(".")[0]
    if isinstance(target, OpOverloadPacket):
        return str(target._qualified_op_name)
    if isinstance(target, HigherOrderOperator):
        return f"higher_order::{target._name}"
    return name_kernel(target) if is_kernel(target) else None


def is_kernel(target: Any) -> bool:
    """Whether this is a Triton kernel, or a wrapper that tunes one."""
    return type(target).__module__.startswith("triton.")


def name_kernel(kernel: Any) -> str:
    """`triton::name` of the function inside a kernel and its tuning wrappers."""
    while not hasattr(kernel, "__name__") and hasattr(kernel, "fn"):
        kernel = kernel.fn
    return f"triton::{kernel.__name__}"
