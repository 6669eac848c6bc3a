"""CoreML packages among the artifacts: what is right passes, marked as the reference executor's; faults are caught."""

import itertools
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="it writes and reads the packages, and has no wheel for this machine")

from exporters.coreml_package import MODEL
from exporters.quiet_coreml import load_coremltools
from faults import seal
from fleet import export_all
from profiles import load as load_profile
from sfsc_deploy.artifact import read_sidecar, write_sidecar
from sfsc_deploy.exporting.request import ExportTask
from sfsc_deploy.exporting.run import export
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.mil_executor.predictor import ReferenceExecutor
from sfsc_deploy.verification import Status, Verdict
from sfsc_deploy.verification.batch_invariance import batch_invariance
from sfsc_deploy.verification.thresholds import FLOAT16
from sfsc_deploy.verification.verify import verify

Found = Callable[[Verdict, Path | str, Status], set[str]]
WEIGHTS = Path("Data", "com.apple.CoreML", "weights", "weight.bin")


@pytest.fixture(scope="module")
def phones(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """iphone.mlpackage in float16, and raspberry-pi.onnx to compare it with. Not to be changed."""
    return export_all(trained, tmp_path_factory.mktemp("phones") / "dist", ("iphone", "raspberry-pi"))


@pytest.fixture
def dist(phones: Path, tmp_path: Path) -> Path:
    """A copy of `phones`, to be changed at will."""
    return Path(shutil.copytree(phones, tmp_path / "dist"))


def verified(dist: Path) -> Verdict:
    return verify([str(dist / "iphone.mlpackage"), str(dist / "raspberry-pi.onnx")])


def respecified(package: Path, change: Callable[[Any], None]) -> Path:
    spec = load_coremltools().utils.load_spec(str(package))
    change(spec)
    (package / MODEL).write_bytes(spec.SerializeToString())
    return seal(package)


def test_a_package_passes_beside_an_onnx_file(phones: Path) -> None:
    verdict = verified(phones)
    assert [(check.name, check.why) for check in verdict.checks if check.status is not Status.PASS] == []
    package = next(iter(verdict.to_json()["artifacts"]))
    assert package["kind"] == "package"
    assert package["precision"] == "float16"
    assert "reference executor" in package["backend"]
    assert len(verdict.matrix) == 4


def test_every_text_says_what_ran_it(phones: Path) -> None:
    verdict = verified(phones)
    (readable,) = [check for check in verdict.checks if check.name == "readable" and "iphone" in check.subject]
    assert "reference executor (checks the conversion, not Apple's kernels)" in readable.why
    assert [each["stand_in"] for each in verdict.to_json()["artifacts"]] == ["reference executor", None]


def test_that_there_are_no_batches_is_said(phones: Path) -> None:
    (check,) = [
        check for check in verified(phones).checks if check.name == "batch-invariance" and "iphone" in check.subject
    ]
    assert check.status is Status.PASS
    assert "one image at a time" in check.why
    assert "reverse order" in check.why


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_other_precisions_pass_as_well(trained: Path, tmp_path: Path, precision: str) -> None:
    profile = load_profile("iphone").with_precision(precision)
    (exported,) = export(ExportTask(trained, (profile,), tmp_path))
    assert exported.sidecar.precision == precision
    assert exported.sidecar.size_bytes == sum(
        file.stat().st_size for file in exported.file.rglob("*") if file.is_file()
    )
    verdict = verify([str(exported.file), f"{trained}@1.0"])
    assert [(check.name, check.why) for check in verdict.checks if check.status is not Status.PASS] == []


def test_a_package_is_exported_over_an_older_one(phones: Path, trained: Path, dist: Path) -> None:
    (dist / "iphone.mlpackage" / "left over").touch()
    export(ExportTask(trained, (load_profile("iphone"),), dist, overwrite=True))
    assert not (dist / "iphone.mlpackage" / "left over").exists()
    assert verified(dist).status is Status.PASS


def test_a_weight_file_cut_short_fails(dist: Path, found: Found) -> None:
    weights = dist / "iphone.mlpackage" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1000])
    verdict = verified(dist)
    assert found(verdict, dist / "iphone.mlpackage", Status.FAIL) == {"readable", "intact"}
    assert verdict.exit_status == 1


