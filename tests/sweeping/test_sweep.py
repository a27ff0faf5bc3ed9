"""Sweeps: every cell is what a trace gives, whatever the way through, and failures are rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import Sweep
from mobilenet_profiler.sweeping.exact import Counter
from tests.sweeping import networks
from tests.sweeps import make_published_sweep

NET = f"{networks.__file__}:Net"
SMALL: dict[str, Any] = {"alpha": [1, 0.5], "resolution": [64, 32]}


def list_macs(sweep: Sweep) -> list[int | None]:
    return [result.cost.macs if result.cost else None for result in sweep.results]


def test_mobilenet_v1_alone_has_the_sixteen_published_pairs() -> None:
    sweep, published = mp.sweep(), make_published_sweep()
    assert [own.cell for own in sweep.results] == [own.cell for own in published.results]
    assert list_macs(sweep) == list_macs(published)
    assert [own.accuracy for own in sweep.results] == [own.accuracy for own in published.results]
    assert (sweep.missing, sweep.left_out, sweep.failed) == (0, 0, ())


def test_a_fixed_size_or_another_network_leaves_the_published_pairs_out() -> None:
    assert len(mp.sweep(resolution=64).results) == 1
    assert len(mp.sweep("mobilenet_v2").results) == 1
    assert len(mp.sweep(["mobilenet_v1", "mobilenet_v2"], where="macs < 1M").results) == 0


def test_each_cell_is_what_its_trace_gives() -> None:
    sweep = mp.sweep(["mobilenet_v1", "resnet18"], **SMALL, num_classes=10)
    assert len(sweep.results) == 4 + 2  # ResNet has no alpha
    for result in sweep.results:
        trace = mp.trace(result.cell.model, num_classes=10, **result.cell.point)
        assert (result.cost, result.label) == (trace.total, trace.label)
        assert result.spec == trace.spec
        assert result.notes == trace.notes


def test_the_network_that_is_kept_between_cells_changes_nothing() -> None:
    cells = [
        Cell("mobilenet_v1", {"alpha": alpha, "resolution": size, "mode": mode})
        for size in (32, 64)
        for alpha in (0.25, 0.5)
        for mode in ("eval", "train")
    ]
    counter = Counter(memory=True)
    together = [counter(cell) for cell in [*cells, *reversed(cells)]]
    alone = [Counter(memory=True)(cell) for cell in cells]
    assert together == [*alone, *reversed(alone)]


def test_memory_is_the_predicted_peak_of_activations() -> None:
    for result in mp.sweep(**SMALL, memory=True).results:
        use = mp.predict_memory("mobilenet_v1", **result.cell.point)
        assert result.memory == use.activations


def test_costs_are_in_the_convention_that_was_asked_for() -> None:
    (result,) = mp.sweep("resnet18", resolution=32, convention="thop").results
    assert result.cost == mp.trace("resnet18", resolution=32).convert("thop").total


def test_lists_tuples_ranges_and_arrays_are_axes() -> None:
    numpy = pytest.importorskip("numpy")
    for widths in ([1, 2], (1, 2), range(1, 3), numpy.array([1, 2])):
        sweep = mp.sweep(NET, width=widths, inputs=["1x3x8x8"])
        assert sweep.axes[0].values == (1, 2)
        assert list_macs(sweep) == [3 * 64, 6 * 64]
        assert type(sweep.axes[0].values[0]) is int


def test_values_that_are_lists_are_given_as_axes() -> None:
    axes: dict[str, list[Any]] = {"input": ["1x3x8x8", "2x3x4x4"], "width": [5]}
    assert list_macs(mp.sweep(NET, axes=axes)) == [15 * 64, 15 * 32]


def test_several_networks_and_axes_that_not_all_have() -> None:
    sweep = mp.sweep(["mobilenet_v1 alpha=0.25", "resnet18"], batch=[1, 2], resolution=32)
    assert [own.cell.label for own in sweep.results] == [
        *("mobilenet_v1 alpha=0.25 batch=1", "mobilenet_v1 alpha=0.25 batch=2"),
        *("resnet18 batch=1", "resnet18 batch=2"),
    ]
    first, second, *_ = list_macs(sweep)
    assert first is not None
    assert second == 2 * first


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cell_that_fails_is_a_row_with_its_line(jobs: int) -> None:
    troubles = ["", "build", "raise", "exit"]
    sweep = mp.sweep(NET, trouble=troubles, inputs=["1x3x8x8"], jobs=jobs)
    good, build, error, left = sweep.results
    assert good.error == ""
    assert build.error.startswith("cannot build")
    assert "ValueError: no such network (" in build.error
    assert error.error.endswith("first line second line")
    assert "the network exits" in left.error
    assert [own.cost is None for own in sweep.results] == [False, True, True, True]
    assert sweep.failed == (build, error, left)


def test_a_process_that_dies_costs_one_cell() -> None:
    troubles = ["", "die", "raise", "kill", "print"]
    sweep = mp.sweep(NET, trouble=troubles, width=range(1, 4), inputs=["1x3x8x8"], jobs=2)
    for result in sweep.results:
        width, trouble = result.cell.point["width"], result.cell.point["trouble"]
        if trouble in ("", "print"):
            assert result.cost is not None
            assert result.cost.macs == 3 * width * 64
        elif trouble == "die":
            assert result.error == "the process that counted it exited with 7"
        elif trouble == "kill":
            assert result.error == (
                "the process that counted it was killed by SIGKILL (out of memory?)"
            )
    assert [own.cell for own in sweep.results] == [
        Cell(NET, {"trouble": trouble, "width": width})
        for trouble in troubles
        for width in range(1, 4)
    ]


def test_several_processes_give_what_one_gives_in_its_order() -> None:
    alone = mp.sweep(alpha=[0.25, 0.5, 0.75], resolution=range(32, 65, 4), memory=True)
    assert mp.sweep(alpha=[0.25, 0.5, 0.75], resolution=range(32, 65, 4), memory=True, jobs=3) == (
        alone
    )


def test_a_script_without_a_guard_can_use_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import mobilenet_profiler as mp\n"
        "print('began')\n"
        "print(len(mp.sweep(alpha=[0.25, 0.5], resolution=[32, 64], jobs=2).results))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "began\n4\n"


def test_what_a_network_prints_is_no_data(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import mobilenet_profiler as mp\n"
        f"mp.sweep({NET!r}, trouble='print', width=[1, 2], inputs=['1x3x8x8'], jobs=2)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "printed by the network" in done.stderr


def test_conditions_leave_cells_out_and_say_how_many() -> None:
    sweep = mp.sweep(where=["alpha >= 0.5 and macs < 100M", "resolution > 128"])
    assert [own.cell.point for own in sweep.results] == [{"alpha": 0.5, "resolution": 160}]
    assert (sweep.left_out, sweep.missing) == (15, 0)
    accurate = mp.sweep(where="top1 >= 68.4%")
    assert [own.cell.point["alpha"] for own in accurate.results] == [1.0, 1.0, 0.75]


def test_cells_that_conditions_leave_out_by_their_place_are_not_built() -> None:
    sweep = mp.sweep(NET, trouble=["", "die"], where="trouble != die", inputs=["1x3x8x8"])
    assert len(sweep.results) == 1


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[tuple[float, str]] = []
    mp.sweep(**SMALL, on_progress=lambda done, text: told.append((done, text)))
    parts = [done for done, _ in told]
    assert parts == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert told[1][1] == "mobilenet_v1 alpha=1 resolution=32"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"models": "mobilenet_v9"}, "unknown model 'mobilenet_v9' (did you mean"),
        ({"models": []}, "needs a model"),
        ({"models": nn.ReLU()}, "builds its networks from texts"),
        ({"models": ["mobilenet_v1"] * 2}, "given twice"),
        ({"alhpa": [1]}, "unknown axis 'alhpa' (did you mean 'alpha'?)"),
        ({"alpha": [1], "width": 3}, "unknown option of mobilenet_v1 'width'"),
        ({"alpha": []}, "axis alpha needs a value"),
        ({"alpha": [1, 1.0]}, "has the value 1.0 twice"),
        ({"alpha": [{}]}, "axis alpha: values are numbers, texts and lists"),
        ({"models": "mobilenet_v1 alpha=1", "alpha": [1, 0.5]}, "has a value for the axis alpha"),
        ({"models": "mobilenet_v1 beta=1", "resolution": [64]}, "value for the axis resolution"),
        ({"resolution": [64], "beta": [1]}, "resolution or of beta"),
        ({"resolution": [64], "beta": 0.5}, "resolution or beta, not both"),
        ({"resolution": [64], "inputs": ["1x3x8x8"]}, "resolution is an axis, given inputs"),
        ({"alpha": range(1, 2000), "resolution": range(1, 2000)}, "3,996,001 cells, at most"),
        ({"axes": {"alpha": [1]}, "alpha": [0.5]}, "axis alpha is given twice"),
        ({"where": "macs"}, "must be a name, then <"),
        ({"where": "memory < 1MB"}, "ask for it too (--memory)"),
        ({"where": "latency < 1ms"}, "ask for it too (--latency)"),
        ({"convention": "mac"}, "unknown convention"),
        ({"source": "nobody"}, "unknown source"),
        ({"accuracy": "nowhere.csv"}, "cannot read 'nowhere.csv'"),
        ({"device": "cuda"}, "device says how latency is measured"),
        ({"channels_last": True}, "channels-last says how latency is measured"),
        ({"latency": True, "device": "tpu"}, "unknown device 'tpu'"),
        ({"latency": True, "dtype": "int8"}, "unknown dtype 'int8'"),
        ({"latency": True, "mode": "train"}, "latency is that of inference"),
        ({"latency": True, "iterations": 3, "min_time": 1.0}, "give one of iterations"),
        ({"jobs": 0}, "jobs must be a whole number"),
        ({"jobs": 2.0}, "jobs must be a whole number"),
        ({"on": "cpu"}, "nodes time cells: ask for latency too"),
        ({"on": "cpu", "latency": True}, "is a node of a cluster: give its address"),
        ({"on": ["cpu", "cpu"], "latency": True}, "given twice"),
        ({"resume": True}, "resume goes on with a saved sweep"),
        ({"save": "sweep.csv"}, "ends in .jsonl"),
        ({"save": "no/such/folder/sweep.jsonl"}, "cannot write"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_one_line(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        mp.sweep(given.pop("models", "mobilenet_v1"), **given)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_costs_that_are_registered_here_are_not_left_out_elsewhere() -> None:
    @mp.register_cost(nn.Hardswish)
    def count(module: nn.Module, x: Any, *, out: Any) -> int:
        return 1

    try:
        with pytest.raises(UsageError, match="use jobs=1"):
            mp.sweep(**SMALL, jobs=2)
        assert len(mp.sweep(**SMALL).results) == 4
    finally:
        mp.unregister_cost(nn.Hardswish)


def test_settings_that_cannot_be_sent_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot be sent to other processes"):
        mp.sweep(NET, width=[1, 2], trouble=lambda: None, inputs=["1x3x8x8"], jobs=2)


def test_nothing_of_the_caller_is_changed() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    mp.sweep(**SMALL, memory=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


# Saving.


def test_a_saved_sweep_is_the_sweep(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep = mp.sweep(**SMALL, where="macs < 40M", save=path)
    assert mp.read_sweep(path) == sweep
    assert (len(sweep.results), sweep.left_out) == (3, 1)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_that_is_resumed_anywhere_ends_in_the_same_bytes(tmp_path: Path, jobs: int) -> None:
    whole, path = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    sweep = mp.sweep(**SMALL, where="macs < 40M", save=whole)
    data = whole.read_bytes()
    lengths = (0, 5, 400, 900, 1500, len(data) - 1, len(data))
    for length in lengths[:: 3 if jobs > 1 else 1]:  # processes take seconds to come up
        path.write_bytes(data[:length])
        again = mp.sweep(**SMALL, where="macs < 40M", save=path, resume=True, jobs=jobs)
        assert path.read_bytes() == data
        assert again == sweep


def test_cells_that_are_known_are_not_counted_again(tmp_path: Path) -> None:
    path, log = tmp_path / "sweep.jsonl", tmp_path / "log"
    net = tmp_path / "net.py"
    net.write_text(
        "from torch import nn\n"
        "def make(width):\n"
        f"    open({str(log)!r}, 'a').write(f'{{width}} ')\n"
        "    if width == 3 and STOP: raise KeyboardInterrupt\n"
        "    return nn.Linear(width, 1)\n"
        "STOP = True\n"
    )
    given: dict[str, Any] = {"width": range(1, 6), "inputs": ["1x3"], "save": path}
    with pytest.raises(KeyboardInterrupt):
        mp.sweep(f"{net}:make", **given)
    assert [own.cell.point["width"] for own in mp.read_sweep(path).results] == [1, 2]
    assert mp.read_sweep(path).missing == 3
    net.write_text(net.read_text().replace("STOP = True", "STOP = False"))
    mp.sweep(f"{net}:make", **given, resume=True)
    assert log.read_text().split() == ["1", "2", "3", "3", "4", "5"]


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already: resume it, or give another name"):
        mp.sweep(**SMALL, save=path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"alpha": [1]}, "axes is alpha=1,0.5 resolution=64,32 there, asked for alpha=1 res"),
        ({"models": "mobilenet_v2"}, "models is ['mobilenet_v1'] there"),
        ({"convention": "thop"}, "convention is 'macs' there, asked for 'thop'"),
        ({"memory": True}, "memory is False there, asked for True"),
        ({"num_classes": 10}, "num_classes is None there, asked for 10"),
        ({"where": "macs < 1M"}, "where is [] there"),
        ({"latency": True}, "latency is False there"),
    ],
)
def test_another_sweep_is_not_resumed(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "sweep.jsonl"
    mp.sweep(**SMALL, save=path)
    data = path.read_bytes()
    given: dict[str, Any] = {"models": "mobilenet_v1", **SMALL, **change}
    with pytest.raises(UsageError) as caught:
        mp.sweep(given.pop("models"), **given, save=path, resume=True)
    assert f"{path}: holds another sweep: " in str(caught.value)
    assert told in str(caught.value)
    assert path.read_bytes() == data


def test_numbers_written_otherwise_are_the_same_sweep(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep = mp.sweep(**SMALL, save=path)
    data = path.read_bytes()
    again = mp.sweep(alpha=[1.0, 0.5], resolution=[64, 32], save=path, resume=True)
    assert [own.cost for own in again.results] == [own.cost for own in sweep.results]
    assert path.read_bytes() == data


def test_a_sweep_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    given: dict[str, Any] = {"trouble": lambda: None, "inputs": ["1x3x8x8"]}
    with pytest.raises(UsageError, match="cannot be sent"):
        mp.sweep(NET, width=[1, 2], **given, jobs=2, save=path)
    assert not path.exists()


def test_a_full_disk_ends_a_sweep_in_one_line_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    script = tmp_path / "script.py"
    script.write_text(
        "import resource, sys\n"
        "from mobilenet_profiler.cli import run\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
        f"sys.exit(run(['sweep', '--save', {str(path)!r}]))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mobilenet-profiler: cannot write {str(path)!r}: File too large\n"
    assert path.stat().st_size == 1500
    kept = mp.read_sweep(path)
    assert 0 < len(kept.results) < 16
    assert mp.sweep(save=path, resume=True) == mp.sweep()


def test_two_sweeps_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    told: list[str] = []

    def resume_too(done: float, text: str) -> None:
        if not told:
            told.append("")
            with pytest.raises(UsageError) as caught:
                mp.sweep(**SMALL, save=path, resume=True)
            told.append(str(caught.value))

    mp.sweep(**SMALL, save=path, on_progress=resume_too)
    assert told[1].endswith("is being written by another sweep")


@pytest.mark.parametrize("size", [1, 20_000])
def test_ctrl_c_keeps_what_is_done_and_leaves_no_process(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sweep.jsonl"
    command = [sys.executable, "-m", "mobilenet_profiler", "sweep", "--alpha", "0.25:1:0.01"]
    command += ["--resolution", "32:224:1", "--jobs", "2", "--save", str(path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (path.exists() and path.stat().st_size >= size):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    sweep = mp.read_sweep(path)
    assert told == (
        f"{path} has {len(sweep.results):,} of {76 * 193:,} cells; "
        "the same command with --resume goes on\ninterrupted\n"
    )
    assert size == 1 or len(sweep.results) > 10
    assert await_end(process.pid)


def await_end(group: int) -> bool:
    """Whether every process of a group ends within seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
