"""A profile that was saved is read back whole; a file that is none is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.measured.profile import (
    Contention,
    EmptyCosts,
    LayerWork,
    Pass,
    Profile,
    Span,
)
from mobilenet_profiler.measured.saved import make_profiles, read_profile, read_profiles
from mobilenet_profiler.render.json import render_json
from mobilenet_profiler.render.profile_json import render_profile, render_profiles
from mobilenet_profiler.saved import read_trace
from tests.measured.building import any_profile, build_profile, trace_small
from tests.test_saved import change


@given(any_profile())
def test_whatever_was_measured_is_read_back_whole(profile: Profile) -> None:
    (read,) = make_profiles(json.loads(render_profile(profile)))
    assert read == profile
    assert render_profile(read) == render_profile(profile)


def test_every_field_of_a_profile_is_in_its_file() -> None:
    data = json.loads(render_profile(build_profile()))
    assert {field.name for field in fields(Profile)} == data.keys() - {"schema_version", "kind"}


def save(text: str, folder: Path) -> Path:
    file = folder / "saved.json"
    file.write_text(text, encoding="utf-8")
    return file


def test_one_batch_is_a_profile_and_several_are_a_list_of_them(tmp_path: Path) -> None:
    profiles = [build_profile(setup={"batch": batch}) for batch in (1, 8, 32)]
    one = save(render_profiles(profiles[:1]), tmp_path)
    assert read_profiles(one) == tuple(profiles[:1]) == (read_profile(one),)
    several = save(render_profiles(profiles), tmp_path)
    assert read_profiles(several) == tuple(profiles)
    with pytest.raises(UsageError, match=r"holds 3 profiles, of batches 1, 8, 32; one is needed"):
        read_profile(several)


def test_a_file_has_a_line_a_record_and_no_spaces_among_samples() -> None:
    profile = build_profile(
        clean=range(10**6, 10**6 + 300),
        layers={"Conv2d_0.conv": range(10**5, 10**5 + 300), "logits.conv": range(300)},
    )
    text = render_profile(profile)
    longest = max(text.splitlines(), key=len)
    assert "1000299" in longest
    layers = [line for line in text.splitlines() if '"samples"' in line]
    assert len(layers) == 2
    assert json.loads(layers[0].rstrip(","))["samples"][-1] == 10**5 + 299
    # A sample takes its digits, a comma and a space; the rest is the trace.
    numbers = 600 * (7 + 2) + 300 * (6 + 2) + 300 * (3 + 2) + 600 * (6 + 2) * 2
    assert len(text) < numbers + 2 * len(render_json(profile.trace))


FULL = build_profile(
    trace_small(),
    clean=[100, 200, 300],
    layers={("Conv2d_0.conv", "forward"): [5, 6], ("Conv2d_0.conv", "backward"): [7, 8]},
    phases=("forward", "backward"),
    empty=EmptyCosts((1.5, 2.0), (3.0, 4.0)),
    work={"Conv2d_0.conv": LayerWork(1, 2, 3, 4)},
    timeline=(Span("", "forward", 0, 10), Span("Conv2d_0.conv", "forward", 1, 5, 1)),
    contention=Contention(wall=5, cpu=5, steal=0.25),
    eager=(Pass((1, 2), 3),),
    memory={"weights": 5},
    notes=("a note",),
)

WRONG = [
    (change("schema_version", 2), "schema_version must be 1, given 2"),
    (change("schema_version", ...), "the file has no 'schema_version'; `profile --save` writes it"),
    (change("kind", "profles"), "holds no profile; `profile --save FILE.json` writes one"),
    (change("kind", ...), "holds no profile"),
    (change("kind", "profiles"), "the file has no 'profiles'"),
    (change("kind", ["profile"]), "holds no profile"),
    (change("trace", 3), "'trace' of the file must be {…}, given 3"),
    (change("trace.layers.0.macs", 1), "its layers do not add up to its total"),
    (change("trace.schema_version", 9), "schema_version must be 1, given 9"),
    (change("setup.threads", "2"), "'threads' of setup must be a whole number, given '2'"),
    (change("setup.threads", -2), "'threads' of setup must be 0 or more, given -2"),
    (change("setup.batch", ...), "setup has no 'batch'"),
    (change("setup.batch", 1.5), "'batch' of setup must be a whole number, given 1.5"),
    (change("setup.compiled", 0), "'compiled' of setup must be true or false"),
    (change("setup.mode", "trian"), "unknown 'mode' of setup 'trian' (did you mean 'train'?)"),
    (change("environment", []), "'environment' of the file must be {…}, given []"),
    (change("phases", []), "'phases' of the file must be names, each once, given ()"),
    (change("phases", ...), "'phases' of the file must be names"),
    (change("phases", ["forward", "forward"]), "must be names, each once"),
    (change("phases", ["forward"]), "'phases' of clean must be those of the file"),
    (change("clean.wall", [1, 2]), "clean has 2 passes by 'wall' and 3 by 'forward'"),
    (change("clean.wall", ...), "clean has no 'wall'"),
    (change("clean.wall.0", True), "'wall' of clean must be a list of whole numbers"),
    (change("clean.phases.backward.1", 0.5), "'backward' of 'phases' of clean must be a list of"),
    (change("clean.phases.backward", [1]), "clean has 3 passes by 'wall' and 1 by 'backward'"),
    (
        change("clean", {"wall": [], "phases": {"forward": [], "backward": []}}),
        "it has no clean pass, or no instrumented one",
    ),
    (change("clean.wall.0", -5), "a pass of it took less than no time"),
    (change("environment.cpu", "fast"), "'cpu' of environment must be {…} or null"),
    (change("eager.wall", [1, 2]), "eager has 2 passes by 'wall' and 1 by 'forward'"),
    (
        change("layers.0.samples", [5]),
        "layer 'Conv2d_0.conv' has 1 samples in 'forward', for 2 instrumented passes",
    ),
    (change("layers.0.samples.0", 10**30), "'samples' of layer 0 must be a list of whole numbers"),
    (change("layers.0.phase", "backward"), "layer 'Conv2d_0.conv' stands twice in 'backward'"),
    (change("layers.1.phase", "backwards"), "did you mean 'backward'"),
    (change("layers.0.calls", None), "'calls' of layer 0 must be a whole number, given None"),
    (change("layers.0", 3), "layer 0 must be {…}, given 3"),
    (change("work.Conv2d_0", 3), "work of 'Conv2d_0' must be {…}, given 3"),
    (change("empty.inside.0", "1"), "'inside' of empty must be a list of numbers"),
    (change("empty.outside", ...), "empty has no 'outside'"),
    (change("empty.busy_backward_inside", ...), "empty has no 'busy_backward_inside'"),
    (change("timeline.0.phase", "loss"), "unknown phase of '' 'loss'"),
    (change("timeline.0.start", -1), "'start' of span 0 must be 0 or more"),
    (change("contention.steal", "much"), "'steal' of contention must be a whole number"),
    (change("contention.cores", None), "'cores' of contention must be a whole number"),
    (change("memory.weights", -1), "'weights' of memory must be 0 or more"),
    (change("graph", [0.5]), "'graph' of the file must be a list of whole numbers"),
    (change("settled", None), "'settled' of the file must be true or false"),
    (change("notes", [1]), "'notes' of the file must be a list of texts"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_a_spoilt_file_is_one_line_that_names_it_and_what_is_wrong(
    spoil: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    data = json.loads(render_profile(FULL))
    spoil(data)
    check_refused(json.dumps(data), message, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("[]", "the file must be {…}, given []"),
        ('{"a": NaN}', "is not JSON: it has no number NaN"),
        ('{"schema_version": 1, "kind": "profiles", "profiles": []}', "is empty"),
        ('{"schema_version": 1, "kind": "profiles", "profiles": [3]}', "must be {…}, given 3"),
        ('{"name": "package"}', "the file has no 'schema_version'; `profile --save` writes it"),
    ],
)
def test_a_file_of_something_else_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    check_refused(content, message, tmp_path)


def check_refused(content: str, message: str, folder: Path) -> None:
    file = save(content, folder)
    with pytest.raises(UsageError) as error:
        read_profile(file)
    assert str(file) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_kernels_are_of_as_many_passes_in_every_layer(tmp_path: Path) -> None:
    data = json.loads(render_profile(FULL))
    data["layers"][0]["kernels"], data["layers"][1]["kernels"] = [1, 2, 3, 4, 5], [1, 2]
    message = "'kernels' of its layers are of 2 passes and of 5"
    check_refused(json.dumps(data), message, tmp_path)


def test_a_trace_and_a_profile_are_not_taken_for_each_other(tmp_path: Path) -> None:
    trace = save(render_json(trace_small()), tmp_path)
    with pytest.raises(
        UsageError, match=r"holds a trace, not a profile; `profile --save FILE\.json`"
    ):
        read_profile(trace)
    profile = save(render_profile(FULL), tmp_path)
    with pytest.raises(UsageError, match="holds a profile, not a trace; `table --format json`"):
        read_trace(profile)


def test_what_a_trace_knows_of_operations_is_not_saved() -> None:
    import mobilenet_profiler as mp

    whole = mp.trace("squeezenet1_1", resolution=64)
    profile = replace(FULL, trace=whole)
    (read,) = make_profiles(json.loads(render_profile(profile)))
    assert read.trace.ops == ()
    assert read == replace(profile, trace=replace(whole, ops=(), modules={}))
