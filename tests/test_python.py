"""The package from Python and in a notebook."""

import subprocess
import sys
from pathlib import Path

import pytest

import mobilenet_profiler as mp


def test_trace_is_a_function_before_and_after_its_package_is_imported() -> None:
    statement = (
        "import mobilenet_profiler as mp; a = mp.trace('mobilenet_v1', alpha=0.5).total\n"
        "import mobilenet_profiler.trace.tracer\n"
        "from mobilenet_profiler import trace\n"
        "assert a == mp.trace('mobilenet_v1', alpha=0.5).total == trace(alpha=0.5).total"
    )
    subprocess.run([sys.executable, "-c", statement], check=True)


def test_a_frame_has_a_row_a_layer_and_integer_columns() -> None:
    trace = mp.trace("mobilenet_v1", alpha=0.75, resolution=128)
    frame = trace.frame()
    assert len(frame) == len(trace.layers)
    assert int(frame["macs"].sum()) == trace.total.macs == 106_770_432
    assert str(frame["params"].dtype) == "int64"


def test_a_trace_prints_as_its_table() -> None:
    text = str(mp.trace("mobilenet_v1", alpha=0.75, resolution=128))
    assert "106,770,432" in text
    assert "Conv2d_13.pointwise" in text


def test_a_notebook_gets_an_escaped_table() -> None:
    from dataclasses import replace

    trace = replace(mp.trace("mobilenet_v1", alpha=0.25), label="<b>&")
    html = trace._repr_html_()
    assert html.startswith("<table><caption>&lt;b&gt;&amp;</caption>")
    assert html.count("<tr>") == 1 + 28 + 6 + 1


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tracer_of'"):
        mp.tracer_of  # noqa: B018


def test_every_public_name_exists() -> None:
    assert all(getattr(mp, name) is not None for name in mp.__all__)


def test_costs_add_up_and_refuse_anything_else() -> None:
    assert sum([mp.Cost(1, 2, 3, 4), mp.Cost(10, 20, 30, 40)], mp.Cost()) == mp.Cost(11, 22, 33, 44)
    assert sum([mp.Cost(1)]) == mp.Cost(1)
    with pytest.raises(TypeError):
        mp.Cost() + 1  # type: ignore[operator]


@pytest.mark.parametrize("program", [["cli.py"], ["-m", "mobilenet_profiler"]])
def test_the_shim_and_the_module_are_the_command(program: list[str]) -> None:
    command = [sys.executable, *program, "models"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert "\nmobilenet_v1 " in done.stdout
