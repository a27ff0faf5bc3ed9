"""`plot` and `--plot`: which picture of which file, and what is refused before any work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mobilenet_profiler.cli import run
from mobilenet_profiler.cli.plot import KINDS, THEMES, WIDTHS
from mobilenet_profiler.measured.kept import encode_ceiling
from mobilenet_profiler.render.json import render_json
from mobilenet_profiler.render.plot import style
from mobilenet_profiler.render.profile_json import render_profile
from mobilenet_profiler.render.sweep import render_csv
from mobilenet_profiler.render.sweep_json import render_sweep
from mobilenet_profiler.trace.lifetimes import predict_memory
from tests.profiles import make_ceiling, make_profile, trace_small
from tests.sweeps import make_published_sweep

BEGINNINGS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a saved sweep, profile, trace and ceiling."""
    memory = predict_memory("mobilenet_v1", alpha=0.25, resolution=128)
    texts = {
        "sweep.json": render_sweep(make_published_sweep()),
        "sweep.csv": render_csv(make_published_sweep()),
        "profile.json": render_profile(make_profile()),
        "trace.json": render_json(replace(trace_small(), memory=memory)),
        "bare.json": render_json(trace_small()),
        "ceiling.json": encode_ceiling(make_ceiling()),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def draw(files: Path, *arguments: str, suffix: str = ".png") -> bytes:
    """The bytes of the picture."""
    target = files / f"picture{suffix}"
    given = [str(files / text) if (files / text).is_file() else text for text in arguments]
    assert run(["plot", *given, "-o", str(target)]) == 0
    return target.read_bytes()


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["plot", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("tradeoff", "sweep.json"),
        ("tradeoff", "sweep.csv", "--x", "params", "--no-references"),
        ("tradeoff", "sweep.json", "--x", "latency", "--colour", "alpha", "--marker", ""),
        ("heatmap", "sweep.json", "--quantity", "latency", "--down", "resolution"),
        ("depth", "profile.json", "--quantity", "macs,time"),
        ("depth", "trace.json"),
        ("residuals", "profile.json"),
        ("residuals", "sweep.json"),
        ("residuals", "sweep.csv"),
        ("roofline", "profile.json", "--ceiling", "ceiling.json"),
        ("memory", "trace.json"),
        ("compare", "profile.json", "profile.json"),
        ("compare", "trace.json", "bare.json", "--quantity", "params"),
    ],
    ids=" ".join,
)
def test_a_saved_file_is_drawn(arguments: tuple[str, ...], files: Path) -> None:
    assert draw(files, *arguments).startswith(BEGINNINGS[".png"])


@pytest.mark.parametrize("suffix", BEGINNINGS)
def test_the_name_of_the_file_says_the_format(suffix: str, files: Path) -> None:
    first = draw(files, "heatmap", "sweep.json", suffix=suffix)
    assert first.startswith(BEGINNINGS[suffix])
    assert draw(files, "heatmap", "sweep.json", suffix=suffix) == first


def test_every_theme_and_width_is_another_picture(files: Path) -> None:
    pictures = {
        draw(files, "heatmap", "sweep.json", "--theme", theme, "--width", width)
        for theme in THEMES
        for width in WIDTHS
    }
    assert len(pictures) == 4
    assert tuple(style.THEMES) == THEMES
    assert tuple(style.WIDTHS) == WIDTHS


