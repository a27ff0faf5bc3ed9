"""The axes of a grid, as text gives them: `alpha=1,0.75`, `groups=1:8:2`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.spec import parse_argument

MODEL, NODE = "model", "on"  # what an axis over networks, and over kinds of nodes, is called
RENAMED = {"classes": "num_classes"}
UNSWEPT = ("arguments", "inputs", "inputs_from")  # what is the same for every cell, or inside one
MOST_VALUES = 100_000
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that differs over a grid, and its values in the order given.

    name: of an argument of the factory, or resolution, beta, batch, input, mode.
    values: any that can be looked up: a list is a tuple here.
    """

    name: str
    values: tuple[Any, ...]


def parse_axis(text: str) -> Axis:
    """The axis of `depth=18,34,50` or `groups=1:8:2`. Raises UsageError."""
    name, equals, values = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise UsageError(
            f"an axis must be name=value,value or name=first:last:step, given {text!r}"
        )
    return make_axis(name.strip(), parse_values(name.strip(), values))


def make_axis(name: str, values: Iterable[Any]) -> Axis:
    """The axis of that name. Raises UsageError for no values, too many, or one given twice."""
    name = RENAMED.get(name, name)
    if name in (*UNSWEPT, MODEL, NODE):
        raise UsageError(f"{name!r} is no axis; give an argument of the factory, or input")
    listed = tuple(map(freeze_value, values))
    for value in listed:
        if isinstance(value, float) and not isfinite(value):
            raise UsageError(f"axis {name}: a number must be finite, given {value}")
    if not listed:
        raise UsageError(f"axis {name} needs a value, given none")
    if len(listed) > MOST_VALUES:
        raise UsageError(f"axis {name} has {len(listed):,} values, at most {MOST_VALUES:,}")
    _refuse_repeated(name, listed)
    return Axis(name, listed)


def freeze_value(value: Any) -> Any:
    """A value as it can be looked up: tuples for lists, Python's own numbers for NumPy's."""
    if isinstance(value, list | tuple):
        return tuple(map(freeze_value, value))
    own = getattr(value, "item", None)
    return own() if type(value).__module__ == "numpy" and callable(own) else value


def _refuse_repeated(name: str, values: Sequence[Any]) -> None:
    """Refuse a value that stands twice, and one that cannot be looked up."""
    seen = set()
    for value in values:
        try:
            known = value in seen
        except TypeError:
            kind = type(value).__name__
            raise UsageError(
                f"axis {name}: values are numbers, texts and lists of these, given a {kind}"
            ) from None
        if known:
            raise UsageError(f"axis {name} has the value {value!r} twice")
        seen.add(value)


def parse_values(name: str, text: str) -> tuple[Any, ...]:
    """The values that a text lists: split at commas outside brackets, ranges written out."""
    parts = [part.strip() for part in _split(text)]
    if not all(parts):
        raise UsageError(f"axis {name} has an empty value, given {text!r}")
    return tuple(value for part in parts for value in _read_part(name, part))


def _split(text: str) -> list[str]:
    """At commas, except between brackets: a value may be a list."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _read_part(name: str, part: str) -> Sequence[Any]:
    found = _RANGE.fullmatch(part)
    if not found:
        return (parse_argument(f"{name}={part}")[1],)
    first, last, step = (Decimal(number) if number else Decimal(1) for number in found.groups())
    if step == 0 or (last - first) * step < 0:
        falling = f"; falling, its step is negative: {part.rsplit(':', 1)[0]}:-{step}"
        raise UsageError(
            f"axis {name}: {part!r} has no values (first:last:step, last included)"
            f"{falling if found[3] and step > 0 else ''}"
        )
    count = int((last - first) / step) + 1
    if count > MOST_VALUES:
        raise UsageError(f"axis {name}: {part!r} has {count:,} values, at most {MOST_VALUES:,}")
    whole = not any("." in number for number in part.split(":"))
    return [(int if whole else float)(first + index * step) for index in range(count)]


def make_axes(given: Iterable[Axis], fixed: Mapping[str, Any]) -> tuple[Axis, ...]:
    """Axes in their order. Raises UsageError where one is given twice, or has a fixed value too."""
    axes = tuple(given)
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"axis {name} is given twice")
        if name in fixed:
            raise UsageError(f"{name} is an axis and has the value {fixed[name]!r} too; give one")
    if "resolution" in names and "beta" in names:
        raise UsageError("give an axis of resolution or of beta, not both")
    return axes
