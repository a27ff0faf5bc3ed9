"""What a published figure is: a quotation, its source, and what is known of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mobilenet_profiler.errors import UsageError, unknown_name

COUNTED = (
    *("macs", "params", "weights", "activations", "macs_share", "params_share"),
    *("least_saving", "most_saving", "activation_memory", "size"),
)
TEXTS = ("layer_type", "filter_shape", "input_size")
LISTED = (
    *("top1", "top5", "top1_error", "latency", "file_size", "accuracy", "map", "mean_ap", "miou"),
)
QUANTITIES = (*COUNTED, *TEXTS, *LISTED)
UNITS: Mapping[str, Fraction] = {
    "": Fraction(1),
    "k": Fraction(10**3),
    "K": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "B": Fraction(10**9),
    "T": Fraction(10**12),
    "%": Fraction(1, 100),
    "x": Fraction(1),
    "MB": Fraction(10**6),
    "MiB": Fraction(2**20),
    "ms": Fraction(1, 1000),
}
_COUNT_UNITS = ("", "k", "K", "M", "G", "B", "T")
UNITS_OF: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("macs", "params", "weights", "activations", "activation_memory"), _COUNT_UNITS
    ),
    **dict.fromkeys(("macs_share", "params_share"), ("%",)),
    **dict.fromkeys(("least_saving", "most_saving"), ("x", "")),
    **dict.fromkeys(("size", "file_size"), ("MB", "MiB", "")),
    **dict.fromkeys(TEXTS, ("",)),
    **dict.fromkeys(("top1", "top5", "top1_error", "accuracy", "map", "mean_ap", "miou"), ("%",)),
    "latency": ("ms",),
}
_LONGEST = 30  # characters of a printed number
_PRINTED = re.compile(
    r"(?P<number>\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)\s*(?P<unit>[A-Za-z%]*)", re.ASCII
)
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|[^,]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures were printed.

    name: of its file in `data/`. where: the paper's number or the file, with its revision.
    counts: what its numbers count, in words.
    """

    name: str
    title: str
    where: str
    counts: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Another way to read a figure, under which it agrees.

    model: another network; options: of the same one, in place of its own. convention,
    quantity, of, unit, printed: in place of the figure's. times, plus: what is done to the
    count. digits: how many leading digits were meant, where zeros only fill up.
    """

    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    convention: str = ""
    quantity: str = ""
    of: str | None = None
    unit: str | None = None
    printed: str = ""
    times: int = 1
    plus: int = 0
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a figure is not what is counted: its source errs, or counts something else.

    printed: the figure that it speaks of. count: what is counted, exactly, as a whole number
    or a ratio of two. reason: the arithmetic, in words. instead: the reading under which
    the printed number is right; None where none is known.
    """

    printed: str
    count: str
    reason: str
    instead: Reading | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A published number as it was printed.

    source, place, subject: whose, which table, which row. model: the network as `read_spec`
    takes it; '' where none is built here. quantity: see QUANTITIES. of: a layer's path or a
    kind of layer, for a part of the network; the device or data set of what is not counted.
    printed, unit: the string and its unit. convention: what it counts.
    difference: why it is known not to agree. line: `file:12`, where a user's file has it.
    """

    source: str
    place: str
    subject: str
    model: str
    quantity: str
    printed: str
    unit: str = ""
    convention: str = ""
    of: str = ""
    difference: Difference | None = None
    line: str = ""

    @property
    def name(self) -> str:
        """Unique: `mobilenet_v1_paper/table-4/mobilenet/macs`."""
        parts = [self.place, self.subject, self.quantity, self.of]
        return "/".join([self.source, *(slug for part in parts if (slug := make_slug(part)))])

    @property
    def text(self) -> str:
        """The number with its unit: `569 M`, `94.86 %`, `4,253,864`."""
        return f"{self.printed} {self.unit}".strip()

    @property
    def counted(self) -> bool:
        """Whether it can be put beside a count: a network is named, and costs it."""
        return bool(self.model) and self.quantity not in LISTED


def make_slug(text: str) -> str:
    """Lower-case letters, digits, dots and underscores, all else one dash."""
    return re.sub(r"[^a-z0-9._]+", "-", text.casefold()).strip("-")


def read_number(printed: str, unit: str = "") -> tuple[Fraction, Fraction]:
    """The value of a printed number and one unit of its last place, both in ones.

    `569` M is 569,000,000 and 1,000,000; `94.86` % is 0.9486 and 0.0001.
    Raises UsageError for what is no number, or for a unit that there is not.
    """
    if unit not in UNITS:
        raise unknown_name("unit", unit, [name for name in UNITS if name])
    number, tail = split_printed(printed)
    if tail:
        raise UsageError(f"{printed!r} has a unit of its own beside {unit!r}")
    exact = Decimal(number.replace(",", ""))
    place = Fraction(Decimal(1).scaleb(int(exact.as_tuple().exponent)))
    return Fraction(exact) * UNITS[unit], place * UNITS[unit]


def split_printed(text: str) -> tuple[str, str]:
    """`325M` as its number and its unit. Raises UsageError for anything else."""
    match = _PRINTED.fullmatch(text.strip())
    if match is None or len(text) > _LONGEST or not _GROUPED.fullmatch(match["number"]):
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        raise UsageError(
            f"{shown!r} is no number as printed; allowed: 325M, 2.6 M, 94.86%, 4,231,976"
        )
    if match["unit"] not in UNITS:
        raise unknown_name(f"unit in {text!r}:", match["unit"], [name for name in UNITS if name])
    return match["number"], match["unit"]


def check_unit(quantity: str, unit: str) -> None:
    """Refuse a unit that a quantity has not: %, x, MB and ms are no counts."""
    allowed = UNITS_OF[quantity]
    if unit not in allowed:
        given = f"unit {unit!r} is none" if unit else "a number without a unit is none"
        names = ", ".join(name or "no unit" for name in allowed)
        raise UsageError(f"{given} of {quantity}; allowed: {names}")
