"""`trace`: a network and its input in, a Trace out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.spec import ModelSpec, make_spec
from mobilenet_profiler.trace.assembly import assemble_layers, list_uncounted
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.engine import OperationRecorder
from mobilenet_profiler.trace.isolation import lend_model

ModelLike = str | Path | ModelSpec | nn.Module


def trace(model: ModelLike = "mobilenet_v1", inputs: Any = None, **options: Any) -> Trace:
    """Count one forward pass from the operations that run; nothing is computed.

    model: a zoo name, the path of a TOML variant, a ModelSpec, or an nn.Module.
    inputs: for a module, a shape such as (1, 3, 128, 128), a tensor, or a list of
    these, one for each argument of its forward; a spec brings its own.
    options: for a name or a path, what `make_spec` takes: alpha, resolution, …

    A module is given back exactly as it was. Raises UsageError when the options,
    the inputs or the forward pass cannot be used.
    """
    if isinstance(model, nn.Module):
        if options:
            raise UsageError(f"options {sorted(options)} go with a name, given a module")
        return trace_module(model, _as_inputs(inputs))
    if inputs is not None:
        raise UsageError("inputs go with a module; a name takes resolution and batch")
    if isinstance(model, ModelSpec) and options:
        raise UsageError(f"options {sorted(options)} go with a name, given a ModelSpec")
    if not isinstance(model, str | Path | ModelSpec):
        raise UsageError(f"model must be a name, a path, a ModelSpec or a module, given {model!r}")
    spec = model if isinstance(model, ModelSpec) else make_spec(str(model), **options)
    return trace_module(
        build_model(spec), [_make_input(spec.input_shape)], spec.label, spec.as_dict()
    )


def trace_module(
    model: nn.Module,
    inputs: Sequence[Tensor],
    label: str | None = None,
    spec: dict[str, Any] | None = None,
) -> Trace:
    """The trace of a module on meta inputs, under a label and a spec of the caller's."""
    _check_module(model)
    names = {id(module): path for path, module in model.named_modules()}
    with lend_model(model) as owners:
        recorder = OperationRecorder(names, owners)
        _run_forward(model, inputs, recorder)
    operations = recorder.list_operations()
    shapes = [list(tensor.shape) for tensor in inputs]
    name = type(model).__name__
    return Trace(
        label=label or f"{name} input={' '.join('x'.join(map(str, s)) for s in shapes)}",
        spec=spec or {"model": name, "name": name, "options": {}, "inputs": shapes},
        layers=assemble_layers(model, operations, recorder.calls),
        ops=operations,
        uncounted=list_uncounted(operations),
    )


def _check_module(model: nn.Module) -> None:
    """Refuse what cannot be lent: compiled TorchScript, and parameters without a shape."""
    for path, module in model.named_modules():
        where = path or type(model).__name__
        if isinstance(module, torch.jit.ScriptModule):
            raise UsageError(f"{where!r} is TorchScript; give the module it was made from")
        if any(is_lazy(p) for p in module._parameters.values()):
            raise UsageError(f"{where!r} is lazy and has no shapes yet; run the module once first")


def _run_forward(model: nn.Module, inputs: Sequence[Tensor], recorder: OperationRecorder) -> None:
    try:
        with torch.inference_mode(), recorder.follow_modules(), recorder:
            model(*inputs)
    except UsageError:
        raise
    except Exception as error:
        shapes = " ".join("x".join(map(str, tensor.shape)) for tensor in inputs)
        where = recorder.failed_at or type(model).__name__
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f"the forward pass failed in {where!r} on input {shapes}: {reason}"
        ) from error


def _as_inputs(inputs: Any) -> list[Tensor]:
    if inputs is None:
        return [_make_input((1, 3, 224, 224))]
    if isinstance(inputs, Tensor):
        return [_make_input(tuple(inputs.shape), inputs.dtype)]
    if isinstance(inputs, Sequence) and inputs:
        if all(isinstance(size, int) and size >= 0 for size in inputs):
            return [_make_input(tuple(inputs))]
        if not any(isinstance(item, int | str) for item in inputs):
            return [tensor for item in inputs for tensor in _as_inputs(item)]
    raise UsageError(f"inputs must be a shape, a tensor, or a list of these, given {inputs!r}")


def _make_input(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    try:
        return torch.empty(shape, dtype=dtype, device="meta")
    except (RuntimeError, TypeError) as error:
        size = "x".join(map(str, shape))
        raise UsageError(f"cannot make an input of {size}: {error}") from None
