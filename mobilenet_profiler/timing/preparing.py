"""From a spec or a module to a network that is traced, on its device and ready to be measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import Setup
from mobilenet_profiler.memory import MemoryUse, check_memory
from mobilenet_profiler.spec import ModelSpec
from mobilenet_profiler.timing.capacity import measure_free
from mobilenet_profiler.timing.denormals import find_denormals
from mobilenet_profiler.timing.instruments import choose_timed
from mobilenet_profiler.timing.loan import convert_module, lend_module
from mobilenet_profiler.timing.request import Request
from mobilenet_profiler.timing.retry import fit_batch
from mobilenet_profiler.timing.subjects import Inference
from mobilenet_profiler.timing.training import TrainingStep
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.lifetimes import make_plan, predict_module
from mobilenet_profiler.trace.modules import Structure
from mobilenet_profiler.trace.optimizers import check_trainable
from mobilenet_profiler.trace.tracer import trace_module, unwrap
from mobilenet_profiler.trace.values import fill_tensor


@dataclass
class Prepared:
    """A network on its device, traced, and ready to be measured.

    kinds: by path of a timed layer, '' or what it is where the trace has no row for it.
    memory: what a pass needs of it, predicted; None where that is not known.
    """

    trace: Trace
    subject: Inference | TrainingStep
    setup: Setup
    kinds: Mapping[str, str]
    memory: MemoryUse | None = None
    notes: tuple[str, ...] = ()


def build_network(
    spec: ModelSpec, request: Request, modules: dict[str, nn.Module], stack: ExitStack
) -> nn.Module:
    """The network of a spec on its device; built once for specs that differ in inputs alone.

    stack: where one that a module of Python's holds is given back as it was.
    """
    own = replace(spec, batch=None, resolution=None, inputs=(), inputs_from=None)
    key = repr(own.as_dict())
    if key not in modules:
        built = unwrap(build_model(spec, device="cpu"))
        how = (request.place, request.torch_dtype, request.channels_last)
        if spec.source.kind == "module":  # it may name a network that is there already
            lent = lend_module(built, *how, request.trains)
            modules[key] = stack.enter_context(lent)
        else:
            modules[key] = convert_module(built, *how)
    return modules[key]


def prepare(module: nn.Module, spec: ModelSpec, inputs: Inputs, request: Request) -> Prepared:
    """A network with its inputs, traced; half the batch, and so on, where memory does not hold it.

    Every network runs once here. Raises UsageError where it does not run.
    """
    batch = find_batch(inputs)
    if batch is None:
        return _prepare_once(module, spec, inputs, request)

    def attempt(size: int) -> Prepared:
        own = spec if size == batch else replace(spec, batch=size)
        return _prepare_once(module, own, cut_batch(inputs, batch, size), request)

    prepared, _, notes = fit_batch(attempt, batch)
    return replace(prepared, notes=(*notes, *prepared.notes))


def find_batch(inputs: Inputs) -> int | None:
    """The first axis of the first input: of rows, images or clips.

    None where it may be something else: of one axis or of three, which an image without a
    batch has and a sequence that begins with its steps.
    """
    first = next(iter(inputs.tensors), None)
    return first.shape[0] if first is not None and first.dim() in (2, 4, 5) else None


def cut_batch(inputs: Inputs, batch: int, size: int) -> Inputs:
    """The first images of a batch, in every input whose first axis it is."""
    return inputs.map_tensors(
        lambda tensor: tensor[:size] if tensor.dim() and tensor.shape[0] == batch else tensor
    )


def _prepare_once(module: nn.Module, spec: ModelSpec, inputs: Inputs, request: Request) -> Prepared:
    mode = "train" if request.trains else "eval"
    named = replace(spec, mode=mode, inputs=inputs.describe())
    with suppress(NotImplementedError):  # an exported program has the mode it was made in
        module.train(request.trains)
    if request.trains:
        check_trainable(module)
    trace = trace_module(module, inputs, named.label, named.as_dict(), backward=request.trains)
    use = _predict_memory(module, inputs, request)
    _refuse_oversized(module, use, named.label, request)
    values = _fill_inputs(module, inputs, request)
    timed = choose_timed(Structure(module), trace)
    compiled = _compile(module) if request.compile else None
    subject = _make_subject((named.label, module, values, tuple(timed), compiled), request)
    setup = _describe_setup(module, values, request)
    before = list_versions(values)
    notes = tuple(_run_first(trace, subject, request))
    if list_versions(values) != before:
        subject.written = _find_written(before, values, _fill_inputs(module, inputs, request))
    return Prepared(trace, subject, setup, timed, use, notes)


def _predict_memory(module: nn.Module, inputs: Inputs, request: Request) -> MemoryUse | None:
    """What a pass needs, the optimizer's step among it; None where it looks at values."""
    optimizer = request.optimizer if request.trains else None
    plan = make_plan(request.trains, optimizer, request.device)
    try:
        return predict_module(module, inputs, plan)
    except UsageError:  # the pass itself, which comes next, says what is wrong with it
        return None


