"""When tensors are held decides the peak: sums by hand, and what is said of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilenet_profiler.errors import UsageError
from mobilenet_profiler.memory import (
    LayerMemory,
    MemoryStep,
    MemoryUse,
    TensorLife,
    check_memory,
    count_memory,
    describe_peak,
)
from mobilenet_profiler.units import format_bytes

GIB = 2**30


def make_life(path: str, size: int, made: int, freed: int, gradient: bool = False) -> TensorLife:
    phase = "backward" if gradient else "forward"
    return TensorLife(path, "aten::op", phase, (size,), "uint8", size, made, freed, gradient)


STEPS = (
    MemoryStep("a", "aten::convolution", workspace=5),
    MemoryStep("b", "aten::relu"),
    MemoryStep("a", "aten::mul"),
)
# a: 100 in operations 0 and 1; b: 40 in 1 and 2; a again: 30 in 2.
USE = MemoryUse(
    7,
    1000,
    STEPS,
    tuple(make_life(*t) for t in (("a", 100, 0, 2), ("b", 40, 1, 3), ("a", 30, 2, 3))),
)


def test_what_is_held_while_an_operation_runs_includes_what_it_makes_and_its_workspace() -> None:
    assert USE.live == (105, 140, 70)
    assert (USE.activations, USE.peak, USE.peak_index) == (140, 1147, 1)
    assert USE.peak_step == STEPS[1]


def test_the_tensors_at_the_peak_come_largest_first() -> None:
    assert [(tensor.path, tensor.bytes) for tensor in USE.held] == [("a", 100), ("b", 40)]


def test_a_layer_has_the_peak_while_it_runs_and_the_sum_of_what_it_allocates() -> None:
    assert USE.layers == {"a": LayerMemory(105, 130), "b": LayerMemory(140, 40)}


def test_layers_gather_to_their_greatest_peak_and_all_that_they_allocate() -> None:
    assert sum(USE.layers.values()) == LayerMemory(140, 170)
    assert sum(USE.layers.values(), LayerMemory()) == LayerMemory(140, 170)


def test_a_pass_without_operations_holds_what_the_caller_holds() -> None:
    empty = MemoryUse(7, 1000, (), ())
    assert (empty.peak, empty.activations, empty.held, empty.peak_step) == (1007, 0, (), None)
    assert describe_peak(empty, {}) == (
        "Peak memory: 1007 B, of weights 1000 B, inputs 7 B; nothing runs."
    )


def test_the_phases_each_have_a_peak() -> None:
    steps = (MemoryStep("a", "aten::mm"), MemoryStep("", "aten::add_", "optimizer", 50))
    use = MemoryUse(1, 10, steps, (make_life("a", 30, 0, 1),), optimizer=100)
    assert use.phases == {"forward": 141, "optimizer": 161}
    assert use.layers == {"a": LayerMemory(30, 30)}


LIVES = st.lists(
    st.tuples(st.integers(1, 1000), st.integers(0, 9), st.integers(1, 10)), max_size=30
)


@given(LIVES)
def test_what_is_held_is_the_sum_over_the_tensors_that_are_alive(
    lives: list[tuple[int, int, int]],
) -> None:
    tensors = tuple(
        make_life("a", size, made, min(10, made + length)) for size, made, length in lives
    )
    use = MemoryUse(0, 0, tuple(MemoryStep("a", "aten::op") for _ in range(10)), tensors)
    expected = [sum(t.bytes for t in tensors if t.made <= index < t.freed) for index in range(10)]
    assert list(use.live) == expected
    assert use.activations == max(expected)
    assert sum(tensor.bytes for tensor in use.held) == use.activations


def test_the_line_says_how_much_where_and_whose_outputs_hold_it() -> None:
    lives = [make_life("a", 2048, 0, 1), *(make_life(name, 1024, 0, 1) for name in "bcdef")]
    use = MemoryUse(4096, GIB, STEPS[:1], tuple(lives))
    assert describe_peak(use, {"a": "first"}) == (
        "Peak memory: 7.00 KiB in convolution of first: outputs of first 2.00 KiB, b 1.00 KiB, "
        "c 1.00 KiB, 3 more 3.00 KiB; workspace 5 B. With weights 1.00 GiB, inputs 4.00 KiB: "
        "1.00 GiB. Tensors alone, without what a device's library takes inside an operation."
    )


def test_gradients_stand_apart_from_what_layers_put_out() -> None:
    lives = (make_life("a", 10, 0, 2), make_life("a", 20, 1, 2, gradient=True))
    steps = (STEPS[1], MemoryStep("a", "aten::mm", "backward"))
    use = MemoryUse(0, 5, steps, lives, optimizer=40, device="cpu")
    assert describe_peak(use, {}) == (
        "Peak memory: 30 B in mm of a backward: outputs of a 10 B; gradients 20 B. With weights "
        "5 B, inputs 0 B, optimizer state 40 B: 75 B. As cpu allocates it."
    )
    assert count_memory(use) == {
        "predicted_peak": 75,
        "inputs": 0,
        "weights": 5,
        "optimizer": 40,
        "gradients": 20,
        "gradients_at_peak": 20,
        "activations_at_peak": 10,
    }


def test_what_does_not_fit_is_refused_in_one_line_with_the_figures() -> None:
    use = MemoryUse(0, GIB, STEPS[1:2], (make_life("a", 9 * GIB, 0, 1),))
    with pytest.raises(UsageError) as refused:
        check_memory(use, 4 * GIB, "resnet50 batch=4096", "cpu")
    assert str(refused.value) == (
        "resnet50 batch=4096 needs 10.00 GiB (weights 1.00 GiB, activations 9.00 GiB), "
        "cpu has 4.00 GiB free"
    )


def test_what_just_fits_is_not_refused() -> None:
    check_memory(USE, USE.peak, "net", "cpu")
    with pytest.raises(UsageError, match=r"needs 1\.12 KiB"):
        check_memory(USE, USE.peak - 1, "net", "cpu")


def test_what_is_there_already_need_not_be_free() -> None:
    check_memory(USE, USE.peak - USE.weights, "net", "cpu", held=USE.weights)
    with pytest.raises(UsageError, match="1000 B of it there already, cpu has 146 B free"):
        check_memory(USE, USE.peak - USE.weights - 1, "net", "cpu", held=USE.weights)


def test_nothing_is_refused_where_a_device_does_not_say_what_is_free() -> None:
    check_memory(USE, None, "net", "cpu")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1_572_864, "1.50 MiB"),
        (98 * GIB, "98.00 GiB"),
        (3 * 2**40, "3.00 TiB"),
    ],
)
def test_bytes_are_shown_in_powers_of_1024(size: int, text: str) -> None:
    assert format_bytes(size) == text
