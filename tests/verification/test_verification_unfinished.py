"""An export that was stopped: its folder says what it lacks, and the same command goes on."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from profiles import load as load_profile
from sfsc_deploy.artifact import read_sidecar, sidecar_path
from sfsc_deploy.cli.app import app
from sfsc_deploy.errors import Interrupted, SfscError
from sfsc_deploy.exporting import execution
from sfsc_deploy.exporting.plan import prepare
from sfsc_deploy.exporting.request import Exported, ExportTask, Unavailable
from sfsc_deploy.exporting.run import export
from sfsc_deploy.probe import Probe
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.recorded import record_probe
from sfsc_deploy.unfinished import NOTE, Note
from sfsc_deploy.verification import Status
from sfsc_deploy.verification.folder import spread
from sfsc_deploy.verification.verify import verify

PROFILES = ("server-cpu", "raspberry-pi", "jetson-orin")


def task(run: Path, out: Path, *, overwrite: bool = False, precision: str | None = None) -> ExportTask:
    profiles = tuple(map(load_profile, PROFILES))
    return ExportTask(run, profiles, out, overwrite=overwrite, precision=precision)


class Stop:
    """Ctrl-C once so many profiles are done."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, outcome: Exported | Unavailable) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def halted(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first of three artifacts. Not to be changed."""
    dist = tmp_path_factory.mktemp("halted") / "dist"
    with pytest.raises(Interrupted, match="Stopped after 1 of 3 profiles") as caught:
        export(task(trained, dist), Stop(after=1))
    assert caught.value.remedy == f"Go on with: {Note.of(dist).pending['raspberry-pi.onnx'].command}"
    return dist


@pytest.fixture
def dist(halted: Path, tmp_path: Path) -> Path:
    """A copy, to be changed at will."""
    return Path(shutil.copytree(halted, tmp_path / "dist"))


def names(folder: Path) -> list[str]:
    return [Path(name).name for name in spread([str(folder)])]


def test_the_folder_says_what_it_lacks(halted: Path, trained: Path) -> None:
    pending = Note.of(halted).pending
    assert list(pending) == ["raspberry-pi.onnx", "jetson-orin.engine"]
    command = pending["raspberry-pi.onnx"].command
    assert command.startswith(f"sfsc-deploy export {trained} --profile server-cpu --profile raspberry-pi")
    assert command.endswith(f"--out {halted}")


def test_what_is_missing_is_unverified_with_the_command_that_completes_it(halted: Path) -> None:
    assert names(halted) == ["jetson-orin.engine", "raspberry-pi.onnx", "server-cpu.onnx"]
    verdict = verify(spread([str(halted)]))
    assert verdict.status is Status.UNVERIFIED
    missing = str(halted / "raspberry-pi.onnx")
    checks = [check for check in verdict.checks if check.concerns(missing)]
    assert {check.status for check in checks} == {Status.UNVERIFIED}
    assert all("was stopped before" in check.why for check in checks if not check.gallery)
    assert {check.command for check in checks if not check.gallery} == {
        Note.of(halted).pending[missing.rpartition("/")[2]].command
    }
    assert {check.status for check in verdict.checks if check.subject == str(halted / "server-cpu.onnx")} == {
        Status.PASS,
        Status.UNVERIFIED,  # its pairs with what is missing
    }


def test_on_a_terminal_it_is_told_in_words(halted: Path) -> None:
    answer = CliRunner().invoke(app, ["verify-compat", str(halted)])
    assert answer.exit_code == 3, answer.output
    assert answer.stdout.count("The export that was to write it was stopped before") == 2
    assert "→ sfsc-deploy export" in answer.stdout


def test_the_same_export_goes_on(dist: Path, trained: Path) -> None:
    before = (dist / "server-cpu.onnx").stat()
    again = ExportTask(trained, tuple(map(load_profile, PROFILES)), dist)
    outcomes = export(again)
    assert [outcome.profile.name for outcome in outcomes] == list(PROFILES)
    assert all(isinstance(outcome, Exported) and outcome.file.exists() for outcome in outcomes)
    assert (dist / "server-cpu.onnx").stat().st_mtime_ns == before.st_mtime_ns
    assert not (dist / NOTE).exists()
    assert {path.name for path in dist.iterdir() if path.name.startswith(".")} == set()
    assert verify([str(dist / name) for name in ("server-cpu.onnx", "raspberry-pi.onnx")]).status is Status.PASS


