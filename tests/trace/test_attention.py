"""Attention in every form: the projections and both products, whatever path PyTorch takes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.backends import mha
from torch.nn.functional import scaled_dot_product_attention as attend
from torch.utils.flop_counter import flop_registry

from mobilenet_profiler.trace.formulas import FORMULAS
from tests.trace.calling import Calling, count, count_both, list_paths

aten = torch.ops.aten
SIZES = st.integers(1, 9)


def by_name(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attend(query=query, key=key, value=value, dropout_p=0.1, is_causal=True)


def with_mask(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    return attend(query, key, value, attn_mask=mask)


def with_groups(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return attend(query, key, value, enable_gqa=True)


FORMS: list[tuple[Callable[..., Tensor], tuple[Any, ...], int]] = [
    (attend, ((2, 4, 5, 8), (2, 4, 5, 8), (2, 4, 5, 8)), 2 * 4 * 5 * 5 * (8 + 8)),
    (attend, ((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 6)), 2 * 4 * 5 * 7 * (8 + 6)),
    (attend, ((3, 5, 8), (3, 7, 8), (3, 7, 8)), 3 * 5 * 7 * (8 + 8)),
    (attend, ((5, 8), (7, 8), (7, 8)), 5 * 7 * (8 + 8)),
    (attend, ((2, 3, 4, 5, 8), (2, 3, 4, 7, 8), (2, 3, 4, 7, 8)), 2 * 3 * 4 * 5 * 7 * 16),
    (attend, ((2, 4, 5, 8), (1, 1, 7, 8), (1, 1, 7, 8)), 2 * 4 * 5 * 7 * (8 + 8)),
    (attend, ((1, 4, 5, 8), (2, 1, 7, 8), (2, 4, 7, 8)), 2 * 4 * 5 * 7 * (8 + 8)),
    (by_name, ((2, 4, 5, 8), (2, 4, 5, 8), (2, 4, 5, 8)), 2 * 4 * 5 * 5 * (8 + 8)),
    (with_groups, ((2, 6, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8)), 2 * 6 * 5 * 7 * (8 + 8)),
    (with_groups, ((2, 6, 5, 8), (2, 1, 7, 8), (2, 3, 7, 4)), 2 * 6 * 5 * 7 * (8 + 4)),
    (with_mask, ((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8), (5, 7)), 2 * 4 * 5 * 7 * (8 + 8)),
    (with_mask, ((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8), (2, 1, 1, 7)), 2 * 4 * 5 * 7 * 16),
]


@pytest.mark.parametrize(("form", "shapes", "macs"), FORMS)
def test_the_whole_square_of_scores_counts_and_the_backward_two_of_it(
    form: Callable[..., Tensor], shapes: tuple[Any, ...], macs: int
) -> None:
    trace = count(form, *shapes)
    assert (trace.total.macs, trace.uncounted) == (macs, ())
    assert [layer.kind for layer in trace.counted] == ["attention"]
    assert count_both(form, *shapes) == (macs, 2 * macs)


def test_a_mask_of_booleans_changes_nothing() -> None:
    mask = torch.empty(5, 7, dtype=torch.bool)
    trace = count(with_mask, (2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8), mask)
    assert trace.total.macs == 2 * 4 * 5 * 7 * (8 + 8)


def run_attention(module: nn.Module, query: Tensor, key: Tensor, value: Tensor) -> Any:
    return module(query, key, value, need_weights=False)


def run_masked(module: nn.Module, query: Tensor, key: Tensor, value: Tensor) -> Any:
    mask = torch.zeros(2, key.shape[0], dtype=torch.bool, device=query.device)
    return module(query, key, value, key_padding_mask=mask, average_attn_weights=False)


# Options, widths of keys and values, keys added to each sequence.
MULTIHEAD: list[tuple[dict[str, Any], int, int, int]] = [
    ({}, 8, 8, 0),
    ({"bias": False, "dropout": 0.1}, 8, 8, 0),
    ({"kdim": 6, "vdim": 4}, 6, 4, 0),
    ({"add_bias_kv": True}, 8, 8, 1),
    ({"add_zero_attn": True}, 8, 8, 1),
    ({"add_bias_kv": True, "add_zero_attn": True}, 8, 8, 2),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("run", [None, run_attention, run_masked])
@pytest.mark.parametrize(("options", "keys", "values", "added"), MULTIHEAD)
def test_multihead_attention_counts_four_projections_and_two_products(
    options: dict[str, Any], keys: int, values: int, added: int, run: Any, training: bool
) -> None:
    module = nn.MultiheadAttention(8, 2, **options).train(training)
    model = module if run is None else Calling(run, module)
    trace = count(model, (5, 2, 8), (7, 2, keys), (7, 2, values))
    projections = 2 * (5 * 8 * 8 + 7 * keys * 8 + 7 * values * 8 + 5 * 8 * 8)
    assert trace.total.macs == projections + 2 * (2 * 2 * 5 * (7 + added) * 4)
    assert not trace.uncounted
    prefix = "" if run is None else "parts.0."
    assert list_paths(trace)[f"{prefix}out_proj"] == 2 * 5 * 8 * 8


@pytest.mark.parametrize("shape", [(2, 5, 8), (5, 8)])
def test_multihead_attention_over_itself_batch_first_and_without_a_batch(
    shape: tuple[int, ...],
) -> None:
    module = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    trace = count(Calling(lambda attention, x: attention(x, x, x), module), shape)
    batch = shape[0] if len(shape) == 3 else 1
    assert trace.total.macs == batch * (4 * 5 * 8 * 8 + 2 * (2 * 5 * 5 * 4))


def test_multihead_attention_gives_back_two_of_its_products() -> None:
    forward = 2 * (5 * 64 + 7 * 64 + 7 * 64 + 5 * 64) + 2 * (2 * 2 * 5 * 7 * 4)
    module = nn.MultiheadAttention(8, 2)
    assert count_both(module, (5, 2, 8), (7, 2, 8), (7, 2, 8)) == (forward, 2 * forward)


ENCODER = 2 * 5 * (4 * 16 * 16 + 2 * 16 * 32) + 2 * (2 * 5 * 5 * 16)
CROSS = 2 * (5 * 256 + 7 * 256 + 7 * 256 + 5 * 256) + 2 * (2 * 5 * 7 * 16)


def make_encoder(**options: Any) -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **options)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"norm_first": True}, {"activation": "gelu"}])
def test_an_encoder_hides_nothing_and_the_fast_path_stays_as_it_was(
    options: dict[str, Any], training: bool, fast: bool
) -> None:
    before = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(fast)
    try:
        trace = count(make_encoder(**options).train(training), (2, 5, 16))
        assert mha.get_fastpath_enabled() is fast
    finally:
        mha.set_fastpath_enabled(before)
    assert trace.total.macs == 2 * ENCODER
    assert list_paths(trace)["layers.1.linear2"] == 2 * 5 * 32 * 16
    assert not trace.uncounted


def test_a_decoder_attends_to_itself_and_to_its_memory() -> None:
    layer = nn.TransformerDecoderLayer(16, 4, 32, batch_first=True)
    trace = count(nn.TransformerDecoder(layer, 3).eval(), (2, 5, 16), (2, 7, 16))
    assert trace.total.macs == 3 * (ENCODER + CROSS)
    assert list_paths(trace)["layers.2.multihead_attn.out_proj"] == 2 * 5 * 16 * 16


def test_an_encoder_gives_back_two_of_its_products() -> None:
    assert count_both(make_encoder().train(), (2, 5, 16)) == (2 * ENCODER, 4 * ENCODER)


def masked_encoder(encoder: nn.Module, x: Tensor) -> Any:
    mask = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
    return encoder(x, src_key_padding_mask=mask)


def test_a_padding_mask_leaves_the_count() -> None:
    trace = count(Calling(masked_encoder, make_encoder().eval()), (2, 5, 16))
    assert trace.total.macs == 2 * ENCODER


class Direct(nn.Module):
    """Calls a fused kernel by its own name."""

    def __init__(self, run: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.run = run

    def forward(self, x: Tensor) -> Any:
        return self.run(x)


def flash_on_cpu(x: Tensor) -> Any:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(x, x, x)


def by_mathematics(x: Tensor) -> Any:
    return torch.ops.aten._scaled_dot_product_attention_math(x, x, x)


def overrideable(x: Tensor) -> Any:
    return torch.ops.aten._scaled_dot_product_fused_attention_overrideable(x, x, x)


@pytest.mark.parametrize("run", [flash_on_cpu, by_mathematics, overrideable])
def test_a_fused_kernel_that_is_called_by_name_is_counted(run: Callable[[Tensor], Any]) -> None:
    trace = count(Direct(run), (2, 4, 5, 8))
    assert (trace.total.macs, trace.uncounted) == (2 * 4 * 5 * 5 * (8 + 8), ())


@pytest.mark.parametrize("kernel", ["_scaled_dot_product_flash_attention_for_cpu"])
def test_the_backward_of_a_fused_kernel_computes_the_scores_again(kernel: str) -> None:
    forward, back = count_both(Direct(flash_on_cpu), (2, 4, 5, 8))
    assert (forward, back) == (2 * 4 * 5 * 5 * (8 + 8), 2 * 4 * 5 * 5 * (3 * 8 + 2 * 8))


def native_attention(module: Any, x: Tensor) -> Any:
    return torch._native_multi_head_attention(
        x,
        x,
        x,
        8,
        2,
        module.in_proj_weight,
        module.in_proj_bias,
        module.out_proj.weight,
        module.out_proj.bias,
    )


def test_native_multihead_attention() -> None:
    module = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    trace = count(Calling(native_attention, module), (2, 5, 8))
    assert trace.total.macs == 2 * 5 * 4 * 8 * 8 + 2 * (2 * 2 * 5 * 5 * 4)
    assert not trace.uncounted


def native_encoder_layer(module: Any, x: Tensor) -> Any:
    attention = module.self_attn
    return torch._transformer_encoder_layer_fwd(
        x,
        16,
        4,
        attention.in_proj_weight,
        attention.in_proj_bias,
        attention.out_proj.weight,
        attention.out_proj.bias,
        True,
        False,
        1e-5,
        module.norm1.weight,
        module.norm1.bias,
        module.norm2.weight,
        module.norm2.bias,
        module.linear1.weight,
        module.linear1.bias,
        module.linear2.weight,
        module.linear2.bias,
    )


def test_native_encoder_layer() -> None:
    module = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval()
    trace = count(Calling(native_encoder_layer, module), (2, 5, 16))
    assert (trace.total.macs, trace.uncounted) == (ENCODER, ())


@given(SIZES, SIZES, SIZES, SIZES, SIZES, SIZES)
def test_attention_agrees_with_torchs_own_formulas(
    batch: int, heads: int, length: int, keys: int, width: int, values: int
) -> None:
    query = (batch, heads, length, width)
    key, value = (batch, heads, keys, width), (batch, heads, keys, values)
    out = (batch, heads, length, values)
    kernel = aten._scaled_dot_product_flash_attention
    gradient = aten._scaled_dot_product_flash_attention_backward
    ours = FORMULAS["aten::scaled_dot_product_attention"](query, key, value, out=out)
    assert 2 * ours == flop_registry[kernel](query, key, value, out_val=out)
    back = FORMULAS["aten::_scaled_dot_product_flash_attention_backward"](out, query, key, value)
    assert 2 * back == flop_registry[gradient](out, query, key, value, out_val=out)
