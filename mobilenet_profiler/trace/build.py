"""From a spec to a network, with or without memory for its weights."""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils import _device
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.spec import REGISTRIES, ModelSpec, check_options
from mobilenet_profiler.trace.blame import describe_failure
from mobilenet_profiler.trace.packages import refuse_weights
from mobilenet_profiler.trace.sources import check_arguments, load_source, make_importable

_SEED = 0
_WORDS_OF_META = ("meta", "incompatible tensor type")  # how torch says that numbers are missing
Factory = Callable[[], Any]


def build_model(spec: ModelSpec, device: str = "meta") -> nn.Module:
    """The network of a spec, in the spec's mode; on meta it has shapes and no numbers.

    A constructor that looks at values is given real buffers, its parameters alone
    on meta. On the CPU the weights are initialised, the same each time. A source
    that names a module that is there already gives that very module, as it is.
    Raises UsageError where the source, an argument or the constructor fails.
    """
    with keep_globals(), make_importable(spec.source):
        found = load_source(spec.source)
        if isinstance(found, nn.Module):
            return _use_instance(found, spec)
        model = _construct(_bind_options(found, spec), spec, device)
        model.train(spec.mode == "train")
        return model


@contextmanager
def keep_globals() -> Iterator[None]:
    """Seed the random generators; give them and torch's defaults back as they were."""
    with ExitStack() as stack:
        stack.enter_context(_keep_default_device())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_grad_enabled, torch.is_grad_enabled())
        stack.callback(random.setstate, random.getstate())
        if "numpy.random" in sys.modules:
            generator = sys.modules["numpy.random"]
            stack.callback(generator.set_state, generator.get_state())
        # The CPU's generator alone: torch.manual_seed would reach the accelerators' too.
        stack.callback(torch.set_rng_state, torch.get_rng_state())
        torch.default_generator.manual_seed(_SEED)
        yield


@contextmanager
def set_mode(model: nn.Module, mode: str | None) -> Iterator[None]:
    """Train or eval for a while; None leaves the model as it is."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        if mode is not None:
            model.train(mode == "train")
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def _keep_default_device() -> Iterator[None]:
    """Restored only where it changed: one that is set slows every call of torch."""
    context, current = _find_default_device(), _device.CURRENT_DEVICE
    try:
        yield
    finally:
        if _find_default_device() is not context:
            torch.set_default_device(None)
            if context is not None:
                torch.set_default_device(context.device)
            _device.CURRENT_DEVICE = current


def _find_default_device() -> Any:
    return getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)


def _use_instance(model: nn.Module, spec: ModelSpec) -> nn.Module:
    if spec.options:
        given = ", ".join(spec.options)
        raise UsageError(f"{spec.model} is a module already and takes no arguments, given {given}")
    return model


def _bind_options(factory: Any, spec: ModelSpec) -> Factory:
    if not callable(factory):
        kind = type(factory).__name__
        raise UsageError(f"{spec.model} is of type {kind}; name a function, class or nn.Module")
    if spec.source.kind == "zoo":
        check_options(spec.model, spec.options)
    if spec.source.kind in REGISTRIES:
        refuse_weights(spec.model, spec.options)
    check_arguments(spec.model, factory, spec.options)
    return functools.partial(factory, **spec.options)


def _construct(factory: Factory, spec: ModelSpec, device: str) -> nn.Module:
    attempts: list[Callable[[], AbstractContextManager[Any]]] = [lambda: torch.device("cpu")]
    if device == "meta":
        attempts = [_put_all_on_meta, _put_parameters_on_meta, lambda: torch.device("cpu")]
    for index, attempt in enumerate(attempts, 1):
        try:
            with attempt(), _keep_default_device():
                model = factory()
            break
        except UsageError:
            raise
        except (Exception, SystemExit) as error:
            if index == len(attempts) or not _is_worth_another(index, spec, error):
                reason = describe_failure(error)
                raise UsageError(f"cannot build {spec.label}: {reason}") from error
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise UsageError(f"{spec.model} returned a {kind}, not an nn.Module")
    return model


def _is_worth_another(index: int, spec: ModelSpec, error: BaseException) -> bool:
    """The zoo builds on meta; real weights are made only for a constructor that needs numbers."""
    lacks_numbers = any(words in str(error) for words in _WORDS_OF_META)
    return spec.source.kind != "zoo" and (index == 1 or lacks_numbers)


@contextmanager
def _put_all_on_meta() -> Iterator[None]:
    with torch.device("meta"), _SkipInitialisation():  # type: ignore[no-untyped-call]
        yield


@contextmanager
def _put_parameters_on_meta() -> Iterator[None]:
    """Build on the CPU, each parameter leaving its numbers behind when a module takes it."""
    register = nn.Module.register_parameter
    moved = WeakIdKeyDictionary()

    @functools.wraps(register)
    def register_on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        register(self, name, _move_to_meta(param, moved))

    nn.Module.register_parameter = register_on_meta  # type: ignore[method-assign]
    try:
        with torch.device("cpu"), _SkipInitialisation():  # type: ignore[no-untyped-call]
            yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


def _move_to_meta(parameter: Any, moved: Any) -> Any:
    """The parameter without numbers; one that two modules share stays one."""
    if not isinstance(parameter, nn.Parameter) or parameter.is_meta or is_lazy(parameter):
        return parameter
    if parameter not in moved:
        empty: Tensor = torch.empty_like(parameter, device="meta")
        stand_in = nn.Parameter(empty.detach(), requires_grad=parameter.requires_grad)
        vars(stand_in).update(vars(parameter))
        moved[parameter] = stand_in
    return moved[parameter]


class _SkipInitialisation(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lets what is on meta stay as it is: no operation in place, no move to a device."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if _writes_first(func) and isinstance(args[0], Tensor) and args[0].is_meta:
            return args[0]
        if func is torch.ops.aten._to_copy.default and args[0].is_meta:
            # A factory that moves its network to a device has no numbers to move.
            kwargs = {**kwargs, "device": torch.device("meta")}
        return func(*args, **(kwargs or {}))


@functools.cache
def _writes_first(func: Any) -> bool:
    """An in-place operation; one that writes a later argument has an output of its own."""
    arguments = func._schema.arguments
    return bool(arguments) and arguments[0].is_write
