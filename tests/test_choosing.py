"""int8 and `--precision auto` end to end, on a run that int8 keeps and on one that it hurts."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="artifacts are exported from a supernet")
pytest.importorskip("onnxscript", reason="torch writes ONNX by way of onnxscript")
pytest.importorskip("onnxruntime", reason="quantises, and runs what was exported")

from exporters.precision import precision_per_layer, read_precision
from fleet import PREPROCESSING, make_run, portraits
from outlier import with_outlier
from profiles import load
from sfsc_deploy.artifact import Rung, Sidecar, read_embedded, write_sidecar
from sfsc_deploy.choosing import export, judge
from sfsc_deploy.cli.console import results
from sfsc_deploy.cli.export_shown import show_ladder
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting import Exported, ExportTask
from sfsc_deploy.exporting.calibration import calibration_set
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.runtime import MAX_BATCH
from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder
from sfsc_deploy.verification import Status
from sfsc_deploy.verification.contract import precision
from sfsc_deploy.verification.gate import gate, passes
from sfsc_deploy.verification.opening import opened
from sfsc_deploy.verification.subject import find_subjects
from sfsc_deploy.verification.verify import verify


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "trained")


@pytest.fixture(scope="module")
def hurt(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_outlier(trained, tmp_path_factory.mktemp("runs") / "hurt")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images for calibration."""
    folder = tmp_path_factory.mktemp("images")
    for number, source in enumerate(portraits(range(10), range(4, 8)).sources):
        (folder / f"{number}.png").write_bytes(bytes(source))
    return folder


def _export(run: Path, out: Path, profile: str, precision: str, calibration: Path | None) -> Exported:
    (outcome,) = export(ExportTask(run, (load(profile),), out, precision=precision, calibration=calibration))
    assert isinstance(outcome, Exported)
    return outcome


