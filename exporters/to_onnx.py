"""The ONNX exporter."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxscript
import torch
from numpy.typing import NDArray
from torch import nn

from exporters.count import count
from exporters.deployable import Deployable
from exporters.errors import ExportError
from exporters.folding import fold_batch_norm
from exporters.int8_scheme import CPU, Int8Scheme
from exporters.onnx_contract import INPUT, OUTPUT, check_contract
from exporters.precision import precision_per_layer, summary
from exporters.quiet import quiet_torch_exporter
from exporters.request import ExportRequest, ExportResult
from exporters.weights import in_precision

# The lowest that torch writes without converting the graph afterwards: the most runtimes read it.
OPSET = 18


def export(model: nn.Module, request: ExportRequest, target: Path, scheme: Int8Scheme = CPU) -> ExportResult:
    """Write `<target>.onnx`: one file, N open, batch norms folded, precision in the graph.

    For float16 the model inside is exported in float16 while scaling and L2 normalisation stay float32. Converting
    the finished file instead puts the normalisation's operands and its result through float16, too. For int8 the
    graph is exported in the float type that the scheme leaves to the rest, and quantised.

    Raises:
        ExportError: weights that the precision can't hold, a model that torch can't export, a graph that breaks the
            contract, a file that can't be written, int8 without calibration images, or a precision read back that
            isn't the one asked for.
    """
    folded = fold_batch_norm(model)
    cost = count(folded, request.height, request.width)
    graph = _graph(folded, request, scheme, target.parent)
    onnx.helper.set_model_props(graph, dict(request.metadata))
    check_contract(graph, request)
    path = target.with_name(f"{target.name}.onnx")
    _write(graph, path)
    per_layer = _checked_precision(path, request, scheme)
    return ExportResult(
        files=(path,),
        format="onnx",
        precision=summary(per_layer),
        parameters=cost.parameters,
        multiply_adds=cost.multiply_adds,
        tools=_tools(graph),
        precision_per_layer=per_layer if len(set(per_layer.values())) > 1 else None,
        calibrated=len(_calibration(request)) if request.precision == "int8" else 0,
    )


def harm(model: nn.Module, request: ExportRequest, folder: Path, scheme: Int8Scheme = CPU) -> dict[str, float]:
    """Measure what int8 in one layer alone does to the embeddings; see `exporters.harm.layer_harm`.

    Args:
        model: as `export` takes it.
        request: for int8, with calibration images.
        folder: where files may lie for the while.
        scheme: how int8 is written.

    Raises:
        ExportError: as `export`.
    """
    from exporters.harm import layer_harm

    return layer_harm(_typed(fold_batch_norm(model), request, scheme), _calibration(request), scheme, folder)


def _graph(folded: nn.Module, request: ExportRequest, scheme: Int8Scheme, folder: Path) -> Any:
    typed = _typed(folded, request, scheme)
    if request.precision != "int8":
        return typed
    from exporters.quantise import calibrate, quantise

    ranges = calibrate(typed, _calibration(request), scheme, folder)
    return quantise(typed, ranges, scheme, spared=request.spared)


def _typed(folded: nn.Module, request: ExportRequest, scheme: Int8Scheme) -> Any:
    """The graph in float throughout: for int8, what is to be quantised."""
    precision, opset = (scheme.rest, scheme.opset) if request.precision == "int8" else (request.precision, OPSET)
    deployable = Deployable(in_precision(folded, precision), request.mean, request.std)
    return _without_origin(_export(deployable.eval(), request, opset))


def _calibration(request: ExportRequest) -> NDArray[np.uint8]:
    if request.calibration is None:
        raise ExportError(
            "int8 was asked for without calibration images.", "Give some that are like the device's: --calibration DIR."
        )
    return request.calibration


def _export(deployable: Deployable, request: ExportRequest, opset: int) -> Any:  # onnx.ModelProto
    # torch takes a dimension of 1 for a constant, so N is 2 here.
    example = torch.zeros(2, request.height, request.width, 3, dtype=torch.uint8)
    try:
        with quiet_torch_exporter():
            program = torch.onnx.export(
                deployable,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=opset,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise ExportError(f"torch can't export the model to ONNX: {_first_cause(error)}") from error
    assert program is not None
    return program.model_proto


def _first_cause(error: BaseException) -> str:
    """Give the one line that names the trouble; around it torch tells how to debug torch."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition("\n")[0]


def _without_origin(graph: Any) -> Any:
    """Drop the stack traces that torch leaves at each node: they name files and folders of this machine."""
    for part in (graph.graph, *graph.graph.node, *graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    return graph


def _write(graph: Any, path: Path) -> None:
    try:
        with path.open("xb") as file:
            file.write(graph.SerializeToString(deterministic=True))
    except OSError as error:
        raise ExportError(f"{path} can't be written: {error.strerror}.", "Choose another folder with --out.") from error


def _checked_precision(path: Path, request: ExportRequest, scheme: Int8Scheme) -> dict[str, str]:
    """Read back the precision of each layer."""
    found = precision_per_layer(path)
    asked = {name: scheme.rest if name in request.spared else request.precision for name in found}
    if found != asked:
        raise ExportError(
            f"{path} computes in {summary(found)}, {summary(asked)} was asked for.",
            "Don't deploy it: this is a fault of the exporter.",
        )
    return found


def _tools(graph: Any) -> dict[str, str]:
    return {
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxscript": onnxscript.__version__,
        "opset": str(graph.opset_import[0].version),
        **({"onnxruntime": version("onnxruntime")} if graph.producer_name == "onnx.quantize" else {}),
    }
