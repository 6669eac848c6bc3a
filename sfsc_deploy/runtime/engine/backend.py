"""Engines as embedders. Not run on a GPU."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.artifact import Sidecar
from sfsc_deploy.runtime.embedder import Embedder
from sfsc_deploy.runtime.engine.fitness import Host
from sfsc_deploy.runtime.engine.library import Tensorrt
from sfsc_deploy.runtime.engine.session import Session


class EngineEmbedder(Embedder):
    """A TensorRT engine."""

    def __init__(self, path: Path, trt: Tensorrt, host: Host, sidecar: Sidecar | None, max_batch: int) -> None:
        """Read an engine that fits this machine.

        Args:
            path: the engine.
            trt: TensorRT.
            host: this machine.
            sidecar: the record beside it; None where there is none.
            max_batch: most images in one call, if the engine takes as many.

        Raises:
            SfscError: TensorRT refuses it, or it isn't one of ours.
        """
        device = sidecar.build.device if sidecar else None
        self._session = Session(trt, path, host_code_allowed=device is not None and device.version_compatible)
        contract = self._session.contract
        super().__init__(
            str(path),
            backend=f"TensorRT {host.tensorrt}, {host.gpu.name} ({host.gpu.compute_capability})",
            dim=contract.dim,
            space=sidecar.space if sidecar else None,
            preprocessing=sidecar.input.preprocessing if sidecar else None,
            sidecar=sidecar,
            size=(contract.height, contract.width),
            max_batch=min(max_batch, contract.largest),
        )

    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._session.run(images)

    def _release(self) -> None:
        self._session.close()
