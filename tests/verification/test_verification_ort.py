"""ONNX Runtime's own format among the artifacts, by a user's profile: what is right passes, faults are caught."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import export_all
from sfsc_deploy.artifact import read_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import load
from sfsc_deploy.verification import Check, Status, Verdict
from sfsc_deploy.verification.folder import spread
from sfsc_deploy.verification.verify import verify

PROFILE = """
name = "camera"
title = "A camera with a reduced build of ONNX Runtime"
format = "ort"
runtime = "ONNX Runtime"
width = 0.5
precision = "float32"
precisions = ["float32"]
batch = { min = 1, opt = 1, max = 8 }
"""

CheckOf = Callable[..., Check]


@pytest.fixture(scope="module")
def cameras(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """camera.ort, and raspberry-pi.onnx to compare it with. Not to be changed."""
    folder = tmp_path_factory.mktemp("cameras")
    (folder / "camera.toml").write_text(PROFILE, encoding="utf-8")
    return export_all(trained, folder / "dist", (str(folder / "camera.toml"), "raspberry-pi"))


@pytest.fixture
def fleet(cameras: Path, tmp_path: Path) -> Path:
    """A copy of `cameras`, to be changed at will."""
    return Path(shutil.copytree(cameras, tmp_path / "fleet"))


def verified(dist: Path) -> Verdict:
    return verify([str(dist / "camera.ort"), str(dist / "raspberry-pi.onnx")])


def test_it_passes_beside_an_onnx_file_and_the_run(cameras: Path, trained: Path, check_of: CheckOf) -> None:
    verdict = verify([*spread([str(cameras)]), str(trained)])
    assert {check.name for check in verdict.checks if check.status is not Status.PASS} == set()
    precision = check_of(verdict, cameras / "camera.ort", "precision")
    assert precision.why == "The file computes in float32, float32 is claimed."


def test_its_sidecar_tells_format_and_fidelity(cameras: Path) -> None:
    sidecar = read_sidecar(cameras / "camera.ort")
    assert sidecar.format == "ort"
    assert list(sidecar.files) == ["camera.ort"]
    assert sidecar.fidelity is not None
    assert sidecar.fidelity.min_cosine > 0.99999


def test_without_its_sidecar_it_tells_its_own_space(fleet: Path) -> None:
    space = read_sidecar(fleet / "camera.ort").space
    (fleet / "camera.ort.json").unlink()
    with load(fleet / "camera.ort") as embedder:
        assert embedder.space == space


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_cut_short_is_an_error_that_names_it(fleet: Path, found: Callable[..., set[str]], share: float) -> None:
    whole = (fleet / "camera.ort").read_bytes()
    (fleet / "camera.ort").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SfscError, match=r"camera\.ort cannot be read as ORT"):
        load(fleet / "camera.ort")
    failed = found(verified(fleet), fleet / "camera.ort", Status.FAIL)
    assert {"readable", "intact"} <= failed


def test_an_onnx_file_of_that_name_is_found_out(fleet: Path, found: Callable[..., set[str]]) -> None:
    shutil.copy(fleet / "raspberry-pi.onnx", fleet / "camera.ort")
    assert {"intact", "precision"} & found(verified(fleet), fleet / "camera.ort", Status.FAIL)


def test_an_absent_one_is_an_error(cameras: Path, fleet: Path) -> None:
    (fleet / "camera.ort").unlink()
    with pytest.raises(SfscError, match=r"camera\.ort does not exist"):
        verified(fleet)
