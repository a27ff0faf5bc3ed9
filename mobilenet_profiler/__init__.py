"""What a neural network costs, layer by layer, counted exactly.

    import mobilenet_profiler as mp
    t = mp.trace("mobilenet_v1", alpha=0.75, resolution=128)
    t.total.macs, t.layers, t.frame(), print(t)

Names are imported when they are first used: this import alone brings no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilenet_profiler.budget import BudgetCheck, Limit, check
    from mobilenet_profiler.comparing import Accuracy, AlignedCost, ModelComparison, compare
    from mobilenet_profiler.conventions.catalogue import list_conventions
    from mobilenet_profiler.conventions.counting import Count
    from mobilenet_profiler.cost import Cost, LayerCost, OpCost, Trace, Uncounted
    from mobilenet_profiler.errors import UsageError
    from mobilenet_profiler.grid.fit import Fit
    from mobilenet_profiler.grid.results import CellResult, Sweep
    from mobilenet_profiler.grid.saved import read_sweep
    from mobilenet_profiler.measured.comparing import ProfileComparison, compare_profiles
    from mobilenet_profiler.measured.limit import LatencyLimit
    from mobilenet_profiler.measured.profile import Profile
    from mobilenet_profiler.measured.saved import read_profile, read_profiles
    from mobilenet_profiler.memory import MemoryUse
    from mobilenet_profiler.published.catalogue import list_figures
    from mobilenet_profiler.published.figure import Figure
    from mobilenet_profiler.saved import read_trace
    from mobilenet_profiler.spec import ModelSpec, make_spec
    from mobilenet_profiler.sweeping.fit import fit
    from mobilenet_profiler.sweeping.sweep import sweep
    from mobilenet_profiler.timing.profiler import profile
    from mobilenet_profiler.trace.lifetimes import predict_memory
    from mobilenet_profiler.trace.registered import register_cost, unregister_cost
    from mobilenet_profiler.trace.tracer import trace
    from mobilenet_profiler.verification.choice import verify
    from mobilenet_profiler.verification.verdicts import Verdict, Verification

__version__ = "0.1.0"
__all__ = [
    "Accuracy",
    "AlignedCost",
    "BudgetCheck",
    "CellResult",
    "Cost",
    "Count",
    "Figure",
    "Fit",
    "LatencyLimit",
    "LayerCost",
    "Limit",
    "MemoryUse",
    "ModelComparison",
    "ModelSpec",
    "OpCost",
    "Profile",
    "ProfileComparison",
    "Sweep",
    "Trace",
    "Uncounted",
    "UsageError",
    "Verdict",
    "Verification",
    "check",
    "compare",
    "compare_profiles",
    "fit",
    "list_conventions",
    "list_figures",
    "make_spec",
    "predict_memory",
    "profile",
    "read_profile",
    "read_profiles",
    "read_sweep",
    "read_trace",
    "register_cost",
    "sweep",
    "trace",
    "unregister_cost",
    "verify",
]

_HOMES = {
    **dict.fromkeys(("Cost", "LayerCost", "OpCost", "Trace", "Uncounted"), "cost"),
    **dict.fromkeys(("ModelSpec", "make_spec"), "spec"),
    **dict.fromkeys(("BudgetCheck", "Limit", "check"), "budget"),
    **dict.fromkeys(("Accuracy", "AlignedCost", "ModelComparison", "compare"), "comparing"),
    **dict.fromkeys(("CellResult", "Sweep"), "grid.results"),
    "read_sweep": "grid.saved",
    "Fit": "grid.fit",
    "fit": "sweeping.fit",
    "sweep": "sweeping.sweep",
    "read_trace": "saved",
    "MemoryUse": "memory",
    "predict_memory": "trace.lifetimes",
    "Count": "conventions.counting",
    "list_conventions": "conventions.catalogue",
    "UsageError": "errors",
    "Figure": "published.figure",
    "list_figures": "published.catalogue",
    "verify": "verification.choice",
    "Profile": "measured.profile",
    **dict.fromkeys(("ProfileComparison", "compare_profiles"), "measured.comparing"),
    "LatencyLimit": "measured.limit",
    **dict.fromkeys(("read_profile", "read_profiles"), "measured.saved"),
    "profile": "timing.profiler",
    **dict.fromkeys(("Verdict", "Verification"), "verification.verdicts"),
    **dict.fromkeys(("register_cost", "unregister_cost"), "trace.registered"),
}


def __getattr__(name: str) -> Any:
    if name == "trace":
        return importlib.import_module("mobilenet_profiler.trace")
    if name in _HOMES:
        return getattr(importlib.import_module(f"mobilenet_profiler.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mobilenet_profiler' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
