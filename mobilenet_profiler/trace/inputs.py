"""What a forward pass is given: from texts, shapes and tensors to arguments."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves, tree_map

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import (
    DEFAULT_RESOLUTION,
    REGISTRIES,
    InputSpec,
    ModelSpec,
    parse_input,
    parse_source,
)
from mobilenet_profiler.trace import packages
from mobilenet_profiler.trace.blame import describe_failure
from mobilenet_profiler.trace.build import keep_globals
from mobilenet_profiler.trace.sources import load_source, make_importable

_TOKENS = 128  # of a default text or sequence
_CALL = nn.Module.__call__
_CLIP = (16, 112, 112)  # of a default video: frames, height, width
_ALLOWED = "a shape, a tensor, a text such as 1x3x224x224, or a list or dict of these"


@dataclass(frozen=True)
class Inputs:
    """The arguments of one forward pass; tensors in them are on meta, or the caller's own."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor, in order, those inside lists and dicts too."""
        leaves = tree_leaves((self.args, dict(self.kwargs)))
        return tuple(leaf for leaf in leaves if isinstance(leaf, Tensor))

    def map_tensors(self, function: Callable[[Tensor], Tensor]) -> Inputs:
        """The same arguments with another tensor in the place of each; of one given twice, one."""
        known: dict[int, Tensor] = {}

        def exchange(tensor: Tensor) -> Tensor:
            if id(tensor) not in known:
                known[id(tensor)] = function(tensor)
            return known[id(tensor)]

        def replace(leaf: Any) -> Any:
            if isinstance(leaf, PackedSequence):
                # Its batch sizes are lengths, kept on the CPU.
                parts = (leaf.batch_sizes, leaf.sorted_indices, leaf.unsorted_indices)
                return PackedSequence(exchange(leaf.data), *parts)
            return exchange(leaf) if isinstance(leaf, Tensor) else leaf

        whole = (self.args, dict(self.kwargs))
        return Inputs(*tree_map(replace, whole, is_leaf=lambda v: isinstance(v, PackedSequence)))

    def without_values(self) -> Inputs:
        """The same arguments on meta: shapes, strides and dtypes."""
        return self.map_tensors(_drop_values)

    def describe(self) -> tuple[InputSpec, ...]:
        """Each argument as data, under its name where it has one."""
        positional = [_describe(None, value) for value in self.args]
        return (*positional, *(_describe(name, value) for name, value in self.kwargs.items()))

    def __str__(self) -> str:
        return " ".join(item.text for item in self.describe())


def make_inputs(
    model: nn.Module,
    spec: ModelSpec | None = None,
    inputs: Any = None,
    keywords: Mapping[str, Any] | None = None,
) -> Inputs:
    """The arguments for a model: those given, else the spec's, else the model's default.

    Values without a tensor among them, such as flags, go with the default. Raises
    UsageError on what cannot be an input, or what forward does not take.
    """
    chosen = _choose_given(spec, inputs)
    given = read_inputs(model, chosen, keywords)
    if not given.tensors and chosen != ():
        given = Inputs((*_make_default(model, spec), *given.args), given.kwargs)
    check_call(model, given)
    return given


def read_inputs(
    model: nn.Module, inputs: Any = None, keywords: Mapping[str, Any] | None = None
) -> Inputs:
    """Arguments from what a caller gave: tensors, shapes, texts, lists and dicts of these."""
    dtype = find_dtype(model)
    if isinstance(inputs, Inputs):
        given = inputs
    elif isinstance(inputs, Mapping):
        given = Inputs((), {str(name): _convert(v, dtype) for name, v in inputs.items()})
    else:
        given = _read_positional(inputs, dtype)
    named = {str(name): _convert(value, dtype) for name, value in (keywords or {}).items()}
    if twice := sorted(set(given.kwargs) & set(named)):
        raise UsageError(f"input {twice[0]!r} is given twice")
    return Inputs(given.args, {**given.kwargs, **named})


def check_call(model: nn.Module, inputs: Inputs) -> None:
    """Refuse arguments that the model's forward does not take, and name those it lacks."""
    signature = _read_signature(model)
    if signature is None or model._forward_pre_hooks or type(model).__call__ is not _CALL:
        return  # a hook, or a call of the model's own, may change what forward gets
    label, parameters = f"{type(model).__name__}.forward", signature.parameters.values()
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        for name in inputs.kwargs:
            if name not in names:
                raise unknown_name(f"input of {label}:", name, names)
    try:
        signature.bind(*inputs.args, **inputs.kwargs)
    except TypeError as error:
        raise _refuse_call(label, signature, inputs, error) from None


