"""Three ways to time layers beside clean passes, in turns in one run: how far off, how slow.

    python -m benchmarks.layer_timers
    python -m benchmarks.layer_timers -o layer_timers.csv
    python -m benchmarks.layer_timers --device cuda
    python -m benchmarks.layer_timers --quick         # few rounds: no figure to keep
    python -m pytest benchmarks/test_layer_timers.py --benchmark-only -s

- mobilenet-profiler: the marks of a profile around each layer, less what the marks cost, as a
  profile takes it off that has no kernel times; what lies between them is the rest of the pass.
- torch.profiler: `record_function` around each layer and around the network; on a GPU the
  times of the kernels in them.
- synchronise: hooks before and after every module that wait for the device and read the
  clock, in a single pass, as per-layer timers do; on a CPU there is nothing to wait for.

A round is a clean pass and one of each, every other round the other way round, each right
after a plain pass that does not count; what it gives is divided by the clean pass. layers: the
times of all layers; for the two others these are the modules that hold no others.
closing error: by how much the layers and what lies between them, which for the two others is
the rest of the whole as they time it, miss the clean pass. slowdown: a pass with the timer
attached. Medians with their intervals; nothing is asserted, since machines are noisy.
PyTorch's profiler writes two lines to stderr each time.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType  # type: ignore[attr-defined]  # no stub names it
from torch.profiler import ProfilerActivity, profile, record_function

import mobilenet_profiler as mp
from benchmarks.timed_networks import NETWORKS, Network, make_parser
from mobilenet_profiler.measured.statistics import Estimate, estimate_median
from mobilenet_profiler.timing.clocks import Clock, make_clock
from mobilenet_profiler.timing.instruments import choose_timed
from mobilenet_profiler.timing.measuring import INSTRUMENTED, take_row
from mobilenet_profiler.timing.subjects import Inference
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.modules import Structure

SECONDS, QUICK_SECONDS = 25.0, 2.0  # a network and number of threads
FEWEST = 3  # rounds
OURS, PROFILER, SYNCHRONISE = "mobilenet-profiler", "torch.profiler", "synchronise"


@dataclass(frozen=True)
class Reading:
    """What a timer says of a pass, nanoseconds: all layers, the whole; and what the pass took."""

    layers: float
    whole: float
    took: float


@dataclass
class Subject:
    """A network with its image on a device."""

    module: nn.Module
    image: Tensor
    clock: Clock
    device: str

    def __post_init__(self) -> None:
        trace = mp.trace(self.module, self.image)
        timed = choose_timed(Structure(self.module), trace)
        self.inference = Inference("", self.module, Inputs((self.image,)), [*timed])
        self.leaves = [module for module in self.module.modules() if not module._modules]

    def run(self) -> float:
        """Nanoseconds of a plain pass without gradients, from an idle device to an idle one."""
        self.clock.wait()
        start = time.perf_counter_ns()
        with torch.no_grad():
            self.module(self.image)
        self.clock.wait()
        return time.perf_counter_ns() - start


def read_marks(subject: Subject) -> Reading:
    """By the marks of this package, as `measured.rows` adds them up."""
    subject.run()
    ((taken, decoded),) = take_row(subject.inference, subject.clock, INSTRUMENTED)
    costs = subject.inference.measure_empty(subject.clock)
    inside, outside = (costs.get(f"busy_{side}", costs[side]) for side in ("inside", "outside"))
    own = decoded.layers.values()
    layers = sum(max(one.time - one.calls * inside - one.inner * outside, 0.0) for one in own)
    calls = sum(one.calls for one in own)
    return Reading(layers, taken.time - calls * (inside + outside), taken.wall)


@contextmanager
def hook(
    modules: Sequence[nn.Module],
    before: Callable[[nn.Module], None],
    after: Callable[[nn.Module], None],
) -> Iterator[None]:
    """Call something before and after the forward of each module."""
    with ExitStack() as stack:
        for module in modules:
            first = module.register_forward_pre_hook(lambda held, given: before(held))
            last = module.register_forward_hook(lambda held, given, made: after(held))
            stack.callback(first.remove)
            stack.callback(last.remove)
        yield


def read_profiler(subject: Subject) -> Reading:
    """By PyTorch's profiler, with a range for each layer and one for the network."""
    names = {module: f"layer {place}" for place, module in enumerate(subject.leaves)}
    names[subject.module] = "network"
    ranges: list[Any] = []

    def enter(module: nn.Module) -> None:
        ranges.append(record_function(names[module]))
        ranges[-1].__enter__()

    def leave(module: nn.Module) -> None:
        ranges.pop().__exit__(None, None, None)

    on_device = subject.device.startswith("cuda")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_device else [])]
    with profile(activities=activities, acc_events=True) as recorded:
        subject.run()
        with hook(list(names), enter, leave):
            took = subject.run()
    times = _add_up_ranges(recorded, set(names.values()), on_device)
    whole = times.pop("network")
    return Reading(sum(times.values()), whole, took)


def _add_up_ranges(recorded: Any, names: set[str], on_device: bool) -> dict[str, float]:
    """Nanoseconds of each range: of its kernels on a device, else of the host."""
    times: dict[str, float] = {}
    for event in recorded.events():
        if event.name in names and event.device_type == DeviceType.CPU:
            taken = event.device_time_total if on_device else event.cpu_time_total
            times[event.name] = times.get(event.name, 0.0) + 1e3 * taken
    return times


