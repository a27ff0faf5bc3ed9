"""Sweeps on a real Ray cluster of several nodes on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.sweeping import cluster as own
from tests.sweeping.test_sweep import NET, SMALL

pytest.importorskip("ray", reason="ray is not installed: pip install 'mobilenet-profiler[ray]'")

HOW: dict[str, Any] = {"latency": True, "iterations": 4, "inputs": ["1x3x8x8"]}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without a processor of its own, a fast node and a slow one."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # a test tells nobody that it ran
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=1, resources={"fast": 1})
    made.add_node(num_cpus=1, resources={"slow": 1})
    yield made
    made.shutdown()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ray": "127.0.0.1:1"}, "no Ray cluster at '127.0.0.1:1': "),
        ({"ray": "local"}, "ray takes a cluster that is there already"),
        ({"ray": "auto", "jobs": 2}, "jobs are processes of this machine"),
        ({"ray": "auto", "latency": True}, "say on which kinds of nodes"),
    ],
)
def test_what_is_no_cluster_is_refused_in_one_line(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        mp.sweep(**SMALL, **given)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_machine_without_ray_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="pip install 'mobilenet-profiler"):
        mp.sweep(**SMALL, ray="auto")


def test_a_cluster_counts_what_this_machine_counts_in_its_order(cluster: Any) -> None:
    given: dict[str, Any] = {"alpha": [0.25, 0.5, 0.75], "resolution": range(32, 65, 4)}
    assert mp.sweep(**given, ray=cluster.address) == mp.sweep(**given)


@pytest.fixture(scope="module")
def connected(cluster: Any) -> Iterator[Any]:
    """The same for a caller that is connected already, which saves seconds a test."""
    import ray

    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield cluster
    ray.shutdown()


def test_a_cell_that_ends_its_process_costs_one_cell_there_too(connected: Any) -> None:
    sweep = mp.sweep(
        NET, trouble=["", "die", "raise"], width=[1, 2], inputs=["1x3x8x8"], ray=connected.address
    )
    errors = [result.error for result in sweep.results]
    assert errors[:2] == ["", ""]
    assert all(line.startswith("the process that counted it died: ") for line in errors[2:4])
    assert all(line.endswith("first line second line") for line in errors[4:])


def test_cells_are_timed_on_each_kind_of_node(connected: Any, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep = mp.sweep(
        NET, width=[1, 2], on=["fast", "Slow"], **HOW, ray=connected.address, save=path
    )
    assert mp.read_sweep(path) == sweep
    assert [result.cell.label.partition(" ")[2] for result in sweep.results] == [
        *("width=1 on=fast", "width=1 on=Slow", "width=2 on=fast", "width=2 on=Slow"),
    ]
    for result in sweep.results:
        assert result.error == ""
        assert len(result.samples) == 4
        assert result.machine in sweep.machines
        assert result.cost is not None
        assert result.cost.macs == 3 * result.cell.point["width"] * 64


def test_one_timing_runs_at_a_time_on_a_node(connected: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    net = tmp_path / "net.py"
    net.write_text(
        "import os, time\n"
        "from torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def __init__(self, width): super().__init__(3, width)\n"
        "    def forward(self, x):\n"
        "        if not x.is_meta:\n"
        f"            with open({str(log)!r}, 'a') as file: file.write(f'{{os.getpid()}} ')\n"
        "        return super().forward(x)\n"
    )
    how = {**HOW, "inputs": ["1x3"]}
    mp.sweep(f"{net}:Net", width=range(1, 5), on=["cpu", "fast"], **how, ray=connected.address)
    # Two nodes have a processor, and each has one process that times, whatever it is called.
    assert 1 <= len(set(log.read_text().split())) <= 2


def test_a_cell_that_ends_the_process_that_times_costs_one_cell(connected: Any) -> None:
    how = {**HOW, "arguments": {"where": "timed"}}
    sweep = mp.sweep(
        NET, trouble=["", "die"], width=[1, 2], on="fast", **how, ray=connected.address
    )
    for result in sweep.results:
        assert result.cost is not None
        if result.cell.point["trouble"]:
            assert result.error.startswith("not timed: the process that timed it died: ")
        else:
            assert len(result.samples) == 4


@pytest.mark.parametrize("count", [1, 2])
def test_cells_of_a_node_that_goes_are_timed_elsewhere_or_have_an_error(
    connected: Any, count: int
) -> None:
    kind = f"brief{count}"
    nodes = [connected.add_node(num_cpus=1, resources={kind: 1}) for _ in range(count)]
    connected.wait_for_nodes()
    gone: list[Any] = []

    def remove(done: float, text: str) -> None:
        if "at work" in text and not gone:
            gone.append(nodes.pop(0))
            connected.remove_node(gone[0], allow_graceful=False)

    how = {**HOW, "iterations": None, "min_time": 2.0, "axes": {"width": [1, 2]}}
    sweep = mp.sweep(NET, on=kind, **how, ray=connected.address, on_progress=remove)
    for node in nodes:
        connected.remove_node(node)
    line = f"not timed: no node of kind {kind!r} is left" if count == 1 else ""
    assert [result.error for result in sweep.results] == [line] * 2
    assert all(bool(result.samples) == (count == 2) for result in sweep.results)
    assert len(gone) == 1


def test_a_kind_that_is_not_there_is_refused_with_those_that_are(connected: Any) -> None:
    with pytest.raises(UsageError) as caught:
        mp.sweep(**SMALL, latency=True, on="gpu:h100", ray=connected.address)
    assert str(caught.value) == "unknown kind of node 'gpu:h100'; allowed: cpu, fast, slow"


def test_nodes_of_another_version_are_refused(
    connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "__version__", "0.0.9")
    with pytest.raises(UsageError, match=r"its nodes have mobilenet_profiler .*, here is 0\.0\.9"):
        mp.sweep(**SMALL, ray=connected.address)