@pytest.mark.parametrize(
    "arguments",
    [
        ("depth", "mobilenet_v1 alpha=0.25 resolution=128", "--convention", "fvcore"),
        ("memory", "mobilenet_v1 alpha=0.25 resolution=128"),
        ("compare", "mobilenet_v1 alpha=0.25", "mobilenet_v1 alpha=0.5"),
        ("tradeoff",),
        ("heatmap", "mobilenet_v1", "--quantity", "params"),
    ],
    ids=" ".join,
)
def test_networks_are_counted_and_drawn(arguments: tuple[str, ...], files: Path) -> None:
    assert draw(files, *arguments, suffix=".svg").startswith(BEGINNINGS[".svg"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("deepth",), "unknown kind of plot 'deepth' (did you mean 'depth'?)"),
        (("depth", "--x", "macs"), "--x does not apply to plot 'depth'; it does to: tradeoff"),
        (("memory", "--convention", "thop"), "--convention does not apply to plot 'memory'"),
        (("depth", "--theme", "drak"), "unknown theme 'drak' (did you mean 'dark'?)"),
        (("depth", "--width", "pag"), "unknown width 'pag' (did you mean 'page'?)"),
        (("tradeoff", "--x", "latency"), "a plot measures nothing"),
        (("residuals",), "give one profile or sweep with times, given 0"),
        (("residuals", "mobilenet_v1"), "'mobilenet_v1' is no profile"),
        (("roofline", "mobilenet_v1"), "'mobilenet_v1' is no profile"),
        (("depth", "grid.csv"), "'grid.csv' is a sweep; give a model, or a file of a trace"),
        (("memory", "grid.jsonl"), "'grid.jsonl' is a sweep"),
        (("roofline", "grid.csv"), "'grid.csv' is a sweep"),
        (("compare", "mobilenet_v1"), "two models or files or more, given 1"),
        (("depth", "a.json", "b.json"), "give one model or file, given 2"),
        (("depth", "nowhere.json"), "cannot read 'nowhere.json'"),
        (("depth", "mobilenet_v11"), "did you mean 'mobilenet_v1'"),
        (("depth", "--convention", "thopp"), "did you mean 'thop'"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_no_file(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "picture.png"
    assert words in refuse(capsys, *arguments, "-o", str(target))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("memory", "bare.json"), "the memory of no operation is known"),
        (("depth", "sweep.json"), "sweep.json' is a sweep; give a model, or a file of a trace"),
        (("roofline", "sweep.json"), "sweep.json' is a sweep"),
        (("memory", "profile.json"), "holds a profile, not a trace"),
        (("compare", "profile.json", "trace.json"), "is a profile: give two of them"),
        (("depth", "trace.json", "--convention", "thop"), "counts in convention 'macs'"),
        (("heatmap", "sweep.json", "--convention", "thop"), "is a sweep already"),
        (("roofline", "profile.json", "--ceiling", "trace.json"), "trace.json: "),
        (("roofline", "profile.json"), "no ceiling is kept of the machine"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_file_of_another_kind_is_one_line(
    arguments: tuple[str, ...],
    words: str,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(files / "no cache"))
    given = [str(files / text) if (files / text).is_file() else text for text in arguments]
    assert words in refuse(capsys, *given, "-o", str(files / "picture.png"))
    assert not (files / "picture.png").exists()


@pytest.mark.parametrize("name", ["picture", "picture.jpg", "-"])
def test_a_name_that_says_no_format_is_refused_at_once(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["mobilenet_profiler.cli.plot"], "trace_spec", fail)
    assert "ends in .png, .svg, .pdf" in refuse(capsys, "depth", "-o", name)


def fail(*given: object, **named: object) -> None:
    raise AssertionError("nothing may be traced")


def test_every_kind_has_a_drawer() -> None:
    from mobilenet_profiler.cli.plot import _DRAWERS

    assert tuple(_DRAWERS) == KINDS


@pytest.mark.parametrize(
    "make",
    [
        lambda files: ("mobilenet_v1", "mobilenet_v1 alpha=0.5"),
        lambda files: (str(files / "profile.json"), str(files / "profile.json")),
    ],
    ids=["networks", "profiles"],
)
def test_compare_draws_what_it_shows(
    make: Callable[[Path], tuple[str, str]], files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = files / "both.svg"
    assert run(["compare", *make(files), "--no-layers", "--plot", str(target)]) == 0
    assert capsys.readouterr().out
    assert target.read_bytes().startswith(BEGINNINGS[".svg"])


def test_compare_refuses_a_plot_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("both.gif", str(tmp_path / "none" / "both.png")):
        assert run(["compare", "mobilenet_v1", "mobilenet_v2", "--plot", name]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
