"""Three counters that share no code give one number."""

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.trace.cross_check import cross_check
from tests.oracles import ALPHAS, RESOLUTIONS, read_oracle

PAIRS = {
    (float(row["alpha"]), int(row["resolution"])): row
    for row in read_oracle("mobilenet_v1_16_pairs.csv")
}


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_16_pairs_by_three_counters_and_in_closed_form(alpha: float, resolution: int) -> None:
    spec = mp.make_spec("mobilenet_v1", alpha=alpha, resolution=resolution)
    trace = mp.trace(spec)
    check = cross_check(spec, trace)
    assert check.agrees, check
    row = PAIRS[alpha, resolution]
    assert trace.total.macs == int(row["total_macs"])
    assert trace.total.params == int(row["params"])
    assert trace.total.activations == int(row["activations"])


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("explicit", [False, True])
def test_output_strides_by_three_counters(output_stride: int, explicit: bool) -> None:
    spec = mp.make_spec(
        "mobilenet_v1",
        output_stride=output_stride,
        explicit_padding=explicit,
        global_pool=True,
        resolution=160,
    )
    check = cross_check(spec, mp.trace(spec))
    assert check.agrees, check


@pytest.mark.parametrize("model", ["conv_mobilenet_v1", "shallow_mobilenet_v1"])
def test_the_ablations_by_three_counters(model: str) -> None:
    spec = mp.make_spec(model, alpha=0.25, resolution=96)
    check = cross_check(spec, mp.trace(spec))
    assert check.agrees, check
