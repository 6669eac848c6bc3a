"""The command refuses to work with somebody else's `trainer`, `exporters` or `profiles`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfsc_deploy.cli import intruders
from sfsc_deploy.errors import SfscError


def sfsc_deploy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "sfsc_deploy", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        cwd=folder,
        check=False,
    )


@pytest.mark.parametrize("name", intruders.LEAVES)
def test_an_intruding_package_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    answer = sfsc_deploy(tmp_path, "--version")
    assert answer.returncode == 2
    assert str(tmp_path / name) in answer.stderr
    assert "environment of its own" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_intruding_module_is_named(tmp_path: Path) -> None:
    (tmp_path / "profiles.py").touch()
    answer = sfsc_deploy(tmp_path, "--version")
    assert answer.returncode == 2
    assert str(tmp_path / "profiles.py") in answer.stderr


def test_a_folder_that_is_no_package_does_not_intrude(tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    answer = sfsc_deploy(tmp_path, "--version")
    assert answer.returncode == 0, answer.stderr


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intruders, "LEAVES", ("no_such_leaf",))
    with pytest.raises(SfscError, match="no_such_leaf") as raised:
        intruders.refuse_intruders()
    assert "pip install" in raised.value.remedy


def test_our_own_packages_pass() -> None:
    intruders.refuse_intruders()
