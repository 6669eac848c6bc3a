"""Builds a TensorRT engine on its device, from the recipe and the typed ONNX that an export left.

Building was not run on a GPU; all that comes before it is tested.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from exporters.build_recipe import RECIPE_SUFFIX, BuildRecipe
from sfsc_deploy import __version__
from sfsc_deploy.artifact import Build, EngineDevice, Sidecar, read_sidecar, sidecar_path, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing, sha256_of
from sfsc_deploy.parsing import parse_json
from sfsc_deploy.runtime.engine.build import Compatibility, build_plan
from sfsc_deploy.runtime.engine.cuda import gpu
from sfsc_deploy.runtime.engine.fitness import Host, why_not_built_here, why_not_hardware_compatible
from sfsc_deploy.runtime.engine.library import Tensorrt, obstacle, tensorrt
from sfsc_deploy.runtime.engine.timings import SUFFIX, keep_timings, read_timings


@dataclass(frozen=True)
class BuildTask:
    """One engine to build.

    Attributes:
        recipe: the `.build.json` file, with the ONNX file that it names beside it.
        overwrite: replace an engine of the same name.
        compatibility: where else than on this device it is to run.
        device_name: what to call this machine; None: as its GPU.
    """

    recipe: Path
    overwrite: bool = False
    compatibility: Compatibility = field(default_factory=Compatibility)
    device_name: str | None = None


@dataclass(frozen=True)
class Built:
    """An engine that was built.

    Attributes:
        engine: the file.
        sidecar: the record beside it.
        remarks: what its user should know besides, in sentences.
    """

    engine: Path
    sidecar: Sidecar
    remarks: tuple[str, ...] = ()


def build(task: BuildTask) -> Built:
    """Build the engine of a recipe beside it, and its sidecar.

    Raises:
        SfscError: a recipe, ONNX file or sidecar that is missing, broken or of another export; an engine in the way; a
            machine without GPU or TensorRT, or with others than the recipe is for; or TensorRT fails. Then no engine
            and no sidecar was written.
    """
    recipe = read_recipe(task.recipe)
    engine = task.recipe.with_name(recipe.engine)
    _refuse_existing(engine, task.overwrite)
    onnx = read_onnx(task.recipe, recipe)
    source = read_sidecar_for(recipe, task.recipe.with_name(recipe.onnx))
    trt, host = _machine(engine, recipe, task.compatibility)
    timings = task.recipe.with_name(task.recipe.name.removesuffix(RECIPE_SUFFIX) + SUFFIX)
    plan = build_plan(trt, onnx, recipe, task.compatibility, read_timings(timings))
    remarks = keep_timings(timings, plan)
    _write(engine, plan.engine)
    sidecar = built_sidecar(source, engine, recipe, _device(task, host))
    write_sidecar(engine, sidecar)
    return Built(engine, sidecar, remarks)


def read_recipe(path: Path) -> BuildRecipe:
    """Read a build recipe.

    Raises:
        SfscError: it is missing, can't be read, or isn't one; names the field.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SfscError(
            f"{path} can't be read: {error.strerror}.",
            f"Give the {RECIPE_SUFFIX} file that `sfsc-deploy export` left for the device.",
        ) from error
    return parse_json(BuildRecipe, text, path, "Copy it anew from where it was exported.")


def read_onnx(path: Path, recipe: BuildRecipe) -> bytes:
    """Read the model that a recipe builds from, which lies beside it.

    Args:
        path: of the recipe.
        recipe: what it says.

    Raises:
        SfscError: it is missing, can't be read, or isn't the one that was exported with the recipe.
    """
    onnx = path.with_name(recipe.onnx)
    anew = "Copy both anew from where they were exported."
    try:
        content = onnx.read_bytes()
    except OSError as error:
        raise SfscError(f"{onnx}, from which {path} builds, can't be read: {error.strerror}.", anew) from error
    found = sha256(content).hexdigest()
    if found != recipe.onnx_sha256:
        raise SfscError(
            f"{onnx} is not the file that {path} is for: SHA-256 {found[:12]}, expected {recipe.onnx_sha256[:12]}.",
            anew,
        )
    return content


def read_sidecar_for(recipe: BuildRecipe, artifact: Path) -> Sidecar:
    """Read the sidecar of a recipe's model or engine: nobody can look into an engine to compare it.

    Args:
        recipe: what builds the engine.
        artifact: the model, or the engine that is yet to be built.

    Raises:
        SfscError: it is missing, broken, or that of another export than the recipe.
    """
    sidecar = read_sidecar(artifact)
    if sidecar.files.get(recipe.onnx) != recipe.onnx_sha256 or sidecar.precision != recipe.precision:
        raise SfscError(
            f"{sidecar_path(artifact)} is that of another export.",
            "Copy all files anew from where they were exported, or export anew.",
        )
    return sidecar


def why_not_here(compute_capability: str, version: str) -> str | None:
    """Why an engine can't be built on this machine, a sentence; None where nothing speaks against it.

    Args:
        compute_capability: of the GPU that it is for.
        version: specifier of the TensorRT versions that it is for.
    """
    why = obstacle()
    if why is not None:
        return why
    try:
        host = Host(tensorrt().__version__, gpu())
    except SfscError as error:
        return error.message
    return why_not_built_here(host, compute_capability, version)


def built_sidecar(source: Sidecar, engine: Path, recipe: BuildRecipe, device: EngineDevice) -> Sidecar:
    """The sidecar of an engine that was built, by `recipe`, from what `source` describes.

    How near it comes to the reference is left open: an engine is verified itself, it inherits nothing.
    """
    changed = {
        "files": {engine.name: sha256_of(engine)},
        "size_bytes": engine.stat().st_size,
        "tools": {**source.tools, "sfsc-deploy": __version__, "tensorrt": device.tensorrt, "cuda": device.cuda},
        "build": Build(status="built", command=recipe.command, device=device, onnx_sha256=recipe.onnx_sha256),
        "fidelity": None,
    }
    return Sidecar(**source.model_dump(exclude=set(changed)) | changed)


def _refuse_existing(engine: Path, overwrite: bool) -> None:
    if engine.exists() and not overwrite:
        raise SfscError(f"{engine} exists already.", "Allow it to be replaced with --overwrite.")


def _machine(engine: Path, recipe: BuildRecipe, compatibility: Compatibility) -> tuple[Tensorrt, Host]:
    why = why_not_here(recipe.compute_capability, recipe.tensorrt)
    if why is None and compatibility.hardware:
        why = why_not_hardware_compatible(gpu())
    if why is not None:
        raise SfscError(
            f"{engine} can't be built here: {why}",
            "Build it on the device that it was exported for, or export for this one with a profile of its own.",
        )
    trt = tensorrt()
    return trt, Host(trt.__version__, gpu())


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as beside:
        beside.write_bytes(content)


def _device(task: BuildTask, host: Host) -> EngineDevice:
    return EngineDevice(
        name=task.device_name or host.gpu.name,
        gpu=host.gpu.name,
        compute_capability=host.gpu.compute_capability,
        tensorrt=host.tensorrt,
        cuda=host.gpu.cuda,
        version_compatible=task.compatibility.version,
        hardware_compatible=task.compatibility.hardware,
    )
