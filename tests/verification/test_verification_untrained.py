"""A width that was not trained, from the export to the verdict."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import save_file
from typer.testing import CliRunner

from fleet import PREPROCESSING, encoded, portraits
from profiles import load as load_profile
from sfsc_deploy.artifact import read_sidecar
from sfsc_deploy.cli.app import app
from sfsc_deploy.cli.export_shown import show_untrained
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting.calibration import calibration_set
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.exporting.run import export
from sfsc_deploy.exporting.submodels import RECALIBRATED_ON, Submodels
from sfsc_deploy.files import sha256_of
from sfsc_deploy.probe import Probe
from sfsc_deploy.recalibration import recalibrate
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.recorded import record
from sfsc_deploy.runtime.torch_backend import TorchEmbedder
from sfsc_deploy.slicing import slice_submodel, slice_untrained
from sfsc_deploy.tensor_file import read_tensors
from sfsc_deploy.verification import Status, Verdict
from sfsc_deploy.verification.folder import spread
from sfsc_deploy.verification.subject import find_subjects
from sfsc_deploy.verification.verify import verify
from sfsc_deploy.verification.waterfall.chain import Gap
from sfsc_deploy.verification.waterfall.origins import Origins

Found = Callable[[Verdict, Path | str, Status], set[str]]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of the identities that were trained on."""
    folder = tmp_path_factory.mktemp("images")
    for number, source in enumerate(portraits(range(10), range(4, 36)).sources):
        (folder / f"{number}.png").write_bytes(bytes(source))
    return folder


def export_between(run: Path, images: Path | None, out: Path, profile: str, width: float = 0.75) -> Path:
    export(ExportTask(run, (load_profile(profile),), out, width, calibration=images))
    return out


