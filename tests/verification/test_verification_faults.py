"""Faulty artifacts, made from sound ones: each must be caught, by the check that names its fault."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

import faults
from exporters import ExportRequest, export
from sfsc_deploy.artifact import EMBEDDED_KEY, Calibration, read_sidecar, sidecar_path, write_sidecar
from sfsc_deploy.probe import Probe
from sfsc_deploy.run_folder import RunFolder
from sfsc_deploy.runtime import load
from sfsc_deploy.slicing import slice_submodel
from sfsc_deploy.verification import Check, Status, Verdict
from sfsc_deploy.verification.verify import verify
from trainer.norms import EmbeddingNorm, SwitchableNorm

Found = Callable[[Verdict, Path | str, Status], set[str]]
Failures = Callable[[Path], set[str]]
PARTNER = "server-cpu.onnx"
PRECISIONS = pytest.mark.parametrize("name", ["raspberry-pi.onnx", "android.onnx"], ids=["float32", "float16"])


def verdict_on(artifact: Path) -> Verdict:
    return verify([str(artifact), str(artifact.with_name(PARTNER))])


@pytest.fixture
def failures(found: Found) -> Failures:
    """Checks that fail on an artifact beside a sound one, on which alone nothing fails."""

    def failing(artifact: Path) -> set[str]:
        verdict = verdict_on(artifact)
        assert verdict.status is Status.FAIL
        assert verdict.exit_status == 1
        assert found(verdict, artifact.with_name(PARTNER), Status.FAIL) <= {"criterion"}
        return found(verdict, artifact, Status.FAIL)

    return failing


CONSEQUENCES = {"collapse", "fidelity", "top-k", "criterion"}
"""What may fail, too, once the numbers are wrong."""


@PRECISIONS
@pytest.mark.parametrize(
    ("fault", "named"),
    [
        pytest.param(faults.scaled_layer(1.02), {"fidelity"}, id="one layer's weights scaled by 1.02"),
        pytest.param(faults.normalised_twice, {"fidelity"}, id="pixels normalised twice"),
        pytest.param(faults.not_normalised_before, {"fidelity"}, id="pixels not normalised"),
        pytest.param(faults.blue_for_red, {"fidelity"}, id="BGR for RGB"),
        pytest.param(faults.upside_down, {"fidelity"}, id="images upside down"),
        pytest.param(faults.embedding_not_normalised, {"norm", "fidelity"}, id="embedding not normalised"),
        pytest.param(faults.embedding_halved, {"norm", "fidelity"}, id="embedding of norm 0.5"),
        pytest.param(faults.constant_embedding, {"collapse", "fidelity"}, id="constant embedding"),
        pytest.param(faults.not_a_number, {"finite"}, id="NaN"),
        pytest.param(faults.batch_fixed(1), {"input-contract"}, id="batch dimension fixed to 1"),
        pytest.param(faults.batch_fixed(4), {"input-contract"}, id="batch dimension fixed to 4"),
        pytest.param(faults.batch_fixed_inside(1), {"finite"}, id="batch fixed inside of the graph"),
        pytest.param(faults.mean_of_the_batch, {"batch-invariance"}, id="rows that depend on their batch"),
    ],
)
def test_a_fault_is_caught_by_the_check_that_names_it(
    dist: Path, failures: Failures, name: str, fault: faults.Fault, named: set[str]
) -> None:
    artifact = faults.operate(dist / name, fault)
    assert named <= failures(artifact) <= named | CONSEQUENCES


def test_one_layers_weights_scaled_by_1_002(dist: Path, failures: Failures) -> None:
    artifact = faults.operate(dist / "raspberry-pi.onnx", faults.scaled_layer(1.002))
    assert failures(artifact) == {"fidelity"}


def test_bgr_for_rgb_on_grey_images(dist: Path, check_of: Callable[..., Check]) -> None:
    """Only the patterns of the probe have colours."""
    _make_probe_grey(dist)
    artifact = faults.operate(dist / "raspberry-pi.onnx", faults.blue_for_red)
    faults.seal(dist / PARTNER)
    verdict = verdict_on(artifact)
    assert check_of(verdict, dist / PARTNER, "fidelity").status is Status.PASS
    check = check_of(verdict, artifact, "fidelity")
    assert check.status is Status.FAIL
    assert "a pattern" in check.why


@PRECISIONS
def test_a_truncated_file(dist: Path, failures: Failures, name: str) -> None:
    assert failures(faults.truncate(dist / name)) == {"readable", "intact"}


def test_a_truncated_file_whose_hash_was_adapted(dist: Path, failures: Failures) -> None:
    artifact = faults.seal(faults.truncate(dist / "raspberry-pi.onnx"))
    assert failures(artifact) == {"readable"}


def test_an_empty_file(dist: Path, failures: Failures) -> None:
    artifact = dist / "raspberry-pi.onnx"
    artifact.write_bytes(b"")
    assert failures(artifact) == {"readable", "intact"}


def test_a_sidecar_whose_hash_does_not_fit(dist: Path, failures: Failures) -> None:
    artifact = dist / "raspberry-pi.onnx"
    sidecar = read_sidecar(artifact)
    write_sidecar(artifact, sidecar.model_copy(update={"files": {artifact.name: "0" * 64}}))
    assert failures(artifact) == {"intact"}


def test_weights_changed_after_export(dist: Path, failures: Failures) -> None:
    artifact = faults.operate(dist / "raspberry-pi.onnx", faults.scaled_layer(1.02), sealed=False)
    assert {"intact", "fidelity"} <= failures(artifact)


def test_weights_of_another_supernet_under_a_copied_sidecar(
    dist: Path, exported_hastily: Path, failures: Failures
) -> None:
    artifact = Path(shutil.copy(exported_hastily / "raspberry-pi.onnx", dist))
    assert {"intact", "fidelity"} <= failures(artifact)


def test_weights_of_another_supernet_with_its_hash_put_into_the_sidecar(
    dist: Path, exported_hastily: Path, failures: Failures, check_of: Callable[..., Check]
) -> None:
    artifact = faults.seal(Path(shutil.copy(exported_hastily / "raspberry-pi.onnx", dist)))
    assert {"intact", "fidelity"} <= failures(artifact)
    assert "Inside it says space" in check_of(verdict_on(artifact), artifact, "intact").why


@PRECISIONS
def test_weights_of_another_supernet_with_hash_and_description_adapted(
    dist: Path, exported_hastily: Path, failures: Failures, name: str
) -> None:
    artifact = Path(shutil.copy(exported_hastily / name, dist))
    faults.operate(artifact, _describe_as_its_sidecar(artifact))
    caught = failures(artifact)
    assert "fidelity" in caught
    assert "intact" not in caught


def test_an_artifact_of_another_supernet(dist: Path, exported_hastily: Path, check_of: Callable[..., Check]) -> None:
    ours, theirs = dist / "raspberry-pi.onnx", exported_hastily / "raspberry-pi.onnx"
    verdict = verify([str(ours), str(dist / PARTNER), str(theirs)])
    assert verdict.status is Status.FAIL
    assert check_of(verdict, ours, "space").status is Status.PASS
    assert check_of(verdict, theirs, "space").status is Status.FAIL
    assert check_of(verdict, theirs, "fidelity").status is Status.PASS
    assert not [cell for cell in verdict.matrix if (cell.query == str(theirs)) != (cell.gallery == str(theirs))]


def test_the_sub_model_of_another_width_under_a_copied_sidecar(
    dist: Path, exported: Path, failures: Failures, check_of: Callable[..., Check]
) -> None:
    artifact = dist / "raspberry-pi.onnx"
    shutil.copy(exported / "jetson-orin.onnx", artifact)
    faults.operate(artifact, _describe_as_its_sidecar(artifact))
    assert {"fidelity", "precision"} <= failures(artifact)
    write_sidecar(artifact, read_sidecar(artifact).model_copy(update={"precision": "float16"}))
    assert "sub-model of width 0.5" in check_of(verdict_on(artifact), artifact, "fidelity").why


@PRECISIONS
@pytest.mark.parametrize("layers", [SwitchableNorm, EmbeddingNorm])
def test_a_sub_model_with_another_widths_batch_norm(
    trained: Path, dist: Path, failures: Failures, name: str, layers: type[SwitchableNorm | EmbeddingNorm]
) -> None:
    _export_with_norms_of_the_widest(trained, dist / name, layers)
    assert failures(dist / name) - CONSEQUENCES == set()
    assert "fidelity" in failures(dist / name)


def test_widths_that_are_not_compatible(exported_hastily: Path, found: Found) -> None:
    names = [str(exported_hastily / name) for name in ("raspberry-pi.onnx", "android.onnx")]
    verdict = verify(names)
    assert verdict.status is Status.FAIL
    assert found(verdict, names[0], Status.FAIL) == {"criterion"}


def test_reference_rows_of_the_probe_tampered_with(dist: Path, found: Found) -> None:
    probe = Probe.load(dist / "probe.safetensors")
    reference = {width: rows[::-1].copy() for width, rows in probe.reference.items()}
    replace(probe, reference=reference).save(dist / "probe.safetensors")
    verdict = verdict_on(dist / "raspberry-pi.onnx")
    assert found(verdict, dist / "raspberry-pi.onnx", Status.FAIL) == {"intact"}
    assert "fidelity" in found(verdict, dist / "raspberry-pi.onnx", Status.UNVERIFIED)


def test_a_truncated_probe(dist: Path, failures: Failures, found: Found) -> None:
    faults.truncate(dist / "probe.safetensors")
    verdict = verdict_on(dist / "raspberry-pi.onnx")
    assert found(verdict, dist / "raspberry-pi.onnx", Status.FAIL) == {"intact"}


def test_a_probe_of_another_space_with_its_hash_put_into_the_sidecar(
    dist: Path, exported_hastily: Path, found: Found
) -> None:
    shutil.copy(exported_hastily / "probe.safetensors", dist)
    artifact = faults.seal(dist / "raspberry-pi.onnx")
    assert "intact" in found(verdict_on(artifact), artifact, Status.FAIL)


def test_raw_images_that_were_resized_otherwise(dist: Path, check_of: Callable[..., Check]) -> None:
    path = dist / "probe.safetensors"
    probe = Probe.load(path)
    replace(probe, raw=probe.raw[1:2] * sum(~probe.is_pattern) + probe.raw[sum(~probe.is_pattern) :]).save(path)
    artifact = faults.seal(dist / "raspberry-pi.onnx")
    faults.seal(dist / PARTNER)
    check = check_of(verdict_on(artifact), artifact, "preprocessing")
    assert check.status is Status.FAIL


@pytest.mark.parametrize(
    "changed",
    [
        {"precision": "float16"},
        {"precision": "int8", "calibration": Calibration(sha256="0" * 64, images=1, origin="nothing")},
    ],
    ids=["float16", "int8"],
)
def test_another_precision_than_the_sidecar_tells(dist: Path, failures: Failures, changed: dict[str, Any]) -> None:
    artifact = dist / "raspberry-pi.onnx"
    write_sidecar(artifact, read_sidecar(artifact).model_copy(update=changed))
    faults.operate(artifact, _describe_as_its_sidecar(artifact))
    assert failures(artifact) == {"precision"}


def test_a_sidecar_that_tells_another_width(dist: Path, failures: Failures) -> None:
    artifact = dist / "raspberry-pi.onnx"
    write_sidecar(artifact, read_sidecar(artifact).model_copy(update={"width": 0.5}))
    assert {"intact", "fidelity"} <= failures(artifact)


def test_a_sidecar_that_is_no_json(dist: Path, failures: Failures) -> None:
    artifact = dist / "raspberry-pi.onnx"
    sidecar_path(artifact).write_text("{", encoding="utf-8")
    assert "intact" in failures(artifact)


def test_a_sidecar_of_another_format(dist: Path, failures: Failures) -> None:
    artifact = dist / "raspberry-pi.onnx"
    write_sidecar(artifact, read_sidecar(artifact).model_copy(update={"format": "coreml"}))
    assert failures(artifact) == {"intact"}


def test_an_artifact_without_a_description_inside(dist: Path, failures: Failures) -> None:
    artifact = faults.operate(dist / "raspberry-pi.onnx", lambda model: helper.set_model_props(model, {}))
    assert failures(artifact) == {"intact"}


def test_other_names_of_input_and_output(dist: Path, failures: Failures) -> None:
    def renamed(model: onnx.ModelProto) -> None:
        model.graph.node[0].input[0] = "input.1"
        model.graph.input[0].name = "input.1"

    assert failures(faults.operate(dist / "raspberry-pi.onnx", renamed)) == {"input-contract"}


def test_weights_of_a_run_changed_afterwards(trained: Path, tmp_path: Path, found: Found) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    content = bytearray((run / "supernet.safetensors").read_bytes())
    content[-5] ^= 1
    (run / "supernet.safetensors").write_bytes(content)
    verdict = verify([f"{run}@0.25", f"{trained}@0.5"])
    assert found(verdict, f"{run}@0.25", Status.FAIL) == {"readable"}
    assert verdict.status is Status.FAIL


def _describe_as_its_sidecar(artifact: Path) -> faults.Fault:
    description = read_sidecar(artifact).description().model_dump_json()
    return lambda model: helper.set_model_props(model, {EMBEDDED_KEY: description})


def _make_probe_grey(dist: Path) -> None:
    """Photographs without colours, and the references that the sound artifacts give for them."""
    path = dist / "probe.safetensors"
    probe = Probe.load(path)
    images = probe.images.copy()
    photographs = ~probe.is_pattern
    images[photographs] = images[photographs].mean(axis=-1, keepdims=True).astype(np.uint8)
    artifact_of = {0.25: "raspberry-pi.onnx", 0.5: "android.onnx", 1.0: PARTNER}
    references = {}
    for width, name in artifact_of.items():
        with load(dist / name) as embedder:
            references[width] = embedder.embed(images)
    replace(probe, images=images, reference=references).save(path)


def _export_with_norms_of_the_widest(run: Path, artifact: Path, layers: type[SwitchableNorm | EmbeddingNorm]) -> None:
    """Export anew, with the leading part of the widest model's batch norms; sidecar and description are adapted."""
    supernet, sidecar = RunFolder.open(run).networks(), read_sidecar(artifact)
    for layer in supernet.modules():
        if isinstance(layer, layers):
            own, widest = layer.norms[layer.widths.index(sidecar.width)], layer.norms[-1].state_dict()
            with torch.no_grad():
                for name, value in own.state_dict().items():
                    value.copy_(widest[name][: len(value)] if value.ndim else value)
    preprocessing = sidecar.input.preprocessing
    request = ExportRequest(
        height=preprocessing.height,
        width=preprocessing.width,
        mean=preprocessing.mean,
        std=preprocessing.std,
        dim=sidecar.dim,
        precision=sidecar.precision,
        metadata={EMBEDDED_KEY: sidecar.description().model_dump_json()},
    )
    artifact.unlink()
    export("onnx", slice_submodel(supernet, sidecar.width), request, artifact.with_suffix(""))
    faults.seal(artifact)
