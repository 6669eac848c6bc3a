"""An engine in memory, ready to run: its contract checked, its buffers allocated. Not run on a GPU."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine import api
from sfsc_deploy.runtime.engine.contract import INPUT, OUTPUT, read_contract
from sfsc_deploy.runtime.engine.device import Device
from sfsc_deploy.runtime.engine.library import Messages, Tensorrt, enter

_FLOAT_BYTES = 4


class Session:
    """Runs one engine on buffers of its own, in a stream of its own; to be closed.

    Attributes:
        contract: what it takes and gives.
    """

    def __init__(self, trt: Tensorrt, path: Path, *, host_code_allowed: bool) -> None:
        """Read an engine.

        Args:
            trt: TensorRT.
            path: the engine.
            host_code_allowed: let it bring a runtime of its own, as version-compatible engines do.

        Raises:
            SfscError: TensorRT refuses it, in its own words, or it isn't one of ours; nothing stays allocated.
        """
        self._name = str(path)
        self._messages = Messages()
        self._device = Device()
        self._context: api.IExecutionContext | None = None
        try:
            self._runtime: api.Runtime | None = enter(trt.Runtime, self._messages.logger(trt))
            self._runtime.engine_host_code_allowed = host_code_allowed
            self._engine: api.ICudaEngine | None = self._deserialised(self._runtime, path)
            self.contract = read_contract(trt, self._engine, self._name)
            self._context = self._engine.create_execution_context()
            if self._context is None:
                raise self._refused("has no room on the GPU to run")
            self._image, self._embedding = self._allocate()
        except BaseException:
            self.close()
            raise

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed one batch: uint8 [N, H, W, 3] to float32 [N, D].

        Raises:
            SfscError: another N than the engine was built for, or a failure on the GPU.
        """
        self._check_count(len(images))
        context, device = self._context, self._device
        assert context is not None
        images, embedding = np.ascontiguousarray(images), np.empty((len(images), self.contract.dim), np.float32)
        device.enter()
        if not context.set_input_shape(INPUT, images.shape):
            raise self._refused(f"refuses images of {images.shape}")
        device.upload(images, self._image)
        if not context.execute_async_v3(device.stream):
            raise self._refused(f"failed on a batch of {len(images)}")
        device.download(self._embedding, embedding)
        device.synchronize()
        return embedding

    def close(self) -> None:
        """Drop what TensorRT holds, innermost first, then memory, stream and context; closing again does nothing."""
        self._context = self._engine = self._runtime = None
        self._device.close()

    def _deserialised(self, runtime: api.Runtime, path: Path) -> api.ICudaEngine:
        try:
            engine = runtime.deserialize_cuda_engine(path.read_bytes())
        except OSError as error:
            raise SfscError(f"{path} can't be read: {error.strerror}.", "Check the path.") from error
        if engine is None:
            raise self._refused("can't be read by TensorRT")
        return engine

    def _allocate(self) -> tuple[int, int]:
        """Buffers for the largest batch, told to TensorRT once and for all; their addresses."""
        contract = self.contract
        image = contract.height * contract.width * 3
        sizes = {INPUT: contract.largest * image, OUTPUT: contract.largest * contract.dim * _FLOAT_BYTES}
        addresses = {name: self._device.allocate(size) for name, size in sizes.items()}
        assert self._context is not None
        for name, address in addresses.items():
            if not self._context.set_tensor_address(name, address):
                raise self._refused(f"refuses the buffer of `{name}`")
        return addresses[INPUT], addresses[OUTPUT]

    def _check_count(self, count: int) -> None:
        contract = self.contract
        if not contract.smallest <= count <= contract.largest:
            raise SfscError(
                f"{self._name} takes {contract.smallest} to {contract.largest} images at once, {count} were given.",
                "Give a batch that fits, or export with another [batch] table in the profile.",
            )

    def _refused(self, what: str) -> SfscError:
        return SfscError(f"{self._name} {what}: {self._messages}", "Build it anew on this device: sfsc-deploy build.")
