"""What a rule adds up: a small pure function of an operation and the module it ran in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from mobilenet_profiler.cost import ModuleFacts, OpCost, Shape

Quantity = Callable[[OpCost, ModuleFacts], int]

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def count_macs(op: OpCost, module: ModuleFacts) -> int:
    """Multiply-accumulates, as `trace/formulas.py` has them."""
    return op.macs


def count_input(op: OpCost, module: ModuleFacts) -> int:
    """Elements of the first tensor."""
    return prod(op.inputs[0]) if op.inputs else 0


def count_output(op: OpCost, module: ModuleFacts) -> int:
    """Elements of the first result."""
    return prod(op.outputs[0]) if op.outputs else 0


def count_bias(op: OpCost, module: ModuleFacts) -> int:
    """Additions of a bias: one an output element, none without a bias."""
    return count_output(op, module) if "bias" in op.arguments else 0


def count_bias_parameters(op: OpCost, module: ModuleFacts) -> int:
    """The bias itself, whatever the size of the map."""
    return prod(find_shape(op, "bias") or (0,))


def count_addend(op: OpCost, module: ModuleFacts) -> int:
    """Elements of what `addmm` and `baddbmm` add to, before broadcasting."""
    return prod(find_shape(op, "self") or (0,))


def count_left_by_columns(op: OpCost, module: ModuleFacts) -> int:
    """Elements of the left matrix times columns of the right one: MACs, unless it broadcasts."""
    left, right = op.inputs[-2:]
    return prod(left) * right[-1]


def count_scores(op: OpCost, module: ModuleFacts) -> int:
    """Elements of the attention matrix, all heads."""
    query, key = op.inputs[:2]
    return prod(query[:-1]) * key[-2]


def count_transposed_by_output(op: OpCost, module: ModuleFacts) -> int:
    """A transposed convolution as if each output position applied the whole kernel."""
    weight, output = op.inputs[1], op.outputs[0]
    return _count_batch(output, weight) * _count_positions(output, weight) * prod(weight)


def count_transposed_divided_twice(op: OpCost, module: ModuleFacts) -> int:
    """A transposed convolution's MACs, its output channels divided by groups once too often."""
    image, weight = op.inputs[:2]
    channels = weight[1] // _read_int(op, "groups")
    kernel = weight[0] * channels * prod(weight[2:])
    return _count_batch(image, weight) * _count_positions(image, weight) * kernel


