"""How the reference trains, as data, and what an epoch would take. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mobilenet_profiler.measured.statistics import Estimate

OPTIMIZERS = ("rmsprop", "sgd", "adamw")
BATCH = 64  # research/slim/nets/mobilenet_v1_train.py, flag batch_size
CLASSES = 1001  # the same, flag num_classes
EPOCH = 1_281_167  # images of ImageNet's training set (Russakovsky et al., arXiv 1409.0575)
_REFERENCES = ("mobilenet_v1", "conv_mobilenet_v1", "shallow_mobilenet_v1")


def fill_training_settings(source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model, with the reference's batch and classes where none are given.

    Classes are those of MobileNet V1 alone; every network takes the batch, unless its inputs
    are given.
    """
    filled = dict(settings)
    if not filled.get("inputs") and not filled.get("inputs_from") and filled.get("batch") is None:
        filled["batch"] = BATCH
    given = {**filled, **(filled.get("arguments") or {})}
    headed = given.get("num_classes") is None and given.get("final_endpoint") is None
    if source in _REFERENCES and headed:
        filled["num_classes"] = CLASSES
    return filled


def estimate_epoch(step: Estimate, batch: int) -> Estimate:
    """Nanoseconds that an epoch of ImageNet would take at this rate, loading no data.

    step: of one training step, nanoseconds. batch: images in a step; the last step is whole.
    """
    return step.scale(-(-EPOCH // batch))
