"""Every command on a run that was trained for seconds: what it prints, writes and leaves with."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the run is trained with it")
pytest.importorskip("onnxscript", reason="torch writes ONNX by way of onnxscript")
pytest.importorskip("onnxruntime", reason="runs what was exported")

from fleet import WIDTHS, make_run, portraits
from sfsc_deploy.cli.app import app
from sfsc_deploy.run_folder import point_latest_at
from sfsc_deploy.runtime.recorded import RecordedEmbedder
from sfsc_deploy.verification.verdict import CHECKS, ON_REQUEST

PROFILES = ("server-cpu", "raspberry-pi", "jetson-orin")


def sfsc_deploy(*arguments: object) -> tuple[int, Any]:
    """Exit status and JSON of a command."""
    answer = CliRunner().invoke(app, [*map(str, arguments), "--json", "-"])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, json.loads(answer.stdout) if answer.stdout else answer.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run and artifacts of it. Not to be changed."""
    home = tmp_path_factory.mktemp("home")
    run = make_run(home / "runs" / "trained")
    point_latest_at(run, run.parent)
    arguments = [argument for profile in PROFILES for argument in ("--profile", profile)]
    status, document = sfsc_deploy("export", run, *arguments, "--out", home / "dist")
    assert status == 0, document
    (home / "export.json").write_text(json.dumps(document), encoding="utf-8")
    return home


@pytest.fixture
def dist(home: Path, tmp_path: Path) -> Path:
    """A copy of the artifacts, to be changed at will."""
    return Path(shutil.copytree(home / "dist", tmp_path / "dist"))


def test_export_writes_and_tells_every_artifact(home: Path) -> None:
    document = json.loads((home / "export.json").read_text(encoding="utf-8"))
    assert [artifact["profile"] for artifact in document["artifacts"]] == list(PROFILES)
    for artifact in document["artifacts"]:
        sidecar = json.loads(Path(artifact["file"] + ".json").read_text(encoding="utf-8"))
        assert artifact["sidecar"] == sidecar