def _read_signature(model: nn.Module) -> inspect.Signature | None:
    try:
        return inspect.signature(model.forward)
    except (TypeError, ValueError):
        return None


def find_dtype(model: nn.Module) -> torch.dtype:
    """The dtype that a model computes in: of its first parameter that is no integer or float8."""
    dtypes = (p.dtype for p in model.parameters())
    floating = (d for d in dtypes if d.itemsize > 1 and (d.is_floating_point or d.is_complex))
    return next(floating, torch.get_default_dtype())


def _choose_given(spec: ModelSpec | None, inputs: Any) -> Any:
    if spec is None or not (spec.inputs or spec.inputs_from):
        return inputs
    if inputs is not None:
        raise UsageError("the spec has inputs already; give them once")
    return _call_maker(spec.inputs_from) if spec.inputs_from else spec.inputs


def _call_maker(text: str) -> Any:
    """What the function that a source names returns, `(args, kwargs)` told from a tuple."""
    source = parse_source(text)
    if source.kind not in ("module", "file"):
        raise UsageError(f"inputs come from module:function or file.py:function, given {text!r}")
    with keep_globals(), make_importable(source):
        maker = load_source(source)
        try:
            made = maker() if callable(maker) else maker
        except (Exception, SystemExit) as error:
            raise UsageError(f"{text} failed: {describe_failure(error)}") from error
    if made is None:
        raise UsageError(f"{text} returned None; inputs must be {_ALLOWED}")
    if isinstance(made, tuple) and [type(part) for part in made] == [tuple, dict]:
        return Inputs(*made)
    return made


def _read_positional(inputs: Any, dtype: torch.dtype) -> Inputs:
    if inputs is None:
        return Inputs()
    if isinstance(inputs, Tensor | str | InputSpec) or _is_shape(inputs):
        inputs = (inputs,)
    if not isinstance(inputs, tuple | list) or not (inputs == () or _holds_input(inputs)):
        raise UsageError(f"inputs must be {_ALLOWED}, given {_show(inputs)}")
    args, kwargs = [], {}
    for item in inputs:
        item = parse_input(item) if isinstance(item, str) else item
        if isinstance(item, InputSpec) and item.name is not None:
            if item.name in kwargs:
                raise UsageError(f"input {item.name!r} is given twice")
            kwargs[item.name] = _convert(item, dtype)
        else:
            args.append(_convert(item, dtype))
    return Inputs(tuple(args), kwargs)


def _is_shape(value: Any) -> bool:
    if not isinstance(value, tuple | list) or not value:
        return False
    return all(isinstance(n, Integral) and not isinstance(n, bool) and int(n) >= 0 for n in value)


def _show(value: Any) -> str:
    return " ".join(reprlib.repr(value).split())


def _holds_input(value: Any) -> bool:
    """Whether a value is a tensor, a shape or a text, or holds one."""
    if isinstance(value, Tensor | str | InputSpec) or _is_shape(value):
        return True
    items: Iterable[Any] = value.values() if isinstance(value, dict) else value
    return isinstance(value, tuple | list | dict) and any(map(_holds_input, items))


def _convert(value: Any, dtype: torch.dtype) -> Any:
    """One argument: tensors as they are, texts and shapes as meta tensors, all else as it is."""
    if isinstance(value, str):
        value = parse_input(value)
    if isinstance(value, InputSpec):
        return _make_argument(value, dtype)
    if _is_shape(value):
        return make_tensor(tuple(map(int, value)), dtype)
    if isinstance(value, dict):
        return {key: _convert(item, dtype) for key, item in value.items()}
    if type(value) in (tuple, list) and _holds_input(value):
        return type(value)(_convert(item, dtype) for item in value)
    return value


def _make_argument(spec: InputSpec, dtype: torch.dtype) -> Any:
    if spec.items is not None:
        made = [_make_argument(item, dtype) for item in spec.items]
        names = [item.name for item in spec.items]
        return dict(zip(names, made, strict=True)) if all(names) else made
    if spec.shape is None:
        return spec.value
    return make_tensor(spec.shape, getattr(torch, spec.dtype) if spec.dtype else dtype)


