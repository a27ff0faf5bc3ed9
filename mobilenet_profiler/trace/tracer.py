"""`trace`: a network and its input in, a Trace out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import MODES, ModelSpec, make_spec, refuse_sizes
from mobilenet_profiler.trace.assembly import assemble_layers, list_uncounted
from mobilenet_profiler.trace.build import build_model, set_mode
from mobilenet_profiler.trace.engine import OperationRecorder
from mobilenet_profiler.trace.inputs import Inputs, make_inputs
from mobilenet_profiler.trace.isolation import lend_model
from mobilenet_profiler.trace.sources import make_importable

ModelLike = str | Path | ModelSpec | nn.Module


def trace(
    model: ModelLike = "mobilenet_v1",
    inputs: Any = None,
    *,
    keywords: Mapping[str, Any] | None = None,
    **options: Any,
) -> Trace:
    """Count one forward pass from the operations that run; nothing is computed.

    model: what `make_spec` takes, a zoo name, `package.module:factory`,
    `file.py:Name`, `torchvision/NAME`, `timm/NAME` or the path of a TOML variant;
    or a ModelSpec, or an nn.Module.
    inputs: a shape such as (1, 3, 128, 128), a tensor, a text such as
    'ids=1x128:int64', a tuple or list of these, one for each argument of forward,
    or a dict of them, by name. A list of tensors in a tuple is one argument.
    keywords: arguments by name beside `inputs`.
    Without a tensor among them, the model's own default input is used.
    options: for a source, what `make_spec` takes: alpha, resolution, mode, …;
    for a module, mode alone: 'train' or 'eval', otherwise it runs as it is.

    A module is given back exactly as it was. Raises UsageError when the options,
    the inputs or the forward pass cannot be used.
    """
    if isinstance(model, nn.Module):
        mode = options.pop("mode", None)
        _check_options(options, "a module")
        return _trace_in_mode(model, None, mode, inputs, keywords)
    if not isinstance(model, str | Path | ModelSpec):
        raise UsageError(f"model must be a name, a path, a ModelSpec or a module, given {model!r}")
    if isinstance(model, ModelSpec):
        _check_options(options, "a ModelSpec")
    if inputs is not None:
        refuse_sizes(options)
    spec = model if isinstance(model, ModelSpec) else make_spec(str(model), **options)
    with make_importable(spec.source):  # a forward may import what lies beside its file
        return _trace_in_mode(build_model(spec), spec, spec.mode, inputs, keywords)


def _check_options(options: Mapping[str, Any], given: str) -> None:
    if options:
        raise UsageError(f"options {sorted(options)} go with a name, given {given}")


def _trace_in_mode(
    model: nn.Module,
    spec: ModelSpec | None,
    mode: str | None,
    inputs: Any,
    keywords: Mapping[str, Any] | None,
) -> Trace:
    if mode not in (*MODES, None):
        raise unknown_name("mode", mode, MODES)
    given = make_inputs(model, spec, inputs, keywords)
    with set_mode(model, mode):
        named = spec or ModelSpec(type(model).__name__, mode=MODES[model.training])
        named = replace(named, inputs=given.describe())
        return trace_module(model, given, named.label, named.as_dict())


def trace_module(
    model: nn.Module,
    inputs: Inputs,
    label: str | None = None,
    spec: dict[str, Any] | None = None,
) -> Trace:
    """The trace of a module on its inputs, under a label and a spec of the caller's."""
    _check_module(model)
    names = {id(module): path for path, module in model.named_modules()}
    with lend_model(model) as owners:
        recorder = OperationRecorder(names, owners)
        _run_forward(model, inputs.without_values(), recorder)
    operations = recorder.list_operations()
    named = ModelSpec(type(model).__name__, inputs=inputs.describe())
    return Trace(
        label=label or named.label,
        spec=spec or named.as_dict(),
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


def _run_forward(model: nn.Module, inputs: Inputs, recorder: OperationRecorder) -> None:
    try:
        with torch.inference_mode(), recorder.follow_modules(), recorder:
            model(*inputs.args, **inputs.kwargs)
    except UsageError:
        raise
    except Exception as error:
        where = recorder.failed_at or type(model).__name__
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(
            f"the forward pass failed in {where!r} on input {inputs}: {reason}"
        ) from error
