"""`profile`: a network and its input in, a Profile out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobilenet_profiler.cost import OpCost, Trace
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.profile import Contention, LayerSamples, LayerWork, Profile, Setup
from mobilenet_profiler.measured.statistics import estimate_median
from mobilenet_profiler.measured.training import OPTIMIZERS, fill_training_settings
from mobilenet_profiler.spec import ModelSpec, make_spec
from mobilenet_profiler.timing.clocks import make_clock
from mobilenet_profiler.timing.contention import ContentionMeter
from mobilenet_profiler.timing.denormals import find_denormals
from mobilenet_profiler.timing.environment import describe_environment, parse_device
from mobilenet_profiler.timing.instruments import choose_timed
from mobilenet_profiler.timing.loan import convert_module, lend_module
from mobilenet_profiler.timing.measuring import (
    CLEAN,
    EAGER,
    INSTRUMENTED,
    OnProgress,
    Recording,
    StopRule,
    measure,
)
from mobilenet_profiler.timing.subjects import Inference
from mobilenet_profiler.timing.training import TrainingStep, check_trainable
from mobilenet_profiler.trace.build import build_model, keep_globals
from mobilenet_profiler.trace.inputs import Inputs, make_inputs
from mobilenet_profiler.trace.modules import Structure
from mobilenet_profiler.trace.sources import make_importable
from mobilenet_profiler.trace.tracer import trace_module, unwrap

DTYPES = ("float32", "float16", "bfloat16")
RUN_MODES = ("inference", "train")
ModelLike = str | Path | ModelSpec | nn.Module


@dataclass(frozen=True)
class Request:
    """How to run and how long: see `profile`."""

    device: str = "cpu"
    dtype: str | None = None
    threads: int | None = None
    channels_last: bool = False
    compile: bool = False
    mode: str = "inference"
    optimizer: str = "rmsprop"
    rule: StopRule = field(default_factory=StopRule)
    warmup: int | None = None
    seed: int = 0
    on_progress: OnProgress | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in DTYPES:
            raise unknown_name("dtype", self.dtype, DTYPES)
        if self.mode not in RUN_MODES:
            raise unknown_name("mode", self.mode, RUN_MODES)
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        object.__setattr__(self, "device", parse_device(self.device))
        _check_whole("threads", self.threads, 1)
        _check_whole("warmup", self.warmup, 0)
        _check_whole("seed", self.seed, 0)

    @property
    def trains(self) -> bool:
        """Whether steps of training are run rather than forward passes."""
        return self.mode == "train"


def _check_whole(name: str, value: Any, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, given {value!r}")


def profile(
    model: ModelLike = "mobilenet_v1",
    inputs: Any = None,
    *,
    keywords: Mapping[str, Any] | None = None,
    device: str = "cpu",
    dtype: str | None = None,
    threads: int | None = None,
    channels_last: bool = False,
    compile: bool = False,
    mode: str = "inference",
    optimizer: str = "rmsprop",
    iterations: int | None = None,
    min_time: float | None = None,
    precision: float | None = None,
    warmup: int | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> Profile:
    """Time a network, whole and layer by layer, beside its exact costs.

    model, inputs, keywords, options: as `trace` takes them; inputs that are shapes are
    filled with random numbers. device: 'cpu', 'cuda', 'cuda:1', 'mps'. dtype: float32,
    float16 or bfloat16, by default the network's own. threads: of one operation on the CPU.
    compile: the clean passes run under torch.compile, with eager ones beside them.
    mode: 'inference', or 'train': forward, loss, backward and a step of `optimizer`
    (rmsprop, sgd, adamw). iterations: passes in all, half of them clean; min_time: seconds
    of clean passes; precision: the relative half width of the median's interval; one of the
    three, by default a precision of 2%. warmup: passes that do not count, by default as
    many as it takes. on_progress: called with the part that is done and what goes on.

    A module is given back as it was; where it must be converted or trained, a copy runs.
    Raises UsageError when something given cannot be used or the network does not run.
    """
    rule = StopRule(iterations, min_time, precision)
    request = Request(
        *(device, dtype, threads, channels_last, compile, mode, optimizer, rule),
        *(warmup, seed, on_progress),
    )
    with _prepare_machine(request):
        if isinstance(model, nn.Module):
            if options:
                raise UsageError(f"options {sorted(options)} go with a name, given a module")
            return _profile_module(unwrap(model), inputs, keywords, request)
        spec = model if isinstance(model, ModelSpec) else _make_spec(str(model), options, request)
        return _profile_specs([spec], request, inputs, keywords)[0]


def _make_spec(source: str, options: dict[str, Any], request: Request) -> ModelSpec:
    settings = fill_training_settings(source, options) if request.trains else options
    return make_spec(source, **settings)


def profile_specs(specs: Sequence[ModelSpec], **options: Any) -> tuple[Profile, ...]:
    """Profiles of several specs, measured in turns so that drift favours none.

    options: of `profile`, from `device` on. Raises UsageError.
    """
    rule = StopRule(*(options.pop(name, None) for name in ("iterations", "min_time", "precision")))
    request = Request(rule=rule, **options)
    with _prepare_machine(request):
        return _profile_specs(specs, request)


@contextmanager
def _prepare_machine(request: Request) -> Iterator[None]:
    """Seeded random numbers and the threads that were asked for; both put back after."""
    with ExitStack() as stack:
        stack.enter_context(keep_globals())
        stack.enter_context(torch.inference_mode(False))  # whatever the caller's code is in
        torch.default_generator.manual_seed(request.seed)
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        if request.threads is not None:
            torch.set_num_threads(request.threads)
        yield


@dataclass
class Prepared:
    """A network on its device, traced, and ready to be measured."""

    trace: Trace
    subject: Inference | TrainingStep
    setup: Setup
    notes: tuple[str, ...] = ()


def _profile_module(
    model: nn.Module, inputs: Any, keywords: Mapping[str, Any] | None, request: Request
) -> Profile:
    device, dtype = torch.device(request.device), _find_dtype(request)
    with lend_module(model, device, dtype, request.channels_last, request.trains) as module:
        given = make_inputs(module, None, inputs, keywords)
        spec = ModelSpec(type(model).__name__, inputs=given.describe())
        return _measure_all([_prepare(module, spec, given, request)], request)[0]


def _profile_specs(
    specs: Sequence[ModelSpec],
    request: Request,
    inputs: Any = None,
    keywords: Mapping[str, Any] | None = None,
) -> tuple[Profile, ...]:
    with ExitStack() as stack:
        for spec in specs:
            stack.enter_context(make_importable(spec.source))
        modules: dict[str, nn.Module] = {}
        prepared = []
        for spec in specs:
            module = _build(spec, request, modules)
            given = make_inputs(module, spec, inputs, keywords)
            prepared.append(_prepare(module, spec, given, request))
        return _measure_all(prepared, request)


def _build(spec: ModelSpec, request: Request, modules: dict[str, nn.Module]) -> nn.Module:
    """The network of a spec on its device; built once for specs that differ in inputs alone."""
    own = replace(spec, batch=None, resolution=None, inputs=(), inputs_from=None)
    key = repr(own.as_dict())
    if key not in modules:
        built = unwrap(build_model(spec, device="cpu"))
        device, dtype = torch.device(request.device), _find_dtype(request)
        modules[key] = convert_module(built, device, dtype, request.channels_last)
    return modules[key]


def _find_dtype(request: Request) -> torch.dtype | None:
    found: torch.dtype | None = getattr(torch, request.dtype) if request.dtype else None
    return found


def _prepare(module: nn.Module, spec: ModelSpec, inputs: Inputs, request: Request) -> Prepared:
    mode = "train" if request.trains else "eval"
    named = replace(spec, mode=mode, inputs=inputs.describe())
    module.train(request.trains)
    if request.trains:
        check_trainable(module)
    trace = trace_module(module, inputs, named.label, named.as_dict(), backward=request.trains)
    values = _fill_inputs(module, inputs, request)
    timed = choose_timed(Structure(module), trace.ops)
    compiled = _compile(module) if request.compile else None
    subject = _make_subject((named.label, module, values, timed, compiled), request)
    setup = _describe_setup(module, values, request)
    return Prepared(trace, subject, setup, tuple(_list_notes(trace, subject, request)))


def _make_subject(given: tuple[Any, ...], request: Request) -> Inference | TrainingStep:
    """What passes are taken of. given: arguments that both kinds have."""
    if not request.trains:
        return Inference(*given)
    return TrainingStep(*given, optimizer=request.optimizer, seed=request.seed)


def _list_notes(trace: Trace, subject: Inference | TrainingStep, request: Request) -> Iterator[str]:
    """What is known before anything is timed; each network runs once for it."""
    yield from trace.notes
    if request.device == "cpu":
        found = find_denormals(subject.module, subject.run_once)
        yield from [found] if found else []


def _compile(module: nn.Module) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(module)
    return compiled


def _fill_inputs(module: nn.Module, inputs: Inputs, request: Request) -> Inputs:
    """The inputs on the device; random where they have no values, in the memory format."""
    return inputs.map_tensors(partial(_fill_tensor, request=request))


def _fill_tensor(tensor: Tensor, request: Request) -> Tensor:
    from mobilenet_profiler.trace.values import fill_tensor

    dtype = _find_dtype(request)
    filled = fill_tensor(tensor, torch.device(request.device))
    if dtype is not None and filled.is_floating_point():
        filled = filled.to(dtype)
    if request.channels_last and filled.dim() == 4:
        filled = filled.contiguous(memory_format=torch.channels_last)
    return filled


def _describe_setup(module: nn.Module, inputs: Inputs, request: Request) -> Setup:
    tensors = inputs.tensors
    dtypes = [p.dtype for p in module.parameters() if p.is_floating_point()]
    dtype = dtypes[0] if dtypes else torch.get_default_dtype()
    return Setup(
        device=request.device,
        dtype=str(dtype).removeprefix("torch."),
        batch=tensors[0].shape[0] if tensors and tensors[0].dim() > 1 else None,
        mode=request.mode,
        threads=torch.get_num_threads(),
        channels_last=request.channels_last,
        compiled=request.compile,
        optimizer=request.optimizer if request.trains else "",
        seed=request.seed,
    )


def _measure_all(prepared: Sequence[Prepared], request: Request) -> tuple[Profile, ...]:
    clock = make_clock(request.device)
    subjects = [item.subject for item in prepared]
    with ContentionMeter() as meter:
        recordings = measure(subjects, clock, request.rule, request.warmup, request.on_progress)
    return tuple(
        _make_profile(item, recording, request, meter.contention)
        for item, recording in zip(prepared, recordings, strict=True)
    )


def _make_profile(
    prepared: Prepared, recording: Recording, request: Request, contention: Contention
) -> Profile:
    clean = tuple(recording.passes[CLEAN])
    reached = estimate_median([sample.wall for sample in clean]).relative
    stop = request.rule.describe(len(clean), reached)
    return Profile(
        trace=prepared.trace,
        setup=replace(prepared.setup, stop=stop),
        environment=describe_environment(request.device),
        phases=prepared.subject.phases,
        clean=clean,
        instrumented=tuple(recording.passes[INSTRUMENTED]),
        layers=gather_layers(recording),
        work=find_work(prepared.trace, prepared.subject.timed),
        empty=recording.empty,
        timeline=recording.timeline,
        warmup=recording.warmup,
        settled=recording.settled,
        contention=contention,
        eager=tuple(recording.passes.get(EAGER, ())),
        notes=(*prepared.notes, *prepared.subject.list_notes()),
    )


def gather_layers(recording: Recording) -> tuple[LayerSamples, ...]:
    """A record for each layer and phase, in the order in which they first ran."""
    keys = dict.fromkeys(key for decoded in recording.decoded for key in decoded.layers)
    return tuple(_gather_layer(recording, *key) for key in keys)


def _gather_layer(recording: Recording, path: str, phase: str) -> LayerSamples:
    own = [decoded.layers.get((path, phase)) for decoded in recording.decoded]
    first = next(item for item in own if item is not None)
    samples = tuple(item.time if item else 0 for item in own)
    return LayerSamples(path, phase, samples, first.calls, first.inner)


def find_work(trace: Trace, timed: Sequence[str]) -> dict[str, LayerWork]:
    """What each timed layer does in a forward pass: the operations that run in it."""
    ran: dict[str, list[OpCost]] = {path: [] for path in timed}
    for operation in trace.ops:
        if operation.phase == "forward" and operation.path in ran:
            ran[operation.path].append(operation)
    return {path: _add_up_work(operations) for path, operations in ran.items()}


def _add_up_work(operations: Sequence[OpCost]) -> LayerWork:
    real = [op for op in operations if op.bytes_read or op.bytes_written]
    return LayerWork(
        macs=sum(op.macs for op in operations),
        bytes_moved=sum(op.bytes_read + op.bytes_written for op in real),
        operations=len(real),
        counted=sum(1 for op in operations if op.macs),
    )
