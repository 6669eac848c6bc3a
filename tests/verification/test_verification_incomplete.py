"""What could not be checked here is UNVERIFIED, never PASS, and says why and what completes it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import faults
from fleet import encoded, portraits
from sfsc_deploy.artifact import Build, read_sidecar, sidecar_path, write_sidecar
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.files import sha256_of
from sfsc_deploy.metrics import JUNK
from sfsc_deploy.probe import Probe
from sfsc_deploy.runtime import BackendUnavailable, Embedder, load
from sfsc_deploy.runtime.recorded import record, record_probe
from sfsc_deploy.verification import CHECKS, Check, Status, Verdict, opening
from sfsc_deploy.verification.verdict import ON_REQUEST
from sfsc_deploy.verification.verify import verify

Found = Callable[[Verdict, Path | str, Status], set[str]]
CheckOf = Callable[..., Check]
NUMERIC = {"finite", "norm", "collapse", "fidelity", "batch-invariance", "criterion", "top-k"}
RUNNING = NUMERIC | {"readable", "input-contract", "precision", "preprocessing"}


def open_questions(verdict: Verdict) -> dict[str, str]:
    """What is UNVERIFIED and why, after making sure that nothing failed and that the verdict says so."""
    assert verdict.status is Status.UNVERIFIED
    assert verdict.exit_status == 3
    assert not [check for check in verdict.checks if check.status is Status.FAIL]
    return {check.name: check.why for check in verdict.checks if check.status is Status.UNVERIFIED}


def make_engine(dist: Path) -> Path:
    """A built engine with its own sidecar, of bytes that nobody can run."""
    engine = dist / "jetson-orin.engine"
    engine.write_bytes(b"an engine")
    built = {
        "files": {engine.name: sha256_of(engine)},
        "build": Build(onnx_sha256=sha256_of(dist / "jetson-orin.onnx")),
    }
    write_sidecar(engine, read_sidecar(engine).model_copy(update=built))
    return engine


def make_package(dist: Path) -> Path:
    package = dist / "iphone.mlpackage"
    package.mkdir()
    (package / "Manifest.json").write_text("{}", encoding="utf-8")
    built = {"files": {package.name: sha256_of(package)}, "format": "coreml"}
    write_sidecar(package, read_sidecar(dist / "android.onnx").model_copy(update=built))
    return package


@pytest.fixture
def nothing_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has, engines and packages can't be run on it."""

    def load_elsewhere(subject: str, *, max_batch: int) -> Embedder:
        path = Path(subject)
        if path.suffix in (".engine", ".plan", ".mlpackage"):
            raise BackendUnavailable(path, "it needs its own device.", f"sfsc-deploy embed {path}")
        return load(subject, max_batch=max_batch)

    monkeypatch.setattr(opening, "load", load_elsewhere)


@pytest.mark.usefixtures("nothing_runs_here")
@pytest.mark.parametrize("make", [make_engine, make_package])
def test_an_artifact_that_cannot_be_run_here(
    dist: Path, found: Found, check_of: CheckOf, make: Callable[[Path], Path]
) -> None:
    artifact = make(dist)
    verdict = verify([str(dist / "server-cpu.onnx"), str(artifact)])
    assert open_questions(verdict).keys() == RUNNING
    assert found(verdict, artifact, Status.PASS) == {"intact", "built", "space"}
    assert found(verdict, dist / "server-cpu.onnx", Status.UNVERIFIED) == {"criterion"}
    assert check_of(verdict, artifact, "readable").why == "It needs its own device."
    assert check_of(verdict, artifact, "fidelity").command == f"sfsc-deploy embed {artifact}"


@pytest.mark.usefixtures("nothing_runs_here")
@pytest.mark.parametrize("make", [make_engine, make_package])
def test_the_hash_of_what_cannot_be_run_is_checked_all_the_same(
    dist: Path, found: Found, make: Callable[[Path], Path]
) -> None:
    artifact = make(dist)
    content = artifact if artifact.is_file() else artifact / "Manifest.json"
    content.write_bytes(b"another")
    verdict = verify([str(dist / "server-cpu.onnx"), str(artifact)])
    assert verdict.status is Status.FAIL
    assert found(verdict, artifact, Status.FAIL) == {"intact"}


