"""The CoreML exporter."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from exporters.coreml_contract import INPUT, OUTPUT, check_contract
from exporters.coreml_int8 import store_weights_as_int8
from exporters.coreml_package import seal
from exporters.coreml_precision import read_precision
from exporters.coreml_request import COMPUTED_IN, check_request, free_place, oldest_system
from exporters.coreml_types import may_be_float16
from exporters.count import count
from exporters.deployable import PlanarDeployable
from exporters.errors import ExportError
from exporters.folding import fold_batch_norm
from exporters.quiet_coreml import load_coremltools, quiet_conversion
from exporters.request import ExportRequest, ExportResult
from exporters.weights import in_precision


def export(model: nn.Module, request: ExportRequest, target: Path) -> ExportResult:
    """Write `<target>.mlpackage`: an ML program that takes one RGB image, batch norms folded, precision in the graph.

    For float16 scaling and L2 normalisation stay float32. For int8 the weights of such a program are stored as int8,
    and the layers compute in float16.

    Raises:
        ExportError: a request that a CoreML package can't honour, weights that the precision can't hold, a model that
            can't be converted, a program that breaks the contract, a package that can't be written, or a precision
            read back that isn't the one asked for.
    """
    check_request(request)
    oldest, path = oldest_system(request), free_place(target)
    folded = fold_batch_norm(model)
    cost = count(folded, request.height, request.width)
    # Rounded here, so that weights beyond float16 are refused. The program itself gets its types when it is converted:
    # a float16 module coremltools would give constants of float32, and then find them at odds with their layer.
    rounded = in_precision(folded, COMPUTED_IN[request.precision]).float()
    program = _trace(PlanarDeployable(rounded, request.mean, request.std).eval(), request)
    spec = _convert(program, oldest, path, request)
    check_contract(spec, request)
    _write(path, spec, request)
    return ExportResult(
        files=(path,),
        format="coreml",
        precision=_checked_precision(path, request.precision),
        parameters=cost.parameters,
        multiply_adds=cost.multiply_adds,
        tools={"torch": torch.__version__, "coremltools": load_coremltools().__version__},
    )


def _trace(deployable: PlanarDeployable, request: ExportRequest) -> torch.export.ExportedProgram:
    example = torch.zeros(1, 3, request.height, request.width)
    try:
        with quiet_conversion():
            program: torch.export.ExportedProgram = torch.export.export(deployable, (example,)).run_decompositions({})
            return program
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        raise ExportError(f"torch can't trace the model for CoreML: {_first_line(error)}") from error


def _convert(program: torch.export.ExportedProgram, oldest: Any, path: Path, request: ExportRequest) -> Any:
    """Write the package and give its specification, `coremltools.proto.Model_pb2.Model`."""
    tools = load_coremltools()
    image = tools.ImageType(INPUT, shape=(1, 3, request.height, request.width), color_layout=tools.colorlayout.RGB)
    try:
        with quiet_conversion():
            model = tools.convert(
                program,
                inputs=[image],
                outputs=[tools.TensorType(OUTPUT, dtype=np.float32)],
                convert_to="mlprogram",
                minimum_deployment_target=oldest,
                compute_precision=_types(request),
                package_dir=str(path),
                skip_model_load=True,
            )
            return (store_weights_as_int8(path, model) if request.precision == "int8" else model).get_spec()
    except Exception as error:  # the errors of its passes have no base of their own
        raise ExportError(f"coremltools can't write the model to {path}: {_first_line(error)}") from error


def _types(request: ExportRequest) -> Any:
    tools = load_coremltools()
    if COMPUTED_IN[request.precision] == "float32":
        return tools.precision.FLOAT32
    return tools.transform.FP16ComputePrecision(op_selector=may_be_float16)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _write(path: Path, spec: Any, request: ExportRequest) -> None:
    try:
        seal(path, spec, request.metadata)
    except OSError as error:
        raise ExportError(f"{path} can't be written: {error.strerror}.", "Choose another folder with --out.") from error


def _checked_precision(path: Path, asked: str) -> str:
    found = read_precision(path)
    if found != asked:
        raise ExportError(
            f"{path} computes in {found}, {asked} was asked for.", "Don't deploy it: this is a fault of the exporter."
        )
    return found
