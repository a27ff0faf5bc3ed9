"""What `profile --save` wrote, read back into a Profile. No torch."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.profile import (
    RUN_MODES,
    Contention,
    EmptyCosts,
    LayerSamples,
    LayerWork,
    Pass,
    Profile,
    Setup,
    Span,
)
from mobilenet_profiler.saved import (
    blame_file,
    check_version,
    find_kind,
    make_trace,
    read_json,
    shorten,
    take,
    take_texts,
)

WRITER = "profile --save"

Record = TypeVar("Record")


def read_profile(path: str | Path) -> Profile:
    """The one profile in a file of `profile --save`; its trace has no `ops`.

    Raises UsageError, naming the file and what is wrong in it, or which batches it holds
    where these are several.
    """
    profiles = read_profiles(path)
    if len(profiles) > 1:
        batches = ", ".join(str(profile.setup.batch) for profile in profiles)
        raise UsageError(
            f"{path}: holds {len(profiles)} profiles, of batches {batches}; one is needed: save "
            "it alone with --batch N, or take it of read_profiles"
        )
    return profiles[0]


def read_profiles(path: str | Path) -> tuple[Profile, ...]:
    """Every profile in a file, in its order: one, or one for each batch."""
    data = read_json(path)
    with blame_file(path):
        return make_profiles(data)


def make_profiles(data: Any) -> tuple[Profile, ...]:
    """The profiles of a file's plain data. Raises UsageError."""
    check_version(data, WRITER)
    if find_kind(data) == "profile":
        return (make_profile(data),)
    if find_kind(data) != "profiles":
        what = "a trace, not a profile" if "spec" in data else "no profile"
        raise UsageError(f"holds {what}; `{WRITER} FILE.json` writes one")
    items = take(data, "profiles", list, "the file")
    if not items:
        raise UsageError("'profiles' of the file is empty")
    return tuple(make_profile(item) for item in items)


def make_profile(data: Any) -> Profile:
    """The profile that `render.profile_json.describe_profile` made plain data of."""
    check_version(data, WRITER)
    phases = _read_phases(data)
    profile = Profile(
        trace=make_trace(take(data, "trace", dict, "the file")),
        setup=_read_setup(data),
        environment=take(data, "environment", dict, "the file"),
        phases=phases,
        clean=_read_passes(data, "clean", phases),
        instrumented=_read_passes(data, "instrumented", phases),
        layers=tuple(_read_records(LayerSamples, data, "layers", "layer")),
        work=_read_work(data),
        empty=_read_record(EmptyCosts, take(data, "empty", dict, "the file"), "empty"),
        timeline=tuple(_read_records(Span, data, "timeline", "span")),
        warmup=take(data, "warmup", int, "the file"),
        settled=take(data, "settled", bool, "the file"),
        contention=_read_record(
            Contention, take(data, "contention", dict, "the file"), "contention"
        ),
        eager=_read_passes(data, "eager", phases),
        graph=_take_numbers(data, "graph", "the file"),
        memory=_read_memory(data),
        notes=take_texts(data, "notes", "the file"),
    )
    _check_agreement(profile)
    return profile


def _read_phases(data: Any) -> tuple[str, ...]:
    phases = take_texts(data, "phases", "the file") if "phases" in data else ()
    if not phases or len(set(phases)) < len(phases):
        raise UsageError(f"'phases' of the file must be names, each once, given {shorten(phases)}")
    return phases


def _read_setup(data: Any) -> Setup:
    setup = _read_record(Setup, take(data, "setup", dict, "the file"), "setup")
    if setup.mode not in RUN_MODES:
        raise unknown_name("'mode' of setup", setup.mode, RUN_MODES)
    return setup


