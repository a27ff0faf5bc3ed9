"""Work that is no ATen operation: higher-order operators, Triton kernels, whole modules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mobilenet_profiler.trace.operations import Operation
from mobilenet_profiler.trace.recipes import Recipe
from mobilenet_profiler.trace.registered import find_operation_cost, name_kernel
from mobilenet_profiler.trace.values import ValuesNeeded

if TYPE_CHECKING:
    from mobilenet_profiler.trace.engine import OperationRecorder


def enter_operator(
    recorder: OperationRecorder, func: Any, operation: Operation, args: Any, kwargs: Any
) -> Any:
    """A higher-order operator: counted whole, or its body recorded as it runs."""
    if operation.formula is None and func._name in _CONTROL:
        with recorder:
            return _CONTROL[func._name](recorder, *args, **kwargs)
    if func._name.startswith("triton_kernel_wrapper"):
        return _record_wrapped_kernel(recorder, func, args, kwargs)
    output = func(*args, **kwargs)
    _record_use(recorder, operation, args, kwargs, output)
    return output


def _run_cond(
    recorder: OperationRecorder, chosen: Any, yes: Any, no: Any, operands: Any = ()
) -> Any:
    return yes(*operands) if _read(recorder, chosen, "cond") else no(*operands)


def _run_while(
    recorder: OperationRecorder, condition: Any, body: Any, carried: Any, extra: Any = ()
) -> Any:
    while _read(recorder, condition(*carried, *extra), "while_loop"):
        carried = body(*carried, *extra)
        carried = carried if isinstance(carried, list | tuple) else (carried,)
    return tuple(carried)


def _run_scan(
    recorder: OperationRecorder, step: Any, carried: Any, rows: Any, extra: Any = ()
) -> Any:
    left, made = list(carried), []
    for index in range(rows[0].shape[0]):
        output = step(*left, *[row[index] for row in rows], *extra)
        left = list(output[: len(left)])
        made.append(output[len(left) :])
    return (*left, *_stack(made))


def _run_map(recorder: OperationRecorder, function: Any, rows: Any, extra: Any = ()) -> Any:
    return _stack([function(*parts, *extra) for parts in zip(*rows, strict=True)])


def _stack(rows: list[Any]) -> tuple[Tensor, ...]:
    """The outputs of every step, each along a first axis."""
    several = [row if isinstance(row, list | tuple) else (row,) for row in rows]
    return tuple(torch.stack(list(column)) for column in zip(*several, strict=True))


_CONTROL: dict[str, Callable[..., Any]] = {
    "cond": _run_cond,
    "while_loop": _run_while,
    "scan": _run_scan,
    "map_impl": _run_map,
}


def _read(recorder: OperationRecorder, value: Any, name: str) -> bool:
    if isinstance(value, Tensor) and value.is_meta:
        raise ValuesNeeded(f"higher_order::{name} in {recorder.modules.stack[-1] or 'the model'}")
    return bool(value)


def record_kernel(recorder: OperationRecorder, kernel: Any, args: Any, kwargs: Any) -> None:
    """A Triton kernel as it is launched: counted where a cost is registered."""
    name = name_kernel(kernel)
    _record_whole(recorder, name, find_operation_cost(name), args, kwargs, ())


def _record_wrapped_kernel(recorder: OperationRecorder, func: Any, args: Any, kwargs: Any) -> Any:
    from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table

    kernel = kernel_side_table.get_kernel(kwargs["kernel_idx"])
    given = dict(kwargs["kwargs"])
    record_kernel(recorder, kernel, (), given)
    if recorder.real:
        return func(*args, **kwargs)
    copied = kwargs.get("tensors_to_clone", ())
    return {name: given[name].clone() for name in copied} if copied else None


@contextmanager
def follow_kernels(recorder: OperationRecorder) -> Iterator[None]:
    """Record Triton kernels that are launched by hand, where Triton was imported.

    On meta tensors they are not launched: a kernel returns nothing and writes values.
    """
    module = sys.modules.get("triton.runtime.jit")
    if module is None:
        yield
        return
    kind = module.JITFunction
    original = kind.run

    def run(kernel: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        record_kernel(recorder, kernel, args, kwargs)
        if recorder.real:
            return original(kernel, *args, grid=grid, warmup=warmup, **kwargs)
        return None

    kind.run = run
    try:
        yield
    finally:
        kind.run = original


def run_counted_module(
    recorder: OperationRecorder, count: Callable[..., int], module: Any, args: Any, kwargs: Any
) -> Any:
    """Run a module whose cost is registered; that is recorded in place of the work inside."""
    records, recorder.records = recorder.records, []
    try:
        output = module._call_impl(*args, **kwargs)
    finally:
        recorder.records = records

    def formula(*shapes: Any, **named: Any) -> int:
        return count(module, *shapes, **named)

    _record_whole(recorder, f"module::{type(module).__name__}", formula, args, kwargs, output)
    return output


def _record_whole(
    recorder: OperationRecorder, name: str, formula: Any, args: Any, kwargs: Any, output: Any
) -> None:
    operation = Operation(name, (), formula, None, False, False, False, False)
    _record_use(recorder, operation, args, kwargs, output)


def _record_use(
    recorder: OperationRecorder, operation: Operation, args: Any, kwargs: Any, output: Any
) -> None:
    recorder.record(Recipe(recorder.cost(operation, args, kwargs, output), None), args)
