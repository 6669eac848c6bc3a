"""The precision in which an ONNX file computes, read from the file itself. Needs onnx, but not torch."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from exporters.errors import ExportError

_PASS_THROUGH = ("Transpose", "Reshape", "Identity")
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "FusedConv", "FusedGemm", "FusedMatMul")
"""Those of ONNX, and what ONNX Runtime makes of them and of the activation that follows."""
_QUANTISED = "_quantized"  # what ONNX Runtime appends to the name of weights


def read_precision(path: Path) -> str:
    """Tell in which precision the convolutions and matrix products of an ONNX file compute.

    Returns:
        `float32`, `float16`, `int8` ..., or where layers differ `mixed (float16: 20, float32: 1)`.

    Raises:
        ExportError: the file is no ONNX model, or has no such layer.
    """
    return summary(precision_per_layer(path))


def summary(per_layer: Mapping[str, str]) -> str:
    """Tell the precision of a whole model, given that of each layer by name; at least one."""
    layers = Counter(per_layer.values())
    if len(layers) == 1:
        return next(iter(layers))
    return f"mixed ({', '.join(f'{name}: {number}' for name, number in sorted(layers.items()))})"


def precision_per_layer(path: Path) -> dict[str, str]:
    """Tell the precision of each convolution and matrix product with weights, by the name of its weights.

    Raises:
        ExportError: the file is no ONNX model, or has no such layer.
    """
    return layers_of(_load(path).graph, path)


def layers_of(graph: Any, path: Path) -> dict[str, str]:
    """Tell the precision of each layer of an `onnx.GraphProto` that was read from `path`.

    Raises:
        ExportError: it has no such layer, or a node lacks what it must have.
    """
    try:
        layers = {layer.name: layer.precision for layer in weighted_layers(graph)}
    except (LookupError, ValueError) as error:
        raise ExportError(f"{path} holds a graph that isn't whole: {error!r}", "Export it again.") from error
    if not layers:
        raise ExportError(f"{path} holds neither a convolution nor a matrix product with weights of its own.")
    return layers


def _load(path: Path) -> Any:  # onnx.ModelProto
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load(path, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise ExportError(f"{path} can't be read as an ONNX model: {error}", "Export it again.") from error


@dataclass(frozen=True)
class WeightedLayer:
    """A convolution or matrix product of a graph.

    Attributes:
        name: of its weights, the same before and after quantisation.
        node: name of its node.
        precision: that it computes in. Weights that are only stored in a smaller type have no say.
    """

    name: str
    node: str
    precision: str


def weighted_layers(graph: Any) -> Iterator[WeightedLayer]:
    """Find the convolutions and matrix products with weights of their own, in the order of an `onnx.GraphProto`."""
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type in _WEIGHTED:
            for operand, other in (node.input[:2], reversed(node.input[:2])):
                weights = _resolve(operand, stored, producers)
                if weights is not None:
                    is_integer = _is_dequantised(other, producers)
                    yield WeightedLayer(weights.name, node.name, weights.integer if is_integer else weights.real)


class _Weights(NamedTuple):
    """An initialiser that a layer takes: its type where the layer computes in integers, and where it doesn't."""

    name: str
    integer: str
    real: str


def _resolve(operand: str, stored: Mapping[str, int], producers: Mapping[str, Any]) -> _Weights | None:
    """Follow an operand to the initialiser it comes from; None where it is computed from the image."""
    used_as, passed = None, set[str]()
    while operand not in stored:
        node = producers.get(operand)
        if node is None or operand in passed or node.op_type not in (*_PASS_THROUGH, "Cast", "DequantizeLinear"):
            return None
        passed.add(operand)
        if node.op_type == "DequantizeLinear":
            return _dequantised(node, stored, used_as)
        if node.op_type == "Cast" and used_as is None:
            used_as = node.attribute[0].i
        operand = node.input[0]
    precision = _name(stored[operand] if used_as is None else used_as)
    return _Weights(operand, precision, precision)


def _dequantised(node: Any, stored: Mapping[str, int], used_as: int | None) -> _Weights | None:
    values, scale = node.input[:2]
    if values not in stored:
        return None
    real = _name(stored[scale] if used_as is None else used_as)
    return _Weights(values.removesuffix(_QUANTISED), _name(stored[values]), real)


def _is_dequantised(operand: str, producers: Mapping[str, Any]) -> bool:
    return operand in producers and producers[operand].op_type == "DequantizeLinear"


def _name(element: int) -> str:
    import onnx

    return str(onnx.helper.tensor_dtype_to_np_dtype(element))
