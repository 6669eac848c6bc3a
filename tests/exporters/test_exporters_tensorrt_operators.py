"""ONNX files that TensorRT profiles leave are such as its parser documents to understand."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from exporters import ExportError, ExportRequest, ExportResult, TensorrtTarget, export
from exporters.tensorrt_operators import OPERATORS, OPSETS, check_operators


def model_of(
    *nodes: Any,
    opset: int = 18,
    image: int = TensorProto.FLOAT,
    output: int = TensorProto.FLOAT,
    constants: Sequence[tuple[str, NDArray[Any]]] = (),
) -> Any:
    """A model from `x` [N, 4] to `y` [N, 4]."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", image, ["N", 4])],
        [helper.make_tensor_value_info("y", output, ["N", 4])],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def quantised(zero_point: int, kind: type = np.int8) -> Any:
    return model_of(
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
        constants=[("scale", np.array(0.5, np.float32)), ("zero", np.array(zero_point, kind))],
    )


@pytest.mark.parametrize("precision", ["tensorrt", "tensorrt_int8", "tensorrt_float32"])
def test_what_is_left_for_tensorrt_is_supported_and_valid(precision: str, request: pytest.FixtureRequest) -> None:
    left: ExportResult = request.getfixturevalue(precision)
    model = onnx.load(left.files[0])
    check_operators(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    assert model.opset_import[0].version in OPSETS
    assert {node.op_type for node in model.graph.node} <= set(OPERATORS)


@pytest.fixture(scope="module")
def tensorrt_float32(
    net: nn.Module, request_for: Callable[..., ExportRequest], tmp_path_factory: pytest.TempPathFactory
) -> ExportResult:
    target = TensorrtTarget(compute_capability="8.7", version=">=10.3,<12", workspace_mb=64)
    return export("tensorrt", net, request_for(tensorrt=target), tmp_path_factory.mktemp("tensorrt") / "net")


def test_symmetric_int8_is_supported() -> None:
    check_operators(quantised(0))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (model_of(helper.make_node("Hardmax", ["x"], ["y"])), "operator Hardmax"),
        (model_of(helper.make_node("Relu", ["x"], ["y"]), opset=21), "opset 21 where 9 to 20 are supported"),
        (model_of(helper.make_node("Relu", ["x"], ["y"]), opset=8), "opset 8 where"),
        (quantised(3), "QuantizeLinear with a zero point other than 0"),
        (quantised(0, np.uint8), "QuantizeLinear of uint8"),
        (
            model_of(helper.make_node("Relu", ["x"], ["y"]), image=TensorProto.DOUBLE, output=TensorProto.DOUBLE),
            "Relu of float64",
        ),
        (
            model_of(
                helper.make_node("Identity", ["x"], ["same"]),
                helper.make_node("Cast", ["same"], ["y"], to=TensorProto.FLOAT),
                image=TensorProto.UINT8,
            ),
            "Identity of uint8",
        ),
        (
            model_of(
                helper.make_node("Cast", ["x"], ["integers"], to=TensorProto.INT32),
                helper.make_node("DequantizeLinear", ["integers", "scale"], ["y"]),
                constants=[("scale", np.array(0.5, np.float32))],
            ),
            "DequantizeLinear of int32",
        ),
        (
            model_of(
                helper.make_node("Identity", ["axes"], ["computed"]),
                helper.make_node("ReduceL2", ["x", "computed"], ["norm"], keepdims=1),
                helper.make_node("Div", ["x", "norm"], ["y"]),
                constants=[("axes", np.array([1]))],
            ),
            "ReduceL2 with computed axes",
        ),
    ],
)
def test_what_the_parser_does_not_document_is_named(model: Any, problem: str) -> None:
    with pytest.raises(ExportError, match="TensorRT's ONNX parser") as caught:
        check_operators(model)
    assert problem in caught.value.message


def test_operators_of_other_domains_are_named() -> None:
    model = model_of(helper.make_node("Relu", ["x"], ["y"]))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(ExportError, match=r"operators of com\.microsoft"):
        check_operators(model)


class Determinant(nn.Module):
    """A model with an operator of ONNX that no TensorRT parser has."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Any) -> Any:
        embedding = self.net(x)
        return embedding * embedding.reshape(-1, 4, 4).det()[:, None]


def test_an_export_of_an_unsupported_model_leaves_no_recipe(
    net: nn.Module, request_for: Callable[..., ExportRequest], tmp_path: Path
) -> None:
    target = TensorrtTarget(compute_capability="8.7", version=">=10.3,<12", workspace_mb=64)
    with pytest.raises(ExportError, match="operator Det"):
        export("tensorrt", Determinant(net).eval(), request_for(tensorrt=target), tmp_path / "net")
    assert not list(tmp_path.glob("*.build.json"))
