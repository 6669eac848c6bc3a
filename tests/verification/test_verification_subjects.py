"""Wrong use: what makes no sense is refused with a remedy, rather than judged."""

import shutil
from pathlib import Path

import pytest

from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.errors import SfscError
from sfsc_deploy.probe import Probe
from sfsc_deploy.verification.verify import verify


def assert_refused(names: list[Path | str], message: str) -> None:
    with pytest.raises(SfscError, match=message) as refusal:
        verify([str(name) for name in names])
    assert refusal.value.remedy


def test_fewer_than_two(exported: Path) -> None:
    assert_refused([], "at least two artifacts, 0 given")
    assert_refused([exported / "server-cpu.onnx"], "at least two artifacts, 1 given")


def test_the_same_path_twice(exported: Path) -> None:
    assert_refused([exported / "server-cpu.onnx"] * 2, "are the same")


def test_the_same_file_by_two_paths(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "link.onnx").symlink_to(exported / "server-cpu.onnx")
    assert_refused([exported / "server-cpu.onnx", tmp_path / "link.onnx"], "are the same")


def test_the_widest_of_a_run_by_two_names(trained: Path) -> None:
    assert_refused([trained, f"{trained}@1.0"], "are the same")


@pytest.mark.parametrize("name", ["a.onnx", "a.engine", "a.plan", "a.mlpackage", "a.safetensors"])
def test_what_does_not_exist(exported: Path, name: str) -> None:
    assert_refused([exported / "server-cpu.onnx", exported / name], f"{name} does not exist")


@pytest.mark.parametrize("name", ["model.pt", "nowhere", "nowhere@0.5"])
def test_what_does_not_exist_and_is_of_no_known_kind(exported: Path, name: str) -> None:
    assert_refused([exported / "server-cpu.onnx", exported / name], f"{name} does not exist")


def test_what_is_of_no_known_kind(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    assert_refused([exported / "server-cpu.onnx", tmp_path / "model.pt"], "neither an artifact nor a run folder")


def test_a_folder_that_is_no_run(exported: Path, tmp_path: Path) -> None:
    assert_refused([exported / "server-cpu.onnx", tmp_path], "not a run folder")


def test_a_width_that_was_not_trained(exported: Path, trained: Path) -> None:
    assert_refused([exported / "server-cpu.onnx", f"{trained}@0.3"], r"no width 0\.3")


def test_a_named_probe_of_another_space(exported: Path, hasty: Path) -> None:
    with pytest.raises(SfscError, match="none of the artifacts does"):
        verify(
            [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")], probe=hasty / "probe.safetensors"
        )


def test_a_named_probe_that_cannot_be_read(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="not a file"):
        verify(
            [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")], probe=tmp_path / "no.safetensors"
        )


def test_images_that_cannot_be_read(exported: Path) -> None:
    broken = Split((b"no image",), ("1",))
    with pytest.raises(SfscError, match="can't be read"):
        verify(
            [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")],
            data=DataSet("broken", None, Split(), broken, broken),
        )


def test_an_artifact_and_its_copy_may_be_compared(exported: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(exported, tmp_path / "copy")
    verify([str(exported / "android.onnx"), str(Path(copy) / "android.onnx")])
    assert Probe.load(Path(copy) / "probe.safetensors")
