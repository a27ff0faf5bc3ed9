"""A check of a budget: limits with their verdicts, then the layers that answer for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from html import escape

from rich.console import Group, RenderableType
from rich.text import Text

from mobilenet_profiler.budget import LIMITED, BudgetCheck, Limit
from mobilenet_profiler.columns import fit_lines
from mobilenet_profiler.comparing import AlignedCost
from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.conventions.catalogue import find_convention
from mobilenet_profiler.cost import Cost, LayerCost, Trace
from mobilenet_profiler.measured.limit import LatencyLimit
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.remarks import list_remarks
from mobilenet_profiler.measured.statistics import CONFIDENCE
from mobilenet_profiler.render.compare import (
    Lines,
    draw_lines,
    name_quantity,
    write_html,
    write_markdown,
)
from mobilenet_profiler.render.json import (
    SCHEMA_VERSION,
    describe_convention,
    describe_cost,
    describe_interval,
)
from mobilenet_profiler.render.table import draw_text, warn
from mobilenet_profiler.render.text import escape_markdown, list_markdown_warnings
from mobilenet_profiler.rows import list_warnings, name_layers
from mobilenet_profiler.units import (
    format_change,
    format_count,
    format_estimate,
    format_interval,
    format_share,
    format_supported,
    format_time,
)

SHOWN = 10
_TEXTS = ("limit", "verdict", "total", "layer", "change", "kind")
_ARROW = " → "


def render_check(check: BudgetCheck, width: int, top: int = SHOWN) -> Group:
    """Verdict, what other model the baseline is of, limits, growth, layers, warnings.

    top: how many layers are shown; a row stands for the rest.
    """
    parts: list[RenderableType] = [Text(_head(check), style="bold")]
    parts += [Text(line, style="yellow") for line in _introduce(check)]
    for lines, least in _list_tables(check, top):
        kept = fit_lines(lines, width, least)
        cut = [tuple(line[index] for index in kept) for line in lines]
        parts += [Text(), draw_lines(cut, _TEXTS)]
    remarks = [Text(line, style="yellow") for line in _list_remarks(check)]
    return Group(*parts, *warn(check.trace), *([Text(), *remarks] if remarks else []))


def _list_remarks(check: BudgetCheck) -> list[str]:
    """What a reader must know of the measurement, besides what the trace says."""
    if check.profile is None:
        return []
    said = list_warnings(check.trace)
    return [line for line in list_remarks(check.profile) if line not in said]


def render_text(check: BudgetCheck, width: int = 100) -> str:
    """The same as plain text."""
    return draw_text(render_check(check, width), width)


def describe_verdict(check: BudgetCheck) -> str:
    """`within budget`, or what is over it by how much; what the data cannot decide."""
    over = [f"{_name(check, limit)} by {format_count(limit.excess)}" for limit in check.over]
    if check.latency is not None and check.latency.verdict == "over":
        over.append(f"latency by {format_estimate(check.latency.excess)}")
    parts = [f"over budget: {', '.join(over)}" if over else "within budget"]
    if check.undecided and not (over or check.limits):
        parts = []
    parts += ["latency undecided"] if check.undecided else []
    parts += ["work is left that is not counted"] if check.trace.uncounted else []
    return "; ".join(parts)


def _head(check: BudgetCheck) -> str:
    return f"{check.trace.label}: {describe_verdict(check)}"


def _name(check: BudgetCheck, limit: Limit) -> str:
    return name_quantity(limit.quantity, check.trace.convention)


def _introduce(check: BudgetCheck) -> Iterator[str]:
    """What a reader must know of the latency, and of the baseline: another model."""
    if check.latency is not None and check.profile is not None:
        yield describe_latency(check.latency, check.profile)
    if check.baseline is None:
        return
    if differences := check.other_model:
        yield f"baseline of another model, {check.baseline.label}; {'; '.join(differences)}"
    if check.baseline.uncounted:
        yield "work in the baseline is not counted"


def describe_latency(limit: LatencyLimit, profile: Profile) -> str:
    """What was measured and how; what to do where that cannot decide."""
    latency = limit.latency
    noun = "pass" if latency.count == 1 else "passes"
    where = profile.label.removeprefix(profile.trace.label).strip()
    measured = f"latency: median of {latency.count} clean {noun}, {where}"
    if limit.verdict != "undecided":
        return measured
    if latency.confidence < CONFIDENCE:
        why = "these are too few to decide"
    else:
        why = f"its interval {format_interval(latency)} holds the limit"
    return f"{measured}: {why}, so the check passes; {_advise(limit)}"


def _advise(limit: LatencyLimit) -> str:
    """What would decide. Half of the iterations are clean passes."""
    if limit.passes_needed is None:
        return "the median is too near the limit for more passes to help: choose another limit"
    return f"--iterations {_round_up(2 * limit.passes_needed)} may decide"


def _round_up(count: int) -> int:
    """To two digits."""
    unit = int(10 ** max(len(str(count)) - 2, 0))
    return -(-count // unit) * unit


def _list_tables(check: BudgetCheck, top: int) -> Iterator[tuple[Lines, Sequence[int]]]:
    """Each table as lines, with the columns that go first where they do not fit."""
    yield _list_limits(check), (3,)
    if check.totals is not None:
        yield _list_totals(check, check.totals), (4,)
        if check.changes:
            lines = _list_changes(check, top)
            last = len(lines[0]) - 1
            yield lines, (*range(last, 4, -1), 2, *range(min(last, 4), 3, -1), 1)
    elif check.over:
        yield _list_largest(check, top), (1,)


def _list_limits(check: BudgetCheck) -> Lines:
    lines: Lines = [("limit", "value", "allowed", "used %", "verdict")]
    for limit in check.limits:
        verdict = "within" if limit.within else f"over by {format_count(limit.excess)}"
        share = format_share(limit.value, limit.limit)
        numbers = (format_count(limit.value), format_count(limit.limit), share)
        lines.append((_name(check, limit), *numbers, verdict))
    if check.latency is not None:
        lines.append(_list_latency(check.latency))
    return lines


def _list_latency(limit: LatencyLimit) -> tuple[str, ...]:
    """The line of a latency: its median with the interval, and the part of the limit."""
    share = limit.latency.scale(100 / limit.limit)
    used = format_supported(share.value, share.half_width, most=2)
    over = f" by {format_estimate(limit.excess)}" if limit.verdict == "over" else ""
    verdict = limit.verdict + over
    return ("latency", format_estimate(limit.latency), format_time(limit.limit), used, verdict)


def _list_totals(check: BudgetCheck, totals: AlignedCost) -> Lines:
    lines: Lines = [("total", "baseline", "now", "growth", "growth %")]
    for name in LIMITED:
        before, after = totals.amount(0, name), totals.amount(1, name)
        numbers = (format_count(before), format_count(after), format_change(before, after))
        heading = name_quantity(name, check.trace.convention)
        lines.append((heading, *numbers, _show_growth(before, after)))
    return lines


def _show_growth(before: int, after: int) -> str:
    if not before:
        return "-"
    return f"{100 * (after - before) / before:+.2f}" if after != before else "0"


def _list_changes(check: BudgetCheck, top: int) -> Lines:
    """A heading, the layers whose costs changed, one line for those beyond `top`."""
    names = list(dict.fromkeys((check.decisive, *(limit.quantity for limit in check.limits))))
    known = check.trace.convention
    headings = [name_quantity(name, known) for name in names]
    lines: Lines = [("layer", "change", f"{headings[0]} growth", *headings)]
    rows = list(check.changes)
    if len(rows) > top:
        rows[top:] = [_add_up(rows[top:])]
    for row in rows:
        growth = format_change(row.amount(0, names[0]), row.amount(1, names[0]))
        cells = [_show_change(row, name) for name in names]
        lines.append((row.name, _name_change(row), growth, *cells))
    return lines


def _add_up(rows: Sequence[AlignedCost]) -> AlignedCost:
    before, after = (
        sum((cost for row in rows if (cost := row.costs[index])), Cost()) for index in (0, 1)
    )
    return AlignedCost(f"{len(rows)} more", "", "", (before, after))


def _name_change(row: AlignedCost) -> str:
    if not row.path and row.name.endswith(" more"):
        return "-"
    return "new" if row.costs[0] is None else "removed" if row.costs[1] is None else "changed"


def _show_change(row: AlignedCost, quantity: str) -> str:
    before, after = ("-" if cost is None else f"{getattr(cost, quantity):,}" for cost in row.costs)
    return before if before == after else f"{before}{_ARROW}{after}"


def _list_largest(check: BudgetCheck, top: int) -> Lines:
    """A heading, the largest layers, one line for the rest: they add up to the total."""
    name = check.decisive
    short, layers = name_layers(check.trace), check.largest
    whole = sum(getattr(layer.cost, name) for layer in layers)
    heading = name_quantity(name, check.trace.convention)
    lines: Lines = [("layer", "kind", heading, "%")]
    for layer in layers[:top]:
        amount = getattr(layer.cost, name)
        share = format_share(amount, whole)
        lines.append((short[layer.path], layer.kind, format_count(amount), share))
    if rest := layers[top:]:
        amount = sum(getattr(layer.cost, name) for layer in rest)
        share = format_share(amount, whole)
        lines.append((f"{len(rest)} more", "-", format_count(amount), share))
    return lines


def render_markdown(check: BudgetCheck, top: int = SHOWN) -> str:
    """The same tables in GitHub's Markdown."""
    tables = ["".join(write_markdown(lines, _TEXTS)) for lines, _ in _list_tables(check, top)]
    texts = [f"{escape_markdown(line)}\n" for line in _introduce(check)]
    head = f"**{escape_markdown(_head(check))}**\n"
    return "\n".join([head, *texts, *tables]) + _list_markdown_remarks(check)


