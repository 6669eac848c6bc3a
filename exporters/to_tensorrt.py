"""The TensorRT exporter: an engine can only be built on its device, so what is written is all that it takes there."""

import hashlib
from dataclasses import replace
from pathlib import Path

import onnx
from torch import nn

from exporters import to_onnx
from exporters.build_recipe import RECIPE_SUFFIX, BuildRecipe, InputShapes, build_command, trtexec_command
from exporters.errors import ExportError
from exporters.int8_scheme import TENSORRT
from exporters.request import ExportRequest, ExportResult, TensorrtTarget
from exporters.tensorrt_operators import check_operators


def export(model: nn.Module, request: ExportRequest, target: Path) -> ExportResult:
    """Write `<target>.onnx`, typed so that TensorRT keeps its precision, and `<target>.build.json`.

    Raises:
        ExportError: a request without a TensorRT target, a graph that TensorRT's parser doesn't document to
            understand, or whatever the ONNX exporter refuses.
    """
    if request.tensorrt is None:
        raise ExportError(
            "A TensorRT engine belongs to one device, but the request doesn't tell which.",
            "Give the profile a [tensorrt] table with compute_capability, version and workspace_mb.",
        )
    typed = to_onnx.export(model, request, target, TENSORRT)
    check_operators(onnx.load(typed.files[0]))
    path = target.with_name(target.name + RECIPE_SUFFIX)
    recipe = _recipe(typed, request, request.tensorrt, engine=f"{target.name}.engine", command=build_command(path.name))
    _write(recipe, path)
    return replace(
        typed,
        files=(*typed.files, path),
        format="tensorrt",
        status="to be built on the device",
        command=recipe.command,
    )


def harm(model: nn.Module, request: ExportRequest, folder: Path) -> dict[str, float]:
    """Measure what int8 in one layer alone does to the embeddings; see `exporters.to_onnx.harm`."""
    return to_onnx.harm(model, request, folder, TENSORRT)


def _recipe(
    typed: ExportResult, request: ExportRequest, device: TensorrtTarget, *, engine: str, command: str
) -> BuildRecipe:
    source = typed.files[0]
    smallest, common, largest = ((n, request.height, request.width, 3) for n in request.batch)
    image = InputShapes(min=smallest, opt=common, max=largest)
    return BuildRecipe(
        onnx=source.name,
        onnx_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        engine=engine,
        precision=typed.precision,
        image=image,
        compute_capability=device.compute_capability,
        tensorrt=device.version,
        workspace_mb=device.workspace_mb,
        command=command,
        trtexec=trtexec_command(source.name, engine, image, device.workspace_mb),
    )


def _write(recipe: BuildRecipe, path: Path) -> None:
    try:
        path.write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(f"{path} can't be written: {error.strerror}.", "Choose another folder with --out.") from error
