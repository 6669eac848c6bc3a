"""The precision in which an ONNX file computes, read from the file itself. Needs onnx, but not torch."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporters.errors import ExportError

_PASS_THROUGH = ("Transpose", "Reshape", "Identity", "DequantizeLinear")
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


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
    layers = dict(_weights(_load(path).graph))
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


def _weights(graph: Any) -> Iterator[tuple[str, str]]:
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type in _WEIGHTED:
            for operand in node.input[:2]:
                yield from _resolve(operand, stored, producers)


def _resolve(operand: str, stored: dict[str, int], producers: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Follow an operand to the initialiser it comes from; nothing where it is computed from the image."""
    cast_to = None
    while operand not in stored:
        node = producers.get(operand)
        if node is None or node.op_type not in (*_PASS_THROUGH, "Cast"):
            return
        if node.op_type == "Cast" and cast_to is None:
            cast_to = node.attribute[0].i
        operand = node.input[0]
    yield operand, _name(stored[operand] if cast_to is None else cast_to)


def _name(element: int) -> str:
    import onnx

    return str(onnx.helper.tensor_dtype_to_np_dtype(element))
