"""All torchvision models by every counter that is installed, beside the published values.

    python -m benchmarks.torchvision_models
    python -m benchmarks.torchvision_models --tools fvcore thop --models 'resnet*' -o counts.csv

A count is right where it is within one unit of the last decimal that torchvision prints.
Each tool has a process of its own, since several leave patches behind. Those that count
something else on meta tensors run on the CPU, where products are left out, which no
counter sees; `--compute` does them, in an hour.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks import idle_kernels
from benchmarks.counters import OURS, TOOLS, find_tool, silence
from benchmarks.published import Published, import_models, list_published


@dataclass(frozen=True)
class Row:
    """What one tool makes of one entry, or why it makes nothing of it."""

    tool: str
    entry: Published
    macs: float | None = None
    params: int | None = None
    seconds: float = 0.0
    error: str = ""

    @property
    def right(self) -> bool:
        return self.entry.agrees(self.macs)

    @property
    def right_params(self) -> bool:
        return self.params == self.entry.params


def count_entry(name: str, entry: Published, compute: bool) -> Row:
    """One tool on one entry, in the process of that tool."""
    import_models()  # several tools import torchvision themselves
    tool = find_tool(name)
    if tool.device == "cpu" and not compute:
        idle_kernels.install()
    start = time.perf_counter()
    try:
        with silence():
            macs, params = tool.count(entry, tool.device)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return Row(name, entry, error=reason)
    return Row(name, entry, macs, params, time.perf_counter() - start)


def count_entries(name: str, entries: Sequence[Published], compute: bool) -> list[Row]:
    """One tool on all entries; a process that dies costs the entry it was at.

    Weights of one network at one size are counted once.
    """
    known: dict[Hashable, Row] = {}
    pool = _start_process()
    for entry in entries:
        if entry.network in known:
            continue
        try:
            row = pool.submit(count_entry, name, entry, compute).result()
        except BrokenProcessPool:
            row, pool = Row(name, entry, error="its process died"), _start_process()
        known[entry.network] = row
    pool.shutdown()
    print(f"{name}: done", file=sys.stderr)
    return [replace(known[entry.network], entry=entry) for entry in entries]


def _start_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def summarise(rows: Sequence[Row]) -> list[str]:
    """One tool's line: how many are right, how far off the others are, and the time."""
    counted = [row for row in rows if row.macs is not None]
    ratios = [(row.macs or 0) / (row.entry.gmacs * 1e9) for row in counted]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
    without = all(row.params is None for row in counted)
    return [
        rows[0].tool,
        f"{sum(row.right for row in rows)} of {len(rows)}",
        "not counted" if without else f"{sum(row.right_params for row in rows)} of {len(rows)}",
        str(len(rows) - len(counted)),
        spread,
        f"{sum({row.entry.network: row.seconds for row in rows}.values()):.0f} s",
    ]


HEADER = ["tool", "MACs right", "params right", "failed", "MACs / published", "time"]


def write_markdown(results: Sequence[Sequence[Row]]) -> str:
    """The summary as a table, and every entry that a tool does not get, by name."""
    lines = [HEADER, ["---"] * len(HEADER), *map(summarise, results)]
    table = [f"| {' | '.join(line)} |" for line in lines]
    misses = [describe_miss(row) for rows in results for row in rows if not row.right]
    return "\n".join([*table, "", *(f"- {miss}" for miss in misses)]) + "\n"


def describe_miss(row: Row) -> str:
    """One line on a count that is not the published one."""
    found = row.error or f"{(row.macs or 0) / 1e9:.3f} G"
    return f"{row.tool}: {row.entry.name}: {found}, published {row.entry.gmacs} G"


def write_csv(results: Sequence[Sequence[Row]]) -> str:
    """A line for each tool and entry."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ("model", "weights", "family", "published_gmacs", "published_params")
    writer.writerow([*names, "tool", "macs", "params", "macs_right", "params_right", "error"])
    for row in (row for rows in results for row in rows):
        entry = row.entry
        published = (entry.model, entry.weights, entry.family, entry.gmacs, entry.params)
        found = (row.macs, row.params, row.right, row.right_params, row.error)
        writer.writerow([*published, row.tool, *found])
    return text.getvalue()


WRITERS: dict[str, Callable[[Sequence[Sequence[Row]]], str]] = {
    ".md": write_markdown,
    ".csv": write_csv,
}


def show(results: Sequence[Sequence[Row]]) -> None:
    """The summary of every tool, and what ours does not get, by name."""
    lines = [HEADER, *map(summarise, results)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())
    ours = [row for rows in results for row in rows if row.tool == OURS]
    missed = [row for row in ours if not (row.right and row.right_params)]
    for row in missed:
        print(describe_miss(row), f"params {row.params}, published {row.entry.params}")
    if ours and not missed:
        print(f"{OURS} gets all of them")


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [tool.name for tool in TOOLS]
    parser.add_argument("--tools", nargs="+", default=names, help=f"some of: {', '.join(names)}")
    parser.add_argument("--models", default="*", help="pattern of names")
    parser.add_argument("--compute", action="store_true", help="do the products on the CPU")
    parser.add_argument("--jobs", type=int, default=1, help="tools that run at the same time")
    parser.add_argument("-o", "--output", nargs="+", default=[], help="files, .md or .csv")
    return parser.parse_args()


def main() -> None:
    """Count, print, and write a file where one is asked for."""
    arguments = read_arguments()
    wanted = [tool for tool in TOOLS if tool.name.startswith(tuple(arguments.tools))]
    for tool in wanted:
        if not tool.installed:
            print(f"{tool.name}: not installed")
    entries = [entry for entry in list_published() if fnmatch(entry.model, arguments.models)]
    names = [tool.name for tool in wanted if tool.installed]
    work = partial(count_entries, entries=entries, compute=arguments.compute)
    with ThreadPoolExecutor(arguments.jobs) as threads:
        results = list(threads.map(work, names))
    show(results)
    for path in map(Path, arguments.output):
        path.write_text(WRITERS[path.suffix](results), "utf-8")


if __name__ == "__main__":
    main()
