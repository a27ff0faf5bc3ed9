"""Networks that do what no network should, to be swept by processes that have only this file."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from torch import Tensor, nn


class Net(nn.Module):
    """One convolution of `width` channels, and whatever `trouble` asks for."""

    def __init__(self, width: int = 4, trouble: str = "", where: str = "") -> None:
        super().__init__()
        self.trouble, self.where = trouble, where
        if trouble == "build":
            raise ValueError("no such network")
        self.conv = nn.Conv2d(3, width, 1, bias=False)

    def forward(self, x: Tensor) -> Any:
        if self.trouble and not self.where:
            make_trouble(self.trouble)
        if self.trouble and self.where == "timed" and not x.is_meta:
            make_trouble(self.trouble)
        return self.conv(x)


def make_trouble(kind: str) -> None:
    """Fail, print, or end the process."""
    if kind == "raise":
        raise RuntimeError("first line\nsecond line")
    if kind == "print":
        os.write(1, b"printed by the network\n")
        sys.stdout.write("printed by the network\n")
    if kind == "exit":
        sys.exit("the network exits")
    if kind == "die":
        os._exit(7)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
