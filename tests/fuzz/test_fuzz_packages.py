"""CoreML packages from strangers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="it is what packages are made from, and runs them")
pytest.importorskip("coremltools", reason="it writes and reads the packages, and has no wheel for this machine")

import numpy as np  # noqa: E402
from coremltools.proto import Model_pb2  # noqa: E402

from exporters import CoremlTarget, ExportRequest, coreml_precision, export  # noqa: E402
from exporters.coreml_package import MANIFEST, MODEL  # noqa: E402
from exporters.quiet_coreml import load_coremltools, quiet_conversion  # noqa: E402
from hostile import in_a_child, mutants, refused  # noqa: E402
from sfsc_deploy.errors import SfscError  # noqa: E402
from sfsc_deploy.runtime import load  # noqa: E402
from sfsc_deploy.runtime.onnx_claims import LARGEST  # noqa: E402

WEIGHTS = Path("Data", "com.apple.CoreML", "weights", "weight.bin")
IMAGES = np.zeros((1, 6, 5, 3), np.uint8)
NUMBERS = 4 * LARGEST  # 1 GiB as float32
_ASKED = 7  # for numbers, before the package claims more


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of one convolution and one product. Not to be changed."""
    layers = (torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 4))
    request = ExportRequest(6, 5, (0.5,) * 3, (0.5,) * 3, 4, batch=(1, 1, 1), coreml=CoremlTarget("iOS16"))
    folder = tmp_path_factory.mktemp("coreml")
    return export("coreml", torch.nn.Sequential(*layers), request, folder / "a").files[0]


@pytest.fixture
def package(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "artifacts" / exported.name))


@pytest.mark.parametrize("part", [MANIFEST, MODEL, WEIGHTS])
def test_damaged_parts_are_read_or_refused(package: Path, part: Path) -> None:
    for content in mutants((package / part).read_bytes(), 60):
        (package / part).write_bytes(content)
        refused(lambda: load(package).embed(IMAGES))
        refused(lambda: coreml_precision.read_precision(package))


def by_a_link(package: Path) -> None:
    (package / WEIGHTS).rename(package.parent.with_name("outside.bin"))
    (package / WEIGHTS).symlink_to(package.parent.with_name("outside.bin"))


def by_a_linked_folder(package: Path) -> None:
    (package / "Data").rename(package.parent.with_name("outside"))
    (package / "Data").symlink_to(package.parent.with_name("outside"))


def by_the_manifest(package: Path) -> None:
    shutil.copytree(package / "Data", package.parent.with_name("Data"))
    content = json.loads((package / MANIFEST).read_text(encoding="utf-8"))
    for item in content["itemInfoEntries"].values():
        item["path"] = f"../../../Data/{item['path']}"
    (package / MANIFEST).write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("lead_out", [by_a_link, by_a_linked_folder, by_the_manifest])
def test_no_part_lies_outside_of_the_package(package: Path, lead_out: Callable[[Path], None]) -> None:
    lead_out(package)
    with pytest.raises(SfscError, match="leads out of its own folder"):
        load(package)


@pytest.mark.parametrize("name", ["@model_path/../../../../outside.bin", "/etc/hostname"])
def test_weights_are_read_from_nowhere_else(package: Path, name: str) -> None:
    shutil.copy(package / WEIGHTS, package.parent.with_name("outside.bin"))
    spec = read(package)
    for op in operations(spec):
        for value in op.attributes.values():
            if value.HasField("blobFileValue"):
                value.blobFileValue.fileName = name
    (package / MODEL).write_bytes(spec.SerializeToString())
    assert refused(lambda: load(package))


def test_constants_that_claim_gigabytes_are_refused_within_the_memory_that_a_small_file_takes(
    exported: Path, tmp_path: Path
) -> None:
    made = [claiming(tmp_path / f"{kind}.mlpackage", kind, NUMBERS) for kind in ("fill", "tile")]
    prepare = f"from sfsc_deploy.runtime import load\nload({str(exported)!r})"
    said, mebibytes = in_a_child(prepare, "load(file)", *made)
    assert all(line.startswith("SfscError") and "claims constants" in line for line in said)
    assert mebibytes < 64


@pytest.mark.parametrize("kind", ["fill", "tile"])
def test_constants_that_claim_little_are_no_obstacle(tmp_path: Path, kind: str) -> None:
    assert load(claiming(tmp_path / "a.mlpackage", kind, _ASKED)).dim == 3


def test_a_program_that_runs_in_a_circle_has_no_precision_of_that_layer(package: Path) -> None:
    spec = read(package)
    for op in operations(spec):
        if op.type in ("conv", "linear"):
            (weights,) = (
                each for each in operations(spec) if op.inputs["weight"].arguments[0].name == each.outputs[0].name
            )
            weights.type = "identity"
            weights.inputs["x"].arguments.add().name = weights.outputs[0].name
    (package / MODEL).write_bytes(spec.SerializeToString())
    assert refused(lambda: coreml_precision.read_precision(package))


def claiming(path: Path, kind: str, numbers: int) -> Path:
    """A package that multiplies with the sum of a constant, of which it only tells how many numbers it has."""
    tools = load_coremltools()
    from coremltools.converters.mil.mil import Builder as mb  # noqa: N813 (as everywhere)

    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 6, 5))], opset_version=tools.target.iOS16)
    def program(image: Any) -> Any:
        one = np.ones(1, np.float32)
        many = mb.fill(shape=[_ASKED], value=1.0) if kind == "fill" else mb.tile(x=one, reps=[_ASKED])
        # Of constants alone coremltools can't take a sum with this numpy.
        varied = mb.add(x=many, y=mb.reduce_mean(x=image, axes=[0, 1, 2, 3], keep_dims=False))
        total = mb.reduce_sum(x=varied, axes=[0], keep_dims=False)
        return mb.mul(x=mb.reduce_mean(x=image, axes=[2, 3], keep_dims=False), y=total, name="embedding")

    options = {"convert_to": "mlprogram", "source": "milinternal", "skip_model_load": True}
    options |= {"pass_pipeline": tools.PassPipeline.EMPTY, "minimum_deployment_target": tools.target.iOS16}
    with quiet_conversion():
        tools.convert(program, compute_precision=tools.precision.FLOAT32, **options).save(str(path))
    spec = read(path)
    for op in operations(spec):
        for value in op.attributes.values():
            if list(value.immediateValue.tensor.ints.values) == [_ASKED]:
                value.immediateValue.tensor.ints.values[:] = [numbers]
    (path / MODEL).write_bytes(spec.SerializeToString())
    return path


def read(package: Path) -> Any:
    spec = Model_pb2.Model()
    spec.ParseFromString((package / MODEL).read_bytes())
    return spec


def operations(spec: Any) -> list[Any]:
    return coreml_precision.operations(spec)
