"""An import only ever points down, and importing a package costs next to nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sfsc_deploy", "trainer", "exporters", "profiles")
HEAVY = {
    "torch",
    "onnx",
    "onnxruntime",
    "kornia",
    "pytorch_metric_learning",
    "matplotlib",
    "coremltools",
    "tensorrt",
    "faiss",
}
ABOVE_THE_LAYERS = {"__init__", "__main__"}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([command, "--no-cache"], cwd=root, capture_output=True, text=True, timeout=120, check=False)


def test_imports_point_down() -> None:
    answer = lint_imports(ROOT)
    assert answer.returncode == 0, answer.stdout


def test_an_import_that_points_up_is_found(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "trainer" / "errors.py").open("a", encoding="utf-8") as file:
        file.write("\nimport sfsc_deploy.errors\n")
    answer = lint_imports(tmp_path)
    assert answer.returncode == 1
    assert "trainer.errors" in answer.stdout


def test_every_module_has_its_layer() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = configuration["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {name for layer in layers for name in layer.replace("|", " ").replace(":", " ").split()}
    modules = {path.stem for path in (ROOT / "sfsc_deploy").iterdir() if path.suffix == ".py" or path.is_dir()}
    modules -= ABOVE_THE_LAYERS | {"__pycache__"}
    assert {f"sfsc_deploy.{module}" for module in modules} <= named


@pytest.mark.parametrize("package", [*PACKAGES, "sfsc_deploy.runtime", "sfsc_deploy.data", "sfsc_deploy.verification"])
def test_importing_a_package_is_light(package: str) -> None:
    program = f"import sys, {package}; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert HEAVY.isdisjoint(answer.stdout.split())
