"""Networks that torchvision and timm know by name, without weights. Neither is a dependency."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import InputSpec, ModelSpec
from mobilenet_profiler.trace.blame import describe_failure

SHOWN_NAMES = 20
SEGMENTATION_SIZE = 520  # resize_size of torchvision's SemanticSegmentation transforms
DETECTION_SIZE = 800  # min_size of torchvision's Faster R-CNN, Mask R-CNN, RetinaNet, FCOS
FLOW_SIZE = (520, 960)  # torchvision's RAFT takes multiples of 8; its gallery resizes to this
VIDEO_FRAMES = 16  # clip length of torchvision's ResNet-18 3D, S3D and MViT weights
_WEIGHTS = frozenset(
    {"weights", "weights_backbone", "pretrained", "pretrained_backbone", "checkpoint_path"}
)


def find_torchvision(name: str) -> Callable[..., nn.Module]:
    """torchvision's builder of that name, told to load no weights."""
    models = _import_registry("torchvision", "torchvision.models")
    if name not in models.list_models():
        raise unknown_name("model of torchvision:", name, models.list_models(), SHOWN_NAMES)
    builder = models.get_model_builder(name)
    parameters = inspect.signature(builder).parameters
    without = {key: None for key in ("weights", "weights_backbone") if key in parameters}
    return functools.partial(builder, **without)


def find_timm(name: str) -> Callable[..., nn.Module]:
    """timm's factory for that name, told to load no weights."""
    timm = _import_registry("timm", "timm")
    if ":" in name or not timm.is_model(name):
        raise unknown_name("model of timm:", name, timm.list_models(), SHOWN_NAMES)
    return functools.partial(timm.create_model, name, pretrained=False)


def refuse_weights(label: str, options: Mapping[str, Any]) -> None:
    """No weights are ever loaded: an option that asks for some is a mistake."""
    for key in _WEIGHTS.intersection(options):
        if options[key]:
            raise UsageError(f"{label}: weights are never loaded; leave out {key!r}")


def choose_inputs(spec: ModelSpec, model: nn.Module) -> tuple[InputSpec, ...]:
    """The input that the registry publishes for a network, at the spec's resolution and batch."""
    if spec.source.kind == "timm":
        return (_make_image(spec, _measure_timm(spec, model)),)
    models = _import_registry("torchvision", "torchvision.models")
    builder = models.get_model_builder(spec.source.name)
    family = builder.__module__.removeprefix("torchvision.models.").partition(".")[0]
    if family == "detection":
        size = spec.resolution or DETECTION_SIZE
        image = InputSpec(shape=(3, size, size))
        return (InputSpec(items=(image,) * (spec.batch or 1)),)
    if family == "optical_flow":
        return (_make_image(spec, (3, *FLOW_SIZE)),) * 2
    if family == "segmentation":
        return (_make_image(spec, (3, SEGMENTATION_SIZE, SEGMENTATION_SIZE)),)
    frames = (VIDEO_FRAMES,) if family == "video" else ()
    fixed = getattr(model, "image_size", None)  # a network built for one size names it
    crop = _read_crop(models.get_model_weights(builder))
    height, width = (fixed, fixed) if isinstance(fixed, int) else crop
    return (_make_image(spec, (3, *frames, height, width)),)


def _make_image(spec: ModelSpec, shape: tuple[int, ...]) -> InputSpec:
    size = shape[-2:] if spec.resolution is None else (spec.resolution,) * 2
    return InputSpec(shape=(spec.batch or 1, *shape[:-2], *size))


def _measure_timm(spec: ModelSpec, model: nn.Module) -> tuple[int, ...]:
    """Channels, height and width: timm's configuration, or what the options changed of it."""
    config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    channels, *size = config.get("input_size") or (3, 224, 224)
    chosen = spec.options.get("img_size", size)
    size = [chosen, chosen] if isinstance(chosen, int) else list(chosen)
    return (spec.options.get("in_chans", channels), *size)


def _read_crop(weights: Any) -> tuple[int, int]:
    """Height and width in the transforms that belong to the default weights, unloaded."""
    keywords = getattr(weights.DEFAULT.transforms, "keywords", {})
    crop = keywords.get("crop_size", 224)
    height, width = (crop, crop) if isinstance(crop, int) else (crop[0], crop[-1])
    return height, width


def _import_registry(package: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == package:
            raise UsageError(f"{package} is not installed: pip install {package}") from None
        raise UsageError(f"cannot import {package}: {describe_failure(error)}") from error
    except Exception as error:
        raise UsageError(f"cannot import {package}: {describe_failure(error)}") from error
