"""The options that name a model and its inputs, and its trace: shared by several commands."""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.spec import ModelSpec, parse_argument, read_spec

if TYPE_CHECKING:
    from mobilenet_profiler.cost import Trace
    from mobilenet_profiler.measured.profile import Profile

Settings = dict[str, Any]

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "alpha": (opt.Alpha, None),
    "resolution": (opt.Resolution, None),
    "beta": (opt.Beta, None),
    "classes": (opt.Classes, None),
    "output_stride": (opt.OutputStride, None),
    "final_endpoint": (opt.FinalEndpoint, None),
    "explicit_padding": (opt.ExplicitPadding, None),
    "global_pool": (opt.GlobalPool, None),
    "batch": (opt.Batch, None),
    "arguments": (opt.Set, None),
    "inputs": (opt.Input, None),
    "inputs_from": (opt.InputsFrom, None),
    "mode": (opt.Train, False),
}
_RENAMED = {"classes": "num_classes"}
_GATHERED = ("arguments", "inputs", "inputs_from", "mode")


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of a model in the place of its parameter `settings`.

    The command gets those that were given, as `make_spec` takes them. An option of a model
    that the command has as a parameter of its own is left to it.
    """
    own = inspect.signature(command).parameters
    taken = [name for name in _OPTIONS if name not in own]

    @wraps(command)
    def run(**given: Any) -> None:
        settings = gather_settings({name: given.pop(name) for name in taken})
        command(settings=settings, **given)

    parameters = list(_list_parameters(command, taken))
    del run.__wrapped__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _list_parameters(
    command: Callable[..., None], taken: Sequence[str]
) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(command, include_extras=True)
    named = inspect.Parameter.KEYWORD_ONLY
    for name, parameter in inspect.signature(command).parameters.items():
        if name != "settings":
            yield parameter.replace(annotation=hints[name], kind=named)
            continue
        for option in taken:
            annotation, default = _OPTIONS[option]
            yield inspect.Parameter(option, named, default=default, annotation=annotation)


def gather_settings(given: dict[str, Any]) -> Settings:
    """What `make_spec` takes of the command line: the options that were given."""
    settings = {
        _RENAMED.get(name, name): value
        for name, value in given.items()
        if value is not None and name not in _GATHERED
    }
    arguments: dict[str, Any] = {}
    for text in given["arguments"] or ():
        key, value = parse_argument(text)
        if key in arguments:
            raise UsageError(f"--set {key} is given twice")
        arguments[key] = value
    return {
        **settings,
        "arguments": arguments,
        "inputs": tuple(given["inputs"] or ()),
        "inputs_from": given["inputs_from"],
        "mode": "train" if given.get("mode") else "eval",
    }


def gives_model_options(settings: Settings) -> bool:
    """Whether any option of a model was given."""
    return settings["mode"] == "train" or any(settings[name] for name in settings if name != "mode")


def trace_spec(
    spec: ModelSpec, backward: bool = False, values: bool = False, memory: bool = False
) -> Trace:
    """The spec's trace; torch is imported here.

    memory: predict that too, of a training step where the backward pass is traced.
    """
    with spare_garbage():
        from mobilenet_profiler.trace.tracer import trace
    with keep_stdout():
        traced = trace(spec, backward=backward, values=values)
        if not memory:
            return traced
        from mobilenet_profiler.trace.lifetimes import predict_memory

        return replace(traced, memory=predict_memory(spec, training=backward, values=values))


def trace_all(
    texts: Sequence[str],
    settings: Settings,
    convention: str = DEFAULT,
    values: bool = False,
) -> list[Trace]:
    """A trace for each text, in a convention; a text is a model or a file that `table` wrote.

    Whatever can be refused without torch is refused before any is traced.
    """
    from mobilenet_profiler.conventions.catalogue import find_convention

    find_convention(convention)
    saved = {text: read_saved(text, settings, convention) for text in texts if is_saved(text)}
    specs = {text: read_spec(text, **settings) for text in texts if text not in saved}
    traced = {text: trace_spec(spec, values=values) for text, spec in specs.items()}
    return [saved[text] if text in saved else traced[text].convert(convention) for text in texts]


def is_saved(text: str) -> bool:
    """Whether a text names a file of traces rather than a model."""
    return text.casefold().endswith(".json")


def holds_profile(text: str) -> bool:
    """Whether a text names a file of profiles rather than a model or a file of a trace."""
    if not is_saved(text):
        return False
    from mobilenet_profiler.saved import find_kind, read_json

    return find_kind(read_json(text)) != "trace"


def read_saved_profile(path: str, settings: Settings, **given: object) -> Profile:
    """A saved profile, which takes no options of a model nor any other that was given."""
    from mobilenet_profiler.measured.saved import read_profile

    if gives_model_options(settings):
        raise UsageError(f"{path!r} is a profile already: options of a model do not apply to it")
    for name, value in given.items():
        if value:
            option = name.replace("_", "-")
            raise UsageError(f"{path!r} is a profile already: --{option} does not apply to it")
    return read_profile(path)


def read_saved(path: str, settings: Settings, convention: str) -> Trace:
    """A saved trace, which takes no options of a model and has one convention."""
    if gives_model_options(settings):
        raise UsageError(f"{path!r} is a trace already: options of a model do not apply to it")
    return read_in_convention(path, convention)


def read_in_convention(path: str, convention: str) -> Trace:
    """A saved trace, refused where it counts in another convention than the one asked for."""
    from mobilenet_profiler.comparing import name_convention
    from mobilenet_profiler.saved import read_trace

    trace = read_trace(path)
    own = name_convention(trace)
    if own != convention:
        raise UsageError(f"{path}: counts in convention {own!r}, asked for {convention!r}")
    return trace


@contextmanager
def spare_garbage() -> Iterator[None]:
    """While torch is imported: its objects live as long as the process.

    They are some hundred thousand; collecting garbage among them costs a tenth of a command
    and finds none.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@contextmanager
def keep_stdout() -> Iterator[None]:
    """Stdout carries our data: what a model's own code prints goes to stderr."""
    with redirect_stdout(sys.stderr):
        yield
