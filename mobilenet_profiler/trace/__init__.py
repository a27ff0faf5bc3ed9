"""From a network to a Trace: what every layer costs, counted as it runs.

The package is also the function: `mobilenet_profiler.trace("mobilenet_v1")` calls
`trace.tracer.trace`. Torch is imported by the call, not by this import.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mobilenet_profiler.cost import Trace


class _CallablePackage(ModuleType):
    def __call__(
        self,
        model: Any = "mobilenet_v1",
        inputs: Any = None,
        *,
        keywords: Mapping[str, Any] | None = None,
        backward: bool = False,
        values: bool = False,
        **options: Any,
    ) -> Trace:
        """Count one forward pass of a network; see `mobilenet_profiler.trace.tracer.trace`.

        model: a name of the zoo, `package.module:factory`, `file.py:Name`, `torchvision/NAME`,
        `timm/NAME`, the path of a TOML variant, a ModelSpec or an nn.Module. inputs: a shape,
        a tensor, a text, or several; keywords: by name. backward: the backward pass too.
        values: run on copies with values. options: alpha, resolution, … of a name; mode.
        Gives a Trace: exact MACs and params of every layer. Raises UsageError.
        """
        from mobilenet_profiler.trace.tracer import trace

        return trace(model, inputs, keywords=keywords, backward=backward, values=values, **options)


sys.modules[__name__].__class__ = _CallablePackage
