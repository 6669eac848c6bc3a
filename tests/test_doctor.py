"""What a machine can build and run, on machines that we don't have."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sfsc_deploy.cli.app import app
from sfsc_deploy.doctor import capabilities, machine, modules
from sfsc_deploy.doctor.capabilities import Capability, Status, survey
from sfsc_deploy.doctor.machine import Gpu, Machine
from sfsc_deploy.doctor.modules import Module, look_up
from sfsc_deploy.runtime.engine import library

CPU_ONLY = Machine("CPython 3.11", "Linux", "x86_64", "a processor", 2, 8 << 30, ())
ON_A_MAC = Machine("CPython 3.12", "Darwin 24.1", "arm64", "Apple M3", 8, 16 << 30, ())
WITH_GPU = Machine("CPython 3.11", "Linux", "x86_64", "a processor", 8, None, (Gpu("H200", "9.0", "143771", "570"),))


def surveyed(monkeypatch: pytest.MonkeyPatch, here: Machine, **changed: Module) -> dict[str, Capability]:
    """The survey of a machine where everything is installed, but for what is changed."""
    found = {name: Module(name, "1.0") for name in capabilities.EXTRA_OF} | changed
    monkeypatch.setattr(capabilities, "look_up", lambda names, importing: found)
    return {capability.name: capability for capability in survey(here)}


def test_everything_installed_is_ready_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    found = surveyed(monkeypatch, CPU_ONLY)
    for name in ("train", "export to ONNX", "run ONNX", "draw plots"):
        assert found[name].status is Status.READY
        assert not found[name].needs
    assert "2 cores" in found["train"].detail


def test_a_missing_module_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = surveyed(monkeypatch, CPU_ONLY, torch=Module("torch", ""), onnx=Module("onnx", ""))
    assert found["train"].status is Status.MISSING
    assert found["train"].needs == 'pip install "sfsc-deploy[train]"'
    assert found["export to ONNX"].needs == 'pip install "sfsc-deploy[onnx,train]"'
    assert found["run ONNX"].status is Status.READY


def test_a_module_that_does_not_import_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Module("onnxruntime", "1.0", failure="ImportError: libstdc++ is too old")
    found = surveyed(monkeypatch, CPU_ONLY, onnxruntime=broken)
    assert found["run ONNX"].status is Status.MISSING
    assert "libstdc++ is too old" in found["run ONNX"].detail


def test_a_gpu_that_the_libraries_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = Module("torch", "2.13.0+cpu", facts={"cuda": None, "devices": []})
    runtime = Module("onnxruntime", "1.32", facts={"providers": ["CPUExecutionProvider"]})
    found = surveyed(monkeypatch, WITH_GPU, torch=torch, onnxruntime=runtime)
    assert "CUDA" in found["train"].needs
    assert "onnxruntime-gpu" in found["run ONNX"].needs


def test_a_gpu_that_the_libraries_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = Module("torch", "2.13.0", facts={"cuda": "12.6", "devices": ["H200"]})
    runtime = Module("onnxruntime", "1.32", facts={"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]})
    found = surveyed(monkeypatch, WITH_GPU, torch=torch, onnxruntime=runtime)
    assert found["train"].detail == "on H200"
    assert not found["train"].needs
    assert not found["run ONNX"].needs


def test_core_ml_runs_packages_on_a_mac_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    here, mac = surveyed(monkeypatch, CPU_ONLY), surveyed(monkeypatch, ON_A_MAC, torch=Module("torch", ""))
    assert here["export to CoreML"].status is here["run CoreML"].status is mac["run CoreML"].status is Status.READY
    assert "reference executor" in here["run CoreML"].detail
    assert "a Mac" in here["run CoreML"].needs
    assert "Core ML itself" in mac["run CoreML"].detail
    assert not mac["run CoreML"].needs
    assert mac["export to CoreML"].status is Status.MISSING


@pytest.mark.parametrize(
    "change", [{"architecture": "aarch64"}, {"python": "CPython 3.14.1"}], ids=lambda change: next(iter(change))
)
def test_where_coremltools_does_not_install_no_command_is_given(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    found = surveyed(monkeypatch, replace(CPU_ONLY, **change), coremltools=Module("coremltools", ""))
    for name in ("export to CoreML", "run CoreML"):
        assert found[name].status is Status.ELSEWHERE
        assert found[name].needs.startswith("another machine: coremltools has no wheel")


def test_engines_are_built_and_run_where_a_gpu_and_tensorrt_are(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "build and run TensorRT engines"
    assert surveyed(monkeypatch, CPU_ONLY)[name].status is Status.ELSEWHERE
    ready = surveyed(monkeypatch, WITH_GPU)[name]
    assert ready.status is Status.READY
    assert ready.detail == "on H200"
    missing = surveyed(monkeypatch, WITH_GPU, tensorrt=Module("tensorrt", ""))[name]
    assert missing.status is Status.MISSING
    assert missing.needs == library.how_to_install()
    broken = Module("tensorrt", "10.3.0", failure="ImportError: libnvinfer.so.10")
    assert "libnvinfer" in surveyed(monkeypatch, WITH_GPU, tensorrt=broken)[name].detail


def test_a_library_that_crashes_its_process_is_only_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "_QUESTIONS", {"rich": "import os; os.abort()", "typer": "facts = {'it': 'works'}"})
    found = look_up(["rich", "typer", "no_such_module"], importing=True)
    assert found["rich"].version
    assert not found["rich"].usable
    assert found["typer"].usable
    assert found["typer"].facts == {"it": "works"}
    assert not found["no_such_module"].usable


def test_without_trying_versions_are_enough() -> None:
    found = look_up(["rich"], importing=False)
    assert found["rich"].usable
    assert not found["rich"].facts


def test_the_driver_is_asked_for_the_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 9.0, 143771, 570.1'\necho 'no such line'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert machine.describe().gpus == (Gpu("NVIDIA H200", "9.0", "143771", "570.1"),)
    program.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    monkeypatch.setattr(machine, "JETSON_MODEL", tmp_path / "model")
    assert machine.describe().gpus == ()


def test_a_jetson_is_known_by_its_device_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"NVIDIA Jetson Orin Nano Developer Kit\x00")
    monkeypatch.setattr(machine, "JETSON_MODEL", model)
    monkeypatch.setenv("PATH", "")
    (gpu,) = machine.describe().gpus
    assert gpu.name == "NVIDIA Jetson Orin Nano Developer Kit"


def test_a_machine_that_says_nothing_of_itself_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "PROCESSORS", tmp_path / "nothing")
    monkeypatch.setattr(machine, "JETSON_MODEL", tmp_path / "nothing")
    monkeypatch.delattr(machine.os, "sysconf")
    monkeypatch.setenv("PATH", "")
    described = machine.describe()
    assert described.memory_bytes is None
    assert described.cores >= 1


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    target = tmp_path / "doctor.json"
    answer = CliRunner().invoke(app, ["doctor", "--quick", "--json", str(target)])
    assert answer.exit_code == 0, answer.output
    assert "export to ONNX" in answer.output
    document = json.loads(target.read_text(encoding="utf-8"))
    assert document["machine"]["cores"] >= 1
    assert {"name", "status", "version", "detail", "needs"} == set(document["capabilities"][0])


def test_versions_are_read_without_importing() -> None:
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from sfsc_deploy.cli.app import app\n"
        "assert CliRunner().invoke(app, ['doctor']).exit_code == 0\n"
        "print(*sys.modules)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert set(capabilities.EXTRA_OF).isdisjoint(answer.stdout.split())
