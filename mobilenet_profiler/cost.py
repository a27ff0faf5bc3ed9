"""What a trace holds: additive costs, operations, layers. No torch, no terminal.

Every number is an integer. Shapes are tuples in PyTorch's order: activations
(N, C, H, W), weights (C_out, C_in / groups, K_H, K_W).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import pandas

    from mobilenet_profiler.conventions.convention import Convention
    from mobilenet_profiler.conventions.counting import Count
    from mobilenet_profiler.memory import MemoryUse

Shape = tuple[int, ...]
Status = Literal["counted", "free", "unknown"]
Phase = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs; costs add up (`+`, `sum()`).

    params: learned numbers, each counted once.
    weights: those in kernels and matrices alone, without biases and norms: what the
        paper's tables and the reference's docstring call params.
    macs: multiply-accumulates of convolutions, linear layers, matrix products,
        attention and recurrent layers in the forward pass.
    activations: elements written by those operations (the measure of
        Radosavovic et al., arXiv 2003.13678, section 3.1).
    elementwise: element operations of work that is free by rule, forward; see
        `trace/policy.py`. Never part of `macs`.
    backward_macs: multiply-accumulates of the backward pass, where it was traced.
    """

    params: int = 0
    weights: int = 0
    macs: int = 0
    activations: int = 0
    elementwise: int = 0
    backward_macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(
            self.params + other.params,
            self.weights + other.weights,
            self.macs + other.macs,
            self.activations + other.activations,
            self.elementwise + other.elementwise,
            self.backward_macs + other.backward_macs,
        )

    def __radd__(self, other: object) -> Cost:
        return self if other == 0 else NotImplemented


@dataclass(frozen=True, slots=True)
class OpCost:
    """One operation as it ran.

    path: the module it ran in ('' is the model itself). owner: the module it is
        charged to: the same, or the one that owns the weights and never runs itself.
    name: the ATen operation, `aten::conv2d`, or what was registered.
    inputs, outputs: shapes of its tensors, in the order of its arguments.
    arguments: the argument that each of `inputs` was given as ('input', 'weight', …).
    options: its other arguments by name: stride, padding, dilation, groups, …
    dtype: of the first output. contiguous: whether its first tensor lies in order.
    status: counted by a formula, free by rule, or unknown. rule: which rule.
    macs: multiply-accumulates. elementwise: element operations where it is free.
    bytes_read, bytes_written: of all its tensors, each once; 0 for a view.
    phase: forward or backward.
    site: `file.py:12` of the call, for unknown operations.
    """

    path: str
    name: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    dtype: str
    status: Status
    macs: int
    bytes_read: int
    bytes_written: int
    options: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    rule: str = ""
    elementwise: int = 0
    owner: str = ""
    phase: Phase = "forward"
    site: str = ""
    contiguous: bool = True

    def at(self, path: str, owner: str, phase: Phase) -> OpCost:
        """The same operation at another place."""
        return replace(self, path=path, owner=owner, phase=phase)


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One module that ran operations of its own or owns parameters.

    kind: 'pointwise 1x1', 'depthwise 3x3', 'full 3x3', 'fully connected', 'attention',
        or the module's own kind ('batch norm', 'relu6') where it multiplies no matrix.
    weight_shape: of the convolution or matrix, as PyTorch stores it, or None.
    stride, dilation, groups: of the convolution or pooling; (1, 1) and 1 elsewhere.
    calls: how many times it ran.
    tied, tied_to: params that it shares with an earlier layer, and that layer's path:
        they are counted there and not here.
    counted: whether it multiplies, where a convention changed its numbers.
    """

    path: str
    kind: str
    module: str
    input_shape: Shape | None
    output_shape: Shape | None
    weight_shape: Shape | None
    cost: Cost
    stride: Shape = (1, 1)
    dilation: Shape = (1, 1)
    groups: int = 1
    calls: int = 1
    tied: int = 0
    tied_to: str = ""
    counted: bool | None = None

    @property
    def multiplies(self) -> bool:
        """Whether it has multiply-accumulates, in whatever convention it is shown."""
        own = self.cost.macs or self.cost.backward_macs
        return bool(own) if self.counted is None else self.counted

    @property
    def params(self) -> int:
        return self.cost.params

    @property
    def macs(self) -> int:
        return self.cost.macs

    @property
    def activations(self) -> int:
        return self.cost.activations

    @property
    def weights(self) -> int:
        return self.cost.weights

    @property
    def elementwise(self) -> int:
        return self.cost.elementwise

    @property
    def backward_macs(self) -> int:
        return self.cost.backward_macs


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Operations without a formula and without a rule that makes them free.

    site: `file.py:12`, where the model's code calls it.
    """

    path: str
    name: str
    inputs: tuple[Shape, ...]
    calls: int
    site: str = ""


