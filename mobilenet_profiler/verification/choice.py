"""Which figures speak of what a user names, and `verify` from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilenet_profiler.conventions import DEFAULT
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.published.catalogue import find_figure, list_figures
from mobilenet_profiler.published.figure import Figure
from mobilenet_profiler.published.files import read_expectation, read_figures, refuse_twins
from mobilenet_profiler.spec import ModelSpec, read_spec
from mobilenet_profiler.verification.fits import Fit, list_fits
from mobilenet_profiler.verification.verdicts import (
    Networks,
    TraceOf,
    Verdict,
    Verification,
    verify_figure,
    verify_figures,
)
from mobilenet_profiler.zoo.catalogue import find_model

if TYPE_CHECKING:
    from torch import nn

_MODULE = "model"  # what figures call a module or a trace that was given
_DEFAULTS = {"alpha": (1,), "num_classes": (1000,)}  # which no figure's model spells out


@dataclass(frozen=True)
class Question:
    """What is to be verified.

    models: texts as `read_spec` takes them; none: everything. source: one source's figures
    alone. files: figures of a user's own; expectations: such as 'macs=325M', counted in
    `convention`. settings: what `make_spec` takes, for every model.
    """

    models: Sequence[str] = ()
    source: str | None = None
    files: Sequence[Path] = ()
    expectations: Sequence[str] = ()
    convention: str = DEFAULT
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether the user brings the figures."""
        return bool(self.files or self.expectations)


def choose_published(question: Question) -> tuple[Figure, ...]:
    """The published figures of the models named, or of all; none where the user brings some.

    Raises UsageError for a model that no figure speaks of.
    """
    if question.own:
        return ()
    if not question.models:
        return list_figures(source=question.source)
    named = [text for text in question.models if not _is_file(text)]
    found = [figure for text in named for figure in _find_published(text, question)]
    return tuple({figure.name: figure for figure in found}.values())


def choose_traced(trace: Trace, source: str | None = None) -> tuple[Figure, ...]:
    """The published figures of a network that was traced, whatever options they have besides.

    Its default input, one image of its own size, is taken for none that was asked for. None
    where no figure speaks of it.
    """
    wanted = _find_wanted(trace.spec)
    if wanted is None:
        return ()
    found = list_figures(wanted.model, source)
    return tuple(own for own in found if _has_options(read_spec(own.model), wanted))


def _find_wanted(spec: Mapping[str, Any]) -> ModelSpec | None:
    """The network of the zoo in a trace's spec; None for another, or one of another input."""
    entry, shapes = find_model(spec.get("model", "")), spec.get("inputs", ())
    if entry is None or len(shapes) != 1:
        return None
    batch, *channels, height = shapes[0]
    own = ModelSpec(
        entry.name,
        spec.get("options", {}),
        None if height == entry.resolution else height,
        None if batch == 1 else batch,
        mode=spec.get("mode", "eval"),
    )
    return own if channels == [3, height] else None


def choose_own(question: Question) -> tuple[Figure, ...]:
    """The figures that the user brings: in variants, in files, as expectations."""
    model = _choose_one(question) if question.own else ""
    found = [read_expectation(text, model, question.convention) for text in question.expectations]
    for file in question.files:
        found += read_figures(file, model)
    for text in filter(_is_file, question.models):
        found += read_figures(Path(text), text, needed=not question.own)
    refuse_twins(found)
    if found and not any(figure.counted for figure in found):
        raise UsageError(f"{found[0].line}: nothing to verify: {found[0].quantity} is no count")
    return tuple(found)


def answer(
    question: Question, trace_of: TraceOf, given: Mapping[str, Trace] | None = None
) -> Verification:
    """The verdicts on everything asked. given: see `Networks`. Raises UsageError."""
    published, own = choose_published(question), choose_own(question)
    if question.source is not None and question.own:
        raise UsageError(f"source {question.source!r} is of published figures, given your own")
    if question.source is not None and not published:
        raise UsageError(f"source {question.source!r} has no figure of what was named")
    return verify_figures(published, Networks(trace_of)) + verify_figures(
        own, Networks(trace_of, question.settings, given)
    )