@pytest.fixture(scope="session")
def mixed(trained: Path, images: Path, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of trained widths, and beside them android at 0.4 and server-gpu at 0.75. Not to be changed."""
    dist = tmp_path_factory.mktemp("mixed") / "dist"
    dist.mkdir()
    for name in ("server-cpu.onnx", "raspberry-pi.onnx"):
        shutil.copy(exported / name, dist)
        shutil.copy(exported / f"{name}.json", dist)
    shutil.copy(exported / "probe.safetensors", dist)
    export_between(trained, images, dist, "android", 0.4)
    return export_between(trained, images, dist, "server-gpu", 0.75)


def test_a_fleet_with_widths_in_between_is_right_and_measured(mixed: Path, trained: Path) -> None:
    """Whether they are compatible is what the criterion is for: nobody trained them to be."""
    artifacts = spread([str(mixed)])
    assert [Path(name).name for name in artifacts] == [
        "android.onnx", "raspberry-pi.onnx", "server-cpu.onnx", "server-gpu.onnx"
    ]  # fmt: skip
    verdict = verify([*artifacts, str(trained)])
    assert {check.name for check in verdict.checks if check.status is not Status.PASS} <= {"criterion"}
    assert all(check.status is not Status.UNVERIFIED for check in verdict.checks)
    assert len(verdict.matrix) == 25


def test_probes_of_their_own_leave_that_of_the_others_alone(mixed: Path, exported: Path) -> None:
    assert {path.name for path in mixed.glob("probe*")} == {
        "probe.safetensors", "probe@0.4.safetensors", "probe@0.75.safetensors"
    }  # fmt: skip
    assert sha256_of(mixed / "probe.safetensors") == sha256_of(exported / "probe.safetensors")
    own = Probe.load(mixed / "probe@0.75.safetensors")
    assert own.widths == (0.25, 0.5, 0.75, 1.0)
    assert own.shows_the_same(Probe.load(mixed / "probe.safetensors"))


def test_the_sidecar_tells_what_it_is(mixed: Path, trained: Path, images: Path) -> None:
    sidecar = read_sidecar(mixed / "server-gpu.onnx")
    found = sidecar.untrained
    assert found is not None
    used = calibration_set(RunFolder.open(trained), images, most=RECALIBRATED_ON)
    assert found.batch_norms == used.record()
    assert found.batch_norms.images == 320
    assert found.aligned
    assert sidecar.probe.file == "probe@0.75.safetensors"
    assert sidecar.fidelity is not None
    assert sidecar.fidelity.min_cosine > 0.999
    assert [other.width for other in found.trained] == [0.25, 0.5, 1.0]
    assert read_sidecar(mixed / "server-cpu.onnx").untrained is None


def test_the_cross_test_is_that_of_the_verdict(mixed: Path) -> None:
    """The export measures the reference, the verdict the artifact: float16 is no more than a little beside it."""
    found = read_sidecar(mixed / "server-gpu.onnx").untrained
    assert found is not None
    narrow = next(other for other in found.trained if other.width == 0.25)
    verdict = verify([str(mixed / "server-gpu.onnx"), str(mixed / "raspberry-pi.onnx")])
    cells = {(Path(cell.query).stem, Path(cell.gallery).stem): cell.map for cell in verdict.matrix}
    assert found.self_test == pytest.approx(cells["server-gpu", "server-gpu"], abs=0.02)
    assert narrow.self_test == pytest.approx(cells["raspberry-pi", "raspberry-pi"], abs=0.02)
    assert narrow.as_query == pytest.approx(cells["server-gpu", "raspberry-pi"], abs=0.02)
    assert narrow.as_gallery == pytest.approx(cells["raspberry-pi", "server-gpu"], abs=0.02)


def test_without_its_own_probe_its_numbers_are_left_open(mixed: Path, tmp_path: Path, found: Found) -> None:
    dist = shutil.copytree(mixed, tmp_path / "dist")
    (dist / "probe@0.75.safetensors").unlink()
    verdict = verify([str(dist / "server-gpu.onnx"), str(dist / "server-cpu.onnx")])
    assert found(verdict, dist / "server-gpu.onnx", Status.FAIL) == set()
    assert "fidelity" in found(verdict, dist / "server-gpu.onnx", Status.UNVERIFIED)


@pytest.fixture(scope="session")
def recalibrated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """server-gpu at 0.75 as in `mixed`, but recalibrated on other images. Not to be changed."""
    folder = tmp_path_factory.mktemp("recalibrated")
    few = folder / "few"
    few.mkdir()
    for number, source in enumerate(portraits(range(10), range(36, 68)).sources):
        (few / f"{number}.png").write_bytes(bytes(source))
    return export_between(trained, few, folder / "dist", "server-gpu") / "server-gpu.onnx"


def test_another_recalibration_is_no_fault(mixed: Path, recalibrated: Path, found: Found) -> None:
    """Two artifacts of one untrained width, of other images: each is compared with its own reference."""
    ours, theirs = (Probe.load(path.parent / "probe@0.75.safetensors") for path in (mixed / "x", recalibrated))
    assert np.abs(ours.reference[0.75] - theirs.reference[0.75]).max() > 1e-3
    verdict = verify([str(mixed / "server-gpu.onnx"), str(recalibrated)])
    assert {"fidelity", "top-k"} <= found(verdict, recalibrated, Status.PASS)
    assert {"fidelity", "top-k"} <= found(verdict, mixed / "server-gpu.onnx", Status.PASS)


@pytest.mark.parametrize("away", [0.0, 0.2], ids=["right", "a row that is far"])
def test_stored_rows_of_another_recalibration_are_of_another_sub_model(
    mixed: Path, recalibrated: Path, tmp_path: Path, away: float
) -> None:
    """Nearer than most others, but not equal: only where one sub-model made both is a row that is far another's."""
    data = DataSet("people", None, Split(), portraits(range(10), range(20, 22)), portraits(range(10), range(22, 26)))
    everything = np.concatenate([split.load(PREPROCESSING) for split in (data.query, data.gallery)])
    stored, ours = tmp_path / "gallery.safetensors", mixed / "server-gpu.onnx"
    with load(ours) as embedder:
        record(embedder, everything, stored)
    turn(stored, 58, away)
    checks = {}
    for artifact in (ours, recalibrated):
        (checks[artifact],) = [
            check for check in verify([str(artifact)], data=data, gallery=stored).checks if check.name == "own-row"
        ]
    assert checks[recalibrated].status is not Status.FAIL, checks[recalibrated].why
    assert checks[ours].status is (Status.FAIL if away else Status.PASS), checks[ours].why
    assert ("The same sub-model made the stored rows" in checks[ours].why) is bool(away)


def turn(path: Path, row: int, away: float) -> None:
    """Turn a recorded row away from where it is."""
    stored = read_tensors(path)
    rows = stored.arrays["embedding"].copy()
    direction = np.random.default_rng(0).standard_normal(rows.shape[1]).astype(np.float32)
    rows[row] += away * direction / np.linalg.norm(direction)
    rows[row] /= np.linalg.norm(rows[row])
    save_file({**stored.arrays, "embedding": rows}, path, dict(stored.metadata))


def test_another_sub_model_in_its_place_fails(mixed: Path, trained: Path, tmp_path: Path, found: Found) -> None:
    """Of the same width, recalibrated on noise, with the sidecar and the probe of the right one."""
    noise = tmp_path / "noise"
    noise.mkdir()
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 24, 3)).astype(np.uint8)
        (noise / f"{number}.png").write_bytes(encoded(pixels))
    wrong = export_between(trained, noise, tmp_path / "wrong", "server-gpu") / "server-gpu.onnx"
    dist = Path(shutil.copytree(mixed, tmp_path / "dist"))
    shutil.copy(wrong, dist / "server-gpu.onnx")
    verdict = verify([str(dist / "server-gpu.onnx"), str(dist / "server-cpu.onnx")])
    assert {"intact", "fidelity"} <= found(verdict, dist / "server-gpu.onnx", Status.FAIL)


