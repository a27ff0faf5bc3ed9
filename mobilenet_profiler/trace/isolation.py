"""A model on loan: traced on stand-ins, given back exactly as it was."""

from __future__ import annotations

import gc
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from operator import is_, itemgetter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.backends import mha
from torch.utils import _device

from mobilenet_profiler.trace.modules import Structure

How = Literal["meta", "values"]
Owners = dict[int, list[str]]

_DEPTH = 8  # containers in containers; one that holds itself must end somewhere
_DICTS = frozenset({dict, OrderedDict})
_ATOMS: frozenset[type] = frozenset(
    {
        *(int, float, bool, str, bytes, complex, type(None), type, Tensor, nn.Parameter),
        *(torch.dtype, torch.device, torch.Size, FunctionType, BuiltinFunctionType, MethodType),
        ModuleType,
    }
)

_HELD_NAMES = frozenset(name for name, value in vars(nn.Module()).items() if type(value) in _DICTS)
_HELD = itemgetter(*_HELD_NAMES)
_CONTAINERS: tuple[tuple[type, Any], ...] = ((dict, dict), (list, list), (set, set), (deque, list))
_HOLDERS = ("types", "argparse", "collections", "weakref")  # SimpleNamespace, Namespace, …
_OPAQUE = (type, ModuleType, nn.Module, Tensor)


@contextmanager
def lend_model(structure: Structure, how: How = "meta", fresh: bool = False) -> Iterator[Owners]:
    """Replace parameters and buffers by stand-ins for a while.

    how: 'meta' for tensors without values; 'values' for copies. fresh: replace those
    that are on meta already too, since the body writes to them (gradients).
    Yields which modules own a parameter: id of the stand-in -> paths. Afterwards, also
    when the body raises, every module has its own attributes again, the very same
    tensors among them, its containers and plain objects their items, and PyTorch,
    Python and NumPy their random states and PyTorch its global settings.
    """
    with lend_tensors(structure, how, fresh) as owners, keep_settings():
        yield owners


@contextmanager
def lend_tensors(
    structure: Structure, how: How, fresh: bool = False, parameters: bool = True
) -> Iterator[Owners]:
    """The same as `lend_model`, with random states and settings as the caller has them.

    parameters: replace these too, not buffers and plain tensors alone.
    """
    kept = Snapshot()
    for module, paths in structure.modules.values():
        kept.keep_module(module, paths[0] in structure.leaves)
    try:
        loan = _Loan(how, fresh, kept, parameters)
        for module, paths in structure.modules.values():
            loan.replace_tensors(module, paths[0])
        if loan.replaced or how == "values":
            for module, _ in structure.modules.values():
                loan.replace_aliases(module)
        yield loan.owners
    finally:
        kept.restore()


