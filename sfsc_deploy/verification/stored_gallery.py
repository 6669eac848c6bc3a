"""Embeddings of a gallery that somebody stored already: a recording of ours, or a file of another system."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.blocks import BLOCK, ImageBlocks
from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.runtime.recorded import RecordedEmbedder, is_recording, pixel_hashes
from sfsc_deploy.tensor_file import TensorFile, read_tensors
from sfsc_deploy.verification.recordings import intact_gallery
from sfsc_deploy.verification.subject import SubModel, recorded_facts
from sfsc_deploy.verification.verdict import Finding

_STORED_TYPES = ("float32", "float16")
_FORM = (
    "Store `embedding` as float32 or float16 [G, D], with the metadata entry `path`: a JSON list of G paths, as below "
    "the folder given with --data. `sfsc-deploy embed ARTIFACT --data DIR --out FILE` writes a richer form."
)
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, eq=False)
class StoredGallery:
    """M stored rows, and of which image each is.

    Attributes:
        name: as the user named it.
        space: id of its space; None where the file doesn't say.
        sub_model: that made it, where known.
        precision: what it was computed in, where known, else what it is stored in.
        backend: what made it, where known.
        embedding: float32 [M, D].
        preprocessing: of the images behind `by_pixels`.
        by_pixels: row by the SHA-256 of an image's pixels; empty in files of other systems.
        by_path: row by path; empty in recordings of ours.
        same: int64 [M], the row that is found for the image of each: its own, unless that has several rows.
        repeated: paths that name more than one row.
        intact: whether what was recorded had the hashes of its sidecar; None where no hash goes with the rows.
    """

    name: str
    space: str | None
    sub_model: SubModel | None
    precision: str
    backend: str
    embedding: NDArray[np.float32]
    preprocessing: Preprocessing | None
    by_pixels: Mapping[bytes, int]
    by_path: Mapping[str, int]
    same: NDArray[np.int64]
    repeated: tuple[str, ...] = ()
    intact: Finding | None = None

    def rows_by_pixels(self, images: ImageBlocks) -> NDArray[np.int64]:
        """The row of each of N images, prepared by `preprocessing`: int64 [N]; -1 where there is none."""
        hashes = (digest for block in images.blocks(BLOCK) for digest in pixel_hashes(block))
        return np.array([self.by_pixels.get(digest.tobytes(), -1) for digest in hashes], np.int64)

    def rows_by_path(self, paths: Sequence[str]) -> NDArray[np.int64]:
        """The row of each of N images below its data set, int64 [N]; -1 where there is none."""
        return np.array([self.by_path.get(path, -1) for path in paths], np.int64)


def paths_of(split: Split, data: DataSet) -> list[str]:
    """Where each image of a split lies below its data set; empty for images that are no files."""
    root = data.root.parent if data.root is not None and data.root.is_file() else data.root
    return [_below(source, root) if isinstance(source, Path) else "" for source in split.sources]


def read_gallery(path: Path) -> StoredGallery:
    """Read stored embeddings.

    Raises:
        SfscError: no safetensors file, or neither a recording nor of the form that is documented for other systems.
    """
    stored = read_tensors(path)
    if not is_recording(stored):
        return _foreign(path, stored)
    with RecordedEmbedder(path) as recorded:
        if recorded.preprocessing is None:
            raise SfscError(
                f"{path} doesn't say how its images were prepared.", "Record it with the artifact's sidecar."
            )
        facts = recorded_facts(recorded)
        return StoredGallery(
            str(path),
            recorded.space,
            facts.sub_model if facts else None,
            facts.precision if facts else "float32",
            recorded.backend,
            recorded.embedding,
            recorded.preprocessing,
            by_pixels=dict(recorded.row),
            by_path={},
            same=recorded.looked_up,
            intact=intact_gallery(recorded.recording, facts),
        )


def _foreign(path: Path, stored: TensorFile) -> StoredGallery:
    rows = stored.arrays.get("embedding")
    if rows is None or rows.ndim != 2 or rows.dtype.name not in _STORED_TYPES or not rows.size:
        found = "has no tensor `embedding`" if rows is None else f"`embedding` is {rows.dtype.name} {list(rows.shape)}"
        raise SfscError(f"{path} is no stored gallery: {found}.", _FORM)
    paths = _paths(path, stored.metadata.get("path"), len(rows))
    by_path: dict[str, int] = {}
    repeated = [name for row, name in enumerate(paths) if by_path.setdefault(name, row) != row]
    return StoredGallery(
        str(path),
        _space(path, stored.metadata.get("space")),
        None,
        rows.dtype.name,
        "stored by another system",
        rows.astype(np.float32),
        preprocessing=None,
        by_pixels={},
        by_path=by_path,
        same=np.arange(len(rows)),
        repeated=tuple(repeated),
    )


def _paths(path: Path, text: str | None, count: int) -> list[str]:
    try:
        found: Any = json.loads(text or "null")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
        raise SfscError(f"{path} doesn't say which image each row is of: it has no list `path`.", _FORM)
    if len(found) != count:
        raise SfscError(f"{path} has {count} rows, but names {len(found)} paths.", _FORM)
    return [name.replace("\\", "/").removeprefix("./") for name in found]


def _space(path: Path, text: str | None) -> str | None:
    if text is not None and (len(text) != 64 or not set(text) <= _HEX):
        raise SfscError(f"{path}: its `space` is no id of a space, which has 64 hexadecimal digits.", _FORM)
    return text


def _below(source: Path, root: Path | None) -> str:
    try:
        return source.relative_to(root).as_posix() if root else source.as_posix()
    except ValueError:
        return source.as_posix()
