"""What kinds of nodes a cluster has."""

from __future__ import annotations

import pytest

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.grid.nodes import Node, check_kinds, choose_device, list_kinds

HEAD = Node("a", {"CPU": 8.0, "memory": 1e9, "object_store_memory": 1e9, "node:10.0.0.1": 1.0})
H100 = Node("b", {"CPU": 8.0, "GPU": 1.0, "accelerator_type:H100": 1.0, "node:10.0.0.2": 1.0})
PHONE = Node("c", {"CPU": 4.0, "Pixel": 1.0})


def test_a_node_is_of_the_kinds_that_its_resources_tell() -> None:
    assert HEAD.kinds == ("cpu",)
    assert H100.kinds == ("gpu", "gpu:h100")
    assert PHONE.kinds == ("cpu", "Pixel")
    assert list_kinds([HEAD, H100, PHONE]) == ("Pixel", "cpu", "gpu", "gpu:h100")


def test_capitals_make_no_difference() -> None:
    assert H100.serves("gpu:H100")
    assert PHONE.serves("pixel")
    assert not HEAD.serves("gpu")


def test_a_kind_that_is_not_there_is_refused_with_those_that_are() -> None:
    check_kinds(["cpu", "gpu:h100", "pixel"], [HEAD, H100, PHONE])
    with pytest.raises(UsageError) as caught:
        check_kinds(["gpu:a100"], [HEAD, H100])
    assert str(caught.value) == (
        "unknown kind of node 'gpu:a100' (did you mean 'gpu:h100'?); allowed: cpu, gpu, gpu:h100"
    )


def test_a_node_with_a_gpu_times_there_and_others_where_it_was_asked_for() -> None:
    assert choose_device("gpu:h100", "cpu") == "cuda"
    assert choose_device("GPU", "cuda:1") == "cuda:1"
    assert choose_device("cpu", "cpu") == "cpu"
    assert choose_device("pixel", "mps") == "mps"
