"""The zoo's list of networks. Importing it imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

_MOBILENET_V1_OPTIONS = (
    "alpha",
    "min_depth",
    "rows",
    "output_stride",
    "explicit_padding",
    "final_endpoint",
    "num_classes",
    "global_pool",
    "dropout_keep",
    "spatial_squeeze",
    "prediction",
)
_MOBILENET_V3_OPTIONS = ("alpha", "minimalistic", "num_classes")
_VGG_OPTIONS = ("batch_norm", "num_classes")
_BASIC_OPTIONS = ("conv_bias", "num_classes")
_BOTTLENECK_OPTIONS = ("stride_in_1x1", "conv_bias", "num_classes")


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """A network that can be built by name.

    factory: `module:function`, imported only when the network is built.
    options: the arguments that the factory takes. source: paper and table.
    resolution: height and width of its own default input, pixels.
    """

    name: str
    factory: str
    options: tuple[str, ...]
    summary: str
    source: str
    resolution: int = 224

    @property
    def input_text(self) -> str:
        """Its own default input: `1x3x224x224`."""
        return f"1x3x{self.resolution}x{self.resolution}"


_ENTRIES = (
    ZooEntry(
        "mobilenet_v1",
        "mobilenet_profiler.zoo.mobilenet_v1:mobilenet_v1",
        _MOBILENET_V1_OPTIONS,
        "depthwise separable",
        "arXiv 1704.04861, Table 1",
    ),
    ZooEntry(
        "conv_mobilenet_v1",
        "mobilenet_profiler.zoo.mobilenet_v1:conv_mobilenet_v1",
        tuple(option for option in _MOBILENET_V1_OPTIONS if option != "rows"),
        "V1 with full convolutions",
        "arXiv 1704.04861, Table 4",
    ),
    ZooEntry(
        "shallow_mobilenet_v1",
        "mobilenet_profiler.zoo.mobilenet_v1:shallow_mobilenet_v1",
        tuple(option for option in _MOBILENET_V1_OPTIONS if option != "rows"),
        "V1 less five 14x14 layers",
        "arXiv 1704.04861, Table 5",
    ),
    ZooEntry(
        "mobilenet_v2",
        "mobilenet_profiler.zoo.mobilenet_v2:mobilenet_v2",
        ("alpha", "round_to", "num_classes"),
        "inverted residuals",
        "arXiv 1801.04381, Table 2",
    ),
    ZooEntry(
        "mobilenet_v3_large",
        "mobilenet_profiler.zoo.mobilenet_v3:mobilenet_v3_large",
        _MOBILENET_V3_OPTIONS,
        "found by search",
        "arXiv 1905.02244, Table 1",
    ),
    ZooEntry(
        "mobilenet_v3_small",
        "mobilenet_profiler.zoo.mobilenet_v3:mobilenet_v3_small",
        _MOBILENET_V3_OPTIONS,
        "the same, smaller",
        "arXiv 1905.02244, Table 2",
    ),
    ZooEntry(
        "mobilenet_edgetpu",
        "mobilenet_profiler.zoo.mobilenet_v3:mobilenet_edgetpu",
        ("alpha", "num_classes"),
        "V3 with fused convolutions",
        "TF-slim mobilenet_v3.py",
    ),
    ZooEntry(
        "alexnet",
        "mobilenet_profiler.zoo.alexnet:alexnet",
        ("num_classes",),
        "one tower",
        "arXiv 1404.5997, section 3",
    ),
    ZooEntry(
        "alexnet_grouped",
        "mobilenet_profiler.zoo.alexnet:alexnet_grouped",
        ("num_classes",),
        "two groups, as published",
        "NIPS 2012, section 3",
        227,
    ),
    ZooEntry(
        "vgg11",
        "mobilenet_profiler.zoo.vgg:vgg11",
        _VGG_OPTIONS,
        "11 layers",
        "arXiv 1409.1556, Table 1 A",
    ),
    ZooEntry(
        "vgg13",
        "mobilenet_profiler.zoo.vgg:vgg13",
        _VGG_OPTIONS,
        "13 layers",
        "arXiv 1409.1556, Table 1 B",
    ),
    ZooEntry(
        "vgg16",
        "mobilenet_profiler.zoo.vgg:vgg16",
        _VGG_OPTIONS,
        "16 layers",
        "arXiv 1409.1556, Table 1 D",
    ),
    ZooEntry(
        "vgg19",
        "mobilenet_profiler.zoo.vgg:vgg19",
        _VGG_OPTIONS,
        "19 layers",
        "arXiv 1409.1556, Table 1 E",
    ),
    ZooEntry(
        "googlenet",
        "mobilenet_profiler.zoo.googlenet:googlenet",
        ("batch_norm", "aux_heads", "num_classes"),
        "Inception V1",
        "arXiv 1409.4842, Table 1",
    ),
    ZooEntry(
        "inception_v3",
        "mobilenet_profiler.zoo.inception_v3:inception_v3",
        ("aux_heads", "num_classes"),
        "factorised convolutions",
        "arXiv 1512.00567, Table 1",
        299,
    ),
    ZooEntry(
        "resnet18",
        "mobilenet_profiler.zoo.resnet:resnet18",
        _BASIC_OPTIONS,
        "residual blocks",
        "arXiv 1512.03385, Table 1",
    ),
    ZooEntry(
        "resnet34",
        "mobilenet_profiler.zoo.resnet:resnet34",
        _BASIC_OPTIONS,
        "the same, deeper",
        "arXiv 1512.03385, Table 1",
    ),
    ZooEntry(
        "resnet50",
        "mobilenet_profiler.zoo.resnet:resnet50",
        _BOTTLENECK_OPTIONS,
        "residual bottlenecks",
        "arXiv 1512.03385, Table 1",
    ),
    ZooEntry(
        "resnet101",
        "mobilenet_profiler.zoo.resnet:resnet101",
        _BOTTLENECK_OPTIONS,
        "the same, deeper",
        "arXiv 1512.03385, Table 1",
    ),
    ZooEntry(
        "resnet152",
        "mobilenet_profiler.zoo.resnet:resnet152",
        _BOTTLENECK_OPTIONS,
        "the same, deeper",
        "arXiv 1512.03385, Table 1",
    ),
    ZooEntry(
        "resnet_cifar",
        "mobilenet_profiler.zoo.resnet:resnet_cifar",
        ("depth", "num_classes"),
        "6n + 2 layers for CIFAR-10",
        "arXiv 1512.03385, section 4.2",
        32,
    ),
    ZooEntry(
        "squeezenet1_0",
        "mobilenet_profiler.zoo.squeezenet:squeezenet1_0",
        ("num_classes",),
        "fire modules",
        "arXiv 1602.07360, Table 1",
    ),
    ZooEntry(
        "squeezenet1_1",
        "mobilenet_profiler.zoo.squeezenet:squeezenet1_1",
        ("num_classes",),
        "pools earlier",
        "github.com/forresti",
    ),
)


def list_models() -> tuple[ZooEntry, ...]:
    """Every network of the zoo, the reference first."""
    return _ENTRIES


def find_model(name: str) -> ZooEntry | None:
    """The entry of that name, or None."""
    return next((entry for entry in _ENTRIES if entry.name == name), None)
