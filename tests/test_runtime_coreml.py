"""CoreML packages: what they say of themselves, how they embed, and what is told of damaged ones."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("coremltools", reason="it writes and reads the packages, and has no wheel for this machine")

from exporters import CoremlTarget, ExportRequest, export
from exporters.coreml_package import MANIFEST, MODEL
from exporters.deployable import Deployable
from exporters.quiet_coreml import load_coremltools
from samples import PREPROCESSING, SPACE, sample_sidecar
from sfsc_deploy.artifact import EMBEDDED_KEY, OutputContract, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime import BackendUnavailable, load
from sfsc_deploy.runtime.coreml_backend import CoremlEmbedder
from sfsc_deploy.slicing import slice_submodel
from tiny_onnx import HEIGHT, WIDTH
from tiny_supernet import DIM, calibrate, tiny_supernet

WEIGHTS = Path("Data", "com.apple.CoreML", "weights", "weight.bin")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, HEIGHT, WIDTH, 3), dtype=np.uint8)
PROFILE = {"name": "iphone", "coreml": {"minimum_deployment_target": "iOS16", "compute_units": "CPU_AND_NE"}}


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    supernet = tiny_supernet()
    calibrate(supernet)
    return slice_submodel(supernet, 0.5)


@pytest.fixture(scope="module")
def exported(model: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with its sidecar. Not to be changed."""
    folder = tmp_path_factory.mktemp("coreml")
    stand_in = folder / "iphone.mlpackage"
    stand_in.mkdir()
    sidecar = sample_sidecar(stand_in, format="coreml", dim=DIM, output=OutputContract(dim=DIM), profile=PROFILE)
    stand_in.rmdir()
    request = ExportRequest(
        HEIGHT,
        WIDTH,
        PREPROCESSING.mean,
        PREPROCESSING.std,
        DIM,
        batch=(1, 1, 1),
        metadata={EMBEDDED_KEY: sidecar.description().model_dump_json()},
        coreml=CoremlTarget("iOS16"),
    )
    (package,) = export("coreml", model, request, folder / "iphone").files
    write_sidecar(package, sidecar)
    return package


@pytest.fixture
def package(exported: Path, tmp_path: Path) -> Path:
    """A copy without sidecar, to be changed at will."""
    return Path(shutil.copytree(exported, tmp_path / "iphone.mlpackage"))


def changed(package: Path, change: Callable[[Any], None]) -> Path:
    """The package with its specification changed."""
    spec = load_coremltools().utils.load_spec(str(package))
    change(spec)
    (package / MODEL).write_bytes(spec.SerializeToString())
    return package


def test_rows_are_those_of_the_model(exported: Path, model: torch.nn.Module) -> None:
    reference = Deployable(model, PREPROCESSING.mean, PREPROCESSING.std).eval()
    with load(exported) as embedder, torch.inference_mode():
        found = embedder.embed(IMAGES)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, reference(torch.from_numpy(IMAGES)).numpy(), atol=1e-5)
        np.testing.assert_array_equal(embedder.embed_batch(IMAGES[::-1]), found[::-1])


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac runs it itself")
def test_the_result_is_marked_as_the_reference_executors(exported: Path) -> None:
    with load(exported) as embedder:
        assert embedder.backend.startswith("reference executor (checks the conversion, not Apple's kernels)")


def test_the_facts_come_from_the_sidecar(exported: Path) -> None:
    with load(exported) as embedder:
        assert embedder.sidecar is not None
        assert (embedder.space, embedder.dim, embedder.size) == (SPACE, DIM, (HEIGHT, WIDTH))
        assert embedder.preprocessing == PREPROCESSING
        assert embedder.one_by_one


def test_without_a_sidecar_they_come_from_the_package(package: Path) -> None:
    with load(package) as embedder:
        assert embedder.sidecar is None
        assert (embedder.space, embedder.dim, embedder.preprocessing) == (SPACE, DIM, PREPROCESSING)
        assert EMBEDDED_KEY in embedder.metadata


