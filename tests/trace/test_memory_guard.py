"""Weights that would not fit are not copied."""

import pytest
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.trace import tracer


class Looks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.linear(x) * x.sum().item()
        return output


def test_a_model_larger_than_the_memory_is_refused_with_both_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracer, "measure_memory", lambda: 79)
    with pytest.raises(mp.UsageError, match=r"GB of weights, 0\.0 GB of memory"):
        mp.trace(Looks(), (2, 4))
    monkeypatch.setattr(tracer, "measure_memory", lambda: 80)
    assert mp.trace(Looks(), (2, 4)).total.macs == 2 * 4 * 4


def test_where_the_system_does_not_say_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer, "measure_memory", lambda: None)
    assert "aten::item" in mp.trace(Looks(), (2, 4)).notes[0]
