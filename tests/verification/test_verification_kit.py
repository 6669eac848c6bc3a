"""The whole way of a kit: packed here, run on a device that has next to nothing, verified here."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kits import run_kit, unpack
from sfsc_deploy.artifact import read_sidecar, write_sidecar
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import pack
from sfsc_deploy.verification import Status, Verdict
from sfsc_deploy.verification.summary import remarks
from sfsc_deploy.verification.verify import verify


@pytest.fixture(scope="module")
def sent_back(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of two artifacts. Not to be changed."""
    folder = tmp_path_factory.mktemp("kit")
    contents = [content_of(exported / f"{name}.onnx") for name in ("raspberry-pi", "android")]
    device = unpack(pack(contents, folder / "a.kit.zip"), folder / "device")
    answer = run_kit(device, "--device-name", "a Pi")
    assert answer.returncode == 0, answer.stderr
    return device / "recorded"


def verdict_on(dist: Path, recording: Path) -> Verdict:
    return verify([str(dist / "server-cpu.onnx"), str(shutil.copy(recording, dist / "recorded.safetensors"))])


def test_what_the_device_recorded_passes_and_the_verdict_names_it(dist: Path, sent_back: Path) -> None:
    for name in ("raspberry-pi", "android"):
        verdict = verdict_on(dist, sent_back / f"{name}.safetensors")
        assert verdict.status is Status.PASS, [check for check in verdict.checks if check.status is not Status.PASS]
        assert any("recorded on a Pi" in remark for remark in remarks(verdict))
        assert "recorded on a Pi" in (verdict.artifacts[1].backend or "")


def test_a_recording_of_another_file_than_the_one_beside_it_fails(
    dist: Path, sent_back: Path, found: Callable[[Verdict, Path | str, Status], set[str]]
) -> None:
    """Of an earlier export, or of a file that took its place on the device."""
    artifact = dist / "raspberry-pi.onnx"
    sidecar = read_sidecar(artifact)
    write_sidecar(artifact, sidecar.model_copy(update={"files": {artifact.name: "0" * 64}}))
    verdict = verdict_on(dist, sent_back / "raspberry-pi.safetensors")
    assert verdict.status is Status.FAIL
    assert found(verdict, dist / "recorded.safetensors", Status.FAIL) == {"intact"}


def test_a_recording_is_not_taken_for_that_of_another_artifact(dist: Path, sent_back: Path) -> None:
    """Under a wrong name it stays what it is: the verdict is on the artifact that ran."""
    verdict = verdict_on(dist, sent_back / "android.safetensors")
    assert (verdict.artifacts[1].width, verdict.artifacts[1].precision) == (0.5, "float16")
