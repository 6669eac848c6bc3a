import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from exporters import ExportError, ExportRequest, ExportResult, export, to_onnx
from exporters.int8_scheme import CPU
from exporters.onnx_contract import check_contract

RequestFor = Callable[..., ExportRequest]
Run = Callable[[Path, np.ndarray], np.ndarray]


class FixedBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, -1)[:, :16]


class WithoutOnnx(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvals(x[:, 0, :16, :16]).real


@pytest.fixture(scope="module")
def graph(onnx_float32: ExportResult) -> onnx.ModelProto:
    return onnx.load(onnx_float32.files[0])


@pytest.mark.parametrize("number", [1, 2, 3, 17])
def test_each_row_is_that_of_an_independent_float64_pipeline(
    onnx_float32: ExportResult, images: np.ndarray, reference: np.ndarray, run_onnx: Run, number: int
) -> None:
    found = run_onnx(onnx_float32.files[0], images[:number])
    assert found.dtype == np.float32
    assert found.shape == (number, 16)
    assert (1 - (found * reference[:number]).sum(axis=1)).max() <= 1e-6
    np.testing.assert_allclose(found, reference[:number], atol=1e-5, rtol=0)


def test_float16_stays_close_and_normalised(
    onnx_float16: ExportResult, images: np.ndarray, reference: np.ndarray, run_onnx: Run
) -> None:
    found = run_onnx(onnx_float16.files[0], images).astype(np.float64)
    norms = np.linalg.norm(found, axis=1)
    assert ((found * reference).sum(axis=1) / norms).min() >= 0.9999
    np.testing.assert_allclose(norms, 1, atol=1e-6)
    assert not np.allclose(found, reference, atol=1e-6), "float16 can't be this good: was it used at all?"


def test_float16_is_in_the_layers_and_float32_around_them(onnx_float16: ExportResult) -> None:
    graph = onnx.shape_inference.infer_shapes(onnx.load(onnx_float16.files[0])).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            assert {types[name] for name in (*node.input, *node.output)} == {half}
        if node.op_type in ("Mul", "Sub", "ReduceL2", "Clip", "Div"):
            assert types[node.output[0]] == single


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_zero_vector_gives_zeros(request_for: RequestFor, run_onnx: Run, tmp_path: Path, precision: str) -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 16))
    for weight in model.parameters():
        nn.init.zeros_(weight)
    result = export("onnx", model, request_for(precision=precision), tmp_path / "zero")
    assert np.array_equal(run_onnx(result.files[0], np.zeros((3, 32, 24, 3), np.uint8)), np.zeros((3, 16)))


def test_a_norm_that_folds_beyond_float16_is_refused_by_its_layer(
    net: nn.Module, request_for: RequestFor, tmp_path: Path
) -> None:
    dead = copy.deepcopy(net)
    nn.init.constant_(dead.first.norm.running_var, 1e-12)
    nn.init.constant_(dead.first.norm.weight, 1e4)
    with pytest.raises(ExportError, match=r"Layer first\.conv holds a weight of .* float16 ends at 65504"):
        export("onnx", dead, request_for(precision="float16"), tmp_path / "dead")
    assert list(tmp_path.iterdir()) == []


def test_says_what_it_wrote(onnx_float32: ExportResult, graph: onnx.ModelProto) -> None:
    path = onnx_float32.files[0]
    assert list(path.parent.iterdir()) == [path], "one file, weights inside"
    assert path.name == "net.onnx"
    assert onnx_float32.precision == "float32"
    assert (onnx_float32.status, onnx_float32.command) == ("built", None)
    assert onnx_float32.tools["opset"] == str(graph.opset_import[0].version) == "18"
    assert onnx_float32.tools["torch"] == torch.__version__


def test_metadata_is_readable_by_the_runtime(onnx_float32: ExportResult) -> None:
    session = onnxruntime.InferenceSession(onnx_float32.files[0], providers=["CPUExecutionProvider"])
    written = session.get_modelmeta().custom_metadata_map
    assert written == {"sfsc.sidecar": '{"width": 0.5}', "author": "a test"}


