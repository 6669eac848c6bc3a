"""Opens an engine where it may run; anywhere else says why not, and what completes the matter."""

from pathlib import Path

from exporters.build_recipe import build_command, recipe_of
from sfsc_deploy.artifact import EngineDevice, read_sidecar, sidecar_path
from sfsc_deploy.runtime.embedder import Embedder
from sfsc_deploy.runtime.engine.cuda import gpu
from sfsc_deploy.runtime.engine.fitness import Host, why_not_here
from sfsc_deploy.runtime.engine.library import obstacle, tensorrt
from sfsc_deploy.runtime.engine.plan import plan_version
from sfsc_deploy.runtime.settings import Settings
from sfsc_deploy.runtime.unavailable import BackendUnavailable, unavailable_engine


def open_artifact(path: Path, settings: Settings) -> Embedder:
    """As `open_engine`."""
    return open_engine(path, settings.max_batch)


def open_engine(path: Path, max_batch: int) -> Embedder:
    """Open a TensorRT engine.

    Raises:
        BackendUnavailable: it isn't built yet, this machine has no GPU or no TensorRT, or it was built for another GPU
            or version; gives the command that builds it here.
        SfscError: it doesn't exist, isn't an engine, or TensorRT refuses it.
    """
    why = obstacle()
    if why is not None or not path.exists():
        raise unavailable_engine(path, why or "")
    plan = plan_version(path)
    sidecar = read_sidecar(path) if sidecar_path(path).exists() else None
    trt = tensorrt()
    host = Host(trt.__version__, gpu())
    built_on = sidecar.build.device if sidecar else None
    why = why_not_here(host, built_on, plan)
    if why is not None:
        raise BackendUnavailable(path, why, _rebuilding(path, host, built_on), where="To have one for this machine")
    from sfsc_deploy.runtime.engine.backend import EngineEmbedder

    return EngineEmbedder(path, trt, host, sidecar, max_batch)


def _rebuilding(path: Path, host: Host, built_on: EngineDevice | None) -> str:
    """What makes an engine for this machine: built anew from its recipe, which has to be one for this GPU."""
    build = f"`{build_command(str(recipe_of(path)))} --overwrite`"
    here = host.gpu.compute_capability
    if built_on is None or built_on.compute_capability == here:
        return build
    return (
        f'`sfsc-deploy export --profile ...` with compute_capability = "{here}" in its [tensorrt] table, then {build}'
    )
