"""A trace by operation: counted, free by rule or unknown. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mobilenet_profiler.cost import OpCost, Status, Trace

_ORDER: dict[Status, int] = {"counted": 0, "unknown": 1, "free": 2}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """All uses of one operation in a trace.

    name: `aten::conv2d`. rule: why it is free, or ''. calls: how often it ran.
    macs, elementwise: forward. backward_macs: of its uses in the backward pass.
    bytes_read, bytes_written: of all its tensors, both passes.
    """

    name: str
    status: Status
    rule: str
    calls: int
    macs: int
    backward_macs: int
    elementwise: int
    bytes_read: int
    bytes_written: int


def make_ledger(trace: Trace) -> tuple[LedgerRow, ...]:
    """A row an operation: those counted first, then the unknown, then the free.

    MACs, element operations and calls add up to the trace's.
    """
    groups: dict[tuple[str, Status, str], list[OpCost]] = {}
    for operation in trace.ops:
        key = (operation.name, operation.status, operation.rule)
        groups.setdefault(key, []).append(operation)
    rows = (_make_row(*key, uses) for key, uses in groups.items())
    return tuple(sorted(rows, key=_rank))


def add_up(rows: Iterable[LedgerRow]) -> LedgerRow:
    """One row for several, under the name of total."""
    rows = tuple(rows)
    sums = [
        sum(getattr(row, name) for row in rows)
        for name in ("calls", "macs", "backward_macs", "elementwise", "bytes_read", "bytes_written")
    ]
    return LedgerRow("total", "counted", "", *sums)


def _make_row(name: str, status: Status, rule: str, uses: list[OpCost]) -> LedgerRow:
    forward = [use for use in uses if use.phase == "forward"]
    return LedgerRow(
        name=name,
        status=status,
        rule=rule,
        calls=len(uses),
        macs=sum(use.macs for use in forward),
        backward_macs=sum(use.macs for use in uses if use.phase == "backward"),
        elementwise=sum(use.elementwise for use in forward),
        bytes_read=sum(use.bytes_read for use in uses),
        bytes_written=sum(use.bytes_written for use in uses),
    )


def _rank(row: LedgerRow) -> tuple[int, int, int, str]:
    return _ORDER[row.status], -row.macs - row.backward_macs, -row.elementwise, row.name
