"""Embeddings recorded on one machine, so that another can verify what it cannot run."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

import sfsc_deploy
from sfsc_deploy.artifact import FileName, Sha256, Sidecar
from sfsc_deploy.data.blocks import ImageBlocks, block_of
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.device_name import device_name
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from sfsc_deploy.metrics import Labels
from sfsc_deploy.parsing import parse_json
from sfsc_deploy.probe import Drift, Probe, preprocessing_drift
from sfsc_deploy.runtime.batch_trials import BatchTrial, try_batches
from sfsc_deploy.runtime.embedder import RECORDED_ON, Embedder
from sfsc_deploy.tensor_file import TensorFile, read_tensors, write_tensors

_KEY = "sfsc.recorded"
_HASH_BYTES = 32
KIT = "sfsc-deploy kit"
"""Among the tools of a recording that a device kit made."""
_REMEDY = "Record it anew: `sfsc-deploy embed ARTIFACT --out FILE.safetensors`."


class Recording(BaseModel):
    """What is told of a recording besides its arrays.

    Attributes:
        artifact: what was run: path of an artifact, or run folder with width.
        files: hash of each part of the artifact as it lay on the recording machine; empty for a run folder.
        sidecar: the artifact's, where it had one.
        space: id of the embedding space, where it was known.
        preprocessing: how images were made, where it was known.
        device: the machine that ran it.
        backend: what ran it there, with version.
        tools: versions.
        batch_trials: what other batches gave there.
        drift: how far that machine's own decoding and resizing of the probe's raw images were from the probe.
        probe: hash of the probe file, where its images were recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    artifact: str
    files: dict[FileName, Sha256]
    sidecar: Sidecar | None
    space: Sha256 | None
    preprocessing: Preprocessing | None
    device: str
    backend: str
    tools: dict[str, str]
    batch_trials: tuple[BatchTrial, ...]
    drift: Drift | None
    probe: Sha256 | None = None


def record(
    embedder: Embedder,
    images: NDArray[np.uint8] | ImageBlocks,
    target: Path,
    *,
    labels: Labels | None = None,
    drift: Drift | None = None,
    device: str | None = None,
    probe: str | None = None,
) -> Recording:
    """Embed `images` and write the result, and what is known of it, to `target` (which is replaced).

    Args:
        embedder: what to run.
        images: uint8 [N, H, W, 3], at least one; or in blocks, where they may be many.
        target: file to write, `.safetensors`.
        labels: of the images, where known.
        drift: result of `preprocessing_drift`, where a probe was recorded.
        device: name of this machine; None: see `device_name`.
        probe: hash of the probe file, where `images` are its.

    Raises:
        SfscError: no images, a failure of the backend, or `target` cannot be written.
    """
    if len(images) == 0:
        raise SfscError("There are no images to record.", "Give at least one image.")
    blocks = images.blocks(block_of(embedder.max_batch)) if isinstance(images, ImageBlocks) else [images]
    parts = [(embedder.embed(block), pixel_hashes(block)) for block in blocks]
    embedding, hashes = (np.concatenate(column) for column in zip(*parts, strict=True))
    arrays: dict[str, NDArray[Any]] = {"embedding": embedding, "pixel_sha256": hashes}
    if labels is not None:
        arrays["identity"] = labels.identity
        if labels.camera is not None:
            arrays["camera"] = labels.camera
    few = images.first(embedder.max_batch) if isinstance(images, ImageBlocks) else images
    recording = _describe(embedder, few, drift, device or device_name(), probe)
    write_tensors(target, arrays, _KEY, recording.model_dump_json())
    return recording


def record_probe(
    embedder: Embedder, probe: Probe, target: Path, *, device: str | None = None, file: Path | None = None
) -> Recording:
    """Record every image of `probe` (which was read from `file`), and this machine's preprocessing; see `record`."""
    labels, drift = Labels(probe.identity, probe.camera), preprocessing_drift(probe)
    found = None if file is None else sha256_of(file)
    return record(embedder, probe.images, target, labels=labels, drift=drift, device=device, probe=found)


def is_recording(stored: TensorFile) -> bool:
    """Whether a file holds recorded embeddings, rather than something else."""
    return _KEY in stored.metadata


