"""What to say of an exception that code of the user's raised: its kind, its words, its line."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from pathlib import Path

import torch

_PACKAGE = Path(__file__).parents[1]
_OURS = (f"{_PACKAGE}{os.sep}", f"{Path(torch.__file__).parent}{os.sep}")
_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_INSTALLED = f"{os.sep}site-packages{os.sep}"


def describe_failure(error: BaseException) -> str:
    """One line: `ValueError: too deep (models.py:12)`."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.msg} ({shorten_path(error.filename)}:{error.lineno})"
    reason = " ".join(str(error).split())
    name = type(error).__name__
    place = find_line(error)
    return (f"{name}: {reason}" if reason else name) + (f" ({place})" if place else "")


def find_line(error: BaseException) -> str | None:
    """The innermost line of the traceback that is the user's own, as `file:line`."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{shorten_path(f.filename)}:{f.lineno}" for f in frames if _is_users(f.filename)]
    return places[-1] if places else None


def shorten_path(path: str) -> str:
    """A path from the current directory, or from the innermost folder that Python imports from."""
    folders = [str(folder) for folder in (Path.cwd(), *sys.path) if folder]
    inside = [folder for folder in folders if Path(path).is_relative_to(folder)]
    return min((str(Path(path).relative_to(folder)) for folder in inside), key=len, default=path)


def is_installed(path: str) -> bool:
    """Whether a file belongs to Python, to an installed package, to torch or to this package."""
    return path.startswith((_LIBRARY, *_OURS)) or _INSTALLED in path


def _is_users(path: str) -> bool:
    """The line to name: torchvision's and timm's own count, those of frozen modules do not."""
    if path.startswith((*_OURS, "<")):
        return False
    return not path.startswith(_LIBRARY) or _INSTALLED in path