def test_an_engine_that_is_still_to_be_built(dist: Path, found: Found, check_of: CheckOf) -> None:
    engine = dist / "jetson-orin.engine"
    verdict = verify([str(dist / "server-cpu.onnx"), str(engine)])
    assert open_questions(verdict).keys() == RUNNING | {"built"}
    assert "built on the device" in check_of(verdict, engine, "readable").why
    assert "jetson-orin" in (check_of(verdict, engine, "built").command or "")


def test_an_engine_to_be_built_of_a_damaged_file(dist: Path, found: Found) -> None:
    faults.truncate(dist / "jetson-orin.onnx")
    verdict = verify([str(dist / "server-cpu.onnx"), str(dist / "jetson-orin.engine")])
    assert found(verdict, dist / "jetson-orin.engine", Status.FAIL) == {"intact"}


def test_an_engine_to_be_built_of_which_only_the_recipe_tells(dist: Path, check_of: CheckOf) -> None:
    engine = dist / "jetson-orin.engine"
    sidecar_path(engine).unlink()
    verdict = verify([str(dist / "server-cpu.onnx"), str(engine)])
    assert open_questions(verdict).keys() == RUNNING | {"intact", "built", "space"}
    assert "jetson-orin" in (check_of(verdict, engine, "built").command or "")


@pytest.mark.usefixtures("nothing_runs_here")
def test_an_engine_built_by_hand(dist: Path, found: Found) -> None:
    engine = dist / "jetson-orin.engine"
    engine.write_bytes(b"an engine")
    verdict = verify([str(dist / "server-cpu.onnx"), str(engine)])
    assert {"intact", "built"} <= found(verdict, engine, Status.UNVERIFIED)


@pytest.mark.usefixtures("nothing_runs_here")
def test_an_engine_without_a_sidecar(dist: Path, found: Found) -> None:
    engine = dist / "jetson-orin.plan"
    engine.write_bytes(b"an engine")
    verdict = verify([str(dist / "server-cpu.onnx"), str(engine)])
    assert found(verdict, engine, Status.PASS) == set()
    open_questions(verdict)


def test_the_file_that_an_engine_is_to_be_built_from(dist: Path, check_of: CheckOf) -> None:
    """Its own numbers are checked, but they are not those of the engine."""
    typed = dist / "jetson-orin.onnx"
    verdict = verify([str(dist / "server-cpu.onnx"), str(typed)])
    assert open_questions(verdict).keys() == {"built"}
    assert "jetson-orin" in (check_of(verdict, typed, "built").command or "")


def test_an_artifact_without_a_sidecar(dist: Path, check_of: CheckOf) -> None:
    """What is embedded says what it is: it is measured, but not known to be unchanged."""
    artifact = dist / "android.onnx"
    sidecar_path(artifact).unlink()
    verdict = verify([str(artifact), str(dist / "server-cpu.onnx")])
    assert open_questions(verdict).keys() == {"intact", "built"}
    assert "android.onnx.json is missing" in check_of(verdict, artifact, "intact").why


def test_an_onnx_file_that_tells_nothing_of_itself(dist: Path, found: Found, check_of: CheckOf) -> None:
    artifact = faults.operate(dist / "android.onnx", lambda model: helper.set_model_props(model, {}))
    sidecar_path(artifact).unlink()
    verdict = verify([str(artifact), str(dist / "server-cpu.onnx")])
    assert open_questions(verdict)
    assert found(verdict, artifact, Status.PASS) == {"readable"}


def test_artifacts_without_any_probe(dist: Path, found: Found) -> None:
    (dist / "probe.safetensors").unlink()
    names = [str(dist / name) for name in ("server-cpu.onnx", "android.onnx")]
    questions = open_questions(verify(names))
    assert questions.keys() == NUMERIC | {"preprocessing"}
    assert questions["finite"].startswith(f"Its probe {dist / 'probe.safetensors'} is missing")


def test_artifacts_without_any_probe_on_other_images(dist: Path) -> None:
    (dist / "probe.safetensors").unlink()
    names = [str(dist / name) for name in ("server-cpu.onnx", "android.onnx")]
    data = DataSet("people", None, Split(), portraits(range(10), range(2)), portraits(range(10), range(2, 4)))
    assert open_questions(verify(names, data=data)).keys() == {"fidelity", "preprocessing", "top-k"}


