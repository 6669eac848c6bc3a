"""TensorRT engines: built here where they have to be, then run. Not run on a GPU; see `sfsc_deploy.runtime.engine`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from sfsc_deploy import __version__
from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.runner.manifest import Entry, sha256_of
from sfsc_deploy.kit.runner.running import MAX_BATCH, Running
from sfsc_deploy.runtime.engine.build import Compatibility, build_plan
from sfsc_deploy.runtime.engine.cuda import gpu
from sfsc_deploy.runtime.engine.fitness import Host, why_not_built_here, why_not_here
from sfsc_deploy.runtime.engine.library import obstacle, tensorrt
from sfsc_deploy.runtime.engine.plan import plan_version
from sfsc_deploy.runtime.engine.session import Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from exporters.build_recipe import BuildRecipe
    from sfsc_deploy.artifact import EngineDevice
    from sfsc_deploy.runtime.engine.library import Tensorrt

_CACHE = ".timing.cache"


class EngineFile(Running):
    """An engine on its device.

    Raises:
        SfscError: it was built for another GPU or TensorRT than these, or TensorRT refuses it.
    """

    def __init__(self, path: Path, sidecar: Mapping[str, Any]) -> None:
        super().__init__()
        trt, host = machine()
        built_on = sidecar["build"].get("device")
        device = SimpleNamespace(**built_on) if built_on else None
        why = why_not_here(host, cast("EngineDevice | None", device), plan_version(path))
        if why is not None:
            raise SfscError(f"It can't be run here: {why}", "Make the kit for this device.")
        self._session = Session(trt, path, host_code_allowed=bool(device and device.version_compatible))
        self.largest = min(MAX_BATCH, self._session.contract.largest)
        self.backend = f"TensorRT {host.tensorrt}, {host.gpu.name} ({host.gpu.compute_capability})"
        self.versions = {"tensorrt": host.tensorrt, "cuda": host.gpu.cuda}

    def call(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Running.call`."""
        return self._session.run(images)

    def close(self) -> None:
        """See `Running.close`."""
        self._session.close()


def machine() -> tuple[Tensorrt, Host]:
    """TensorRT, and what it runs on.

    Raises:
        SfscError: there is no GPU or no TensorRT.
    """
    why = obstacle()
    if why is not None:
        raise SfscError(why[:1].upper() + why[1:])
    trt = tensorrt()
    return trt, Host(trt.__version__, gpu())


def build(entry: Entry, out: Path, device: str) -> tuple[Path, Mapping[str, Any]]:
    """Build the engine of a kit's recipe in the folder `out`, and say what became of it.

    Returns:
        The engine, and its sidecar as JSON.

    Raises:
        SfscError: this isn't the device that it is for, or TensorRT fails.
    """
    assert entry.recipe is not None
    recipe = _recipe(entry.recipe)
    trt, host = machine()
    why = why_not_built_here(host, recipe.compute_capability, recipe.tensorrt)
    if why is not None:
        raise SfscError(f"Its engine can't be built here: {why}", "Run the kit on the device that it is for.")
    onnx = (entry.path.parent / recipe.onnx).read_bytes()
    cache, engine = out / (entry.path.stem + _CACHE), out / entry.name
    plan = build_plan(trt, onnx, recipe, Compatibility(), cache.read_bytes() if cache.exists() else b"")
    engine.write_bytes(plan.engine)
    cache.write_bytes(plan.timing_cache)
    return engine, built_sidecar(entry.sidecar, engine, host, device)


def built_sidecar(left: Mapping[str, Any], engine: Path, host: Host, device: str) -> dict[str, Any]:
    """The sidecar of an engine that was built from what `left` describes; `sfsc_deploy.building` writes the same."""
    built_on = {
        "name": device,
        "gpu": host.gpu.name,
        "compute_capability": host.gpu.compute_capability,
        "tensorrt": host.tensorrt,
        "cuda": host.gpu.cuda,
    }
    versions = {"sfsc-deploy": __version__, "tensorrt": host.tensorrt, "cuda": host.gpu.cuda}
    return {
        **left,
        "files": {engine.name: sha256_of(engine)},
        "size_bytes": engine.stat().st_size,
        "tools": {**left["tools"], **versions},
        "build": {"status": "built", "command": left["build"].get("command"), "device": built_on},
        "fidelity": None,
    }


def _recipe(facts: Mapping[str, Any]) -> BuildRecipe:
    """As an object with the attributes of `BuildRecipe`; that was checked when the kit was made."""
    return cast("BuildRecipe", SimpleNamespace(**{**facts, "image": SimpleNamespace(**facts["image"])}))
