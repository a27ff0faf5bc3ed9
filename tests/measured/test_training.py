"""How the reference trains, and what an epoch is."""

import pytest

from mobilenet_profiler.measured.statistics import Estimate
from mobilenet_profiler.measured.training import (
    OPTIMIZERS,
    SETTINGS,
    describe_optimizer,
    estimate_epoch,
    fill_training_settings,
)


def test_an_epoch_has_every_image_once_and_a_last_step_that_is_whole() -> None:
    step = Estimate(2.0, 1.0, 4.0, 9)
    assert estimate_epoch(step, 64) == Estimate(2.0 * 20_019, 20_019, 4.0 * 20_019, 9)
    assert estimate_epoch(step, 1_281_167).value == 2.0
    assert estimate_epoch(step, 1_281_166).value == 4.0


def test_every_optimizer_has_settings_in_words() -> None:
    assert set(SETTINGS) == set(OPTIMIZERS)
    words = "weight decay 4e-05 of kernels that are not depthwise; its learning rate is 0"
    assert describe_optimizer("sgd").startswith(f"sgd has {words}")
    assert describe_optimizer("adamw").startswith(
        f"adamw has betas 0.9 and 0.999, epsilon 1e-08, {words}"
    )
    assert describe_optimizer("rmsprop").startswith(
        f"rmsprop has decay 0.9, momentum 0.9, epsilon 1, {words}"
    )


@pytest.mark.parametrize(
    ("source", "given", "added"),
    [
        ("mobilenet_v1", {}, {"batch": 64, "num_classes": 1001}),
        ("mobilenet_v1", {"batch": 8, "alpha": 0.5}, {"num_classes": 1001}),
        ("mobilenet_v1", {"num_classes": 10}, {"batch": 64}),
        ("mobilenet_v1", {"arguments": {"num_classes": 10}}, {"batch": 64}),
        ("mobilenet_v1", {"final_endpoint": "Conv2d_0"}, {"batch": 64}),
        ("mobilenet_v1", {"inputs": ("2x3x32x32",)}, {"num_classes": 1001}),
        ("resnet50", {}, {"batch": 64}),
    ],
)
def test_the_references_settings_stand_where_none_are_given(
    source: str, given: dict[str, object], added: dict[str, object]
) -> None:
    assert fill_training_settings(source, given) == {**given, **added}
