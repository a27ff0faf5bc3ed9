"""`table` shows what a pass needs of memory, in every format that has room for it."""

import csv
import io
import json

import pytest
import torch

import mobilenet_profiler as mp
from mobilenet_profiler.cli import run
from mobilenet_profiler.units import format_bytes


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["table", "--alpha", "0.5", "--resolution", "128", *arguments])
    captured = capsys.readouterr()
    return code, captured.out.replace("\u00a0", " "), captured.err


@pytest.fixture(scope="module")
def use() -> mp.MemoryUse:
    return mp.predict_memory("mobilenet_v1", alpha=0.5, resolution=128)


def find_line(text: str, start: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(start))


def test_the_total_is_the_peak_of_the_network_and_no_sum(
    capsys: pytest.CaptureFixture[str], use: mp.MemoryUse
) -> None:
    code, out, _ = call(capsys, "--columns", "layer,memory,allocated")
    allocated = sum(tensor.bytes for tensor in use.tensors)
    assert code == 0
    assert find_line(out, "total") == [
        "total", *format_bytes(use.activations).split(), *format_bytes(allocated).split()
    ]  # fmt: skip
    assert use.activations < allocated


def test_rows_gathered_by_kind_show_the_greatest_peak_of_their_layers(
    capsys: pytest.CaptureFixture[str], use: mp.MemoryUse
) -> None:
    _, out, _ = call(capsys, "--by", "kind", "--columns", "layer,memory")
    norms = [layer.peak for path, layer in use.layers.items() if path.endswith(".norm")]
    assert find_line(out, "batch norm x27")[3:] == format_bytes(max(norms)).split()


def test_a_line_after_the_table_says_where_the_peak_is(
    capsys: pytest.CaptureFixture[str], use: mp.MemoryUse
) -> None:
    _, out, _ = call(capsys, "--columns", "layer,memory")
    text = " ".join(out.split())
    assert f"Peak memory: {format_bytes(use.activations)} in native_batch_norm of Conv2d_" in text
    assert f"weights {format_bytes(use.weights)}, inputs 192.00 KiB" in text


def test_nothing_runs_on_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a kernel ran")

    monkeypatch.setattr(torch.Tensor, "normal_", refuse)
    monkeypatch.setattr("mobilenet_profiler.trace.tracer.fill_tensor", refuse)
    assert call(capsys, "--columns", "memory")[0] == 0


def test_csv_has_whole_bytes(capsys: pytest.CaptureFixture[str], use: mp.MemoryUse) -> None:
    _, out, _ = call(capsys, "--format", "csv", "--memory")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert max(int(row["memory"]) for row in rows if row["memory"]) == use.activations
    assert sum(int(row["allocated"] or 0) for row in rows) == sum(t.bytes for t in use.tensors)
    assert "memory" not in call(capsys, "--format", "csv")[1]
    _, chosen, _ = call(capsys, "--format", "csv", "--columns", "layer,memory")
    assert chosen.splitlines()[0] == "layer,memory"


def test_json_has_the_figures_the_layers_and_what_is_held(
    capsys: pytest.CaptureFixture[str], use: mp.MemoryUse
) -> None:
    _, out, _ = call(capsys, "--format", "json", "--memory")
    memory = json.loads(out)["memory"]
    assert memory["predicted_peak"] == use.peak
    assert memory["activations_at_peak"] == use.activations
    assert memory["peak_at"]["name"] == "aten::native_batch_norm"
    assert sum(tensor["bytes"] for tensor in memory["held"]) == use.activations
    assert memory["layers"].keys() == use.layers.keys()
    assert "memory" not in json.loads(call(capsys, "--format", "json")[1])


@pytest.mark.parametrize("format", ["markdown", "latex"])
def test_other_formats_show_the_columns_and_the_line(
    capsys: pytest.CaptureFixture[str], use: mp.MemoryUse, format: str
) -> None:
    _, out, _ = call(capsys, "--format", format, "--columns", "layer,memory")
    assert "peak memory" in out
    assert f"Peak memory: {format_bytes(use.activations)} in native" in out.replace("\\", "")


@pytest.mark.parametrize("format", ["slim", "paper"])
def test_a_format_without_room_for_it_refuses(
    capsys: pytest.CaptureFixture[str], format: str
) -> None:
    code, out, err = call(capsys, "--format", format, "--memory")
    assert (code, out) == (2, "")
    assert f"--memory does not apply to format '{format}'; it does to: table, markdown" in err


def test_layers_are_sorted_by_what_is_held_while_they_run(
    capsys: pytest.CaptureFixture[str], use: mp.MemoryUse
) -> None:
    _, out, _ = call(capsys, "--format", "csv", "--sort", "memory", "--columns", "layer,memory")
    peaks = [int(row["memory"] or 0) for row in csv.DictReader(io.StringIO(out))]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[0] == use.activations


def test_with_the_backward_pass_it_is_a_step_with_its_gradients(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capsys, "--columns", "layer,memory", "--backward", "--train")
    step = mp.predict_memory("mobilenet_v1", alpha=0.5, resolution=128, training=True)
    assert find_line(out, "total")[1:] == format_bytes(step.activations).split()
    gradients = sum(tensor.bytes for tensor in step.held if tensor.gradient)
    assert f"gradients {format_bytes(gradients)}" in " ".join(out.split())


def test_without_memory_a_table_is_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys)
    assert "memory" not in out
    assert "relu6 x27, avg pool, dropout, flatten, softmax" in " ".join(out.split())


def test_a_frame_has_the_bytes_of_each_layer(use: mp.MemoryUse) -> None:
    from dataclasses import replace

    trace = mp.trace("mobilenet_v1", alpha=0.5, resolution=128)
    assert "memory" not in trace.frame().columns
    frame = replace(trace, memory=use).frame()
    assert frame.memory.max() == use.activations
    assert frame.allocated.sum() == sum(tensor.bytes for tensor in use.tensors)
    assert frame.memory.dtype == "int64"
    assert "peak memory" in replace(trace, memory=use)._repr_html_()
