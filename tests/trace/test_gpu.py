"""A model whose weights are on a GPU is traced there without a kernel."""

import pytest
import torch
from torch import Tensor, nn

import mobilenet_profiler as mp

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.norm(self.conv(x)) + torch.zeros(1, device="cuda")
        return output


class Looks(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x.sum().item()


def test_no_memory_is_taken_and_no_kernel_runs() -> None:
    model, image = Net().cuda().eval(), torch.rand(2, 3, 8, 8, device="cuda")
    state = torch.cuda.get_rng_state()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    trace = mp.trace(model, image)
    assert trace.total.macs == 2 * 8 * 36 * 27
    assert torch.cuda.max_memory_allocated() == before
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert all(parameter.is_cuda for parameter in model.parameters())


def test_a_forward_that_looks_at_values_runs_where_the_weights_are() -> None:
    model = Looks().cuda().eval()
    before = [tensor.clone() for tensor in model.state_dict().values()]
    trace = mp.trace(model, (2, 3, 8, 8))
    assert trace.total.macs == 2 * 8 * 36 * 27
    assert "looks at values" in trace.notes[0]
    after = model.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_backward_pass_of_attention_is_counted_on_the_gpu() -> None:
    model = nn.MultiheadAttention(8, 2, batch_first=True).cuda()
    trace = mp.trace(model, ((2, 5, 8),) * 3, backward=True)
    assert (trace.total.macs, trace.total.backward_macs) == (3360, 4800)
