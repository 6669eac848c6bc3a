"""What this machine is: interpreter, processor, memory, GPUs. Nothing heavy is imported to find out."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

JETSON_MODEL = Path("/proc/device-tree/model")
PROCESSORS = Path("/proc/cpuinfo")
NVIDIA_QUERY = ("--query-gpu=name,compute_cap,memory.total,driver_version", "--format=csv,noheader,nounits")
SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as its driver describes it; empty strings where it doesn't say."""

    name: str
    compute_capability: str
    memory_mib: str
    driver: str


@dataclass(frozen=True)
class Machine:
    """The facts that decide what can be built and run here."""

    python: str
    system: str
    architecture: str
    processor: str
    cores: int
    memory_bytes: int | None
    gpus: tuple[Gpu, ...]


def describe() -> Machine:
    """Look at this machine. Never raises: what can't be found out is left empty."""
    return Machine(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        processor=_processor(),
        cores=_cores(),
        memory_bytes=_memory_bytes(),
        gpus=_nvidia_gpus() or _jetson_gpu(),
    )


def _cores() -> int:
    """The cores that this process may use, which a container can make fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _processor() -> str:
    try:
        lines = PROCESSORS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _nvidia_gpus() -> tuple[Gpu, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        answer = subprocess.run(
            [program, *NVIDIA_QUERY], capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[value.strip() for value in line.split(",")] for line in answer.stdout.splitlines()]
    return tuple(Gpu(*row) for row in rows if len(row) == 4)


def _jetson_gpu() -> tuple[Gpu, ...]:
    """Jetson boards before JetPack 6 have no `nvidia-smi`; the device tree names them."""
    try:
        model = JETSON_MODEL.read_text(encoding="utf-8", errors="replace").strip("\x00\n ")
    except OSError:
        return ()
    return (Gpu(model, "", "", ""),) if "jetson" in model.lower() else ()
