"""Higher-order operators: flex attention whole, control flow as it runs."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._higher_order_ops.map import map as map_over
from torch._higher_order_ops.scan import scan
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from tests.trace.calling import Calling, count, list_paths


def attend(query: Tensor, key: Tensor, value: Tensor) -> Any:
    return flex_attention(query, key, value, score_mod=lambda s, b, h, i, j: s + i - j)


def attend_in_groups(query: Tensor, key: Tensor, value: Tensor) -> Any:
    return flex_attention(query, key, value, enable_gqa=True)


def attend_causally(query: Tensor, key: Tensor, value: Tensor) -> Any:
    sizes = (None, None, query.shape[-2], key.shape[-2])
    mask = create_block_mask(lambda b, h, i, j: i >= j, *sizes, device=str(query.device))
    return flex_attention(query, key, value, block_mask=mask)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("run", "shapes", "macs"),
    [
        (attend, ((2, 4, 16, 8), (2, 4, 12, 8), (2, 4, 12, 8)), 2 * 4 * 16 * 12 * (8 + 8)),
        (attend, ((2, 4, 16, 8), (2, 4, 12, 8), (2, 4, 12, 4)), 2 * 4 * 16 * 12 * (8 + 4)),
        (attend_in_groups, ((1, 4, 16, 8), (1, 2, 12, 8), (1, 2, 12, 8)), 4 * 16 * 12 * (8 + 8)),
        (attend_causally, ((1, 2, 128, 8),) * 3, 2 * 128 * 128 * (8 + 8)),
    ],
)
def test_flex_attention_counts_the_whole_square_of_scores(run: Any, shapes: Any, macs: int) -> None:
    trace = count(run, *shapes)
    assert (trace.total.macs, trace.uncounted) == (macs, ())
    assert [layer.kind for layer in trace.counted] == ["attention"]


def repeat(x: Tensor) -> Any:
    def goes_on(index: Tensor, y: Tensor) -> Tensor:
        return index < 3

    def step(index: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return index + 1, y @ y

    loop: Any = torch.while_loop
    return loop(goes_on, step, (torch.tensor(0), x))


def choose(x: Tensor) -> Any:
    return torch.cond(x.sum() > -1, lambda y: y @ y, lambda y: y @ y @ y, (x,))


def scan_rows(x: Tensor) -> Any:
    return scan(lambda carried, row: (carried @ carried, row + 1), x, x.expand(5, 4, 4))


def map_rows(x: Tensor) -> Any:
    over: Any = map_over
    return over(lambda row, matrix: row @ matrix, x.expand(5, 4, 4), x)


SQUARE = 4 * 4 * 4


@pytest.mark.parametrize(
    ("run", "products"), [(repeat, 3), (choose, 1), (scan_rows, 5), (map_rows, 5)]
)
def test_control_flow_counts_what_it_runs_where_it_runs(run: Any, products: int) -> None:
    trace = count(torch.nn.Sequential(Calling(run)), (4, 4))
    assert (list_paths(trace), trace.uncounted) == ({"0": products * SQUARE}, ())


@pytest.mark.parametrize(
    ("run", "shapes"),
    [
        (scan_rows, [(4, 4), (5, 4, 4)]),
        (map_rows, [(5, 4, 4)]),
    ],
)
def test_what_a_loop_gives_has_the_shape_that_pytorch_gives(run: Any, shapes: Any) -> None:
    seen: list[Any] = []

    def note(x: Tensor) -> None:
        made = run(x)
        made = [made] if isinstance(made, Tensor) else made
        seen.append([tuple(tensor.shape) for tensor in made])

    count(note, (4, 4))
    assert seen == [shapes]


def test_a_transformed_function_counts_its_gradients() -> None:
    def energy(x: Tensor) -> Tensor:
        return (x @ x.T).sum()

    trace = count(lambda x: torch.func.grad(energy)(x), (2, 4))
    assert trace.total.macs == 3 * (2 * 2 * 4)


def test_a_vectorised_function_counts_every_row() -> None:
    trace = count(lambda x, w: torch.vmap(lambda row: row @ w)(x), (3, 2, 4), (4, 5))
    assert trace.total.macs == 3 * 2 * 4 * 5
