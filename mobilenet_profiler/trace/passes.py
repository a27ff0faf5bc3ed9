"""One pass through a network under the recorder: forward, or forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from mobilenet_profiler.cost import OpCost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.trace.engine import BackwardRecorder, OperationRecorder
from mobilenet_profiler.trace.higher_order import follow_kernels, run_counted_module
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.isolation import How, lend_model
from mobilenet_profiler.trace.modules import ModuleStack, Structure
from mobilenet_profiler.trace.values import ValuesNeeded, lacks_values

Mode = Literal["train", "eval"]
_NEEDS_GRADIENTS = ("inference tensor", "does not require grad", "inference mode", "set_data")


@dataclass(frozen=True)
class Passed:
    """What a pass left: its operations, and how often each module ran."""

    operations: tuple[OpCost, ...]
    calls: Mapping[str, int]


class GradientsNeeded(BaseException):
    """The forward pass computes gradients itself, which inference mode does not allow.

    Not an Exception, as ValuesNeeded: no code of a network's own must catch it.
    """


def record_forward(
    structure: Structure, inputs: Inputs, how: How, mode: Mode | None, gradients: bool = False
) -> Passed:
    """The operations of one forward pass, on stand-ins without values or on copies.

    Raises ValuesNeeded or GradientsNeeded where another kind of pass is needed, and
    UsageError, which names the layer, where the forward itself fails.
    """
    with borrow(structure, how, mode, OperationRecorder, fresh=gradients) as recorder:
        context = torch.enable_grad() if gradients else torch.inference_mode()
        with context, explain(recorder.modules, inputs, how, gradients), recorder:
            structure.placed[""](*inputs.args, **inputs.kwargs)
    return Passed(recorder.list_operations(), recorder.modules.calls)


def record_backward(structure: Structure, inputs: Inputs, how: How, mode: Mode | None) -> Passed:
    """The operations of the backward pass alone, from every output that has a gradient.

    Frozen parameters and inputs that need no gradient cost nothing, as in training.
    """
    with (
        borrow(structure, how, mode, BackwardRecorder, fresh=True) as recorder,
        torch.enable_grad(),
        explain(recorder.modules, inputs, how, True),
        recorder,
    ):
        output = structure.placed[""](*inputs.args, **inputs.kwargs)
        roots = [tensor for tensor in find_tensors(output) if tensor.requires_grad]
        if not roots:
            raise UsageError("no output depends on a parameter that needs a gradient")
        gradients = [torch.empty_like(root) for root in roots]
        recorder.going_back = True
        torch.autograd.backward(roots, gradients)
    return Passed(recorder.list_operations(), recorder.modules.calls)


@contextmanager
def borrow(
    structure: Structure, how: How, mode: Mode | None, kind: type[Any], fresh: bool
) -> Iterator[Any]:
    """A model on loan with a recorder that follows its modules, not yet listening."""
    modules = ModuleStack(structure)
    with lend_model(structure, how, fresh) as owners, ExitStack() as stack:
        recorder = kind(modules, owners, how == "values")
        modules.run_counted = partial(run_counted_module, recorder)
        stack.callback(recorder.constants.restore)
        if mode is not None:
            structure.placed[""].train(mode == "train")
        stack.enter_context(modules.follow())
        stack.enter_context(follow_kernels(recorder))
        yield recorder


@contextmanager
def explain(modules: ModuleStack, inputs: Inputs, how: How, gradients: bool) -> Iterator[None]:
    """Turn a failure of the forward pass into one line, or into what it needs."""
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        if how == "meta" and isinstance(error, Exception) and lacks_values(error):
            raise ValuesNeeded(" ".join(str(error).split())) from error
        if not gradients and any(text in str(error).lower() for text in _NEEDS_GRADIENTS):
            raise GradientsNeeded from error
        where = modules.failed_at or modules.name
        reason = " ".join(str(error).split()) or type(error).__name__
        given = _describe_given(modules.failed_on) if modules.failed_at else ""
        raise UsageError(
            f"the forward pass failed in {where!r}{given} on input {inputs}: {reason}"
        ) from error


def _describe_given(given: Any) -> str:
    shapes = ["x".join(map(str, tensor.shape)) or "a number" for tensor in find_tensors(given)]
    return f", which got {', '.join(shapes)}," if shapes else ""


def find_tensors(value: Any) -> list[Tensor]:
    """The tensors in what a forward pass returns: containers, dataclasses, plain objects."""
    return list(_walk(value, 0))


def _walk(value: Any, depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
        return
    for item in _list_parts(value) if depth < _PARTS else ():
        yield from _walk(item, depth + 1)


_PARTS = 8  # parts of parts; an object that holds itself must end somewhere


def _list_parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    return list(vars(value).values()) if hasattr(value, "__dict__") and not callable(value) else []
