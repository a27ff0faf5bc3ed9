"""Profiles of one network at several batch sizes: side by side, then what is wrong with each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from rich.console import Group, RenderableType
from rich.text import Text

from mobilenet_profiler.columns import align_lines, fit_lines, measure_lines
from mobilenet_profiler.measured.batches import describe_gain, list_batches, list_kinds
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.remarks import list_remarks
from mobilenet_profiler.measured.summary import describe_machine
from mobilenet_profiler.render.compare import Lines, write_html, write_markdown
from mobilenet_profiler.render.profile import TEXTS, draw_aligned, draw_remarks, write_remarks
from mobilenet_profiler.render.table import draw_text, style_kind
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.spec import list_label_parts

_LEAST = (7, 5, 3, 8, 6, 2)  # columns of the batches that go first where they do not fit


def render_batches(
    profiles: Sequence[Profile], width: int = 100, hints: Sequence[str] = ()
) -> Group:
    """Heading, a line a batch, kinds of layers at each batch, warnings and notes of each.

    hints: what else to say at the end.
    """
    batches, kinds = list_batches(profiles), list_kinds(profiles)
    least = [index for index in _LEAST if index < len(batches[0])]
    kept = fit_lines(align_lines(batches), width, least)
    lines = [tuple(line[index] for index in kept) for line in batches]
    parts: list[RenderableType] = [
        Text(name_batches(profiles), style="bold"),
        Text(describe_machine(profiles[0]), style="dim"),
        Text(),
        draw_aligned(lines, footer=False),
        Text(),
        *([Text(gain), Text()] if (gain := describe_gain(profiles)) else []),
    ]
    for part in _split(kinds, width):
        parts += [draw_aligned(part, [style_kind(line[0]) for line in part[1:-1]]), Text()]
    return Group(*parts[:-1], *draw_remarks([*list_batch_remarks(profiles), *hints]))


def render_text(profiles: Sequence[Profile], width: int = 100) -> str:
    """The same as plain text."""
    return draw_text(render_batches(profiles, width), width)


def name_batches(profiles: Sequence[Profile]) -> str:
    """What was profiled and how, without the inputs, in which the profiles differ."""
    first = profiles[0]
    alone = " ".join(list_label_parts({**first.trace.spec, "arguments": ()}))
    batches = ", ".join(str(profile.setup.batch or "-") for profile in profiles)
    return f"{first.label.replace(first.trace.label, alone, 1)}, batches {batches}"


def _split(lines: Lines, width: int) -> Iterator[Lines]:
    """Shares and rates in one table, or in two, or as many of the batches as fit."""
    half = (len(lines[0]) - 1) // 2
    if measure_lines(align_lines(lines)) <= width:
        yield lines
        return
    for first in (1, 1 + half):
        own = [(line[0], *line[first : first + half]) for line in lines]
        own = [line for line in own if set(line[1:]) != {"-"}]
        kept = fit_lines(align_lines(own), width, range(half, 0, -1))
        yield [tuple(line[index] for index in kept) for line in own]


def list_batch_remarks(profiles: Sequence[Profile]) -> list[str]:
    """What a reader must know of each profile; once where it holds for all."""
    each = [list_remarks(profile) for profile in profiles]
    common = [line for line in each[0] if all(line in lines for lines in each)]
    own = [
        f"batch {profile.setup.batch or '-'}: {line}"
        for profile, lines in zip(profiles, each, strict=True)
        for line in lines
        if line not in common
    ]
    return [*own, *common]


def render_markdown(profiles: Sequence[Profile], hints: Sequence[str] = ()) -> str:
    """The same tables in GitHub's Markdown."""
    tables = [list_batches(profiles), _flatten(list_kinds(profiles))]
    batches, kinds = ("".join(write_markdown(lines, TEXTS)) for lines in tables)
    texts = (describe_machine(profiles[0]), describe_gain(profiles))
    machine, gain = (f"{escape_markdown(text)}\n" if text else "" for text in texts)
    head = f"**{escape_markdown(name_batches(profiles))}**\n"
    remarks = write_remarks([*list_batch_remarks(profiles), *hints])
    return "\n".join(filter(None, (head, machine, batches, gain, kinds, remarks)))


def _flatten(lines: Lines) -> Lines:
    return [tuple(cell.replace("\n", " ") for cell in lines[0]), *lines[1:]]


def render_html(profiles: Sequence[Profile]) -> str:
    """The tables for a notebook, every text escaped."""
    texts = [describe_gain(profiles), *list_batch_remarks(profiles)]
    tables = [write_html(lines, TEXTS) for lines in (list_batches(profiles), list_kinds(profiles))]
    heading = f"<p><b>{escape(name_batches(profiles))}</b></p>"
    return heading + "".join([*tables, *(f"<p>{escape(text)}</p>" for text in texts if text)])
