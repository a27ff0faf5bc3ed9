"""Cells on the nodes of a Ray cluster: counted anywhere, timed alone on a node of a kind."""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mobilenet_profiler import __version__
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.blocks import make_blocks
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.nodes import Node, check_kinds, choose_device
from mobilenet_profiler.grid.order import Order
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.sweeping.exact import Counter
from mobilenet_profiler.sweeping.latencies import CellTimes, Timed, time_results
from mobilenet_profiler.sweeping.pool import Lost
from mobilenet_profiler.timing.measuring import OnProgress

_PIECE = 16  # cells of a task: its network is built once for those that follow each other
_AHEAD = 4  # tasks a processor that are under way or wait
_PATIENCE = 60.0  # seconds for the first answer of a cluster
_KNOCK = 5.0  # seconds for an address to answer
_LOOK = 1.0  # seconds between looks at nodes that have not answered
_DEATHS = 2  # of the process that times one cell, after which it is given up


@dataclass
class _Block:
    """Cells that one node times together, and how often its process died of them."""

    kind: str
    results: list[CellResult]
    deaths: int = 0


@dataclass
class _Place:
    """A node with what it does: its process, and the block that is under way there."""

    node: Node
    actor: Any = None
    block: _Block | None = None
    answer: Any = None


@dataclass
class _Schedule:
    """Blocks that wait, and nodes that time them."""

    waiting: deque[_Block]
    places: list[_Place] = field(default_factory=list)

    def take(self, node: Node) -> _Block | None:
        """The first block that a node can time."""
        for block in self.waiting:
            if node.serves(block.kind):
                self.waiting.remove(block)
                return block
        return None

    @property
    def busy(self) -> list[_Place]:
        return [place for place in self.places if place.block is not None]


