"""Costs grow with the number of operations and no faster; memory does not grow with use."""

from itertools import count

import pytest

import mobilenet_profiler as mp
from tests.networks import Decoder, MobileNetV2, make_chain
from tests.scale import STATUS, TOKENS, count_calls, run_alone

needs_linux = pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
MB = 1 << 20


@pytest.mark.parametrize(("length", "step"), [(5_000, 0), (400, 1)], ids=["alike", "different"])
def test_twice_the_layers_make_twice_the_calls(length: int, step: int) -> None:
    starts = count(8, 2_000)  # no shape is met twice
    mp.trace(make_chain(20, next(starts), 1), (1, 8))
    calls = []
    for layers in (length, 2 * length):
        start = next(starts)
        calls.append(count_calls(make_chain(layers, start, step), start))
    assert calls[1] <= 2.1 * calls[0]


@needs_linux
def test_a_decoder_of_70_billion_parameters_takes_seconds_and_little_memory() -> None:
    found = run_alone("decoder")
    layers, width, shared, inner, words = 80, 8192, 8 * 128, 28672, 128256
    matrices = width * (width + 2 * shared + width) + 3 * width * inner
    projections = TOKENS * (layers * matrices + width * words)
    attention = layers * 2 * TOKENS * TOKENS * width
    assert found["macs"] == projections + attention
    assert found["params"] == layers * (matrices + 2 * width) + width + 2 * words * width
    assert found["params"] == 70_553_706_496
    assert found["unknown"] == 0
    assert found["peak"] < 1_500 * MB
    assert found["seconds"] < 30


def test_a_decoder_counts_query_heads_where_keys_are_shared() -> None:
    small = Decoder(layers=2, width=32, heads=4, shared=2, inner=48, vocabulary=10)
    trace = mp.trace(small, "3x7:int64")
    matrices = 32 * (32 + 16 + 16 + 32) + 3 * 32 * 48
    assert trace.total.macs == 3 * 7 * (2 * matrices + 32 * 10) + 3 * 2 * 2 * 7 * 7 * 32
    assert not trace.uncounted


@needs_linux
def test_variants_of_a_network_leave_no_memory_behind() -> None:
    early, late = run_alone("variants", 120, 240)["resident"]
    assert late - early < 6 * MB


def test_variants_of_a_network_leave_no_objects_behind() -> None:
    early, late = run_alone("objects", 25, 50)["allocated"]
    assert late - early < MB / 2


def test_mobilenet_v2_has_its_published_cost() -> None:
    total = mp.trace(MobileNetV2().eval(), (1, 3, 224, 224)).total
    assert (total.params, total.macs) == (3_504_872, 300_774_272)
