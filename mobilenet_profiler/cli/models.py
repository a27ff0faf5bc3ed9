"""`mobilenet-profiler models`: the zoo."""

from __future__ import annotations

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.output import write_text
from mobilenet_profiler.zoo.catalogue import list_models


def models(output: opt.Output = "-") -> None:
    """List the networks that can be named, with their source."""
    entries = list_models()
    widths = [max(len(entry.name) for entry in entries), max(len(e.summary) for e in entries)]
    lines = (f"{e.name:<{widths[0]}}  {e.summary:<{widths[1]}}  {e.source}" for e in entries)
    write_text("\n".join(lines) + "\n", output)
