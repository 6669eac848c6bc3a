"""Kits, unpacked and run as on a device: with numpy, ONNX Runtime and Pillow, and nothing else that is installed."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

from samples import sample_probe, sample_sidecar
from sfsc_deploy.artifact import ProbeFile, write_sidecar
from sfsc_deploy.files import sha256_of
from tiny_onnx import write_tiny_onnx

ON_A_DEVICE = {"numpy", "onnxruntime", "PIL"}
OF_A_WORKSTATION = {
    "torch", "kornia", "onnx", "pydantic", "pydantic_core", "safetensors", "typer", "rich", "coremltools", "tensorrt",
    "trainer", "exporters", "profiles", "matplotlib",
}  # fmt: skip
_PROGRAM = """
import runpy, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError("absent from this device", name=name.partition(".")[0])

sys.meta_path.insert(0, Absent())
sys.argv = ["run.pyz", *{arguments!r}]
try:
    runpy.run_path({runner!r}, run_name="__main__")
finally:
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] == "sfsc_deploy"]
    assert ours and all("run.pyz" in (module.__file__ or "") for module in ours), ours
    assert not any(name.partition(".")[0] in {absent!r} for name in sys.modules)
"""


def left_by_an_export(folder: Path) -> Path:
    """A tiny artifact with its sidecar and probe."""
    sample_probe().save(folder / "probe.safetensors")
    artifact = write_tiny_onnx(folder / "tiny.onnx")
    probe = ProbeFile(file="probe.safetensors", sha256=sha256_of(folder / "probe.safetensors"))
    write_sidecar(artifact, sample_sidecar(artifact, probe=probe))
    return artifact


def unpack(kit: Path, folder: Path) -> Path:
    """Unpack a kit as a person would."""
    with ZipFile(kit) as archive:
        archive.extractall(folder)
    return folder


def run_kit(
    folder: Path, *arguments: str, absent: Iterable[str] = OF_A_WORKSTATION
) -> "subprocess.CompletedProcess[str]":
    """Run an unpacked kit on a device without the modules `absent`."""
    program = _PROGRAM.format(absent=set(absent), arguments=list(arguments), runner=str(folder / "run.pyz"))
    command = [sys.executable, "-I", "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
