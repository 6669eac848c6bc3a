"""The GPU in use: a stream, and memory on it. Not run on a GPU."""

import ctypes
from typing import Any

from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine.cuda import CONSTANTS, FIRST, driver


class Device:
    """The primary context of the GPU, a stream of its own, and memory on it, until it is closed.

    It shares that context with TensorRT's CUDA runtime, for which its streams and addresses are the same things:
    https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__DRIVER.html
    """

    def __init__(self) -> None:
        self._cuda = driver()
        self._device = self._cuda.number("cuDeviceGet", FIRST)
        self._context = self._cuda.handle("cuDevicePrimaryCtxRetain", self._device)
        self._buffers: list[int] = []
        self.stream = 0
        try:
            self.enter()
            self.stream = self._cuda.handle("cuStreamCreate", CONSTANTS["CU_STREAM_NON_BLOCKING"])
        except SfscError:
            self.close()
            raise

    def enter(self) -> None:
        """Make the context that of the calling thread."""
        self._cuda.call("cuCtxSetCurrent", self._context)

    def allocate(self, size: int) -> int:
        """Address of new memory of `size` bytes; freed by `close`."""
        address = ctypes.c_uint64(0)
        self._cuda.call("cuMemAlloc_v2", ctypes.byref(address), size)
        self._buffers.append(address.value)
        return address.value

    def upload(self, array: NDArray[Any], address: int) -> None:
        """Copy a contiguous array to the GPU, in the stream; it must live until `synchronize`."""
        self._cuda.call("cuMemcpyHtoDAsync_v2", address, array.ctypes.data, array.nbytes, self.stream)

    def download(self, address: int, array: NDArray[Any]) -> None:
        """Fill a contiguous array from the GPU, in the stream; it is filled after `synchronize`."""
        assert array.flags["C_CONTIGUOUS"]
        self._cuda.call("cuMemcpyDtoHAsync_v2", array.ctypes.data, address, array.nbytes, self.stream)

    def synchronize(self) -> None:
        """Wait for everything in the stream."""
        self._cuda.call("cuStreamSynchronize", self.stream)

    def close(self) -> None:
        """Free memory, stream and context; closing again does nothing."""
        if not self._context:
            return
        try:
            self.enter()
            for address in self._buffers:
                self._cuda.call("cuMemFree_v2", address)
            if self.stream:
                self._cuda.call("cuStreamDestroy_v2", self.stream)
        finally:
            self._buffers, self.stream, self._context = [], 0, 0
            self._cuda.call("cuCtxSetCurrent", None)
            self._cuda.call("cuDevicePrimaryCtxRelease_v2", self._device)
