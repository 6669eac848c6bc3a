"""The registry of formats. A new one is a file with an `export` function, and a line here."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from exporters.errors import ExportError, FormatUnavailable
from exporters.int8_scheme import CPU, TENSORRT, Int8Scheme
from exporters.request import ExportRequest, ExportResult

if TYPE_CHECKING:
    from torch import nn

    Exporter = Callable[[nn.Module, ExportRequest, Path], ExportResult]
    Measure = Callable[[nn.Module, ExportRequest, Path], Mapping[str, float]]

_EXTRA_OF = {"torch": "train", "onnx": "onnx", "onnxscript": "onnx", "onnxruntime": "onnx", "coremltools": "coreml"}
_ONNX = ("torch", "onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Format:
    """Where a format's exporter lives.

    Attributes:
        module: has `export(model, request, target) -> ExportResult`; imported when the format is asked for.
        needs: the packages that it can't do without.
        no_wheel: where they can't be installed; empty where they install everywhere.
        int8: how int8 is written where it needs calibration images; the module then has `harm(model, request, folder)`.
    """

    module: str
    needs: tuple[str, ...]
    no_wheel: str = ""
    int8: Int8Scheme | None = None


FORMATS: Mapping[str, Format] = {
    "coreml": Format(
        "exporters.to_coreml",
        needs=("torch", "coremltools"),
        no_wheel="coremltools has no wheel for Linux on aarch64 nor for Python 3.14",
    ),
    "onnx": Format("exporters.to_onnx", needs=_ONNX, int8=CPU),
    "ort": Format("exporters.to_ort", needs=_ONNX),
    "tensorrt": Format("exporters.to_tensorrt", needs=_ONNX, int8=TENSORRT),
}


def export(name: str, model: "nn.Module", request: ExportRequest, target: Path) -> ExportResult:
    """Write a model in one of the known formats.

    Args:
        name: a key of `FORMATS`.
        model: plain module; float32 `[N, 3, H, W]`, normalised, to `[N, D]`, not L2-normalised. Left as it is.
        request: what the device needs.
        target: path without suffix, in an existing folder of the caller's, who also cleans it up after an error.

    Raises:
        ExportError: an unknown format, an absent package, or whatever the exporter refuses.
        FormatUnavailable: an absent package that doesn't install on every machine.
    """
    exporter = cast("Exporter", _module(name).export)
    return exporter(model, request, target)


def harm(name: str, model: "nn.Module", request: ExportRequest, folder: Path) -> Mapping[str, float]:
    """Measure how much each layer of a model suffers from int8: which to spare first where all of them is too much.

    Args:
        name: a key of `FORMATS` with a scheme for int8.
        model: as `export` takes it.
        request: for int8, with calibration images.
        folder: an existing one, where files may lie for the while.

    Returns:
        By the names of their weights, 1 - mean cosine of the embeddings with this layer alone in int8.

    Raises:
        ExportError: as `export`.
    """
    measure = cast("Measure", _module(name).harm)
    return measure(model, request, folder)


def _module(name: str) -> ModuleType:
    if name not in FORMATS:
        raise ExportError(f"Format {name!r} is unknown.", f"Known formats: {', '.join(sorted(FORMATS))}.")
    _refuse_absent(name, FORMATS[name])
    return importlib.import_module(FORMATS[name].module)


def _refuse_absent(name: str, needed: Format) -> None:
    absent = [package for package in needed.needs if importlib.util.find_spec(package) is None]
    if not absent:
        return
    message = f"Exporting to {name} needs {' and '.join(absent)}, not installed here."
    extras = ",".join(sorted({_EXTRA_OF[package] for package in absent}))
    remedy = f'Install with: pip install "sfsc-deploy[{extras}]"'
    if needed.no_wheel:
        raise FormatUnavailable(message, f"{remedy} ({needed.no_wheel}).")
    raise ExportError(message, remedy)
