"""Which convention a figure would fit: its count in each, the nearest first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import list_names
from mobilenet_profiler.conventions.comparison import compare_counts, describe_sum
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.published.figure import TEXTS, Figure, Reading, read_number
from mobilenet_profiler.spec import read_spec
from mobilenet_profiler.verification.measures import Measured
from mobilenet_profiler.verification.verdicts import (
    Networks,
    apply_reading,
    compare_printed,
    measure_figure,
    measure_reading,
)
from mobilenet_profiler.zoo.catalogue import find_model

_CONVENED = ("macs", "params", "macs_share", "params_share", "size")
_KNOWN = "as its known difference reads it"
_ALL_PARAMS = "every learned number, once"
_CLASSES = (1000, 1001, 0)  # as papers, TensorFlow's checkpoints, and without a classifier


@dataclass(frozen=True, slots=True)
class Fit:
    """A figure counted in ways that come to the same.

    conventions: '' where the quantity knows none. options: of the network, beside its own.
    exact: the count. gap: the count less the printed number. how: see `rule`; None where
    they do not agree. made_of: the sum behind the count, in words, as the first has it.
    """

    conventions: tuple[str, ...]
    options: Mapping[str, Any]
    exact: Fraction
    gap: Fraction
    how: str | None
    made_of: str = ""


def list_fits(figure: Figure, networks: Networks) -> tuple[Fit, ...]:
    """The figure in every convention: its own first, then those that fit, then the nearest.

    The reading of its known difference is one of them. Where none fits, the network with other
    numbers of classes too, as far as they do. A text has none. Raises UsageError for a figure
    that is not counted.
    """
    if not figure.counted:
        raise UsageError(f"{figure.name} is listed: there is nothing to count")
    if figure.quantity in TEXTS:
        return ()
    own = _make_fit(figure, {}, networks)
    fits = [own, *_read_otherwise(figure, networks)]
    fits += _merge(_list_ways(figure, {}, networks), own)
    if not any(fit.how for fit in fits):
        others = [way for o in _list_options(figure) for way in _list_ways(figure, o, networks)]
        fits += [fit for fit in _merge(others) if fit.how]
    own, *rest = fits
    return (own, *sorted(rest, key=lambda fit: (fit.how is None, abs(fit.gap))))


def _read_otherwise(figure: Figure, networks: Networks) -> Iterator[Fit]:
    """The figure as its known difference reads it."""
    known = figure.difference
    if known is None or known.instead is None:
        return
    other = apply_reading(figure, known.instead)
    exact = measure_reading(figure, known.instead, networks)
    if isinstance(exact, Fraction):
        printed, _ = read_number(other.printed, other.unit)
        how = compare_printed(exact, other, known.instead.digits)
        yield Fit((_KNOWN,), {}, exact, exact - printed, how, known.reason)


def _list_ways(figure: Figure, options: dict[str, Any], networks: Networks) -> list[Fit]:
    """The figure in each convention that can count it."""
    found = []
    for name in list_names() if figure.quantity in _CONVENED else ():
        try:
            other = apply_reading(figure, Reading(convention=name))
            found.append(_make_fit(other, options, networks))
        except UsageError:  # a convention of params alone, or a layer that there is not
            continue
    return found


def _merge(ways: Iterable[Fit], own: Fit | None = None) -> list[Fit]:
    """Those of one count and the same options as one, without the figure's own convention."""
    groups: dict[str, list[Fit]] = {}
    for fit in ways:
        if own is None or fit.conventions != own.conventions:
            groups.setdefault(repr((fit.exact, fit.options)), []).append(fit)
    return [
        replace(group[0], conventions=tuple(fit.conventions[0] for fit in group))
        for group in groups.values()
    ]


def _list_options(figure: Figure) -> Iterator[dict[str, Any]]:
    """Other numbers of classes than its own, where it is a network of the zoo."""
    try:
        spec = read_spec(figure.model)
    except UsageError:  # a module that was given
        return
    entry = find_model(spec.model)
    if entry is None or "num_classes" not in entry.options or figure.of:
        return
    own = spec.options.get("num_classes", _CLASSES[0])
    yield from ({"num_classes": classes} for classes in _CLASSES if classes != own)


def _make_fit(figure: Figure, options: dict[str, Any], networks: Networks) -> Fit:
    exact = measure_figure(figure, networks, options)
    assert isinstance(exact, Fraction)  # texts have no conventions
    printed, _ = read_number(figure.printed, figure.unit)
    how = compare_printed(exact, figure)
    made_of = _describe_count(figure, networks.find(figure.model, options))
    return Fit((figure.convention,), options, exact, exact - printed, how, made_of)


def _describe_count(figure: Figure, known: Measured) -> str:
    """What a convention adds up: of a whole network's MACs as a sum."""
    if figure.quantity not in _CONVENED:
        return ""
    count = known.count(figure.convention)
    if figure.quantity.startswith("params") or figure.quantity == "size":
        return count.convention.params.text if count.convention.params else _ALL_PARAMS
    if figure.of or figure.quantity != "macs":
        return count.convention.counts
    return describe_sum(compare_counts(count, known.count(DEFAULT)))
