"""The real TensorRT bindings and the real header of the CUDA driver, on a machine that has neither libraries nor GPU.

The bindings are a Python extension linked to NVIDIA's libraries. Empty libraries of the same names, whose few entry
points return NULL, are enough to import it: every class, method and enumeration is then the real one. Nothing can be
built or run with it: `Builder(...)` raises the TypeError that it raises without a GPU.

Wheels, for the interpreter that runs this, come from the package index:

    pip download --no-deps --dest WHEELS tensorrt-cu12-bindings==10.3.0    # 10.13.3.9, 10.16.1.11
    pip download --no-deps --dest WHEELS tensorrt-cu13-bindings==11.4.0.106
    pip download --no-deps --dest WHEELS nvidia-cuda-runtime-cu12==12.6.77  # nvidia-cuda-runtime==13.5.37
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

BINDINGS = f"tensorrt_cu*_bindings-*-cp{sys.version_info.major}{sys.version_info.minor}-*.whl"
HEADERS = "nvidia_cuda_runtime*.whl"
TOOLS = ("gcc", "readelf", "nm")

_ENTRY_POINT = re.compile(r"(create\w+_INTERNAL|get\w*PluginRegistry|getNvOnnx\w+|initLibNv\w+)")
_AS_TENSORRT = "import sys, tensorrt_bindings; sys.modules['tensorrt'] = tensorrt_bindings\n"


@dataclass(frozen=True)
class Bindings:
    """A wheel of bindings, unpacked, with empty libraries to import it over."""

    version: str
    folder: Path
    libraries: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program in an interpreter of its own, where `import tensorrt` gives these bindings."""
        search = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-c", _AS_TENSORRT + program, *arguments],
            env={**os.environ, "LD_LIBRARY_PATH": str(self.libraries), "PYTHONPATH": search},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def unpack_bindings(wheel: Path, folder: Path) -> Bindings:
    """Unpack a wheel and compile the libraries that it wants."""
    libraries = folder / "libraries"
    libraries.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    extension = folder / "tensorrt_bindings" / "tensorrt.so"
    for index, name in enumerate(_wanted_libraries(extension)):
        _compile_library(libraries / name, _entry_points(extension) if index == 0 else [])
    return Bindings(wheel.name.split("-")[1], folder, libraries)


def unpack_header(wheel: Path, folder: Path) -> tuple[str, Path]:
    """The CUDA version of a wheel and its `cuda.h`."""
    target = folder / "cuda.h"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        (inside,) = (name for name in archive.namelist() if name.endswith("include/cuda.h"))
        with archive.open(inside) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    return wheel.name.split("-")[1], target


def missing_tools() -> list[str]:
    """What unpacking needs and this machine doesn't have."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def _wanted_libraries(extension: Path) -> list[str]:
    dynamic = subprocess.run(["readelf", "-d", extension], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(libnv[^]]+)\]", dynamic)


def _entry_points(extension: Path) -> list[str]:
    listing = ["nm", "-D", "--undefined-only", extension]
    symbols = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    return [symbol for symbol in symbols if _ENTRY_POINT.fullmatch(symbol)]


def _compile_library(target: Path, functions: list[str]) -> None:
    source = "".join(f"void *{function}(void) {{ return 0; }}\n" for function in functions)
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(target), f"-Wl,-soname,{target.name}"]
    subprocess.run(command, input=source, text=True, check=True)
