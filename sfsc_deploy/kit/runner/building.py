"""Builds the engine of a kit's recipe on its device, or takes the one that was built there before. Not run on a GPU."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from sfsc_deploy import __version__
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing, sha256_of
from sfsc_deploy.kit.runner.engine_file import machine
from sfsc_deploy.kit.runner.manifest import Entry
from sfsc_deploy.runtime.engine.build import Compatibility, build_plan
from sfsc_deploy.runtime.engine.fitness import Host, why_not_built_here
from sfsc_deploy.runtime.engine.timings import SUFFIX, keep_timings, read_timings

if TYPE_CHECKING:
    from exporters.build_recipe import BuildRecipe
    from sfsc_deploy.runtime.engine.library import Tensorrt


def build(entry: Entry, out: Path, device: str, *, overwrite: bool) -> tuple[Path, Mapping[str, Any]]:
    """Make the engine of a kit's recipe ready in the folder `out`, with its sidecar beside it.

    An engine that is there is taken if it is whole and was built from the same ONNX file, by the same TensorRT, on a
    GPU like this one: building takes minutes.

    Args:
        entry: what the kit has a recipe of.
        out: the folder.
        device: what this machine is called.
        overwrite: build it anew, whatever is there.

    Returns:
        The engine, and its sidecar as JSON.

    Raises:
        SfscError: this isn't the device that it is for, another engine is in the way, or TensorRT fails.
    """
    assert entry.recipe is not None
    recipe, engine = _recipe(entry.recipe), out / entry.name
    trt, host = machine()
    why = why_not_built_here(host, recipe.compute_capability, recipe.tensorrt)
    if why is not None:
        raise SfscError(f"Its engine can't be built here: {why}", "Run the kit on the device that it is for.")
    if not engine.exists() or overwrite:
        _build(trt, recipe, entry.path.parent, engine)
        sidecar = built_sidecar(entry.sidecar, recipe, engine, host, device)
        _write(_sidecar_path(engine), json.dumps(sidecar, indent=2).encode() + b"\n")
        return engine, sidecar
    return engine, _sidecar_of_same(engine, built_sidecar(entry.sidecar, recipe, engine, host, device))


def built_sidecar(
    left: Mapping[str, Any], recipe: BuildRecipe, engine: Path, host: Host, device: str
) -> dict[str, Any]:
    """The sidecar of an engine that was built from what `left` describes; `sfsc_deploy.building` writes the same."""
    built_on = {
        "name": device,
        "gpu": host.gpu.name,
        "compute_capability": host.gpu.compute_capability,
        "tensorrt": host.tensorrt,
        "cuda": host.gpu.cuda,
        "version_compatible": False,
        "hardware_compatible": False,
    }
    built = {"status": "built", "command": recipe.command, "device": built_on, "onnx_sha256": recipe.onnx_sha256}
    versions = {"sfsc-deploy": __version__, "tensorrt": host.tensorrt, "cuda": host.gpu.cuda}
    return {
        **left,
        "files": {engine.name: sha256_of(engine)},
        "size_bytes": engine.stat().st_size,
        "tools": {**left["tools"], **versions},
        "build": built,
        "fidelity": None,
    }


def _build(trt: Tensorrt, recipe: BuildRecipe, folder: Path, engine: Path) -> None:
    onnx = (folder / recipe.onnx).read_bytes()
    if sha256(onnx).hexdigest() != recipe.onnx_sha256:
        raise SfscError(f"{recipe.onnx} is not the file that its recipe is for.", "Make the kit anew.")
    timings = engine.with_name(engine.stem + SUFFIX)
    plan = build_plan(trt, onnx, recipe, Compatibility(), read_timings(timings))
    for remark in keep_timings(timings, plan):
        print(remark)
    _write(engine, plan.engine)


def _sidecar_of_same(engine: Path, expected: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sidecar of an engine that is there, which must be what would be built now."""
    found = _read_sidecar(engine)
    why = _difference(found, expected)
    if why is not None:
        raise SfscError(
            f"{engine} is there already, and {why}.", "Allow it to be replaced with --overwrite, or choose --out."
        )
    print(f"{engine} is taken as it is: it was built here from the same ONNX file. --overwrite builds it anew.")
    return found


def _difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    """What sets an engine apart from the one that would be built now; None where it is the same.

    What the machine is called doesn't count.
    """
    build, wanted = found.get("build"), expected["build"]
    if not isinstance(build, dict) or not isinstance(build.get("device"), dict):
        return "no sidecar tells what it was built from"
    if found.get("files") != expected["files"]:
        return "it is not the file that its sidecar describes"
    if build.get("onnx_sha256") != wanted["onnx_sha256"]:
        return "it was built from another ONNX file"
    renamed = {**found, "build": {**build, "device": {**build["device"], "name": wanted["device"]["name"]}}}
    return None if renamed == expected else "it was built by another kit, TensorRT or GPU"


def _read_sidecar(engine: Path) -> Mapping[str, Any]:
    """As JSON; empty where there is none that can be read."""
    try:
        found = json.loads(_sidecar_path(engine).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _sidecar_path(engine: Path) -> Path:
    return engine.with_name(engine.name + ".json")


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as beside:
        beside.write_bytes(content)


def _recipe(facts: Mapping[str, Any]) -> BuildRecipe:
    """As an object with the attributes of `BuildRecipe`; that was checked when the kit was made."""
    return cast("BuildRecipe", SimpleNamespace(**{**facts, "image": SimpleNamespace(**facts["image"])}))
