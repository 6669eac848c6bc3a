"""No fault passes and nothing sound fails: `make faults` prints the table."""

import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

import menagerie
from menagerie import PARTNER, Specimen
from sfsc_deploy.verification import Status
from sfsc_deploy.verification.verify import verify

FORMATS = ("onnx", "ort", "coreml") if find_spec("coremltools") else ("onnx", "ort")


@pytest.fixture(scope="module")
def all_sound(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in every width, format and precision. Not to be changed."""
    folder = tmp_path_factory.mktemp("menagerie") / "dist"
    folder.mkdir()
    menagerie.fill(trained, folder, FORMATS)
    return folder


def status_of(specimen: Specimen, all_sound: Path, cage: Path) -> tuple[Status, str]:
    """The verdict on a specimen beside a sound partner, and the checks that stand against it."""
    cage.mkdir()
    for name in (PARTNER, specimen.file, specimen.file.replace("-0.5.", "-0.25."), "probe.safetensors"):
        _copy(all_sound / name, cage)
    verdict = verify([str(specimen.make(cage / specimen.file)), str(cage / PARTNER)])
    shutil.rmtree(cage)
    return verdict.status, " ".join(dict.fromkeys(c.name for c in verdict.checks if c.status is verdict.status))


def _copy(source: Path, folder: Path) -> None:
    for path in (source, source.with_name(f"{source.name}.json")):
        if path.is_dir():
            shutil.copytree(path, folder / path.name, dirs_exist_ok=True)
        elif path.exists():
            shutil.copy(path, folder)


def table(specimens: Iterable[Specimen], all_sound: Path, tmp_path: Path) -> dict[Specimen, tuple[Status, str]]:
    """Verify each, and print what came of it."""
    found = {specimen: status_of(specimen, all_sound, tmp_path / "cage") for specimen in specimens}
    for specimen, (status, against) in found.items():
        shown = "" if status is Status.PASS else against
        place = f"{specimen.format:7} {specimen.precision:8} x{specimen.width:<5g}"
        print(f"{status.value:11} {place} {specimen.what:32} {shown}")
    print(f"{len(found)} artifacts")
    return found


@pytest.mark.slow
@pytest.mark.xdist_group("menagerie")  # its artifacts take longest to make
def test_no_fault_passes(all_sound: Path, tmp_path: Path) -> None:
    found = table(menagerie.faulty(FORMATS), all_sound, tmp_path)
    assert len(found) >= 40
    assert [specimen for specimen, (status, _) in found.items() if status is not Status.FAIL] == []


@pytest.mark.slow
@pytest.mark.xdist_group("menagerie")  # its artifacts take longest to make
def test_nothing_sound_fails(all_sound: Path, tmp_path: Path) -> None:
    found = table(menagerie.sound(FORMATS), all_sound, tmp_path)
    assert len(found) >= (40 if "coreml" in FORMATS else 28)
    assert [(specimen, against) for specimen, (status, against) in found.items() if status is not Status.PASS] == []
