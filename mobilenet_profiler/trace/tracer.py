"""`trace`: a network and its input in, a Trace out."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import MODES, ModelSpec, make_spec, refuse_sizes
from mobilenet_profiler.trace.assembly import assemble_layers, list_uncounted
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.census import list_modules
from mobilenet_profiler.trace.inputs import Inputs, make_inputs
from mobilenet_profiler.trace.isolation import How, pause_collector
from mobilenet_profiler.trace.modules import Structure
from mobilenet_profiler.trace.passes import (
    GradientsNeeded,
    Mode,
    Passed,
    record_backward,
    record_forward,
)
from mobilenet_profiler.trace.sources import make_importable
from mobilenet_profiler.trace.values import ValuesNeeded, fill_tensor

ModelLike = str | Path | ModelSpec | nn.Module

T = TypeVar("T")

_one_at_a_time = threading.RLock()  # modules are followed by replacing a method of their class


@torch.inference_mode(False)
def trace(
    model: ModelLike = "mobilenet_v1",
    inputs: Any = None,
    *,
    keywords: Mapping[str, Any] | None = None,
    backward: bool = False,
    values: bool = False,
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
    backward: trace the backward pass too, from every output to every parameter and
    input that needs a gradient.
    values: run on copies with values from the start, on the model's own device: for a
    forward that asks which device it is on, and would be told 'meta'.
    options: for a source, what `make_spec` takes: alpha, resolution, mode, …;
    for a module, mode alone: 'train' or 'eval', otherwise it runs as it is.

    A module is given back exactly as it was. A forward pass that looks at values is
    run on real tensors, and `Trace.notes` says so. Raises UsageError when the
    options, the inputs or the forward pass cannot be used.
    """
    with prepare(model, inputs, keywords, options) as ready:
        label, spec = ready.spec.label, ready.spec.as_dict()
        built, real = ready.model, ready.real
        return trace_module(built, ready.inputs, label, spec, ready.mode, backward, real, values)


@dataclass(frozen=True)
class Prepared:
    """A network that is built, with what it is run on.

    spec: what was asked for, its inputs described. mode: train or eval, or None for the
    module's own. real: the spec to build again, with values; None for a module.
    """

    model: nn.Module
    inputs: Inputs
    spec: ModelSpec
    mode: Any
    real: ModelSpec | None


@contextmanager
def prepare(
    model: ModelLike, inputs: Any, keywords: Mapping[str, Any] | None, options: dict[str, Any]
) -> Iterator[Prepared]:
    """The network and its arguments, from what `trace` takes; its source importable meanwhile."""
    if isinstance(model, nn.Module):
        mode = options.pop("mode", None)
        _check_options(options, "a module")
        yield prepare_built(unwrap(model), None, mode, inputs, keywords)
        return
    if not isinstance(model, str | Path | ModelSpec):
        raise UsageError(f"model must be a name, a path, a ModelSpec or a module, given {model!r}")
    if isinstance(model, ModelSpec):
        _check_options(options, "a ModelSpec")
    if inputs is not None:
        refuse_sizes(options)
    spec = model if isinstance(model, ModelSpec) else make_spec(str(model), **options)
    with make_importable(spec.source):  # a forward may import what lies beside its file
        yield prepare_built(unwrap(build_model(spec)), spec, spec.mode, inputs, keywords)


def _check_options(options: Mapping[str, Any], given: str) -> None:
    if options:
        raise UsageError(f"options {sorted(options)} go with a name, given {given}")


def prepare_built(
    model: nn.Module,
    spec: ModelSpec | None,
    mode: Any,
    inputs: Any = None,
    keywords: Mapping[str, Any] | None = None,
) -> Prepared:
    """The same of a network that is built already. spec: of which, or None for a module's own."""
    if mode not in (*MODES, None):
        raise unknown_name("mode", mode, MODES)
    given = make_inputs(model, spec, inputs, keywords)
    named = spec or ModelSpec(type(model).__name__, mode=mode or MODES[model.training])
    return Prepared(model, given, replace(named, inputs=given.describe()), mode, spec)


def trace_module(
    model: nn.Module,
    inputs: Inputs,
    label: str | None = None,
    spec: Mapping[str, Any] | None = None,
    mode: Mode | None = None,
    backward: bool = False,
    real: ModelSpec | None = None,
    values: bool = False,
) -> Trace:
    """The trace of a module, under a label and a spec of the caller's.

    mode: 'train' or 'eval' for the while, or the module's own. backward: trace the
    backward pass too. real: the spec to build again, with values, for a forward pass
    that looks at them. values: run on values from the start. Raises UsageError.
    """
    request = Request(inputs, partial(_record_passes, mode=mode, backward=backward), real, values)
    with take_turn(model) as structure:
        (passed, notes), own = record(structure, request)
        modules = list_modules(structure.placed, passed.calls)
        layers = assemble_layers(modules, passed.operations)
    named = ModelSpec(type(model).__name__, inputs=inputs.describe())
    return Trace(
        label=label or named.label,
        spec=spec or named.as_dict(),
        layers=layers,
        ops=passed.operations,
        uncounted=list_uncounted(passed.operations),
        notes=(*own, *notes),
        backward=backward,
        modules=modules,
    )


