"""How the reference trains, as data, and what an epoch would take. Pure.

The paper trains with RMSprop "similar to Inception V3" (Howard et al., arXiv 1704.04861,
section 3.2) and names no figures. Those here are of Inception V3 (Szegedy et al., arXiv
1512.00567, section 8: decay 0.9, epsilon 1.0, rate 0.045), which are also the defaults of
the reference's common script (tensorflow/models, research/slim/train_image_classifier.py:
rmsprop_decay 0.9, rmsprop_momentum 0.9, opt_epsilon 1.0, weight_decay 0.00004) and, with
momentum 0.9 and weight decay 4e-5, of MobileNet V2 (arXiv 1801.04381, section 6.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mobilenet_profiler.measured.statistics import Estimate

OPTIMIZERS = ("rmsprop", "sgd", "adamw")
BATCH = 64  # research/slim/nets/mobilenet_v1_train.py, flag batch_size
CLASSES = 1001  # the same, flag num_classes
EPOCH = 1_281_167  # images of ImageNet's training set (Russakovsky et al., arXiv 1409.0575)
_REFERENCES = ("mobilenet_v1", "conv_mobilenet_v1", "shallow_mobilenet_v1")

# Under the names of PyTorch's arguments. Its epsilon is added after the square root,
# TensorFlow's before, which changes no operation. Plain SGD is what the released script
# of MobileNet V1 uses (mobilenet_v1_train.py). The reference has no AdamW: the betas and
# the epsilon are PyTorch's own.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "rmsprop": {"alpha": 0.9, "momentum": 0.9, "eps": 1.0},
    "sgd": {"momentum": 0.0},
    "adamw": {"betas": (0.9, 0.999), "eps": 1e-8},
}
WEIGHT_DECAY = 4e-5  # research/slim/nets/mobilenet_v1.py, mobilenet_v1_arg_scope

# The reference's is 0.045 (mobilenet_v1_train.py). Steps on one batch with random labels
# would learn it by heart or diverge: MobileNet V1's loss falls from 7 to 0 within ten and
# then leaps above 100, AlexNet's rises to 14,500 within twenty. With 0 every operation of a
# step still runs, on numbers of the same size each time, so that all samples are alike.
LEARNING_RATE = 0.0


def describe_optimizer(name: str) -> str:
    """The settings of an optimizer in a sentence."""
    own = {key: value for key, value in SETTINGS[name].items() if value != 0.0}
    words = [f"{_WORDS[key]} {_show(value)}" for key, value in own.items()]
    words.append(f"weight decay {WEIGHT_DECAY:g} of kernels that are not depthwise")
    return (
        f"{name} has {', '.join(words)}; its learning rate is {LEARNING_RATE:g}, so that every "
        "step works on the same weights"
    )


_WORDS = {"alpha": "decay", "momentum": "momentum", "eps": "epsilon", "betas": "betas"}


def _show(value: Any) -> str:
    return " and ".join(f"{item:g}" for item in value) if isinstance(value, tuple) else f"{value:g}"


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
