"""What `explain` shows is true: a product is the number behind it, for every kind of layer."""

import math
import re

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.render.explain import render_explanation
from tests.architectures import ARCHITECTURES


class Kinds(nn.Module):
    """A layer of each kind that is no plain product, and some that are."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.lstm = nn.GRU(7, 5), nn.LSTM(5, 4, 2, bidirectional=True)
        self.bilinear, self.attention = nn.Bilinear(4, 5, 6), nn.MultiheadAttention(8, 2)
        self.embedding, self.norm = nn.Embedding(10, 8), nn.LayerNorm(8)
        self.transposed = nn.ConvTranspose2d(4, 6, 3, groups=2)
        self.linear, self.grouped = nn.Linear(8, 4), nn.Conv2d(4, 8, 3, groups=2)

    def forward(self, x: Tensor, ids: Tensor, image: Tensor) -> Tensor:
        self.lstm(self.gru(x)[0])
        self.bilinear(x[..., :4], x[..., :5])
        self.grouped(image)
        self.transposed(image)
        found = self.norm(self.embedding(ids))
        output: Tensor = self.linear(self.attention(found, found, found)[0])
        return output


KINDS = mp.trace(Kinds(), ((3, 2, 7), "3x2:int64", (2, 4, 6, 6)))
TRACES = [KINDS, *(mp.trace(make(), shape) for make, shape in ARCHITECTURES.values())]


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.label)
def test_every_product_is_the_number_behind_it(trace: mp.Trace) -> None:
    for layer in trace.layers:
        text = render_explanation(trace, layer.path) if layer.path else ""
        for line in re.findall(r"(?:MACs|params)  +(.*) = ([\d,]+) \(", text):
            check_line(*line)


def check_line(written: str, total: str) -> None:
    shown = re.sub(r" \([a-z_]+\)", "", written.rpartition(" = ")[2]).replace(",", "")
    if re.fullmatch(r"[\d·x +]+", shown):
        terms = [re.split(" · |x", term) for term in shown.split(" + ")]
        assert sum(math.prod(map(int, term)) for term in terms) == int(total.replace(",", ""))


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [
        ("gru", "formula of gru = 1,080", "15x7 + 15x5 + 15 + 15 = 210"),
        ("bilinear", "formula of bilinear = 900", "6x4x5 + 6 = 126"),
        ("embedding", "none = 0", "10x8 = 80"),
        ("norm", "none = 0", "8 + 8 = 16"),
        ("transposed", "108 weights · 72 positions = 7,776", "3 · 3 · 4 · 3 + 6 (bias) = 114"),
        ("linear", "M · N · B = 8 · 4 · 6 = 192", "M · N = 8 · 4 + 4 (bias) = 36"),
        (
            "grouped",
            "DK · DK · M/g · N · DF · DF · B = 3 · 3 · 2 · 8 · 4 · 4 · 2 = 4,608",
            "8 (bias) = 152",
        ),
    ],
)
def test_the_arithmetic_of_each_kind(name: str, macs: str, params: str) -> None:
    text = render_explanation(KINDS, name)
    assert macs in text
    assert params in text


def test_attention_is_a_sum_over_what_ran() -> None:
    text = render_explanation(KINDS, "attention")
    assert "attention: attention" in text
    assert "1,152 (linear) + 288 (bmm) = 1,440" in text


def test_the_products_of_the_reference_network() -> None:
    torch.manual_seed(0)
    text = render_explanation(mp.trace("mobilenet_v1"), "Conv2d_0")
    assert "3 · 3 · 3 · 32 · 112 · 112 = 10,838,016" in text
