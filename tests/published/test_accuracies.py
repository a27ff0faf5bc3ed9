"""Published accuracies, found for the networks that they speak of."""

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.published.accuracies import find_accuracies
from mobilenet_profiler.spec import read_spec


def find(*models: str, source: str | None = None) -> list[tuple[str, str] | None]:
    specs = [read_spec(model).as_dict() for model in models]
    found = find_accuracies(specs, source)
    return [None if known is None else (known.text, known.source) for known in found]


def test_tables_8_and_9_of_the_paper_come_from_the_paper() -> None:
    table_8 = "arXiv 1704.04861, Table 8"
    assert find("mobilenet_v1", "googlenet", "vgg16") == [
        ("70.6%", table_8),
        ("69.8%", table_8),
        ("71.5%", table_8),
    ]
    table_9 = "arXiv 1704.04861, Table 9"
    assert find("mobilenet_v1 alpha=0.5 resolution=160", "squeezenet1_0", "alexnet_grouped") == [
        ("60.2%", table_9),
        ("57.5%", table_9),
        ("57.2%", table_9),
    ]


def test_a_source_may_be_chosen() -> None:
    (found,) = find("mobilenet_v1", source="mobilenet_v1_md")
    assert found is not None
    assert found[0] == "70.9%"
    assert find("vgg11", source="mobilenet_v1_md") == [None]
    with pytest.raises(mp.UsageError, match="unknown source 'nobody'"):
        find("mobilenet_v1", source="nobody")


def test_the_background_class_makes_no_difference_but_resolution_and_width_do() -> None:
    assert find("mobilenet_v1 num_classes=1001") == find("mobilenet_v1 alpha=1.0")
    assert find("mobilenet_v1 resolution=192") != find("mobilenet_v1")
    assert find("mobilenet_v1 alpha=0.6", "torch.nn:Linear in_features=3 out_features=4") == [
        None,
        None,
    ]
