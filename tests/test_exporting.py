"""What an export leaves beside its artifacts, and what it refuses to describe."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the reference of a probe is computed with it")
pytest.importorskip("onnxruntime", reason="runs what was exported")

from exporters.request import ExportResult
from samples import sample_probe, sample_sidecar
from sfsc_deploy.artifact import ProbeFile, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.exporting import ExportTask
from sfsc_deploy.exporting.description import describe
from sfsc_deploy.exporting.probe_file import write_probe
from sfsc_deploy.run_folder import PROBE
from tiny_onnx import tiny_weights, write_tiny_onnx


def task(out: Path, *, overwrite: bool = False) -> ExportTask:
    return ExportTask(run=None, profiles=(), out=out, overwrite=overwrite)


def test_the_same_probe_serves_a_second_export(tmp_path: Path) -> None:
    for _ in range(2):
        write_probe(sample_probe(), task(tmp_path / "dist"))
    assert [file.name for file in (tmp_path / "dist").iterdir()] == [PROBE]


@pytest.mark.parametrize("changed", [{"origin": "other images"}, {"space": "6" * 64}])
def test_another_probe_replaces_one_only_when_asked(tmp_path: Path, changed: dict[str, str]) -> None:
    write_probe(sample_probe(), task(tmp_path))
    before = (tmp_path / PROBE).read_bytes()
    with pytest.raises(SfscError, match=r"belongs to other artifacts.*--overwrite"):
        write_probe(sample_probe(**changed), task(tmp_path))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {PROBE: before}
    write_probe(sample_probe(**changed), task(tmp_path, overwrite=True))
    assert (tmp_path / PROBE).read_bytes() != before


def test_a_probe_that_other_artifacts_need_is_never_replaced(tmp_path: Path) -> None:
    write_probe(sample_probe(), task(tmp_path))
    (tmp_path / "iphone.mlpackage.json").touch()
    with pytest.raises(SfscError, match=r"other artifacts \(iphone\)"):
        write_probe(sample_probe(origin="other images"), task(tmp_path, overwrite=True))


def test_artifacts_with_another_probe_do_not_need_this_one(tmp_path: Path) -> None:
    model = write_tiny_onnx(tmp_path / "tiny.onnx", tiny_weights())
    write_sidecar(model, sample_sidecar(model, probe=ProbeFile(file="probe@0.6.safetensors", sha256="6" * 64)))
    (tmp_path / "tiny.build.json").touch()
    write_probe(sample_probe(), task(tmp_path))
    write_probe(sample_probe(origin="other images"), task(tmp_path, overwrite=True))
    write_probe(sample_probe(), task(tmp_path), "probe@0.6.safetensors")
    with pytest.raises(SfscError, match=r"other artifacts \(tiny\)"):
        write_probe(sample_probe(origin="other images"), task(tmp_path, overwrite=True), "probe@0.6.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_an_artifact_without_usable_numbers_is_refused(tmp_path: Path, value: float) -> None:
    model = write_tiny_onnx(tmp_path / "tiny.onnx", np.full_like(tiny_weights(), value))
    sidecar = sample_sidecar(model)
    result = ExportResult((model,), "onnx", "float32", parameters=1, multiply_adds=1, tools={})
    with pytest.raises(SfscError, match=r"tiny\.onnx gives NaN, infinity or nothing but zeros for 5 of 5 images"):
        describe(sidecar.description(), result, None, sidecar.probe, sample_probe())
