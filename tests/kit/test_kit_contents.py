"""What goes into a kit, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

pytest.importorskip("onnx", reason="writes the artifacts")

from kits import left_by_an_export
from left_for_device import leave
from samples import sample_probe, sample_sidecar
from sfsc_deploy.artifact import ProbeFile, read_sidecar, write_sidecar
from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import pack
from tiny_onnx import tiny_weights, write_tiny_onnx

ALWAYS = {"README.txt", "kit.json", "run.pyz", "probe.safetensors"}


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return left_by_an_export(tmp_path)


@pytest.fixture
def unbuilt(artifact: Path) -> Path:
    """An engine that is still to be built, beside the artifact."""
    left = leave(artifact.parent)
    probe = read_sidecar(artifact).probe
    for path in (left.onnx, left.engine):
        write_sidecar(path, read_sidecar(path).model_copy(update={"probe": probe}))
    return left.engine


def test_an_artifact_comes_with_its_record_its_probe_and_a_runner(artifact: Path, tmp_path: Path) -> None:
    with ZipFile(pack([content_of(artifact)], tmp_path / "a.zip")) as kit:
        assert set(kit.namelist()) == {*ALWAYS, "tiny.onnx", "tiny.onnx.json"}
        manifest = json.loads(kit.read("kit.json"))
        assert set(manifest["files"]) == set(kit.namelist()) - {"kit.json"}
        assert kit.read("tiny.onnx") == artifact.read_bytes()


def test_of_an_engine_to_be_built_comes_what_it_is_built_from(unbuilt: Path, tmp_path: Path) -> None:
    content = content_of(unbuilt)
    assert set(content.files) == {"jetson.onnx", "jetson.onnx.json", "jetson.build.json", "jetson.engine.json"}
    for name in ("jetson.onnx", "jetson.build.json", "jetson"):
        assert content_of(unbuilt.with_name(name)) == content


def test_a_package_keeps_its_folders_and_every_name_stays_inside(artifact: Path, tmp_path: Path) -> None:
    package = tmp_path / "phone.mlpackage"
    (package / "Data").mkdir(parents=True)
    (package / "Manifest.json").write_text("{}")
    (package / "Data" / "weights.bin").write_bytes(b"weights")
    facts = {"files": {package.name: sha256_of(package)}, "size_bytes": 9, "format": "coreml"}
    write_sidecar(package, sample_sidecar(artifact, **facts, probe=read_sidecar(artifact).probe))
    with ZipFile(pack([content_of(package)], tmp_path / "a.zip")) as kit:
        names = set(kit.namelist())
    assert {"phone.mlpackage/Manifest.json", "phone.mlpackage/Data/weights.bin"} <= names
    assert not [name for name in names if name.startswith("/") or ".." in name or "\\" in name]


def test_equal_files_make_equal_kits(artifact: Path, tmp_path: Path) -> None:
    kits = [pack([content_of(artifact)], tmp_path / name).read_bytes() for name in ("one.zip", "two.zip")]
    assert kits[0] == kits[1]


def other_weights(artifact: Path) -> None:
    write_tiny_onnx(artifact, tiny_weights(seed=7))


def no_sidecar(artifact: Path) -> None:
    artifact.with_name("tiny.onnx.json").unlink()


def no_probe(artifact: Path) -> None:
    artifact.with_name("probe.safetensors").unlink()


def another_probe(artifact: Path) -> None:
    sample_probe(origin="elsewhere").save(artifact.with_name("probe.safetensors"))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (other_weights, "not what was exported"),
        (no_sidecar, "has no sidecar"),
        (no_probe, "has no probe"),
        (another_probe, "its hash differs"),
        (Path.unlink, "does not exist"),
    ],
)
def test_what_is_not_whole_is_not_packed(artifact: Path, harm: Callable[[Path], None], message: str) -> None:
    harm(artifact)
    with pytest.raises(SfscError, match=message) as refusal:
        content_of(artifact)
    assert refusal.value.remedy


def test_a_recipe_of_another_model_is_refused(unbuilt: Path) -> None:
    onnx = write_tiny_onnx(unbuilt.with_suffix(".onnx"), tiny_weights(seed=7))
    for path in (onnx, unbuilt):
        write_sidecar(path, read_sidecar(path).model_copy(update={"files": {onnx.name: sha256_of(onnx)}}))
    with pytest.raises(SfscError, match=r"not the file that .*jetson\.build\.json is for"):
        content_of(unbuilt)


def test_a_name_that_may_be_several_artifacts_is_refused(artifact: Path) -> None:
    shutil.copy(artifact, artifact.with_suffix(".ort"))
    with pytest.raises(SfscError, match="may be any of"):
        content_of(artifact.with_suffix(""))
    with pytest.raises(SfscError, match="is no artifact"):
        content_of(artifact.with_name("nothing"))


def test_artifacts_of_different_exports_are_not_mixed(artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = left_by_an_export(tmp_path / "other")
    another_probe(other)
    probe = ProbeFile(file="probe.safetensors", sha256=sha256_of(other.with_name("probe.safetensors")))
    write_sidecar(other, read_sidecar(other).model_copy(update={"probe": probe}))
    with pytest.raises(SfscError, match="different files of one name"):
        pack([content_of(artifact), content_of(other)], tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_the_command_names_the_kit_after_the_artifact_and_overwrites_nothing(artifact: Path, unbuilt: Path) -> None:
    arguments = ["kit", str(artifact), str(artifact), str(unbuilt)]
    answer = CliRunner().invoke(app, [*arguments, "--json", "-"])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["file"] == str(artifact.with_suffix(".kit.zip"))
    assert [each["built_there"] for each in told["artifacts"]] == [False, True]
    again = CliRunner().invoke(app, arguments)
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0
