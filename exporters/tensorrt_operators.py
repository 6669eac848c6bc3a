"""Which ONNX TensorRT's parser documents to understand, so that an export is refused here and not on the device.

Source: docs/operators.md of https://github.com/onnx/onnx-tensorrt. Of the operators that networks like ours may hold,
the table has those that the documents of TensorRT 9.2 and of 10.15 both list as supported, with the types that both
name: 10.3 lies between them. TensorRT 10.0 reads opsets 9 to 20, later versions more. Documents aren't a parser: none
was run.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import onnx
from onnx import numpy_helper

from exporters.errors import ExportError

OPSETS = range(9, 21)

_FLOAT = frozenset({"float32", "float16"})
_NUMBER = _FLOAT | {"int32", "int64"}
_ANY = _NUMBER | {"bool"}
_BY_TYPES: Mapping[frozenset[str], str] = MappingProxyType(
    {
        _FLOAT: "AveragePool BatchNormalization Clip Conv Elu Erf Exp Gemm GlobalAveragePool GlobalMaxPool HardSigmoid "
        "HardSwish InstanceNormalization LayerNormalization LeakyRelu Log LpNormalization MatMul MaxPool PRelu Pow "
        "QuantizeLinear Reciprocal Sigmoid Softmax Softplus Sqrt Tanh",
        _NUMBER: "Add Div Equal Greater Less Max Mean Min Mul Neg Pad ReduceL2 ReduceMax ReduceMean ReduceMin "
        "ReduceSum ReduceSumSquare Relu Sub Sum",
        _ANY: "Concat Constant Expand Flatten Gather Identity Reshape Shape Size Slice Split Squeeze Tile Transpose "
        "Unsqueeze Where",
        _ANY | {"uint8"}: "Cast",
        frozenset({"int8"}): "DequantizeLinear",
    }
)
OPERATORS: Mapping[str, frozenset[str]] = MappingProxyType(
    {name: types for types, names in _BY_TYPES.items() for name in names.split()}
)
"""Operators that are supported, and the types that their first input may have."""

_ONE_OUTPUT = frozenset({"LayerNormalization", "MaxPool"})
_CONSTANT_AXES = frozenset(name for name in OPERATORS if name.startswith("Reduce")) | {"Squeeze", "Unsqueeze"}
_QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear"})
_ZERO_POINT = 2  # the index of the input that must be zero


def check_operators(model: Any) -> None:
    """Check an ONNX model against what TensorRT's parser documents to support.

    Args:
        model: `onnx.ModelProto`, valid.

    Raises:
        ExportError: names the operators, types or opset that aren't supported.
    """
    problems = list(dict.fromkeys(_problems(model)))
    if problems:
        raise ExportError(
            f"TensorRT's ONNX parser can't be expected to understand the exported graph: {'; '.join(problems)}.",
            "Choose a model without them, or a profile whose format is onnx.",
        )


def _problems(model: Any) -> Iterator[str]:
    for opset in model.opset_import:
        if opset.domain:
            yield f"operators of {opset.domain}"
        elif opset.version not in OPSETS:
            yield f"opset {opset.version} where {OPSETS[0]} to {OPSETS[-1]} are supported"
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    types = _types(inferred.graph)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        yield from _node_problems(node, types, constants)


def _node_problems(node: Any, types: dict[str, str], constants: dict[str, Any]) -> Iterator[str]:
    if node.op_type not in OPERATORS:
        yield f"operator {node.op_type}"
        return
    first = types.get((*node.input, *node.output)[0], "an unknown type")
    if first not in OPERATORS[node.op_type]:
        yield f"{node.op_type} of {first}"
    if node.op_type != "Cast" and "uint8" in (types.get(name) for name in (*node.input, *node.output)):
        yield f"{node.op_type} of uint8, which may only be cast"
    if node.op_type in _ONE_OUTPUT and len(node.output) > 1:
        yield f"{node.op_type} with a second output"
    if node.op_type in _CONSTANT_AXES and any(name and name not in constants for name in node.input[1:]):
        yield f"{node.op_type} with computed axes"
    if node.op_type in _QUANTISING:
        yield from _zero_point_problems(node, constants)


def _zero_point_problems(node: Any, constants: dict[str, Any]) -> Iterator[str]:
    name = node.input[_ZERO_POINT] if len(node.input) > _ZERO_POINT else ""
    if name and (name not in constants or numpy_helper.to_array(constants[name]).any()):
        yield f"{node.op_type} with a zero point other than 0"


def _types(graph: Any) -> dict[str, str]:
    """Element types of all tensors by name."""
    values = (*graph.input, *graph.value_info, *graph.output)
    elements = {value.name: value.type.tensor_type.elem_type for value in values}
    elements |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    return {name: _dtype(element) for name, element in elements.items()}


def _dtype(element: int) -> str:
    return str(onnx.helper.tensor_dtype_to_np_dtype(element))
