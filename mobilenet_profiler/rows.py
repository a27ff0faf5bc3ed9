"""From a Trace to the rows of a table: grouped, sorted, cut, always adding up. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Literal, get_args

from mobilenet_profiler.cost import Cost, LayerCost, Shape, Trace, Uncounted
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.memory import LayerMemory, describe_peak
from mobilenet_profiler.units import format_shape

By = Literal["layer", "block", "kind"]
GROUPINGS: tuple[str, ...] = get_args(By)
SORT_KEYS = (
    *("macs", "params", "weights", "activations", "elementwise", "backward_macs", "memory"),
    *("allocated", "name"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: one layer, or several that add up.

    name: short where it stays unique. block: what it is bracketed with.
    layers: how many layers of the trace it stands for. paths: of these, in order.
    tied, tied_to: params it shares with an earlier layer, and the name of that.
    multiplies: whether a layer in it has MACs, in whatever convention it is shown.
    memory: of its layers, the greatest peak of them; None where it was not predicted, or
    where none of them ran an operation.
    """

    name: str
    block: str
    kind: str
    cost: Cost
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    filter: str = "-"
    layers: int = 1
    tied: int = 0
    tied_to: str = ""
    multiplies: bool = False
    paths: tuple[str, ...] = ()
    memory: LayerMemory | None = None


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


def make_total(trace: Trace, rows: Iterable[Row]) -> Row:
    """The last row of a table: costs add up, the peak of memory is that of the whole pass."""
    memory = None
    if trace.memory is not None:
        allocated = sum(layer.allocated for layer in trace.memory.layers.values())
        memory = LayerMemory(trace.memory.activations, allocated)
    layers = sum(row.layers for row in rows)
    return Row("total", "", "", trace.total, layers=layers, memory=memory)


def describe_memory(trace: Trace) -> list[str]:
    """The line that says where memory is at its peak; none where it was not predicted."""
    return [describe_peak(trace.memory, name_layers(trace))] if trace.memory else []


def name_layers(trace: Trace) -> dict[str, str]:
    """A short name for every path: the highest module that holds no other counted layer."""
    holders: dict[str, int] = {}
    for layer in trace.counted:
        for holder in list_holders(layer.path):
            holders[holder] = holders.get(holder, 0) + 1
    names = {layer.path: layer.path or "(model)" for layer in trace.layers}
    for layer in trace.counted:
        alone = [name for name in list_holders(layer.path) if name and holders[name] == 1]
        names[layer.path] = min(alone, key=len, default=names[layer.path])
    return names


def list_pairs(trace: Trace) -> tuple[tuple[LayerCost, LayerCost], ...]:
    """Every depthwise layer with the pointwise one right after it (the paper's section 3.1)."""
    counted = trace.counted
    return tuple(
        (first, second)
        for first, second in pairwise(counted)
        if first.kind.startswith("depthwise") and second.kind.startswith("pointwise")
    )


def summarise_kinds(trace: Trace) -> tuple[Row, ...]:
    """Cost by kind of layer, most MACs first: the paper's Table 2."""
    rows = make_rows(trace, by="kind")
    return tuple(
        sorted(rows, key=lambda row: (-row.cost.macs, -row.cost.backward_macs, -row.cost.params))
    )