def make_tensor(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A meta tensor, or a UsageError where there can be none of that size."""
    try:
        return torch.empty(shape, dtype=dtype, device="meta")
    except (RuntimeError, TypeError) as error:
        size = "x".join(map(str, shape))
        raise UsageError(f"cannot make an input of {size}: {error}") from None


def _drop_values(tensor: Tensor) -> Tensor:
    if tensor.is_meta and not tensor.is_inference():
        return tensor
    if tensor.layout is not torch.strided:
        return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    return torch.empty_strided(
        tensor.shape,
        tensor.stride(),
        dtype=tensor.dtype,
        device="meta",
        requires_grad=tensor.requires_grad,
    )


def _describe(name: str | None, value: Any) -> InputSpec:
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return InputSpec(name, tuple(value.shape), dtype)
    if isinstance(value, PackedSequence):
        return _describe(name, value.data)
    if isinstance(value, list | tuple) and any(isinstance(leaf, Tensor) for leaf in value):
        return InputSpec(name, items=tuple(_describe(None, item) for item in value))
    if isinstance(value, dict) and any(isinstance(leaf, Tensor) for leaf in value.values()):
        return InputSpec(name, items=tuple(_describe(str(k), item) for k, item in value.items()))
    return InputSpec(name, value=value)


def _refuse_call(
    label: str, signature: inspect.Signature, inputs: Inputs, error: TypeError
) -> UsageError:
    """The arguments that forward lacks by name, or how many too many there are."""
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(inputs.args) > len(positional):
        most = f"at most {len(positional)}: {', '.join(p.name for p in positional) or 'none'}"
        return UsageError(f"{label} takes {most}; given {len(inputs.args)} positional inputs")
    filled = {p.name for p in positional[: len(inputs.args)]} | set(inputs.kwargs)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]
    missing = [name for name in needed if name not in filled]
    if missing:
        wanted = " ".join(f"--input {name}=SHAPE" for name in missing)
        return UsageError(f"{label} needs {', '.join(missing)}; given {inputs}; add {wanted}")
    return UsageError(f"{label}: {error}")


def _make_default(model: nn.Module, spec: ModelSpec | None) -> tuple[Any, ...]:
    signature, dtype = _read_signature(model), find_dtype(model)
    if signature is not None and not signature.parameters:
        return ()
    if spec is None:
        return (guess_input(model),)
    if spec.source.kind == "zoo":
        return (make_tensor(spec.input_shape, dtype),)
    if spec.source.kind in REGISTRIES:
        chosen = packages.choose_inputs(spec, model)
        return tuple(_make_argument(item, dtype) for item in chosen)
    return (guess_input(model, spec.batch or 1, spec.resolution),)


def guess_input(model: nn.Module, batch: int = 1, resolution: int | None = None) -> Tensor:
    """An input that fits the first layer of a known kind, in the order of registration."""
    for layer in model.modules():
        shape = _fit_layer(layer, batch, resolution)
        if shape is not None:
            lookup = isinstance(layer, nn.Embedding | nn.EmbeddingBag)
            return make_tensor(shape, torch.int64 if lookup else find_dtype(model))
    size = resolution or DEFAULT_RESOLUTION
    return make_tensor((batch, 3, size, size), find_dtype(model))


def _fit_layer(layer: nn.Module, batch: int, resolution: int | None) -> tuple[int, ...] | None:
    if isinstance(layer, _ConvNd):
        return (batch, layer.in_channels, *_choose_size(len(layer.kernel_size), resolution))
    if isinstance(layer, nn.Linear):
        return (batch, layer.in_features)
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return (batch, _TOKENS)
    if isinstance(layer, nn.RNNBase):
        steps = (batch, _TOKENS) if layer.batch_first else (_TOKENS, batch)
        return (*steps, layer.input_size)
    return (batch, layer.input_size) if isinstance(layer, nn.RNNCellBase) else None


def _choose_size(rank: int, resolution: int | None) -> tuple[int, ...]:
    if rank != len(_CLIP):
        return (resolution or DEFAULT_RESOLUTION,) * rank
    return _CLIP if resolution is None else (_CLIP[0], resolution, resolution)
