"""One cell of a grid: built, traced, counted; whatever goes wrong in it is its one-line error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.spec import ModelSpec
from mobilenet_profiler.trace.blame import describe_failure
from mobilenet_profiler.trace.build import build_model
from mobilenet_profiler.trace.lifetimes import predict_module
from mobilenet_profiler.trace.sources import make_importable
from mobilenet_profiler.trace.tracer import Prepared, prepare_built, trace_module, unwrap

_ALONE = ("zoo", "torchvision", "timm")  # sources whose networks depend on nothing but arguments


@dataclass
class Counter:
    """Counts cells one after another.

    settings: as `read_spec` takes them, for every cell alike. convention: of the costs.
    memory: whether the peak of activations is predicted too.
    The network of the last cell is kept: cells of one network on several inputs, which
    follow each other in a grid, need it built once. A trace gives it back as it was.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    convention: str = DEFAULT
    memory: bool = False
    _built: tuple[str, nn.Module] | None = field(default=None, init=False, repr=False)

    def __call__(self, cell: Cell) -> CellResult:
        """What the cell costs, or why that cannot be told. Raises nothing of the network's."""
        try:
            return self._count(cell)
        except (Exception, SystemExit) as error:
            self._built = None  # whatever failed may have left it half changed
            return CellResult(cell, cell.label, error=describe_error(error))

    @torch.inference_mode(False)
    def _count(self, cell: Cell) -> CellResult:
        spec = cell.make_spec(self.settings)
        with make_importable(spec.source):
            ready = prepare_built(self._build(spec), spec, spec.mode)
            named = ready.spec
            trace = trace_module(
                *(ready.model, ready.inputs, named.label, named.as_dict()),
                mode=ready.mode,
                real=spec,
            )
            result = make_result(cell, trace.convert(self.convention))
            return self._add_memory(result, ready) if self.memory else result

    def _add_memory(self, result: CellResult, ready: Prepared) -> CellResult:
        use = predict_module(ready.model, ready.inputs, mode=ready.mode, real=ready.real)
        notes = dict.fromkeys((*result.notes, *use.notes))
        return replace(result, memory=use.activations, notes=tuple(notes))

    def _build(self, spec: ModelSpec) -> nn.Module:
        if spec.source.kind not in _ALONE:
            return unwrap(build_model(spec))
        own = replace(spec, batch=None, resolution=None, inputs=(), inputs_from=None)
        key = f"{own.model} {own.options!r} {own.mode}"
        if self._built is None or self._built[0] != key:
            self._built = (key, unwrap(build_model(spec)))
        return self._built[1]


def make_result(cell: Cell, trace: Trace) -> CellResult:
    """A cell's row of its trace, in the convention of that."""
    return CellResult(
        cell,
        trace.label,
        trace.spec,
        trace.total,
        uncounted=sum(item.calls for item in trace.uncounted),
        notes=trace.notes,
    )


def describe_error(error: BaseException) -> str:
    """What a row says of an exception: one line."""
    text = str(error) if isinstance(error, UsageError) else describe_failure(error)
    return " ".join(text.split())
