"""A convention as data: its rules, its params, its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.conditions import CONDITIONS
from mobilenet_profiler.conventions.quantities import BIASES, QUANTITIES
from mobilenet_profiler.cost import ModuleFacts, OpCost

Unit = Literal["MACs", "FLOPs"]

BIAS_FAMILY = "bias"
FAMILIES = (
    *("convolution and linear", "attention", "matrix products", "recurrent"),
    *(BIAS_FAMILY, "BatchNorm", "other norms", "activation", "pooling", "interpolation"),
    *("elementwise", "embedding", "other"),
)
_TORCH = "torch.nn.modules."


@dataclass(frozen=True, slots=True)
class Use:
    """What a rule looks at: an operation and the module it ran in, or a call of a module.

    A call stands by its last operation. kind: of the layer that is charged.
    """

    op: OpCost
    module: ModuleFacts
    kind: str = ""
    call: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Which uses count how much, and under which family they are itemised.

    operations: ATen names without `aten::` and without the `_` of in-place twins; none: all.
    modules: exact classes; of torch.nn by their name alone. class_text: what the class's
    name holds. kinds: of the layer; not_kinds: those left out. when: named conditions with
    the value that each must have. count: coefficients of named quantities.
    call: whether it looks at calls of modules rather than at operations.
    """

    family: str
    count: Mapping[str, int]
    operations: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    class_text: str = ""
    kinds: frozenset[str] = frozenset()
    not_kinds: frozenset[str] = frozenset()
    when: Mapping[str, object] | None = None
    call: bool = False

    def matches(self, use: Use) -> bool:
        """Whether it says what this use counts."""
        return (
            self.call == use.call
            and (not self.modules or name_class(use.module.type) in self.modules)
            and self.class_text in use.module.type.rpartition(".")[2]
            and (not self.kinds or use.kind in self.kinds)
            and use.kind not in self.not_kinds
            and all(CONDITIONS[name](use.op) == value for name, value in (self.when or {}).items())
        )

    def count_items(self, use: Use) -> list[tuple[str, int]]:
        """What it counts, by family: biases in one of their own."""
        return [
            (
                BIAS_FAMILY if name in BIASES else self.family,
                factor * QUANTITIES[name](use.op, use.module),
            )
            for name, factor in self.count.items()
        ]


@dataclass(frozen=True, slots=True)
class ParamsRule:
    """Which numbers of a model are its params.

    text: the same in words. kernels: of two dimensions or more alone. trainable: those that
    ask for gradients alone. shared: once for each module that has it, rather than once.
    buffers: names of buffers that count too. modules: classes whose numbers count alone,
    and only where they ran below the model itself. without: names left out of the classes
    `without_modules`. not_kinds: kinds of layers left out.
    """

    text: str
    kernels: bool = False
    trainable: bool = False
    shared: bool = False
    buffers: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    without_modules: frozenset[str] = frozenset()
    not_kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Convention:
    """A way to count, with its source.

    name: on the command line. title: whose it is. source: the tool, version and file, or
    the paper, where its rules were read. unit: 'MACs', or 'FLOPs' where a
    multiply-accumulate is two. counts: what it adds up, in words. limits: what the tool
    does that is not done here. rules: the first that matches counts; none: the convention
    speaks of params alone. params: what it calls params; None: as ours.
    """

    name: str
    title: str
    source: str
    unit: Unit
    counts: str
    limits: tuple[str, ...]
    rules: tuple[Rule, ...]
    params: ParamsRule | None

    @property
    def factor(self) -> int:
        """Units a multiply-accumulate."""
        return 2 if self.unit == "FLOPs" else 1

    @property
    def heading(self) -> str:
        """Of a column of its counts: `MACs`, `MACs (thop)`, `FLOPs (flop_counter)`."""
        return _name_column(self.unit, self.name) if self.rules else "MACs"

    @property
    def params_heading(self) -> str:
        """Of a column of its params."""
        return _name_column("params", self.name) if self.params else "params"

    @property
    def key(self) -> str:
        """Of its counts in a file: `macs` or `flops`."""
        return self.unit.lower() if self.rules else "macs"


def _name_column(unit: str, name: str) -> str:
    return unit if name == DEFAULT else f"{unit} ({name})"


def name_class(type_name: str) -> str:
    """`Conv2d` of torch.nn's own class; any other class with its module."""
    return type_name.rpartition(".")[2] if type_name.startswith(_TORCH) else type_name