def count_transposed_bias_shrunk(op: OpCost, module: ModuleFacts) -> int:
    """Its bias over the output that a convolution which is not transposed would have."""
    if "bias" not in op.arguments:
        return 0
    image, weight = op.inputs[:2]
    rank = len(weight) - 2
    sizes = zip(
        image[-rank:],
        weight[2:],
        *(_read_sizes(op, name, rank) for name in ("stride", "padding", "dilation")),
        strict=True,
    )
    positions: int = prod((size + 2 * p - (d * (k - 1) + 1)) // s + 1 for size, k, s, p, d in sizes)
    return _count_batch(image, weight) * weight[1] * positions


def count_adaptive_windows(op: OpCost, module: ModuleFacts) -> int:
    """An element a place of the mean window and one division, an output element, cut to a whole.

    In floating point, since the tool that counts so does: 7 / 3 is not exact.
    """
    image, output = op.inputs[0], op.outputs[0]
    window = 1.0
    for size, target in zip(image[2:], output[2:], strict=True):
        window *= size / target
    return int((window + 1) * prod(output))


def count_windows(op: OpCost, module: ModuleFacts) -> int:
    """Kernel places of a pool, an output element; of an adaptive one its input elements."""
    kernel = op.options.get("kernel_size")
    if kernel is None:
        return count_input(op, module)
    rank = int(op.name[-2]) if op.name.endswith("d") else 2
    return count_output(op, module) * prod(_read_sizes(op, "kernel_size", rank))


def count_softmax_steps(op: OpCost, module: ModuleFacts) -> int:
    """n exponentials, n - 1 additions and n divisions a vector of n."""
    size = op.inputs[0][_read_int(op, "dim")]
    return prod(op.inputs[0]) // size * (3 * size - 1)


def count_target_positions(op: OpCost, module: ModuleFacts) -> int:
    """Positions of the output, without batch and channels."""
    return prod(op.outputs[0][2:])


def count_scaled(op: OpCost, module: ModuleFacts) -> int:
    """Input elements times the scale factors, cut to a whole."""
    factors = op.options.get("scale_factors") or ()
    return int(prod(op.inputs[0]) * prod(factors))


def count_gate_products(op: OpCost, module: ModuleFacts) -> int:
    """A recurrent layer's products with input and state, without an LSTM's projection."""
    return _count_steps(op) * sum(prod(shape) for shape in _list_gate_matrices(op))


def count_gates(op: OpCost, module: ModuleFacts) -> int:
    """Numbers that all gates of a recurrent layer give, all steps, layers and directions."""
    return _count_steps(op) * sum(shape[0] for shape in _list_gate_matrices(op)) // 2


def count_states(op: OpCost, module: ModuleFacts) -> int:
    """Numbers of the hidden state, all steps, layers and directions."""
    return count_gates(op, module) // _find_gates(op)


def count_recurrent_bias(op: OpCost, module: ModuleFacts) -> int:
    """Both biases of a recurrent layer at every step."""
    names = ("params", "b_ih", "b_hh")
    shapes = [s for name, s in zip(op.arguments, op.inputs, strict=True) if name in names]
    return _count_steps(op) * sum(shape[0] for shape in shapes if len(shape) == 1)


def count_parameters_by_batch(op: OpCost, module: ModuleFacts) -> int:
    """Weight and bias of the module once for each entry of its output's first dimension."""
    return op.outputs[0][0] * _count_parameters(module) if op.outputs and op.outputs[0] else 0


def count_parameters_by_position(op: OpCost, module: ModuleFacts) -> int:
    """The same at every position of its output, as a convolution applies them."""
    shape = op.outputs[0]
    return prod((shape[0], *shape[2:])) * _count_parameters(module)


def count_step_parameters(op: OpCost, module: ModuleFacts) -> int:
    """Those with longer names (`weight_ih_l0`) by its output's first two dimensions."""
    sizes = [
        prod(tensor.shape)
        for tensor in module.parameters
        if ("weight" in tensor.name or "bias" in tensor.name)
        and tensor.name not in ("weight", "bias")
    ]
    return prod(op.outputs[0][:2]) * sum(sizes) if op.outputs else 0


QUANTITIES: Mapping[str, Quantity] = {
    "macs": count_macs,
    "input_elements": count_input,
    "output_elements": count_output,
    "bias_elements": count_bias,
    "bias_parameters": count_bias_parameters,
    "addend_elements": count_addend,
    "left_by_columns": count_left_by_columns,
    "attention_scores": count_scores,
    "transposed_by_output": count_transposed_by_output,
    "transposed_divided_twice": count_transposed_divided_twice,
    "transposed_bias_shrunk": count_transposed_bias_shrunk,
    "adaptive_windows": count_adaptive_windows,
    "window_elements": count_windows,
    "softmax_steps": count_softmax_steps,
    "target_positions": count_target_positions,
    "scaled_elements": count_scaled,
    "gate_products": count_gate_products,
    "gate_elements": count_gates,
    "state_elements": count_states,
    "recurrent_bias_elements": count_recurrent_bias,
    "parameters_by_batch": count_parameters_by_batch,
    "parameters_by_position": count_parameters_by_position,
    "step_parameters": count_step_parameters,
}
BIASES = frozenset(
    {
        *("bias_elements", "bias_parameters", "addend_elements", "transposed_bias_shrunk"),
        "recurrent_bias_elements",
    }
)


def find_shape(op: OpCost, name: str) -> Shape | None:
    """The shape of the tensor given as that argument."""
    return dict(zip(op.arguments, op.inputs, strict=False)).get(name)


def _count_batch(image: Shape, weight: Shape) -> int:
    return image[0] if len(image) == len(weight) else 1


def _count_positions(image: Shape, weight: Shape) -> int:
    return prod(image[len(image) - len(weight) + 2 :])


def _read_int(op: OpCost, name: str) -> int:
    value = op.options.get(name, 1)
    return value if isinstance(value, int) else 1


def _read_sizes(op: OpCost, name: str, rank: int) -> tuple[int, ...]:
    value = op.options.get(name, 0 if name == "padding" else 1)
    sizes = value if isinstance(value, tuple) else (value,)
    return sizes * rank if len(sizes) == 1 else sizes


def _list_gate_matrices(op: OpCost) -> list[Shape]:
    """Those for input and state: each pair has as many rows, a projection fewer."""
    matrices = [
        shape
        for name, shape in zip(op.arguments, op.inputs, strict=True)
        if len(shape) == 2 and name in ("params", "w_ih", "w_hh")
    ]
    rows = matrices[0][0] if matrices else 0
    return [shape for shape in matrices if shape[0] == rows]


def _count_steps(op: OpCost) -> int:
    return prod(op.inputs[0][:-1])


def _find_gates(op: OpCost) -> int:
    return _GATES.get(op.name.removeprefix("aten::").removesuffix("_cell"), 1)


def _count_parameters(module: ModuleFacts) -> int:
    return sum(
        prod(tensor.shape) for tensor in module.parameters if tensor.name in ("weight", "bias")
    )
