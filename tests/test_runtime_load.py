"""What `load` answers for subjects that cannot be run here, or are none."""

import sys
from pathlib import Path

import pytest

from samples import sample_sidecar
from sfsc_deploy.artifact import Build, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import BackendUnavailable, load


def test_an_engine_that_is_still_to_be_built_says_how(tmp_path: Path) -> None:
    source = tmp_path / "jetson.onnx"
    source.write_bytes(b"typed")
    build = Build(status="to be built on the device", command="trtexec --onnx=jetson.onnx")
    write_sidecar(tmp_path / "jetson.engine", sample_sidecar(source, build=build))
    with pytest.raises(BackendUnavailable, match="still to be built") as caught:
        load(tmp_path / "jetson.engine")
    assert caught.value.command.startswith("`trtexec --onnx=jetson.onnx`, then `sfsc-deploy embed")


def test_without_coremltools_a_package_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    (tmp_path / "iphone.mlpackage").mkdir()
    with pytest.raises(BackendUnavailable, match=r"sfsc-deploy\[coreml\].*no wheel") as caught:
        load(tmp_path / "iphone.mlpackage")
    assert "iphone.safetensors" in caught.value.command


@pytest.mark.parametrize("name", ["a.engine", "a.mlpackage", "a.onnx", "a.safetensors", "a-run", "a-run@0.5", "a.pt"])
def test_what_does_not_exist_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SfscError) as caught:
        load(tmp_path / name)
    assert not isinstance(caught.value, BackendUnavailable)
    assert name in caught.value.message


def test_an_unknown_kind_of_file_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(SfscError, match=r"model\.pt is no subject") as caught:
        load(tmp_path / "model.pt")
    assert ".onnx" in caught.value.remedy
    assert "run folder" in caught.value.remedy
