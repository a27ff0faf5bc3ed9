"""What a profile holds: raw samples beside exact costs. No torch, no terminal.

Every time is in whole nanoseconds, as the clock gave it; whatever is derived from the
samples (medians, intervals, shares) is a property or a function elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.measured.statistics import Estimate, estimate_median

if TYPE_CHECKING:
    import pandas

DEVICES = ("cpu", "cuda", "mps")
DTYPES = ("float32", "float16", "bfloat16")
RUN_MODES = ("inference", "train")
FORWARD = ("forward",)
TRAINING = ("forward", "loss", "backward", "optimizer")


def limit_threads() -> int:
    """The most threads that are taken: eight for each processor, 64 at the least.

    Many more than there are processors wait for each other for minutes.
    """
    return max(8 * (os.cpu_count() or 1), 64)


@dataclass(frozen=True, slots=True)
class Setup:
    """How a network was run; what `profile` was asked for, after defaults.

    device: 'cpu', 'cuda:0', 'mps'. dtype: of weights and inputs. batch: images, or None
    where the inputs have none. mode: inference or train. threads: of one operation on the
    CPU. channels_last: memory format of weights and images. compiled: whether the clean
    passes ran under torch.compile. optimizer: of a training step, or ''.
    seed: of weights, inputs and labels. stop: the rule that ended the measurement, in words.
    """

    device: str = "cpu"
    dtype: str = "float32"
    batch: int | None = 1
    mode: str = "inference"
    threads: int = 1
    channels_last: bool = False
    compiled: bool = False
    optimizer: str = ""
    seed: int = 0
    stop: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of the whole network, nanoseconds.

    phases: how long each phase took, by the clock that times layers too; they add up to
    its time on the device. wall: from the call until the device was idle again, by the
    host's clock; what a caller waits.
    """

    phases: tuple[int, ...]
    wall: int

    @property
    def time(self) -> int:
        """All phases together."""
        return sum(self.phases)


