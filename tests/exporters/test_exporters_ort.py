"""ONNX Runtime's own format: the same numbers, the same metadata, its precision read from the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from torch import nn

from exporters import ExportError, ExportRequest, ExportResult, export, to_ort
from exporters.ort_precision import read_precision

RequestFor = Callable[..., ExportRequest]


@pytest.fixture(scope="module")
def ort(net: nn.Module, request_for: RequestFor, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return export("ort", net, request_for(), tmp_path_factory.mktemp("ort") / "net@0.5")


def test_one_file_is_written_and_told(ort: ExportResult, onnx_float32: ExportResult) -> None:
    (path,) = ort.files
    assert [path] == list(path.parent.iterdir())
    assert path.name == "net@0.5.ort"
    assert (ort.format, ort.precision, ort.status) == ("ort", "float32", "built")
    assert (ort.parameters, ort.multiply_adds) == (onnx_float32.parameters, onnx_float32.multiply_adds)
    assert ort.tools["onnxruntime"] == onnxruntime.__version__


@pytest.mark.parametrize("count", [1, 2, 17])
def test_it_embeds_as_the_model_does(
    ort: ExportResult, images: np.ndarray, reference: np.ndarray, run_onnx: Callable[..., np.ndarray], count: int
) -> None:
    np.testing.assert_allclose(run_onnx(ort.files[0], images[:count]), reference[:count], atol=1e-5)


def test_metadata_is_kept(ort: ExportResult) -> None:
    kept = onnxruntime.InferenceSession(ort.files[0]).get_modelmeta().custom_metadata_map
    assert kept == {"sfsc.sidecar": '{"width": 0.5}', "author": "a test"}


def test_no_tensor_is_laid_out_for_this_processor(ort: ExportResult) -> None:
    assert b"Reorder" not in ort.files[0].read_bytes()


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_other_precisions_are_refused(
    net: nn.Module, request_for: RequestFor, images: np.ndarray, tmp_path: Path, precision: str
) -> None:
    with pytest.raises(ExportError, match=f"isn't written in {precision}") as refusal:
        export("ort", net, request_for(precision=precision, calibration=images), tmp_path / "net")
    assert "--precision float32" in refusal.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_float16_that_is_computed_in_float32_is_told_as_that(onnx_float16: ExportResult, tmp_path: Path) -> None:
    """The reason for the refusal: the conversion puts casts around every layer."""
    to_ort._convert(onnx_float16.files[0], tmp_path / "net.ort")
    assert read_precision(tmp_path / "net.ort") == "float32"


def test_layers_of_int8_are_found_in_the_file(onnx_int8: ExportResult, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "net.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnxruntime.InferenceSession(onnx_int8.files[0], options)
    assert read_precision(tmp_path / "net.ort") == "int8"


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5])
def test_a_file_cut_short_has_no_precision(ort: ExportResult, tmp_path: Path, kept: float) -> None:
    whole = ort.files[0].read_bytes()
    cut = tmp_path / "cut.ort"
    cut.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(ExportError, match=r"cut\.ort can't be read"):
        read_precision(cut)


def test_an_onnx_file_of_that_name_has_no_precision(onnx_float32: ExportResult, tmp_path: Path) -> None:
    named = tmp_path / "net.ort"
    named.write_bytes(onnx_float32.files[0].read_bytes())
    with pytest.raises(ExportError, match="doesn't begin as one"):
        read_precision(named)


def test_lost_metadata_is_noticed(ort: ExportResult, request_for: RequestFor) -> None:
    with pytest.raises(ExportError, match="lost of its metadata: more"):
        to_ort._check(ort.files[0], request_for(metadata={"author": "a test", "more": "text"}))


def test_a_file_in_the_way_is_left_alone(net: nn.Module, request_for: RequestFor, tmp_path: Path) -> None:
    (tmp_path / "net.ort").write_text("mine")
    with pytest.raises(ExportError, match=r"net\.ort can't be written"):
        export("ort", net, request_for(), tmp_path / "net")
    assert (tmp_path / "net.ort").read_text() == "mine"
