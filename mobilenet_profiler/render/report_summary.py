"""What a report says first, in Markdown: totals, kinds of layers, how it counts, the machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.render.page.layers import describe_main, make_kind_table
from mobilenet_profiler.render.page.machines import Machine, make_machine
from mobilenet_profiler.render.page.page import Card, describe_counts, list_cards
from mobilenet_profiler.render.text import escape_markdown
from mobilenet_profiler.report import Report
from mobilenet_profiler.rows import describe_uncounted


def write_uncounted(report: Report) -> str:
    """Work that no number includes, a line each; '' where there is none."""
    several = len(report.traces) > 1
    return "".join(
        f"- {escape_markdown(f'{name}: {line}' if several else line)}\n"
        for name, trace in zip(report.names, report.traces, strict=True)
        for line in describe_uncounted(trace)
    )


def write_summary(report: Report) -> str:
    """Of each network its figures, rounded and exact, and its kinds of layers."""
    return "\n".join(_list_networks(report))


def _list_networks(report: Report) -> Iterator[str]:
    named = zip(report.names, report.traces, report.accuracies, strict=True)
    for name, trace, accuracy in named:
        if len(report.traces) > 1:
            yield f"### {escape_markdown(name)}\n"
        yield f"**{escape_markdown(trace.label)}**\n"
        yield _write_cards(list(list_cards(trace, accuracy, report.find_profiles(trace))))
        if main := describe_main(trace):
            yield f"{escape_markdown(main)}\n"
        yield _write_kinds(trace)


def _write_cards(cards: Sequence[Card]) -> str:
    lines = [(own.name, f"{own.value} {own.unit}".rstrip(), own.about) for own in cards]
    return _write_table([("", "", "exactly, or whence"), *lines], ("---", "---:", "---"))


def _write_kinds(trace: Trace) -> str:
    table = make_kind_table(trace, "")
    rows = [*(line.cells for line in table.lines), table.total]
    body = [[cell.text for cell in cells] for cells in rows]
    rules = ["---:" if own.numeric else "---" for own in table.headings]
    return _write_table([[own.text for own in table.headings], *body], rules)


def write_counts(report: Report) -> str:
    """What the numbers count, in words."""
    return f"{escape_markdown(describe_counts(report))}\n"


def write_machines(report: Report) -> str:
    """All that is known of where anything was measured; '' where nothing was."""
    machines = [make_machine(*item) for item in report.machines.items()]
    return "\n".join(map(_write_machine, machines))


def _write_machine(machine: Machine) -> str:
    facts = [(own.name, own.value) for own in machine.facts]
    table = _write_table([("", ""), *facts], ("---", "---"))
    return f"### {escape_markdown(machine.name)}\n\n{table}"


def _write_table(lines: Sequence[Sequence[str]], rules: Sequence[str]) -> str:
    """Lines of text as a table, headings first."""
    head, *body = [[escape_markdown(cell) for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, list(rules), *body))
