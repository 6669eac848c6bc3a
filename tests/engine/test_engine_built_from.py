"""An engine, and what was recorded of it, belong to the ONNX file that they were built from. No test has an engine."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="writes the model that an engine is built from")
pytest.importorskip("onnxruntime", reason="runs what is verified beside the engine")

from kits import left_by_an_export
from left_for_device import Left, leave
from samples import sample_probe
from sfsc_deploy.artifact import EngineDevice, Sidecar, read_sidecar, sidecar_path, write_sidecar
from sfsc_deploy.building import built_sidecar
from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder
from sfsc_deploy.runtime.recorded import RecordedEmbedder, Recording, record_probe
from sfsc_deploy.tensor_file import read_tensors, write_tensors
from sfsc_deploy.verification import Check, Status
from sfsc_deploy.verification.subject import Subject
from sfsc_deploy.verification.verify import verify
from sfsc_deploy.verification.waterfall.chain import Gap
from sfsc_deploy.verification.waterfall.plain import artifact_stations
from tiny_onnx import tiny_weights, write_tiny_onnx

ON_ORIN = EngineDevice(name="a jetson", gpu="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return left_by_an_export(tmp_path)


@pytest.fixture
def built(artifact: Path) -> Left:
    """What `build` leaves: bytes in the engine's place, and the sidecar that it writes for them."""
    left = leave(artifact.parent)
    probe = read_sidecar(artifact).probe
    for path in (left.onnx, left.engine):
        write_sidecar(path, read_sidecar(path).model_copy(update={"probe": probe}))
    left.engine.write_bytes(b"stands where an engine lies")
    write_sidecar(left.engine, built_sidecar(read_sidecar(left.onnx), left.engine, left.read(), ON_ORIN))
    return left


@pytest.fixture
def recorded(built: Left) -> Path:
    """What ONNX Runtime made of the model, under the name of the engine."""
    target = built.engine.with_suffix(".safetensors")
    with OnnxEmbedder(built.onnx) as stand_in:
        stand_in.name, stand_in.sidecar = str(built.engine), read_sidecar(built.engine)
        record_probe(stand_in, sample_probe(), target, device="a jetson")
    return target


def check(name: str, subject: Path, artifact: Path) -> Check:
    verdict = verify([str(artifact), str(subject)])
    (found,) = (each for each in verdict.checks if (each.name, each.subject) == (name, str(subject)))
    return found


def intact(subject: Path, artifact: Path) -> Check:
    return check("intact", subject, artifact)


def export_anew(left: Left) -> None:
    """Another model under the same name, with all that an export leaves beside it, but the engine's sidecar."""
    write_tiny_onnx(left.onnx, tiny_weights(seed=7))
    digest = sha256(left.onnx.read_bytes()).hexdigest()
    write_sidecar(left.onnx, read_sidecar(left.onnx).model_copy(update={"files": {left.onnx.name: digest}}))
    left.write(left.read().model_copy(update={"onnx_sha256": digest}))


def forget_the_source(sidecar: Path) -> None:
    """As of a version that didn't record it."""
    document = json.loads(sidecar.read_text())
    del document["build"]["onnx_sha256"]
    sidecar.write_text(json.dumps(document))


