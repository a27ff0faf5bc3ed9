"""Other tools' own numbers, each on a fresh model; None where one is not installed."""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tests.torchvision_stub import define_operators

Peer = Callable[[nn.Module, Tensor], tuple[int, int | None]]


def ask_fvcore(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    total = FlopCountAnalysis(model, image).total()
    return int(total), parameter_count(model)[""]


def ask_flop_counter(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model.to("meta")(image.to("meta"))
    return counter.get_total_flops(), None


def ask_thop(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    import thop

    macs, params = thop.profile(model, (image,), verbose=False)
    return int(macs), int(params)


def ask_ptflops(
    model: nn.Module, image: Tensor, backend: str = "pytorch"
) -> tuple[int, int | None]:
    from ptflops import get_model_complexity_info

    macs, params = get_model_complexity_info(
        model, tuple(image.shape[1:]), as_strings=False, print_per_layer_stat=False, backend=backend
    )
    return int(macs), int(params)


def ask_ptflops_aten(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    return ask_ptflops(model, image, "aten")


def ask_torchinfo(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    from torchinfo import summary

    seen = summary(model, input_data=image, verbose=0)
    return int(seen.total_mult_adds), int(seen.total_params)


def ask_calflops(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    return _run_calflops(model, image)[1:]


def ask_calflops_flops(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    flops, _, params = _run_calflops(model, image)
    return flops, params


def _run_calflops(model: nn.Module, image: Tensor) -> tuple[int, int, int]:
    from calflops import calculate_flops

    found = calculate_flops(
        model, args=[image], output_as_string=False, print_results=False, print_detailed=False
    )
    return int(found[0]), int(found[1]), int(found[2])


def ask_deepspeed(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    return _run_deepspeed(model, image)[1:]


def ask_deepspeed_flops(model: nn.Module, image: Tensor) -> tuple[int, int | None]:
    flops, _, params = _run_deepspeed(model, image)
    return flops, params


def _run_deepspeed(model: nn.Module, image: Tensor) -> tuple[int, int, int]:
    from deepspeed.profiling.flops_profiler import get_model_profile

    found = get_model_profile(
        model, args=[image], print_profile=False, detailed=False, as_string=False
    )
    return int(found[0]), int(found[1]), int(found[2])


PEERS: dict[str, tuple[str, Peer]] = {
    "fvcore": ("fvcore", ask_fvcore),
    "flop_counter": ("torch", ask_flop_counter),
    "thop": ("thop", ask_thop),
    "ptflops": ("ptflops", ask_ptflops),
    "ptflops-aten": ("ptflops", ask_ptflops_aten),
    "torchinfo": ("torchinfo", ask_torchinfo),
    "calflops": ("calflops", ask_calflops),
    "calflops-flops": ("calflops", ask_calflops_flops),
    "deepspeed": ("deepspeed", ask_deepspeed),
    "deepspeed-flops": ("deepspeed", ask_deepspeed_flops),
}


def ask(peer: str, model: nn.Module, shape: tuple[int, ...]) -> tuple[int, int | None]:
    """Count and params by the tool; the model is changed by some and must be thrown away."""
    define_operators()  # some import torchvision where it is installed
    model.eval()
    with silence():
        return PEERS[peer][1](model, torch.zeros(shape))


def is_installed(peer: str) -> bool:
    return importlib.util.find_spec(PEERS[peer][0]) is not None


@contextlib.contextmanager
def silence() -> Iterator[Any]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as text:
        warnings.simplefilter("ignore")
        yield text