def _list_markdown_remarks(check: BudgetCheck) -> str:
    lines = "".join(f"- {escape_markdown(line)}\n" for line in _list_remarks(check))
    warnings = list_markdown_warnings(check.trace)
    return warnings + (lines if warnings or not lines else f"\n{lines}")


def render_github(check: BudgetCheck, top: int = SHOWN) -> str:
    """For a comment on a pull request: limits and growth in one table, layers folded away."""
    texts = [f"{escape_markdown(line)}\n" for line in _introduce(check)]
    table = "".join(write_markdown(_list_summary(check), _TEXTS))
    head = f"**{escape_markdown(check.trace.label)}**: {escape_markdown(describe_verdict(check))}\n"
    parts = [head, *texts, table]
    if details := _fold_layers(check, top):
        parts.append(details)
    return "\n".join(parts) + _list_markdown_remarks(check)


def _list_summary(check: BudgetCheck) -> Lines:
    lines = [(*line[:3], line[4]) for line in _list_limits(check)]
    if check.totals is None:
        return lines
    growth: Lines = [("baseline", "growth", "growth %")]
    for limit in check.limits:
        before, after = (check.totals.amount(index, limit.quantity) for index in (0, 1))
        shown = (format_change(before, after), _show_growth(before, after))
        growth.append((format_count(before), *shown))
    growth += [("-", "-", "-")] if check.latency else []
    return [(*line, *more) for line, more in zip(lines, growth, strict=True)]


