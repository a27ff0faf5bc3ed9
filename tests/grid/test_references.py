"""The networks beside a sweep cost what tracing them counts."""

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.grid.references import QUANTITIES, list_references
from mobilenet_profiler.grid.results import CellResult


@pytest.mark.parametrize("reference", list_references(), ids=lambda own: own.label)
def test_a_reference_has_the_counts_of_its_trace(reference: CellResult) -> None:
    total = mp.trace(reference.cell.model).total
    assert reference.cost is not None
    for name in QUANTITIES:
        assert getattr(reference.cost, name) == getattr(total, name)


def test_accuracies_are_those_that_the_paper_prints() -> None:
    said = {
        own.label: (own.accuracy.text, own.accuracy.source)
        for own in list_references()
        if own.accuracy
    }
    assert said == {
        "AlexNet": ("57.2%", "arXiv 1704.04861, Table 9"),
        "SqueezeNet": ("57.5%", "arXiv 1704.04861, Table 9"),
        "GoogLeNet": ("69.8%", "arXiv 1704.04861, Table 8"),
        "VGG16": ("71.5%", "arXiv 1704.04861, Table 8"),
    }