class TensorFacts(NamedTuple):
    """A parameter or buffer: its name in its module, its shape.

    key: equal for one tensor at several places. trainable: whether it asks for gradients.
    """

    name: str
    shape: Shape
    key: int
    trainable: bool = False


class ModuleFacts(NamedTuple):
    """What some conventions ask of a module, besides its operations.

    type: the class with its module, `torch.nn.modules.conv.Conv2d`. leaf: whether it
    holds no other modules. calls: how often its forward ran. parameters, buffers: its
    own, those shared with other modules too.
    """

    type: str
    leaf: bool
    calls: int
    parameters: tuple[TensorFacts, ...] = ()
    buffers: tuple[TensorFacts, ...] = ()


@dataclass(frozen=True)
class Trace:
    """The exact cost of one pass: deterministic, the same on every machine.

    label: what was traced, for a heading. spec: the same as data.
    layers: in the order in which they first ran; their costs add up to `total`.
    ops: every operation as it ran. uncounted: work that no number here includes.
    notes: what a reader must know of how it was traced, a sentence each.
    backward: whether a backward pass was traced too. modules: every module by path.
    convention: of its macs and params, where `convert` changed them; None is ours.
    memory: what a pass needs of it, where that was predicted too.
    """

    label: str
    spec: Mapping[str, Any]
    layers: tuple[LayerCost, ...]
    ops: tuple[OpCost, ...]
    uncounted: tuple[Uncounted, ...] = ()
    notes: tuple[str, ...] = ()
    backward: bool = False
    modules: Mapping[str, ModuleFacts] = field(default_factory=dict)
    convention: Convention | None = None
    memory: MemoryUse | None = None

    @cached_property
    def total(self) -> Cost:
        """The layers added up."""
        return sum((layer.cost for layer in self.layers), Cost())

    @property
    def counted(self) -> tuple[LayerCost, ...]:
        """The layers that multiply: convolutions, linear layers, matrix products."""
        return tuple(layer for layer in self.layers if layer.multiplies)

    def count(self, convention: str) -> Count:
        """What a convention counts of it, such as 'thop': total, params, items by family.

        Raises UsageError for a name that is none.
        """
        from mobilenet_profiler.conventions.counting import count_trace

        return count_trace(self, convention)

    def convert(self, convention: str) -> Trace:
        """The same trace in a convention: `macs` and `params` hold what that counts.

        Its tables and files say so. Raises UsageError for a name that is none, or where
        a backward pass was traced too.
        """
        from mobilenet_profiler.conventions.view import convert_trace

        return convert_trace(self, convention)

    def frame(self) -> pandas.DataFrame:
        """The layers as a pandas DataFrame, a row a layer, integers as integers."""
        from mobilenet_profiler.frames import frame_layers

        return frame_layers(self)

    def __str__(self) -> str:
        from mobilenet_profiler.render.table import render_text

        return render_text(self, width=100)

    def _repr_html_(self) -> str:
        from mobilenet_profiler.render.html import render_html

        return render_html(self)
