"""ONNX files in ONNX Runtime, right and wrong, without torch."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from samples import SPACE, sample_sidecar
from sfsc_deploy.artifact import EMBEDDED_KEY, write_sidecar
from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.runner.onnx_file import OnnxFile
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder
from tiny_onnx import DIM, HEIGHT, WIDTH, some_images, tiny_embedding, tiny_weights, write_tiny_onnx


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return write_tiny_onnx(tmp_path / "tiny.onnx")


@pytest.mark.parametrize("count", [0, 1, 2, 7, 9])
def test_embeddings_are_those_of_the_graph(artifact: Path, count: int) -> None:
    images = some_images(count)
    with OnnxEmbedder(artifact, max_batch=4) as embedder:
        embedding = embedder.embed(images)
    assert embedding.dtype == np.float32
    expected = tiny_embedding(images, tiny_weights()).reshape(count, DIM)
    np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-6)


def test_views_of_images_embed_as_copies_do(artifact: Path) -> None:
    images = some_images(4)
    images.flags.writeable = False
    with OnnxEmbedder(artifact) as embedder:
        np.testing.assert_array_equal(
            embedder.embed(images[::-2, :, ::-1, ::-1]), embedder.embed(images[::-2, :, ::-1, ::-1].copy())
        )


def test_the_file_tells_its_contract(tmp_path: Path) -> None:
    path = write_tiny_onnx(tmp_path / "tiny.onnx", metadata={"author": "a test"})
    with OnnxEmbedder(path) as embedder:
        assert embedder.input_type == "tensor(uint8)"
        assert embedder.input_shape == ("N", HEIGHT, WIDTH, 3)
        assert embedder.output_type == "tensor(float)"
        assert embedder.output_shape == ("N", DIM)
        assert [fact.name for fact in (*embedder.inputs, *embedder.outputs)] == ["image", "embedding"]
        assert embedder.metadata == {"author": "a test"}
        assert embedder.backend.endswith("CPUExecutionProvider")


def test_a_file_alone_knows_neither_space_nor_preprocessing(artifact: Path) -> None:
    with OnnxEmbedder(artifact) as embedder:
        assert (embedder.space, embedder.preprocessing, embedder.sidecar) == (None, None, None)


def test_the_sidecar_tells_space_and_preprocessing(artifact: Path) -> None:
    sidecar = sample_sidecar(artifact)
    write_sidecar(artifact, sidecar)
    with OnnxEmbedder(artifact) as embedder:
        assert embedder.space == SPACE
        assert embedder.preprocessing == sidecar.input.preprocessing
        assert embedder.sidecar == sidecar


def test_without_a_sidecar_the_metadata_tells(artifact: Path, tmp_path: Path) -> None:
    description = sample_sidecar(artifact).description()
    alone = write_tiny_onnx(tmp_path / "alone.onnx", metadata={EMBEDDED_KEY: description.model_dump_json()})
    with OnnxEmbedder(alone) as embedder:
        assert embedder.space == SPACE
        assert embedder.preprocessing == description.input.preprocessing
        assert embedder.sidecar is None


def test_an_undeclared_dimension_is_taken_from_the_sidecar(tmp_path: Path) -> None:
    path = write_tiny_onnx(tmp_path / "tiny.onnx", hide_dim=True)
    with pytest.raises(SfscError, match="does not state the dimension"):
        OnnxEmbedder(path)
    write_sidecar(path, sample_sidecar(path))
    with OnnxEmbedder(path) as embedder:
        assert embedder.embed(some_images(2)).shape == (2, DIM)


def test_a_fixed_batch_loads_and_fails_naming_the_batch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with OnnxEmbedder(write_tiny_onnx(tmp_path / "tiny.onnx", batch=1)) as embedder:
        assert embedder.input_shape[0] == 1
        assert embedder.embed_batch(some_images(1)).shape == (1, DIM)
        with pytest.raises(SfscError, match=r"failed on a batch of 3 images: .* Got: 3 Expected: 1") as caught:
            embedder.embed_batch(some_images(3))
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_a_failure_inside_the_graph_is_told_by_the_error_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with OnnxEmbedder(write_tiny_onnx(tmp_path / "tiny.onnx", rows=1)) as embedder:
        assert embedder.input_shape[0] == "N"
        assert embedder.embed_batch(some_images(1)).shape == (1, DIM)
        with pytest.raises(SfscError, match="failed on a batch of 2 images"):
            embedder.embed_batch(some_images(2))
    assert capfd.readouterr() == ("", "")


def test_another_input_type_loads_and_fails_on_use(tmp_path: Path) -> None:
    with OnnxEmbedder(write_tiny_onnx(tmp_path / "tiny.onnx", input_type=TensorProto.FLOAT)) as embedder:
        assert embedder.input_type == "tensor(float)"
        with pytest.raises(SfscError, match="failed on a batch of 1 image:"):
            embedder.embed(some_images(1))


def test_another_output_type_loads_and_fails_on_use(tmp_path: Path) -> None:
    with (
        OnnxEmbedder(write_tiny_onnx(tmp_path / "tiny.onnx", output_type=TensorProto.FLOAT16)) as embedder,
        pytest.raises(SfscError, match=r"gave float16 \[1, 4\]"),
    ):
        embedder.embed(some_images(1))


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.9])
def test_a_truncated_file_is_refused(artifact: Path, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    content = artifact.read_bytes()
    artifact.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(SfscError, match=r"tiny\.onnx cannot be read as ONNX: \S") as caught:
        OnnxEmbedder(artifact)
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SfscError, match="does not exist"):
        OnnxEmbedder(tmp_path / "absent.onnx")


def test_a_provider_that_is_not_here_is_refused(artifact: Path) -> None:
    with pytest.raises(SfscError, match="has no FasterThanLightProvider") as caught:
        OnnxEmbedder(artifact, providers=["FasterThanLightProvider"])
    assert "CPUExecutionProvider" in caught.value.remedy


def test_a_provider_that_gives_way_to_another_is_refused(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CUDA does where its libraries are missing: with a warning at most."""
    fall_back_to_cpu(monkeypatch)
    with pytest.raises(SfscError, match=r"with CUDAExecutionProvider.*fell back to CPUExecutionProvider"):
        OnnxEmbedder(artifact, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(SfscError, match=r"CUDAExecutionProvider can't start.*fell back to CPUExecutionProvider"):
        OnnxFile(artifact, ["CUDAExecutionProvider"])


def fall_back_to_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, offered = onnxruntime.InferenceSession, ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def cpu_alone(path: object, options: object, providers: object, enable_fallback: int = 1) -> object:
        return whole(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", cpu_alone)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)


def test_one_thread_gives_the_same(artifact: Path) -> None:
    images = some_images(3)
    with OnnxEmbedder(artifact, threads=1) as one, OnnxEmbedder(artifact) as all_cores:
        np.testing.assert_array_equal(one.embed(images), all_cores.embed(images))


def test_a_damaged_sidecar_is_an_error_of_its_own(artifact: Path) -> None:
    artifact.with_name("tiny.onnx.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SfscError, match=r"tiny\.onnx\.json is not valid"):
        load(artifact)


def without(blocked: list[str], artifact: Path) -> subprocess.CompletedProcess[str]:
    """Load and embed in a fresh Python in which the blocked modules cannot be imported."""
    program = f"""
        import sys
        for name in {blocked!r}:
            sys.modules[name] = None
        import numpy
        from sfsc_deploy.errors import SfscError
        from sfsc_deploy.runtime import load
        try:
            with load({str(artifact)!r}) as embedder:
                print(embedder.embed(numpy.ones((3, {HEIGHT}, {WIDTH}, 3), numpy.uint8)).shape)
        except SfscError as error:
            print(error)
    """
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
    )


def test_neither_torch_nor_onnx_is_needed(artifact: Path) -> None:
    write_sidecar(artifact, sample_sidecar(artifact))
    answer = without(["torch", "onnx", "kornia", "matplotlib"], artifact)
    assert (answer.stdout, answer.stderr) == (f"(3, {DIM})\n", "")


def test_a_missing_onnxruntime_names_the_extra(artifact: Path) -> None:
    answer = without(["onnxruntime"], artifact)
    assert "onnxruntime, which is not installed" in answer.stdout
    assert 'pip install "sfsc-deploy[onnx]"' in answer.stdout
