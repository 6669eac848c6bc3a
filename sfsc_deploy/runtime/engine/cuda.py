"""The CUDA driver, and what it says of the GPU.

It is called by ctypes, because it is there wherever a GPU is, keeps its binary interface, and needs no package that
would have to fit CUDA's version.

Not run on a GPU. A test compares `SIGNATURES` with NVIDIA's header.
"""

import ctypes
import sys
from collections.abc import Mapping
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from sfsc_deploy.errors import SfscError

SIGNATURES: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "cuInit": (c_uint,),
        "cuGetErrorName": (c_int, POINTER(c_char_p)),
        "cuDriverGetVersion": (POINTER(c_int),),
        "cuDeviceGetCount": (POINTER(c_int),),
        "cuDeviceGet": (POINTER(c_int), c_int),
        "cuDeviceGetName": (c_char_p, c_int, c_int),
        "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
        "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
        "cuDevicePrimaryCtxRelease_v2": (c_int,),
        "cuCtxSetCurrent": (c_void_p,),
        "cuStreamCreate": (POINTER(c_void_p), c_uint),
        "cuStreamSynchronize": (c_void_p,),
        "cuStreamDestroy_v2": (c_void_p,),
        "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
        "cuMemFree_v2": (c_uint64,),
        "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
        "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    }
)
"""The functions that are called, with their arguments; each returns a CUresult, 0 when all went well."""

CONSTANTS: Mapping[str, int] = MappingProxyType(
    {
        "CU_DEVICE_ATTRIBUTE_INTEGRATED": 18,
        "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR": 75,
        "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR": 76,
        "CU_STREAM_NON_BLOCKING": 1,
    }
)
FIRST = 0
"""The device that is used: CUDA_VISIBLE_DEVICES chooses which one that is."""

_NAME_BYTES = 256


@dataclass(frozen=True)
class Gpu:
    """The first GPU that CUDA_VISIBLE_DEVICES leaves.

    Attributes:
        name: as its driver calls it.
        compute_capability: as `8.7`.
        integrated: whether it shares its memory with the processor, as on a Jetson.
        cuda: the newest version of CUDA that its driver knows.
    """

    name: str
    compute_capability: str
    integrated: bool
    cuda: str


class Driver:
    """The CUDA driver, loaded and initialised.

    Raises:
        OSError: it isn't installed.
        SfscError: it finds no device, or is too old.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        self.call("cuInit", 0)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of `SIGNATURES`.

        Raises:
            SfscError: it failed, or the driver doesn't have it.
        """
        try:
            function = getattr(self._library, name)
        except AttributeError as error:
            raise SfscError(f"The CUDA driver has no {name}.", "Install a newer driver.") from error
        function.argtypes = SIGNATURES[name]
        result = function(*arguments)
        if result != 0:
            raise SfscError(f"The GPU failed: {name} gave {self._error_name(result)}.", "Look at nvidia-smi or dmesg.")

    def number(self, name: str, *arguments: Any) -> int:
        """Call a function whose first argument is where it leaves an int."""
        value = c_int(0)
        self.call(name, ctypes.byref(value), *arguments)
        return value.value

    def handle(self, name: str, *arguments: Any) -> int:
        """Call a function whose first argument is where it leaves a pointer."""
        value = c_void_p(0)
        self.call(name, ctypes.byref(value), *arguments)
        return value.value or 0

    def _error_name(self, result: int) -> str:
        name = c_char_p()
        self._library.cuGetErrorName(c_int(result), ctypes.byref(name))
        return (name.value or b"an unknown error").decode(errors="replace")


@cache
def driver() -> Driver:
    """The driver, loaded once; raises as `Driver`."""
    return Driver()


def has_gpu() -> bool:
    """Whether the NVIDIA driver is here and counts at least one GPU."""
    try:
        return driver().number("cuDeviceGetCount") > 0
    except (OSError, SfscError):
        return False


def gpu() -> Gpu:
    """Describe the GPU; to be called only where `has_gpu`."""
    cuda, device = driver(), driver().number("cuDeviceGet", FIRST)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    cuda.call("cuDeviceGetName", name, _NAME_BYTES, device)
    major, minor, integrated = (
        cuda.number("cuDeviceGetAttribute", CONSTANTS[f"CU_DEVICE_ATTRIBUTE_{attribute}"], device)
        for attribute in ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "INTEGRATED")
    )
    version = cuda.number("cuDriverGetVersion")  # 12060 is 12.6
    return Gpu(
        name=name.value.decode(errors="replace"),
        compute_capability=f"{major}.{minor}",
        integrated=bool(integrated),
        cuda=f"{version // 1000}.{version % 1000 // 10}",
    )
