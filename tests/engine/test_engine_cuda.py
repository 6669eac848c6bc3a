"""The driver without a GPU: what can be seen of it on a machine that has none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sfsc_deploy.runtime.engine import cuda

DRIVER_WITHOUT_DEVICE = """
int cuInit(unsigned int flags) { return 100; }
int cuGetErrorName(int error, const char **name) { *name = "CUDA_ERROR_NO_DEVICE"; return 0; }
"""
ASK = """
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.engine import cuda

assert not cuda.has_gpu()
try:
    cuda.driver()
except SfscError as error:
    print(error)
"""


def test_a_look_for_a_gpu_never_fails() -> None:
    assert cuda.has_gpu() in {True, False}


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(cuda.ctypes, "CDLL", absent)
    cuda.driver.cache_clear()
    assert not cuda.has_gpu()


@pytest.mark.skipif(shutil.which("gcc") is None or sys.platform != "linux", reason="compiles a driver without devices")
def test_a_driver_that_finds_no_device_is_no_gpu(tmp_path: Path) -> None:
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(tmp_path / "libcuda.so.1")]
    subprocess.run(command, input=DRIVER_WITHOUT_DEVICE, text=True, check=True)
    answer = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "cuInit gave CUDA_ERROR_NO_DEVICE" in answer.stdout