def test_float32_where_float16_is_claimed_fails(trained: Path, dist: Path, found: Found) -> None:
    (exported,) = export(ExportTask(trained, (load_profile("iphone").with_precision("float32"),), dist / "other"))
    shutil.rmtree(dist / "iphone.mlpackage")
    exported.file.rename(dist / "iphone.mlpackage")
    seal(dist / "iphone.mlpackage")
    verdict = verified(dist)
    failures = found(verdict, dist / "iphone.mlpackage", Status.FAIL)
    assert failures == {"intact", "precision"}  # and what is embedded in it says so as well


def test_another_order_of_colours_fails(dist: Path, found: Found) -> None:
    def turn(spec: Any) -> None:
        colours = spec.description.input[0].type.imageType
        colours.colorSpace = colours.ColorSpace.Value("BGR")

    respecified(dist / "iphone.mlpackage", turn)
    verdict = verified(dist)
    assert "input-contract" in found(verdict, dist / "iphone.mlpackage", Status.FAIL)


def test_weights_of_the_wrong_sign_fail(dist: Path, found: Found) -> None:
    package = dist / "iphone.mlpackage"
    content = bytearray((package / WEIGHTS).read_bytes())
    middle = slice(len(content) // 4 * 2, len(content) // 4 * 2 + 4000)
    content[middle] = (-np.frombuffer(bytes(content[middle]), np.float16)).tobytes()
    (package / WEIGHTS).write_bytes(content)
    assert "fidelity" in found(verified(seal(package).parent), package, Status.FAIL)


def test_a_sidecar_that_contradicts_the_package_fails(dist: Path, found: Found) -> None:
    package = dist / "iphone.mlpackage"
    write_sidecar(package, read_sidecar(package).model_copy(update={"run": "another"}))
    verdict = verified(dist)
    assert found(verdict, package, Status.FAIL) == {"intact"}


def test_an_operation_that_is_not_known_is_left_to_a_mac(dist: Path, found: Found) -> None:
    def turn(spec: Any) -> None:
        (function,) = spec.mlProgram.functions.values()
        (block,) = function.block_specializations.values()
        next(op for op in block.operations if op.type == "relu").type = "sinh"

    respecified(dist / "iphone.mlpackage", turn)
    verdict = verified(dist)
    assert found(verdict, dist / "iphone.mlpackage", Status.FAIL) == set()
    readable = next(check for check in verdict.checks if check.status is Status.UNVERIFIED)
    assert "sinh" in readable.why
    assert "sfsc-deploy embed" in (readable.command or "")


def test_a_result_that_depends_on_the_order_fails(phones: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, drift = ReferenceExecutor.predict, itertools.count()
    monkeypatch.setattr(ReferenceExecutor, "predict", lambda self, image: genuine(self, image) + 0.01 * next(drift))
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 24, 3), dtype=np.uint8)
    with load(phones / "iphone.mlpackage") as embedder:
        assert batch_invariance(embedder, images, FLOAT16).status is Status.FAIL


def test_without_coremltools_nothing_is_claimed(phones: Path, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    verdict = verified(phones)
    (readable,) = [check for check in verdict.checks if check.name == "readable" and "iphone" in check.subject]
    assert readable.status is Status.UNVERIFIED
    assert "sfsc-deploy[coreml]" in readable.why
    assert "sfsc-deploy embed" in (readable.command or "")
    assert found(verdict, phones / "iphone.mlpackage", Status.FAIL) == set()
    assert verdict.exit_status == 3
