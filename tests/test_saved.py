"""What was written is read back whole, and a file that is not so is one line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, linalg, nn

import mobilenet_profiler as mp
from mobilenet_profiler.render.json import render_json
from mobilenet_profiler.rows import GROUPINGS, make_rows
from mobilenet_profiler.trace.lifetimes import predict_memory


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = linalg.svdvals(x)
        return values


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.embedding(ids))
        return logits


MAKERS: dict[str, Callable[[], mp.Trace]] = {
    "zoo": lambda: mp.trace("mobilenet_v1"),
    "options": lambda: mp.trace("mobilenet_v1", alpha=0.75, resolution=128, mode="train"),
    "rows": lambda: mp.trace("mobilenet_v1", rows=(("Conv", (3, 3), 2, 8),), global_pool=True),
    "backward": lambda: mp.trace("mobilenet_v1", alpha=0.25, backward=True),
    "lstm": lambda: mp.trace(nn.LSTM(4, 5), (7, 2, 4)),
    "tied": lambda: mp.trace(Tied(), "2x3:int64", keywords={"mask": "2x3:bool"}),
    "uncounted": lambda: mp.trace(Unknown(), (4, 4)),
    "thop": lambda: mp.trace("mobilenet_v1", explicit_padding=True).convert("thop"),
    "flops": lambda: mp.trace("mobilenet_v1").convert("flop_counter"),
    "params alone": lambda: mp.trace("mobilenet_v1").convert("keras"),
}


def trace_memory(training: bool = False) -> mp.Trace:
    trace = mp.trace("mobilenet_v1", alpha=0.25, resolution=128)
    memory = predict_memory("mobilenet_v1", alpha=0.25, resolution=128, training=training)
    return replace(trace, memory=memory)


def save(trace: mp.Trace, folder: Path) -> Path:
    file = folder / "saved.json"
    file.write_text(render_json(trace), encoding="utf-8")
    return file


@pytest.mark.parametrize("maker", MAKERS)
def test_a_trace_comes_back_with_its_layers_and_everything_shown_of_it(
    maker: str, tmp_path: Path
) -> None:
    trace = MAKERS[maker]()
    read = mp.read_trace(save(trace, tmp_path))
    assert (read.label, read.spec, read.total) == (trace.label, trace.spec, trace.total)
    assert (read.uncounted, read.notes) == (trace.uncounted, trace.notes)
    assert (read.backward, read.convention) == (trace.backward, trace.convention)
    assert [layer.path for layer in read.counted] == [layer.path for layer in trace.counted]
    for by in GROUPINGS:
        assert make_rows(read, by=by, every=True) == make_rows(trace, by=by, every=True)
    assert str(read) == str(trace)
    assert render_json(read) == render_json(trace)


@given(
    st.sampled_from([0.25, 0.5, 1.0]),
    st.integers(32, 64),
    st.sampled_from(["macs", "thop", "timm"]),
)
def test_any_variant_comes_back(alpha: float, size: int, convention: str) -> None:
    import tempfile

    trace = mp.trace("mobilenet_v1", alpha=alpha, resolution=size, global_pool=True)
    with tempfile.TemporaryDirectory() as folder:
        read = mp.read_trace(save(trace.convert(convention), Path(folder)))
    assert make_rows(read) == make_rows(trace.convert(convention))


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(data: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        place: Any = data
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if value is ...:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value

    return apply


WRONG = [
    (change("schema_version", 2), "schema_version must be 1, given 2"),
    (change("schema_version", "1"), "'schema_version' of the file must be a whole number"),
    (change("schema_version", ...), "the file has no 'schema_version'"),
    (change("schema_version", True), "must be a whole number, given True"),
    (change("layers", ...), "the file has no 'layers'"),
    (change("layers", {}), "'layers' of the file must be a list"),
    (change("layers.0", 3), "layer 0 must be {…}, given 3"),
    (change("layers.1.macs", 1.5), "'macs' of layer 1 must be a whole number, given 1.5"),
    (change("layers.1.macs", ...), "layer 1 has no 'macs'"),
    (change("layers.1.path", "Conv2d_0.conv"), "two of its layers have one path"),
    (change("layers.0.macs", 1), "its layers do not add up to its total"),
    (change("layers.0.input_shape", [1, "3"]), "'input_shape' of layer 0 must be a list of whole"),
    (change("layers.0.stride", ...), "layer 0 has no 'stride'"),
    (change("layers.0.weight_shape", 3), "'weight_shape' of layer 0 must be a list"),
    (change("layers.0.kind", None), "'kind' of layer 0 must be a text, given None"),
    (change("total", 3), "'total' of the file must be {…}"),
    (change("total.params", "many"), "'params' of total must be a whole number"),
    (change("convention.name", "thopp"), "did you mean 'thop'"),
    (change("convention.name", "flop_counter"), "layer 0 has no 'flops'"),
    (change("convention", None), "'convention' of the file must be {…}"),
    (change("spec.options", []), "'options' of spec must be {…}"),
    (change("spec.arguments", [3]), "'arguments' of spec must be a list of texts"),
    (change("spec.name", ...), "spec has no 'name'"),
    (change("notes", [1]), "'notes' of the file must be a list of texts"),
    (change("uncounted", [{}]), "uncounted has no 'path'"),
    (change("backward", 0), "'backward' of the file must be true or false"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_a_malformed_file_is_one_line_that_names_it_and_what_is_wrong(
    spoil: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    data = json.loads(render_json(mp.trace("mobilenet_v1", alpha=0.25)))
    spoil(data)
    check_refused(json.dumps(data), message, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "the file must be {…}, given []"),
        ("3", "the file must be {…}, given 3"),
        ("[" * 100_000, "is not JSON"),
        ('{"schema_version": ' + "9" * 5_000 + "}", "is not JSON"),
        ("layer,kind\n", "is not JSON"),
    ],
)
def test_a_file_of_something_else_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    check_refused(content, message, tmp_path)


def check_refused(content: str, message: str, folder: Path) -> None:
    from mobilenet_profiler.cli import run

    file = folder / "spoilt.json"
    file.write_text(content)
    with pytest.raises(mp.UsageError) as error:
        mp.read_trace(file)
    assert str(file) in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert run(["check", "--baseline", str(file)]) == 2


def test_a_file_that_is_not_there_or_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(mp.UsageError, match=r"cannot read '.*': No such file"):
        mp.read_trace(tmp_path / "missing.json")
    with pytest.raises(mp.UsageError, match=r"cannot read '.*': Is a directory"):
        mp.read_trace(tmp_path)
    file = tmp_path / "bytes.json"
    file.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(mp.UsageError, match="is not JSON"):
        mp.read_trace(file)


def test_reading_a_trace_imports_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    file = save(mp.trace("mobilenet_v1"), tmp_path)
    code = (
        f"import mobilenet_profiler as mp; t = mp.read_trace({str(file)!r})\n"
        "print(mp.compare(t, t)); print(mp.check(t, max_macs='1G'))\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_saved_trace_is_not_counted_as_nothing(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    file.write_text(render_json(mp.trace("mobilenet_v1")), encoding="utf-8")
    trace = mp.read_trace(file)
    assert trace.convert("macs") is trace
    for use in (trace.count, trace.convert):
        with pytest.raises(mp.UsageError, match="trace it again"):
            use("fvcore")


@pytest.mark.parametrize("training", [False, True])
def test_memory_comes_back_operation_by_operation(training: bool, tmp_path: Path) -> None:
    trace = trace_memory(training)
    again = mp.read_trace(save(trace, tmp_path)).memory
    assert again == trace.memory
    assert trace.memory is not None
    assert again is not None
    assert again.live == trace.memory.live


def test_a_file_with_the_figures_of_memory_alone_is_read_without_it(tmp_path: Path) -> None:
    file = save(trace_memory(), tmp_path)
    data = json.loads(file.read_text())
    del data["memory"]["steps"]
    file.write_text(json.dumps(data))
    assert mp.read_trace(file).memory is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda memory: memory["tensors"][0].update(bytes=10**9), "do not add up"),
        (lambda memory: memory["tensors"][0].update(freed=9999), "lives from step 0 to 9999"),
        (lambda memory: memory["tensors"][0].update(shape=None), "'shape' of a tensor"),
        (lambda memory: memory["steps"][0].update(workspace=-1), "0 or more"),
        (lambda memory: memory.update(steps=7), "'steps' of memory must be a list"),
    ],
)
def test_memory_that_cannot_be_is_one_line(
    change: Callable[[dict[str, Any]], None], words: str, tmp_path: Path
) -> None:
    file = save(trace_memory(), tmp_path)
    data = json.loads(file.read_text())
    change(data["memory"])
    file.write_text(json.dumps(data))
    with pytest.raises(mp.UsageError, match=words) as error:
        mp.read_trace(file)
    assert "\n" not in str(error.value)
