"""From the source of a network to the factory that builds it: imports, never unpickles."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.spec import Source
from mobilenet_profiler.trace import packages
from mobilenet_profiler.trace.blame import describe_failure, is_installed
from mobilenet_profiler.zoo.catalogue import find_model

SHOWN_NAMES = 20
_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@contextmanager
def make_importable(source: Source) -> Iterator[None]:
    """Let the source's own folder be imported from for a while: a file's, or the current one."""
    kept, aside = list(sys.path), {}
    try:
        if source.kind in ("file", "module"):
            folder = Path(source.place).resolve().parent if source.kind == "file" else Path.cwd()
            aside = _set_namesakes_aside(folder) if source.kind == "file" else {}
            sys.path.insert(0, str(folder))
            importlib.invalidate_caches()
        yield
    finally:
        sys.path[:] = kept
        sys.modules.update(aside)


def _set_namesakes_aside(folder: Path) -> dict[str, ModuleType]:
    """Forget modules from other folders that a file here would import by mistake.

    Two projects in one process may each have their `layers.py`. Installed packages
    and the standard library keep their names.
    """
    own = {path.stem for path in folder.glob("*") if path.suffix == ".py" or path.is_dir()}
    own -= sys.stdlib_module_names
    found = {n: m for n, m in list(sys.modules.items()) if n.partition(".")[0] in own}
    aside = {name: module for name, module in found.items() if _is_elsewhere(module, folder)}
    for name in aside:
        del sys.modules[name]
    return aside


def _is_elsewhere(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    if file is None or is_installed(file):
        return False
    return not Path(file).resolve().is_relative_to(folder)


def load_source(source: Source) -> Any:
    """What the source names: a factory, a class, or a module that is there already."""
    if source.kind == "zoo":
        entry = find_model(source.name)
        place, _, function = entry.factory.partition(":") if entry else ("", "", "")
        return getattr(importlib.import_module(place), function)
    if source.kind == "torchvision":
        return packages.find_torchvision(source.name)
    if source.kind == "timm":
        return packages.find_timm(source.name)
    module = _run_file(source.place) if source.kind == "file" else _import(source.place)
    return _find_attribute(module, source)


def check_arguments(label: str, factory: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse what the factory's signature does not take, and name what it lacks."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return
    named = {parameter.name: parameter for parameter in parameters if parameter.kind in _KEYWORDS}
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        for key in options:
            if key not in named:
                raise unknown_name(f"argument of {label}:", key, named)
    missing = [p.name for p in named.values() if p.default is p.empty and p.name not in options]
    if missing:
        wanted = " ".join(f"--set {name}=VALUE" for name in missing)
        raise UsageError(f"{label} needs {', '.join(missing)}; give {wanted}")


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise UsageError(f"cannot import {name!r}: {error}") from None
        raise UsageError(f"cannot import {name!r}: {describe_failure(error)}") from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"cannot import {name!r}: {describe_failure(error)}") from error


def _run_file(path: str) -> ModuleType:
    """A file as a module under a name of its own, which no installed module can have."""
    name = f"source_of_{Path(path).stem}"
    _check_file(path)
    spec = importlib.util.spec_from_file_location(name, Path(path).resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"{path!r} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and type hints look their module up
    try:
        spec.loader.exec_module(module)
        return module
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        wrong = "is not Python" if isinstance(error, SyntaxError) else "cannot be imported"
        raise UsageError(f"{path!r} {wrong}: {describe_failure(error)}") from error


def _check_file(path: str) -> None:
    if Path(path).is_dir():
        raise UsageError(f"cannot read {path!r}: it is a directory")
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise UsageError(f"cannot read {path!r}: {error.strerror}") from None


def _find_attribute(module: ModuleType, source: Source) -> Any:
    found: Any = module
    if not source.name:
        names = ", ".join(_list_factories(module)[:SHOWN_NAMES]) or "nothing that builds a network"
        raise UsageError(f"{source.place}: name what to build after a ':'; it holds {names}")
    for name in source.name.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            where = f"name in {source.place}:"
            raise unknown_name(where, source.name, _list_factories(module), SHOWN_NAMES) from None
        except (Exception, SystemExit) as error:
            reason = describe_failure(error)
            raise UsageError(f"cannot import {source.name!r}: {reason}") from error
    return found


def _list_factories(module: ModuleType) -> list[str]:
    """The networks of a module: its classes and instances of nn.Module, then its functions."""
    networks, functions = [], []
    for name, value in list(vars(module).items()):
        own = getattr(value, "__module__", None) == module.__name__
        if isinstance(value, nn.Module) or (
            own and isinstance(value, type) and issubclass(value, nn.Module)
        ):
            networks.append(name)
        elif own and inspect.isfunction(value) and not name.startswith("_"):
            functions.append(name)
    return [*networks, *functions]
