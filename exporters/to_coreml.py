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
from exporters.count import count
from exporters.deployable import PlanarDeployable
from exporters.errors import ExportError
from exporters.folding import fold_batch_norm
from exporters.quiet_coreml import load_coremltools, quiet_conversion
from exporters.request import ExportRequest, ExportResult
from exporters.weights import in_precision

_OLDEST = "iOS16"
# In which the layers compute: int8 are weights only.
_COMPUTED_IN = {"float32": "float32", "float16": "float16", "int8": "float16"}


def export(model: nn.Module, request: ExportRequest, target: Path) -> ExportResult:
    """Write `<target>.mlpackage`: an ML program that takes one RGB image, batch norms folded, precision in the graph.

    For float16 the model inside is float16 already when it is converted, while scaling and L2 normalisation are
    float32. Left to coremltools, these became float16, too: the epsilon 6e-8, and a norm beyond 65504 infinite.

    For int8 the weights of such a program are stored as int8, and the layers compute in float16.

    Raises:
        ExportError: a request that a CoreML package can't honour, weights that the precision can't hold, a model that
            can't be converted, a program that breaks the contract, a package that can't be written, or a precision
            read back that isn't the one asked for.
    """
    oldest = _oldest_system(request)
    _refuse_batches(request)
    _refuse_precision(request)
    folded = fold_batch_norm(model)
    cost = count(folded, request.height, request.width)
    typed = in_precision(folded, _COMPUTED_IN[request.precision])
    deployable = PlanarDeployable(typed, request.mean, request.std)
    path = _free_place(target)
    spec = _convert(_trace(deployable.eval(), request), oldest, path, request)
    check_contract(spec, request)
    _write(path, spec, request)
    return ExportResult(
        files=(path,),
        format="coreml",
        precision=_checked_precision(path, request.precision),
        parameters=cost.parameters,
        multiply_adds=cost.multiply_adds,
        tools=_tools(),
    )


def _free_place(target: Path) -> Path:
    path = target.with_name(f"{target.name}.mlpackage")
    if path.exists():
        raise ExportError(f"{path} exists already.", "Choose another folder with --out.")
    return path


def _oldest_system(request: ExportRequest) -> Any:  # coremltools.target
    if request.coreml is None:
        raise ExportError(
            "A CoreML package is written for a system and newer ones, but the request doesn't tell which.",
            "Give the profile a [coreml] table with minimum_deployment_target and compute_units.",
        )
    known = load_coremltools().target
    name = request.coreml.minimum_deployment_target
    if name not in known.__members__ or known[name] < known[_OLDEST]:
        fitting = ", ".join(key for key, system in known.__members__.items() if system >= known[_OLDEST])
        raise ExportError(
            f"minimum_deployment_target {name!r} was asked for, CoreML packages are written from {_OLDEST} on.",
            f"Set one of {fitting} in the profile's [coreml] table.",
        )
    return known[name]


def _refuse_batches(request: ExportRequest) -> None:
    if request.batch != (1, 1, 1):
        smallest, common, largest = request.batch
        raise ExportError(
            f"A batch of min {smallest}, opt {common}, max {largest} was asked for, "
            "but a CoreML package with an image for input takes one image at a time.",
            "Set min, opt and max to 1 in the profile's [batch] table.",
        )


def _refuse_precision(request: ExportRequest) -> None:
    if request.precision not in _COMPUTED_IN:
        raise ExportError(
            f"Precision {request.precision!r} was asked for, CoreML packages are written in {', '.join(_COMPUTED_IN)}.",
            "Choose one of them with --precision.",
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
                compute_precision=tools.precision.FLOAT32,  # keeps the types that the program has
                package_dir=str(path),
                skip_model_load=True,
            )
            return (store_weights_as_int8(path, model) if request.precision == "int8" else model).get_spec()
    except Exception as error:  # the errors of its passes have no base of their own
        raise ExportError(f"coremltools can't write the model to {path}: {_first_line(error)}") from error


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


def _tools() -> dict[str, str]:
    return {"torch": torch.__version__, "coremltools": load_coremltools().__version__}
