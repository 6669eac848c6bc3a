"""What this machine can build and run, and what is missing for the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from exporters.formats import FORMATS
from sfsc_deploy.doctor.machine import Machine
from sfsc_deploy.doctor.modules import Module, look_up
from sfsc_deploy.extras import EXTRA_OF, extra_of, install_command
from sfsc_deploy.runtime.engine.library import how_to_install

_MACOS = "Darwin"
_TOO_NEW_FOR_COREMLTOOLS = "CPython 3.14"


class Status(Enum):
    """Whether something can be done here."""

    READY = "ready"
    MISSING = "missing"
    """It can be installed here: `needs` says how."""
    ELSEWHERE = "elsewhere"
    """It takes another machine or a later version: `needs` says which."""


@dataclass(frozen=True)
class Capability:
    """One thing that the product does, and whether this machine can do it.

    Attributes:
        name: what is done.
        status: whether it can be done here.
        version: of the modules that do it.
        detail: on what it runs, or why it doesn't.
        needs: the command, driver or machine that is missing; empty when nothing is.
    """

    name: str
    status: Status
    version: str = ""
    detail: str = ""
    needs: str = ""


def survey(machine: Machine, *, importing: bool = True) -> tuple[Capability, ...]:
    """Go through everything that the product does.

    Args:
        machine: where.
        importing: import each library in a child process, instead of believing that what is installed works.
    """
    modules = look_up(EXTRA_OF, importing=importing)
    return (
        _training(modules, machine),
        _from_modules("export to ONNX", _take(modules, "torch", "onnx", "onnxscript", "onnxruntime")),
        _running_onnx(modules, machine),
        _engines(modules, machine),
        _exporting_coreml(modules, machine),
        _running_coreml(modules, machine),
        _from_modules("draw plots", _take(modules, "matplotlib")),
    )


def _training(modules: Mapping[str, Module], machine: Machine) -> Capability:
    torch = modules["torch"]
    devices = torch.facts.get("devices", [])
    blind = torch.usable and bool(machine.gpus) and not devices and bool(torch.facts)
    return _from_modules(
        "train",
        _take(modules, "torch", "kornia", "pytorch_metric_learning", "tomli_w"),
        detail=f"on {', '.join(devices)}" if devices else f"on the CPU, {machine.cores} cores",
        needs="a build of torch with CUDA, to use the GPU: https://pytorch.org/get-started" if blind else "",
    )


def _running_onnx(modules: Mapping[str, Module], machine: Machine) -> Capability:
    runtime = modules["onnxruntime"]
    providers = runtime.facts.get("providers", [])
    blind = bool(machine.gpus) and bool(providers) and "CUDAExecutionProvider" not in providers
    return _from_modules(
        "run ONNX",
        [runtime],
        detail=", ".join(providers),
        needs="pip install onnxruntime-gpu, to use the GPU" if blind else "",
    )


def _engines(modules: Mapping[str, Module], machine: Machine) -> Capability:
    name = "build and run TensorRT engines"
    if not machine.gpus:
        kit = "`export` leaves a kit for the device, where `build` finishes"
        return Capability(name, Status.ELSEWHERE, detail=kit, needs="the device, with its NVIDIA GPU")
    tensorrt = modules["tensorrt"]
    if not tensorrt.version:
        return Capability(name, Status.MISSING, detail="not installed: tensorrt", needs=how_to_install())
    return _from_modules(name, [tensorrt], detail=f"on {machine.gpus[0].name}")


def _exporting_coreml(modules: Mapping[str, Module], machine: Machine) -> Capability:
    name = "export to CoreML"
    return _no_coremltools(name, machine) or _from_modules(name, _take(modules, "torch", "coremltools"))


def _running_coreml(modules: Mapping[str, Module], machine: Machine) -> Capability:
    name = "run CoreML"
    if machine.system.startswith(_MACOS):
        return _from_modules(name, _take(modules, "coremltools"), detail="with Core ML itself")
    return _no_coremltools(name, machine) or _from_modules(
        name,
        _take(modules, "torch", "coremltools"),
        detail="with the reference executor, which checks the conversion",
        needs="a Mac, for Apple's own kernels",
    )


def _no_coremltools(name: str, machine: Machine) -> Capability | None:
    """That another machine is needed, where coremltools can't be installed."""
    aarch64 = machine.system.startswith("Linux") and machine.architecture == "aarch64"
    if aarch64 or machine.python.startswith(_TOO_NEW_FOR_COREMLTOOLS):
        return Capability(name, Status.ELSEWHERE, needs=f"another machine: {FORMATS['coreml'].no_wheel}")
    return None


def _from_modules(name: str, modules: Sequence[Module], *, detail: str = "", needs: str = "") -> Capability:
    """A capability that rests on modules alone; `detail` and `needs` hold once all of them are there."""
    absent = [module.name for module in modules if not module.version]
    broken = [module for module in modules if module.failure]
    if absent:
        extras = sorted({extra_of(module) or "" for module in absent})
        detail = f"not installed: {', '.join(absent)}"
        return Capability(name, Status.MISSING, _versions(modules), detail, install_command(*extras))
    if broken:
        detail = "; ".join(f"{module.name} can't be imported: {module.failure}" for module in broken)
        return Capability(name, Status.MISSING, _versions(modules), detail, "install it again")
    return Capability(name, Status.READY, _versions(modules), detail, needs)


def _take(modules: Mapping[str, Module], *names: str) -> list[Module]:
    return [modules[name] for name in names]


def _versions(modules: Sequence[Module]) -> str:
    return ", ".join(f"{module.name} {module.version}" for module in modules if module.version)
