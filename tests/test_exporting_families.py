"""Sub-models of every family of architectures, exported; by a small member of each."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exports torch modules")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the exported files")
pytest.importorskip("onnx", reason="writes ONNX")

from exporters import ExportRequest, TensorrtTarget, export  # noqa: E402
from exporters.deployable import Deployable  # noqa: E402
from sfsc_deploy.slicing import slice_submodel  # noqa: E402
from tiny_supernet import DIM, SIDE, calibrate, tiny_supernet  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# 1 - cosine that each precision may cost the worst row; measured at most: 2e-7, 5e-4.
LIMITS = {"float32": 1e-6, "int8": 5e-3}


@pytest.mark.parametrize(
    ("arch", "format_name", "precision"),
    [
        ("tiny-bottleneck", "onnx", "float32"),
        ("tiny-mobilenet", "onnx", "float32"),
        ("tiny-vit", "onnx", "float32"),
        ("tiny-mobilenet", "onnx", "int8"),
        ("tiny-vit", "onnx", "int8"),
        # Refused if the graph held an operator that TensorRT's parser doesn't list.
        ("tiny-mobilenet", "tensorrt", "int8"),
        ("tiny-vit", "tensorrt", "int8"),
    ],
)
def test_an_exported_family_embeds_as_its_sub_model(
    tmp_path: Path, arch: str, format_name: str, precision: str
) -> None:
    supernet = tiny_supernet((0.5, 1.0), arch=arch)
    calibrate(supernet)
    submodel = slice_submodel(supernet, 0.5)
    images = np.random.default_rng(0).integers(0, 256, (16, SIDE, SIDE, 3), dtype=np.uint8)
    with torch.inference_mode():
        wanted = Deployable(submodel, MEAN, STD)(torch.from_numpy(images)).double().numpy()
    target = TensorrtTarget(compute_capability="8.7", version=">=10.3,<11", workspace_mb=512)
    request = ExportRequest(
        SIDE, SIDE, MEAN, STD, DIM, precision, calibration=images if precision == "int8" else None, tensorrt=target
    )
    result = export(format_name, submodel, request, tmp_path / "net")
    assert result.precision == precision
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    (file,) = (file for file in result.files if file.suffix == ".onnx")
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    for number in (1, 2, 5):
        found = session.run(["embedding"], {"image": images[:number]})[0]
        assert found.shape == (number, DIM)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert (1 - (found * wanted[:number]).sum(axis=1)).max() <= LIMITS[precision]
