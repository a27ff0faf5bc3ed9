"""The reference network behaves as the reference code does."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mobilenet_profiler as mp
from mobilenet_profiler.zoo.mobilenet_v1 import (
    MOBILENET_V1_ROWS,
    SHALLOW_MOBILENET_V1_ROWS,
    Conv,
    DepthSepConv,
    MobileNetV1,
    PaddedConv2d,
    group_weight_decay,
    list_body_endpoints,
    pad_explicit,
    pad_same,
    plan_strides,
)


def build(**options: object) -> MobileNetV1:
    with torch.device("meta"):
        return MobileNetV1(**options).eval()  # type: ignore[arg-type]


def run(model: MobileNetV1, *shape: int) -> dict[str, Tensor]:
    with torch.no_grad():
        return model.end_points(torch.empty(shape, device="meta"))


def convolve_by_hand(
    image: Tensor, weight: Tensor, stride: int, dilation: int, before: tuple[int, int]
) -> Tensor:
    """A convolution by its definition: sums over windows, zeros outside, in plain loops.

    before: zeros before the first row and column. Output sizes are ceil(size / stride).
    """
    _, _, height, width = image.shape
    depth, _, rows, columns = weight.shape
    out = torch.zeros(1, depth, -(-height // stride), -(-width // stride), dtype=image.dtype)
    for y in range(out.shape[2]):
        for x in range(out.shape[3]):
            for r in range(rows):
                for c in range(columns):
                    top = y * stride + r * dilation - before[0]
                    left = x * stride + c * dilation - before[1]
                    if 0 <= top < height and 0 <= left < width:
                        out[0, :, y, x] += weight[:, :, r, c] @ image[0, :, top, left]
    return out


def tensorflow_same(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Zeros before an axis, by TensorFlow's documented rule for SAME.

    https://www.tensorflow.org/api_docs/python/tf/nn, "Notes on padding": with
    size % stride == 0 the total is max(k - stride, 0), else max(k - size % stride, 0).
    """
    reach = (kernel - 1) * dilation + 1
    total = max(reach - (stride if size % stride == 0 else size % stride), 0)
    return total // 2


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (10, 7)])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (1, 4), (3, 1)])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 1), (5, 3), (2, 4)])
@pytest.mark.parametrize("explicit", [False, True])
def test_padding_puts_every_output_where_the_definition_does(
    size: tuple[int, int], stride: int, dilation: int, kernel: tuple[int, int], explicit: bool
) -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 2, *size, dtype=torch.float64)
    conv = PaddedConv2d(2, 3, kernel, stride=stride, dilation=dilation, explicit_padding=explicit)
    conv = conv.double()
    if explicit:
        before = tuple((k - 1) * dilation // 2 for k in kernel)
    else:
        before = tuple(
            tensorflow_same(s, k, stride, dilation) for s, k in zip(size, kernel, strict=True)
        )
    expected = convolve_by_hand(image, conv.weight, stride, dilation, (before[0], before[1]))
    torch.testing.assert_close(conv(image), expected)


def test_same_and_explicit_padding_differ_only_with_stride_2_on_an_even_size() -> None:
    torch.manual_seed(0)
    for size, stride, differ in [(8, 2, True), (9, 2, False), (8, 1, False), (9, 1, False)]:
        image = torch.randn(1, 2, size, size)
        same = PaddedConv2d(2, 2, (3, 3), stride=stride, explicit_padding=False)
        explicit = PaddedConv2d(2, 2, (3, 3), stride=stride, explicit_padding=True)
        explicit.load_state_dict(same.state_dict())
        assert same(image).shape == explicit(image).shape
        assert torch.allclose(same(image), explicit(image)) is not differ


@given(st.integers(1, 300), st.integers(1, 9), st.integers(1, 4), st.integers(1, 8))
def test_same_padding_leaves_ceil_of_size_over_stride(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    before, after = pad_same(size, kernel, stride, dilation)
    reach = (kernel - 1) * dilation + 1
    assert (size + before + after - reach) // stride + 1 == math.ceil(size / stride)
    assert 0 <= after - before <= 1
    assert sum(pad_explicit(kernel, dilation)) == reach - 1


def test_the_body_has_27_end_points_and_the_head_three_more() -> None:
    points = run(build(), 2, 3, 224, 224)
    names = list_body_endpoints(MOBILENET_V1_ROWS)
    assert len(names) == 27
    assert list(points) == [*names, "AvgPool_1a", "Logits", "Predictions"]
    assert points["Conv2d_13_pointwise"].shape == (2, 1024, 7, 7)
    assert points["AvgPool_1a"].shape == (2, 1024, 1, 1)
    assert points["Predictions"].shape == (2, 1000)


# Fixed points of the reference's own unit tests (nets/mobilenet_v1_test.py).
@pytest.mark.parametrize(
    ("options", "size", "point", "shape"),
    [
        ({}, (112, 112), "Conv2d_13_pointwise", (1024, 4, 4)),
        ({"alpha": 0.75}, (128, 128), "Conv2d_0", (24, 64, 64)),
        ({"alpha": 0.75}, (128, 128), "Conv2d_13_pointwise", (768, 4, 4)),
        ({"global_pool": True}, (250, 300), "Conv2d_13_pointwise", (1024, 8, 10)),
        (
            {"output_stride": 16, "global_pool": True},
            (224, 224),
            "Conv2d_13_pointwise",
            (1024, 14, 14),
        ),
        (
            {"output_stride": 8, "global_pool": True},
            (224, 224),
            "Conv2d_13_pointwise",
            (1024, 28, 28),
        ),
        ({"output_stride": 32}, (224, 224), "Conv2d_13_pointwise", (1024, 7, 7)),
        ({"num_classes": None, "global_pool": True}, (224, 224), "global_pool", (1024, 1, 1)),
        ({"num_classes": 1001}, (224, 224), "Logits", (1001,)),
        ({"spatial_squeeze": False}, (224, 224), "Logits", (1000, 1, 1)),
        ({"spatial_squeeze": False}, (320, 320), "Logits", (1000, 2, 2)),
        ({"num_classes": 5}, (32, 32), "Logits", (5,)),
    ],
)
def test_end_points_have_the_reference_shapes(
    options: dict[str, object], size: tuple[int, int], point: str, shape: tuple[int, ...]
) -> None:
    assert run(build(**options), 1, 3, *size)[point].shape == (1, *shape)


def test_no_classes_give_pooled_features_without_logits() -> None:
    points = run(build(num_classes=None), 1, 3, 224, 224)
    assert list(points)[-1] == "AvgPool_1a"
    assert "Logits" not in points


def test_no_prediction_leaves_the_logits_last() -> None:
    assert list(run(build(prediction=None), 1, 3, 224, 224))[-1] == "Logits"


@pytest.mark.parametrize("name", list_body_endpoints(MOBILENET_V1_ROWS))
def test_the_network_stops_at_each_final_endpoint(name: str) -> None:
    model = build(final_endpoint=name)
    assert list(run(model, 1, 3, 64, 64))[-1] == name
    whole = dict(build().named_parameters())
    assert {key: p.shape for key, p in model.named_parameters()}.items() <= {
        key: p.shape for key, p in whole.items()
    }.items()


def test_atrous_rates_follow_the_reference_rule() -> None:
    # The first row whose stride is taken away still has rate 1; later ones multiply.
    plan = plan_strides(MOBILENET_V1_ROWS, 8)
    assert plan[:6] == [(2, 1), (1, 1), (2, 1), (1, 1), (2, 1), (1, 1)]
    assert plan[6:12] == [(1, 1)] + [(1, 2)] * 5
    assert plan[12:] == [(1, 2), (1, 4)]
    assert plan_strides(MOBILENET_V1_ROWS, 16)[12:] == [(1, 1), (1, 2)]
    assert plan_strides(MOBILENET_V1_ROWS, None) == [(row.stride, 1) for row in MOBILENET_V1_ROWS]


def test_a_full_convolution_keeps_its_stride_at_the_output_stride() -> None:
    rows = (Conv((3, 3), 8, 8), Conv((3, 3), 2, 8), DepthSepConv((3, 3), 2, 8))
    assert plan_strides(rows, 8) == [(8, 1), (2, 1), (1, 2)]


def test_only_depthwise_convolutions_are_dilated() -> None:
    dilated = {
        conv.groups > 1
        for conv in build(output_stride=8).modules()
        if isinstance(conv, nn.Conv2d) and conv.dilation != (1, 1)
    }
    assert dilated == {True}


@pytest.mark.parametrize(
    ("alpha", "min_depth", "stem"), [(0.25, 8, 8), (0.1, 8, 8), (0.1, 1, 3), (0.77, 8, 24)]
)
def test_width_is_truncated_and_floored_at_min_depth(
    alpha: float, min_depth: int, stem: int
) -> None:
    model = build(alpha=alpha, min_depth=min_depth)
    assert model.get_submodule("Conv2d_0.conv").out_channels == stem


def test_model_variables_of_the_base_match_the_reference_unit_test() -> None:
    # mobilenet_v1_test.py: 3,217,920 with tf_slim's default batch_norm (beta, moving
    # mean, moving variance: three vectors); PyTorch's gamma, beta are two of four.
    base = build(final_endpoint="Conv2d_13_pointwise")
    kernels = sum(p.numel() for p in base.parameters() if p.dim() > 1)
    channels = sum(m.num_features for m in base.modules() if isinstance(m, nn.BatchNorm2d))
    assert kernels + 3 * channels == 3_217_920


def test_constants_are_the_references() -> None:
    norms = [m for m in build().modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 27
    assert {(norm.eps, round(norm.momentum or 0, 12)) for norm in norms} == {(1e-3, 3e-4)}
    assert build().get_submodule("dropout").p == pytest.approx(0.001)


def test_weights_are_truncated_normal_with_stddev_009() -> None:
    torch.manual_seed(0)
    weight = MobileNetV1().get_submodule("Conv2d_13.pointwise.conv").weight
    assert isinstance(weight, Tensor)
    assert weight.abs().max() <= 0.18
    # A normal cut at two standard deviations keeps 0.8796 of its standard deviation.
    assert weight.std().item() == pytest.approx(0.09 * 0.87963, rel=2e-3)
    bias = MobileNetV1().get_submodule("logits").bias
    assert isinstance(bias, Tensor)
    assert not bias.any()


@pytest.mark.parametrize(("depthwise", "kernels"), [(False, 15), (True, 28)])
def test_weight_decay_leaves_out_depthwise_kernels_unless_asked(
    depthwise: bool, kernels: int
) -> None:
    model = build()
    decayed, rest = group_weight_decay(model, regularize_depthwise=depthwise)
    assert (decayed["weight_decay"], rest["weight_decay"]) == (4e-5, 0.0)
    assert len(decayed["params"]) == kernels
    assert len(decayed["params"]) + len(rest["params"]) == len(list(model.parameters()))
    torch.optim.SGD([decayed, rest], lr=0.1)


def test_the_shallow_network_lacks_five_rows_of_512() -> None:
    assert len(MOBILENET_V1_ROWS) - len(SHALLOW_MOBILENET_V1_ROWS) == 5
    removed = [row for row in MOBILENET_V1_ROWS if row == DepthSepConv((3, 3), 1, 512)]
    assert len(removed) == 5
    assert DepthSepConv((3, 3), 1, 512) not in SHALLOW_MOBILENET_V1_ROWS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha must be a number above 0 and at most 1000, given 0"),
        ({"alpha": -1.0}, "alpha must be a number above 0"),
        ({"alpha": float("nan")}, "alpha must be a number above 0"),
        ({"output_stride": 12}, "output_stride must be 8, 16, 32 or left out, given 12"),
        ({"final_endpoint": "Conv2d_13_pointwize"}, "did you mean 'Conv2d_13_pointwise'"),
        ({"rows": (("Conf", (3, 3), 1, 8),)}, "convolution type in row 0: 'Conf' .*'Conv'"),
        ({"rows": (3,)}, "unknown convolution type in row 0"),
        ({"rows": ()}, "rows must hold at least one row"),
        ({"num_classes": -1}, "num_classes must be"),
        ({"dropout_keep": 0}, "dropout_keep must be"),
        ({"min_depth": 0}, "min_depth must be"),
        ({"prediction": "softmaks"}, "did you mean 'softmax'"),
    ],
)
def test_bad_arguments_get_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(mp.UsageError, match=message) as caught:
        build(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 1, 3, 224, 224), (5,)])
def test_input_of_another_rank_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(mp.UsageError, match="input must have rank 4"):
        run(build(), *shape)


def test_a_map_that_cannot_be_squeezed_is_refused() -> None:
    with pytest.raises(mp.UsageError, match="cannot squeeze logits of 2x2"):
        mp.trace("mobilenet_v1", resolution=320)
