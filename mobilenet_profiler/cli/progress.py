"""A bar on stderr while something is measured, gone when it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

OnProgress = Callable[[float, str], None]
_EVERY = 0.2  # seconds between drawings, so that they take no time from what is measured


@contextmanager
def show_progress(label: str) -> Iterator[OnProgress]:
    """A function to tell of progress, 0 to 1 and what is going on; without a terminal nothing.

    The bar says how long the rest will take. It is drawn when it is told and never by
    itself: a thread that draws would be measured too.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[label]}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
    )
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=1.0, label=label)
        drawn = 0.0

        def tell(done: float, text: str) -> None:
            nonlocal drawn
            progress.update(task, completed=done, description=text)
            if monotonic() - drawn >= _EVERY or done >= 1:
                progress.refresh()
                drawn = monotonic()

        yield tell
