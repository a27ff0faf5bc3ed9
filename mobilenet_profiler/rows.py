"""From a Trace to the rows of a table: grouped, sorted, cut, always adding up. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from mobilenet_profiler.cost import Cost, LayerCost, Shape, Trace
from mobilenet_profiler.errors import UsageError, unknown_name

By = Literal["layer", "block", "kind"]
GROUPINGS: tuple[str, ...] = get_args(By)
SORT_KEYS = ("macs", "params", "weights", "activations", "name")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: one layer, or several that add up.

    name: short where it stays unique. block: what it is bracketed with.
    layers: how many layers of the trace it stands for.
    """

    name: str
    block: str
    kind: str
    cost: Cost
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    filter: str = "-"
    layers: int = 1


def make_rows(
    trace: Trace,
    by: str = "layer",
    depth: int | None = None,
    sort: str | None = None,
    top: int | None = None,
    every: bool = False,
) -> tuple[Row, ...]:
    """The rows of a view; their costs add up to the trace's total.

    by: 'layer' shows the layers that multiply and gathers the others by kind
    (`every` lists those too); 'block' and 'kind' add layers up. depth: add up by
    the first `depth` names of a path instead. sort: largest first, or by name.
    top: the first so many, and a row for the rest.
    """
    if by not in GROUPINGS:
        raise unknown_name("grouping", by, GROUPINGS)
    _check_positive("depth", depth)
    _check_positive("top", top)
    if depth is not None:
        rows = _add_up(trace, lambda row, path: _cut_path(path, depth))
    elif by == "block":
        rows = _add_up(trace, lambda row, path: row.block)
    elif by == "kind":
        rows = _add_up(trace, lambda row, path: row.kind, name_by_kind=True)
    else:
        rows = tuple(_list_layers(trace, every))
    return _cut(_sort(rows, sort), top)


def name_layers(trace: Trace) -> dict[str, str]:
    """A short name for every path: the highest module that holds no other counted layer."""
    holders: dict[str, int] = {}
    for layer in trace.counted:
        for holder in _list_holders(layer.path):
            holders[holder] = holders.get(holder, 0) + 1
    names = {layer.path: layer.path or "(model)" for layer in trace.layers}
    for layer in trace.counted:
        alone = [name for name in _list_holders(layer.path) if name and holders[name] == 1]
        names[layer.path] = min(alone, key=len, default=names[layer.path])
    return names


def summarise_kinds(trace: Trace) -> tuple[Row, ...]:
    """Cost by kind of layer, most MACs first: the paper's Table 2."""
    rows = make_rows(trace, by="kind")
    return tuple(sorted(rows, key=lambda row: (-row.cost.macs, -row.cost.params)))


def list_costless(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows with neither parameters nor MACs."""
    return tuple(row for row in rows if not row.cost.macs and not row.cost.params)


def describe_filter(layer: LayerCost) -> str:
    """The kernel as the paper writes it: `3x3x24 dw`, `1x1x24x48`, `768x1000`, with stride."""
    shape = layer.weight_shape
    if shape is None or len(shape) < 2:
        return "-"
    kernel = [*shape[2:]] if shape[2:] and layer.kind != "fully connected" else []
    if layer.kind.startswith("depthwise"):
        text = "x".join(map(str, [*kernel, shape[0]])) + " dw"
    else:
        text = "x".join(map(str, [*kernel, shape[1], shape[0]]))
    stride = f" /{layer.stride[0]}" if set(layer.stride) != {1} else ""
    dilation = f" d{layer.dilation[0]}" if set(layer.dilation) != {1} else ""
    return text + stride + dilation


def _list_layers(trace: Trace, every: bool) -> Iterator[Row]:
    rows = _make_layer_rows(trace)
    if every:
        yield from (row for row, _ in rows)
        return
    yield from (row for row, _ in rows if row.cost.macs)
    others = [(row, path) for row, path in rows if not row.cost.macs]
    yield from _add_up_rows(others, lambda row, path: row.kind, name_by_kind=True)


def _make_layer_rows(trace: Trace) -> list[tuple[Row, str]]:
    names = name_layers(trace)
    return [(_make_row(layer, names[layer.path]), layer.path) for layer in trace.layers]


def _make_row(layer: LayerCost, name: str) -> Row:
    return Row(
        name=name,
        block=name.rpartition(".")[0] or name,
        kind=layer.kind,
        cost=layer.cost,
        input_shape=layer.input_shape,
        output_shape=layer.output_shape,
        filter=describe_filter(layer),
    )


def _add_up(
    trace: Trace, key: Callable[[Row, str], str], name_by_kind: bool = False
) -> tuple[Row, ...]:
    rows = _make_layer_rows(trace)
    if not name_by_kind:
        blocks = {row.block for row, _ in rows if row.cost.macs}
        rows = [(replace(row, block=_find_block(row, path, blocks)), path) for row, path in rows]
    return _add_up_rows(rows, key, name_by_kind)


def _find_block(row: Row, path: str, blocks: set[str]) -> str:
    """The block of a layer without MACs: the innermost counted one around it."""
    if row.cost.macs:
        return row.block
    return next((name for name in _list_holders(path) if name in blocks), row.block)


def _add_up_rows(
    rows: Sequence[tuple[Row, str]], key: Callable[[Row, str], str], name_by_kind: bool
) -> tuple[Row, ...]:
    groups: dict[str, list[Row]] = {}
    for row, path in rows:
        groups.setdefault(key(row, path), []).append(row)
    return tuple(_merge(name, group, name_by_kind) for name, group in groups.items())


def _merge(name: str, group: Sequence[Row], name_by_kind: bool) -> Row:
    kinds = list(dict.fromkeys(row.kind for row in group if row.cost.macs))
    kind = name if name_by_kind else " + ".join(kinds) or group[0].kind
    count = f" x{len(group)}" if name_by_kind and len(group) > 1 else ""
    return Row(
        name=name + count,
        block=name,
        kind=kind,
        cost=sum((row.cost for row in group), Cost()),
        input_shape=None if name_by_kind else group[0].input_shape,
        output_shape=None if name_by_kind else group[-1].output_shape,
        filter=group[0].filter if len(group) == 1 else "-",
        layers=len(group),
    )


def _sort(rows: tuple[Row, ...], sort: str | None) -> tuple[Row, ...]:
    if sort is None:
        return rows
    if sort not in SORT_KEYS:
        raise unknown_name("sort key", sort, SORT_KEYS)
    if sort == "name":
        return tuple(sorted(rows, key=lambda row: row.name))
    return tuple(sorted(rows, key=lambda row: -getattr(row.cost, sort)))


def _cut(rows: tuple[Row, ...], top: int | None) -> tuple[Row, ...]:
    if top is None or len(rows) <= top:
        return rows
    rest = rows[top:]
    name = f"{len(rest)} more"
    cost = sum((row.cost for row in rest), Cost())
    return (*rows[:top], Row(name, name, "-", cost, layers=sum(row.layers for row in rest)))


def _check_positive(what: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UsageError(f"{what} must be a whole number of at least 1, given {value}")


def _cut_path(path: str, depth: int) -> str:
    return ".".join(path.split(".")[:depth]) or "(model)"


def _list_holders(path: str) -> list[str]:
    """A path and every module around it, innermost first, the model ('') last."""
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts), -1, -1)]