class Cluster:
    """A cluster that is there already, for the length of a `with`.

    address: 'auto', 'HOST:PORT' or 'ray://HOST:PORT'. device: as it was asked for. A caller
    that is connected to a cluster already stays so, and that cluster is used.
    Raises UsageError where there is none, or its nodes lack this package.
    """

    def __init__(self, address: str, device: str = "cpu") -> None:
        self.address, self.device = address, device
        self._ray = _import_ray()
        self._connected = False

    def __enter__(self) -> Cluster:
        if not self._ray.is_initialized():
            self._connect()
        try:
            self._check_version()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._connected:
            self._ray.shutdown()

    def _connect(self) -> None:
        if self.address == "local":
            raise UsageError("ray takes a cluster that is there already: `ray start --head`")
        _knock(self.address)
        try:
            self._ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split()).partition(". ")[0]
            raise UsageError(f"no Ray cluster at {self.address!r}: {reason}") from None
        self._connected = True

    def _check_version(self) -> None:
        """A node that lacks this package, or has another, would count otherwise or not at all."""
        asked = self._ray.remote(num_cpus=0)(find_version).remote()
        try:
            found = self._ray.get(asked, timeout=_PATIENCE)
        except self._ray.exceptions.GetTimeoutError:
            raise UsageError(f"the cluster at {self.address!r} does not answer") from None
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[-200:]
            raise UsageError(f"its nodes cannot import mobilenet_profiler: {reason}") from None
        if found != __version__:
            raise UsageError(f"its nodes have mobilenet_profiler {found}, here is {__version__}")

    def list_nodes(self) -> list[Node]:
        """The nodes that are there now."""
        return [
            Node(known["NodeID"], known["Resources"])
            for known in self._ray.nodes()
            if known["Alive"]
        ]

    def check(self, kinds: Sequence[str]) -> None:
        """Refuse a kind that no node is of."""
        check_kinds([kind for kind in kinds if kind], self.list_nodes())

    def count(
        self, counter: Counter, cells: Sequence[Cell]
    ) -> Generator[CellResult | Lost, None, None]:
        """What the counter gives for each cell, in their order."""
        if self._ray.cluster_resources().get("CPU", 0) < 1:
            raise UsageError(f"the cluster at {self.address!r} has no processor to count on")
        task = self._ray.remote(num_cpus=1, max_retries=1)(count_cells)
        given = self._ray.put(counter)
        pieces = deque(_cut(cells, _PIECE))
        under_way: deque[tuple[list[Cell], Any]] = deque()
        try:
            while pieces or under_way:
                while pieces and len(under_way) < self._limit():
                    piece = pieces.popleft()
                    under_way.append((piece, task.remote(given, piece)))
                results = list(self._take(counter, *under_way[0]))
                under_way.popleft()  # before any is given: Ray can die of calling off what is done
                yield from results
        finally:
            self._call_off([answer for _, answer in under_way])

    def _call_off(self, answers: list[Any]) -> None:
        """Stop the tasks that have not answered."""
        with suppress(Exception):
            _, waiting = self._ray.wait(answers, num_returns=len(answers), timeout=0)
            for answer in waiting:
                self._ray.cancel(answer, force=True)

    def _limit(self) -> int:
        return _AHEAD * max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def _take(
        self, counter: Counter, piece: list[Cell], answer: Any
    ) -> Iterator[CellResult | Lost]:
        """The results of a task; where its process died, each cell by itself, to tell which."""
        try:
            yield from self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            if len(piece) == 1:
                yield Lost(f"the process that counted it died: {_describe(error)}")
                return
            task = self._ray.remote(num_cpus=1, max_retries=0)(count_cells)
            alone = [task.remote(counter, [cell]) for cell in piece]
            for cell, own in zip(piece, alone, strict=True):
                yield from self._take(counter, [cell], own)

    def time(
        self, order: Order, pending: Sequence[CellResult], tell: OnProgress
    ) -> Iterator[Timed]:
        """The times of every cell, each on a node of its kind, one block at a time a node."""
        schedule = _Schedule(deque(_list_blocks(pending)))
        done = 0
        try:
            while schedule.waiting or schedule.busy:
                self._employ(schedule, order)
                busy = len(schedule.busy)
                tell(done / len(pending), f"{busy} {'node' if busy == 1 else 'nodes'} at work")
                for timed in self._listen(schedule):
                    done += 1
                    yield timed
        finally:
            for place in schedule.places:
                self._dismiss(place)

    def _employ(self, schedule: _Schedule, order: Order) -> None:
        """A block for every node that has none; nodes that have come or gone are told apart."""
        present = {node.id: node for node in self.list_nodes()}
        known = {place.node.id for place in schedule.places}
        schedule.places += [_Place(node) for key, node in present.items() if key not in known]
        for place in schedule.places:
            if place.block is None and place.node.id in present:
                place.block = schedule.take(place.node)
                if place.block is not None:
                    self._begin(place, place.block, order)

    def _begin(self, place: _Place, block: _Block, order: Order) -> None:
        place.actor = place.actor or self._hire(place.node)
        device = choose_device(block.kind, self.device)
        how = {**order.setup, "device": device}
        if device != "cpu":
            how.pop("threads", None)
        place.answer = place.actor.time.remote(block.results, order.settings, how)

    def _hire(self, node: Node) -> Any:
        """A process that has a whole node to itself: nothing else of the cluster runs there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        whole = {"num_cpus": node.resources.get("CPU", 0), "num_gpus": node.resources.get("GPU", 0)}
        there = NodeAffinitySchedulingStrategy(node_id=node.id, soft=False)
        return self._ray.remote(Timer).options(**whole, scheduling_strategy=there).remote()

    def _dismiss(self, place: _Place) -> None:
        if place.actor is not None:
            with suppress(Exception):
                self._ray.kill(place.actor)
            place.actor = None

    def _listen(self, schedule: _Schedule) -> Iterator[Timed]:
        """What nodes have done meanwhile; cells that no node is left for have that as error."""
        busy = schedule.busy
        if not busy:
            for block in schedule.waiting:
                yield from _fail(block, f"no node of kind {block.kind!r} is left")
            schedule.waiting.clear()
            return
        ready, _ = self._ray.wait([place.answer for place in busy], timeout=_LOOK)
        for place in busy:
            if place.answer in ready:
                yield from self._finish(place, schedule)

    def _finish(self, place: _Place, schedule: _Schedule) -> Iterator[Timed]:
        block, place.block = place.block, None
        assert block is not None
        errors = self._ray.exceptions
        try:
            yield from _join(block, *self._ray.get(place.answer))
        except (errors.RayActorError, errors.ActorUnschedulableError) as error:
            self._dismiss(place)
            if place.node.id not in {node.id for node in self.list_nodes()}:
                schedule.places.remove(place)
                schedule.waiting.appendleft(block)
            else:
                yield from _try_again(block, schedule, _describe(error))
        except errors.RayError as error:
            yield from _fail(block, _describe(error))


class Timer:
    """The process that times on a node."""

    def time(
        self, results: Sequence[CellResult], settings: Mapping[str, Any], how: Mapping[str, Any]
    ) -> tuple[dict[str, CellTimes], Mapping[str, Any]]:
        """The times of cells by their keys, and the machine."""
        timed = list(time_results(results, settings, how))
        return {result.cell.key: own for result, own, _ in timed}, timed[-1][2]


def count_cells(counter: Counter, cells: Sequence[Cell]) -> list[CellResult]:
    """What a task does."""
    return [counter(cell) for cell in cells]


def find_version() -> str:
    """Of this package, on a node."""
    return __version__


def _knock(address: str) -> None:
    """Refuse an address at which nothing listens; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"no Ray cluster at {address!r}: {reason}") from None


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError("ray is not installed: pip install 'mobilenet-profiler[ray]'") from None
    return ray


def _cut(cells: Sequence[Cell], size: int) -> Iterator[list[Cell]]:
    for first in range(0, len(cells), size):
        yield list(cells[first : first + size])


def _list_blocks(pending: Sequence[CellResult]) -> Iterator[_Block]:
    """By kind of node, then by chance; a node cuts its own where its memory asks for that."""
    for kind in dict.fromkeys(result.cell.on for result in pending):
        own = [result for result in pending if result.cell.on == kind]
        yield from (_Block(kind, results) for results in make_blocks(own, None))


def _join(
    block: _Block, times: Mapping[str, CellTimes], environment: Mapping[str, Any]
) -> Iterator[Timed]:
    for result in block.results:
        yield result, times[result.cell.key], environment


def _fail(block: _Block, reason: str) -> Iterator[Timed]:
    for result in block.results:
        yield result, CellTimes(error=f"not timed: {reason}"), {}


def _try_again(block: _Block, schedule: _Schedule, reason: str) -> Iterator[Timed]:
    """Halves of a block whose process died, so that one cell's fault is not that of all."""
    deaths = block.deaths + 1
    if len(block.results) == 1 and deaths >= _DEATHS:
        yield from _fail(block, f"the process that timed it died: {reason}")
        return
    middle = len(block.results) // 2
    halves = [block.results[:middle], block.results[middle:]]
    own = deaths if len(block.results) == 1 else 0
    schedule.waiting.extendleft(_Block(block.kind, half, own) for half in halves if half)


def _describe(error: BaseException) -> str:
    """The last line of what Ray says, or its first words: the cause stands there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
