import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from exporters import FORMATS, ExportError, ExportRequest, ExportResult, FormatUnavailable, export, formats

RequestFor = Callable[..., ExportRequest]

HEAVY = ("torch", "numpy", "onnx", "onnxscript", "onnxruntime", "pydantic", "coremltools")


def _heavy_after(code: str) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(told.stdout.split()) & set(HEAVY)


def test_importing_the_package_is_light() -> None:
    assert _heavy_after("import exporters") == set()


def test_the_test_of_light_imports_can_fail() -> None:
    assert "pydantic" in _heavy_after("import exporters.build_recipe")


def test_reading_a_precision_needs_no_torch() -> None:
    assert "torch" not in _heavy_after("import onnx, exporters.precision")


def test_an_unknown_format_is_answered_with_the_known_ones(request_for: RequestFor, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"'tflite' is unknown\. Known formats: coreml, onnx, ort, tensorrt"):
        export("tflite", nn.Identity(), request_for(), tmp_path / "net")


def test_without_coremltools_a_format_is_unavailable(
    request_for: RequestFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not everywhere can it be installed, so `--all` may pass over it."""
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(FormatUnavailable, match="coreml needs coremltools") as told:
        export("coreml", nn.Identity(), request_for(), tmp_path / "iphone")
    assert 'pip install "sfsc-deploy[coreml]"' in told.value.remedy
    assert "no wheel for Linux on aarch64 nor for Python 3.14" in told.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["onnx", "tensorrt"])
@pytest.mark.parametrize(
    ("absent", "extras"),
    [(["torch"], "train"), (["onnx"], "onnx"), (["onnxscript"], "onnx"), (["torch", "onnx"], "onnx,train")],
)
def test_an_absent_package_is_told_with_its_extra(
    request_for: RequestFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    absent: list[str],
    extras: str,
) -> None:
    for package in absent:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError) as told:
        export(name, nn.Identity(), request_for(), tmp_path / "net")
    assert told.value.remedy == f'Install with: pip install "sfsc-deploy[{extras}]"'
    assert " and ".join(absent) in told.value.message


def test_a_new_format_is_a_module_and_a_line(
    request_for: RequestFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(model: nn.Module, request: ExportRequest, target: Path) -> ExportResult:
        return ExportResult((target,), "paper", request.precision, 0, 0, {})

    module: Any = types.ModuleType("exporters.to_paper")
    module.export = write
    monkeypatch.setitem(sys.modules, "exporters.to_paper", module)
    monkeypatch.setattr(formats, "FORMATS", {**FORMATS, "paper": formats.Format("exporters.to_paper", needs=())})
    assert export("paper", nn.Identity(), request_for(), tmp_path / "net").format == "paper"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"precision": "int4"}, "'int4' was asked for, this version writes float32, float16, int8"),
        ({"calibration": np.zeros((3, 24, 32, 3), np.uint8)}, r"uint8 \[3, 24, 32, 3\], expected .* \[N, 32, 24, 3\]"),
        ({"calibration": np.zeros((3, 32, 24, 3), np.float32)}, r"float32 \[3, 32, 24, 3\], expected uint8"),
        ({"calibration": np.zeros((0, 32, 24, 3), np.uint8)}, r"uint8 \[0, 32, 24, 3\]"),
        ({"batch": (2, 1, 4)}, "min 2, opt 1, max 4"),
        ({"batch": (0, 1, 4)}, "1 <= min <= opt <= max"),
        ({"std": (0.2, 0.0, 0.2)}, "must be above 0"),
        ({"height": 0}, "at least 1"),
        ({"dim": 0}, "at least 1"),
    ],
)
def test_a_request_that_nothing_could_honour_is_refused(
    request_for: RequestFor, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ExportError, match=told):
        request_for(**change)


def test_a_request_does_not_change(request_for: RequestFor) -> None:
    with pytest.raises(FrozenInstanceError):
        request_for().dim = 3
