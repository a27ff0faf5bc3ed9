"""From a network to a Trace: what every layer costs, counted as it runs.

The package is also the function: `mobilenet_profiler.trace("mobilenet_v1")` calls
`trace.tracer.trace`. Torch is imported by the call, not by this import.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mobilenet_profiler.cost import Trace


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Trace:
        from mobilenet_profiler.trace.tracer import trace

        return trace(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
