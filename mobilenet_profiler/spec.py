"""ModelSpec: what to build and with which inputs. No torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.variant import INPUT_KEYS, check_size, list_options, read_variant
from mobilenet_profiler.zoo.catalogue import find_model, list_models

DEFAULT_RESOLUTION = 224
MODES = ("eval", "train")
DTYPES = (
    *("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "bool"),
    *("uint8", "uint16", "uint32", "uint64", "complex32", "complex64", "complex128"),
    *("float", "double", "half", "long", "int", "short", "cfloat", "cdouble"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
)
REGISTRIES = ("torchvision", "timm")
SOURCE_FORMS = "package.module:factory, file.py:Name, torchvision/NAME, timm/NAME, variant.toml"
_CHECKPOINTS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".onnx")
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_PAIR = re.compile(r"[^\W\d]\w*=")
_TEXT_NAMES = {"classes": "num_classes"}  # as the command line names it
_CONSTANTS = {"true": True, "false": False, "none": None}

SourceKind = Literal["zoo", "module", "file", "torchvision", "timm"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network comes from.

    kind: a name of the zoo, an importable module, a Python file, or a registry.
    place: the module or the file; '' elsewhere.
    name: of the network there, with dots for attributes; '' where none was given.
    """

    kind: SourceKind
    place: str
    name: str


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One argument of a forward pass, as text on the command line gives it.

    name: of a keyword argument, or None for a positional one.
    shape: of a tensor, or None where `items` or `value` is the argument.
    dtype: of the tensor; None is the dtype of the model's parameters.
    items: of a list of tensors, or of a dict where they have names. value: anything else, as it is.
    """

    name: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    items: tuple[InputSpec, ...] | None = None
    value: Any = None

    @property
    def text(self) -> str:
        """`1x3x224x224`, `mask=1x10:bool`: what `--input` takes; float32 goes unsaid."""
        prefix = f"{self.name}=" if self.name else ""
        if self.items is not None:
            return f"{prefix}[{','.join(item.text for item in self.items)}]"
        if self.shape is None:
            constant = self.value is None or isinstance(self.value, bool)
            return prefix + (str(self.value).lower() if constant else _shorten(self.value))
        suffix = "" if self.dtype in (None, "float32") else f":{self.dtype}"
        return prefix + ("x".join(map(str, self.shape)) or "scalar") + suffix

    @property
    def shapes(self) -> list[list[int]]:
        """The shape of every tensor in it."""
        if self.items is not None:
            return [shape for item in self.items for shape in item.shapes]
        return [] if self.shape is None else [list(self.shape)]


@dataclass(frozen=True)
class ModelSpec:
    """A network, the arguments of its factory, and its input.

    model: its source: a name of the zoo, `package.module:factory`, `file.py:Name`,
    `torchvision/NAME` or `timm/NAME`. options: arguments of its factory.
    resolution, batch: height and width in pixels and images of the network's own
    default input, where they were given. inputs: what to give it instead.
    inputs_from: a source that makes them. mode: eval or train.
    name: what a variant calls itself, for headings.
    """

    model: str = "mobilenet_v1"
    options: Mapping[str, Any] = field(default_factory=dict)
    resolution: int | None = None
    batch: int | None = None
    name: str | None = None
    mode: str = "eval"
    inputs: tuple[InputSpec, ...] = ()
    inputs_from: str | None = None

    @property
    def source(self) -> Source:
        """Where the network comes from; raises UsageError where that cannot be."""
        return parse_source(self.model)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """The square RGB images that a network of the zoo takes."""
        size = self.resolution or _find_resolution(self.model)
        return (self.batch or 1, 3, size, size)

    @property
    def known_inputs(self) -> tuple[InputSpec, ...]:
        """The inputs, as far as they are known before the network is built."""
        if self.inputs or self.inputs_from or find_model(self.model) is None:
            return self.inputs
        return (InputSpec(shape=self.input_shape),)

    @property
    def label(self) -> str:
        """One line for a heading: name, options that were set, input."""
        return " ".join(list_label_parts(self.as_dict()))

    def as_dict(self) -> dict[str, Any]:
        """The spec as plain data, for JSON: `inputs` are shapes, `arguments` whole inputs."""
        return {
            "model": self.model,
            "name": self.name or self.model,
            "options": {key: make_plain(value) for key, value in self.options.items()},
            "mode": self.mode,
            "inputs": [shape for item in self.known_inputs for shape in item.shapes],
            "arguments": [item.text for item in self.known_inputs],
        }


def list_label_parts(spec: Mapping[str, Any]) -> list[str]:
    """The parts of a label, from a spec as plain data: its name, `alpha=0.75`, `input=1x3`."""
    options = spec.get("options", {})
    parts = [str(spec.get("name", ""))]
    parts += [f"{key}={_shorten(value)}" for key, value in options.items() if key != "rows"]
    parts += ["mode=train"] if spec.get("mode") == "train" else []
    texts = " ".join(spec.get("arguments", ()))
    return [*parts, f"input={texts}"] if texts else parts


def make_spec(
    source: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    inputs: Iterable[str | InputSpec] = (),
    inputs_from: str | None = None,
    mode: str = "eval",
    **settings: Any,
) -> ModelSpec:
    """A spec from a source, or from the path of a TOML variant.

    settings: `resolution` or `beta` (resolution = beta times the network's own, 224 for
    most) and `batch` of the default input; any other is an argument of the factory. For a
    variant they override the file's. arguments: arguments of the factory under any name.
    inputs, inputs_from: what replaces the default input. mode: eval or train.
    Raises UsageError, naming what is allowed.
    """
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    parsed = tuple(parse_input(item) if isinstance(item, str) else item for item in inputs)
    if parsed and inputs_from:
        raise UsageError("give inputs or a function that makes them, not both")
    if parsed or inputs_from:
        refuse_sizes(settings)
    spec = _assemble(source, dict(arguments or {}), settings)
    return replace(spec, mode=mode, inputs=parsed, inputs_from=inputs_from)


def read_spec(text: str, **settings: Any) -> ModelSpec:
    """The spec that one text gives: a source, then what its heading shows.

    `mobilenet_v1 alpha=0.75 resolution=128`, `net.py:Net depth=4 input=1x16 mode=train`.
    settings: as `make_spec` takes them; the text overrides them. Raises UsageError.
    """
    source, pairs = _split_text(text)
    given = [parse_argument(pair) for pair in pairs if not pair.startswith("input=")]
    inputs = tuple(pair.removeprefix("input=") for pair in pairs if pair.startswith("input="))
    own = {_TEXT_NAMES.get(key, key): value for key, value in given}
    if len(own) < len(given):
        raise UsageError(f"{text!r} gives an option twice")
    kept = {key: own.pop(key) for key in (*INPUT_KEYS, "mode", "inputs_from") if key in own}
    arguments = {**settings.pop("arguments", {}), **own}
    if "resolution" in kept or "beta" in kept:
        settings = {key: settings[key] for key in settings if key not in ("resolution", "beta")}
    settings = {key: value for key, value in settings.items() if key not in own}
    if inputs:
        settings["inputs"] = inputs
    return make_spec(source, arguments=arguments, **{**settings, **kept})


def _split_text(text: str) -> tuple[str, list[str]]:
    """The source, in which spaces may stand, and the `key=value` after it."""
    words = text.split(" ")
    first = len(words)
    while first > 1 and (not words[first - 1] or _PAIR.match(words[first - 1])):
        first -= 1
    return " ".join(words[:first]), [word for word in words[first:] if word]


def refuse_sizes(settings: Mapping[str, Any]) -> None:
    """Inputs have a size already: refuse one for the default input beside them."""
    if sizes := [key for key in INPUT_KEYS if settings.get(key) is not None]:
        raise UsageError(f"give inputs, or {sizes[0]} for the default input, not both")


def parse_source(text: str) -> Source:
    """The source that a text names; raises UsageError where it can name none."""
    if text.casefold().endswith(_CHECKPOINTS):
        raise UsageError(f"{text!r} holds weights, not a network; name the code that builds it")
    registry, slash, name = text.partition("/")
    if slash and registry in REGISTRIES:
        return Source("torchvision" if registry == "torchvision" else "timm", "", name)
    if match := re.fullmatch(r"(.*\.py)(?::(.*))?", text, re.DOTALL):
        return Source("file", match[1], _check_attribute(text, match[2] or ""))
    place, colon, name = text.partition(":")
    if colon and _DOTTED.fullmatch(place):
        return Source("module", place, _check_attribute(text, name))
    if find_model(text) is not None:
        return Source("zoo", "", text)
    raise _refuse_source(text)


def _check_attribute(source: str, name: str) -> str:
    if name and not _DOTTED.fullmatch(name):
        raise UsageError(f"{source!r}: {name!r} is no name of Python; allowed: {SOURCE_FORMS}")
    return name


def _refuse_source(text: str) -> UsageError:
    if text and Path(text).is_dir():
        return UsageError(f"{text!r} is a directory; name a file in it: {text.rstrip('/')}/FILE.py")
    if Path(text).is_file():
        return UsageError(f"{text!r} is not Python; allowed: {SOURCE_FORMS}")
    if "." in text and _DOTTED.fullmatch(text):
        place, _, name = text.rpartition(".")
        return UsageError(f"{text!r} names no factory; write '{place}:{name}' or '{text}:NAME'")
    return unknown_name("model", text, [known.name for known in list_models()], also=SOURCE_FORMS)


def parse_argument(text: str) -> tuple[str, Any]:
    """`key=value` as a pair: a Python literal, true, false or none; else the text itself."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip().isidentifier():
        raise UsageError(f"an argument must be key=value, given {text!r}")
    try:
        return key.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return key.strip(), _CONSTANTS.get(value.strip().casefold(), value)


