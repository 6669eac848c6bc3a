"""What an export leaves for a device that isn't here, and that the device needs nothing else."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from left_for_device import L4, ORIN

pytest.importorskip("torch", reason="the typed model is exported from a supernet")
pytest.importorskip("onnxscript", reason="torch writes ONNX by way of onnxscript")

from fleet import make_run
from profiles import load as load_profile
from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.engine import require_engines
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import readme
from sfsc_deploy.runtime.engine.fitness import Host

PROFILE = "jetson-orin"
PARTS = {f"{PROFILE}.onnx", f"{PROFILE}.onnx.json", f"{PROFILE}.build.json", f"{PROFILE}.engine.json"}
OF_THE_TRAINING_MACHINE = ("torch", "onnx", "onnxscript", "onnxruntime", "kornia", "matplotlib", "coremltools")

BUILD_IN_A_BARE_ENVIRONMENT = """
import sys
sys.modules.update(dict.fromkeys({absent!r}))
from sfsc_deploy.runtime.engine import library
library.has_gpu = lambda: False
from sfsc_deploy.cli.app import app
app(["build", {recipe!r}], prog_name="sfsc-deploy")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "hasty", epochs=1)


@pytest.fixture(scope="module")
def without_any_gpu() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sfsc_deploy.runtime.engine.library.has_gpu", lambda: False)
        yield


@pytest.fixture(scope="module")
def dist(run: Path, tmp_path_factory: pytest.TempPathFactory, without_any_gpu: None) -> Path:
    out = tmp_path_factory.mktemp("exported") / "dist"
    answer = CliRunner().invoke(app, ["export", str(run), "--profile", PROFILE, "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    assert "engine: to be built on the device" in answer.stdout
    assert f"{PROFILE}.kit.zip holds all that it needs there" in answer.stdout
    return out


def test_the_kit_is_all_that_the_device_needs(dist: Path) -> None:
    assert {file.name for file in dist.iterdir()} == {*PARTS, "probe.safetensors", f"{PROFILE}.kit.zip"}
    with ZipFile(dist / f"{PROFILE}.kit.zip") as kit:
        assert set(kit.namelist()) == {*PARTS, "probe.safetensors", "README.txt", "kit.json", "run.pyz"}
        assert all(kit.read(name) == (dist / name).read_bytes() for name in {*PARTS, "probe.safetensors"})
        assert kit.read("README.txt").decode() == readme([content_of(dist / f"{PROFILE}.engine")])


def test_the_device_needs_nothing_of_the_training_machine(dist: Path, tmp_path: Path) -> None:
    with ZipFile(dist / f"{PROFILE}.kit.zip") as kit:
        kit.extractall(tmp_path)
    recipe = str(tmp_path / f"{PROFILE}.build.json")
    program = BUILD_IN_A_BARE_ENVIRONMENT.format(absent=OF_THE_TRAINING_MACHINE, recipe=recipe)
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 2, answer.stderr
    assert "a TensorRT engine needs an NVIDIA GPU" in answer.stderr


@pytest.mark.usefixtures("without_any_gpu")
def test_a_required_engine_is_refused_and_nothing_is_left(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "dist"
    answer = CliRunner().invoke(app, ["export", str(run), "--profile", PROFILE, "--out", str(out), "--require-engine"])
    assert answer.exit_code == 2
    assert f"The engine of {PROFILE} is required, but it can't be built here" in answer.stderr
    assert not out.exists()


def test_a_required_engine_needs_the_device_that_its_profile_names(on: Callable[[Host], None]) -> None:
    jetson, server = load_profile(PROFILE), load_profile("server-cpu")
    require_engines([server])
    on(Host("10.3.0", ORIN))
    require_engines([jetson, server])
    on(Host("10.3.0", L4))
    with pytest.raises(SfscError, match=r"compute capability 8\.7, NVIDIA L4 here has 8\.9"):
        require_engines([server, jetson])


@pytest.mark.usefixtures("without_any_gpu")
def test_an_engine_of_an_earlier_export_does_not_stay(run: Path, tmp_path: Path) -> None:
    stale = tmp_path / f"{PROFILE}.engine"
    stale.write_bytes(b"of another model")
    arguments = ["export", str(run), "--profile", PROFILE, "--out", str(tmp_path)]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 2
    assert "would be overwritten" in answer.stderr
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0
    assert not stale.exists()
