"""Options that several commands take, declared once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import DTYPES, limit_threads
from mobilenet_profiler.spec import SOURCE_FORMS
from mobilenet_profiler.zoo.catalogue import list_models


def complete_model(incomplete: str) -> list[str]:
    """Names of the zoo that begin so, for the shell."""
    return [entry.name for entry in list_models() if entry.name.startswith(incomplete)]


def complete_convention(incomplete: str) -> list[str]:
    """Names of conventions that begin so, for the shell."""
    from mobilenet_profiler.conventions.catalogue import list_names

    return [name for name in list_names() if name.startswith(incomplete)]


def complete_source(incomplete: str) -> list[str]:
    """Names of sources of published figures that begin so, for the shell."""
    from mobilenet_profiler.published.catalogue import list_sources

    return [source.name for source in list_sources() if source.name.startswith(incomplete)]


def check_thread_limit(threads: int | None) -> None:
    """Refuse more threads than any machine of this size can use."""
    if threads is not None and threads > limit_threads():
        raise UsageError(f"--threads must be at most {limit_threads()} here, given {threads}")


def limit(what: str) -> Any:
    """The option of a limit."""
    text = f"The most {what}: 300M, 4.3M, 1.5G, 4,231,976, 1e9."
    return typer.Option(metavar="N", help=text, show_default=False)


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name of the zoo (see `models`), " + SOURCE_FORMS + ".",
        autocompletion=complete_model,
        show_default=True,
    ),
]
Alpha = Annotated[float | None, typer.Option(help="Width multiplier.", show_default=False)]
Resolution = Annotated[
    int | None, typer.Option(help="Input height and width, pixels (224).", show_default=False)
]
Beta = Annotated[
    float | None, typer.Option(help="Resolution multiplier, resolution / 224.", show_default=False)
]
Classes = Annotated[
    int | None, typer.Option(help="Classes (1000); 0 for pooled features.", show_default=False)
]
OutputStride = Annotated[
    int | None, typer.Option(help="8, 16 or 32: stop striding, dilate.", show_default=False)
]
FinalEndpoint = Annotated[
    str | None, typer.Option(help="Stop at this end point, no head.", show_default=False)
]
ExplicitPadding = Annotated[
    bool | None,
    typer.Option("--explicit-padding/--same-padding", help="Pad as PyTorch does, or SAME."),
]
GlobalPool = Annotated[
    bool | None, typer.Option("--global-pool", help="Average over the whole map.")
]
Batch = Annotated[int | None, typer.Option(help="Images in the input (1).", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="An argument of the factory.", show_default=False
    ),
]
Input = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="INPUT",
        help="1x3x224x224, ids=1x128:int64, t=scalar, flag=true.",
        show_default=False,
    ),
]
InputsFrom = Annotated[
    str | None,
    typer.Option(
        "--inputs-from",
        metavar="SOURCE",
        help="module:function or file.py:function that makes the inputs.",
        show_default=False,
    ),
]
Train = Annotated[
    bool, typer.Option("--train/--eval", help="Count it as it trains, or as it predicts.")
]
Backward = Annotated[bool, typer.Option("--backward", help="Trace the backward pass too.")]
Values = Annotated[
    bool, typer.Option("--values", help="Run on copies with values, not on meta tensors.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 if any work is not counted.")]
InConvention = Annotated[
    str,
    typer.Option(
        "--convention",
        metavar="NAME",
        help="Count as another tool or paper does; see `conventions`.",
        autocompletion=complete_convention,
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(help=", ".join(DTYPES) + " (the network's own).", show_default=False),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of one operation on the CPU.", show_default=False),
]
ChannelsLast = Annotated[
    bool, typer.Option("--channels-last", help="Memory format of weights and images.")
]
MinTime = Annotated[
    float | None,
    typer.Option(metavar="S", help="Seconds of clean passes.", show_default=False),
]
Precision = Annotated[
    str | None,
    typer.Option(metavar="P%", help="Until the median is known so well: 2%.", show_default=False),
]
Source = Annotated[
    str | None,
    typer.Option(
        metavar="S",
        help="The figures of this source alone; see `published`.",
        autocompletion=complete_source,
        show_default=False,
    ),
]
Output = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Write here; `-` is stdout.")
]
