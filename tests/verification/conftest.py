"""A run and its exports, made once; every test that changes them gets copies."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the artifacts to verify are exported from a supernet")
pytest.importorskip("onnxscript", reason="torch writes ONNX by way of onnxscript")
pytest.importorskip("onnxruntime", reason="runs what was exported")

from fleet import export_all, make_run
from sfsc_deploy.verification import Check, Status, Verdict

PROFILES = ("server-cpu", "android", "raspberry-pi", "jetson-orin")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose widths 0.25, 0.5 and 1 are compatible. Not to be changed."""
    return make_run(tmp_path_factory.mktemp("runs") / "trained")


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of another space, trained for so short that its widths are not compatible. Not to be changed."""
    return make_run(tmp_path_factory.mktemp("runs") / "hasty", seed=1, epochs=1)


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of `trained`: float32 of widths 1 and 0.25, float16 of width 0.5, and an unbuilt TensorRT one.

    Not to be changed.
    """
    return export_all(trained, tmp_path_factory.mktemp("exported") / "dist", PROFILES)


@pytest.fixture(scope="session")
def exported_hastily(hasty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of `hasty`. Not to be changed."""
    return export_all(hasty, tmp_path_factory.mktemp("exported") / "hasty", ("raspberry-pi", "android"))


@pytest.fixture
def dist(exported: Path, tmp_path: Path) -> Path:
    """A copy of `exported`, to be changed at will."""
    return Path(shutil.copytree(exported, tmp_path / "dist"))


@pytest.fixture(scope="session")
def found() -> Callable[[Verdict, Path | str, Status], set[str]]:
    """Names of the checks of a subject with a status; cross-tests count for both sides."""

    def names(verdict: Verdict, subject: Path | str, status: Status) -> set[str]:
        return {check.name for check in verdict.checks if check.concerns(str(subject)) and check.status is status}

    return names


@pytest.fixture(scope="session")
def check_of() -> Callable[..., Check]:
    """The one check of a subject with a name."""

    def check(verdict: Verdict, subject: Path | str, name: str) -> Check:
        (only,) = _named(verdict.checks, str(subject), name)
        return only

    return check


def _named(checks: Iterable[Check], subject: str, name: str) -> list[Check]:
    return [check for check in checks if (check.subject, check.name) == (subject, name)]
