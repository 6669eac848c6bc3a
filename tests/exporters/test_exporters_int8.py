import copy
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from torch import nn

from exporters import ExportError, ExportRequest, ExportResult, export
from exporters.formats import harm
from exporters.precision import precision_per_layer, read_precision

RequestFor = Callable[..., ExportRequest]
Run = Callable[[Path, np.ndarray], np.ndarray]
AROUND_THE_OUTLIER = ("model.stem.conv.weight", "model.first.conv.weight", "model.shortcut.conv.weight")
BEFORE_AND_AFTER = {"Cast", "Mul", "Sub", "ReduceL2", "Clip", "Div"}


@pytest.fixture(params=["onnx_int8", "tensorrt_int8"])
def result(request: pytest.FixtureRequest) -> ExportResult:
    found: ExportResult = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def outlier(net: nn.Module) -> nn.Module:
    """The same function, but one channel after the stem has values a thousand times those of the others."""
    loud = copy.deepcopy(net)
    loud.stem.norm.weight.data[0] *= 1000
    loud.stem.norm.bias.data[0] *= 1000
    for layer in (loud.first.conv, loud.shortcut.conv):
        layer.weight.data[:, 0] /= 1000
    return loud


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _nodes(graph: onnx.GraphProto, operator: str) -> list[onnx.NodeProto]:
    return [node for node in graph.node if node.op_type == operator]


