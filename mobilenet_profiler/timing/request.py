"""How to run a network and how long: what `profile` is asked for, checked."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from mobilenet_profiler.errors import UsageError, unknown_name
from mobilenet_profiler.measured.profile import DTYPES, RUN_MODES, limit_threads
from mobilenet_profiler.measured.training import OPTIMIZERS
from mobilenet_profiler.timing.environment import parse_device
from mobilenet_profiler.timing.measuring import OnProgress, StopRule, check_whole


@dataclass(frozen=True)
class Request:
    """How to run and how long: see `profile`."""

    device: str = "cpu"
    dtype: str | torch.dtype | None = None
    threads: int | None = None
    channels_last: bool = False
    compile: bool = False
    mode: str = "inference"
    optimizer: str = "rmsprop"
    rule: StopRule = field(default_factory=StopRule)
    warmup: int | None = None
    seed: int = 0
    on_progress: OnProgress | None = None

    def __post_init__(self) -> None:
        if isinstance(self.dtype, torch.dtype):
            object.__setattr__(self, "dtype", str(self.dtype).removeprefix("torch."))
        for name in ("channels_last", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} must be True or False, given {getattr(self, name)!r}")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise unknown_name("dtype", self.dtype, DTYPES)
        if self.mode not in RUN_MODES:
            raise unknown_name("mode", self.mode, RUN_MODES)
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        if not isinstance(self.device, str):
            raise UsageError(f"device must be a text such as 'cuda:0', given {self.device!r}")
        object.__setattr__(self, "device", parse_device(self.device))
        for name, least, most in (("threads", 1, limit_threads()), ("warmup", 0, 10**6)):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), least, most)
        check_whole("seed", self.seed, 0)

    @property
    def place(self) -> torch.device:
        """The device, as torch has it."""
        return torch.device(self.device)

    @property
    def torch_dtype(self) -> torch.dtype | None:
        """The dtype, as torch has it; None is the network's own."""
        found: torch.dtype | None = getattr(torch, str(self.dtype)) if self.dtype else None
        return found

    @property
    def trains(self) -> bool:
        """Whether steps of training are run rather than forward passes."""
        return self.mode == "train"