def _refuse_oversized(
    module: nn.Module, use: MemoryUse | None, label: str, request: Request
) -> None:
    """Refuse a pass that the device cannot hold, before it runs: UsageError with the figures."""
    if use is None:
        return
    held = sum(
        tensor.numel() * tensor.element_size()
        for tensor in {*module.parameters(), *module.buffers()}
        if tensor.device == request.place
    )
    check_memory(use, measure_free(request.place), label, request.device, held)


def list_versions(inputs: Inputs) -> list[int]:
    """How often each input was written to."""
    return [0 if tensor.is_inference() else tensor._version for tensor in inputs.tensors]


def _find_written(
    before: Sequence[int], values: Inputs, fresh: Inputs
) -> list[tuple[Tensor, Tensor]]:
    """The inputs that the first pass wrote to, each with the values it had before."""
    pairs = zip(values.tensors, fresh.tensors, before, list_versions(values), strict=True)
    return [(tensor, own) for tensor, own, old, new in pairs if old != new]


def _make_subject(given: tuple[Any, ...], request: Request) -> Inference | TrainingStep:
    """What passes are taken of. given: arguments that both kinds have."""
    if not request.trains:
        return Inference(*given)
    return TrainingStep(*given, optimizer=request.optimizer, seed=request.seed)


def _run_first(trace: Trace, subject: Inference | TrainingStep, request: Request) -> Iterator[str]:
    """A first pass, and what is known before anything is timed."""
    if request.device != "cpu" or request.trains:
        subject.run_once()
        return
    found = find_denormals(subject.module, subject.run_once)
    yield from [found] if found else []


def _compile(module: nn.Module) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(module)
    return compiled


def _fill_inputs(module: nn.Module, inputs: Inputs, request: Request) -> Inputs:
    """The inputs on the device; random where they have no values, in the memory format."""
    return inputs.map_tensors(partial(_fill_tensor, request=request))


def _fill_tensor(tensor: Tensor, request: Request) -> Tensor:
    filled = fill_tensor(tensor, request.place)
    if request.torch_dtype is not None and filled.is_floating_point():
        filled = filled.to(request.torch_dtype)
    if request.channels_last and filled.dim() == 4:
        filled = filled.contiguous(memory_format=torch.channels_last)
    return filled


def _describe_setup(module: nn.Module, inputs: Inputs, request: Request) -> Setup:
    dtypes = [p.dtype for p in module.parameters() if p.is_floating_point()]
    dtype = dtypes[0] if dtypes else torch.get_default_dtype()
    return Setup(
        device=request.device,
        dtype=str(dtype).removeprefix("torch."),
        batch=find_batch(inputs),
        mode=request.mode,
        threads=torch.get_num_threads(),
        channels_last=request.channels_last,
        compiled=request.compile,
        optimizer=request.optimizer if request.trains else "",
        seed=request.seed,
    )
