"""The whole loop around a device: exported here, built and recorded there, verified here.

Nothing was built or run on a GPU. What the device would send back is put together here: a file in the engine's place,
the sidecar that `build` writes for it, and embeddings that ONNX Runtime computed from the typed model.
"""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the artifacts are exported from a supernet")
pytest.importorskip("onnxscript", reason="torch writes ONNX by way of onnxscript")
pytest.importorskip("onnxruntime", reason="computes what stands in for the device's embeddings")

from fleet import export_all, make_run
from sfsc_deploy.artifact import EngineDevice, read_sidecar, write_sidecar
from sfsc_deploy.building import built_sidecar, read_recipe
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import PROBE
from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder
from sfsc_deploy.runtime.recorded import record_probe
from sfsc_deploy.verification import Status
from sfsc_deploy.verification.verify import verify

pytestmark = pytest.mark.slow

ON_ORIN = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("runs") / "trained")
    return export_all(run, tmp_path_factory.mktemp("exported") / "dist", ("server-cpu", "jetson-orin"))


@pytest.fixture(scope="module")
def sent_back(dist: Path) -> Path:
    """The recording of the device; its engine stays there."""
    engine, onnx = dist / "jetson-orin.engine", dist / "jetson-orin.onnx"
    engine.write_bytes(b"stands where the engine lies on the device")
    sidecar = built_sidecar(read_sidecar(onnx), engine, read_recipe(dist / "jetson-orin.build.json"), ON_ORIN)
    write_sidecar(engine, sidecar)
    recorded = dist / "jetson-orin.safetensors"
    with OnnxEmbedder(onnx) as stand_in:
        stand_in.name, stand_in.sidecar = str(engine), sidecar
        record_probe(stand_in, Probe.load(dist / PROBE), recorded, device="a jetson")
    engine.unlink()
    return recorded


def test_what_the_device_recorded_is_verified_without_it(dist: Path, sent_back: Path) -> None:
    server, recorded = str(dist / "server-cpu.onnx"), str(sent_back)
    verdict = verify([server, recorded])
    assert verdict.status is Status.PASS, [check for check in verdict.checks if check.status is not Status.PASS]
    assert {(cell.query, cell.gallery) for cell in verdict.matrix} >= {(server, recorded), (recorded, server)}
    (artifact,) = (artifact for artifact in verdict.artifacts if artifact.name == recorded)
    assert (artifact.precision, artifact.width) == ("float16", 0.5)


def test_before_the_device_has_answered_the_fleet_is_unverified(dist: Path, sent_back: Path) -> None:
    verdict = verify([str(dist / "server-cpu.onnx"), str(dist / "jetson-orin.onnx")])
    assert verdict.status is Status.UNVERIFIED
    open_checks = [check for check in verdict.checks if check.status is Status.UNVERIFIED]
    assert [check.name for check in open_checks] == ["built"]
    assert open_checks[0].command == f"sfsc-deploy build {dist / 'jetson-orin.build.json'}"


def test_a_recording_of_another_engine_fails(dist: Path, sent_back: Path, tmp_path: Path) -> None:
    """The bytes that ran are not those that the sidecar names."""
    engine = tmp_path / "jetson-orin.engine"
    engine.write_bytes(b"another engine")
    sidecar = read_sidecar(dist / "jetson-orin.engine")
    with OnnxEmbedder(dist / "jetson-orin.onnx") as stand_in:
        stand_in.name, stand_in.sidecar = str(engine), sidecar
        record_probe(stand_in, Probe.load(dist / PROBE), tmp_path / "other.safetensors")
    verdict = verify([str(dist / "server-cpu.onnx"), str(tmp_path / "other.safetensors")], probe=dist / PROBE)
    assert verdict.status is Status.FAIL
    failed = {check.name for check in verdict.checks if check.status is Status.FAIL}
    assert failed == {"intact"}
