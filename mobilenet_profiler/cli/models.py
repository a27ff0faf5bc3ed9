"""`mobilenet-profiler models`: the zoo."""

from __future__ import annotations

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.output import write_text
from mobilenet_profiler.zoo.catalogue import ZooEntry, list_models

_HEADINGS = ("model", "input", "what it is", "source (arXiv)")


def models(output: opt.Output = "-") -> None:
    """List the networks that can be named, with their source."""
    write_text(_draw_table([_HEADINGS, *map(_list_cells, list_models())]), output)


def _list_cells(entry: ZooEntry) -> tuple[str, ...]:
    source = entry.source.removeprefix("arXiv ")
    return (entry.name, str(entry.resolution), entry.summary, source)


def _draw_table(lines: list[tuple[str, ...]]) -> str:
    """Columns that line up under a rule, without rich: this command starts at once."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [
        f"{name:<{widths[0]}}  {size:>{widths[1]}}  {summary:<{widths[2]}}  {source}"
        for name, size, summary, source in lines
    ]
    rule = "─" * max(map(len, texts))
    return "\n".join([texts[0], rule, *texts[1:]]) + "\n"
