"""A folder stands for the artifact of each device in it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sfsc_deploy.artifact import read_sidecar, write_sidecar
from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import SfscError
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import PROBE
from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder
from sfsc_deploy.runtime.recorded import record_probe
from sfsc_deploy.verification.folder import spread


def folder_of(root: Path, *names: str) -> Path:
    root.mkdir()
    for name in names:
        (root / name).touch()
    return root


def found(folder: Path) -> list[str]:
    return [Path(name).name for name in spread([str(folder)])]


def test_artifacts_are_taken_in_order_and_what_belongs_to_them_is_not(tmp_path: Path) -> None:
    dist = folder_of(
        tmp_path / "dist", "b.onnx", "b.onnx.json", "a.engine", "probe.safetensors", "c.kit.zip", ".x.onnx"
    )
    (dist / "c.mlpackage").mkdir()
    assert spread([str(dist)]) == tuple(str(dist / name) for name in ("a.engine", "b.onnx", "c.mlpackage"))


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        pytest.param([], "a.engine", id="the engine, though it is still to be built"),
        pytest.param(["a.engine"], "a.engine", id="the engine"),
        pytest.param(["a.plan"], "a.plan", id="the plan"),
        pytest.param(["a.safetensors"], "a.safetensors", id="what was recorded from the engine elsewhere"),
    ],
)
def test_the_source_of_an_engine_is_not_taken_beside_it(tmp_path: Path, beside: list[str], expected: str) -> None:
    dist = folder_of(tmp_path / "dist", "a.onnx", "a.onnx.json", "a.engine.json", "a.build.json", *beside)
    assert found(dist) == [expected]


def test_an_engine_does_not_vanish_behind_what_was_recorded_of_another_build(tmp_path: Path) -> None:
    dist = folder_of(tmp_path / "dist", "a.onnx", "a.build.json", "a.engine", "a.safetensors")
    assert found(dist) == ["a.engine", "a.safetensors"]


def test_what_was_recorded_of_an_earlier_export_does_not_stand_for_the_engine(dist: Path) -> None:
    engine, recorded = dist / "jetson-orin.engine", dist / "jetson-orin.safetensors"
    with OnnxEmbedder(dist / "jetson-orin.onnx") as stand_in:
        record_probe(stand_in, Probe.load(dist / PROBE), recorded)
    assert recorded.name in found(dist)
    assert engine.name not in found(dist)
    write_sidecar(engine, read_sidecar(engine).model_copy(update={"precision": "float32"}))
    assert {engine.name, recorded.name} <= set(found(dist))


def test_what_a_kit_recorded_under_the_whole_name_of_an_engine_stands_for_it(dist: Path) -> None:
    with OnnxEmbedder(dist / "jetson-orin.onnx") as stand_in:
        record_probe(stand_in, Probe.load(dist / PROBE), dist / "jetson-orin.engine.safetensors")
    assert "jetson-orin.engine.safetensors" in found(dist)
    assert "jetson-orin.engine" not in found(dist)


@pytest.mark.parametrize("other", ["a run folder", "server-cpu.onnx"])
def test_what_was_recorded_of_something_else_does_not_stand_for_the_engine(dist: Path, other: str) -> None:
    with OnnxEmbedder(dist / "server-cpu.onnx") as stand_in:
        if other == "a run folder":
            stand_in.name, stand_in.sidecar = "runs/a@0.5", None
        record_probe(stand_in, Probe.load(dist / PROBE), dist / "jetson-orin.safetensors")
    assert {"jetson-orin.engine", "jetson-orin.safetensors"} <= set(found(dist))


def test_everything_else_stays_as_it_is(tmp_path: Path) -> None:
    run = folder_of(tmp_path / "run", "recipe.toml", "probe.safetensors", "supernet.safetensors")
    names = (str(run), f"{run}@0.5", "a.onnx", "nowhere", str(folder_of(tmp_path / "a.mlpackage")))
    assert spread(names) == names


def test_a_folder_without_artifacts_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "dist", "probe.safetensors", "notes.txt")
    with pytest.raises(SfscError, match="nothing to verify") as refusal:
        spread([str(folder)])
    assert str(folder) in refusal.value.remedy


def test_a_folder_is_verified_in_one_call(dist: Path) -> None:
    result = CliRunner().invoke(app, ["verify-compat", str(dist), "--json", "-"])
    assert result.exit_code == 3, result.output  # the engine is still to be built
    for name in ("android.onnx", "jetson-orin.engine", "raspberry-pi.onnx", "server-cpu.onnx"):
        assert f'"name": "{dist / name}"' in result.stdout
    assert str(dist / "jetson-orin.onnx") not in result.stdout


def test_a_folder_and_one_of_its_artifacts_are_refused(dist: Path) -> None:
    result = CliRunner().invoke(app, ["verify-compat", str(dist), str(dist / "android.onnx")])
    assert result.exit_code == 2
    assert "are the same" in result.output


def test_a_stored_gallery_was_embedded_by_one_artifact_not_by_a_folder_of_several(tmp_path: Path) -> None:
    old, new = (folder_of(tmp_path / name, "android.onnx", "server-cpu.onnx") for name in ("old", "new"))
    with pytest.raises(SfscError, match="holds 2 artifacts") as refusal:
        spread([str(old), str(new)], upgrade=True)
    assert "android.onnx, server-cpu.onnx" in refusal.value.message
    assert f"--upgrade {old}/ARTIFACT {old} {new}" in refusal.value.remedy


def test_a_folder_of_one_artifact_tells_what_embedded_the_stored_gallery(tmp_path: Path) -> None:
    old, new = folder_of(tmp_path / "old", "a.onnx"), folder_of(tmp_path / "new", "a.onnx", "b.onnx")
    assert spread([str(old), str(new)], upgrade=True) == tuple(
        map(str, (old / "a.onnx", new / "a.onnx", new / "b.onnx"))
    )


def test_what_embedded_the_stored_gallery_goes_before_its_folder_and_is_taken_once(tmp_path: Path) -> None:
    old, new = (folder_of(tmp_path / name, "android.onnx", "server-cpu.onnx") for name in ("old", "new"))
    first = f"{tmp_path}/new/../old/server-cpu.onnx"
    rest = (old / "android.onnx", new / "android.onnx", new / "server-cpu.onnx")
    assert spread([first, str(old), str(new)], upgrade=True) == (first, *map(str, rest))
    assert spread([first, str(old), str(old / "server-cpu.onnx")], upgrade=True)[2:] == (str(old / "server-cpu.onnx"),)


def test_an_upgrade_of_two_folders_is_wrong_use(dist: Path, tmp_path: Path) -> None:
    command = ["verify-compat", "--upgrade", str(dist), str(dist), "--data", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "embedded the stored gallery" in " ".join(result.output.split())