def test_what_was_damaged_meanwhile_is_written_anew(dist: Path, trained: Path) -> None:
    (dist / "server-cpu.onnx").write_bytes(b"")
    export(task(trained, dist))
    assert verify([str(dist / name) for name in ("server-cpu.onnx", "raspberry-pi.onnx")]).status is Status.PASS


def test_a_file_without_its_sidecar_is_no_hindrance(dist: Path, trained: Path) -> None:
    shutil.copy(dist / "server-cpu.onnx", dist / "raspberry-pi.onnx")
    export(task(trained, dist))
    assert sidecar_path(dist / "raspberry-pi.onnx").exists()
    assert not (dist / NOTE).exists()


def test_another_export_does_not_go_on_with_it(dist: Path, trained: Path) -> None:
    with pytest.raises(SfscError, match=r"server-cpu\.onnx would be overwritten"):
        export(task(trained, dist, precision="float32"))
    assert list(Note.of(dist).pending) == ["raspberry-pi.onnx", "jetson-orin.engine"]


def test_another_export_leaves_open_what_it_does_not_write(dist: Path, trained: Path) -> None:
    export(ExportTask(trained, (load_profile("android"), load_profile("raspberry-pi")), dist))
    assert list(Note.of(dist).pending) == ["jetson-orin.engine"]
    assert names(dist) == ["android.onnx", "jetson-orin.engine", "raspberry-pi.onnx", "server-cpu.onnx"]


def test_what_is_being_replaced_is_not_taken_for_the_new_one(exported: Path, trained: Path, tmp_path: Path) -> None:
    """The artifacts of before are whole and compatible, but they aren't those that were asked for last."""
    dist = Path(shutil.copytree(exported, tmp_path / "dist"))
    with pytest.raises(Interrupted):
        export(task(trained, dist, overwrite=True, precision="float32"), Stop(after=1))
    verdict = verify([str(dist / name) for name in ("server-cpu.onnx", "raspberry-pi.onnx")])
    readable = {Path(check.subject).name: check for check in verdict.checks if check.name == "readable"}
    assert readable["server-cpu.onnx"].status is Status.PASS
    assert readable["raspberry-pi.onnx"].status is Status.UNVERIFIED
    assert "--overwrite" in (readable["raspberry-pi.onnx"].command or "")


