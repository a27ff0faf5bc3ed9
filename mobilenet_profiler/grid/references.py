"""Networks to compare a sweep with: those beside which the paper puts MobileNet. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from mobilenet_profiler.cost import Cost
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import CellResult
from mobilenet_profiler.published.accuracies import find_accuracies

# What tracing these networks of the zoo at their own inputs counts; a test traces them again.
_COSTS: Mapping[str, tuple[str, Cost]] = MappingProxyType(
    {
        "alexnet_grouped": ("AlexNet", Cost(60_965_224, 60_954_656, 724_406_816, 659_272)),
        "squeezenet1_0": ("SqueezeNet", Cost(1_248_424, 1_244_448, 818_924_576, 4_346_248)),
        "googlenet": ("GoogLeNet", Cost(6_998_552, 6_990_272, 1_582_671_872, 3_227_160)),
        "vgg16": ("VGG16", Cost(138_357_544, 138_344_128, 15_470_264_320, 13_556_712)),
    }
)
SOURCE = "mobilenet_v1_paper"
QUANTITIES = ("params", "weights", "macs", "activations")


@cache
def list_references() -> tuple[CellResult, ...]:
    """AlexNet, SqueezeNet 1.0, GoogLeNet and VGG16: exact counts of one image in convention
    macs, and the top-1 accuracies of the paper's Tables 8 and 9 (arXiv 1704.04861)."""
    cells = [Cell(name) for name in _COSTS]
    specs = [cell.make_spec({}).as_dict() for cell in cells]
    accuracies = find_accuracies(specs, SOURCE)
    return tuple(
        CellResult(cell, label, spec, cost, accuracy=accuracy)
        for cell, spec, accuracy, (label, cost) in zip(
            cells, specs, accuracies, _COSTS.values(), strict=True
        )
    )
