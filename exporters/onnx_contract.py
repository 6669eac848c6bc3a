"""The input and output that every ONNX artifact has."""

from typing import Any

import onnx

from exporters.errors import ExportError
from exporters.request import ExportRequest

INPUT = "image"
OUTPUT = "embedding"

_Value = tuple[str, str, list[int | str]]


def check_contract(model: Any, request: ExportRequest) -> None:
    """Check an ONNX model: valid, `image` uint8 `[N, H, W, 3]` to `embedding` float32 `[N, D]` with N open.

    Args:
        model: `onnx.ModelProto`.
        request: gives H, W and D.

    Raises:
        ExportError: what was found and what was expected.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"The exported graph is not valid ONNX: {error}") from error
    _check_values("input", model.graph.input, (INPUT, "uint8", ["N", request.height, request.width, 3]))
    _check_values("output", model.graph.output, (OUTPUT, "float32", ["N", request.dim]))


def _check_values(kind: str, values: Any, expected: _Value) -> None:
    found = [_value(value) for value in values]
    if [_with_open_batch(value) for value in found] != [expected]:
        raise ExportError(
            f"The exported graph has {kind} {', '.join(map(_text, found))}, expected {_text(expected)} with N open.",
            "Check the request's image size and dim, and that the model's forward fixes no batch size.",
        )


def _value(value: Any) -> _Value:
    tensor = value.type.tensor_type
    dims: list[int | str] = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim]
    return value.name, str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)), dims


def _with_open_batch(value: _Value) -> _Value:
    name, dtype, dims = value
    return name, dtype, ["N", *dims[1:]] if dims and isinstance(dims[0], str) else dims


def _text(value: _Value) -> str:
    name, dtype, dims = value
    return f"`{name}` {dtype} [{', '.join(map(str, dims))}]"
