"""The paper's Table 1 as text (arXiv 1704.04861)."""

from __future__ import annotations

from mobilenet_profiler.cost import Trace
from mobilenet_profiler.paper import list_paper_rows


def render_paper(trace: Trace) -> str:
    """Table 1 as aligned text."""
    lines = [("Type / Stride", "Filter Shape", "Input Size"), *list_paper_rows(trace)]
    widths = [max(len(line[index]) for line in lines) for index in range(3)]
    text = [
        "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)) for line in lines
    ]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in text) + "\n"
