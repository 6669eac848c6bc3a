"""The exporter of ONNX Runtime's own format, which its reduced builds for phones and small computers read."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
from torch import nn

from exporters import to_onnx
from exporters.errors import ExportError
from exporters.ort_precision import read_precision
from exporters.request import ExportRequest, ExportResult

_PROVIDERS = ["CPUExecutionProvider"]
_FATAL = 4
_WHY_NOT = {
    "float16": "the CPU of the exporting machine computes it in float32, and that is what would be written",
    "int8": "which int8 kernels are written depends on the processor",
}


def export(model: nn.Module, request: ExportRequest, target: Path) -> ExportResult:
    """Write `<target>.ort`: what `to_onnx` writes, optimised and in ONNX Runtime's own format.

    Raises:
        ExportError: a precision other than float32, metadata or a precision read back that aren't those asked for, a
            file that can't be written, or whatever the ONNX exporter refuses.
    """
    _check_precision(request.precision)
    path = target.with_name(f"{target.name}.ort")
    with TemporaryDirectory(prefix=".ort-", dir=target.parent) as beside:
        typed = to_onnx.export(model, request, Path(beside) / "typed")
        converted = Path(beside) / path.name
        _convert(typed.files[0], converted)
        _check(converted, request)
        _write(converted.read_bytes(), path)
    return replace(
        typed,
        files=(path,),
        format="ort",
        precision=read_precision(path),
        tools={**typed.tools, "onnxruntime": onnxruntime.__version__},
    )


def _check_precision(asked: str) -> None:
    if asked in _WHY_NOT:
        raise ExportError(
            f"ONNX Runtime's own format isn't written in {asked}: {_WHY_NOT[asked]}.",
            'Choose --precision float32, or format = "onnx" in the profile.',
        )


def _convert(source: Path, target: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ORT")
    # The file is not optimised again where it is loaded. The level above would lay tensors out for this very processor.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    _open(source, options)


def _open(path: Path, options: Any) -> Any:
    try:
        return onnxruntime.InferenceSession(path, options, providers=_PROVIDERS)
    except Exception as error:  # the types of ONNX Runtime have no base of their own
        raise ExportError(f"ONNX Runtime can't convert the model: {error}") from error


def _check(path: Path, request: ExportRequest) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    kept: Mapping[str, str] = _open(path, options).get_modelmeta().custom_metadata_map
    lost = sorted(key for key, text in request.metadata.items() if kept.get(key) != text)
    found = read_precision(path)
    if lost or found != request.precision:
        raise ExportError(
            f"The converted file computes in {found}, {request.precision} was asked for, and lost of its metadata: "
            f"{', '.join(lost) or 'nothing'}.",
            "Don't deploy it: this is a fault of the exporter.",
        )


def _write(content: bytes, path: Path) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise ExportError(f"{path} can't be written: {error.strerror}.", "Choose another folder with --out.") from error