def explain_figure(
    question: Question, name: str, trace_of: TraceOf
) -> tuple[Verdict, tuple[Fit, ...]]:
    """One figure's verdict, and what it would fit. name: its own, or a part of it."""
    published, own = choose_published(question), choose_own(question)
    figure = find_figure(name, (*own, *published))
    networks = Networks(trace_of, question.settings if figure.line else None)
    return verify_figure(figure, networks), list_fits(figure, networks)


def verify(
    model: str | Path | ModelSpec | nn.Module | Trace | None = None,
    inputs: Any = None,
    *,
    expect: Mapping[str, str] | Iterable[str] = (),
    figures: str | Path | Iterable[str | Path] = (),
    source: str | None = None,
    convention: str = DEFAULT,
    **options: Any,
) -> Verification:
    """Put a network's counts beside figures: those published, or your own.

    model: a name of the zoo, under whatever options figures speak of it; a TOML variant with
    `[[figure]]` tables; or anything that `trace` takes, or a Trace, with `expect` or
    `figures`. None: everything published. expect: {'macs': '325M', 'params': '2.6M'}, as
    printed, counted in `convention`. figures: a TOML or CSV file of them. inputs, options:
    as `trace` takes them. source: one source's figures alone.

    `.agrees` is false where any figure differs. Raises UsageError.
    """
    from mobilenet_profiler.trace.tracer import trace

    texts = _list_expectations(expect)
    files = [Path(file) for file in ([figures] if isinstance(figures, str | Path) else figures)]
    own = bool(texts or files)
    plain = isinstance(model, str | Path)
    if not own and (inputs is not None or convention != DEFAULT or not (plain or model is None)):
        raise UsageError("a module, a trace, inputs and a convention go with expect or figures")
    if isinstance(model, Trace) and (options or inputs is not None):
        raise UsageError("a trace has its inputs and options already")
    names = [str(model) if plain else _MODULE] if model is not None else []
    question = Question(names, source, files, texts, convention, options if plain else {})
    given: dict[str, Trace] = {}
    if isinstance(model, Trace):
        given[_MODULE] = model
    elif model is not None and (not plain or inputs is not None):
        given[names[0]] = trace(model, inputs, **options)
    return answer(question, trace, given)


def _list_expectations(expect: Any) -> list[str]:
    if isinstance(expect, Mapping):
        return [f"{quantity}={printed}" for quantity, printed in expect.items()]
    return [expect] if isinstance(expect, str) else list(expect or ())


def _is_file(text: str) -> bool:
    return text.casefold().endswith(".toml")


def _choose_one(question: Question) -> str:
    if len(question.models) > 1:
        raise UsageError(f"figures of your own are of one model, given {len(question.models)}")
    if question.expectations and not question.models:
        raise UsageError(f"--expect {question.expectations[0]} needs a MODEL")
    return question.models[0] if question.models else ""


def _find_published(text: str, question: Question) -> tuple[Figure, ...]:
    """Those of the network with the options that were given, whatever others they have."""
    spec = read_spec(text, **question.settings)
    if find_model(spec.model) is None:
        raise UsageError(f"no published figure speaks of {text!r}; give --expect or --figures")
    found = list_figures(spec.model, question.source)
    same = tuple(figure for figure in found if _has_options(read_spec(figure.model), spec))
    if found and not same:
        raise UsageError(f"no published figure speaks of {spec.label}; give --expect or --figures")
    return same


def _has_options(spec: ModelSpec, wanted: ModelSpec) -> bool:
    sizes = [
        given is None or own == given
        for own, given in (
            (spec.input_shape[0], wanted.batch),
            (spec.input_shape[-1], wanted.resolution),
        )
    ]
    options = [
        spec.options[key] == value if key in spec.options else value in _DEFAULTS.get(key, (False,))
        for key, value in wanted.options.items()
    ]
    plain = (wanted.mode, wanted.inputs, wanted.inputs_from) == (spec.mode, (), None)
    return plain and all((*sizes, *options))
