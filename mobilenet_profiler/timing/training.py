"""Steps of training: forward, loss, backward and optimizer, each a phase of the pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mobilenet_profiler.measured.profile import TRAINING
from mobilenet_profiler.measured.training import OPTIMIZERS, describe_optimizer
from mobilenet_profiler.timing.backward import BackwardInstruments, measure_empty_node
from mobilenet_profiler.timing.clocks import Clock, CpuClock
from mobilenet_profiler.timing.instruments import Instruments, Watch, measure_both, measure_empty
from mobilenet_profiler.timing.measuring import EAGER
from mobilenet_profiler.timing.subjects import ReadyNetwork, explain_failure
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.losses import Loss
from mobilenet_profiler.trace.optimizers import make_optimizer


class TrainingStep(ReadyNetwork):
    """Whole steps, each on the same inputs and labels, in the module's own modes.

    The module is trained in place, at a rate of 0 (see `measured.training.LEARNING_RATE`):
    what its buffers hold changes, its weights do not. optimizer: one of OPTIMIZERS. seed:
    of the labels. Layers have a forward and a backward time; of the loss and the
    optimizer, which updates all parameters at once, only the whole is known.

    Raises UsageError where there is nothing to train.
    """

    phases: tuple[str, ...] = TRAINING

    def __init__(
        self,
        name: str,
        module: nn.Module,
        inputs: Inputs,
        timed: Sequence[str],
        compiled: Callable[..., Any] | None = None,
        *,
        optimizer: str = OPTIMIZERS[0],
        seed: int = 0,
    ) -> None:
        super().__init__(name, module, inputs, timed, compiled)
        self.optimizer = make_optimizer(optimizer, module)
        self.find_loss = Loss(seed)
        self._device = next(p.device for p in module.parameters() if p.requires_grad)
        self._described = describe_optimizer(optimizer)
        self._last: Tensor | None = None

    def run(self, kind: str, watch: Watch) -> None:
        """One step; what attaches marks to the backward pass is in no phase."""
        call = self.choose_call(kind)
        with torch.enable_grad(), explain_failure(self.name, self.inputs):
            output = call(*self.inputs.args, **self.inputs.kwargs)
            watch.end("forward")
            loss = self.find_loss(output)
            watch.end("loss")
            watch.prepare_backward(loss)
            watch.end("")
            torch.autograd.backward(loss)
            watch.end("backward")
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            watch.end("optimizer")
        self._last = loss.detach()
        for tensor in self.inputs.tensors:
            tensor.grad = None

    def run_once(self) -> None:
        """One eager step that nothing watches."""
        self.run(EAGER, Watch(CpuClock()))

    def make_instruments(self, clock: Clock) -> Instruments:
        """Marks around the timed layers, and around the nodes of the backward pass."""
        return BackwardInstruments(clock, self.structure, self.timed)

    def measure_empty(self, clock: Clock) -> Mapping[str, float]:
        """What the marks cost a call, and what they cost a node."""
        call = partial(measure_empty, clock, kind=BackwardInstruments)
        node = partial(measure_empty_node, clock, self._device)
        return {**measure_both(clock, call), **measure_both(clock, node, "backward_")}

    def list_notes(self) -> tuple[str, ...]:
        """What was minimised and how, after a step; and whether numbers left their range."""
        return (
            tuple(filter(None, (self.find_loss.description, self._described, self._check_loss())))
            + super().list_notes()
        )

    def _check_loss(self) -> str:
        if self._last is None or bool(torch.isfinite(self._last)):
            return ""
        return (
            f"the loss is {self._last.item()}: these weights leave the range of "
            f"{str(next(self.module.parameters()).dtype).removeprefix('torch.')}"
        )