def parse_input(text: str) -> InputSpec:
    """The input that a text gives: `1x3x224x224`, `ids=1x128:int64`, `t=scalar`, `flag=true`.

    `[3x800x800,3x600x600]` is a list of tensors in one argument, `[a=1x3,b=1x4]` a dict.
    """
    name, equals, rest = text.strip().partition("=")
    if not equals or "[" in name:
        name, equals, rest = "", "", text
    if equals and not name.strip().isidentifier():
        raise UsageError(f"input {text!r}: {name!r} is no name of an argument")
    return replace(_parse_value(text, rest.strip()), name=name.strip() or None)


def _parse_value(text: str, value: str) -> InputSpec:
    if value.startswith("[") and value.endswith("]"):
        return InputSpec(items=tuple(parse_input(item) for item in value[1:-1].split(",")))
    if value.casefold() in _CONSTANTS:
        return InputSpec(value=_CONSTANTS[value.casefold()])
    size, colon, dtype = value.partition(":")
    if colon and dtype not in DTYPES:
        raise unknown_name(f"dtype in input {text!r}:", dtype, DTYPES)
    return InputSpec(shape=_parse_shape(text, size.strip()), dtype=dtype or None)


def _parse_shape(text: str, size: str) -> tuple[int, ...]:
    if size.casefold() == "scalar":
        return ()
    if not re.fullmatch(r"\d+([xX×]\d+)*", size, re.ASCII):
        raise UsageError(
            f"input {text!r} must be a shape such as 1x3x224x224, ids=1x128:int64, "
            "t=scalar or flag=true"
        )
    return tuple(int(number) for number in re.split("[xX×]", size))


