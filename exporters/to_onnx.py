"""The ONNX exporter."""

from pathlib import Path
from typing import Any

import onnx
import onnxscript
import torch
from torch import nn

from exporters.count import count
from exporters.deployable import Deployable
from exporters.errors import ExportError
from exporters.folding import fold_batch_norm
from exporters.onnx_contract import INPUT, OUTPUT, check_contract
from exporters.precision import read_precision
from exporters.quiet import quiet_torch_exporter
from exporters.request import ExportRequest, ExportResult
from exporters.weights import in_precision

# The lowest that torch writes without converting the graph afterwards: the most runtimes read it.
OPSET = 18


def export(model: nn.Module, request: ExportRequest, target: Path) -> ExportResult:
    """Write `<target>.onnx`: one file, N open, batch norms folded, precision in the graph.

    For float16 the model inside is exported in float16 while scaling and L2 normalisation stay float32. Converting
    the finished file instead puts the normalisation's operands and its result through float16, too.

    Raises:
        ExportError: weights that the precision can't hold, a model that torch can't export, a graph that breaks the
            contract, a file that can't be written, or a precision read back that isn't the one asked for.
    """
    folded = fold_batch_norm(model)
    cost = count(folded, request.height, request.width)
    deployable = Deployable(in_precision(folded, request.precision), request.mean, request.std)
    graph = _without_origin(_export(deployable.eval(), request))
    onnx.helper.set_model_props(graph, dict(request.metadata))
    check_contract(graph, request)
    path = target.with_name(f"{target.name}.onnx")
    _write(graph, path)
    return ExportResult(
        files=(path,),
        format="onnx",
        precision=_checked_precision(path, request.precision),
        parameters=cost.parameters,
        multiply_adds=cost.multiply_adds,
        tools=_tools(),
    )


def _export(deployable: Deployable, request: ExportRequest) -> Any:  # onnx.ModelProto
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
                opset_version=OPSET,
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


def _checked_precision(path: Path, asked: str) -> str:
    found = read_precision(path)
    if found != asked:
        raise ExportError(
            f"{path} computes in {found}, {asked} was asked for.", "Don't deploy it: this is a fault of the exporter."
        )
    return found


def _tools() -> dict[str, str]:
    return {
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxscript": onnxscript.__version__,
        "opset": str(OPSET),
    }
