"""TensorRT engines, on their device. Not run on a GPU; see `sfsc_deploy.runtime.engine`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.runner.missing import Missing
from sfsc_deploy.kit.runner.running import MAX_BATCH, Running
from sfsc_deploy.runtime.engine.cuda import gpu, has_gpu
from sfsc_deploy.runtime.engine.fitness import Host, why_not_here
from sfsc_deploy.runtime.engine.library import obstacle, tensorrt
from sfsc_deploy.runtime.engine.plan import plan_version
from sfsc_deploy.runtime.engine.session import Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfsc_deploy.artifact import EngineDevice
    from sfsc_deploy.runtime.engine.library import Tensorrt


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
        Missing: TensorRT isn't installed.
        SfscError: there is no GPU.
    """
    why = obstacle()
    if why is not None:
        raise (Missing if has_gpu() else SfscError)(why[:1].upper() + why[1:])
    trt = tensorrt()
    return trt, Host(trt.__version__, gpu())
