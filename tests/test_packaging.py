"""The wheel brings the four packages and nothing else to the top level of an environment."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"sfsc_deploy", "trainer", "exporters", "profiles"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_top_level_is_the_four_packages(wheel: zipfile.ZipFile) -> None:
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == PACKAGES
    assert len(top) == len(PACKAGES) + 1


def test_every_module_is_in_it(wheel: zipfile.ZipFile) -> None:
    sources = {path.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert sources == {name for name in wheel.namelist() if name.endswith(".py")}


def test_profiles_and_type_markers_are_in_it(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    tables = {path.relative_to(ROOT).as_posix() for path in (ROOT / "profiles").rglob("*.toml")}
    assert tables
    assert tables <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_the_command_and_the_licence_are_in_it(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "sfsc-deploy = sfsc_deploy.cli:main" in wheel.read(entry_points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