def _fold_layers(check: BudgetCheck, top: int) -> str:
    if check.baseline is not None and check.changes:
        changed, grown = len(check.changes), len(check.grown)
        noun = "layer" if changed == 1 else "layers"
        summary = f"{changed} {noun} changed, {grown} grew"
        lines = _list_changes(check, top)
    elif check.baseline is None and check.over:
        summary, lines = "the largest layers", _list_largest(check, top)
    else:
        return ""
    table = "".join(write_markdown(lines, _TEXTS))
    return f"<details>\n<summary>{escape(summary)}</summary>\n\n{table}\n</details>\n"


def render_json(check: BudgetCheck, top: int = SHOWN) -> str:
    """`within`, `limits`, `baseline`, `changes`, `largest`; every layer, whatever `top`."""
    key = check.trace.convention.key if check.trace.convention else "macs"
    changes = [_describe_change(row, key) for row in check.changes]
    baseline = check.baseline
    data = {
        "schema_version": SCHEMA_VERSION,
        "within": check.within,
        "convention": describe_convention(check.trace.convention or find_convention(DEFAULT)),
        "spec": dict(check.trace.spec),
        "total": describe_cost(check.trace.total, key),
        "limits": [_describe_limit(limit, key) for limit in check.limits],
        "latency": _describe_latency(check.latency, check.profile),
        "baseline": _describe_baseline(baseline, check, key) if baseline else None,
        "changes": changes,
        "largest": [_describe_layer(layer, key) for layer in check.largest],
        "uncounted": [asdict(item) for item in check.trace.uncounted],
        "notes": [*check.trace.notes, *_list_remarks(check)],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _describe_limit(limit: Limit, key: str) -> dict[str, object]:
    name = key if limit.quantity == "macs" else limit.quantity
    return {
        "quantity": name,
        "value": limit.value,
        "limit": limit.limit,
        "excess": limit.excess,
        "within": limit.within,
    }


def _describe_latency(
    limit: LatencyLimit | None, profile: Profile | None
) -> dict[str, object] | None:
    """Nanoseconds."""
    if limit is None or profile is None:
        return None
    return {
        "unit": "ns",
        **describe_interval(limit.latency),
        "passes": limit.latency.count,
        "limit": limit.limit,
        "verdict": limit.verdict,
        "setup": asdict(profile.setup),
    }


def _describe_baseline(baseline: Trace, check: BudgetCheck, key: str) -> dict[str, object]:
    total = describe_cost(baseline.total, key)
    return {"spec": dict(baseline.spec), "total": total, "differences": list(check.other_model)}


def _describe_change(row: AlignedCost, key: str) -> dict[str, object]:
    before, after = (describe_cost(cost, key) if cost else None for cost in row.costs)
    return {
        "path": row.path,
        "name": row.name,
        "kind": row.kind,
        "change": _name_change(row),
        "before": before,
        "after": after,
    }


def _describe_layer(layer: LayerCost, key: str) -> dict[str, object]:
    return {"path": layer.path, "kind": layer.kind, **describe_cost(layer.cost, key)}


def render_html(check: BudgetCheck) -> str:
    """The tables for a notebook, every text escaped."""
    texts = [_head(check), *_introduce(check)]
    tables = [write_html(lines, _TEXTS) for lines, _ in _list_tables(check, SHOWN)]
    notes = [*list_warnings(check.trace), *_list_remarks(check)]
    shown = [f"<p>{escape(line)}</p>" for line in texts]
    return "".join([*shown, *tables, *(f"<p>{escape(line)}</p>" for line in notes)])


CHECKS: dict[str, Callable[[BudgetCheck, int], str]] = {
    "markdown": render_markdown,
    "github": render_github,
    "json": render_json,
}