def test_a_recording_on_the_device_is_enough(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "server-gpu.safetensors"
    answer = CliRunner().invoke(app, ["embed", str(mixed / "server-gpu.onnx"), "--out", str(out)])
    assert answer.exit_code == 0, answer.stderr
    verdict = verify([str(mixed / "server-cpu.onnx"), str(out)], probe=mixed / "probe@0.75.safetensors")
    checks = [check for check in verdict.checks if check.subject == str(out) and check.name != "criterion"]
    assert "fidelity" in {check.name for check in checks}
    assert {check.name for check in checks if check.status is not Status.PASS} == set()


def test_the_waterfall_does_not_make_it_anew(mixed: Path, trained: Path) -> None:
    artifact = mixed / "server-gpu.onnx"
    origins = Origins(find_subjects([str(artifact), str(trained)]), wanted=True)
    probe = Probe.load(mixed / "probe@0.75.safetensors")
    stations = origins.in_torch(read_sidecar(artifact).description(), probe)
    assert all(isinstance(station.found, Gap) and "was not trained" in station.found.why for station in stations)


def test_without_images_it_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="are not at hand") as caught:
        export_between(trained, None, tmp_path / "dist", "server-cpu")
    assert "--calibration DIR" in caught.value.remedy
    assert not (tmp_path / "dist").exists()


def test_too_few_images_are_refused(trained: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    (few / "1.png").write_bytes(portraits([0], [0]).raw(0))
    with pytest.raises(SfscError, match="1 images to recalibrate batch norms on"):
        export_between(trained, few, tmp_path / "dist", "server-cpu")


def test_trained_widths_need_no_images_and_stay_as_they_are(trained: Path) -> None:
    run = RunFolder.open(trained)
    submodels = Submodels(run, None)
    for width in run.widths:
        ours, theirs = submodels.of(width).state_dict(), slice_submodel(run.networks(), width).state_dict()
        assert all(ours[name].equal(tensor) for name, tensor in theirs.items())
        assert submodels.untrained(width, Probe.load(run.probe_path)) is None


def test_a_width_in_between_is_aligned_as_the_trained_ones_are(trained: Path, images: Path) -> None:
    """Measured against the same slice with its batch norms alone recalibrated, on what is not trained on."""
    run = RunFolder.open(trained)
    submodels, probe = Submodels(run, images), Probe.load(run.probe_path)
    recalibrated = slice_untrained(submodels.networks, 0.75)
    recalibrate(recalibrated, submodels._images.images, run.preprocessing)
    agreement = []
    for submodel in (recalibrated, submodels.of(0.75)):
        embedder = TorchEmbedder(submodels.networks, 0.75, run.preprocessing, submodel=submodel)
        rows = embedder.embed(probe.images)
        agreement.append(np.mean([(rows * probe.reference[width]).sum(1).mean() for width in run.widths]))
    assert agreement[1] > agreement[0] + 0.01


def test_what_is_shown(mixed: Path) -> None:
    sidecar = read_sidecar(mixed / "server-gpu.onnx")
    assert sidecar.untrained is not None
    console = Console(width=200, record=True)
    show_untrained(sidecar, console)
    told = console.export_text()
    done = "its batch norms are recalibrated and its embedding aligned on 320 images of images"
    assert f"Width 0.75 was not trained: {done}" in told
    assert sidecar.untrained.batch_norms.sha256[:12] in told
    poor = sidecar.model_copy(update={"untrained": sidecar.untrained.model_copy(update={"self_test": 0.1})})
    show_untrained(poor, console)
    assert "which was trained, is narrower and finds no less" in console.export_text()