def _types(path: Path) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    return {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_every_layer_is_int8_and_is_told_so(result: ExportResult, onnx_float32: ExportResult) -> None:
    layers = precision_per_layer(result.files[0])
    assert set(layers.values()) == {"int8"}
    assert set(layers) == set(precision_per_layer(onnx_float32.files[0])), "layers keep their names"
    assert (result.precision, result.precision_per_layer, result.calibrated) == ("int8", None, 17)
    assert "onnxruntime" in result.tools


def test_embeddings_stay_close_and_normalised(
    result: ExportResult, images: np.ndarray, reference: np.ndarray, run_onnx: Run
) -> None:
    found = run_onnx(result.files[0], images)
    assert np.median(_cosine(found, reference)) >= 0.99
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert _cosine(found, reference).min() < 0.99999, "int8 can't be this good: was it used at all?"


def test_weights_are_symmetric_with_a_scale_for_each_channel(result: ExportResult, net: nn.Module) -> None:
    graph = onnx.load(result.files[0]).graph
    constants = _constants(graph)
    weights = {name: value for name, value in constants.items() if value.dtype == np.int8 and value.ndim > 1}
    assert len(weights) == 5
    for node in _nodes(graph, "DequantizeLinear"):
        if node.input[0] in weights:
            scale, zero = (constants[name] for name in node.input[1:])
            outputs = weights[node.input[0]].shape[0]
            assert node.attribute[0].i == 0
            assert scale.shape == zero.shape == (outputs,)
            assert not zero.any()


def test_cpus_get_asymmetric_uint8_and_weights_of_7_bits(onnx_int8: ExportResult) -> None:
    graph = onnx.load(onnx_int8.files[0]).graph
    constants = _constants(graph)
    zeros = [constants[node.input[2]] for node in _nodes(graph, "QuantizeLinear")]
    assert {zero.dtype for zero in zeros} == {np.dtype(np.uint8)}
    assert max(np.abs(value.astype(int)).max() for value in constants.values() if value.dtype == np.int8) == 64
    assert onnx_int8.tools["opset"] == "18"


def test_cpus_get_integers_from_layer_to_layer(onnx_int8: ExportResult) -> None:
    graph = onnx.load(onnx_int8.files[0]).graph
    takers = {name: node.op_type for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type in ("Conv", "Add", "MaxPool", "Gemm"):
            assert takers[node.output[0]] == "QuantizeLinear"


def test_tensorrt_gets_symmetric_int8_in_front_of_layers_alone(tensorrt_int8: ExportResult) -> None:
    graph = onnx.load(tensorrt_int8.files[0]).graph
    constants = _constants(graph)
    for node in (*_nodes(graph, "QuantizeLinear"), *_nodes(graph, "DequantizeLinear")):
        assert constants[node.input[1]].dtype == np.float16
        assert constants[node.input[2]].dtype == np.int8
        assert not constants[node.input[2]].any()
    producers = {name: node.op_type for node in graph.node for name in node.output}
    assert {producers[node.input[0]] for node in _nodes(graph, "QuantizeLinear")} <= {
        "Cast",
        "MaxPool",
        "Relu",
        "ReduceMean",
        "GlobalAveragePool",
        "Reshape",
        "Flatten",
    }
    takers = {name: node.op_type for node in graph.node for name in node.input}
    assert {takers[node.output[0]] for node in _nodes(graph, "DequantizeLinear")} == {"Conv", "Gemm"}


def test_what_tensorrt_does_not_get_in_int8_is_float16(tensorrt_int8: ExportResult) -> None:
    graph = onnx.load(tensorrt_int8.files[0]).graph
    types = _types(tensorrt_int8.files[0])
    for operator in ("Conv", "Gemm", "Add", "Relu"):
        assert {types[node.output[0]] for node in _nodes(graph, operator)} == {TensorProto.FLOAT16}
    assert tensorrt_int8.tools["opset"] == "19"


def test_scaling_and_normalisation_stay_float32(result: ExportResult) -> None:
    graph = onnx.load(result.files[0]).graph
    types = _types(result.files[0])
    producers = {name: node.op_type for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type in BEFORE_AND_AFTER - {"Cast"}:
            assert types[node.output[0]] == TensorProto.FLOAT
    assert not {"QuantizeLinear", "DequantizeLinear"} & {
        producers.get(name) for name in _nodes(graph, "Div")[0].input[1:]
    }


def test_ranges_are_those_of_all_images_whatever_their_batch(
    net: nn.Module, request_for: RequestFor, tmp_path: Path
) -> None:
    grey = np.full((70, 32, 24, 3), 128, np.uint8)
    grey[40], grey[65] = 0, 255
    written = export("onnx", net, request_for(precision="int8", calibration=grey), tmp_path / "net").files[0]
    graph = onnx.load(written).graph
    (first,) = (node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "permute")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    lowest, highest = (-mean / std).min(), ((1 - mean) / std).max()
    assert _constants(graph)[first.input[1]] == pytest.approx((highest - lowest) / 255, rel=1e-5)


def test_calibration_decides_what_is_written(
    net: nn.Module, request_for: RequestFor, images: np.ndarray, onnx_int8: ExportResult, tmp_path: Path
) -> None:
    same = export("onnx", net, request_for(precision="int8", calibration=images), tmp_path / "same")
    other = export("onnx", net, request_for(precision="int8", calibration=images // 2), tmp_path / "other")
    assert same.files[0].read_bytes() == onnx_int8.files[0].read_bytes()
    assert other.files[0].read_bytes() != onnx_int8.files[0].read_bytes()


def test_without_calibration_nothing_is_written(net: nn.Module, request_for: RequestFor, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="int8 was asked for without calibration images") as told:
        export("onnx", net, request_for(precision="int8"), tmp_path / "net")
    assert "--calibration" in told.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_quantiser_that_does_nothing_is_caught(
    net: nn.Module, request_for: RequestFor, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporters.quantise.quantise", lambda graph, *_, **__: graph)
    with pytest.raises(ExportError, match="computes in float32, int8 was asked for"):
        export("onnx", net, request_for(precision="int8", calibration=images), tmp_path / "net")


def test_spared_layers_keep_the_type_of_the_rest(
    net: nn.Module, request_for: RequestFor, images: np.ndarray, tmp_path: Path
) -> None:
    spared = ("model.stem.conv.weight", "model.head.0.weight")
    wanted = request_for(precision="int8", calibration=images, spared=spared)
    result = export("onnx", net, wanted, tmp_path / "net")
    assert result.precision == read_precision(result.files[0]) == "mixed (float32: 2, int8: 3)"
    assert result.precision_per_layer is not None
    assert {name for name, precision in result.precision_per_layer.items() if precision == "float32"} == set(spared)


def test_what_passes_on_a_spared_result_is_spared_too(
    net: nn.Module, request_for: RequestFor, images: np.ndarray, tmp_path: Path
) -> None:
    wanted = request_for(precision="int8", calibration=images, spared=("model.second.conv.weight",))
    graph = onnx.load(export("onnx", net, wanted, tmp_path / "net").files[0]).graph
    takers = {name: node for node in graph.node for name in node.input}
    producers = {name: node for node in graph.node for name in node.output}
    (addition,) = _nodes(graph, "Add")
    assert producers[addition.input[0]].op_type == "Conv"
    assert takers[addition.output[0]].op_type == "Relu"


def test_a_layer_that_is_not_there_cannot_be_spared(
    net: nn.Module, request_for: RequestFor, images: np.ndarray, tmp_path: Path
) -> None:
    wanted = request_for(precision="int8", calibration=images, spared=("model.tail.weight",))
    with pytest.raises(ExportError, match=r"no layer model\.tail\.weight") as told:
        export("onnx", net, wanted, tmp_path / "net")
    assert "model.stem.conv.weight" in told.value.remedy


def test_harm_finds_the_layers_around_an_outlier(
    outlier: nn.Module, request_for: RequestFor, images: np.ndarray, tmp_path: Path
) -> None:
    found = harm("onnx", outlier, request_for(precision="int8", calibration=images), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(found) == 5
    worst = sorted(found, key=lambda name: -found[name])[:3]
    assert set(worst) == set(AROUND_THE_OUTLIER)
    assert found[worst[2]] > 100 * sorted(found.values())[-4]


def test_sparing_the_harmed_layers_mends_the_embeddings(
    outlier: nn.Module,
    request_for: RequestFor,
    images: np.ndarray,
    reference: np.ndarray,
    run_onnx: Run,
    tmp_path: Path,
) -> None:
    wanted = {"precision": "int8", "calibration": images}
    every = export("onnx", outlier, request_for(**wanted), tmp_path / "every")
    mixed = export("onnx", outlier, request_for(**wanted, spared=AROUND_THE_OUTLIER), tmp_path / "mixed")
    lost, kept = (_cosine(run_onnx(result.files[0], images), reference).min() for result in (every, mixed))
    assert lost < 0.98
    assert kept > 0.9999


def test_nothing_is_left_behind(result: ExportResult) -> None:
    assert sorted(result.files[0].parent.iterdir()) == sorted(result.files)


def test_nothing_is_said_and_logging_stays_as_it_is(tmp_path: Path) -> None:
    code = f"""
import logging
from pathlib import Path
import numpy as np
from torch import nn
from exporters import ExportRequest, export
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
model[0].weight.data[0] = 1e-9
images = np.zeros((5, 8, 8, 3), np.uint8)
request = ExportRequest(8, 8, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 4, precision="int8", calibration=images)
export("onnx", model, request, Path({str(tmp_path / "quiet")!r}))
assert not logging.getLogger().handlers and not logging.getLogger().filters
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout + told.stderr == ""


def test_other_loggers_are_heard_while_quantising(caplog: pytest.LogCaptureFixture) -> None:
    from exporters.quiet import quiet_quantiser

    with quiet_quantiser():
        logging.getLogger().warning("from elsewhere")
    assert "from elsewhere" in caplog.text
