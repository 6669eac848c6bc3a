"""Formats that cannot be run here: why, and the command that completes the matter where they can."""

import ctypes
import importlib.util
import sys
from pathlib import Path

from exporters.formats import FORMATS
from sfsc_deploy.artifact import read_sidecar, sidecar_path
from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import install_command


class BackendUnavailable(SfscError):  # noqa: N818 (a state of the machine, not a mistake)
    """An artifact that may be right, but that this machine or version cannot run.

    Attributes:
        why: the reason, a sentence.
        command: what completes it on the device.
    """

    def __init__(self, artifact: Path, why: str, command: str) -> None:
        super().__init__(f"{artifact} cannot be run here: {why}", f"On the device: {command}")
        self.why = why
        self.command = command


def unavailable_engine(path: Path) -> BackendUnavailable:
    """Why the TensorRT engine at `path` cannot be run here.

    TensorRT itself is not imported: deserialising an engine without a GPU ends in a segmentation fault.

    Raises:
        SfscError: there is neither an engine nor a sidecar that says how to build one.
    """
    return BackendUnavailable(path, _why_no_engine(path), _command(path))


def unavailable_package(path: Path) -> BackendUnavailable:
    """Why the CoreML package at `path` cannot be run here: coremltools is absent.

    Raises:
        SfscError: there is neither a package nor a sidecar that says how to build one.
    """
    why = f"coremltools is not installed ({install_command('coreml')}; {FORMATS['coreml'].no_wheel})."
    return BackendUnavailable(path, _why_not_built(path) or why, _command(path))


def has_gpu() -> bool:
    """Whether the NVIDIA driver is here and counts at least one GPU."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def _why_no_engine(path: Path) -> str:
    not_built = _why_not_built(path)
    if not_built:
        return not_built
    if not has_gpu():
        return "a TensorRT engine needs an NVIDIA GPU and this machine has none."
    if importlib.util.find_spec("tensorrt") is None:
        return f"TensorRT is not installed ({install_command('tensorrt')})."
    return "this version of sfsc-deploy does not run TensorRT engines yet."


def _why_not_built(path: Path) -> str | None:
    if path.exists():
        return None
    if not sidecar_path(path).exists():
        raise SfscError(f"{path} does not exist.", "Check the path, or export it: `sfsc-deploy export --profile ...`.")
    return "it is still to be built on the device."


def _command(path: Path) -> str:
    recorded = path.with_suffix(".safetensors")
    build = read_sidecar(path).build.command if not path.exists() else None
    steps = [f"sfsc-deploy embed {path} --out {recorded}", f"sfsc-deploy verify-compat ... {recorded}"]
    return ", then ".join(f"`{step}`" for step in [*([build] if build else []), *steps])
