"""The file of a sweep, which grows by a line whenever a cell is done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.order import Order
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.grid.saved import Kept, check_same, read_kept
from mobilenet_profiler.render.sweep_json import (
    describe_cell,
    describe_machine,
    describe_order,
    render_line,
)
from mobilenet_profiler.saved import blame_file

try:
    import fcntl
except ImportError:  # Windows, where a file that is written is locked by itself
    fcntl = None  # type: ignore[assignment]


class Journal:
    """What is known of the cells of an order, in memory and, where there is one, in its file."""

    def __init__(self, order: Order, kept: Kept, file: FileIO | None) -> None:
        self.order, self.file = order, file
        self.results: dict[str, CellResult] = kept.results
        self.machines: dict[str, Mapping[str, Any]] = kept.machines

    def add(self, result: CellResult) -> None:
        """A cell that is done; once this returns, the file has it."""
        self._write(describe_cell(result, self.order.convention))
        self.results[result.cell.key] = result

    def add_machine(self, name: str, environment: Mapping[str, Any]) -> None:
        """A machine, before the first cell that it timed."""
        if name not in self.machines:
            self._write(describe_machine(name, environment))
            self.machines[name] = environment

    def begin(self) -> None:
        """The first line."""
        self._write(describe_order(self.order))

    def _write(self, data: Mapping[str, Any]) -> None:
        if self.file is None:
            return
        left = memoryview(render_line(data).encode())
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:
            raise UsageError(f"cannot write {self.file.name!r}: {error.strerror}") from None


@contextmanager
def open_journal(order: Order, path: str | Path | None, resume: bool) -> Iterator[Journal]:
    """The journal of an order, with what its file holds already where it is resumed.

    Without a path all is kept in memory alone. Raises UsageError for a file that is there
    and not resumed, holds another sweep, is being written by another process, or cannot
    be written.
    """
    if path is None:
        if resume:
            raise UsageError("resume goes on with a saved sweep: say in which file")
        yield Journal(order, Kept(), None)
        return
    with _open_file(Path(path), resume) as file:
        kept = read_kept(path)
        with blame_file(path):
            if kept.order is not None:
                check_same(kept.head, order)
        _cut(file, kept.length)
        journal = Journal(order, kept, file)
        try:
            if kept.order is None:
                journal.begin()
            yield journal
        except UsageError:
            if not journal.results:
                Path(path).unlink()  # nothing is half written
            raise


def check_save(path: str | Path, resume: bool) -> None:
    """Refuse a file that cannot be the sweep's, before anything is worked out for it."""
    _check_name(path)
    if Path(path).exists() and not resume:
        raise UsageError(f"{str(path)!r} is there already: resume it, or give another name")
    if Path(path).exists() and not Path(path).is_file():
        raise UsageError(f"cannot write {str(path)!r}: it is no file")


def _check_name(path: str | Path) -> None:
    if Path(path).suffix.casefold() != ".jsonl":
        raise UsageError(f"a sweep is saved in a file that ends in .jsonl, given {str(path)!r}")


@contextmanager
def _open_file(path: Path, resume: bool) -> Iterator[FileIO]:
    check_save(path, resume)
    try:
        # Without resume the file must be new: two sweeps that begin at once cannot share it.
        file = path.open("r+b" if resume and path.exists() else "xb", buffering=0)
    except FileExistsError:
        raise UsageError(
            f"{str(path)!r} is there already: resume it, or give another name"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
    with file:
        _lock(file, path)
        yield file


def _lock(file: FileIO, path: Path) -> None:
    """Refuse a file that another process writes; the lock ends with this one, however it ends."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"{str(path)!r} is being written by another sweep") from None
    except OSError:  # a file system without locks
        return


def _cut(file: FileIO, length: int) -> None:
    """Go on behind the last whole line; what was torn off behind it is written anew."""
    file.truncate(length)
    file.seek(0, os.SEEK_END)