@pytest.fixture(scope="module")
def int8(trained: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return _export(trained, tmp_path_factory.mktemp("int8") / "dist", "raspberry-pi", "int8", images)


@pytest.fixture(scope="module")
def mixed(hurt: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return _export(hurt, tmp_path_factory.mktemp("mixed") / "dist", "server-cpu", "auto", images)


def _precision_check(artifact: Path, run: Path) -> Status:
    with opened(find_subjects([str(artifact), str(run)])[0], MAX_BATCH) as subject:
        return precision(subject).status


def test_the_sidecar_keeps_which_images_calibrated(int8: Exported, trained: Path, images: Path) -> None:
    expected = calibration_set(RunFolder.open(trained), images).record()
    assert int8.sidecar.calibration == expected
    assert (expected.images, expected.origin) == (40, images.name)
    with OnnxEmbedder(int8.file) as embedder:
        embedded = read_embedded(embedder.metadata, int8.file)
    assert embedded is not None
    assert embedded.calibration == expected


def test_calibration_of_another_preprocessing_has_another_hash(int8: Exported, trained: Path, images: Path) -> None:
    run = RunFolder.open(trained)
    other = run.facts.model_copy(update={"preprocessing": PREPROCESSING.model_copy(update={"resize": "lanczos"})})
    assert calibration_set(RunFolder(run.path, run.recipe, other), images).record() != int8.sidecar.calibration


def test_an_int8_artifact_is_verified_with_the_run_it_came_from(int8: Exported, trained: Path) -> None:
    assert int8.sidecar.precision == read_precision(int8.file) == "int8"
    verdict = verify([str(int8.file), str(trained)])
    assert verdict.status is Status.PASS, [check for check in verdict.checks if check.status is not Status.PASS]


def test_without_images_int8_is_refused_and_nothing_is_written(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(SfscError, match=r"\(portraits\) are not at hand") as told:
        _export(trained, tmp_path / "dist", "raspberry-pi", "int8", None)
    assert "--calibration" in told.value.remedy
    assert [file.name for file in (tmp_path / "dist").iterdir()] == ["probe.safetensors"]


def test_a_sidecar_cannot_claim_int8_without_calibration(int8: Exported) -> None:
    with pytest.raises(ValueError, match="needs its `calibration`"):
        Sidecar.model_validate(int8.sidecar.model_dump() | {"calibration": None})


def test_float32_where_int8_is_claimed_fails_its_precision(int8: Exported, trained: Path, tmp_path: Path) -> None:
    real = _export(trained, tmp_path / "dist", "raspberry-pi", "float32", None)
    assert _precision_check(real.file, trained) is Status.PASS
    claimed = {"precision": "int8", "calibration": int8.sidecar.calibration}
    write_sidecar(real.file, real.sidecar.model_copy(update=claimed))
    assert _precision_check(real.file, trained) is Status.FAIL


def test_auto_takes_int8_where_it_passes(trained: Path, images: Path, tmp_path: Path) -> None:
    chosen = _export(trained, tmp_path / "dist", "jetson-orin-nano", "auto", images)
    assert chosen.sidecar.precision == "int8"
    assert chosen.sidecar.ladder is not None
    (rung,) = chosen.sidecar.ladder
    assert rung.passed
    assert "points of mAP" in rung.why


def test_auto_mixes_precisions_where_int8_fails(mixed: Exported) -> None:
    assert mixed.sidecar.precision == read_precision(mixed.file)
    assert mixed.sidecar.precision.startswith("mixed (float32: ")
    assert mixed.sidecar.precision_per_layer == precision_per_layer(mixed.file)
    spared = [name for name, precision in mixed.sidecar.precision_per_layer.items() if precision == "float32"]
    assert "model.backbone.stem.0.weight" in spared


def test_the_ladder_that_was_gone_down_is_kept(mixed: Exported) -> None:
    ladder = mixed.sidecar.ladder
    assert ladder is not None
    assert (ladder[0].precision, ladder[0].passed) == ("int8", False)
    assert "fidelity: " in ladder[0].why
    assert [rung.passed for rung in ladder] == [False] * (len(ladder) - 1) + [True]
    assert isinstance(ladder[-1], Rung)
    assert ladder[-1].precision == mixed.sidecar.precision


def test_the_ladder_is_shown(mixed: Exported, capsys: pytest.CaptureFixture[str]) -> None:
    show_ladder(mixed, results())
    first, *rungs = capsys.readouterr().out.splitlines()
    assert mixed.sidecar.ladder is not None
    assert first == "server-cpu, quickest first:"
    assert rungs[0].startswith("  int8 fails: ")
    assert rungs[-1].startswith(f"  {mixed.sidecar.precision} passes: ")
    assert len(rungs) == len(mixed.sidecar.ladder)


def test_a_mix_is_verified_like_anything_else(mixed: Exported, hurt: Path) -> None:
    verdict = verify([str(mixed.file), str(hurt)])
    assert verdict.status is Status.PASS, [check for check in verdict.checks if check.status is not Status.PASS]


def test_a_file_that_does_not_run_here_does_not_pass(mixed: Exported, hurt: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copy(mixed.file, tmp_path / "broken.onnx"))
    broken.write_bytes(broken.read_bytes()[:1000])
    judgement = judge(broken, Probe.load(hurt / "probe.safetensors"), 1.0, "float32")
    assert not judgement.passed
    assert "broken.onnx" in judgement.why


@pytest.fixture(scope="module")
def probe(trained: Path) -> Probe:
    return Probe.load(trained / "probe.safetensors")


@pytest.mark.parametrize("width", [0.25, 0.5, 1.0])
def test_the_gate_lets_the_reference_itself_through(probe: Probe, width: float) -> None:
    found = gate(probe.reference[width], probe, width, "float32")
    assert passes(found), found
    assert found["loss"].value == 0.0


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        (lambda rows: rows * np.float32(np.nan), {"finite"}),
        (lambda rows: rows * np.float32(1.1), {"norm"}),
        (lambda rows: np.repeat(rows[:1], len(rows), axis=0), {"collapse", "fidelity", "top-k", "loss"}),
        (lambda rows: np.roll(rows, 1, axis=1), {"fidelity", "criterion", "loss"}),
    ],
)
def test_the_gate_stops_what_is_wrong(probe: Probe, fault: object, failing: set[str]) -> None:
    assert callable(fault)
    found = gate(fault(probe.reference[1.0]), probe, 1.0, "int8")
    assert not passes(found)
    assert failing <= {name for name, finding in found.items() if finding.status is Status.FAIL}


def test_the_gate_stops_another_width(probe: Probe) -> None:
    assert gate(probe.reference[0.25], probe, 1.0, "int8")["fidelity"].status is Status.FAIL
