"""Attention as a device computes it, in one kernel, where tensors without values would not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

_FLASH = 1  # torch.nn.attention.SDPBackend.FLASH_ATTENTION; 0 is MATH, its parts one by one
_ATTEND = functional.scaled_dot_product_attention


class FusedAttention(TorchFunctionMode):
    """Sends `scaled_dot_product_attention` to the fused kernel's shape function.

    On a meta tensor PyTorch takes attention apart, whose scores alone are larger than all
    that the kernels of a CPU or GPU allocate. Where PyTorch would do so on a CPU too (a
    mask that is learned, heads without a stride of one), so it does here.
    dropout: whether dropout inside, which no kernel of a CPU has, takes it apart.
    """

    def __init__(self, dropout: bool) -> None:
        super().__init__()
        self.dropout = dropout

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _ATTEND:
            return self._attend(*args, **(kwargs or {}))
        if func is functional.multi_head_attention_forward:  # the mode is off inside
            with self._replace():
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    @contextmanager
    def _replace(self) -> Iterator[None]:
        functional.scaled_dot_product_attention = self._attend
        try:
            yield
        finally:
            functional.scaled_dot_product_attention = _ATTEND

    def _attend(self, *args: Any, **kwargs: Any) -> Tensor:
        output = self._fuse(*args, **kwargs)
        return _ATTEND(*args, **kwargs) if output is None else output

    def _fuse(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor | None:
        given = [query, key, value, *([] if attn_mask is None else [attn_mask])]
        if any(type(tensor) is not Tensor or not tensor.is_meta for tensor in given):
            return None
        dropout = dropout_p if self.dropout else 0.0
        if _choose(given, dropout, is_causal, scale, enable_gqa) != _FLASH:
            return None
        mask = attn_mask
        if mask is not None and mask.dtype is torch.bool:
            mask = torch.zeros_like(mask, dtype=query.dtype)
        fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        output: Tensor = fused(query, key, value, 0.0, is_causal, attn_mask=mask, scale=scale)[0]
        return output


def _choose(
    given: list[Tensor], dropout: float, causal: bool, scale: float | None, grouped: bool
) -> int:
    """The kernel that PyTorch chooses on a CPU, asked with a few rows of each tensor."""
    if any(tensor.stride(-1) != 1 for tensor in given[:3]):
        return 0
    options: dict[str, Any] = {"scale": scale, "enable_gqa": grouped}
    with _disable_current_modes():  # the question is no work of the network
        query, key, value, *masks = map(_take_few, given)
        mask = masks[0] if masks else None
        try:
            chosen = torch._fused_sdp_choice(query, key, value, mask, dropout, causal, **options)
        except RuntimeError:  # arguments that do not fit are PyTorch's to refuse
            return 0
    return int(chosen)


def _take_few(tensor: Tensor) -> Tensor:
    """Two rows at most; heads and their size as they are, batch and sequence cut."""
    sizes = [min(size, 2) for size in tensor.shape]
    for axis in (1, 3) if tensor.dim() == 4 else ():
        sizes[axis] = tensor.shape[axis]
    few = torch.zeros(sizes, dtype=tensor.dtype, device="cpu")
    return few.requires_grad_(tensor.requires_grad)
