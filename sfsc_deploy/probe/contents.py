"""What a probe holds, and what must hold of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from sfsc_deploy.artifact import Sha256
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import Labels, Retrieval, retrieve
from sfsc_deploy.parsing import parse_json
from sfsc_deploy.tensor_file import TensorFile, read_tensors, write_tensors

Embed = Callable[[float, NDArray[np.uint8]], NDArray[np.float32]]
"""From a width and images (uint8 [N, H, W, 3]) to embeddings (float32 [N, D])."""

NORM_TOLERANCE = 1e-3
_KEY = "sfsc.probe"
_REFERENCE = "embedding@"
_REMEDY = "Copy probe.safetensors anew from where the artifacts were exported, or export anew."


class _Header(BaseModel):
    """The facts in the file that are no arrays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    space: Sha256
    origin: str
    preprocessing: Preprocessing


@dataclass(frozen=True, eq=False)
class Probe:
    """Images that every artifact of a space is tried on, and what the reference made of them.

    N images in the order: queries and gallery of each identity, then the patterns. Patterns are colourful drawings that
    take no part in retrieval; they exist so that e.g. BGR for RGB shows even where all images are grey.

    Attributes:
        space: id of the embedding space of the references.
        origin: name of the data set that the images were taken from.
        preprocessing: how `images` were made of `raw`.
        images: uint8 [N, H, W, 3], RGB, as an artifact takes them.
        raw: N encoded image files; empty for patterns.
        identity: int64 [N], 0 to K-1; `metrics.JUNK` for patterns.
        camera: int64 [N], or None where cameras are not known.
        is_query: bool [N].
        is_pattern: bool [N].
        reference: by width, float32 [N, D] of norm 1; empty until `with_references`.

    Raises:
        SfscError: a shape, dtype or value that does not fit the rest.
    """

    space: str
    origin: str
    preprocessing: Preprocessing
    images: NDArray[np.uint8]
    raw: tuple[bytes, ...]
    identity: NDArray[np.int64]
    camera: NDArray[np.int64] | None
    is_query: NDArray[np.bool_]
    is_pattern: NDArray[np.bool_]
    reference: Mapping[float, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_images(self)
        _check_labels(self)
        _check_references(self)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def widths(self) -> tuple[float, ...]:
        """Widths that there are references of, ascending."""
        return tuple(sorted(self.reference))

    @property
    def dim(self) -> int:
        """D of the references, of which there must be one."""
        return int(self.reference[self.widths[-1]].shape[-1])

    def retrieval(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indexes of the queries, int64 [Q], and of the gallery, int64 [G]."""
        return np.flatnonzero(self.is_query), np.flatnonzero(~self.is_query & ~self.is_pattern)

    def labels(self, rows: NDArray[np.int64]) -> Labels:
        """Labels of these images."""
        return Labels(self.identity[rows], None if self.camera is None else self.camera[rows])

    def search(self, query: NDArray[np.float32], gallery: NDArray[np.float32]) -> Retrieval:
        """How well the queries as one model embeds them are answered by the gallery as another one does.

        Args:
            query: float32 [N, D], what one model makes of all images.
            gallery: float32 [N, D], of the other.
        """
        queries, searched = self.retrieval()
        return retrieve(query[queries], gallery[searched], self.labels(queries), self.labels(searched))

    def with_references(self, widths: Iterable[float], embed: Embed) -> "Probe":
        """This probe with the reference embeddings of `widths` as `embed` makes them."""
        return replace(self, reference={width: embed(width, self.images) for width in widths})

    def with_reference(self, width: float, embedding: NDArray[np.float32]) -> "Probe":
        """This probe with one more reference, or another one: float32 [N, D] of norm 1."""
        return replace(self, reference={**self.reference, width: embedding})

    def shows_the_same(self, other: "Probe") -> bool:
        """Whether another probe has the same images in the same space, so that its references are of use here."""
        return (self.space, self.preprocessing) == (other.space, other.preprocessing) and np.array_equal(
            self.images, other.images
        )

    def save(self, path: Path) -> None:
        """Write the probe to a safetensors file.

        Raises:
            SfscError: it has no references yet.
        """
        if not self.reference:
            raise SfscError("A probe without references cannot be saved.", "Give it `with_references` first.")
        header = _Header(space=self.space, origin=self.origin, preprocessing=self.preprocessing)
        write_tensors(path, _arrays(self), _KEY, header.model_dump_json())

    @classmethod
    def load(cls, path: Path) -> "Probe":
        """Read a probe that `save` wrote.

        Raises:
            SfscError: absent, truncated, or no such probe; says what is wrong with it.
        """
        stored = read_tensors(path)
        if _KEY not in stored.metadata:
            raise SfscError(f"{path} is a safetensors file, but no probe.", _REMEDY)
        header = parse_json(_Header, stored.metadata[_KEY], path, _REMEDY)
        try:
            return _from_file(header, stored)
        except SfscError as error:
            raise SfscError(f"{path} is no usable probe: {error.message}", _REMEDY) from error


def _arrays(probe: Probe) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "image": probe.images,
        "raw": np.frombuffer(b"".join(probe.raw), np.uint8),
        "raw_offset": np.cumsum([0, *map(len, probe.raw)], dtype=np.int64),
        "identity": probe.identity,
        "is_query": probe.is_query,
        "is_pattern": probe.is_pattern,
    }
    if probe.camera is not None:
        arrays["camera"] = probe.camera
    return arrays | {f"{_REFERENCE}{width}": embedding for width, embedding in probe.reference.items()}


def _from_file(header: _Header, stored: TensorFile) -> Probe:
    return Probe(
        space=header.space,
        origin=header.origin,
        preprocessing=header.preprocessing,
        images=stored.take("image", np.uint8, (None, None, None, 3)),
        raw=_raw(stored),
        identity=stored.take("identity", np.int64, (None,)),
        camera=stored.take("camera", np.int64, (None,)) if "camera" in stored.arrays else None,
        is_query=stored.take("is_query", np.bool_, (None,)),
        is_pattern=stored.take("is_pattern", np.bool_, (None,)),
        reference=_references(stored),
    )


def _raw(stored: TensorFile) -> tuple[bytes, ...]:
    flat = stored.take("raw", np.uint8, (None,)).tobytes()
    offsets = stored.take("raw_offset", np.int64, (None,)).tolist()
    if offsets != sorted(offsets) or not offsets or (offsets[0], offsets[-1]) != (0, len(flat)):
        raise SfscError(f"`raw_offset` must rise from 0 to the length of `raw`, {len(flat)}.")
    return tuple(flat[start:end] for start, end in pairwise(offsets))


def _references(stored: TensorFile) -> dict[float, NDArray[np.float32]]:
    names = [name for name in stored.arrays if name.startswith(_REFERENCE)]
    if not names:
        raise SfscError("it has no reference embeddings.")
    return {_width(name): stored.take(name, np.float32, (None, None)) for name in names}


def _width(name: str) -> float:
    text = name.removeprefix(_REFERENCE)
    try:
        width = float(text)
    except ValueError:
        width = float("nan")
    if not 0 < width <= 1 or text != str(width):
        raise SfscError(f"tensor `{name}` names no width in (0, 1].")
    return width


def _check_images(probe: Probe) -> None:
    wanted = (len(probe.raw), probe.preprocessing.height, probe.preprocessing.width, 3)
    _expect("images", probe.images, np.uint8, wanted)


def _check_labels(probe: Probe) -> None:
    count = (len(probe.raw),)
    _expect("identity", probe.identity, np.int64, count)
    _expect("is_query", probe.is_query, np.bool_, count)
    _expect("is_pattern", probe.is_pattern, np.bool_, count)
    if probe.camera is not None:
        _expect("camera", probe.camera, np.int64, count)
    if (probe.is_query & probe.is_pattern).any():
        raise SfscError("A pattern of a probe cannot be a query.")
    if any(len(part) == 0 for part in probe.retrieval()):
        raise SfscError("A probe needs at least one query and one gallery image.")


def _check_references(probe: Probe) -> None:
    for width, embedding in probe.reference.items():
        _expect(f"reference of width {width:g}", embedding, np.float32, (len(probe.raw), probe.dim))
        with np.errstate(over="ignore"):
            norms = np.linalg.norm(embedding, axis=1)
        if not np.allclose(norms, 1, rtol=0, atol=NORM_TOLERANCE):
            raise SfscError(f"The reference of width {width:g} in a probe has rows whose norm is not 1.")


def _expect(name: str, array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise SfscError(
            f"The {name} of a probe must be {np.dtype(dtype)} {list(shape)}, not {array.dtype} {list(array.shape)}."
        )