def test_export_takes_the_latest_run_and_tells_what_it_cannot_write(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setattr("profiles.names", lambda: ("iphone", "server-gpu"))
    status, document = sfsc_deploy("export", "--all", "--width", "0.25", "--out", tmp_path / "dist")
    assert status == 0, document
    outcomes = {artifact["profile"]: artifact for artifact in document["artifacts"]}
    assert outcomes["server-gpu"]["sidecar"]["width"] == 0.25


def test_export_says_which_images_travel(home: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["export", str(home / "runs" / "trained"), "--profile", "raspberry-pi", "--out", str(tmp_path / "dist")]
    )
    assert answer.exit_code == 0, answer.stderr
    assert "taken from portraits" in answer.stdout
    assert "raspberry-pi" in answer.stdout


@pytest.mark.parametrize("arguments", [[], ["--all", "--profile", "android"]])
def test_export_wants_profiles_or_all(arguments: list[str]) -> None:
    status, told = sfsc_deploy("export", *arguments)
    assert status == 2
    assert "--profile" in told


def test_export_overwrites_only_when_asked(home: Path, dist: Path) -> None:
    arguments = ("export", home / "runs" / "trained", "--profile", "raspberry-pi", "--out", dist)
    status, told = sfsc_deploy(*arguments)
    assert status == 2
    assert "--overwrite" in told
    status, _ = sfsc_deploy(*arguments, "--overwrite")
    assert status == 0


def test_verify_compat_passes_what_is_right(home: Path) -> None:
    dist = home / "dist"
    artifacts = (dist / "server-cpu.onnx", dist / "raspberry-pi.onnx", f"{home / 'runs' / 'trained'}@0.5")
    status, verdict = sfsc_deploy("verify-compat", *artifacts)
    assert (status, verdict["verdict"]) == (0, "PASS")
    assert [artifact["name"] for artifact in verdict["artifacts"]] == list(map(str, artifacts))
    assert {check["name"] for check in verdict["checks"]} == set(CHECKS) - ON_REQUEST
    assert {"name", "subject", "status", "value", "threshold", "why"} <= set(verdict["checks"][0])
    assert len(verdict["matrix"]) == 9
    assert {"query", "gallery", "map", "rank1", "map_ci95"} <= set(verdict["matrix"][0])


def test_verify_compat_leaves_open_what_needs_the_device(home: Path) -> None:
    status, verdict = sfsc_deploy(
        "verify-compat", home / "dist" / "server-cpu.onnx", home / "dist" / "jetson-orin.engine"
    )
    assert (status, verdict["verdict"]) == (3, "UNVERIFIED")
    commands = [check["command"] for check in verdict["checks"] if check["status"] == "UNVERIFIED"]
    assert any("sfsc-deploy build" in command for command in commands if command)


def test_verify_compat_fails_what_was_changed(dist: Path) -> None:
    changed = dist / "raspberry-pi.onnx"
    changed.write_bytes(changed.read_bytes()[:-100])
    status, verdict = sfsc_deploy("verify-compat", dist / "server-cpu.onnx", changed)
    assert (status, verdict["verdict"]) == (1, "FAIL")


@pytest.mark.parametrize("names", [["server-cpu.onnx"], ["server-cpu.onnx", "absent.onnx"]])
def test_verify_compat_refuses_wrong_use(home: Path, names: list[str]) -> None:
    status, told = sfsc_deploy("verify-compat", *(home / "dist" / name for name in names))
    assert status == 2
    assert "→" in told


def test_verify_compat_prints_tables(home: Path) -> None:
    artifacts = [str(home / "dist" / name) for name in ("server-cpu.onnx", "raspberry-pi.onnx")]
    answer = CliRunner().invoke(app, ["verify-compat", *artifacts])
    assert answer.exit_code == 0
    assert "fidelity" in answer.stdout
    assert answer.stdout.splitlines()[-1].startswith("PASS")


def test_a_recording_of_the_probe_stands_for_the_artifact(home: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "raspberry-pi.safetensors"
    status, document = sfsc_deploy("embed", home / "dist" / "raspberry-pi.onnx", "--out", recorded)
    assert status == 0, document
    assert document["file"] == str(recorded)
    status, verdict = sfsc_deploy("verify-compat", home / "dist" / "server-cpu.onnx", recorded)
    assert (status, verdict["verdict"]) == (0, "PASS")


def test_embed_takes_image_files(home: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(portraits([number], [0]).raw(0))
    run, out = f"{home / 'runs' / 'trained'}@0.25", tmp_path / "some.safetensors"
    status, document = sfsc_deploy("embed", run, files[1], files[2], "--data", files[0], "--out", out)
    assert status == 0, document
    assert RecordedEmbedder(out).embedding.shape == (3, 16)


def test_embed_takes_a_folder_of_images_that_nobody_labelled(home: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"{number}.png").write_bytes(portraits([0], [number]).raw(0))
    out = tmp_path / "some.safetensors"
    status, document = sfsc_deploy(
        "embed", home / "dist" / "server-cpu.onnx", "--data", tmp_path / "images", "--out", out
    )
    assert status == 0, document
    recorded = RecordedEmbedder(out)
    assert recorded.embedding.shape == (3, 16)
    assert recorded.labels is None


def test_embed_takes_labelled_images(home: Path, tmp_path: Path) -> None:
    for identity in range(6):
        folder = tmp_path / "images" / str(identity)
        folder.mkdir(parents=True)
        for number in range(6):
            (folder / f"{number}.png").write_bytes(portraits([identity], [number]).raw(0))
    out = tmp_path / "all.safetensors"
    status, document = sfsc_deploy(
        "embed", home / "dist" / "server-cpu.onnx", "--data", tmp_path / "images", "--out", out
    )
    assert status == 0, document
    labels = RecordedEmbedder(out).labels
    assert labels is not None
    assert len(set(labels.identity.tolist())) == 2  # every third identity is held out


def test_embed_overwrites_only_when_asked(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "there.safetensors"
    out.write_bytes(b"precious")
    arguments = ("embed", home / "dist" / "server-cpu.onnx", "--out", out)
    status, told = sfsc_deploy(*arguments)
    assert status == 2
    assert "--overwrite" in told
    assert out.read_bytes() == b"precious"
    status, _ = sfsc_deploy(*arguments, "--overwrite")
    assert status == 0


def test_embed_takes_either_files_or_a_folder(home: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    arguments = ("embed", home / "dist" / "server-cpu.onnx", "a.png", "--data", tmp_path / "images")
    status, told = sfsc_deploy(*arguments, "--out", tmp_path / "out.safetensors")
    assert status == 2
    assert "--data" in told


def test_eval_measures_every_width_of_the_latest_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    status, evaluation = sfsc_deploy("eval")
    assert status == 0, evaluation
    assert [name.partition("@")[2] for name in evaluation["names"]] == [f"{width:g}" for width in WIDTHS]
    assert len(evaluation["map"]) == len(evaluation["rank1"]) == len(WIDTHS)


def test_eval_takes_artifacts(home: Path) -> None:
    names = [str(home / "dist" / "server-cpu.onnx"), f"{home / 'runs' / 'trained'}@0.25"]
    status, evaluation = sfsc_deploy("eval", *names)
    assert status == 0, evaluation
    assert evaluation["names"] == names


def test_eval_of_artifacts_alone_asks_for_images(home: Path) -> None:
    status, told = sfsc_deploy("eval", str(home / "dist" / "server-cpu.onnx"))
    assert status == 2
    assert "--data DIR" in told


def test_eval_without_a_run_says_how_to_train_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, told = sfsc_deploy("eval")
    assert status == 2
    assert "sfsc-deploy train" in told
