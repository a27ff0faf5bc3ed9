"""Published top-1 accuracies of traced networks, for views that show them beside counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.published.catalogue import find_source, list_figures
from mobilenet_profiler.published.figure import Figure
from mobilenet_profiler.spec import read_spec

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
    keys = [_make_key(spec) for spec in specs]
    tables = _rank_tables(_list_tables(source), keys)
    return tuple(next((table[key] for table in tables if key in table), None) for key in keys)


def _rank_tables(tables: Mapping[_Place, _Table], keys: Sequence[str]) -> list[_Table]:
    """Those of the source that knows most of the networks first, its best table first."""

    def rank(place: _Place) -> tuple[int, int]:
        of_source = [table for other, table in tables.items() if other[0] == place[0]]
        known = sum(any(key in table for table in of_source) for key in keys)
        return (-known, -sum(key in tables[place] for key in keys))

    return [tables[place] for place in sorted(tables, key=rank)]


def _list_tables(source: str | None) -> dict[_Place, _Table]:
    """The networks of each table of each source, by their key."""
    tables: dict[_Place, _Table] = {}
    for figure in _list_figures(source):
        table = tables.setdefault((figure.source, figure.place), {})
        key = _make_key(read_spec(figure.model).as_dict())
        table.setdefault(key, _make_accuracy(figure))
    return tables


def _list_figures(source: str | None) -> Iterator[Figure]:
    for figure in list_figures(source=source, quantity="top1"):
        if figure.model and figure.of == "ImageNet":
            yield figure


def _make_accuracy(figure: Figure) -> Accuracy:
    source = find_source(figure.source)
    return Accuracy(f"{figure.printed}{figure.unit}", f"{source.where}, {figure.place}")


def _make_key(spec: Mapping[str, Any]) -> str:
    """A network and its input; how many classes of ImageNet's it has makes no difference."""
    options = {
        key: value
        for key, value in spec["options"].items()
        if not (key == "num_classes" and value in _CLASSES) and (key, value) != ("alpha", 1)
    }
    sizes = [shape[2:] for shape in spec["inputs"]]
    return repr((spec["model"], sorted(options.items(), key=str), sizes))