def test_a_foreign_package_says_nothing_of_its_space(package: Path) -> None:
    changed(package, lambda spec: spec.description.metadata.userDefined.clear())
    with load(package) as embedder:
        assert embedder.space is embedder.preprocessing is embedder.sidecar is None
        assert embedder.dim == DIM


def test_images_of_another_size_are_refused(exported: Path) -> None:
    with load(exported) as embedder, pytest.raises(SfscError, match=rf"uint8 \[N, {HEIGHT}, {WIDTH}, 3\]"):
        embedder.embed(IMAGES[:, 1:])


def test_colours_are_handed_over_in_the_order_that_the_package_declares(package: Path) -> None:
    with load(package) as embedder:
        swapped = embedder.embed(np.ascontiguousarray(IMAGES[..., ::-1]))

    def turn(spec: Any) -> None:
        colours = spec.description.input[0].type.imageType
        colours.colorSpace = colours.ColorSpace.Value("BGR")

    with load(changed(package, turn)) as embedder:
        np.testing.assert_array_equal(embedder.embed(IMAGES), swapped)


def test_a_closed_embedder_embeds_no_more(exported: Path) -> None:
    embedder = load(exported)
    embedder.close()
    with pytest.raises(SfscError, match="closed"):
        embedder.embed(IMAGES)


@pytest.mark.parametrize("left", [0, 10, 64, 100, 500, -1])
def test_a_weight_file_cut_short_is_told(package: Path, left: int) -> None:
    content = (package / WEIGHTS).read_bytes()
    (package / WEIGHTS).write_bytes(content[:left])
    with pytest.raises(SfscError, match=r"iphone\.mlpackage can't be read: its program or its weights are damaged"):
        load(package)


@pytest.mark.parametrize("part", [WEIGHTS, MODEL, MANIFEST])
def test_a_missing_part_is_told(package: Path, part: Path) -> None:
    (package / part).unlink()
    with pytest.raises(SfscError, match=r"iphone\.mlpackage can") as told:
        load(package)
    assert "Copy the whole folder" in told.value.remedy


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff" * 40])
@pytest.mark.parametrize("part", [WEIGHTS, MODEL, MANIFEST])
def test_a_part_of_nonsense_is_told(package: Path, part: Path, content: bytes) -> None:
    (package / part).write_bytes(content)
    with pytest.raises(SfscError, match=r"iphone\.mlpackage"):
        load(package)


def test_absurd_sizes_are_told(package: Path) -> None:
    """The header of the first weights claims more bytes than any machine has."""
    content = bytearray((package / WEIGHTS).read_bytes())
    content[64 + 8 : 64 + 24] = b"\xff" * 16
    (package / WEIGHTS).write_bytes(content)
    with pytest.raises(SfscError, match="damaged"):
        load(package)


def test_an_empty_folder_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "a.mlpackage").mkdir()
    with pytest.raises(SfscError, match="cannot be read as a CoreML package: A valid manifest does not exist"):
        load(tmp_path / "a.mlpackage")


def test_a_file_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "a.mlpackage").write_bytes(b"zipped, perhaps")
    with pytest.raises(SfscError, match="is a file, but a CoreML package is a folder"):
        load(tmp_path / "a.mlpackage")


def test_what_is_no_ml_program_is_told(package: Path) -> None:
    changed(package, lambda spec: spec.neuralNetwork.SetInParent())
    with pytest.raises(SfscError, match="holds no ML program"):
        load(package)


def test_an_operation_that_is_not_known_is_named(package: Path) -> None:
    def turn(spec: Any) -> None:
        (function,) = spec.mlProgram.functions.values()
        (block,) = function.block_specializations.values()
        next(op for op in block.operations if op.type == "relu").type = "sinh"

    with pytest.raises(BackendUnavailable, match=r"iphone\.mlpackage has operations .*: sinh \(`relu") as told:
        load(changed(package, turn))
    assert "sfsc-deploy embed" in told.value.command


