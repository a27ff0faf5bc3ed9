"""What is known of the cells of a grid: `CellResult`, and all of them, a `Sweep`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mobilenet_profiler.comparing import Accuracy
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.axes import Axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.quantities import QUANTITIES, Quantity, find_quantity
from mobilenet_profiler.measured.statistics import Estimate

if TYPE_CHECKING:
    import pandas

    from mobilenet_profiler.render.plot.sweep import Plots


@dataclass(frozen=True, slots=True)
class CellResult:
    """One cell and what was found of it.

    label, spec: as a Trace has them. cost: totals in the convention of the sweep; None
    where it failed before it was counted. uncounted: calls of operations that no number includes.
    memory: predicted peak of activations, bytes. latency: nanoseconds of a pass, the
    median. samples: nanoseconds of every clean pass behind it. machine: which of
    `Sweep.machines` measured it. accuracy: published or the user's own.
    notes: what a reader must know. error: the one line of why it failed, '' elsewhere.
    left_out: whether a condition of the sweep leaves it out.
    """

    cell: Cell
    label: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost | None = None
    uncounted: int = 0
    memory: int | None = None
    latency: Estimate | None = None
    samples: tuple[int, ...] = ()
    machine: str = ""
    accuracy: Accuracy | None = None
    notes: tuple[str, ...] = ()
    error: str = ""
    left_out: bool = False

    def __str__(self) -> str:
        from mobilenet_profiler.render.cell import render_text

        return render_text(self)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.cell import render_html

        return render_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


@dataclass(frozen=True)
class Sweep:
    """A grid of networks with their costs.

    axes: what differs over the cells of one network, on one kind of node.
    models: the networks as they were given, which differ besides where they are several.
    results: in the order of the grid, without those that a condition leaves out.
    missing: cells of the grid that have no result yet. left_out: how many conditions took.
    convention: of the costs, by name. where: the conditions, as text. settings: of every
    cell alike. setup: how latencies were measured (device, threads, dtype, batch, …).
    machines: the environments in which they were, by name.
    """

    models: tuple[str, ...]
    axes: tuple[Axis, ...]
    results: tuple[CellResult, ...]
    convention: str = DEFAULT
    where: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    setup: Mapping[str, Any] = field(default_factory=dict)
    machines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing: int = 0
    left_out: int = 0

    @cached_property
    def failed(self) -> tuple[CellResult, ...]:
        """The cells that have an error instead of what was asked for."""
        return tuple(result for result in self.results if result.error)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Those of which any cell has an amount."""
        return tuple(
            quantity
            for quantity in QUANTITIES.values()
            if any(quantity.amount(result) is not None for result in self.results)
        )

    def frame(self) -> pandas.DataFrame:
        """The long table, a row a cell: axes, counts, what was measured, accuracy, error.

        memory is in bytes, latency_ns and its interval in nanoseconds, top1 in per cent; what
        is not known is missing.
        """
        from mobilenet_profiler.frames import frame_sweep

        return frame_sweep(self)

    def pivot(
        self, quantity: str = "macs", down: str | None = None, across: str | None = None
    ) -> pandas.DataFrame:
        """One quantity over two axes: alpha down, resolution across, or those named.

        Whole counts, bytes of memory, nanoseconds of latency, per cent of accuracy.
        Raises UsageError for a quantity or an axis that there is not.
        """
        from mobilenet_profiler.frames import frame_pivot

        return frame_pivot(self, quantity, down, across)

    def pareto(self, *quantities: str) -> Sweep:
        """The cells to which none is better in one quantity and as good in the others.

        quantities: 'macs', 'top1' and so on; none is MACs and accuracy. A sweep from least to
        most of the first of them, which says what it leaves out. Raises UsageError.
        """
        from mobilenet_profiler.grid.pareto import find_front

        names = quantities or ("macs", "top1")
        chosen = [find_quantity(name) for name in names]
        front = find_front(self.results, chosen)
        condition = f"on the Pareto front of {', '.join(quantity.name for quantity in chosen)}"
        return replace(
            self,
            results=front,
            where=(*self.where, condition),
            left_out=self.left_out + len(self.results) - len(front),
        )

    @property
    def plot(self) -> Plots:
        """Its pictures, matplotlib figures: `.plot.tradeoff()`, `.plot.heatmap("macs")`."""
        from mobilenet_profiler.render.plot.sweep import Plots

        return Plots(self)

    def __str__(self) -> str:
        from mobilenet_profiler.render.sweep import render_text

        return render_text(self, width=100)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.sweep import render_html

        return render_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # IPython's own choice is the repr, which nobody can read