def read_synchronised(subject: Subject) -> Reading:
    """By hooks that wait for the device and read the clock, around every module."""
    wait, now = subject.clock.wait, time.perf_counter_ns
    starts: list[int] = []
    times: dict[nn.Module, int] = {}

    def start(module: nn.Module) -> None:
        wait()
        starts.append(now())

    def stop(module: nn.Module) -> None:
        wait()
        times[module] = times.get(module, 0) + now() - starts.pop()

    subject.run()
    with hook(list(subject.module.modules()), start, stop):
        took = subject.run()
    layers = sum(times.get(module, 0) for module in subject.leaves)
    return Reading(layers, times[subject.module], took)


TIMERS = {OURS: read_marks, PROFILER: read_profiler, SYNCHRONISE: read_synchronised}


@dataclass
class Result:
    """The readings of one network, a clean pass in nanoseconds for each."""

    label: str
    threads: int
    clean: list[float] = field(default_factory=list)
    readings: dict[str, list[Reading]] = field(default_factory=lambda: {t: [] for t in TIMERS})

    def compare(self, timer: str, of: Callable[[Reading], float]) -> Estimate:
        """Something of a timer's reading over the clean pass of the same round."""
        pairs = zip(self.readings[timer], self.clean, strict=True)
        return estimate_median([of(reading) / clean for reading, clean in pairs])


def measure_timers(
    network: Network, threads: int, quick: bool = False, device: str = "cpu"
) -> Result:
    """Rounds of a clean pass and one by each timer, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        subject = Subject(*network.build(device), make_clock(device), device)
        result = Result(network.label, threads)
        _take_round(subject, 0)  # the first of each does not count
        start, turn = time.perf_counter(), 0
        while turn < FEWEST or time.perf_counter() - start < (QUICK_SECONDS if quick else SECONDS):
            clean, readings = _take_round(subject, turn)
            result.clean.append(clean)
            for name, reading in readings.items():
                result.readings[name].append(reading)
            turn += 1
    finally:
        torch.set_num_threads(before)
    return result


def _take_round(subject: Subject, turn: int) -> tuple[float, dict[str, Reading]]:
    clean, readings = 0.0, dict[str, Reading]()
    for name in [None, *TIMERS][:: -1 if turn % 2 else 1]:
        if name is None:
            subject.run()
            clean = subject.run()
        else:
            readings[name] = TIMERS[name](subject)
    return clean, readings


COLUMNS: dict[str, Callable[[Result, str], Estimate]] = {
    "layers": lambda result, timer: result.compare(timer, lambda r: r.layers),
    "closing": lambda result, timer: shift(result.compare(timer, lambda r: r.whole), -1.0),
    "slowdown": lambda result, timer: result.compare(timer, lambda r: r.took),
}
HEADER = ["network", "threads", "rounds", "clean", "timer", "layers", "closing error", "slowdown"]


def shift(estimate: Estimate, by: float) -> Estimate:
    """The same with a number added."""
    return Estimate(estimate.value + by, estimate.low + by, estimate.high + by, estimate.count)


def describe(result: Result, timer: str) -> list[str]:
    """A line of the table: per cent of the clean pass, and times of it, with intervals."""
    layers, closing, slowdown = (column(result, timer) for column in COLUMNS.values())
    clean = estimate_median(result.clean).value / 1e6
    return [
        *(result.label, str(result.threads), str(len(result.clean)), f"{clean:.2f} ms", timer),
        f"{100 * layers.value:.1f}% ({100 * layers.low:.1f} to {100 * layers.high:.1f})",
        f"{100 * closing.value:+.1f}% ({100 * closing.low:+.1f} to {100 * closing.high:+.1f})",
        f"{slowdown.value:.3f} ({slowdown.low:.3f} to {slowdown.high:.3f})",
    ]


def write_table(results: Sequence[Result]) -> str:
    """A line for each network, number of threads and timer, in columns."""
    lines = [HEADER, *(describe(result, timer) for result in results for timer in TIMERS)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [zip(line, widths, strict=True) for line in lines]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in row).rstrip() for row in rows)


def write_csv(results: Sequence[Result], device: str) -> str:
    """The same as numbers: parts of the clean pass, with intervals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    bounds = [f"{name}{end}" for name in COLUMNS for end in ("", "_low", "_high")]
    writer.writerow(["network", "device", "threads", "rounds", "clean_ns", "timer", *bounds])
    for result in results:
        clean = round(estimate_median(result.clean).value)
        setting = [result.label, device, result.threads, len(result.clean), clean]
        for timer in TIMERS:
            found = [column(result, timer) for column in COLUMNS.values()]
            numbers = [x for e in found for x in (e.value, e.low, e.high)]
            writer.writerow([*setting, timer, *(f"{number:.6f}" for number in numbers)])
    return text.getvalue()


def choose_threads(device: str, given: int | None = None) -> list[int]:
    """Those given, or one and all of a CPU; on a device it makes no difference."""
    most = torch.get_num_threads()
    if given:
        return [given]
    return sorted({1, most}) if device == "cpu" else [most]


def main() -> None:
    """Every network and number of threads; print, and write a file where one is asked for."""
    parser = make_parser(__doc__)
    parser.add_argument("-o", "--output", type=Path, help="file, .csv")
    arguments = parser.parse_args()
    results = [
        measure_timers(network, threads, arguments.quick, arguments.device)
        for network in NETWORKS
        for threads in choose_threads(arguments.device, arguments.threads)
    ]
    print(write_table(results))
    if arguments.output:
        arguments.output.write_text(write_csv(results, arguments.device), "utf-8")


if __name__ == "__main__":
    main()
