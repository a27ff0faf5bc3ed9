"""A network ready to run: what the measuring loop takes passes of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from mobilenet_profiler.timing.clocks import Clock
from mobilenet_profiler.timing.instruments import Instruments, Watch, measure_empty
from mobilenet_profiler.timing.measuring import CLEAN, EAGER, INSTRUMENTED
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.modules import Structure


class Inference:
    """Forward passes in inference mode, each on the same inputs.

    name: for the progress. timed: paths of the layers that get marks. compiled: what clean
    passes call instead of the network, whose layers are then timed beside its eager passes.
    """

    phases: tuple[str, ...] = ("forward",)

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
        self.kinds: tuple[str, ...] = (
            (CLEAN, EAGER, INSTRUMENTED)
            if compiled
            else (
                CLEAN,
                INSTRUMENTED,
            )
        )
        self._compiled = compiled

    def run(self, kind: str, watch: Watch) -> None:
        """One forward pass."""
        call = self._compiled if self._compiled and kind == CLEAN else self.module
        with torch.inference_mode():
            output = call(*self.inputs.args, **self.inputs.kwargs)
            watch.end("forward")
        del output

    def make_instruments(self, clock: Clock) -> Instruments:
        """Marks around the timed layers."""
        return Instruments(clock, self.structure, self.timed)

    def measure_empty(self, clock: Clock) -> tuple[float, float]:
        """What the marks cost a call."""
        return measure_empty(clock)
