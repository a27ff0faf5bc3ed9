"""Sweeps as pandas DataFrames and as Parquet."""

import builtins
import io
from typing import Any

import pandas
import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.cost import Cost
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.frames import encode_parquet
from mobilenet_profiler.grid.axes import make_axis
from tests.sweeps import make_published_sweep, make_sweep


def test_a_frame_has_a_row_a_cell_with_whole_counts() -> None:
    frame = make_published_sweep().frame()
    assert len(frame) == 16
    assert frame["macs"].dtype == "Int64"
    chosen = frame[(frame["alpha"] == 0.5) & (frame["resolution"] == 224)].iloc[0]
    assert (chosen["macs"], chosen["params"], chosen["top1"]) == (149497088, 1331592, 63.3)


def test_unknown_numbers_are_missing_not_zero() -> None:
    axes = (make_axis("resolution", (224, 128)),)
    frame = make_sweep(axes, lambda cell: {"error": "no"}).frame()
    assert frame["macs"].isna().all()
    assert list(frame["error"]) == ["no", "no"]


def test_parquet_holds_the_frame() -> None:
    pytest.importorskip("pyarrow")
    sweep = make_published_sweep()
    found = pandas.read_parquet(io.BytesIO(encode_parquet(sweep)))
    pandas.testing.assert_frame_equal(found, sweep.frame(), check_dtype=False)
    assert found["macs"].sum() == sweep.frame()["macs"].sum()


def test_parquet_writes_lists_and_mixed_values_of_an_axis_as_text() -> None:
    pytest.importorskip("pyarrow")
    axes = (make_axis("layers", ([3, 4], [2, 2])), make_axis("width", (1, "wide", None)))
    sweep = make_sweep(axes, lambda cell: {"cost": Cost(macs=1)}, ("net.py:Net",))
    found = pandas.read_parquet(io.BytesIO(encode_parquet(sweep)))
    assert list(found["layers"][::3]) == ["[3, 4]", "[2, 2]"]
    assert list(found["width"][:2]) == ["1", "wide"]
    assert pandas.isna(found["width"][2])


def test_without_pyarrow_parquet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=r"mobilenet-profiler\[parquet\]"):
        encode_parquet(make_published_sweep())


def test_the_frame_of_a_fit_has_the_cells_within_the_best_first() -> None:
    found = mp.fit(make_published_sweep(), max_macs="150M", max_params="2M", between=False)
    frame = found.frame()
    assert list(frame["top1"]) == sorted(frame["top1"], reverse=True)
    assert (frame["macs"] <= 150_000_000).all()
    assert frame["left_macs"][0] == pytest.approx(1 - 149_497_088 / 150_000_000)
    assert (frame["left_params"] >= 0).all()
    assert mp.fit(make_published_sweep(), max_macs="1M", between=False).frame().empty