def test_norms_are_folded_and_pooling_is_one_operator(graph: onnx.ModelProto) -> None:
    operators = {node.op_type for node in graph.graph.node}
    assert not operators & {"BatchNormalization", "Gather", "Range", "Shape"}


def test_no_path_of_this_machine_is_in_the_file(onnx_float32: ExportResult) -> None:
    written = onnx_float32.files[0].read_bytes()
    assert b'.py", line' not in written
    assert str(Path(__file__).parents[2]).encode() not in written


def test_the_same_model_gives_the_same_bytes(
    net: nn.Module, request_for: RequestFor, onnx_float32: ExportResult, tmp_path: Path
) -> None:
    again = export("onnx", net, request_for(), tmp_path / "again")
    assert again.files[0].read_bytes() == onnx_float32.files[0].read_bytes()


def test_nothing_is_printed(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from torch import nn
from exporters import ExportRequest, export
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
request = ExportRequest(height=8, width=8, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), dim=4)
export("onnx", model, request, Path({str(tmp_path / "quiet")!r}))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout + told.stderr == ""


def test_a_stem_with_a_dot_keeps_it(request_for: RequestFor, tmp_path: Path) -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 16))
    assert export("onnx", model, request_for(), tmp_path / "pi@0.25").files == (tmp_path / "pi@0.25.onnx",)


def test_a_model_that_fixes_the_batch_is_refused(request_for: RequestFor, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"`embedding` float32 \[2, 16\].*fixes no batch size"):
        export("onnx", FixedBatch(), request_for(), tmp_path / "fixed")
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_onnx_lacks_is_told_in_one_line(request_for: RequestFor, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as told:
        export("onnx", WithoutOnnx(), request_for(), tmp_path / "eigen")
    assert "No ONNX function found" in told.value.message
    assert "linalg_eig" in told.value.message
    assert "\n" not in told.value.message


def test_an_embedding_of_another_size_is_refused(net: nn.Module, request_for: RequestFor, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"`embedding` float32 \[batch, 16\], expected .* \[N, 32\]"):
        export("onnx", net, request_for(dim=32), tmp_path / "wide")


def _fix_batch(graph: onnx.ModelProto) -> None:
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def _rename(graph: onnx.ModelProto) -> None:
    for node in graph.graph.node:
        node.output[:] = ["other" if name == "embedding" else name for name in node.output]
    graph.graph.output[0].name = "other"


def _break(graph: onnx.ModelProto) -> None:
    graph.graph.node[3].op_type = "NoSuchOperator"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_fix_batch, r"`image` uint8 \[1, 32, 24, 3\], expected `image` uint8 \[N, 32, 24, 3\]"),
        (_rename, "`other` float32"),
        (_break, "not valid ONNX"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_refused(
    graph: onnx.ModelProto, request_for: RequestFor, damage: Callable[[onnx.ModelProto], None], told: str
) -> None:
    check_contract(graph, request_for())
    damaged = onnx.ModelProto.FromString(graph.SerializeToString())
    damage(damaged)
    with pytest.raises(ExportError, match=told):
        check_contract(damaged, request_for())


def test_an_existing_file_and_a_missing_folder_are_told(onnx_float32: ExportResult, tmp_path: Path) -> None:
    graph = onnx.ModelProto()
    with pytest.raises(ExportError, match=r"net\.onnx can't be written: File exists"):
        to_onnx._write(graph, onnx_float32.files[0])
    with pytest.raises(ExportError, match="No such file or directory"):
        to_onnx._write(graph, tmp_path / "absent" / "net.onnx")


@pytest.mark.parametrize("asked", ["float16", "int8"])
def test_another_precision_than_asked_for_is_refused(
    onnx_float32: ExportResult, request_for: RequestFor, asked: str
) -> None:
    with pytest.raises(ExportError, match=f"computes in float32, {asked} was asked for"):
        to_onnx._checked_precision(onnx_float32.files[0], request_for(precision=asked), CPU)
