"""What a CPU takes besides its tensors: products by hand, in elements and in bytes."""

import pytest

from mobilenet_profiler.cost import OpCost
from mobilenet_profiler.trace.workspaces import Copies, Processor, count_copies, count_workspace


@pytest.mark.parametrize(
    ("block", "copies"),
    [
        (16, Copies(32 * 56 * 56, 144 * 32, 144 * 56 * 56)),
        (8, Copies(24 * 56 * 56, 144 * 24, 144 * 56 * 56)),
    ],
)
def test_channels_are_filled_up_to_whole_blocks(block: int, copies: Copies) -> None:
    sizes = (1, 24, 56, 56), (144, 24, 1, 1), (1, 144, 56, 56)
    assert count_copies(*sizes, groups=1, block=block) == copies


def test_the_first_layer_reads_its_image_as_it_is() -> None:
    sizes = (2, 3, 224, 224), (20, 3, 3, 3), (2, 20, 112, 112)
    assert count_copies(*sizes, groups=1, block=16) == Copies(0, 32 * 3 * 9, 2 * 32 * 112 * 112)


def test_a_depthwise_kernel_is_filled_up_along_its_channels() -> None:
    sizes = (1, 24, 28, 28), (24, 1, 3, 3), (1, 24, 28, 28)
    assert count_copies(*sizes, groups=24, block=16) == Copies(32 * 784, 32 * 9, 32 * 784)


def test_groups_keep_their_size() -> None:
    sizes = (1, 96, 27, 27), (256, 48, 5, 5), (1, 256, 27, 27)
    assert count_copies(*sizes, groups=2, block=16) == Copies(96 * 729, 256 * 48 * 25, 256 * 729)


def make_convolution(image: tuple[int, ...], weight: tuple[int, ...], **options: object) -> OpCost:
    size = tuple(
        (n + 2 * p - k) // s + 1
        for n, k, s, p in zip(
            image[2:],
            weight[2:],
            options.get("stride", (1, 1)),  # type: ignore[call-overload]
            options.get("padding", (0, 0)),
            strict=True,
        )
    )
    output = (image[0], weight[0], *size)
    return OpCost(
        "",
        "aten::convolution",
        (image, weight),
        (output,),
        "float32",
        "counted",
        0,
        0,
        0,
        {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, **options},
    )


CPU = Processor(16, 2)


def test_the_copies_live_before_the_result_is_copied_back() -> None:
    operation = make_convolution((2, 64, 56, 56), (64, 64, 3, 3), padding=(1, 1))
    image, kernel = 2 * 64 * 56 * 56 * 4, 64 * 64 * 9 * 4
    # At its peak image, kernel and result are there as copies, the result itself not yet.
    assert count_workspace(operation, CPU) == image + kernel


def test_a_result_that_is_filled_up_is_there_twice() -> None:
    operation = make_convolution((2, 3, 64, 64), (8, 3, 3, 3), padding=(1, 1))
    assert count_workspace(operation, CPU) == 2 * 16 * 64 * 64 * 4


def test_a_strided_pointwise_kernel_gathers_an_image_in_each_thread() -> None:
    operation = make_convolution((1, 1024, 14, 14), (2048, 1024, 1, 1), stride=(2, 2))
    gathered = 2 * 1024 * 49 * 4
    assert count_workspace(operation, CPU) == gathered + 1024 * 196 * 4 + 2048 * 1024 * 4


def test_what_is_too_small_for_onednn_is_computed_on_columns() -> None:
    operation = make_convolution((1, 5, 20, 20), (7, 5, 3, 3))
    assert count_workspace(operation, CPU) == 5 * 9 * 18 * 18 * 4
    assert count_workspace(make_convolution((1, 72, 1, 1), (18, 72, 1, 1)), CPU) == 0


def test_attention_has_a_block_of_scores_in_each_thread() -> None:
    heads = (2, 8, 196, 64)
    name = "aten::_scaled_dot_product_flash_attention_for_cpu"
    operation = OpCost("", name, (heads,) * 3, (heads,), "float32", "counted", 0, 0, 0)
    # 64 queries: a row of 196 scores, two sums and a row of the result for each.
    assert count_workspace(operation, CPU) == 2 * 64 * (196 + 2 + 64) * 4


def test_nothing_is_said_of_other_operations_and_other_processors() -> None:
    operation = make_convolution((2, 64, 56, 56), (64, 64, 3, 3), padding=(1, 1))
    assert count_workspace(operation, Processor(0, 2)) == 0
    relu = OpCost("", "aten::relu", ((2, 3),), ((2, 3),), "float32", "free", 0, 0, 0)
    assert count_workspace(relu, CPU) == 0