def test_names_that_the_program_does_not_have_are_told(package: Path) -> None:
    def turn(spec: Any) -> None:
        spec.description.output[0].name = "features"

    with pytest.raises(SfscError, match="`image` and `features`, which its program doesn't have"):
        load(changed(package, turn))


def test_a_program_without_a_main_function_is_told(package: Path) -> None:
    def turn(spec: Any) -> None:
        functions = spec.mlProgram.functions
        functions["other"].CopyFrom(functions["main"])
        del functions["main"]

    with pytest.raises(SfscError, match="no function `main`"):
        load(changed(package, turn))


def test_a_package_without_an_output_is_told(package: Path) -> None:
    def turn(spec: Any) -> None:
        del spec.description.output[:]

    with pytest.raises(SfscError, match="no input or no output"):
        load(changed(package, turn))


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has compute units")
def test_compute_units_are_a_matter_of_macs(exported: Path) -> None:
    with pytest.raises(SfscError, match="CPU_ONLY here: only a Mac"):
        load(exported, compute_units="CPU_ONLY")


class OnAMac:
    """Stands in for coremltools' model on a Mac: notes how it is called, and answers by the reference executor."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
        self.units: list[str] = []
        self.images: list[Any] = []
        models = load_coremltools().models
        answers = CoremlEmbedder(package)
        genuine = models.MLModel

        def model(path: str, *, compute_units: Any = None, skip_model_load: bool = False) -> Any:
            found = genuine(path, skip_model_load=True)
            if not skip_model_load:
                self.units.append(compute_units.name)
                found.predict = self._predict
            return found

        self._embed = answers.embed
        monkeypatch.setattr(models, "MLModel", model)
        monkeypatch.setattr(sys, "platform", "darwin")

    def _predict(self, given: dict[str, Any]) -> dict[str, Any]:
        (image,) = given.values()
        self.images.append((*given, image.mode, image.size))
        return {"embedding": self._embed(np.asarray(image)[None])}


def test_a_mac_is_asked_with_images_on_the_units_of_the_profile(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load(exported).embed(IMAGES)
    mac = OnAMac(monkeypatch, exported)
    with load(exported) as embedder:
        np.testing.assert_array_equal(embedder.embed(IMAGES), expected)
        assert embedder.backend.startswith("Core ML of macOS")
        assert embedder.backend.endswith("compute units CPU_AND_NE")
    assert mac.images == [("image", "RGB", (WIDTH, HEIGHT))] * len(IMAGES)
    load(exported, compute_units="CPU_ONLY")
    assert mac.units == ["CPU_AND_NE", "CPU_ONLY"]


def test_a_mac_without_these_units_lists_its_own(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OnAMac(monkeypatch, exported)
    with pytest.raises(SfscError, match="'NPU'") as told:
        load(exported, compute_units="NPU")
    assert "CPU_AND_NE" in told.value.remedy


def test_a_package_that_core_ml_refuses_is_told(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OnAMac(monkeypatch, exported)
    models = load_coremltools().models
    stand_in = models.MLModel

    def refuse(path: str, **options: Any) -> Any:
        if not options.get("skip_model_load"):
            import warnings

            warnings.warn("You will not be able to run predict(). Unsupported.", RuntimeWarning, stacklevel=1)
        return stand_in(path, **options)

    monkeypatch.setattr(models, "MLModel", refuse)
    with pytest.raises(SfscError, match=r"Core ML cannot load .*Unsupported"):
        load(exported)


def test_the_names_that_a_mac_is_called_by_exist() -> None:
    """The stand-in above would not notice a name that coremltools doesn't have."""
    import inspect

    tools = load_coremltools()
    assert set(tools.ComputeUnit.__members__) == {"ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"}
    assert {"compute_units", "skip_model_load"} <= set(inspect.signature(tools.models.MLModel).parameters)
    assert next(iter(inspect.signature(tools.models.MLModel.predict).parameters.items()))[0] == "self"