class Snapshot:
    """What objects hold, to be put back: attributes, and the items of containers."""

    def __init__(self) -> None:
        self._attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._contents: list[tuple[Any, Any]] = []
        self._sizes: list[tuple[list[Any], list[int]]] = []
        self._states: list[tuple[Callable[[Any, Any], Any], Any, Any]] = []
        self._slots: list[tuple[Any, dict[str, Any]]] = []
        self._seen: set[int] = set()

    def keep_module(self, module: nn.Module, leaf: bool) -> None:
        """Every attribute of a module, and what the containers among them hold.

        leaf: one of PyTorch's own that holds no others. Its parameters, buffers and hooks
        can change; what else it holds are settings, but for the weights an RNN lists.
        """
        attributes = module.__dict__
        self._attributes.append((attributes, attributes.copy()))
        held = _get_held(attributes)
        self._sizes.append((held, [*map(len, held)]))
        self._contents += [(items, items.copy()) for items in held if items]
        if not leaf or isinstance(module, nn.RNNBase):
            for name in attributes.keys() - _HELD_NAMES:
                if type(attributes[name]) not in _ATOMS:
                    self._keep(attributes[name], 0)

    def keep_marks(self, tensor: Tensor) -> None:
        """The attributes that a user gave a tensor, and what they hold."""
        if tensor.__dict__:
            self._keep(tensor.__dict__, 0)

    def restore(self) -> None:
        """Put everything back; the same objects, in the same order."""
        for attributes, before in self._attributes:
            if not _same_items(attributes, before):
                attributes.clear()
                attributes.update(before)
        for held, sizes in self._sizes:
            if [*map(len, held)] != sizes:
                for container, size in zip(held, sizes, strict=True):
                    if not size:
                        container.clear()
        for write, value, state in self._states:
            write(value, state)
        for value, slots in self._slots:
            for name, item in slots.items():
                setattr(value, name, item)
        for container, contents in self._contents:
            if not _unchanged(container, contents):
                container.clear()
                (container.extend if _is_row(container) else container.update)(contents)

    def _keep(self, value: Any, depth: int) -> None:
        if id(value) in self._seen or depth > _DEPTH:
            return
        self._seen.add(id(value))
        for item in self._keep_items(value):
            if type(item) not in _ATOMS and not isinstance(item, nn.Module):
                self._keep(item, depth + 1)

    def _keep_items(self, value: Any) -> Any:
        """What a container or a plain object holds, kept where it can change."""
        kind = type(value)
        if isinstance(value, tuple):
            return value
        for known, copy in _CONTAINERS:
            if kind is known or isinstance(value, known):
                contents = copy(value)
                self._contents.append((value, contents))
                return list(contents.values()) if known is dict else contents
        if self._keep_state(value) or not _is_plain(value):
            return ()
        return self._keep_attributes(value)

    def _keep_state(self, value: Any) -> bool:
        """Whether this is an array or a generator of random numbers, whose state is kept."""
        for kind, read, write in _list_stateful():
            if isinstance(value, kind):
                self._states.append((write, value, read(value)))
                return True
        return False

    def _keep_attributes(self, value: Any) -> list[Any]:
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        slots = {name: getattr(value, name) for name in names if hasattr(value, name)}
        slots.pop("__dict__", None)
        slots.pop("__weakref__", None)
        setting: Any = type(value).__setattr__  # a frozen class refuses
        if slots and setting is object.__setattr__:
            self._slots.append((value, slots))
        return [*slots.values(), *([value.__dict__] if hasattr(value, "__dict__") else [])]


def _list_stateful() -> list[tuple[type, Callable[[Any], Any], Callable[[Any, Any], Any]]]:
    kinds: list[tuple[type, Callable[[Any], Any], Callable[[Any, Any], Any]]] = [
        (bytearray, bytes, lambda value, state: value.__setitem__(slice(None), state)),
        (torch.Generator, lambda value: value.get_state(), lambda value, s: value.set_state(s)),
        (random.Random, lambda value: value.getstate(), lambda value, s: value.setstate(s)),
    ]
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        kinds += [
            (numpy.ndarray, lambda value: value.copy(), lambda value, s: value.__setitem__(..., s)),
            (
                numpy.random.Generator,
                lambda value: value.bit_generator.state,
                lambda value, state: setattr(value.bit_generator, "state", state),
            ),
        ]
    return kinds


def _is_plain(value: Any) -> bool:
    """An object of a user's: one of Python's own (a logger) may hold what others share."""
    if isinstance(value, _OPAQUE):
        return False
    home = type(value).__module__.partition(".")[0]
    return home not in sys.stdlib_module_names or home in _HOLDERS


def _is_row(container: Any) -> bool:
    return isinstance(container, list | deque)


def _unchanged(container: Any, contents: Any) -> bool:
    """Whether the very same items are there in the same order; `==` would compare tensors."""
    if len(container) != len(contents):
        return False
    if isinstance(container, dict):
        return _same_items(container, contents)
    if _is_row(container):
        return all(map(is_, container, contents))
    return bool(container == contents)


def _same_items(items: Any, before: Any) -> bool:
    """The same keys and the very same values, in the same order."""
    values = all(map(is_, items.values(), before.values()))
    return values and len(items) == len(before) and all(map(is_, items, before))


def _get_held(attributes: dict[str, Any]) -> Any:
    """Parameters, buffers, modules and hooks of a module."""
    try:
        return _HELD(attributes)
    except KeyError:  # made by another version of PyTorch
        return [value for value in attributes.values() if type(value) in _DICTS]


