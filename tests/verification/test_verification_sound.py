"""What is right passes: every width pair, both precisions, run folders, recorded embeddings, other images."""

import json
import os
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from fleet import IDENTITIES, WIDTHS, portraits
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.probe import Probe
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.recorded import record_probe
from sfsc_deploy.verification import CHECKS, Check, Status, Verdict
from sfsc_deploy.verification.verdict import ON_REQUEST
from sfsc_deploy.verification.verify import verify

ARTIFACTS = ("server-cpu.onnx", "android.onnx", "raspberry-pi.onnx")


def assert_passes(verdict: Verdict) -> None:
    assert [(check.name, check.subject, check.why) for check in verdict.checks if check.status is not Status.PASS] == []
    assert verdict.status is Status.PASS
    assert verdict.exit_status == 0


def more_portraits() -> DataSet:
    """Images of the same people that neither training nor the probe has seen."""
    query, gallery = portraits(range(IDENTITIES), range(20, 22)), portraits(range(IDENTITIES), range(22, 25))
    return DataSet("more portraits", None, Split(), query, gallery)


@pytest.mark.parametrize("pair", list(combinations(ARTIFACTS, 2)), ids=" and ".join)
def test_every_pair_of_artifacts(exported: Path, pair: tuple[str, str]) -> None:
    """Widths 1 and 0.25 in float32, 0.5 in float16."""
    assert_passes(verify([str(exported / name) for name in pair]))


@pytest.mark.parametrize("pair", list(combinations(WIDTHS, 2)), ids=str)
def test_every_pair_of_widths_of_a_run(trained: Path, pair: tuple[float, float]) -> None:
    assert_passes(verify([f"{trained}@{width}" for width in pair]))


def test_artifacts_beside_the_run_they_came_from(exported: Path, trained: Path) -> None:
    assert_passes(verify([str(exported / "android.onnx"), str(trained)]))


def test_a_whole_fleet(exported: Path, trained: Path) -> None:
    names = [*(str(exported / name) for name in ARTIFACTS), f"{trained}@0.5"]
    verdict = verify(names)
    assert_passes(verdict)
    assert [artifact.name for artifact in verdict.artifacts] == names
    assert [(cell.query, cell.gallery) for cell in verdict.matrix] == [(a, b) for a in names for b in names]
    assert all(cell.queries == 20 and cell.map_ci95 is not None for cell in verdict.matrix)


def test_every_check_of_every_artifact_is_told_in_order(exported: Path) -> None:
    names = [str(exported / name) for name in ARTIFACTS]
    verdict = verify(names)
    once = [name for name in CHECKS if name not in ON_REQUEST | {"criterion"}]
    for name in names:
        told = [check.name for check in verdict.checks if check.subject == name]
        assert [check for check in told if check != "criterion"] == once
        assert told.count("criterion") == len(names) - 1
        assert told == sorted(told, key=CHECKS.index)


@pytest.mark.parametrize("name", ["android.onnx", "raspberry-pi.onnx"])
def test_embeddings_recorded_on_another_machine(exported: Path, tmp_path: Path, name: str) -> None:
    recorded = record(exported / name, tmp_path / "recorded.safetensors")
    assert_passes(verify([str(exported / "server-cpu.onnx"), str(recorded)]))


def test_embeddings_recorded_of_a_run(trained: Path, tmp_path: Path) -> None:
    probe = Probe.load(trained / "probe.safetensors")
    with load(f"{trained}@0.5") as embedder:
        record_probe(embedder, probe, tmp_path / "recorded.safetensors")
    assert_passes(verify([str(tmp_path / "recorded.safetensors"), str(trained)]))


def test_two_recordings_beside_their_probe(exported: Path, tmp_path: Path) -> None:
    shutil.copy(exported / "probe.safetensors", tmp_path)
    recordings = [record(exported / name, tmp_path / f"{name}.safetensors") for name in ARTIFACTS]
    assert_passes(verify([str(path) for path in recordings]))


def test_other_images_for_the_cross_tests(exported: Path, check_of: Callable[..., Check]) -> None:
    names = [str(exported / name) for name in ARTIFACTS]
    verdict = verify(names, data=more_portraits())
    assert_passes(verdict)
    assert verdict.images == "more portraits"
    assert check_of(verdict, names[0], "finite").why.startswith("0 of 98 rows")
    assert check_of(verdict, names[0], "fidelity").details["images"] == 48


def test_a_probe_that_the_user_names(exported: Path, tmp_path: Path, trained: Path) -> None:
    """Artifacts and sidecars were copied without their probe."""
    for name in ("android.onnx", "raspberry-pi.onnx"):
        shutil.copy(exported / name, tmp_path)
        shutil.copy(exported / f"{name}.json", tmp_path)
    subjects = [str(tmp_path / "android.onnx"), str(tmp_path / "raspberry-pi.onnx")]
    probe = trained / "probe.safetensors"
    verdict = verify(subjects, probe=probe)
    assert_passes(verdict)
    assert {artifact.probe for artifact in verdict.artifacts} == {str(probe)}


def test_the_probe_of_a_run_serves_artifacts_that_came_without_one(
    exported: Path, tmp_path: Path, trained: Path
) -> None:
    shutil.copy(exported / "android.onnx", tmp_path)
    shutil.copy(exported / "android.onnx.json", tmp_path)
    assert_passes(verify([str(tmp_path / "android.onnx"), str(trained)]))


def test_small_batches(exported: Path) -> None:
    assert_passes(verify([str(exported / name) for name in ARTIFACTS[:2]], max_batch=9))


def test_paths_that_are_relative(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported)
    assert_passes(verify(["android.onnx", os.path.join(".", "raspberry-pi.onnx")]))  # noqa: PTH118 (as one types it)


def test_the_verdict_as_json(exported: Path) -> None:
    names = [str(exported / name) for name in ARTIFACTS[:2]]
    document = json.loads(json.dumps(verify(names).to_json(), allow_nan=False))
    assert document["verdict"] == "PASS"
    assert [artifact["name"] for artifact in document["artifacts"]] == names
    assert {"name", "subject", "status", "value", "threshold", "why"} <= document["checks"][0].keys()
    assert {"query", "gallery", "map", "rank1", "map_ci95"} <= document["matrix"][0].keys()


def test_progress_is_told_before_each_check(exported: Path) -> None:
    heard: list[tuple[str, str]] = []
    names = [str(exported / name) for name in ARTIFACTS[:2]]
    verify(names, on_progress=lambda subject, check: heard.append((subject, check)))
    expected = [name for name in CHECKS if name not in ON_REQUEST | {"space", "criterion"}]
    assert heard[: len(expected)] == [(names[0], name) for name in expected]
    assert (names[1], "criterion") in heard


def record(artifact: Path, target: Path) -> Path:
    probe = Probe.load(artifact.with_name("probe.safetensors"))
    with load(artifact) as embedder:
        record_probe(embedder, probe, target, device="a phone")
    return target
