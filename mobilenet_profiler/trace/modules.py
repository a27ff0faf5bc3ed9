"""Which module is running: a stack of paths, kept by every module's own call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any

from torch import nn

from mobilenet_profiler.trace.registered import find_module_cost

_CALL = "_compiled_call_impl"  # what nn.Module.__call__ calls where it is set
_ALIASES = 64  # paths kept for a module that is reached in many ways


class Structure:
    """A model's modules and every path of each, read once.

    A module shared by two parents has a path below each; a wrapper that only holds
    another module ('_orig_mod' of a compiled one) is not named.
    modules: each once, with its paths, the first one first. placed: by path.
    leaves: paths of PyTorch's own modules that hold no others: work in them is theirs.
    """

    def __init__(self, model: nn.Module) -> None:
        self.modules: dict[int, tuple[nn.Module, list[str]]] = {}
        self.placed: dict[str, nn.Module] = {}
        self.leaves: set[str] = set()
        self._walk(model, "")

    def _walk(self, module: nn.Module, path: str) -> None:
        paths = self.modules.setdefault(id(module), (module, []))[1]
        if path in paths or len(paths) >= _ALIASES:
            return
        paths.append(path)
        self.placed[path] = module
        children = module._modules
        if not children and type(module).__module__.startswith("torch.nn.modules."):
            self.leaves.add(path)
        prefix = path + "." if path else ""
        for name, child in children.items():
            if child is not None:
                self._walk(child, path if name == "_orig_mod" else prefix + name)


def run_uncounted(count: Any, module: nn.Module, args: Any, kwargs: Any) -> Any:
    """The forward of a module, its registered cost left aside."""
    return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]


def choose_path(paths: Sequence[str], current: str, calls: Mapping[str, int]) -> str:
    """The path below the running module, of a module that has several.

    Where several are equally near, a call goes to the one that was called least:
    layers that are one module run in the order in which they are named.
    """
    if len(paths) == 1:
        return paths[0]
    below = current + "." if current else ""
    near = [path for path in paths if path.startswith(below)] or list(paths)
    return min(near, key=lambda path: (path.count("."), calls.get(path, 0)))


class ModuleStack:
    """The path of the running module, how often each ran, and where a failure arose.

    run_counted: called in place of the forward of a module whose class has a registered
    cost, with that cost, the module and its arguments.
    """

    def __init__(self, structure: Structure) -> None:
        self.name, self.leaves = type(structure.placed[""]).__name__, structure.leaves
        self._modules = tuple(structure.modules.values())
        self.paths = {id(module): tuple(paths) for module, paths in self._modules}
        self.stack: list[str] = [""]
        self.running: list[nn.Module | None] = [None]
        self.calls: dict[str, int] = {}
        self.failure: BaseException | None = None
        self.failed_at: str | None = None
        self.failed_on: Any = ()
        self.run_counted: Callable[..., Any] = run_uncounted

    @contextmanager
    def follow(self) -> Iterator[None]:
        """Keep the stack while the body runs.

        Each module of the model gets a call of its own where PyTorch keeps that of a
        compiled module, so that no class changes and no other model notices.
        """
        attributes = [(module.__dict__, module, paths) for module, paths in self._modules]
        before = [known.get(_CALL) for known, _, _ in attributes]
        try:
            for known, module, paths in attributes:
                known[_CALL] = self._make_call(module, tuple(paths))
            yield
        finally:
            for (known, _, _), call in zip(attributes, before, strict=True):
                if call is None:
                    known.pop(_CALL, None)
                else:
                    known[_CALL] = call

    def _make_call(self, module: nn.Module, paths: tuple[str, ...]) -> Callable[..., Any]:
        stack, running, calls, only = self.stack, self.running, self.calls, paths[0]
        several = len(paths) > 1
        count = find_module_cost(type(module))

        def call(*args: Any, **kwargs: Any) -> Any:
            path = choose_path(paths, stack[-1], calls) if several else only
            stack.append(path)
            running.append(module)
            calls[path] = calls.get(path, 0) + 1
            try:
                if count is not None:
                    return self.run_counted(count, module, args, kwargs)
                return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]
            except BaseException as error:
                self._blame(error, path, (args, kwargs))
                raise
            finally:
                stack.pop()
                running.pop()

        self._call = call.__code__
        return call

    def _blame(self, error: BaseException, path: str, given: Any) -> None:
        if self.failure is not error:  # the innermost module comes first
            self.failure, self.failed_at, self.failed_on = error, path, given

    def find_path(self) -> str:
        """The module whose code calls the operation being dispatched.

        The running module, or one whose other method (not its forward) was called: the
        innermost method of a module outside PyTorch tells.
        """
        current = self.stack[-1]
        if current in self.leaves:
            return current
        module, paths, call = self.running[-1], self.paths, self._call
        frame = sys._getframe(3)
        while frame is not None:
            code = frame.f_code
            if code is call:
                return current
            if code.co_argcount and not frame.f_globals.get("__name__", "").startswith("torch."):
                holder = _find_first(frame, code)
                found = paths.get(id(holder))
                if found is not None and _is_method(code, holder):
                    if holder is module:
                        return current
                    return found[0] if len(found) == 1 else self._find_latest(found)
            frame = frame.f_back  # type: ignore[assignment]
        return current

    def _find_latest(self, paths: tuple[str, ...]) -> str:
        """Of several paths of a module whose other method runs, one below the running module."""
        below = self.stack[-1] + "." if self.stack[-1] else ""
        return next((path for path in paths if path.startswith(below)), paths[0])


def _find_first(frame: FrameType, code: CodeType) -> Any:
    """The first argument of a function that runs.

    Before Python 3.13 a frame keeps the copy of its variables that reading one makes, and
    so tensors that the function has let go; it is emptied unless someone else holds it.
    """
    variables = frame.f_locals
    first = variables.get(code.co_varnames[0])
    if type(variables) is dict and sys.getrefcount(variables) <= _OURS:
        variables.clear()
    return first


_OURS = 3  # the frame, the name above, the argument of getrefcount


def _is_method(code: CodeType, holder: object) -> bool:
    """Whether this is code of a method of the object, not of a function that is given it."""
    name = code.co_name
    return isinstance(holder, nn.Module) and any(
        code.co_qualname == f"{kind.__qualname__}.{name}" for kind in type(holder).__mro__
    )


def find_site() -> str:
    """`file.py:12`, where the model's code called an operation, or PyTorch's where it has none."""
    frame, inner = sys._getframe(1), ""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name == "mobilenet_profiler.trace.passes":
            break
        site = f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"
        ours = name.startswith("mobilenet_profiler.") and ".zoo." not in name
        if not ours and name.partition(".")[0] != "torch":
            return site
        inner = inner or ("" if ours else site)
        frame = frame.f_back  # type: ignore[assignment]
    return inner
