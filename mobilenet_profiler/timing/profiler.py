"""`profile`: a network and its input in, a Profile out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.training import fill_training_settings
from mobilenet_profiler.spec import ModelSpec, make_spec
from mobilenet_profiler.timing.clocks import make_clock
from mobilenet_profiler.timing.contention import ContentionMeter
from mobilenet_profiler.timing.gathering import make_profile
from mobilenet_profiler.timing.loan import lend_module, list_eager_parts
from mobilenet_profiler.timing.measuring import OnProgress, StopRule, take_rounds, warm_all
from mobilenet_profiler.timing.preparing import Prepared, build_network, prepare
from mobilenet_profiler.timing.request import Request
from mobilenet_profiler.trace.build import keep_globals
from mobilenet_profiler.trace.inputs import make_inputs
from mobilenet_profiler.trace.isolation import keep_global_settings
from mobilenet_profiler.trace.sources import make_importable
from mobilenet_profiler.trace.tracer import unwrap

ModelLike = str | Path | ModelSpec | nn.Module


def profile(
    model: ModelLike = "mobilenet_v1",
    inputs: Any = None,
    *,
    keywords: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype | None = None,
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
    place = str(device) if isinstance(device, torch.device) else device
    request = Request(
        *(place, dtype, threads, channels_last, compile, mode, optimizer, rule),
        *(warmup, seed, on_progress),
    )
    with prepare_machine(request):
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
    if not specs:
        raise UsageError("give at least one spec to profile, given none")
    rule = StopRule(*(options.pop(name, None) for name in ("iterations", "min_time", "precision")))
    request = Request(rule=rule, **options)
    with prepare_machine(request):
        return _profile_specs(specs, request)


@contextmanager
def prepare_machine(request: Request) -> Iterator[None]:
    """Seeded random numbers and the threads that were asked for; both put back after."""
    with ExitStack() as stack:
        stack.enter_context(keep_globals())
        stack.enter_context(keep_global_settings())
        stack.enter_context(torch.inference_mode(False))  # whatever the caller's code is in
        torch.default_generator.manual_seed(request.seed)
        if request.threads is not None:
            torch.set_num_threads(request.threads)
        yield


def _profile_module(
    model: nn.Module, inputs: Any, keywords: Mapping[str, Any] | None, request: Request
) -> Profile:
    how = (request.place, request.torch_dtype, request.channels_last, request.trains)
    with lend_module(model, *how) as module:
        given = make_inputs(module, None, inputs, keywords)
        spec = ModelSpec(type(model).__name__, inputs=given.describe())
        prepared = prepare(module, spec, given, request)
        prepared.notes += list_eager_parts(model, module)
        return _measure_all([prepared], request)[0]


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
            module = build_network(spec, request, modules, stack)
            given = make_inputs(module, spec, inputs, keywords)
            prepared.append(prepare(module, spec, given, request))
        return _measure_all(prepared, request)


def _measure_all(prepared: Sequence[Prepared], request: Request) -> tuple[Profile, ...]:
    clock = make_clock(request.device)
    subjects = [item.subject for item in prepared]
    told = request.on_progress
    recordings = warm_all(subjects, clock, request.rule, request.warmup, told)
    with ContentionMeter() as meter:  # without the warm-up, in which a network may be compiled
        take_rounds(subjects, recordings, clock, request.rule, told)
    return tuple(
        make_profile(item, recording, request, meter.contention)
        for item, recording in zip(prepared, recordings, strict=True)
    )