def rewrite(recorded: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a recording tells of itself."""
    stored = read_tensors(recorded)
    (key,) = stored.metadata
    told = json.loads(stored.metadata[key])
    change(told)
    write_tensors(recorded, dict(stored.arrays), key, Recording.model_validate(told).model_dump_json())


def test_an_engine_beside_the_file_it_was_built_from_is_intact(built: Left, artifact: Path) -> None:
    found = intact(built.engine, artifact)
    assert (found.status, "It was built from jetson.onnx" in found.why) == (Status.PASS, True)


def test_an_engine_of_an_earlier_export_fails(built: Left, artifact: Path) -> None:
    export_anew(built)
    found = intact(built.engine, artifact)
    assert found.status is Status.FAIL
    assert "It was built from another export than jetson.onnx beside it" in found.why


def test_where_the_file_is_absent_it_says_that_nothing_was_compared(built: Left, artifact: Path) -> None:
    built.onnx.unlink()
    found = intact(built.engine, artifact)
    assert (found.status, "jetson.onnx that it was built from is not beside it" in found.why) == (Status.PASS, True)


def test_what_rebuilds_an_engine_can_be_typed_as_it_is(artifact: Path) -> None:
    """One that was built by hand: of the sidecar that an export left nothing says what it is."""
    folder = artifact.parent / "two words"
    folder.mkdir()
    left = leave(folder)
    left.engine.write_bytes(b"stands where an engine lies")
    for name in ("intact", "built"):
        assert check(name, left.engine, artifact).command == f"sfsc-deploy build '{left.recipe}' --overwrite"
    left.engine.unlink()
    assert check("built", left.engine, artifact).command == f"sfsc-deploy build '{left.recipe}'"


def test_an_older_sidecar_is_read_and_leaves_open_what_it_does_not_tell(built: Left, artifact: Path) -> None:
    forget_the_source(sidecar_path(built.engine))
    found = intact(built.engine, artifact)
    assert found.status is Status.UNVERIFIED
    assert "was not recorded" in found.why
    assert found.command == f"sfsc-deploy build {built.recipe} --overwrite"
    built.recipe.unlink()  # it is rebuilt elsewhere then
    assert intact(built.engine, artifact).command == "sfsc-deploy build jetson.build.json --overwrite"
    built.onnx.unlink()
    found = intact(built.engine, artifact)
    assert (found.status, "was not recorded" in found.why) == (Status.PASS, True)


def test_what_was_recorded_of_an_engine_is_compared_like_the_engine(
    built: Left, recorded: Path, artifact: Path
) -> None:
    built.engine.unlink()
    write_sidecar(built.engine, read_sidecar(built.onnx))  # as the export left it: the engine stayed on its device
    assert intact(recorded, artifact).status is Status.PASS
    export_anew(built)
    found = intact(recorded, artifact)
    assert (found.status, "from another export than jetson.onnx" in found.why) == (Status.FAIL, True)


def test_without_the_file_the_sidecar_of_the_unbuilt_engine_tells(built: Left, recorded: Path, artifact: Path) -> None:
    export_anew(built)
    built.engine.unlink()
    write_sidecar(built.engine, read_sidecar(built.onnx))
    built.onnx.unlink()
    assert intact(recorded, artifact).status is Status.FAIL


def test_a_recording_of_another_engine_than_the_one_beside_it_fails(
    built: Left, recorded: Path, artifact: Path
) -> None:
    """Whatever the sidecar beside it says: that of an engine built by hand is the unbuilt one's."""
    built.engine.write_bytes(b"built by hand since")
    write_sidecar(built.engine, read_sidecar(built.onnx))
    found = intact(recorded, artifact)
    assert (found.status, "another jetson.engine than the one that lies beside it" in found.why) == (Status.FAIL, True)


def test_a_recording_that_contradicts_the_sidecar_it_carries_fails(recorded: Path, artifact: Path) -> None:
    rewrite(recorded, lambda told: told.update(space="6" * 64))
    found = intact(recorded, artifact)
    assert (found.status, "the sidecar that it carries" in found.why) == (Status.FAIL, True)


@pytest.mark.parametrize("exported_anew", [False, True])
def test_a_waterfall_runs_the_file_an_engine_was_built_from_and_no_other(
    built: Left, recorded: Path, exported_anew: bool
) -> None:
    images = sample_probe().images
    if exported_anew:
        export_anew(built)
    with RecordedEmbedder(recorded) as embedder:
        own = embedder.embed(images)
        subject = Subject(str(recorded), recorded, "recorded", embedder.sidecar)
        plain, _ = artifact_stations(subject, embedder, own, images, wanted=True)
    if exported_anew:
        assert isinstance(plain.found, Gap)
        assert "another one than it was made from" in plain.found.why
    else:
        np.testing.assert_allclose(plain.found, own, atol=1e-5)


def test_what_was_recorded_of_the_file_to_build_from_is_called_so(built: Left, artifact: Path) -> None:
    target = built.onnx.with_name("typed.safetensors")
    with OnnxEmbedder(built.onnx) as embedder:
        record_probe(embedder, sample_probe(), target)
    found = check("built", target, artifact)
    assert (found.status, "is still to be built from it" in found.why) == (Status.UNVERIFIED, True)


def test_what_was_recorded_of_an_engine_built_by_hand_never_passes(built: Left, artifact: Path) -> None:
    unbuilt: Sidecar = read_sidecar(built.onnx)
    write_sidecar(built.engine, unbuilt)
    target = built.engine.with_suffix(".safetensors")
    with OnnxEmbedder(built.onnx) as stand_in:
        stand_in.name, stand_in.sidecar = str(built.engine), unbuilt
        record_probe(stand_in, sample_probe(), target, device="a jetson")
    assert intact(target, artifact).status is Status.UNVERIFIED
    built.engine.write_bytes(b"built by hand once more")
    assert intact(target, artifact).status is Status.FAIL
