"""The exact part of reports/: every file is what the command beside it in reports/README.md makes.

    python -m benchmarks.exact_reports            # make all of them again
    python -m benchmarks.exact_reports --check    # exit 1 where a byte differs

The commands run as they stand there, in the folder `exact/`; what one prints without `-o` is its
file.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from mobilenet_profiler.cli import run

REPORTS = Path(__file__).parents[1] / "reports"
_LISTED = re.compile(r"\(exact/(\S+)\) \| `mobilenet-profiler (.*)` \|")


class Listed(NamedTuple):
    """A line of the table: the file or folder, and the command that makes it."""

    name: str
    command: tuple[str, ...]


def read_list(reports: Path = REPORTS) -> tuple[Listed, ...]:
    """Every line of the table, in its order."""
    text = (reports / "README.md").read_text(encoding="utf-8")
    return tuple(Listed(name, tuple(shlex.split(own))) for name, own in _LISTED.findall(text))


def make(listed: Listed, folder: Path) -> None:
    """Run one command in a folder. Raises RuntimeError where it fails."""
    target = folder / listed.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with chdir(folder), redirect_stdout(StringIO()) as shown:
        code = run(list(listed.command))
    if code:
        raise RuntimeError(f"exit {code}: mobilenet-profiler {shlex.join(listed.command)}")
    if not {"-o", "--output"} & set(listed.command):
        target.write_text(shown.getvalue(), encoding="utf-8")


def make_all(folder: Path) -> None:
    """Every file of the table, in a folder."""
    for listed in read_list():
        sys.stderr.write(f"mobilenet-profiler {shlex.join(listed.command)}\n")
        make(listed, folder)


def list_files(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def compare(kept: Path, made: Path) -> Iterator[str]:
    """A line for each file that is not the same in both folders."""
    before, after = list_files(kept), list_files(made)
    for name in sorted({*before, *after}):
        if name not in after:
            yield f"{name}: made by no command"
        elif name not in before:
            yield f"{name}: missing"
        elif before[name] != after[name]:
            yield f"{name}: {_find_difference(before[name], after[name])}"


def _find_difference(before: bytes, after: bytes) -> str:
    """Where two files begin to differ, in words."""
    pairs = zip(before, after, strict=False)
    place = next(
        (index for index, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after))
    )
    line = after[:place].count(b"\n") + 1
    return f"differs from line {line}: {_show(before, place)} is now {_show(after, place)}"


def _show(data: bytes, place: int) -> str:
    return repr(data[max(place - 20, 0) : place + 40].decode(errors="replace"))


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    given = parser.parse_args(arguments)
    os.environ.pop("COLUMNS", None)
    with tempfile.TemporaryDirectory() as made:
        make_all(Path(made))
        if given.check:
            differing = list(compare(REPORTS / "exact", Path(made)))
            print("\n".join(differing) or "reports/exact is what its commands make.")
            return bool(differing)
        shutil.rmtree(REPORTS / "exact", ignore_errors=True)
        shutil.copytree(made, REPORTS / "exact")
    return 0


if __name__ == "__main__":
    sys.exit(main())
