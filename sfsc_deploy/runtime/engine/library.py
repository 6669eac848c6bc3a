"""TensorRT itself: whether it can be used here, and its one import."""

import importlib
import importlib.util
import platform
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from sfsc_deploy.errors import SfscError
from sfsc_deploy.extras import install_command
from sfsc_deploy.runtime.engine import api
from sfsc_deploy.runtime.engine.cuda import has_gpu

_Entry = TypeVar("_Entry", api.Builder, api.Runtime)


class Tensorrt(Protocol):
    """The module `tensorrt`: what is used of it."""

    __version__: str
    Builder: type[api.Builder]
    BuilderFlag: type[api.BuilderFlag]
    DataType: type[api.DataType]
    HardwareCompatibilityLevel: type[api.HardwareCompatibilityLevel]
    ILogger: type[api.ILogger]
    MemoryPoolType: type[api.MemoryPoolType]
    NetworkDefinitionCreationFlag: type[api.NetworkDefinitionCreationFlag]
    OnnxParser: type[api.OnnxParser]
    Runtime: type[api.Runtime]
    TensorIOMode: type[api.TensorIOMode]


class Messages(list[str]):
    """What TensorRT logged as an error, in its order."""

    def logger(self, trt: Tensorrt) -> api.ILogger:
        """A logger that collects into this list and prints nothing; TensorRT calls it from threads of its own."""
        errors = (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR)

        def log(_: api.ILogger, severity: api.Severity, msg: str) -> None:
            if severity in errors:
                self.append(msg.strip())

        return cast("api.ILogger", type("CollectingLogger", (trt.ILogger,), {"log": log})())

    def __str__(self) -> str:
        return " ".join(dict.fromkeys(self)) or "TensorRT didn't say why."


def obstacle() -> str | None:
    """Why TensorRT can't be used on this machine, a sentence; None where it can. TensorRT isn't imported to find out.

    Without a GPU it must not be: deserialising an engine there ends in a segmentation fault.
    """
    if not has_gpu():
        return "a TensorRT engine needs an NVIDIA GPU with its driver, and this machine has none."
    if importlib.util.find_spec("tensorrt") is None:
        return f"TensorRT is not installed ({how_to_install()})."
    return None


def how_to_install() -> str:
    """The command that brings TensorRT to this machine."""
    if platform.machine() == "aarch64":
        return "JetPack brings it: make the environment with python3 -m venv --system-site-packages"
    return install_command("tensorrt")


def tensorrt() -> Tensorrt:
    """Import TensorRT. To be called only where `obstacle` sees none.

    Raises:
        SfscError: it is installed but can't be imported, because a library of its own or of CUDA's is missing.
    """
    try:
        return cast("Tensorrt", importlib.import_module("tensorrt"))
    except ImportError as error:
        raise SfscError(
            f"TensorRT is installed but can't be imported: {error}.", f"Install it again: {how_to_install()}."
        ) from error


def enter(kind: Callable[[api.ILogger], _Entry], logger: api.ILogger) -> _Entry:
    """Create a builder or a runtime.

    Raises:
        SfscError: TensorRT gave none, as it does where there is no GPU or no driver that fits it.
    """
    try:
        return kind(logger)
    except TypeError as error:  # "pybind11::init(): factory function returned nullptr"
        raise SfscError(
            "TensorRT finds no GPU that it can use: there is none, or its driver is too old for this TensorRT.",
            "Look at nvidia-smi, and compare with the driver that the TensorRT release notes ask for.",
        ) from error
