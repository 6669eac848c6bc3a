from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters import ExportError, ExportResult
from exporters.precision import precision_per_layer, read_precision


def _save(path: Path, nodes: list[onnx.NodeProto], **weights: np.ndarray) -> Path:
    stored = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [image], [], stored)), path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.onnx"


MATRIX = np.ones((4, 4))


def test_exported_files_tell_their_precision(onnx_float32: ExportResult, onnx_float16: ExportResult) -> None:
    assert read_precision(onnx_float32.files[0]) == "float32"
    assert read_precision(onnx_float16.files[0]) == onnx_float16.precision == "float16"
    layers = precision_per_layer(onnx_float16.files[0])
    assert layers["model.stem.conv.weight"] == "float16"
    assert len(layers) == 5


def test_layers_that_differ_are_told(path: Path) -> None:
    nodes = [helper.make_node("Gemm", ["x", "a"], ["y"]), helper.make_node("MatMul", ["y", "b"], ["z"])]
    _save(path, nodes, a=MATRIX.astype(np.float32), b=MATRIX.astype(np.float16))
    assert read_precision(path) == "mixed (float16: 1, float32: 1)"
    assert precision_per_layer(path) == {"a": "float32", "b": "float16"}


def test_weights_stored_in_float16_but_used_in_float32_are_float32(path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["w"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["cast"], ["turned"]),
        helper.make_node("MatMul", ["x", "turned"], ["y"]),
    ]
    assert read_precision(_save(path, nodes, w=MATRIX.astype(np.float16))) == "float32"


def _quantised(path: Path, *, activation: str) -> Path:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "scale"], ["real_x"]),
        helper.make_node("DequantizeLinear", ["w_quantized", "scale"], ["real_w"]),
        helper.make_node("MatMul", [activation, "real_w"], ["y"]),
    ]
    return _save(path, nodes, w_quantized=MATRIX.astype(np.int8), scale=np.float32(0.1))


def test_quantised_weights_and_activations_are_int8(path: Path) -> None:
    assert precision_per_layer(_quantised(path, activation="real_x")) == {"w": "int8"}


def test_weights_that_are_only_stored_in_int8_are_float32(path: Path) -> None:
    assert precision_per_layer(_quantised(path, activation="x")) == {"w": "float32"}


def test_products_of_activations_have_no_say(path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "x"], ["y"]), helper.make_node("MatMul", ["y", "w"], ["z"])]
    assert read_precision(_save(path, nodes, w=MATRIX.astype(np.float16))) == "float16"


def test_a_graph_without_layers_is_refused(path: Path) -> None:
    _save(path, [helper.make_node("Relu", ["x"], ["y"])])
    with pytest.raises(ExportError, match="neither a convolution nor a matrix product"):
        read_precision(path)


@pytest.mark.parametrize("content", [b"no model", None])
def test_what_is_no_model_is_refused(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError, match="can't be read as an ONNX model"):
        read_precision(path)