@dataclass(frozen=True, slots=True)
class LayerSamples:
    """One layer's time in one phase, a sample for each instrumented pass, nanoseconds.

    path: of the layer in the trace. samples: its own time, without that of timed layers
    inside it, as the clock gave it: the instruments' cost is still in it.
    calls: how often it ran in a pass; inner: how many timed layers ran directly inside it.
    kernels: time of its kernels on a GPU in a pass, by the device's own records (CUPTI),
    samples of passes of their own; empty elsewhere. kind: what it is where the trace has no
    row for it: 'compiled', or 'functional' where it uses the weights of others.
    """

    path: str
    phase: str
    samples: tuple[int, ...]
    calls: int = 1
    inner: int = 0
    kernels: tuple[int, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class LayerWork:
    """What a layer does in one pass, for its roofline: exact, from the trace.

    macs: multiply-accumulates. bytes_moved: read and written by its operations, each
    tensor once an operation. operations: how many ran, without views. counted: how many of
    these multiply.
    """

    macs: int
    bytes_moved: int
    operations: int
    counted: int


@dataclass(frozen=True, slots=True)
class EmptyCosts:
    """What the instruments cost by themselves, a sample a round, nanoseconds a call.

    inside: between the two marks of a layer, so part of the layer's time. outside: the
    rest of what an instrumented call costs more than a plain one.
    backward_inside, backward_outside: the same of a node of the backward pass, whose marks
    are made by hooks; empty where there is no such pass.
    busy_…: the same four on a device that is busy, with marks queued behind its work; the
    others are those of an idle one, which waits for its host. Empty where nothing is queued.
    """

    inside: tuple[float, ...] = ()
    outside: tuple[float, ...] = ()
    backward_inside: tuple[float, ...] = ()
    backward_outside: tuple[float, ...] = ()
    busy_inside: tuple[float, ...] = ()
    busy_outside: tuple[float, ...] = ()
    busy_backward_inside: tuple[float, ...] = ()
    busy_backward_outside: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """One call of a layer in the pass that `Profile.timeline` shows, nanoseconds from its start.

    path: '' is the network itself. phase: in which it ran. depth: how many spans hold it.
    """

    path: str
    phase: str
    start: int
    duration: int
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Contention:
    """How much else went on while the samples were taken.

    wall, cpu: nanoseconds of the measurement, and of processor time that this process had
    in it. voluntary, involuntary: context switches of this process. steal: share of
    processor time that the hypervisor gave to others, or None where it is not known.
    load: the machine's load average when the measurement began, or None. cores: usable.
    waited: nanoseconds that threads of this process, all together, were ready to run and
    had no processor, or None where the system does not count them. others: how many of the
    cores other work kept busy meanwhile, on average, or None.
    """

    wall: int = 0
    cpu: int = 0
    voluntary: int = 0
    involuntary: int = 0
    steal: float | None = None
    load: float | None = None
    cores: int = 1
    waited: int | None = None
    others: float | None = None


@dataclass(frozen=True)
class Profile:
    """The time of one network on one machine: noisy, never compared by value.

    trace: its exact costs. setup: how it ran. environment: the machine and its settings as
    plain data, JSON's types alone. phases: of a pass, in order.
    clean: passes with nothing attached; instrumented: passes whose layers were timed,
    in turns with them. layers: a record for each layer and phase. work: by path.
    empty: what the instruments cost. timeline: the spans of one instrumented pass.
    warmup: passes before the first that counts; settled: whether they stopped changing.
    eager: clean passes without torch.compile, where `setup.compiled`; layers are of these.
    graph: whole passes replayed as a CUDA graph, nanoseconds; empty elsewhere.
    memory: bytes by name ('predicted_peak', 'measured_peak', 'weights', …); see `memory.py`.
    notes: what a reader must know, a sentence each.
    """

    trace: Trace
    setup: Setup
    environment: Mapping[str, Any]
    phases: tuple[str, ...]
    clean: tuple[Pass, ...]
    instrumented: tuple[Pass, ...]
    layers: tuple[LayerSamples, ...]
    work: Mapping[str, LayerWork] = field(default_factory=dict)
    empty: EmptyCosts = EmptyCosts()
    timeline: tuple[Span, ...] = ()
    warmup: int = 0
    settled: bool = True
    contention: Contention = Contention()
    eager: tuple[Pass, ...] = ()
    graph: tuple[int, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def by_path(self) -> Mapping[str, tuple[LayerSamples, ...]]:
        """The records of each timed layer, those of its phases in order."""
        found: dict[str, list[LayerSamples]] = {}
        for layer in self.layers:
            found.setdefault(layer.path, []).append(layer)
        return {path: tuple(layers) for path, layers in found.items()}

    @property
    def label(self) -> str:
        """What was profiled, and how, for a heading."""
        setup = self.setup
        told = "mode=train" in self.trace.label.split()
        parts = [self.trace.label, *([] if told else [setup.mode]), setup.device, setup.dtype]
        parts += [f"threads={setup.threads}"] if setup.device == "cpu" else []
        parts += ["channels_last"] if setup.channels_last else []
        parts += ["compiled"] if setup.compiled else []
        parts += [setup.optimizer] if setup.optimizer else []
        return " ".join(parts)

    @property
    def latency(self) -> Estimate:
        """Median time of a clean pass, as a caller waits for it, nanoseconds."""
        return estimate_median([sample.wall for sample in self.clean])

    def frame(self) -> pandas.DataFrame:
        """The timed layers as a pandas DataFrame, a row a layer and phase, times in ns."""
        from mobilenet_profiler.frames import frame_profile

        return frame_profile(self)

    def __str__(self) -> str:
        from mobilenet_profiler.render.profile import render_text

        return render_text(self)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.profile import render_html

        return render_html(self)
