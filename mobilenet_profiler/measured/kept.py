"""Ceilings that are kept: where, for which environment, as which JSON, and back. No torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mobilenet_profiler.measured.roofline import (
    AnyPoint,
    Bandwidth,
    Ceiling,
    Overhead,
    Peak,
    Point,
)

SCHEMA_VERSION = 1
FOLDER_VARIABLE = "MOBILENET_PROFILER_CACHE"
_APPLICATION = "mobilenet-profiler"

# What a ceiling depends on, of what `describe_environment` tells. Left out is what changes by
# itself (clocks, temperature), what it was measured for each of (threads, precisions of
# float32), and what changes no rate.
_CONDITIONS = {
    "": ("python", "torch", "libraries", "variables"),
    "cpu": ("model", "usable_cores", "quota_cores", "governor", "max_frequency_khz", "turbo"),
    "numerics": ("onednn_matmul", "onednn_convolution"),
    "gpu": (
        *("name", "capability", "multiprocessors", "cores", "cuda", "hip", "cudnn", "macos"),
        *("driver", "mig", "ecc", "power_limit_watts", "max_sm_clock_mhz", "max_memory_clock_mhz"),
    ),
}

Tell = Callable[[str], None]


def ignore(line: str) -> None:
    """Tell nobody."""


def choose_conditions(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What a ceiling depends on, of an environment as `describe_environment` tells it."""
    chosen: dict[str, Any] = {}
    for room, names in _CONDITIONS.items():
        known = environment if not room else environment.get(room)
        if known:
            own = {name: known[name] for name in names if name in known}
            chosen.update({room: own} if room else own)
    return chosen


def locate_folder() -> Path:
    """Where ceilings are kept: MOBILENET_PROFILER_CACHE, or the user's cache directory."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given)
    from platformdirs import user_cache_path

    return user_cache_path(_APPLICATION, appauthor=False)


def locate_ceiling(device: str, environment: Mapping[str, Any]) -> Path:
    """The file of one device under one set of conditions, whether it is there or not."""
    key = json.dumps(environment, sort_keys=True, ensure_ascii=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return locate_folder() / f"ceiling-{device.replace(':', '-')}-{digest}.json"


def find_ceiling(
    device: str, environment: Mapping[str, Any], tell: Tell = ignore
) -> Ceiling | None:
    """What is kept for a device in this environment, or None.

    environment: the conditions it must have been measured under, of `choose_conditions`.
    tell: gets one line where a file is there and cannot be used.
    """
    path = locate_ceiling(device, environment)
    try:
        ceiling = decode_ceiling(path.read_text(encoding="utf-8"))
        _check_home(ceiling, device, environment)
    except FileNotFoundError:
        return None
    except OSError as error:
        tell(f"ignored {str(path)!r}: {error.strerror}")
    except (ValueError, RecursionError) as error:
        tell(f"ignored {str(path)!r}: {' '.join(str(error).split())}")
    else:
        return ceiling
    return None


def _check_home(ceiling: Ceiling, device: str, environment: Mapping[str, Any]) -> None:
    """Refuse a ceiling of another device or environment."""
    if ceiling.device != device:
        raise ValueError(f"it is of device {ceiling.device!r}, not of {device!r}")
    plain = json.loads(json.dumps(environment))
    own = dict(ceiling.environment)
    changed = [key for key in {**own, **plain} if own.get(key) != plain.get(key)]
    if changed:
        raise ValueError(f"it was measured in another environment: {', '.join(sorted(changed))}")


def describe_ceiling(ceiling: Ceiling) -> dict[str, Any]:
    """A ceiling as plain data: every point with its samples, and with the rate they make."""
    return {
        "schema_version": SCHEMA_VERSION,
        "device": ceiling.device,
        "date": ceiling.date,
        "environment": dict(ceiling.environment),
        "peaks": [_describe(peak, "macs_per_second") for peak in ceiling.peaks],
        "bandwidths": [_describe(point, "bytes_per_second") for point in ceiling.bandwidths],
        "overheads": [_describe(point, "nanoseconds") for point in ceiling.overheads],
        "notes": list(ceiling.notes),
    }


def encode_ceiling(ceiling: Ceiling) -> str:
    """The text of its file, and of `ceiling --format json`."""
    return json.dumps(describe_ceiling(ceiling), indent=2, ensure_ascii=False) + "\n"


def decode_ceiling(text: str) -> Ceiling:
    """The ceiling that such a text holds.

    Raises ValueError, naming what is wrong in it.
    """
    try:
        data = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    version = _take(data, "schema_version", int)
    if version != SCHEMA_VERSION:
        raise ValueError(f"its schema_version is {version}, not {SCHEMA_VERSION}")
    return Ceiling(
        device=_take(data, "device", str),
        environment=_take(data, "environment", dict),
        peaks=tuple(_read_points(data, "peaks", Peak)),
        bandwidths=tuple(_read_points(data, "bandwidths", Bandwidth)),
        overheads=tuple(_read_points(data, "overheads", Overhead)),
        date=_take(data, "date", str),
        notes=tuple(_take_all(data, "notes", str)),
    )


def _describe(point: Point, rate: str) -> dict[str, Any]:
    own = {field.name: getattr(point, field.name) for field in fields(point)}
    return {**own, "samples": list(point.samples), rate: getattr(point, rate)}


def _read_points(data: Any, key: str, kind: type[AnyPoint]) -> Iterator[AnyPoint]:
    for item in _take_all(data, key, dict):
        given = {field.name: item.get(field.name) for field in fields(kind)}
        for field in fields(kind):
            if not _fits(given[field.name], str(field.type), least=int(field.name != "threads")):
                raise ValueError(f"{field.name!r} of its {key} is {str(given[field.name])[:40]!r}")
        yield kind(**{**given, "samples": tuple(given["samples"])})


def _fits(value: Any, kind: str, least: int) -> bool:
    """Whether a value read from JSON is of a field's type, and a number large enough."""
    if kind == "str":
        return isinstance(value, str)
    if kind == "int":
        return type(value) is int and value >= least
    return isinstance(value, list) and bool(value) and all(_fits(v, "int", 1) for v in value)


def _take(data: Any, key: str, kind: type) -> Any:
    if not isinstance(data, dict) or type(data.get(key)) is not kind:
        raise ValueError(f"it holds no ceiling: {key!r} is missing or of another type")
    return data[key]


def _take_all(data: Any, key: str, kind: type) -> Sequence[Any]:
    items: list[Any] = _take(data, key, list)
    if not all(isinstance(item, kind) for item in items):
        raise ValueError(f"it holds no ceiling: {key!r} has an item of another type")
    return items