def pixel_hashes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """SHA-256 of the pixels of each image: uint8 [N, H, W, 3] to uint8 [N, 32]."""
    digests = b"".join(hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.frombuffer(digests, np.uint8).reshape(len(images), _HASH_BYTES)


def _describe(
    embedder: Embedder, images: NDArray[np.uint8], drift: Drift | None, device: str, probe: str | None
) -> Recording:
    return Recording(
        artifact=embedder.name,
        files=_hash_files(embedder),
        sidecar=embedder.sidecar,
        space=embedder.space,
        preprocessing=embedder.preprocessing,
        device=device,
        backend=embedder.backend,
        tools={"sfsc-deploy": sfsc_deploy.__version__, "python": platform.python_version(), "numpy": np.__version__},
        batch_trials=try_batches(embedder, images),
        drift=drift,
        probe=probe,
    )


def _hash_files(embedder: Embedder) -> dict[str, str]:
    artifact = Path(embedder.name)
    names = {artifact.name, *(embedder.sidecar.files if embedder.sidecar else ())}
    parts = [artifact.with_name(name) for name in sorted(names)]
    return {part.name: sha256_of(part) for part in parts if part.exists()}


class RecordedEmbedder(Embedder):
    """Looks recorded embeddings up by the pixels of the images.

    Attributes:
        recording: what is told of the recording.
        embedding: all recorded rows, float32 [N, D].
        labels: of the recorded images; None where they were not given.
        row: index of the row by the hash of an image's pixels (see `pixel_hashes`).
        looked_up: int64 [N], which row is found for the image of each: its own, unless that was recorded again.
    """

    def __init__(self, path: Path) -> None:
        """Read a file that `record` wrote.

        Raises:
            SfscError: absent, truncated, or no such file; says what is wrong with it.
        """
        stored = read_tensors(path)
        if not is_recording(stored):
            raise SfscError(f"{path} is a safetensors file, but holds no recorded embeddings.", _REMEDY)
        self.recording = parse_json(Recording, stored.metadata[_KEY], path, _REMEDY)
        self.embedding: NDArray[np.float32] = stored.take("embedding", np.float32, (None, None))
        count, dim = self.embedding.shape
        hashes = stored.take("pixel_sha256", np.uint8, (count, _HASH_BYTES))
        self.labels = _labels(stored, count)
        self.row: Mapping[bytes, int] = {digest.tobytes(): row for row, digest in enumerate(hashes)}
        self.looked_up = np.array([self.row[digest.tobytes()] for digest in hashes], np.int64)
        preprocessing = self.recording.preprocessing
        super().__init__(
            str(path),
            backend=f"{self.recording.backend}{RECORDED_ON}{self.recording.device}",
            dim=dim,
            space=self.recording.space,
            preprocessing=preprocessing,
            sidecar=self.recording.sidecar,
            size=(preprocessing.height, preprocessing.width) if preprocessing else None,
        )

    @property
    def by_kit(self) -> bool:
        """Whether a device kit recorded it, rather than `sfsc-deploy embed`."""
        return KIT in self.recording.tools

    @property
    def again(self) -> str:
        """The command that records it anew, on its device."""
        if self.by_kit:
            return "python3 run.pyz --overwrite"
        return f"sfsc-deploy embed {self.recording.artifact} --out {self.name}"

    def holds_any_of(self, images: NDArray[np.uint8]) -> bool:
        """Whether one of N images, uint8 [N, H, W, 3], was recorded."""
        return any(row is not None for row in self._rows_of(images))

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As of every embedder; no batch is too large to be looked up, so that what is missing is counted once."""
        return self.embed_batch(images)

    def embed_blocks(self, blocks: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """As of every embedder; what is missing is counted over all blocks."""
        rows = [row for block in blocks for row in self._rows_of(block)]
        known = [row for row in rows if row is not None]
        if len(known) < len(rows):
            raise SfscError(
                f"{len(rows) - len(known)} of {len(rows)} images were not recorded in {self.name}.",
                f"Record them on the device: sfsc-deploy embed {self.recording.artifact} --data DIR "
                "--out OTHER.safetensors",
            )
        found: NDArray[np.float32] = self.embedding[np.array(known, np.int64)]
        return found

    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.embed_blocks([images])

    def _rows_of(self, images: NDArray[np.uint8]) -> list[int | None]:
        self._check_images(images)
        return [self.row.get(digest.tobytes()) for digest in pixel_hashes(images)]

    def _release(self) -> None:
        self.row = {}


def _labels(stored: TensorFile, count: int) -> Labels | None:
    if "identity" not in stored.arrays:
        return None
    camera = stored.take("camera", np.int64, (count,)) if "camera" in stored.arrays else None
    return Labels(stored.take("identity", np.int64, (count,)), camera)