def test_too_few_images_for_the_criterion(exported: Path) -> None:
    names = [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")]
    data = DataSet("few", None, Split(), portraits(range(7), range(4)), portraits(range(7), range(4, 6)))
    questions = open_questions(verify(names, data=data))
    assert questions.keys() == {"criterion"}
    assert "--data" in questions["criterion"]


def test_a_gallery_in_which_nobody_is_found(exported: Path) -> None:
    names = [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")]
    data = DataSet("strangers", None, Split(), portraits(range(10), range(2)), portraits(range(10, 20), range(2)))
    verdict = verify(names, data=data)
    assert open_questions(verdict).keys() == {"criterion"}
    assert verdict.matrix == ()


def test_batches_too_small_to_try_others(exported: Path, check_of: CheckOf) -> None:
    names = [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")]
    verdict = verify(names, max_batch=4)
    assert open_questions(verdict).keys() == {"batch-invariance"}
    assert "--max-batch" in (check_of(verdict, names[0], "batch-invariance").command or "")


def test_a_width_that_the_probe_has_no_reference_of(dist: Path, check_of: CheckOf) -> None:
    path = dist / "probe.safetensors"
    probe = Probe.load(path)
    replace(probe, reference={1.0: probe.reference[1.0]}).save(path)
    names = [str(faults.seal(dist / name)) for name in ("server-cpu.onnx", "android.onnx")]
    verdict = verify(names)
    assert open_questions(verdict).keys() == {"fidelity", "top-k"}
    assert check_of(verdict, names[0], "fidelity").status is Status.PASS


def test_a_probe_without_patterns(dist: Path) -> None:
    path = dist / "probe.safetensors"
    probe = Probe.load(path)
    identity = np.where(probe.is_pattern, JUNK, probe.identity)
    replace(probe, is_pattern=np.zeros_like(probe.is_pattern), identity=identity, raw=_encoded(probe)).save(path)
    names = [str(faults.seal(dist / name)) for name in ("server-cpu.onnx", "android.onnx")]
    questions = open_questions(verify(names))
    assert questions.keys() == {"fidelity"}
    assert "colours" in questions["fidelity"]


def test_recorded_embeddings_of_other_images(exported: Path, tmp_path: Path, found: Found, check_of: CheckOf) -> None:
    recorded = tmp_path / "phone.safetensors"
    with load(exported / "android.onnx") as embedder:
        record_probe(embedder, Probe.load(exported / "probe.safetensors"), recorded)
    data = DataSet("people", None, Split(), portraits(range(10), range(2)), portraits(range(10), range(2, 4)))
    data = replace(data, query=portraits(range(10), range(30, 32)))
    verdict = verify([str(exported / "server-cpu.onnx"), str(recorded)], data=data)
    questions = open_questions(verdict)
    assert questions.keys() == {"criterion"}
    assert "20 of 20 images were not recorded" in questions["criterion"]
    assert check_of(verdict, recorded, "fidelity").status is Status.PASS


def test_recorded_embeddings_of_an_engine_whose_hash_nobody_knows(dist: Path, tmp_path: Path, found: Found) -> None:
    """Built by hand: the sidecar beside it is that of what it was built from."""
    recorded = tmp_path / "jetson.safetensors"
    with load(dist / "jetson-orin.onnx") as embedder:
        embedder.name = str(dist / "jetson-orin.engine")
        record_probe(embedder, Probe.load(dist / "probe.safetensors"), recorded)
    verdict = verify([str(dist / "server-cpu.onnx"), str(recorded)])
    assert open_questions(verdict).keys() == {"intact", "built", "precision"}
    assert "fidelity" in found(verdict, recorded, Status.PASS)


def test_recorded_embeddings_without_the_devices_own_decoding(exported: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "phone.safetensors"
    with load(exported / "android.onnx") as embedder:
        record(embedder, Probe.load(exported / "probe.safetensors").images, recorded)
    verdict = verify([str(exported / "server-cpu.onnx"), str(recorded)])
    assert open_questions(verdict).keys() == {"preprocessing"}


def test_recorded_embeddings_of_a_file_that_was_changed(dist: Path, tmp_path: Path, found: Found) -> None:
    artifact = faults.operate(dist / "android.onnx", faults.scaled_layer(1.02), sealed=False)
    recorded = tmp_path / "phone.safetensors"
    with load(artifact) as embedder:
        record_probe(embedder, Probe.load(dist / "probe.safetensors"), recorded)
    verdict = verify([str(dist / "server-cpu.onnx"), str(recorded)])
    assert {"intact", "fidelity"} <= found(verdict, recorded, Status.FAIL)
    assert "precision" in found(verdict, recorded, Status.UNVERIFIED)


def test_recorded_embeddings_of_an_onnx_file_that_was_changed_before_its_engine_was_built(
    dist: Path, tmp_path: Path, check_of: CheckOf
) -> None:
    """That its sidecar says "to be built" doesn't excuse it: the file that ran is listed there, with its hash."""
    artifact = faults.operate(dist / "jetson-orin.onnx", faults.scaled_layer(1.01), sealed=False)
    recorded = tmp_path / "jetson.safetensors"
    with load(artifact) as embedder:
        record_probe(embedder, Probe.load(dist / "probe.safetensors"), recorded)
    check = check_of(verify([str(dist / "server-cpu.onnx"), str(recorded)]), recorded, "intact")
    assert (check.status, "jetson-orin.onnx differ" in check.why) == (Status.FAIL, True), check.why


def test_recorded_embeddings_that_are_truncated(exported: Path, tmp_path: Path, found: Found) -> None:
    recorded = tmp_path / "phone.safetensors"
    with load(exported / "android.onnx") as embedder:
        record_probe(embedder, Probe.load(exported / "probe.safetensors"), recorded)
    faults.truncate(recorded)
    verdict = verify([str(exported / "server-cpu.onnx"), str(recorded)])
    assert found(verdict, recorded, Status.FAIL) == {"readable"}


def test_a_missing_runtime_is_no_fault_of_the_artifact(
    exported: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, check_of: CheckOf
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "sfsc_deploy.runtime.onnx_backend", raising=False)
    verdict = verify([str(exported / "android.onnx"), str(trained)])
    assert open_questions(verdict).keys() >= RUNNING
    command = check_of(verdict, exported / "android.onnx", "readable").command
    assert command == 'pip install "sfsc-deploy[onnx]"'


def test_precision_is_not_read_without_onnx(exported: Path, monkeypatch: pytest.MonkeyPatch, check_of: CheckOf) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    names = [str(exported / name) for name in ("server-cpu.onnx", "android.onnx")]
    verdict = verify(names)
    assert open_questions(verdict).keys() == {"precision"}
    assert check_of(verdict, names[0], "precision").command == 'pip install "sfsc-deploy[onnx]"'


def test_what_is_not_reached_names_the_first_cause(dist: Path, check_of: CheckOf) -> None:
    artifact = faults.operate(dist / "android.onnx", faults.batch_fixed(1))
    verdict = verify([str(artifact), str(dist / "server-cpu.onnx")])
    for name in NUMERIC - {"criterion"}:
        check = check_of(verdict, artifact, name)
        assert check.status is Status.UNVERIFIED
        assert check.why.startswith("Not reached, because input-contract failed: ")
    criterion = [check for check in verdict.checks if check.name == "criterion"]
    assert len(criterion) == 2
    assert all(str(artifact) in check.why for check in criterion)


@pytest.mark.parametrize(
    ("fault", "cause"), [(faults.embedding_halved, "norm"), (faults.constant_embedding, "collapse")]
)
def test_the_criterion_is_not_judged_on_embeddings_that_no_gallery_could_hold(
    dist: Path, check_of: CheckOf, fault: faults.Fault, cause: str
) -> None:
    """A constant would meet it: where the weaker self-test is nothing, nothing is demanded."""
    artifact = faults.operate(dist / "android.onnx", fault)
    check = check_of(verify([str(artifact), str(dist / "server-cpu.onnx")]), artifact, "criterion")
    assert check.status is Status.UNVERIFIED
    assert f"Not reached, because {cause} failed: " in check.why


def test_nothing_is_left_out_for_an_artifact_that_cannot_be_read(dist: Path) -> None:
    artifact = faults.truncate(dist / "android.onnx")
    verdict = verify([str(artifact), str(dist / "server-cpu.onnx")])
    assert {check.name for check in verdict.checks if check.subject == str(artifact)} == set(CHECKS) - ON_REQUEST


def _encoded(probe: Probe) -> tuple[bytes, ...]:
    return tuple(raw or encoded(image) for raw, image in zip(probe.raw, probe.images, strict=True))
