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
from sfsc_deploy.artifact import EngineDevice, ProbeFile, read_sidecar, write_sidecar
from sfsc_deploy.building import built_sidecar, read_recipe
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


@pytest.mark.parametrize("changed", [{"files": {}}, {"precision": "float16"}])
@pytest.mark.parametrize("name", ["jetson.onnx", "jetson.engine"])
def test_a_sidecar_of_another_export_is_refused(unbuilt: Path, name: str, changed: dict[str, object]) -> None:
    """It would be written beside the engine: what no one can look into is what its sidecar says."""
    path = unbuilt.with_name(name)
    if "files" in changed:
        changed = {"files": {"jetson.build.json": sha256_of(unbuilt.with_name("jetson.build.json"))}}
    write_sidecar(path, read_sidecar(path).model_copy(update=changed))
    with pytest.raises(SfscError, match=rf"{name}\.json is that of another export"):
        content_of(unbuilt)


def test_a_model_that_lacks_its_recipe_is_told_of(unbuilt: Path) -> None:
    unbuilt.with_name("jetson.build.json").unlink()
    (unknown,) = content_of(unbuilt.with_name("jetson.onnx")).unknown
    assert "jetson.build.json is missing" in unknown


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
    other = other.rename(other.with_name("other.onnx"))
    facts = {"files": {other.name: sha256_of(other)}, "probe": probe}
    write_sidecar(other, read_sidecar(artifact).model_copy(update=facts))
    with pytest.raises(SfscError, match="different files of one name"):
        pack([content_of(artifact), content_of(other)], tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def copied(artifact: Path, target: Path, **changed: object) -> Path:
    """The artifact under another name, with a sidecar and the probe."""
    target.parent.mkdir(exist_ok=True)
    shutil.copy(artifact, target)
    sidecar = read_sidecar(artifact)
    write_sidecar(target, sidecar.model_copy(update={"files": {target.name: sha256_of(target)}, **changed}))
    if target.parent != artifact.parent:
        shutil.copy(artifact.with_name("probe.safetensors"), target.parent)
    return target


@pytest.mark.parametrize("name", ["tiny.onnx", "Tiny.onnx"])
def test_artifacts_of_one_name_are_not_mixed(artifact: Path, tmp_path: Path, name: str) -> None:
    other = copied(artifact, tmp_path / "other" / name)
    with pytest.raises(SfscError, match="different artifacts of one name") as refusal:
        pack([content_of(artifact), content_of(other)], tmp_path / "a.zip")
    assert "--out" in refusal.value.remedy


def test_artifacts_of_one_stem_are_recorded_under_their_whole_names(artifact: Path, tmp_path: Path) -> None:
    names = ("tiny.ort", "other.onnx", "probe.onnx", "tiny.ort.onnx")
    others = [copied(artifact, artifact.with_name(name)) for name in names]
    contents = [content_of(path) for path in (artifact, *others)]
    expected = ["tiny.onnx", "tiny.ort", "other", "probe.onnx", "tiny.ort.onnx"]
    with ZipFile(pack(contents, tmp_path / "a.zip")) as kit:
        recordings = [entry["recording"] for entry in json.loads(kit.read("kit.json"))["artifacts"]]
        told = kit.read("README.txt").decode()
    assert recordings == [f"{name}.safetensors" for name in expected]
    assert " ".join(recordings) in told


@pytest.mark.parametrize("name", ["kit.json", "readme.txt", "run.pyz"])
def test_a_probe_named_like_a_file_of_the_kit_is_refused(artifact: Path, tmp_path: Path, name: str) -> None:
    probe = artifact.with_name("probe.safetensors").rename(artifact.with_name(name))
    named = ProbeFile(file=name, sha256=sha256_of(probe))
    write_sidecar(artifact, read_sidecar(artifact).model_copy(update={"probe": named}))
    with pytest.raises(SfscError, match="a file that every kit holds"):
        pack([content_of(artifact)], tmp_path / "a.zip")


def built(unbuilt: Path, **changed: object) -> Path:
    """Bytes in the place of the engine, and the sidecar that `build` writes for them."""
    unbuilt.write_bytes(b"stands where an engine lies")
    device = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")
    recipe = read_recipe(unbuilt.with_name("jetson.build.json"))
    sidecar = built_sidecar(read_sidecar(unbuilt.with_suffix(".onnx")), unbuilt, recipe, device)
    build = sidecar.build.model_copy(update=changed)
    write_sidecar(unbuilt, sidecar.model_copy(update={"build": build}))
    return unbuilt


def test_an_engine_is_packed_as_it_was_built(unbuilt: Path) -> None:
    content = content_of(built(unbuilt))
    assert (content.recipe, content.unknown) == (None, ())
    assert set(content.files) == {"jetson.engine", "jetson.engine.json"}


def test_an_engine_of_an_earlier_export_is_not_packed(unbuilt: Path) -> None:
    engine = built(unbuilt)
    onnx = write_tiny_onnx(engine.with_suffix(".onnx"), tiny_weights(seed=7))
    for named in (engine, onnx):
        with pytest.raises(SfscError, match="not that of the present export") as refusal:
            content_of(named)
        assert "--overwrite" in refusal.value.remedy


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"onnx_sha256": None}, "not recorded from which ONNX file it was built"),
        ({"device": None}, "not recorded on which GPU and with which TensorRT it was built"),
    ],
)
def test_what_is_not_known_of_an_engine_is_told(unbuilt: Path, changed: dict[str, object], told: str) -> None:
    answer = CliRunner().invoke(app, ["kit", str(built(unbuilt, **changed))])
    assert answer.exit_code == 0, answer.output
    assert told in answer.stdout


def test_an_engine_that_was_built_by_hand_is_packed_and_told_of(unbuilt: Path, tmp_path: Path) -> None:
    unbuilt.write_bytes(b"what trtexec built")
    answer = CliRunner().invoke(app, ["kit", str(unbuilt), "--out", str(tmp_path / "a.zip"), "--json", "-"])
    assert answer.exit_code == 0, answer.output
    (unknown,) = json.loads(answer.stdout)["artifacts"][0]["unknown"]
    assert "built by hand" in unknown
    assert "UNVERIFIED" in unknown
    with ZipFile(tmp_path / "a.zip") as kit:
        assert unknown in kit.read("README.txt").decode()


def test_the_command_names_the_kit_after_the_artifact_and_overwrites_nothing(artifact: Path, unbuilt: Path) -> None:
    arguments = ["kit", str(artifact), str(artifact), str(unbuilt)]
    answer = CliRunner().invoke(app, [*arguments, "--json", "-"])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["file"] == str(artifact.with_suffix(".kit.zip"))
    assert [each["built_there"] for each in told["artifacts"]] == [False, True]
    assert "On the device, in the folder into which it is unpacked" in answer.stderr
    assert "in this folder: sfsc-deploy build jetson.build.json" in answer.stderr
    again = CliRunner().invoke(app, arguments)
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0