class _Loan:
    """The stand-ins of one loan, by the tensor they stand for."""

    def __init__(self, how: How, fresh: bool, kept: Snapshot, parameters: bool = True) -> None:
        self.how, self.fresh, self.kept, self.parameters = how, fresh, kept, parameters
        self.replaced: dict[int, Tensor] = {}
        self.owners: Owners = {}

    def replace_tensors(self, module: nn.Module, path: str) -> None:
        """Stand-ins for a module's own parameters and buffers."""
        for name, parameter in module._parameters.items():
            if parameter is not None and self.parameters:
                stand_in = self._stand_in(parameter, name)
                module._parameters[name] = stand_in  # type: ignore[assignment]
                self.owners.setdefault(id(stand_in), []).append(path)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = self._stand_in(buffer, name)

    def replace_aliases(self, module: nn.Module) -> None:
        """The same for parameters that a module holds in a list of its own, as an RNN does.

        For a pass on values also copies of the plain tensors there, which it may write to.
        """
        for name, value in list(module.__dict__.items()):
            if isinstance(value, Tensor):
                module.__dict__[name] = self._copy_alias(value)
            elif type(value) is list:
                value[:] = map(self._copy_alias, value)
            elif type(value) is dict and name not in _HELD_NAMES:
                value.update({key: self._copy_alias(item) for key, item in value.items()})

    def _copy_alias(self, value: Any) -> Any:
        known = self.replaced.get(id(value))
        if known is None and self.how == "values" and isinstance(value, Tensor):
            known = self.replaced[id(value)] = value.detach().clone()
        return value if known is None else known

    def _stand_in(self, tensor: Tensor, name: str) -> Tensor:
        if tensor.is_meta and self.how == "meta" and not self.fresh:
            return tensor
        known = self.replaced.get(id(tensor))
        if known is None:
            make = _make_empty if self.how == "meta" else _make_values
            known = make(tensor, name)
            if isinstance(tensor, nn.Parameter):
                known = nn.Parameter(known, requires_grad=tensor.requires_grad)
                self.kept.keep_marks(tensor)
                known.__dict__.update(tensor.__dict__)  # marks that a forward may read
            self.replaced[id(tensor)] = known
        return known


def _make_empty(tensor: Tensor, name: str) -> Tensor:
    """The same tensor without values; one that is not strided keeps them, as a constant."""
    if tensor.layout is not torch.strided:
        return tensor
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _make_values(tensor: Tensor, name: str) -> Tensor:
    """A copy; for a tensor on meta, numbers that a network can run on."""
    if not tensor.is_meta:
        return tensor.detach().clone()
    empty = torch.zeros(tensor.shape, dtype=tensor.dtype)
    if name == "running_var":
        return empty.fill_(1)
    return empty.normal_(0, 0.02) if tensor.dtype.is_floating_point else empty


@contextmanager
def pause_collector() -> Iterator[None]:
    """No garbage collection for a while: it would search all of PyTorch several times a pass."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def keep_settings() -> Iterator[None]:
    """Random states and global settings as they were; random numbers the same every time.

    The fused path of attention in eval mode is off for the while: it would hide the
    layers inside. Compiled modules run as they were written, and nothing is compiled.
    """
    with ExitStack() as stack:
        stack.enter_context(keep_global_settings())
        mha.set_fastpath_enabled(False)
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


@contextmanager
def keep_global_settings() -> Iterator[None]:
    """Random states, seeded for the while, and PyTorch's global settings as they were."""
    with ExitStack() as stack:
        _keep_random(stack)
        stack.callback(_restore_settings, _read_settings())
        yield


def _read_settings() -> list[Any]:
    return [read() for read, _ in _SETTINGS]


def _restore_settings(before: list[Any]) -> None:
    """Only what has changed: setting some of these costs more than reading them."""
    for (read, write), value in zip(_SETTINGS, before, strict=True):
        if read() != value:
            write(value)


_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (mha.get_fastpath_enabled, mha.set_fastpath_enabled),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch._C._get_deterministic_algorithms, torch.use_deterministic_algorithms),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (lambda: _device.CURRENT_DEVICE, torch.set_default_device),
)


def _keep_random(stack: ExitStack) -> None:
    generator = torch.default_generator
    stack.callback(generator.set_state, generator.get_state())
    stack.callback(random.setstate, random.getstate())
    generator.manual_seed(0)
    random.seed(0)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        stack.callback(numpy.random.set_state, numpy.random.get_state())
        numpy.random.seed(0)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        stack.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
