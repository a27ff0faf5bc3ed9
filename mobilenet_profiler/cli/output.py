"""The only place that prints or opens a file for writing."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mobilenet_profiler.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

FILE_WIDTH = 100
FIGURE_FORMATS = ("png", "svg", "pdf")


def measure_width(output: str) -> int:
    """Characters a line may have: the terminal's, COLUMNS where it is set, or 100 in a file."""
    return shutil.get_terminal_size((FILE_WIDTH, 24)).columns if output == "-" else FILE_WIDTH


def write_text(text: str, output: str = "-") -> None:
    """Text to stdout, or to a file that is replaced whole or not at all."""
    if output == "-":
        _write_stdout(text)
    else:
        _replace_file(Path(output), text.encode())


def write_bytes(data: bytes, output: str) -> None:
    """Bytes to a file that is replaced whole or not at all."""
    _replace_file(Path(output), data)


def check_figure_path(output: str) -> None:
    """Refuse a name that no figure can be written to, before anything is measured for it."""
    suffix = Path(output).suffix.lower().lstrip(".")
    if output == "-" or suffix not in FIGURE_FORMATS:
        allowed = ", ".join(f".{name}" for name in FIGURE_FORMATS)
        raise UsageError(f"a plot is a file that ends in {allowed}, given {output!r}")


def write_figure(figure: Figure, output: str) -> None:
    """A figure as the format that the file's name ends in; replaced whole or not at all."""
    from mobilenet_profiler.render.plot.style import encode_figure

    check_figure_path(output)
    path = Path(output)
    _replace_file(path, encode_figure(figure, path.suffix.lower().lstrip(".")))


def check_writable(output: str) -> None:
    """Refuse a file that cannot be written, before anything is worked out for it."""
    if output == "-":
        return
    path = Path(os.path.realpath(output))
    if path.is_dir():
        raise UsageError(f"cannot write {str(path)!r}: {os.strerror(errno.EISDIR)}")
    if path.exists() and not path.is_file():
        return  # a device or a pipe
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None


def check_folder(output: str) -> None:
    """Refuse a folder that cannot be, before anything is worked out for it."""
    if output == "-":
        raise UsageError("a report is several files: -o takes a folder, given '-'")
    path = Path(os.path.realpath(output))
    known = next(own for own in (path, *path.parents) if own.exists())
    inner = path / "figures"
    for place in (known, *([inner] if inner.exists() else [])):
        if not place.is_dir():
            raise UsageError(f"cannot write to {output!r}: {os.strerror(errno.ENOTDIR)}")
        check_writable(str(place / "index.html"))


def write_folder(files: Mapping[str, bytes], output: str, stale: Iterable[str] = ()) -> None:
    """Files by their names in a folder, which is made where it is not; all of them or none.

    Each is written whole beside its place first; only when all are there do they take it.
    stale: names that an earlier writing left there, and that go with it.
    """
    folder = Path(output)
    staged: dict[Path, Path] = {}
    try:
        for name, data in files.items():
            path = Path(os.path.realpath(folder / name))
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            staged[path] = _stage(path, data)
        for path, beside in staged.items():
            os.replace(beside, path)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {output!r}: {error.strerror}") from None
    finally:
        for beside in staged.values():
            beside.unlink(missing_ok=True)


def read_before(output: str, name: str) -> str:
    """The text of a file that an earlier writing left in a folder; '' where there is none."""
    try:
        return (Path(output) / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def write_renderable(renderable: RenderableType, output: str, width: int) -> None:
    """A rich renderable: coloured on a terminal, plain anywhere else."""
    if output == "-" and sys.stdout is not None and sys.stdout.isatty():
        from rich.console import Console

        Console(width=width).print(renderable)
    else:
        from mobilenet_profiler.render.table import draw_text

        write_text(draw_text(renderable, width), output)


def _write_stdout(text: str) -> None:
    if sys.stdout is None:
        raise UsageError("cannot write to stdout: it is closed")
    encoding = sys.stdout.encoding or "utf-8"
    shown = text.encode(encoding, "replace").decode(encoding)  # a legacy code page lacks rules
    try:
        sys.stdout.write(shown)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UsageError(f"cannot write to stdout: {error.strerror}") from None


def write_note(text: str) -> None:
    """A line to stderr: whatever is not data."""
    sys.stderr.write(text.rstrip("\n") + "\n")


def _replace_file(path: Path, data: bytes) -> None:
    path = Path(os.path.realpath(path))  # a link stays a link: its target is replaced
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a device or a pipe has no rename
            return
        beside = _stage(path, data)
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
    try:
        os.replace(beside, path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
        raise


def _stage(path: Path, data: bytes) -> Path:
    """A file beside its place with all that it is to hold; none where that fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, _choose_mode(path))
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def _choose_mode(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
