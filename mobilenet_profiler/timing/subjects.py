"""A network ready to run: what the measuring loop takes passes of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import FORWARD
from mobilenet_profiler.timing.clocks import Clock
from mobilenet_profiler.timing.instruments import Instruments, Watch, measure_empty
from mobilenet_profiler.timing.measuring import CLEAN, EAGER, INSTRUMENTED
from mobilenet_profiler.trace.blame import describe_failure
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.modules import Structure

# How allocators say it that raise no OutOfMemoryError: the CPU's, MPS', and libraries of CUDA.
_WITHOUT_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _WITHOUT_MEMORY)


@contextmanager
def explain_failure(name: str, inputs: Inputs) -> Iterator[None]:
    """Turn a failure of the network's own into one line; what memory lacks is told apart."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, UsageError) or is_out_of_memory(error):
            raise
        reason = describe_failure(error)
        raise UsageError(f"{name} does not run on input {inputs}: {reason}") from error


class ReadyNetwork:
    """A network with its inputs, and which of its layers are timed.

    name: for the progress. timed: paths of the layers that get marks. compiled: what clean
    passes call instead of the network, whose layers are then timed beside its eager passes.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        inputs: Inputs,
        timed: Sequence[str],
        compiled: Callable[..., Any] | None = None,
    ) -> None:
        self.name, self.module, self.inputs, self.timed = name, module, inputs, timed
        self.structure = Structure(module)
        eager = () if compiled is None else (EAGER,)
        self.kinds: tuple[str, ...] = (CLEAN, *eager, INSTRUMENTED)
        self._compiled = compiled
        self.written: Sequence[tuple[Tensor, Tensor]] = ()

    def reset(self) -> None:
        """Give inputs that a pass writes to their values back."""
        with torch.no_grad():
            for tensor, values in self.written:
                tensor.copy_(values)

    def choose_call(self, kind: str) -> Callable[..., Any]:
        """What a pass of a kind calls: the network, or what was compiled of it."""
        return self.module if self._compiled is None or kind != CLEAN else self._compiled

    def list_notes(self) -> tuple[str, ...]:
        """What a reader must know of the passes that were taken, a sentence each."""
        if not self.written:
            return ()
        return ("a pass writes to its inputs, which get their values back before the next",)


class Inference(ReadyNetwork):
    """Forward passes without gradients, each on the same inputs.

    Under `torch.no_grad`, as what a network keeps for later must be fit for training.
    """

    phases: tuple[str, ...] = FORWARD

    def run(self, kind: str, watch: Watch) -> None:
        """One forward pass."""
        call = self.choose_call(kind)
        with torch.no_grad(), explain_failure(self.name, self.inputs):
            output = call(*self.inputs.args, **self.inputs.kwargs)
            watch.end("forward")
        del output

    def run_once(self) -> None:
        """One eager forward pass that nothing watches."""
        with torch.no_grad(), explain_failure(self.name, self.inputs):
            self.module(*self.inputs.args, **self.inputs.kwargs)

    def make_instruments(self, clock: Clock) -> Instruments:
        """Marks around the timed layers."""
        return Instruments(clock, self.structure, self.timed)

    def measure_empty(self, clock: Clock) -> tuple[float, ...]:
        """What the marks cost a call."""
        return measure_empty(clock)
