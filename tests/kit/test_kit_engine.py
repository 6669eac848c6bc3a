"""Engines in a kit, as far as that goes without a GPU: what is refused, and what the sidecar of a built one says."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("onnx", reason="writes the model that an engine is built from")

from kits import left_by_an_export, run_kit, unpack
from left_for_device import L4, ORIN, leave
from sfsc_deploy import building
from sfsc_deploy.artifact import EngineDevice, read_sidecar, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import pack
from sfsc_deploy.kit.runner import engine_file, package
from sfsc_deploy.kit.runner.manifest import Entry, open_kit
from sfsc_deploy.runtime.engine.build import Compatibility, Plan
from sfsc_deploy.runtime.engine.fitness import Host


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    probe = read_sidecar(left_by_an_export(tmp_path / "dist")).probe
    left = leave(tmp_path / "dist")
    for path in (left.onnx, left.engine):
        write_sidecar(path, read_sidecar(path).model_copy(update={"probe": probe}))
    return unpack(pack([content_of(left.engine)], tmp_path / "a.zip"), tmp_path / "device")


@pytest.fixture
def entry(kit: Path) -> Entry:
    return open_kit(kit).artifacts[0]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Host], None]:
    def put(host: Host) -> None:
        trt = SimpleNamespace(__version__=host.tensorrt)
        monkeypatch.setattr(engine_file, "machine", lambda: (trt, host))

    return put


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(kit: Path) -> None:
    answer = run_kit(kit)
    assert answer.returncode == 1
    assert "jetson.engine was not recorded: A TensorRT engine needs an NVIDIA GPU" in answer.stderr


def test_it_is_built_on_no_other_device(entry: Entry, on: Callable[[Host], None], tmp_path: Path) -> None:
    on(Host("10.3.0", L4))
    with pytest.raises(SfscError, match=r"can't be built here: .*NVIDIA L4 here has 8\.9"):
        engine_file.build(entry, tmp_path, "a server")


def test_what_it_builds_is_described_as_build_describes_it(
    entry: Entry, on: Callable[[Host], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Host("10.3.0", ORIN))
    asked = []

    def stand_in(trt: object, onnx: bytes, recipe: object, compatibility: Compatibility, cache: bytes) -> Plan:
        asked.append((onnx, recipe, compatibility, cache))
        return Plan(b"an engine", b"timings")

    monkeypatch.setattr(engine_file, "build_plan", stand_in)
    engine, sidecar = engine_file.build(entry, tmp_path, "a jetson")
    engine_file.build(entry, tmp_path, "a jetson")
    source = read_sidecar(entry.path)
    device = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")
    expected = building.built_sidecar(source, engine, source.build.command or "", device)
    assert type(expected).model_validate(sidecar) == expected
    assert engine.read_bytes() == b"an engine"
    assert [cache for *_, cache in asked] == [b"", b"timings"]
    recipe = building.read_recipe(entry.path.with_name("jetson.build.json"))
    assert asked[0][0] == entry.path.with_name("jetson.onnx").read_bytes()
    for name in ("onnx", "engine", "workspace_mb"):
        assert getattr(asked[0][1], name) == getattr(recipe, name)
    assert tuple(asked[0][1].image.max) == recipe.image.max  # type: ignore[attr-defined]


def test_another_model_under_the_name_of_the_recipe_is_not_built(kit: Path) -> None:
    manifest = json.loads((kit / "kit.json").read_text())
    del manifest["files"]["jetson.onnx"]
    (kit / "kit.json").write_text(json.dumps(manifest))
    with pytest.raises(SfscError, match=r"no hash of 'jetson\.onnx'"):
        open_kit(kit)


@pytest.mark.skipif(sys.platform == "darwin", reason="this is a Mac")
def test_a_package_takes_a_mac(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="Only a Mac"):
        package.Package(tmp_path / "a.mlpackage", {}, None)
