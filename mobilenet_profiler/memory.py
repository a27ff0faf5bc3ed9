"""What a pass needs of memory: when each tensor is made and freed, and what follows. No torch.

Every number is in bytes. A pass is a row of operations, numbered from 0; a tensor is held
from the operation that makes it until the last one before which it is freed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from mobilenet_profiler.cost import Shape
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.units import format_bytes

_LAYER_PHASES = ("forward", "backward")
_NAMED = 3  # tensors that a line names


class MemoryStep(NamedTuple):
    """One operation of a pass.

    path: the module that ran it, or whose forward it differentiates; '' is the model itself.
    name: `aten::convolution`. phase: forward, loss, backward or optimizer. workspace: what
    the device's library takes besides the tensors while it runs, where that is known.
    """

    path: str
    name: str
    phase: str = "forward"
    workspace: int = 0


class TensorLife(NamedTuple):
    """One piece of memory, from the operation that makes it to the first that runs without it.

    path, name, phase: of the operation that makes it. shape, dtype: of the tensor that it is
    made for; views of it and work in place take no more. made: index of that operation.
    freed: index of the first operation before which it is freed; their number where none is.
    gradient: whether it is a parameter's gradient when the pass ends.
    """

    path: str
    name: str
    phase: str
    shape: Shape
    dtype: str
    bytes: int
    made: int
    freed: int
    gradient: bool = False


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """A layer's part of a pass; several gather with `+` and `sum()`.

    peak: the most that all layers together hold while an operation of this one runs,
    gradients and workspace with it, but no inputs, weights or optimizer state; of several
    layers the greatest. allocated: what its operations allocate, each tensor once.
    """

    peak: int = 0
    allocated: int = 0

    def __add__(self, other: LayerMemory) -> LayerMemory:
        if not isinstance(other, LayerMemory):
            return NotImplemented
        return LayerMemory(max(self.peak, other.peak), self.allocated + other.allocated)

    def __radd__(self, other: object) -> LayerMemory:
        return self if other == 0 else NotImplemented


@dataclass(frozen=True)
class MemoryUse:
    """What one pass needs of memory, and when.

    inputs: tensors that the caller gives and holds; labels of a training step too.
    weights: parameters and buffers. optimizer: its state between steps. These three are
    held throughout. steps: the operations, in order. tensors: all else that is allocated.
    device: whose workspace is in `steps`; '' where tensors alone are counted.
    notes: what a reader must know of how it was traced, a sentence each.
    """

    inputs: int
    weights: int
    steps: tuple[MemoryStep, ...]
    tensors: tuple[TensorLife, ...]
    optimizer: int = 0
    device: str = ""
    notes: tuple[str, ...] = ()

    @property
    def held_throughout(self) -> int:
        """Inputs, weights and optimizer state."""
        return self.inputs + self.weights + self.optimizer

    @property
    def gradients(self) -> int:
        """Of all parameters, when the pass ends."""
        return sum(tensor.bytes for tensor in self.tensors if tensor.gradient)

    @cached_property
    def live(self) -> tuple[int, ...]:
        """What is held while each operation runs, its outputs and workspace with it.

        Without what is held throughout.
        """
        changes = [0] * (len(self.steps) + 1)
        for tensor in self.tensors:
            changes[tensor.made] += tensor.bytes
            changes[tensor.freed] -= tensor.bytes
        held = accumulate(changes[:-1])
        return tuple(now + step.workspace for now, step in zip(held, self.steps, strict=True))

    @property
    def activations(self) -> int:
        """The most that is held at once besides what is held throughout."""
        return max(self.live, default=0)

    @property
    def peak(self) -> int:
        """The most that is held at once, all together."""
        return self.held_throughout + self.activations

    @property
    def peak_index(self) -> int | None:
        """The first operation at the peak; None where nothing ran."""
        return self.live.index(self.activations) if self.live else None

    @property
    def peak_step(self) -> MemoryStep | None:
        """The first operation at the peak; None where nothing ran."""
        return None if self.peak_index is None else self.steps[self.peak_index]

    @property
    def held(self) -> tuple[TensorLife, ...]:
        """The tensors that are held at the peak, largest first."""
        index = self.peak_index
        if index is None:
            return ()
        alive = [tensor for tensor in self.tensors if tensor.made <= index < tensor.freed]
        return tuple(sorted(alive, key=lambda tensor: (-tensor.bytes, tensor.made)))

    @cached_property
    def layers(self) -> Mapping[str, LayerMemory]:
        """By path, of the modules that ran operations, forward or backward."""
        return dict(self._list_layers())

    @property
    def phases(self) -> Mapping[str, int]:
        """The peak of each phase, all together, in order."""
        peaks: dict[str, int] = {}
        for step, live in zip(self.steps, self.live, strict=True):
            peaks[step.phase] = max(peaks.get(step.phase, 0), self.held_throughout + live)
        return peaks

    def _list_layers(self) -> Iterable[tuple[str, LayerMemory]]:
        peaks: dict[str, int] = {}
        for step, live in zip(self.steps, self.live, strict=True):
            if step.phase in _LAYER_PHASES:
                peaks[step.path] = max(peaks.get(step.path, 0), live)
        allocated = dict.fromkeys(peaks, 0)
        for tensor in self.tensors:
            if tensor.phase in _LAYER_PHASES:
                allocated[tensor.path] += tensor.bytes
        return ((path, LayerMemory(peaks[path], allocated[path])) for path in peaks)

    def __str__(self) -> str:
        from mobilenet_profiler.render.summaries import summarise_memory

        return summarise_memory(self).draw()

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.summaries import summarise_memory

        return summarise_memory(self).write_html()


def count_memory(use: MemoryUse) -> dict[str, int]:
    """The figures of a pass by name, for a file; `predicted_peak` is all of them together."""
    gradients = sum(tensor.bytes for tensor in use.held if tensor.gradient)
    return {
        "predicted_peak": use.peak,
        "inputs": use.inputs,
        "weights": use.weights,
        "optimizer": use.optimizer,
        "gradients": use.gradients,
        "gradients_at_peak": gradients,
        "activations_at_peak": use.activations - gradients,
    }


def describe_peak(use: MemoryUse, names: Mapping[str, str]) -> str:
    """One line: how much, where it is, whose outputs hold it, and what is held besides.

    names: a short name for a path; a path that has none is shown whole.
    """
    step = use.peak_step
    if step is None:
        return f"Peak memory: {format_bytes(use.peak)}, of {_describe_parts(use)}; nothing runs."
    parts = [_describe_outputs(use, names)]
    gradients = sum(tensor.bytes for tensor in use.held if tensor.gradient)
    parts += [f"gradients {format_bytes(gradients)}"] if gradients else []
    parts += [f"workspace {format_bytes(step.workspace)}"] if step.workspace else []
    return (
        f"Peak memory: {format_bytes(use.activations)} in {_short(step.name)} of "
        f"{_name(step, names)}: {'; '.join(filter(None, parts)) or 'no tensors'}. With "
        f"{_describe_parts(use)}: {format_bytes(use.peak)}. {_describe_counted(use)}"
    )


def _short(operation: str) -> str:
    return operation.partition("::")[2] or operation


def _describe_outputs(use: MemoryUse, names: Mapping[str, str]) -> str:
    """The layers whose outputs are held at the peak, largest first."""
    held: dict[str, int] = {}
    for tensor in use.held:
        if not tensor.gradient:
            name = _name(tensor, names)
            held[name] = held.get(name, 0) + tensor.bytes
    largest = sorted(held.items(), key=lambda item: -item[1])
    shown = [f"{name} {format_bytes(size)}" for name, size in largest[:_NAMED]]
    if rest := largest[_NAMED:]:
        shown.append(f"{len(rest)} more {format_bytes(sum(size for _, size in rest))}")
    return f"outputs of {', '.join(shown)}" if shown else ""


def _name(made: MemoryStep | TensorLife, names: Mapping[str, str]) -> str:
    own = names.get(made.path, made.path or "(model)")
    if made.phase in ("loss", "optimizer"):
        return f"the {made.phase}"
    return own if made.phase == "forward" else f"{own} backward"


def _describe_parts(use: MemoryUse) -> str:
    parts = [f"weights {format_bytes(use.weights)}", f"inputs {format_bytes(use.inputs)}"]
    parts += [f"optimizer state {format_bytes(use.optimizer)}"] if use.optimizer else []
    return ", ".join(parts)


def _describe_counted(use: MemoryUse) -> str:
    if use.device:
        return f"As {use.device} allocates it."
    return "Tensors alone, without what a device's library takes inside an operation."


def check_memory(
    use: MemoryUse, available: int | None, what: str, device: str, held: int = 0
) -> None:
    """Refuse a pass that the device has no room for: a UsageError with the figures.

    available: free bytes of the device, or None where they are not known: nothing is
    refused then. what: names the pass, `resnet50 batch=4096`. held: bytes of it that are
    there already, weights for instance, and so not among the free ones.
    """
    if available is None or use.peak - held <= available:
        return
    figures = count_memory(use)
    parts = [
        f"{name.removesuffix('_at_peak')} {format_bytes(figures[name])}"
        for name in ("weights", "inputs", "optimizer", "gradients_at_peak", "activations_at_peak")
        if figures[name]
    ]
    there = f"{format_bytes(held)} of it there already, " if held else ""
    raise UsageError(
        f"{what} needs {format_bytes(use.peak)} ({', '.join(parts)}), {there}"
        f"{device} has {format_bytes(available)} free"
    )
