"""Whether an engine may run on a machine: rules on facts, nothing is run.

By default an engine runs only with the TensorRT version that built it and on GPUs of that compute capability. One that
was built to be version-compatible also runs with later versions, one that was built to be hardware-compatible on any
GPU from Ampere (8.0) on that isn't integrated.
https://docs.nvidia.com/deeplearning/tensorrt/10.16.1/inference-library/version-compatibility.html
https://docs.nvidia.com/deeplearning/tensorrt/11.1.0/inference-library/engine-compatibility.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfsc_deploy.runtime.engine.cuda import Gpu
from sfsc_deploy.runtime.engine.versions import Version, fits, parse_version, same_version

if TYPE_CHECKING:  # device kits hold this module, and no pydantic
    from sfsc_deploy.artifact import EngineDevice

AMPERE: Version = (8, 0)


@dataclass(frozen=True)
class Host:
    """What an engine is to be built or run with.

    Attributes:
        tensorrt: its version, as `10.3.0`.
        gpu: the first one.
    """

    tensorrt: str
    gpu: Gpu


def why_not_here(host: Host, built_on: EngineDevice | None, plan: Version | None) -> str | None:
    """Why an engine must not run here, a sentence; None where nothing known speaks against it.

    Args:
        host: here.
        built_on: what its sidecar says; None where there is none that tells.
        plan: the TensorRT version in its first bytes; None where they don't tell.
    """
    wrong = [*_version_problems(host, built_on, plan), *_gpu_problems(host, built_on)]
    return f"{', and '.join(wrong)}." if wrong else None


def why_not_built_here(host: Host, compute_capability: str, tensorrt: str) -> str | None:
    """Why an engine for a device can't be built here, a sentence; None where it can.

    Args:
        host: here.
        compute_capability: of the device.
        tensorrt: specifier of the versions that it may have.
    """
    wrong = []
    if not fits(parse_version(host.tensorrt), tensorrt):
        wrong.append(f"it is to be built with TensorRT {tensorrt}, here is {host.tensorrt}")
    if host.gpu.compute_capability != compute_capability:
        wrong.append(f"it is for a GPU of compute capability {compute_capability}, {_described(host.gpu)}")
    return f"{', and '.join(wrong)}." if wrong else None


def why_not_hardware_compatible(gpu: Gpu) -> str | None:
    """Why no engine for other GPUs can be built on this one, a sentence; None where it can."""
    if gpu.integrated:
        return f"an engine that is built on {gpu.name}, an integrated GPU, can't be made to run on others."
    if parse_version(gpu.compute_capability) < AMPERE:
        return f"hardware-compatible engines are built from compute capability 8.0 on, {_described(gpu)}."
    return None


def _version_problems(host: Host, built_on: EngineDevice | None, plan: Version | None) -> list[str]:
    here = parse_version(host.tensorrt)
    stated = parse_version(built_on.tensorrt) if built_on else None
    for built in (plan, stated):
        if built is None or same_version(built, here):
            continue
        if not (built_on and built_on.version_compatible and built < here):
            return [f"it was built with TensorRT {'.'.join(map(str, built))}, here is {host.tensorrt}"]
    return []


def _gpu_problems(host: Host, built_on: EngineDevice | None) -> list[str]:
    if built_on is None or built_on.compute_capability == host.gpu.compute_capability:
        return []
    capable = not host.gpu.integrated and parse_version(host.gpu.compute_capability) >= AMPERE
    if built_on.hardware_compatible and capable:
        return []
    return [f"it was built for compute capability {built_on.compute_capability}, {_described(host.gpu)}"]


def _described(gpu: Gpu) -> str:
    return f"{gpu.name} here has {gpu.compute_capability}"
