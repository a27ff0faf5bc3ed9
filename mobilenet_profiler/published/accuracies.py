"""Published top-1 accuracies of traced networks, for views that show them beside counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.published.catalogue import find_source, list_figures
from mobilenet_profiler.published.figure import Figure
from mobilenet_profiler.spec import ModelSpec, read_spec

_Place = tuple[str, str]  # a source and its table
_Table = dict[str, Accuracy]
_CLASSES = (1000, 1001)  # ImageNet, with TensorFlow's background class or without


def find_accuracies(
    specs: Sequence[Mapping[str, Any]], source: str | None = None
) -> tuple[Accuracy | None, ...]:
    """The ImageNet top-1 accuracy of each network, from one table as far as that goes.

    specs: as `Trace.spec` has them. source: the one to take; None takes the first of those
    that speak of most of the networks, and the others' for those it does not name.
    Raises UsageError for a source that there is not.
    """
    keys = [name_network(spec) for spec in specs]
    known = _list_tables(source)
    tables = [known[place] for place in _rank_places(known, keys)]
    return tuple(next((table[key] for table in tables if key in table), None) for key in keys)


def find_grid_accuracies(
    specs: Sequence[Mapping[str, Any]], source: str | None = None
) -> tuple[Accuracy | None, ...]:
    """The same of a grid of networks, those of one name from one source alone.

    Differences between its cells are then differences between networks, and not between
    those who trained them. Raises UsageError for a source that there is not.
    """
    tables = _list_tables(source)
    keys = [name_network(spec) for spec in specs]
    own: dict[str, list[str]] = {}
    for spec, key in zip(specs, keys, strict=True):
        own.setdefault(spec["model"], []).append(key)
    chosen = {model: _choose_source(tables, found) for model, found in own.items()}
    return tuple(
        next((table[key] for table in chosen[spec["model"]] if key in table), None)
        for spec, key in zip(specs, keys, strict=True)
    )


def list_measured_specs(model: str, source: str | None = None) -> tuple[ModelSpec, ...]:
    """The widths and resolutions of a network of the zoo whose accuracy one source gives.

    The source that gives most of them. Raises UsageError for a source that there is not.
    """
    known: dict[str, dict[str, ModelSpec]] = {}
    for figure in _list_figures(source):
        if figure.model.partition(" ")[0] == model:
            spec = read_spec(figure.model)
            if not set(spec.options) - {"alpha", "num_classes"}:
                known.setdefault(figure.source, {}).setdefault(name_network(spec.as_dict()), spec)
    most = max(known.values(), key=len, default={})
    return tuple(most.values())


def _choose_source(tables: Mapping[_Place, _Table], keys: Sequence[str]) -> list[_Table]:
    """The tables of the source that knows most of these networks."""
    places = _rank_places(tables, keys)
    return [tables[place] for place in places if place[0] == places[0][0]]


def _rank_places(tables: Mapping[_Place, _Table], keys: Sequence[str]) -> list[_Place]:
    """Those of the source that knows most of the networks first, its best table first."""
    wanted = list(keys)
    sources: dict[str, list[_Table]] = {}
    for place, table in tables.items():
        sources.setdefault(place[0], []).append(table)
    known = {
        source: sum(any(key in table for table in own) for key in wanted)
        for source, own in sources.items()
    }

    def rank(place: _Place) -> tuple[int, int]:
        return (-known[place[0]], -sum(key in tables[place] for key in wanted))

    return sorted(tables, key=rank)


def _list_tables(source: str | None) -> dict[_Place, _Table]:
    """The networks of each table of each source, by their key."""
    tables: dict[_Place, _Table] = {}
    for figure in _list_figures(source):
        table = tables.setdefault((figure.source, figure.place), {})
        key = name_network(read_spec(figure.model).as_dict())
        table.setdefault(key, _make_accuracy(figure))
    return tables


def _list_figures(source: str | None) -> Iterator[Figure]:
    for figure in list_figures(source=source, quantity="top1"):
        if figure.model and figure.of == "ImageNet":
            yield figure


def _make_accuracy(figure: Figure) -> Accuracy:
    source = find_source(figure.source)
    return Accuracy(f"{figure.printed}{figure.unit}", f"{source.where}, {figure.place}")


def name_network(spec: Mapping[str, Any]) -> str:
    """A network and the size of its input, in one way for all who write them in several.

    How many classes of ImageNet's it has makes no difference.
    """
    options = {
        key: value
        for key, value in spec["options"].items()
        if not (key == "num_classes" and value in _CLASSES) and (key, value) != ("alpha", 1)
    }
    sizes = [shape[2:] for shape in spec["inputs"]]
    return repr((spec["model"], sorted(options.items(), key=str), sizes))