@pytest.fixture(scope="module")
def replaced_halfway(exported: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole artifacts, one of them recorded, of which an export stopped after it had replaced the first."""
    dist = Path(shutil.copytree(exported, tmp_path_factory.mktemp("halfway") / "dist"))
    with load(dist / "raspberry-pi.onnx") as embedder:
        probe = dist / read_sidecar(dist / "raspberry-pi.onnx").probe.file
        record_probe(embedder, Probe.load(probe), dist / "raspberry-pi.safetensors", file=probe)
    with pytest.raises(Interrupted):
        export(task(trained, dist, overwrite=True, precision="float32"), Stop(after=1))
    return dist


def test_what_was_recorded_of_what_is_being_replaced_is_not_taken_for_the_new_one(replaced_halfway: Path) -> None:
    recorded = replaced_halfway / "raspberry-pi.safetensors"
    verdict = verify([str(replaced_halfway / "server-cpu.onnx"), str(recorded)])
    (readable,) = [check for check in verdict.checks if (check.subject, check.name) == (str(recorded), "readable")]
    assert readable.status is Status.UNVERIFIED
    assert "what it was recorded from was stopped before" in readable.why
    assert readable.command == Note.of(replaced_halfway).pending["raspberry-pi.onnx"].command


def test_what_an_engine_is_built_from_is_as_unfinished_as_the_engine(replaced_halfway: Path) -> None:
    source = replaced_halfway / "jetson-orin.onnx"
    verdict = verify([str(replaced_halfway / "server-cpu.onnx"), str(source)])
    (readable,) = [check for check in verdict.checks if (check.subject, check.name) == (str(source), "readable")]
    assert readable.status is Status.UNVERIFIED
    assert readable.command == Note.of(replaced_halfway).pending["jetson-orin.engine"].command


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("kit", "raspberry-pi.onnx"),
        ("kit", "raspberry-pi"),
        ("kit", "jetson-orin.build.json"),
        ("build", "jetson-orin.build.json"),
        ("embed", "raspberry-pi.onnx"),
        ("embed", "jetson-orin.onnx"),
    ],
)
def test_what_is_being_replaced_does_not_go_to_a_device(
    replaced_halfway: Path, tmp_path: Path, command: str, named: str
) -> None:
    out = {"kit": ["--out", str(tmp_path / "a.zip")], "embed": ["--out", str(tmp_path / "a.safetensors")]}
    answer = CliRunner().invoke(app, [command, str(replaced_halfway / named), *out.get(command, [])])
    assert answer.exit_code == 2, answer.output
    assert f"{named} is still to be written" in answer.stderr
    assert "sfsc-deploy export" in answer.stderr
    assert not list(tmp_path.iterdir())


def test_what_was_replaced_already_does(replaced_halfway: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["kit", str(replaced_halfway / "server-cpu.onnx"), "--out", str(tmp_path / "a")])
    assert answer.exit_code == 0, answer.output


def test_an_export_with_other_settings_replaces_nothing_unasked(replaced_halfway: Path, trained: Path) -> None:
    """Neither what was finished before the one that was stopped, nor what that left half-done."""
    other = ExportTask(trained, (load_profile("raspberry-pi"),), replaced_halfway)
    with pytest.raises(SfscError, match=r"raspberry-pi\.onnx would be overwritten"):
        export(other)


def test_the_command_that_goes_on_has_the_width_to_the_last_digit(trained: Path, tmp_path: Path) -> None:
    prepared = prepare(ExportTask(trained, (load_profile("server-cpu"),), tmp_path, width=0.6543219))
    (pending,) = prepared.note.pending.values()
    assert "--width 0.6543219 " in pending.command


def test_an_export_that_fails_on_the_way_is_unfinished_too(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def describe(*arguments: object) -> object:
        if done:
            raise SfscError("It gives NaN.")
        return original(*arguments)

    original = execution.describe
    monkeypatch.setattr(execution, "describe", describe)
    with pytest.raises(SfscError, match="NaN"):
        export(task(trained, tmp_path), lambda outcome: done.append(outcome.profile.name))
    assert list(Note.of(tmp_path).pending) == ["raspberry-pi.onnx", "jetson-orin.engine"]


def test_a_damaged_note_is_refused(dist: Path) -> None:
    (dist / NOTE).write_text('{"artifacts": {"../a.onnx": {}}}')
    answer = CliRunner().invoke(app, ["verify-compat", str(dist)])
    assert answer.exit_code == 2
    assert NOTE in answer.stderr


def test_without_the_note_the_rest_is_verified_by_itself(dist: Path, trained: Path) -> None:
    (dist / NOTE).unlink()
    assert names(dist) == ["server-cpu.onnx"]


def test_all_profiles_go_on_by_the_same_command(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles.names", lambda: ("android", "server-cpu"))
    command = ["export", str(trained), "--all", "--out", str(tmp_path / "dist")]
    monkeypatch.setattr("sfsc_deploy.cli.export.show_export", lambda *_: None)
    with monkeypatch.context() as patch:
        patch.setattr("sfsc_deploy.exporting.execution.write_sidecar", _interrupted_at("server-cpu.onnx"))
        assert CliRunner().invoke(app, command).exit_code == 130
    (pending,) = Note.of(tmp_path / "dist").pending.values()
    assert pending.command == "sfsc-deploy " + " ".join([*command[:3], "--out", command[4]])
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    assert names(tmp_path / "dist") == ["android.onnx", "server-cpu.onnx"]
    assert not (tmp_path / "dist" / NOTE).exists()


def _interrupted_at(name: str) -> object:
    from sfsc_deploy.artifact import Sidecar, write_sidecar

    def write(artifact: Path, sidecar: Sidecar) -> Path:
        if artifact.name == name:
            raise KeyboardInterrupt
        return write_sidecar(artifact, sidecar)

    return write