def list_costless(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows that cost nothing: no parameters, no MACs and, where that is known, no memory."""
    return tuple(row for row in rows if not (_has_cost(row) or row.memory))


def _has_cost(row: Row) -> bool:
    return bool(row.multiplies or row.cost.macs or row.cost.params)


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
    yield from (row for row, _ in rows if row.multiplies)
    others = [(row, path) for row, path in rows if not row.multiplies]
    yield from _add_up_rows(others, lambda row, path: row.kind, name_by_kind=True)


def _make_layer_rows(trace: Trace) -> list[tuple[Row, str]]:
    names = name_layers(trace)
    memory = trace.memory.layers if trace.memory else {}
    rows = [(_make_row(layer, names, memory), layer.path) for layer in trace.layers]
    inner = _find_inner_blocks([row.block for row, _ in rows if row.multiplies])
    return [(replace(row, block=inner.get(row.block, row.block)), path) for row, path in rows]


def _find_inner_blocks(blocks: Iterable[str]) -> dict[str, str]:
    """Blocks that stand inside a run of their holder's rows: a squeeze-and-excite's, say."""
    runs = [block for block, _ in groupby(blocks)]
    return {
        block: before
        for before, block, after in zip(runs, runs[1:], runs[2:], strict=False)
        if before == after == block.rpartition(".")[0]
    }


def _make_row(layer: LayerCost, names: Mapping[str, str], memory: Mapping[str, LayerMemory]) -> Row:
    name = names[layer.path]
    return Row(
        name=name,
        block=name.rpartition(".")[0] or name,
        kind=layer.kind,
        cost=layer.cost,
        input_shape=layer.input_shape,
        output_shape=layer.output_shape,
        filter=describe_filter(layer),
        multiplies=layer.multiplies,
        paths=(layer.path,),
        tied=layer.tied,
        tied_to=names.get(layer.tied_to, layer.tied_to) if layer.tied else "",
        memory=memory.get(layer.path),
    )


def _add_up(
    trace: Trace, key: Callable[[Row, str], str], name_by_kind: bool = False
) -> tuple[Row, ...]:
    rows = _make_layer_rows(trace)
    if not name_by_kind:
        blocks = {row.block for row, _ in rows if row.multiplies}
        rows = [(replace(row, block=_find_block(row, path, blocks)), path) for row, path in rows]
    return _add_up_rows(rows, key, name_by_kind)


def _find_block(row: Row, path: str, blocks: set[str]) -> str:
    """The block of a layer without MACs: the innermost counted one around it."""
    if row.multiplies:
        return row.block
    return next((name for name in list_holders(path) if name in blocks), row.block)


def _add_up_rows(
    rows: Sequence[tuple[Row, str]], key: Callable[[Row, str], str], name_by_kind: bool
) -> tuple[Row, ...]:
    groups: dict[str, list[Row]] = {}
    for row, path in rows:
        groups.setdefault(key(row, path), []).append(row)
    return tuple(_merge(name, group, name_by_kind) for name, group in groups.items())


def _merge(name: str, group: Sequence[Row], name_by_kind: bool) -> Row:
    kinds = list(dict.fromkeys(row.kind for row in group if row.multiplies))
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
        multiplies=any(row.multiplies for row in group),
        paths=tuple(path for row in group for path in row.paths),
        memory=_gather_memory(group),
    )


def _gather_memory(rows: Iterable[Row]) -> LayerMemory | None:
    known = [row.memory for row in rows if row.memory is not None]
    return sum(known, LayerMemory()) if known else None


def _sort(rows: tuple[Row, ...], sort: str | None) -> tuple[Row, ...]:
    if sort is None:
        return rows
    if sort not in SORT_KEYS:
        raise unknown_name("sort key", sort, SORT_KEYS)
    if sort == "name":
        return tuple(sorted(rows, key=lambda row: row.name))
    return tuple(sorted(rows, key=lambda row: -_measure(row, sort)))


def _measure(row: Row, key: str) -> int:
    if key in ("memory", "allocated"):
        memory = row.memory or LayerMemory()
        return memory.peak if key == "memory" else memory.allocated
    return int(getattr(row.cost, key))


def _cut(rows: tuple[Row, ...], top: int | None) -> tuple[Row, ...]:
    if top is None or len(rows) <= top:
        return rows
    rest = rows[top:]
    return (*rows[:top], gather_rest(rest))


def gather_rest(rest: Sequence[Row]) -> Row:
    """One row for all that a table of the first few leaves out."""
    name = f"{len(rest)} more"
    return Row(
        name,
        name,
        "-",
        sum((row.cost for row in rest), Cost()),
        layers=sum(row.layers for row in rest),
        paths=tuple(path for row in rest for path in row.paths),
        memory=_gather_memory(rest),
    )


def _check_positive(what: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UsageError(f"{what} must be a whole number of at least 1, given {value}")


def _cut_path(path: str, depth: int) -> str:
    return ".".join(path.split(".")[:depth]) or "(model)"


def list_holders(path: str) -> list[str]:
    """A path and every module around it, innermost first, the model ('') last."""
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts), -1, -1)]


def describe_uncounted(trace: Trace) -> list[str]:
    """A line for each operation and place in the code that no number includes."""
    groups: dict[tuple[str, str], list[Uncounted]] = {}
    for item in trace.uncounted:
        groups.setdefault((item.name, item.site), []).append(item)
    return [_describe_group(name, site, items) for (name, site), items in groups.items()]


def list_warnings(trace: Trace) -> list[str]:
    """What every view of a trace must say: work that is not counted, how it was traced."""
    return [*describe_uncounted(trace), *(f"note: {note}" for note in trace.notes)]


def _describe_group(name: str, site: str, items: Sequence[Uncounted]) -> str:
    calls = sum(item.calls for item in items)
    paths = list(dict.fromkeys(item.path or "the model itself" for item in items))
    where = paths[0] + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    shapes = ", ".join(format_shape(shape) for shape in items[0].inputs)
    at = f" at {site}" if site else ""
    return f"not counted: {name} x{calls}{at} in {where} on {shapes or 'no tensors'}"
