"""What `load` answers for an engine that must not, or can't, be run here."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from left_for_device import L4, ORIN
from samples import sample_sidecar
from sfsc_deploy.artifact import Build, EngineDevice, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import BackendUnavailable, load
from sfsc_deploy.runtime.engine import library
from sfsc_deploy.runtime.engine.fitness import Host

BUILT_ON = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")
HEADER = b"ftrt" + struct.pack("<I", 0) + bytes(16) + bytes((10, 3, 0, 30))


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """The header of an engine, with a sidecar: no engine, and nothing here gets so far as to try it."""
    path = tmp_path / "jetson.engine"
    path.write_bytes(HEADER)
    build = Build(command="sfsc-deploy build jetson.build.json", device=BUILT_ON)
    write_sidecar(path, sample_sidecar(path, format="tensorrt", build=build))
    return path


@pytest.mark.parametrize("suffix", [".engine", ".plan"])
@pytest.mark.usefixtures("without_gpu")
def test_without_a_gpu_an_engine_is_unavailable(engine: Path, suffix: str) -> None:
    path = engine.rename(engine.with_suffix(suffix))
    with pytest.raises(BackendUnavailable, match="needs an NVIDIA GPU") as caught:
        load(path)
    assert f"`sfsc-deploy embed {path} --out {path.with_suffix('.safetensors')}`" in caught.value.command
    assert "sfsc-deploy verify-compat" in caught.value.command
    assert caught.value.command in str(caught.value)


@pytest.mark.usefixtures("without_gpu")
def test_tensorrt_is_not_even_looked_for_without_a_gpu(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deserialisation without a GPU ends in a segmentation fault."""
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: pytest.fail(f"looked for {name}"))
    with pytest.raises(BackendUnavailable):
        load(engine)
    assert "tensorrt" not in sys.modules


@pytest.mark.parametrize(
    ("processor", "how"),
    [("x86_64", r'pip install "sfsc-deploy\[tensorrt\]"'), ("aarch64", "--system-site-packages")],
)
def test_with_a_gpu_alone_tensorrt_is_what_lacks(
    engine: Path, monkeypatch: pytest.MonkeyPatch, processor: str, how: str
) -> None:
    monkeypatch.setattr(library, "has_gpu", lambda: True)
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(library.platform, "machine", lambda: processor)
    with pytest.raises(BackendUnavailable, match=f"TensorRT is not installed .*{how}"):
        load(engine)


def test_a_tensorrt_that_cannot_be_imported_is_told(
    engine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: cannot open')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(library, "has_gpu", lambda: True)
    with pytest.raises(SfscError, match=r"can't be imported: libnvinfer\.so\.10"):
        load(engine)


def test_a_tensorrt_that_finds_no_gpu_is_told() -> None:
    """What the bindings raise then; a test in test_engine_names makes the real ones do so."""

    def nothing(logger: object) -> NoReturn:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(SfscError, match="finds no GPU that it can use"):
        library.enter(nothing, None)


def test_an_engine_of_another_version_is_refused_with_what_rebuilds_it(
    engine: Path, on: Callable[[Host], None]
) -> None:
    on(Host("10.13.3.9", ORIN))
    with pytest.raises(BackendUnavailable, match=r"built with TensorRT 10\.3\.0\.30, here is 10\.13\.3\.9") as caught:
        load(engine)
    assert caught.value.command == f"`sfsc-deploy build {engine.with_name('jetson.build.json')} --overwrite`"


def test_without_a_sidecar_the_header_is_enough(engine: Path, on: Callable[[Host], None]) -> None:
    engine.with_name("jetson.engine.json").unlink()
    on(Host("11.4.0.106", ORIN))
    with pytest.raises(BackendUnavailable, match=r"built with TensorRT 10\.3\.0\.30, here is 11\.4\.0\.106"):
        load(engine)


def test_an_engine_for_another_gpu_is_refused_with_what_exports_one(engine: Path, on: Callable[[Host], None]) -> None:
    on(Host("10.3.0", L4))
    with pytest.raises(BackendUnavailable, match=r"compute capability 8\.7, NVIDIA L4 here has 8\.9") as caught:
        load(engine)
    assert 'compute_capability = "8.9"' in caught.value.command
    assert "sfsc-deploy build" in caught.value.command


def test_an_engine_cut_short_is_an_error(engine: Path, on: Callable[[Host], None]) -> None:
    engine.write_bytes(HEADER[:20])
    on(Host("10.3.0", ORIN))
    with pytest.raises(SfscError, match="no engine: it ends after 20 bytes") as caught:
        load(engine)
    assert not isinstance(caught.value, BackendUnavailable)


@pytest.mark.usefixtures("without_gpu")
def test_an_engine_that_is_still_to_be_built_names_the_recipe(engine: Path) -> None:
    recipe = engine.with_name("jetson.build.json")
    recipe.touch()
    engine.unlink()
    with pytest.raises(BackendUnavailable, match="still to be built") as caught:
        load(engine)
    assert caught.value.command.startswith(f"`sfsc-deploy build {recipe}`, then `sfsc-deploy embed")


@pytest.mark.usefixtures("without_gpu")
def test_an_engine_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match=r"absent\.engine does not exist") as caught:
        load(tmp_path / "absent.engine")
    assert not isinstance(caught.value, BackendUnavailable)
