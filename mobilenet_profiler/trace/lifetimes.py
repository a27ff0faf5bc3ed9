"""Which memory a pass allocates and when each piece is freed, as the network frees it.

The pass runs on tensors without values, under a recorder of its own: operations arrive as
PyTorch computes them (`aten::convolution`, not `aten::conv2d`), since what each returns is
what its allocator gives out. A storage without values is freed when a real one would be:
when neither Python nor autograd refers to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, UntypedStorage, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.optim import Optimizer

from mobilenet_profiler.cost import OpCost
from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.training import OPTIMIZERS
from mobilenet_profiler.memory import MemoryStep, MemoryUse, TensorLife
from mobilenet_profiler.spec import ModelSpec
from mobilenet_profiler.trace.engine import BackwardRecorder
from mobilenet_profiler.trace.fused_attention import FusedAttention
from mobilenet_profiler.trace.inputs import Inputs
from mobilenet_profiler.trace.isolation import How
from mobilenet_profiler.trace.losses import Loss
from mobilenet_profiler.trace.modules import ModuleStack, Structure
from mobilenet_profiler.trace.operations import Operation, list_tensors
from mobilenet_profiler.trace.optimizers import MakeOptimizer, make_optimizer
from mobilenet_profiler.trace.passes import GradientsNeeded, Mode, borrow, explain
from mobilenet_profiler.trace.recipes import Recipe
from mobilenet_profiler.trace.tracer import ModelLike, Request, prepare, record, take_turn
from mobilenet_profiler.trace.workspaces import Processor, count_workspace, read_processor

DEVICES = ("cpu", "cuda", "mps")
_GRANULE = 512  # bytes: on a GPU PyTorch gives out whole ones of these


@torch.inference_mode(False)
def predict_memory(
    model: ModelLike = "mobilenet_v1",
    inputs: Any = None,
    *,
    keywords: Mapping[str, Any] | None = None,
    training: bool = False,
    optimizer: str | MakeOptimizer | None = None,
    device: str | None = None,
    values: bool = False,
    **options: Any,
) -> MemoryUse:
    """What a pass needs of memory, from the lifetimes of its tensors; nothing is computed.

    model, inputs, keywords, values, options: as `trace` takes them.
    training: a whole step instead of an inference: forward, loss and backward, in train
    mode unless `mode` or a ModelSpec says otherwise; the loss is that of `losses.Loss`.
    optimizer: 'rmsprop', 'sgd', 'adamw'
    or a function that makes one for a module: its step too, its state there from the start.
    device: 'cpu' or 'cuda' for what PyTorch takes there besides the tensors, as far as that
    is known; None for the tensors alone, the same on every machine.
    Raises UsageError as `trace` does.
    """
    plan = make_plan(training, optimizer, device)
    if training and not isinstance(model, ModelSpec):
        options.setdefault("mode", "train")
    with prepare(model, inputs, keywords, options) as ready:
        return predict_module(ready.model, ready.inputs, plan, ready.mode, ready.real, values)


@dataclass(frozen=True)
class Plan:
    """What a pass does: an inference or a training step, with which optimizer, and where."""

    training: bool = False
    optimizer: MakeOptimizer | None = None
    device: str = ""


def make_plan(
    training: bool = False, optimizer: str | MakeOptimizer | None = None, device: str | None = None
) -> Plan:
    """A plan from what `predict_memory` takes; raises UsageError on what does not go together."""
    kind = str(device or "").partition(":")[0]
    if kind and kind not in DEVICES:
        raise unknown_name("device", device, DEVICES)
    if optimizer is not None and not training:
        raise UsageError(f"an optimizer goes with training=True, given {optimizer!r} without")
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", optimizer, OPTIMIZERS)
        optimizer = partial(make_optimizer, optimizer, foreach=kind == "cuda")
    return Plan(training, optimizer, kind)


def predict_module(
    model: nn.Module,
    inputs: Inputs,
    plan: Plan | None = None,
    mode: Mode | None = None,
    real: ModelSpec | None = None,
    values: bool = False,
) -> MemoryUse:
    """The same of a module and its arguments, as `make_inputs` makes them.

    plan: of `make_plan`; an inference, tensors alone, by default. mode: 'train' or 'eval'
    for the while, or the module's own. real, values: as in `trace_module`.
    """
    passes = partial(_record_memory, mode=mode, plan=plan or Plan())
    with take_turn(model) as structure:
        use, notes = record(structure, Request(inputs, passes, real, values))
    return replace(use, notes=notes)


class LifetimeRecorder(BackwardRecorder):  # type: ignore[no-untyped-call]
    """Records the operations of a pass, and every storage that they allocate.

    phase: of what is recorded. granule: bytes of which only whole ones are given out.
    processor: whose workspaces are counted, if any.
    new: whether an operation was met whose answer is not remembered.
    """

    granule = 1
    processor: Processor | None = None

    def __init__(self, modules: ModuleStack, owners: dict[int, list[str]], real: bool) -> None:
        super().__init__(modules, owners, real)
        self.phase, self.new = "forward", False
        self.steps: list[MemoryStep] = []
        self._held: dict[int, _Held] = {}
        self._freed: list[TensorLife] = []
        self._added: int | None = None
        self._noted: tuple[str, OpCost] | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.drop_freed()
        self._noted = None
        output = super().__torch_dispatch__(func, types, args, kwargs)
        noted, self._noted = self._noted, None
        if noted is not None:  # one that is made of others has been recorded as these
            self._add(*noted, args, kwargs, output)
        return output

    def record(self, recipe: Recipe, args: Any) -> None:
        """Note where a use runs; what it allocates is known once it has run."""
        self._noted = (self.find_place(args)[0], recipe.cost)

    def cost(self, operation: Operation, args: Any, kwargs: Any, output: Any) -> OpCost:
        """What a use costs that is not remembered."""
        self.new = True
        return super().cost(operation, args, kwargs, output)

    def drop_freed(self) -> None:
        """Note what has been freed since the last operation."""
        now = len(self.steps)
        for key in [key for key, held in self._held.items() if _is_freed(held)]:
            freed = now - 1 if key == self._added else now
            self._freed.append(self._held.pop(key).life._replace(freed=freed))
        self._added = None

    def list_tensors(self, gradients: Iterable[Tensor] = ()) -> tuple[TensorLife, ...]:
        """All that was allocated, in the order in which it was made.

        gradients: those of the parameters, at the end.
        """
        own = {_find_key(tensor) for tensor in gradients}
        kept = [
            held.life._replace(freed=len(self.steps), gradient=key in own)
            for key, held in self._held.items()
        ]
        return tuple(sorted([*self._freed, *kept], key=lambda life: life.made))

    def _add(self, path: str, cost: OpCost, args: Any, kwargs: Any, output: Any) -> None:
        """Note an operation that ran, and each storage that none of its arguments had."""
        index = len(self.steps)
        workspace = count_workspace(cost, self.processor) if self.processor else 0
        self.steps.append(MemoryStep(path, cost.name, self.phase, workspace))
        node = _find_node() if self.phase == "backward" else None
        given = {_find_key(item) for item in list_tensors([*args, *(kwargs or {}).values()])}
        for tensor in list_tensors(output):
            storage = _find_storage(tensor)
            key = None if storage is None else storage._cdata
            if storage is None or key in self._held or key in given or not storage.nbytes():
                continue
            size = _round_up(storage.nbytes(), self.granule)
            shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
            life = TensorLife(path, cost.name, self.phase, shape, dtype, size, index, index)
            self._held[storage._cdata] = _Held(_refer_to(storage), life, node)
        if self.phase == "backward" and cost.name == "aten::add":
            self._added = self._find_sum(args, node)

    def _find_sum(self, args: Any, node: int | None) -> int | None:
        """The storage to which autograd would add a further gradient in place.

        It does where nobody else holds the sum so far, but not under a recorder. Told by
        the node that made it: not the one that runs. Freed at once, it was not needed.
        """
        key = _find_key(args[0]) if isinstance(args[0], Tensor) else None
        held = self._held.get(key) if key is not None else None
        return key if held is not None and held.node != node else None


def _is_freed(held: _Held) -> bool:
    return bool(held.storage.expired())  # type: ignore[no-untyped-call]


class _Held(NamedTuple):
    """A storage that is not freed yet, and the node of autograd that ran when it was made."""

    storage: StorageWeakRef
    life: TensorLife
    node: int | None


def _find_node() -> int | None:
    node = torch._C._current_autograd_node()
    return None if node is None else int(node._sequence_nr())


def _record_memory(
    structure: Structure, inputs: Inputs, how: How, mode: Mode | None, plan: Plan
) -> MemoryUse:
    """One pass; again where an operation was new: PyTorch may hold on to the first arguments.

    The modules that it imports to answer one leave references to them in a cycle.
    """
    use, new = _run(structure, inputs, how, mode, plan)
    return _run(structure, inputs, how, mode, plan)[0] if new and how == "meta" else use


def _run(
    structure: Structure, inputs: Inputs, how: How, mode: Mode | None, plan: Plan
) -> tuple[MemoryUse, bool]:
    if plan.training:
        return _run_training(structure, inputs, how, mode, plan)
    try:
        return _run_forward(structure, inputs, how, mode, plan, gradients=False)
    except GradientsNeeded:
        return _run_forward(structure, inputs, how, mode, plan, gradients=True)


def _run_forward(
    structure: Structure, inputs: Inputs, how: How, mode: Mode | None, plan: Plan, gradients: bool
) -> tuple[MemoryUse, bool]:
    model = structure.placed[""]
    with borrow(structure, how, mode, LifetimeRecorder, fresh=gradients) as recorder:
        _prepare(recorder, plan)
        context = torch.enable_grad() if gradients else torch.no_grad()
        explained = explain(recorder.modules, inputs, how, gradients)
        with context, explained, FusedAttention(plan.device == "cpu"), recorder:
            model(*inputs.args, **inputs.kwargs)
        return _summarise(recorder, model, inputs.tensors, plan, None), recorder.new


def _run_training(
    structure: Structure, inputs: Inputs, how: How, mode: Mode | None, plan: Plan
) -> tuple[MemoryUse, bool]:
    """A step as a loop runs it: outputs and loss are held until it ends, gradients too."""
    model = structure.placed[""]
    with (
        borrow(structure, how, mode, LifetimeRecorder, fresh=True) as recorder,
        torch.enable_grad(),
        explain(recorder.modules, inputs, how, True),
        FusedAttention(plan.device == "cpu"),
    ):
        _prepare(recorder, plan)
        optimizer = plan.optimizer(model) if plan.optimizer else None
        if optimizer is not None:
            _fill_state(optimizer)
        with recorder:
            output = model(*inputs.args, **inputs.kwargs)
        find_loss = Loss()
        labels = find_loss.prepare(output)
        with recorder:
            recorder.phase = "loss"
            loss = find_loss(output)
            recorder.phase, recorder.going_back = "backward", True
            loss.backward()  # type: ignore[no-untyped-call]
            recorder.phase = "optimizer"
            if optimizer is not None:
                optimizer.step()
        given = (*inputs.tensors, *labels)
        return _summarise(recorder, model, given, plan, optimizer), recorder.new


def _prepare(recorder: LifetimeRecorder, plan: Plan) -> None:
    recorder.granule = _find_granule(plan)
    recorder.processor = read_processor() if plan.device == "cpu" else None


def _find_granule(plan: Plan) -> int:
    return _GRANULE if plan.device == "cuda" else 1


def _fill_state(optimizer: Optimizer) -> None:
    """What a first step leaves, on gradients that are thrown away."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _summarise(
    recorder: LifetimeRecorder,
    model: nn.Module,
    given: Iterable[Tensor],
    plan: Plan,
    optimizer: Optimizer | None,
) -> MemoryUse:
    recorder.drop_freed()
    count = partial(_count_bytes, granule=recorder.granule)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return MemoryUse(
        inputs=count(given),
        weights=count([*model.parameters(), *model.buffers()]),
        steps=tuple(recorder.steps),
        tensors=recorder.list_tensors(gradients),
        optimizer=count(_list_state(optimizer, plan)) if optimizer is not None else 0,
        device=plan.device,
    )


def _list_state(optimizer: Optimizer, plan: Plan) -> list[Tensor]:
    """The tensors of an optimizer's state on the device: on a GPU its counts of steps are not."""
    tensors = [value for state in optimizer.state.values() for value in state.values()]
    state = [value for value in tensors if isinstance(value, Tensor)]
    return [value for value in state if value.dim() or plan.device in ("", "cpu")]


def _count_bytes(tensors: Iterable[Tensor], granule: int) -> int:
    """Of different tensors, each once."""
    different = {id(tensor): tensor for tensor in tensors}.values()
    return sum(_round_up(tensor.numel() * tensor.element_size(), granule) for tensor in different)


def _find_storage(tensor: Tensor) -> UntypedStorage | None:
    try:
        return tensor.untyped_storage()
    except (RuntimeError, NotImplementedError):  # sparse tensors have none
        return None


def _refer_to(storage: UntypedStorage) -> StorageWeakRef:
    return StorageWeakRef(storage)  # type: ignore[no-untyped-call]


def _find_key(tensor: Tensor) -> int | None:
    storage = _find_storage(tensor)
    return None if storage is None else int(storage._cdata)


def _round_up(size: int, granule: int) -> int:
    return -(-size // granule) * granule
