"""What a notebook shows: every result as a table, and the notebook of `examples/`."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.render.plot.style import Drawing
from tests.profiles import make_profile
from tests.sweeps import make_published_sweep, make_sweep

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "tradeoff.ipynb"


@cache
def trace() -> mp.Trace:
    return mp.trace("mobilenet_v1", alpha=0.25)


SHOWN: dict[str, Callable[[], Any]] = {
    "Trace": trace,
    "Profile": make_profile,
    "ModelComparison": lambda: mp.compare(trace(), trace()),
    "ProfileComparison": lambda: mp.compare_profiles(make_profile(), make_profile()),
    "Verification": lambda: mp.verify("mobilenet_v1", alpha=0.25, expect={"macs": "41M"}),
    "BudgetCheck": lambda: mp.check(trace(), max_macs="50M"),
    "Count": lambda: trace().count("thop"),
    "MemoryUse": lambda: mp.predict_memory("mobilenet_v1", alpha=0.25),
    "LatencyLimit": lambda: mp.LatencyLimit(Estimate(9e6, 8e6, 11e6, 20), 10**7),
    "Sweep": make_published_sweep,
    "Fit": lambda: mp.fit(make_published_sweep(), max_macs="150M", between=False),
}


@pytest.mark.parametrize("name", SHOWN)
def test_every_result_shows_itself_as_a_table(name: str) -> None:
    result = SHOWN[name]()
    assert type(result).__name__ == name
    html = result._repr_html_()
    assert "<table>" in html
    assert html.count("<table>") == html.count("</table>")
    assert html.count("<tr>") == html.count("</tr>") > 1
    text = str(result)
    assert not text.startswith(f"{name}(")
    assert max(map(len, text.splitlines())) <= 100


def test_a_count_adds_up_in_its_table() -> None:
    count = trace().count("fvcore")
    text = str(count)
    assert count.total == sum(count.items.values())
    assert f"{count.total:,}" in text
    assert f"{count.params:,} params." in text
    assert "<table>" not in trace().count("keras")._repr_html_()  # of params alone


def test_the_parts_of_memory_add_up_to_its_peak() -> None:
    use = mp.predict_memory("mobilenet_v1", alpha=0.25, training=True, optimizer="sgd")
    (table,) = re.findall(r"memory +size +bytes\n─+\n(.*?)\n\n", str(use), re.DOTALL)
    rows = [re.split(r" {2,}", line) for line in table.splitlines()]
    sizes = {name: int(number.replace(",", "")) for name, _, number in rows}
    peak = sizes.pop("peak")
    assert peak == use.peak == sum(sizes.values())


def test_texts_of_a_users_own_are_escaped() -> None:
    sweep = make_sweep((), lambda cell: {"error": "<i>"}, ("net.py:<script>", "net.py:b"))
    use = replace(mp.predict_memory("mobilenet_v1", alpha=0.25), notes=("<script>",))
    for html in (sweep._repr_html_(), use._repr_html_()):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


def test_ipython_shows_the_table_instead_of_the_repr() -> None:
    written: list[str] = []

    class Printer:
        text = written.append

    fit = mp.fit(make_published_sweep(), max_macs="150M", between=False)
    for result in (make_published_sweep(), fit):
        result._repr_pretty_(Printer(), False)
    assert "alpha down, resolution across" in written[0]
    assert "Best: mobilenet_v1 alpha=0.5" in written[1]


def test_figures_show_as_pictures() -> None:
    sweep = make_published_sweep()
    for figure in (sweep.plot.tradeoff(), sweep.plot.heatmap("macs", theme="dark")):
        assert isinstance(figure, Drawing)
        assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(mp.UsageError, match="unknown theme 'drak'"):
        sweep.plot.tradeoff(theme="drak")


def test_an_axis_of_lists_shows_as_lists() -> None:
    sweep = make_sweep((make_axis("layers", ([3, 4], [2, 2])),), lambda cell: {}, ("net.py:N",))
    assert "[3, 4]" in str(sweep)


def list_texts(notebook: Any) -> list[list[tuple[str, str]]]:
    """What each cell shows as text: tables and values, no pictures."""
    return [
        [
            (kind, "".join(text))
            for output in cell.get("outputs", ())
            if "image/png" not in output.get("data", {})
            for kind, text in sorted(output.get("data", {}).items())
            if kind in ("text/plain", "text/html")
        ]
        for cell in notebook["cells"]
    ]


def test_the_notebook_runs_and_shows_what_is_kept_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient runs the notebook")
    nbformat = pytest.importorskip("nbformat", reason="nbformat reads the notebook")
    pytest.importorskip("ipykernel", reason="ipykernel runs the notebook")
    monkeypatch.setenv("PYTHONPATH", str(Path(mp.__file__).parents[1]))
    kept = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute()
    assert list_texts(notebook) == list_texts(kept)
    assert sum("assert" in "".join(cell["source"]) for cell in kept["cells"]) >= 6
    pictures = [
        output
        for cell in kept["cells"]
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2
    assert NOTEBOOK.stat().st_size < 400_000
