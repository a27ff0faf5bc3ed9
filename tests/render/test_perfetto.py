"""Trace events: the form that the Trace Event Format asks for, and spans that nest."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mobilenet_profiler.measured.profile import Profile, Span
from mobilenet_profiler.render.perfetto import render_trace_events
from tests.profiles import make_profile


def read(profile: Profile) -> list[dict[str, Any]]:
    data = json.loads(render_trace_events(profile))
    assert data["displayTimeUnit"] == "ms"
    events: list[dict[str, Any]] = data["traceEvents"]
    return events


def take_spans(profile: Profile) -> list[dict[str, Any]]:
    return [event for event in read(profile) if event["ph"] == "X"]


@pytest.mark.parametrize("training", [False, True])
def test_every_event_has_what_the_format_asks_for(training: bool) -> None:
    profile = make_profile(training=training)
    for event in read(profile):
        assert event["ph"] in ("X", "M")
        assert isinstance(event["name"], str)
        assert {type(event["pid"]), type(event["tid"])} == {int}
        assert isinstance(event["args"], dict)
        if event["ph"] == "X":
            assert isinstance(event["ts"], float)
            assert isinstance(event["dur"], float)
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert isinstance(event["cat"], str)


def test_the_process_and_its_thread_are_named() -> None:
    profile = make_profile()
    names = {e["name"]: e["args"]["name"] for e in read(profile) if e["ph"] == "M"}
    assert names == {"process_name": profile.trace.label, "thread_name": "cpu"}


def test_times_are_microseconds_to_the_nanosecond() -> None:
    profile = make_profile()
    spans = {(round(e["ts"] * 1000), round(e["dur"] * 1000)) for e in take_spans(profile)}
    assert {(span.start, span.duration) for span in profile.timeline} <= spans


@pytest.mark.parametrize("training", [False, True])
def test_spans_nest_in_the_order_in_which_they_begin(training: bool) -> None:
    profile = make_profile(training=training)
    events = take_spans(profile)
    open_: list[tuple[int, int]] = []
    deepest = 0
    for event in events:
        start = round(event["ts"] * 1000)
        end = start + round(event["dur"] * 1000)
        while open_ and open_[-1][1] <= start:
            open_.pop()
        assert all(begun <= start and end <= ended for begun, ended in open_)
        open_.append((start, end))
        deepest = max(deepest, len(open_))
    assert deepest == 3  # the pass, a phase, a layer
    assert [event["name"] for event in events[:2]] == ["pass", "forward"]
    phases = [event["name"] for event in events if event["cat"] == "phase"]
    assert phases == list(profile.phases)
    assert len(events) == 1 + len(profile.phases) + len(profile.layers)


def test_a_layer_inside_another_is_inside_its_span() -> None:
    timeline = (
        Span("", "forward", 0, 1_000),
        Span("features.0", "forward", 200, 300, 2),
        Span("features", "forward", 100, 700, 1),
    )
    events = take_spans(replace(make_profile(), timeline=timeline))
    assert [event["name"] for event in events] == ["pass", "forward", "features", "features.0"]


def test_a_span_says_what_the_layer_does_and_how_fast() -> None:
    profile = make_profile()
    event = next(e for e in take_spans(profile) if e["name"] == "Conv2d_1.pointwise.conv")
    samples = next(own for own in profile.layers if own.path == event["name"]).samples
    assert event["args"] == {
        "path": "Conv2d_1.pointwise.conv",
        "phase": "forward",
        "kind": "pointwise 1x1",
        "input": [1, 8, 64, 64],
        "output": [1, 16, 64, 64],
        "weight": [16, 8, 1, 1],
        "calls": 1,
        "MACs": 64 * 64 * 8 * 16,
        "params": 8 * 16,
        "bytes moved": 4 * (64 * 64 * 8 + 64 * 64 * 16 + 8 * 16),
        "GMAC/s": round(64 * 64 * 8 * 16 / samples[0], 2),
    }


def test_no_speed_is_said_of_a_backward_pass_or_of_one_call_of_several() -> None:
    profile = make_profile(training=True)
    backward = [e for e in take_spans(profile) if e["cat"] == "backward"]
    assert backward
    assert not any("GMAC/s" in event["args"] for event in backward)
    layers = tuple(replace(layer, calls=2) for layer in profile.trace.layers)
    twice = replace(profile, trace=replace(profile.trace, layers=layers))
    assert not any("GMAC/s" in event["args"] for event in take_spans(twice))


def test_a_profile_without_a_timeline_has_no_spans() -> None:
    assert take_spans(replace(make_profile(), timeline=())) == []
