"""Work in other processes, its results in order; one that dies costs one piece of work.

Python's own pools lose everything with one process. Here each process gets two pieces at a
time, so that it never waits; where it dies, the one it was at is lost, and the other is
given to a new process.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any, Generic, TypeVar

from mobilenet_profiler.errors import UsageError

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 2  # pieces of work that a process has at a time
_WINDOW = 64  # results a process that may wait for an earlier one
_PATIENCE = 5.0  # seconds that a process has to end by itself
_READY = "ready"


@dataclass(frozen=True, slots=True)
class Lost:
    """What became of a piece of work whose process died, in words."""

    reason: str


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    tasks: deque[int] = field(default_factory=deque)
    ready: bool = False


def map_in_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Generator[Result | Lost, None, None]:
    """What the function gives for each task, in their order, worked out in so many processes.

    function: can be pickled and raises nothing. Raises UsageError where it cannot be sent,
    or where no process comes up. Closing the iterator ends every process.
    """
    pool = _Pool(function, tasks, jobs)
    try:
        yield from pool.run()
    finally:
        pool.close()


class _Pool(Generic[Task, Result]):
    def __init__(
        self, function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
    ) -> None:
        self.function, self.tasks = function, tasks
        self.jobs = min(jobs, len(tasks))
        self.workers: list[_Worker] = []
        self.waiting = deque(range(len(tasks)))
        self.done: dict[int, Result | Lost] = {}

    def run(self) -> Iterator[Result | Lost]:
        for index in range(len(self.tasks)):
            while index not in self.done:
                self._hire()
                self._feed(index)
                self._listen()
            yield self.done.pop(index)

    def close(self) -> None:
        for worker in self.workers:
            worker.pipe.close()
        for worker in self.workers:
            # One that has nothing to do ends by itself; one at work is not waited for.
            worker.process.terminate() if worker.tasks else worker.process.join(_PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
            worker.process.join()

    def _hire(self) -> None:
        """As many processes as there is work for."""
        while len(self.workers) < min(self.jobs, len(self.waiting) + self._count_busy()):
            self.workers.append(_start(self.function))

    def _count_busy(self) -> int:
        return sum(bool(worker.tasks) for worker in self.workers)

    def _feed(self, wanted: int) -> None:
        """Work for whoever has little, no further ahead than results may wait."""
        last = wanted + _WINDOW * self.jobs
        for turn in range(1, _AHEAD + 1):
            for worker in self.workers:
                if len(worker.tasks) < turn and self.waiting and self.waiting[0] < last:
                    index = self.waiting.popleft()
                    worker.tasks.append(index)
                    with suppress(OSError):  # it has died, which is found out next
                        worker.pipe.send((index, self.tasks[index]))

    def _listen(self) -> None:
        """Wait until a process says something or ends."""
        ends = [worker.process.sentinel for worker in self.workers]
        ready = connection.wait([*(worker.pipe for worker in self.workers), *ends])
        for worker in list(self.workers):
            ended = worker.process.sentinel in ready
            if worker.pipe in ready or ended:
                self._take_all(worker)
            if ended:
                self._bury(worker)

    def _take_all(self, worker: _Worker) -> None:
        with suppress(EOFError, OSError):
            while worker.pipe.poll():
                told = worker.pipe.recv()
                if told == _READY:
                    worker.ready = True
                    continue
                index, result = told
                worker.tasks.remove(index)
                self.done[index] = result

    def _bury(self, worker: _Worker) -> None:
        """What it was at is lost; what it had not begun is for others."""
        self.workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        reason = describe_end(worker.process.exitcode)
        if not worker.ready:
            raise UsageError(f"a process of jobs={self.jobs} {reason} before it could work")
        if worker.tasks:
            self.done[worker.tasks.popleft()] = Lost(f"the process that counted it {reason}")
        self.waiting.extendleft(reversed(worker.tasks))


def describe_end(code: int) -> str:
    """How a process ended, by its exit code: `was killed by SIGSEGV`, `exited with 3`."""
    if code >= 0:
        return f"exited with {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _start(function: Callable[[Any], Any]) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, function), daemon=True)
    try:
        with _hide_main(), _hold_interruptions():
            process.start()
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        ours.close()
        raise UsageError(f"cannot be sent to other processes, use jobs=1: {error}") from None
    finally:
        theirs.close()  # so that the pipe ends where the process does
    return _Worker(process, ours)


@contextmanager
def _hide_main() -> Iterator[None]:
    """Keep the caller's script from being run again in each process.

    A started process imports the main module of its parent, which would begin the sweep
    anew where the script does not guard against that. Nothing here needs it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _hold_interruptions() -> Iterator[None]:
    """Keep Ctrl-C from a process that is on its way up: it would end in a traceback.

    Its mask of signals is that of the thread that starts it. What comes meanwhile comes after.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """What a process does: one piece of work after another, until nobody wants any."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that gives the work
    sys.stdout = sys.stderr
    with suppress(OSError):
        os.dup2(2, 1)  # what a network prints is no data
    import torch

    torch.set_num_threads(1)
    with suppress(EOFError, OSError):
        pipe.send(_READY)
        while True:
            index, task = pipe.recv()
            pipe.send((index, function(task)))