def _read_passes(data: Any, key: str, phases: tuple[str, ...]) -> tuple[Pass, ...]:
    """Passes from the list of their times in each phase, all of one length."""
    given = take(data, key, dict, "the file")
    walls = _take_numbers(given, "wall", key)
    times = take(given, "phases", dict, key)
    if tuple(times) != phases:
        raise UsageError(f"'phases' of {key} must be those of the file, given {shorten([*times])}")
    columns = [_take_numbers(times, phase, f"'phases' of {key}") for phase in phases]
    for phase, column in zip(phases, columns, strict=True):
        if len(column) != len(walls):
            raise UsageError(
                f"{key} has {len(walls)} passes by 'wall' and {len(column)} by {phase!r}"
            )
    return tuple(
        Pass(own, wall) for own, wall in zip(zip(*columns, strict=True), walls, strict=True)
    )


def _read_work(data: Any) -> dict[str, LayerWork]:
    items = take(data, "work", dict, "the file")
    return {
        path: _read_record(LayerWork, item, f"work of {path!r}") for path, item in items.items()
    }


def _read_memory(data: Any) -> dict[str, int]:
    memory = take(data, "memory", dict, "the file")
    return {name: take(memory, name, int, "memory") for name in memory}


def _read_records(kind: type[Record], data: Any, key: str, what: str) -> list[Record]:
    items = take(data, key, list, "the file")
    return [_read_record(kind, item, f"{what} {place}") for place, item in enumerate(items)]


def _read_record(kind: type[Record], data: Any, where: str) -> Record:
    """A dataclass from the fields of its names, each of the type that it declares."""
    declared = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: _read_field(data, name, declared[name], where) for name in names})


def _read_field(data: Any, key: str, declared: Any, where: str) -> Any:
    if get_origin(declared) is tuple:
        return _take_numbers(data, key, where, whole=get_args(declared)[0] is int)
    optional = NoneType in get_args(declared)
    if optional and isinstance(data, dict) and key in data and data[key] is None:
        return None
    kind = get_args(declared)[0] if optional else declared
    return _take_number(data, key, where) if kind is float else take(data, key, kind, where)


def _take_numbers(data: Any, key: str, where: str, whole: bool = True) -> tuple[Any, ...]:
    """A list of numbers of either sign: a layer's own time may be a little below 0."""
    items = take(data, key, list, where)
    if not all(_is_number(item) and (type(item) is int or not whole) for item in items):
        kind = "whole numbers" if whole else "numbers"
        raise UsageError(f"{key!r} of {where} must be a list of {kind}")
    return tuple(items)


def _take_number(data: Any, key: str, where: str) -> float:
    if isinstance(data, dict) and _is_number(data.get(key)):
        return float(data[key])
    return float(take(data, key, int, where))


def _is_number(value: Any) -> bool:
    """A number that fits in 64 bits."""
    return type(value) in (int, float) and abs(value) < 2**63


def _check_agreement(profile: Profile) -> None:
    """Refuse samples that belong to no pass, and records that belong to no phase."""
    if not (profile.clean and profile.instrumented):
        raise UsageError("it has no clean pass, or no instrumented one")
    for taken in (*profile.clean, *profile.instrumented, *profile.eager):
        if min(taken.wall, *taken.phases) < 0:
            raise UsageError("a pass of it took less than no time")
    for room in ("cpu", "gpu"):
        if not isinstance(profile.environment.get(room) or {}, dict):
            raise UsageError(f"{room!r} of environment must be {{…}} or null")
    passes, seen = len(profile.instrumented), set()
    for layer in profile.layers:
        if len(layer.samples) != passes:
            raise UsageError(
                f"layer {layer.path!r} has {len(layer.samples)} samples in {layer.phase!r}, "
                f"for {passes} instrumented passes"
            )
        if (layer.path, layer.phase) in seen:
            raise UsageError(f"layer {layer.path!r} stands twice in {layer.phase!r}")
        seen.add((layer.path, layer.phase))
    counts = sorted({len(layer.kernels) for layer in profile.layers if layer.kernels})
    if len(counts) > 1:
        raise UsageError(f"'kernels' of its layers are of {counts[0]} passes and of {counts[-1]}")
    known = [(layer.path, layer.phase) for layer in profile.layers]
    known += [(span.path, span.phase) for span in profile.timeline]
    for path, phase in known:
        if phase not in profile.phases:
            raise unknown_name(f"phase of {path!r}", phase, profile.phases)
