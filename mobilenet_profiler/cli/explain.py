"""`mobilenet-profiler explain`: the arithmetic behind one layer."""

from __future__ import annotations

from typing import Annotated

import typer

from mobilenet_profiler.cli import options as opt
from mobilenet_profiler.cli.model import Settings, takes_settings, trace_spec
from mobilenet_profiler.cli.output import write_text
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.spec import make_spec


@takes_settings
def explain(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] LAYER",
            help="A layer, such as Conv2d_3_depthwise, after its model (mobilenet_v1).",
            autocompletion=opt.complete_model,
        ),
    ],
    settings: Settings,
    output: opt.Output = "-",
) -> None:
    """Show the arithmetic of a layer, and what its separable pair saves."""
    if len(names) > 2:
        raise UsageError(f"explain takes [MODEL] LAYER, given {len(names)} names: {names}")
    model, layer = names if len(names) == 2 else ("mobilenet_v1", names[0])
    trace = trace_spec(make_spec(model, **settings))
    from mobilenet_profiler.render.explain import render_explanation

    write_text(render_explanation(trace, layer), output)
