"""Embeddings written on one machine and looked up on another."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from samples import SPACE, encoded, sample_probe, sample_sidecar
from sfsc_deploy.artifact import Sidecar, write_sidecar
from sfsc_deploy.data.blocks import BLOCK, ImageBlocks
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.metrics import Labels
from sfsc_deploy.probe import preprocessing_drift
from sfsc_deploy.runtime import load
from sfsc_deploy.runtime.onnx_backend import OnnxEmbedder
from sfsc_deploy.runtime.recorded import RecordedEmbedder, record, record_probe
from sfsc_deploy.tensor_file import read_tensors
from sfsc_deploy.verification.embedding import HeldOut, Rows, embed_all
from sfsc_deploy.verification.verdict import Finding, unverified
from tiny_onnx import HEIGHT, WIDTH, some_images, tiny_weights, write_tiny_onnx

IMAGES = some_images(9)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = write_tiny_onnx(tmp_path / "tiny.onnx")
    write_sidecar(path, sample_sidecar(path))
    return path


@pytest.fixture
def recorded(artifact: Path, tmp_path: Path) -> Path:
    target = tmp_path / "tiny.safetensors"
    with OnnxEmbedder(artifact) as embedder:
        record(embedder, IMAGES, target, device="a device")
    return target


def test_rows_are_found_again_in_any_order_and_number(artifact: Path, recorded: Path) -> None:
    wanted = IMAGES[[8, 0, 3, 3]]
    with load(artifact) as original, load(recorded) as embedder:
        np.testing.assert_array_equal(embedder.embed(wanted), original.embed(IMAGES)[[8, 0, 3, 3]], strict=True)
        np.testing.assert_array_equal(embedder.embed_batch(wanted[:1]), embedder.embed(wanted)[:1])


def test_a_recording_stands_for_its_artifact(artifact: Path, recorded: Path) -> None:
    with load(artifact) as original, RecordedEmbedder(recorded) as embedder:
        assert (embedder.dim, embedder.space, embedder.sidecar) == (original.dim, SPACE, original.sidecar)
        assert embedder.preprocessing == original.preprocessing
        assert embedder.backend == f"{original.backend}, recorded on a device"
        assert embedder.recording.artifact == str(artifact)
        assert embedder.recording.files == {"tiny.onnx": sha256_of(artifact)}
        assert {trial.size: trial.max_difference for trial in embedder.recording.batch_trials} == {
            1: pytest.approx(0, abs=1e-6),
            2: pytest.approx(0, abs=1e-6),
            7: pytest.approx(0, abs=1e-6),
            9: pytest.approx(0, abs=1e-6),
        }
        assert {"sfsc-deploy", "python", "numpy"} <= embedder.recording.tools.keys()


def test_an_image_that_was_not_recorded_is_refused(recorded: Path) -> None:
    almost = IMAGES.copy()
    almost[1, 0, 0, 0] ^= 1
    with load(recorded) as embedder, pytest.raises(SfscError, match="1 of 9 images were not recorded") as caught:
        embedder.embed(almost)
    assert "sfsc-deploy embed" in caught.value.remedy


def test_the_hash_of_the_file_that_ran_is_recorded_not_that_of_its_sidecar(artifact: Path, tmp_path: Path) -> None:
    write_tiny_onnx(artifact, tiny_weights(seed=5))
    with OnnxEmbedder(artifact) as embedder:
        recording = record(embedder, IMAGES, tmp_path / "other.safetensors")
    assert recording.files == {"tiny.onnx": sha256_of(artifact)}
    assert recording.sidecar is not None
    assert recording.sidecar.files != recording.files


def test_without_a_sidecar_little_is_known(tmp_path: Path) -> None:
    with OnnxEmbedder(write_tiny_onnx(tmp_path / "alone.onnx")) as embedder:
        record(embedder, IMAGES, tmp_path / "alone.safetensors")
    with RecordedEmbedder(tmp_path / "alone.safetensors") as recorded:
        assert (recorded.space, recorded.sidecar, recorded.preprocessing, recorded.labels) == (None,) * 4
        assert recorded.embed(IMAGES).shape == (9, 4)


def test_labels_are_kept(artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "labelled.safetensors"
    with OnnxEmbedder(artifact) as embedder:
        for camera in (np.arange(9) % 2, None):
            record(embedder, IMAGES, target, labels=Labels(np.arange(9), camera))
            labels = RecordedEmbedder(target).labels
            assert labels is not None
            np.testing.assert_array_equal(labels.identity, np.arange(9))
            np.testing.assert_equal(labels.camera, camera)


def test_a_recorded_probe_tells_the_drift_of_that_machine(artifact: Path, tmp_path: Path) -> None:
    images = sample_probe().images.copy()
    images[:4] //= 2
    probe = sample_probe(images=images)
    with OnnxEmbedder(artifact) as embedder:
        record_probe(embedder, probe, tmp_path / "probe.safetensors")
    with RecordedEmbedder(tmp_path / "probe.safetensors") as recorded:
        assert recorded.recording.drift == preprocessing_drift(probe)
        assert recorded.recording.drift.max_levels > 100
        assert recorded.embed(probe.images).shape == (5, 4)


def test_nothing_to_record_is_an_error(artifact: Path, tmp_path: Path) -> None:
    with OnnxEmbedder(artifact) as embedder, pytest.raises(SfscError, match="no images"):
        record(embedder, IMAGES[:0], tmp_path / "none.safetensors")


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    fixed = write_tiny_onnx(tmp_path / "fixed.onnx", batch=1)
    with OnnxEmbedder(fixed) as embedder, pytest.raises(SfscError, match="failed on a batch"):
        record(embedder, IMAGES, tmp_path / "fixed.safetensors")
    assert list(tmp_path.iterdir()) == [fixed]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"embedding": np.zeros((9, 4))}, "tensor `embedding` is float64"),
        ({"embedding": np.zeros(9, np.float32)}, "tensor `embedding`"),
        (
            {"pixel_sha256": np.zeros((8, 32), np.uint8)},
            r"uint8 \[8, 32\], expected uint8 \[9, 32\]",
        ),
        ({"pixel_sha256": np.zeros((9, 20), np.uint8)}, "tensor `pixel_sha256`"),
        ({"identity": np.zeros(3, np.int64)}, "tensor `identity`"),
        ({"identity": np.zeros(9, np.int64), "camera": np.zeros(9, np.int32)}, "tensor `camera`"),
    ],
)
def test_malformed_arrays_are_refused(recorded: Path, changed: dict[str, Any], complaint: str) -> None:
    stored = read_tensors(recorded)
    save_file({**stored.arrays, **changed}, recorded, dict(stored.metadata))
    with pytest.raises(SfscError, match=complaint):
        RecordedEmbedder(recorded)


def test_a_malformed_sidecar_inside_is_named(recorded: Path) -> None:
    stored = read_tensors(recorded)
    header = stored.metadata["sfsc.recorded"].replace('"float32"', "32", 1)
    save_file(dict(stored.arrays), recorded, {"sfsc.recorded": header})
    with pytest.raises(SfscError, match="field `sidecar"):
        RecordedEmbedder(recorded)


def test_a_probe_is_no_recording(tmp_path: Path) -> None:
    sample_probe().save(tmp_path / "probe.safetensors")
    with pytest.raises(SfscError, match="holds no recorded embeddings"):
        load(tmp_path / "probe.safetensors")


@pytest.mark.parametrize("kept", [0, 8, 0.5, 0.99])
def test_a_truncated_recording_is_refused(recorded: Path, kept: float) -> None:
    content = recorded.read_bytes()
    recorded.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(SfscError, match="cannot be read as safetensors"):
        load(recorded)


def test_the_sidecar_travels_whole(recorded: Path, artifact: Path) -> None:
    sidecar = RecordedEmbedder(recorded).sidecar
    assert isinstance(sidecar, Sidecar)
    assert sidecar == sample_sidecar(artifact)


@contextmanager
def held_out(images: NDArray[np.uint8]) -> Iterator[HeldOut]:
    """Images as queries and gallery of a data set, one identity each."""
    sources = tuple(encoded(image) for image in images)
    labels = Labels(np.arange(len(images)))
    query, gallery = (ImageBlocks(sources, Preprocessing(height=HEIGHT, width=WIDTH)) for _ in range(2))
    with closing(query), closing(gallery):
        yield HeldOut("many", query, gallery, labels, labels)


def test_a_recording_of_many_images_is_looked_up_block_by_block(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, target = some_images(2 * BLOCK + 30), tmp_path / "many.safetensors"
    with OnnxEmbedder(artifact) as embedder:
        record(embedder, many, target)
        expected = embedder.embed(many)
    taken: list[int] = []
    blocks = ImageBlocks.blocks
    monkeypatch.setattr(
        ImageBlocks,
        "blocks",
        lambda images, size: (taken.append(len(block)) or block for block in blocks(images, size)),
    )
    with RecordedEmbedder(target) as recorded, held_out(many) as images:
        rows = embed_all(recorded, unverified("There is no probe."), images).rows
    assert isinstance(rows, Rows)
    np.testing.assert_array_equal(rows.gallery, expected)
    assert max(taken) <= BLOCK
    assert sum(taken) == 2 * len(many)


def test_all_images_that_were_not_recorded_are_counted_whatever_their_block(artifact: Path, tmp_path: Path) -> None:
    many, target = some_images(2 * BLOCK), tmp_path / "half.safetensors"
    with OnnxEmbedder(artifact) as embedder:
        record(embedder, many[::2], target)
    with RecordedEmbedder(target) as recorded, held_out(many) as images:
        rows = embed_all(recorded, unverified("There is no probe."), images).rows
        assert isinstance(rows, Finding)
        assert f"{BLOCK} of {2 * BLOCK} images were not recorded" in rows.why
        with pytest.raises(SfscError, match=f"{BLOCK} of {2 * BLOCK} images were not recorded"):
            recorded.embed(many)
