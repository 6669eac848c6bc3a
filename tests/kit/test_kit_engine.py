"""Engines in a kit, as far as that goes without a GPU: what is refused, and what the sidecar of a built one says."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("onnx", reason="writes the model that an engine is built from")
pytest.importorskip("onnxruntime", reason="runs it in the engine's place")

from kits import left_by_an_export, run_kit, unpack
from left_for_device import L4, ORIN, leave
from sfsc_deploy import building
from sfsc_deploy.artifact import EngineDevice, read_sidecar, sidecar_path, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.contents import content_of
from sfsc_deploy.kit.packing import pack
from sfsc_deploy.kit.runner import building as kit_building
from sfsc_deploy.kit.runner import engine_file, package
from sfsc_deploy.kit.runner.manifest import Entry, open_kit
from sfsc_deploy.kit.runner.onnx_file import OnnxFile
from sfsc_deploy.kit.runner.probe import read_probe
from sfsc_deploy.kit.runner.recording import Ran, record
from sfsc_deploy.runtime.engine.build import Compatibility, Plan
from sfsc_deploy.runtime.engine.fitness import Host
from sfsc_deploy.verification import Status
from sfsc_deploy.verification.verify import verify

ON_ORIN = Host("10.3.0", ORIN)


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
        for module in (engine_file, kit_building):
            monkeypatch.setattr(module, "machine", lambda: (trt, host))

    return put


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(kit: Path) -> None:
    answer = run_kit(kit)
    assert answer.returncode == 1
    assert "jetson.engine was not recorded: A TensorRT engine needs an NVIDIA GPU" in answer.stderr


def test_it_is_built_on_no_other_device(entry: Entry, on: Callable[[Host], None], tmp_path: Path) -> None:
    on(Host("10.3.0", L4))
    with pytest.raises(SfscError, match=r"can't be built here: .*NVIDIA L4 here has 8\.9"):
        kit_building.build(entry, tmp_path, "a server", overwrite=False)


@pytest.fixture
def builds(on: Callable[[Host], None], monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """An Orin whose builder gives bytes, another build others; what it was asked for."""
    on(ON_ORIN)
    asked: list[tuple[Any, ...]] = []

    def stand_in(trt: object, onnx: bytes, recipe: object, compatibility: Compatibility, timings: bytes) -> Plan:
        asked.append((onnx, recipe, compatibility, timings))
        return Plan(b"engine %d" % len(asked), b"timings", timings_used=bool(timings))

    monkeypatch.setattr(kit_building, "build_plan", stand_in)
    return asked


def build(entry: Entry, out: Path, device: str = "a jetson", *, overwrite: bool = False) -> tuple[Path, Any]:
    return kit_building.build(entry, out, device, overwrite=overwrite)


def test_what_it_builds_is_described_as_build_describes_it(
    entry: Entry, builds: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    engine, sidecar = build(entry, tmp_path)
    recipe = building.read_recipe(entry.path.with_name("jetson.build.json"))
    source = read_sidecar(entry.path)
    device = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")
    expected = building.built_sidecar(source, engine, recipe, device)
    assert type(expected).model_validate(sidecar) == expected == read_sidecar(engine)
    assert sidecar == json.loads(expected.model_dump_json(include=sidecar.keys()))
    assert engine.read_bytes() == b"engine 1"
    ((onnx, asked, _, _),) = builds
    assert onnx == entry.path.with_name("jetson.onnx").read_bytes()
    for name in ("onnx", "engine", "workspace_mb"):
        assert getattr(asked, name) == getattr(recipe, name)
    assert tuple(asked.image.max) == recipe.image.max
    assert {path.name for path in tmp_path.glob("jetson*")} == {
        "jetson.engine", "jetson.engine.json", "jetson.timing.cache"
    }  # fmt: skip


def test_what_it_builds_is_opened_by_what_its_sidecar_says(
    entry: Entry, builds: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = SimpleNamespace(contract=SimpleNamespace(largest=16))
    monkeypatch.setattr(engine_file, "plan_version", lambda path: None)
    monkeypatch.setattr(engine_file, "Session", lambda trt, path, host_code_allowed: session)
    assert engine_file.EngineFile(*build(entry, tmp_path)).largest == 16


def test_an_engine_that_was_built_here_from_the_same_file_is_taken_unless_asked(
    entry: Entry, builds: list[tuple[Any, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = build(entry, tmp_path)
    assert build(entry, tmp_path, "called otherwise") == first
    assert "taken as it is" in capsys.readouterr().out
    assert build(entry, tmp_path, overwrite=True)[0].read_bytes() == b"engine 2"
    assert [timings for *_, timings in builds] == [b"", b"timings"]


def cut_short(engine: Path) -> None:
    engine.write_bytes(engine.read_bytes()[:3])


def without_sidecar(engine: Path) -> None:
    sidecar_path(engine).unlink()


def of_another_file(engine: Path) -> None:
    build = read_sidecar(engine).build.model_copy(update={"onnx_sha256": "0" * 64})
    write_sidecar(engine, read_sidecar(engine).model_copy(update={"build": build}))


def of_another_tensorrt(engine: Path) -> None:
    build = read_sidecar(engine).build
    assert build.device is not None
    device = build.device.model_copy(update={"tensorrt": "10.3.1"})
    write_sidecar(
        engine, read_sidecar(engine).model_copy(update={"build": build.model_copy(update={"device": device})})
    )


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (cut_short, "not the file that its sidecar describes"),
        (without_sidecar, "no sidecar tells"),
        (of_another_file, "built from another ONNX file"),
        (of_another_tensorrt, "by another kit, TensorRT or GPU"),
    ],
)
def test_another_engine_is_neither_taken_nor_replaced_unasked(
    entry: Entry, builds: list[tuple[Any, ...]], tmp_path: Path, harm: Callable[[Path], None], why: str
) -> None:
    engine, _ = build(entry, tmp_path)
    harm(engine)
    before = engine.read_bytes()
    with pytest.raises(SfscError, match=why) as refusal:
        build(entry, tmp_path)
    assert "--overwrite" in refusal.value.remedy
    assert engine.read_bytes() == before
    assert build(entry, tmp_path, overwrite=True)[0].read_bytes() == b"engine 2"


def test_an_engine_is_written_whole_or_not_at_all(
    entry: Entry, builds: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = build(entry, tmp_path)
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[:3])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SfscError, match="the disk is full"):
        build(entry, tmp_path, overwrite=True)
    assert engine.read_bytes() == b"engine 1"
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_another_model_than_that_of_the_recipe_is_not_built(
    entry: Entry, builds: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    entry.path.with_name("jetson.onnx").write_bytes(b"another")
    with pytest.raises(SfscError, match=r"jetson\.onnx is not the file that its recipe is for"):
        build(entry, tmp_path)
    assert not builds


def test_another_model_under_the_name_of_the_recipe_is_not_built(kit: Path) -> None:
    manifest = json.loads((kit / "kit.json").read_text())
    del manifest["files"]["jetson.onnx"]
    (kit / "kit.json").write_text(json.dumps(manifest))
    with pytest.raises(SfscError, match=r"no hash of 'jetson\.onnx'"):
        open_kit(kit)


@pytest.fixture
def by_hand(tmp_path: Path) -> Path:
    """A kit with an engine that was built without our sidecar, by trtexec."""
    artifact = left_by_an_export(tmp_path)
    left = leave(tmp_path)
    for path in (left.onnx, left.engine):
        write_sidecar(path, read_sidecar(path).model_copy(update={"probe": read_sidecar(artifact).probe}))
    left.engine.write_bytes(b"what trtexec built")
    return unpack(pack([content_of(left.engine)], tmp_path / "a.zip"), tmp_path / "device")


def test_what_is_recorded_of_an_engine_built_by_hand_does_not_pass(by_hand: Path, tmp_path: Path) -> None:
    (entry,) = open_kit(by_hand).artifacts
    recorded = tmp_path / entry.recording
    ran = Ran(entry.path, entry.sidecar, OnnxFile(tmp_path / "jetson.onnx", ["CPUExecutionProvider"]), "a jetson")
    record(ran, read_probe(by_hand / "probe.safetensors"), read_sidecar(tmp_path / "tiny.onnx").probe.sha256, recorded)
    verdict = verify([str(tmp_path / "tiny.onnx"), str(recorded)])
    found = {check.name: check.status for check in verdict.checks if check.subject == str(recorded)}
    assert {found[name] for name in ("intact", "built", "precision")} == {Status.UNVERIFIED}


def test_an_engine_built_by_hand_that_is_not_what_was_packed_is_not_run(by_hand: Path) -> None:
    (by_hand / "jetson.engine").write_bytes(b"another")
    with pytest.raises(SfscError, match=r"Not what was packed: jetson\.engine"):
        open_kit(by_hand)
    manifest = json.loads((by_hand / "kit.json").read_text())
    del manifest["files"]["jetson.engine"]
    (by_hand / "kit.json").write_text(json.dumps(manifest))
    with pytest.raises(SfscError, match=r"no hash of 'jetson\.engine'"):
        open_kit(by_hand)


@pytest.mark.skipif(sys.platform == "darwin", reason="this is a Mac")
def test_a_package_takes_a_mac(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="Only a Mac"):
        package.Package(tmp_path / "a.mlpackage", {}, None)
