"""Among which cells one looks for what a budget allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.axes import Axis, make_axis
from mobilenet_profiler.grid.fit import Bound, Goal
from mobilenet_profiler.grid.order import Order, make_order
from mobilenet_profiler.published.accuracies import list_measured_specs

KNOWN = "top1 > 0"  # a condition: cells of which nobody knows the accuracy are left out
_SIZED = ("alpha", "resolution", "beta", "batch", "inputs", "inputs_from")


def make_fit_order(
    models: Sequence[str],
    axes: Sequence[Axis],
    settings: Mapping[str, Any],
    bounds: Sequence[Bound],
    goal: Goal,
    how: Mapping[str, Any] | None = None,
    accuracies: Mapping[str, Any] | None = None,
    where: Sequence[str] = (),
    convention: str = DEFAULT,
) -> Order:
    """The grid among whose cells one looks, with all that the budget and the goal need.

    axes: without any, the widths and resolutions whose accuracies are published, and of
    those the cells of which they are. how, accuracies: as `make_order` takes them.
    Raises UsageError without a limit, and for what does not go together.
    """
    if not bounds:
        raise UsageError(
            "no budget: give a limit of macs, params, weights, activations, memory, latency "
            "or accuracy"
        )
    wanted = {goal.quantity.name, *(bound.quantity.name for bound in bounds)}
    chosen, conditions = tuple(axes), tuple(where)
    if not chosen and not any(settings.get(name) for name in _SIZED):
        chosen = list_published_axes(models, (accuracies or {}).get("source"))
        conditions += (KNOWN,) if chosen and "top1" in wanted else ()
    return make_order(
        *(models, chosen, settings, how, accuracies),
        where=conditions,
        memory="memory" in wanted,
        latency="latency" in wanted,
        convention=convention,
    )


def list_published_axes(models: Sequence[str], source: str | None = None) -> tuple[Axis, ...]:
    """The widths and resolutions of these networks whose accuracies are published.

    An axis of which there is one value alone, or that the text of a network has a value
    for, is none.
    """
    specs = [spec for text in models for spec in list_measured_specs(_find_name(text), source)]
    given = {word.partition("=")[0] for text in models for word in text.split(" ")[1:]}
    values: dict[str, set[float]] = {
        "alpha": {float(spec.options.get("alpha", 1)) for spec in specs},
        "resolution": {spec.input_shape[-1] for spec in specs},
    }
    return tuple(
        make_axis(name, sorted(own, reverse=True))
        for name, own in values.items()
        if len(own) > 1 and name not in given
    )


def _find_name(text: str) -> str:
    return text.partition(" ")[0]
