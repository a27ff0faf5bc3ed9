"""Steps of training: forward, loss, backward and optimizer, each a phase of the pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import TRAINING
from mobilenet_profiler.measured.training import (
    LEARNING_RATE,
    OPTIMIZERS,
    SETTINGS,
    WEIGHT_DECAY,
    describe_optimizer,
)
from mobilenet_profiler.timing.backward import BackwardInstruments, measure_empty_node
from mobilenet_profiler.timing.clocks import Clock, CpuClock
from mobilenet_profiler.timing.instruments import Instruments, Watch, measure_both, measure_empty
from mobilenet_profiler.timing.measuring import EAGER
from mobilenet_profiler.timing.subjects import ReadyNetwork, explain_failure
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.passes import find_tensors

_NORMS = tuple(
    f"torch.nn.modules.{room}" for room in ("batchnorm", "instancenorm", "normalization")
)
_CLASSES = {
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
    "adamw": torch.optim.AdamW,
}


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
        check_trainable(module)
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


class Loss:
    """What a step minimises, chosen by what the network returns.

    A loss of its own (numbers without axes that have a gradient); else the cross entropy of
    every (N, C) or (N, C, 1, 1) output, such as those of auxiliary heads, added up, with
    random labels; else the mean of every output that has a gradient. In float32 where the
    network is in half precision. seed: of the labels, which stay the same.

    Called with the output; raises UsageError where nothing of it has a gradient.
    """

    def __init__(self, seed: int = 0) -> None:
        self.description = ""
        self._numbers = torch.Generator().manual_seed(seed)
        self._labels: dict[tuple[int, int], Tensor] = {}

    def __call__(self, output: Any) -> Tensor:
        usable = list_trainable(output)
        words, lose, chosen = self._choose(usable)
        if not self.description:
            several = f", the sum over {len(chosen)} outputs" if len(chosen) > 1 else ""
            left = len(usable) - len(chosen)
            others = f"; outputs without a part in it: {left}" if left else ""
            self.description = f"the loss is {words}{several}{others}"
        return reduce(torch.add, [lose(widen(tensor)) for tensor in chosen])

    def _choose(
        self, usable: Sequence[Tensor]
    ) -> tuple[str, Callable[[Tensor], Tensor], Sequence[Tensor]]:
        """The loss in words, what makes it of an output, and of which outputs."""
        own = [tensor for tensor in usable if tensor.dim() == 0]
        logits = [tensor for tensor in usable if is_logits(tensor)]
        if own:
            return "that which the network returns", lambda loss: loss, own
        if logits:
            return "the cross entropy with random labels", self._classify, logits
        return "the mean of the output, which has no shape (N, C)", Tensor.mean, usable

    def _classify(self, logits: Tensor) -> Tensor:
        shape = (logits.shape[0], logits.shape[1])
        if shape not in self._labels:
            labels = torch.randint(shape[1], shape[:1], generator=self._numbers)
            self._labels[shape] = labels.to(logits.device)
        return functional.cross_entropy(logits.flatten(1), self._labels[shape])


def widen(tensor: Tensor) -> Tensor:
    """Half precision as float32; sums and exponentials of many numbers leave its range."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def list_trainable(output: Any) -> list[Tensor]:
    """What a network returned that a loss can be made of, each tensor once."""
    tensors = {id(tensor): tensor for tensor in find_tensors(output)}
    usable = [t for t in tensors.values() if t.requires_grad and t.is_floating_point()]
    if not usable:
        raise UsageError(
            "nothing that the network returns has a gradient: no loss can be made of it"
        )
    return usable


def is_logits(tensor: Tensor) -> bool:
    """Whether it is a row of two or more numbers for each image."""
    flat = tensor.dim() == 2 or (tensor.dim() == 4 and tensor.shape[2:] == (1, 1))
    return flat and tensor.shape[1] > 1


def make_optimizer(name: str, module: nn.Module) -> torch.optim.Optimizer:
    """An optimizer with the reference's settings for every parameter that is not frozen."""
    groups = group_parameters(module)
    made: torch.optim.Optimizer = _CLASSES[name](groups, lr=LEARNING_RATE, **SETTINGS[name])
    return made


def check_trainable(module: nn.Module) -> None:
    """Raise UsageError where a step would train nothing."""
    parameters = list(module.parameters())
    if any(parameter.requires_grad for parameter in parameters):
        return
    known = f"all {len(parameters)} are frozen" if parameters else "it has none"
    raise UsageError(f"no parameters of {type(module).__name__} to train: {known}")


def group_parameters(module: nn.Module) -> list[dict[str, Any]]:
    """Groups for an optimizer: what the reference regularises, and the rest; none is empty.

    Decayed are kernels and matrices, but for depthwise kernels (arXiv 1704.04861, section
    3.2), norms and biases. `zoo.mobilenet_v1.group_weight_decay` is the same rule.
    """
    seen, groups = set[int](), (list[Tensor](), list[Tensor]())
    for held in module.modules():
        for parameter in held._parameters.values():
            if parameter is None or not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            groups[not is_decayed(held, parameter)].append(parameter)
    rates = (WEIGHT_DECAY, 0.0)
    return [
        {"params": group, "weight_decay": rate}
        for group, rate in zip(groups, rates, strict=True)
        if group
    ]


def is_decayed(module: nn.Module, parameter: Tensor) -> bool:
    """Whether a module's parameter is a kernel or matrix that weight decay holds down."""
    if parameter.dim() < 2 or any(kind.__module__ in _NORMS for kind in type(module).__mro__):
        return False
    depthwise = getattr(module, "groups", 1) != 1 and parameter.shape[1] == 1
    return not depthwise