def _assemble(source: str, arguments: dict[str, Any], settings: dict[str, Any]) -> ModelSpec:
    if not isinstance(source, str):
        raise UsageError(f"model must be a name, given {source!r}")
    twice = sorted(set(arguments) & set(settings))
    if source.casefold().endswith(".toml"):
        given = read_variant(Path(source))
    elif parse_source(source).kind == "zoo":
        given = {"model": source}
    else:
        sizes = {key: settings.pop(key, None) for key in INPUT_KEYS}
        twice = [key for key in twice if key not in INPUT_KEYS]
        given = {"model": source, **sizes}
    if twice:
        raise UsageError(f"{twice[0]!r} is given twice")
    return _assemble_settings(given, {**arguments, **settings})


def _assemble_settings(given: dict[str, Any], options: dict[str, Any]) -> ModelSpec:
    model, name = given.pop("model"), _check_name(given.pop("name", None))
    if find_model(model) is not None:
        if options.get("beta") is not None or options.get("resolution") is not None:
            given = {key: given[key] for key in given if key not in ("beta", "resolution")}
        options = {**given, **options}
        given = {key: options.pop(key, None) for key in INPUT_KEYS}
        check_options(model, options)
    batch = given["batch"]
    return ModelSpec(
        model,
        options,
        _choose_resolution(model, given["resolution"], given["beta"]),
        None if batch is None else check_size("batch", batch),
        name,
    )


def check_options(model: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a network of the zoo does not take."""
    allowed = list_options(model)
    for key in options:
        if key not in allowed:
            raise unknown_name(f"option of {model}", key, [*allowed, *INPUT_KEYS])


def _find_resolution(model: str) -> int:
    entry = find_model(model)
    return entry.resolution if entry else DEFAULT_RESOLUTION


def _choose_resolution(model: str, resolution: Any, beta: Any) -> int | None:
    own = _find_resolution(model)
    if resolution is not None and beta is not None:
        raise UsageError(f"give resolution or beta, not both (beta = resolution / {own})")
    if resolution is not None:
        return check_size("resolution", resolution)
    if beta is None:
        return None
    if isinstance(beta, bool) or not isinstance(beta, int | float) or not 0 < beta <= 64:
        raise UsageError(f"beta must be a number above 0 and at most 64, given {beta!r}")
    return check_size(f"{own} * beta, rounded,", round(own * beta))


def _check_name(name: Any) -> str | None:
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise UsageError(f"name must be a text, given {name!r}")
    return " ".join("".join(filter(str.isprintable, name)).split()) if name else None


def _shorten(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else " ".join(str(make_plain(value)).split())


def make_plain(value: Any) -> Any:
    """A value for JSON: its own types as they are, of others a name that no run changes."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): make_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [make_plain(item) for item in value]
    return getattr(value, "__qualname__", type(value).__qualname__)