@dataclass(frozen=True)
class Request(Generic[T]):
    """What is asked: a pass, on which inputs, and how; see `trace_module`.

    passes: runs the network, on stand-ins without values or on copies.
    """

    inputs: Inputs
    passes: Callable[[Structure, Inputs, How], T]
    real: ModelSpec | None = None
    values: bool = False


@contextmanager
def take_turn(model: nn.Module) -> Iterator[Structure]:
    """A network's modules, refused where they cannot be lent; one network at a time."""
    with _one_at_a_time, pause_collector():
        structure = Structure(unwrap(model))
        check_modules(structure)
        yield structure


def unwrap(model: nn.Module) -> nn.Module:
    """The network inside torch.compile's or a data-parallel wrapper, so that paths are its own."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        inner = model.module if isinstance(model, wrappers) else _find_compiled(model)
        if inner is None:
            return model
        model = inner


def _find_compiled(model: nn.Module) -> nn.Module | None:
    """What torch.compile wrapped; asked of the dictionary, since a class may answer any name."""
    held = model.__dict__.get("_modules")
    return held.get("_orig_mod") if isinstance(held, dict) else None


def record(structure: Structure, request: Request[T]) -> tuple[T, tuple[str, ...]]:
    """What a pass gives, and notes; again where the forward itself set off PyTorch's compiler.

    Once that is imported, it can be kept off (`keep_settings`).
    """
    compiler = "torch._dynamo" in sys.modules
    try:
        return _record_either(structure, request)
    except UsageError:
        if compiler or "torch._dynamo" not in sys.modules:
            raise
    return _record_either(structure, request)


def _record_either(structure: Structure, request: Request[T]) -> tuple[T, tuple[str, ...]]:
    """A pass on meta tensors, or on real ones where the forward looks at values."""
    note = "traced on real tensors, as asked"
    if not request.values:
        try:
            return request.passes(structure, request.inputs.without_values(), "meta"), ()
        except ValuesNeeded as need:
            note = f"traced on real tensors, since the forward pass looks at values: {need}"
    _check_memory(structure, note)
    if request.real is not None:
        structure = Structure(unwrap(build_model(request.real, device="cpu")))
    device = _find_device(structure.placed[""])
    filled = request.inputs.map_tensors(partial(fill_tensor, device=device))
    try:
        return request.passes(structure, filled, "values"), (note,)
    except UsageError as error:
        raise UsageError(f"{error} ({note})") from error


def _check_memory(structure: Structure, note: str) -> None:
    """Refuse copies of weights that would fill the memory."""
    parameters = structure.placed[""].parameters()
    needed = sum(tensor.numel() * tensor.element_size() for tensor in parameters)
    memory = measure_memory()
    if memory is not None and needed > memory:
        sizes = f"{needed / 2**30:.1f} GB of weights, {memory / 2**30:.1f} GB of memory"
        raise UsageError(f"cannot run on real tensors: {sizes} (to be {note})")


def measure_memory() -> int | None:
    """Bytes of memory of this machine, or None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _find_device(model: nn.Module) -> torch.device:
    """Where a model's weights are; the CPU where they are nowhere."""
    devices = [p.device for p in model.parameters() if not p.is_meta]
    return devices[0] if devices else torch.device("cpu")


def _record_passes(
    structure: Structure, inputs: Inputs, how: How, mode: Mode | None, backward: bool
) -> tuple[Passed, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    try:
        passed = record_forward(structure, inputs, how, mode)
    except GradientsNeeded:
        passed = record_forward(structure, inputs, how, mode, gradients=True)
        notes = ("traced with gradients, which the forward pass computes itself",)
    if backward:
        back = record_backward(structure, inputs, how, mode)
        passed = Passed((*passed.operations, *back.operations), passed.calls)
    return passed, notes


def check_modules(structure: Structure) -> None:
    """Refuse what cannot be lent: compiled TorchScript, and parameters without a shape."""
    for path, module in structure.placed.items():
        if not isinstance(module, torch.jit.ScriptModule | LazyModuleMixin):
            continue
        where = path or type(module).__name__
        if isinstance(module, torch.jit.ScriptModule):
            raise UsageError(f"{where!r} is TorchScript; give the module it was made from")
        if any(map(is_lazy, module._parameters.values())):
            raise UsageError(f"{where!r} is lazy and has no shapes yet; run the module once first")
