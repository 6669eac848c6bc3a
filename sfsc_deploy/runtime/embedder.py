"""The interface that every backend fills: images in, embeddings out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType, TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.artifact import Sidecar
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.errors import SfscError

MAX_BATCH = 64
RECORDED_ON = ", recorded on "
"""Between the backend of recorded embeddings and the device that it ran on."""
STAND_IN = "reference executor"
"""How a backend is called that checks a conversion in place of the software of the device."""

_Self = TypeVar("_Self", bound="Embedder")


class Embedder(ABC):
    """One artifact or reference, ready to embed; a context manager that frees what it holds.

    Attributes:
        name: how messages call it: its path, with the width of a run folder.
        backend: what runs it, with version, e.g. "onnxruntime 1.32.0, CPUExecutionProvider".
        dim: D of the embedding.
        space: id of the embedding space; None where the file doesn't say.
        preprocessing: how images are to be decoded and resized; None where the file doesn't say.
        sidecar: the record beside the artifact; None where there is none.
        size: expected height and width of images; None where the file doesn't say.
        max_batch: most images in one call of the backend.
        one_by_one: whether the backend takes one image at a time, so that a batch is a loop.
        metadata: text that the artifact itself holds, by key.
    """

    metadata: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        name: str,
        *,
        backend: str,
        dim: int,
        space: str | None,
        preprocessing: Preprocessing | None,
        sidecar: Sidecar | None = None,
        size: tuple[int, int] | None = None,
        max_batch: int = MAX_BATCH,
        one_by_one: bool = False,
    ) -> None:
        if max_batch < 1:
            raise SfscError(f"A batch cannot hold {max_batch} images.", "Give a batch size of at least 1.")
        self.name = name
        self.backend = backend
        self.dim = dim
        self.space = space
        self.preprocessing = preprocessing
        self.sidecar = sidecar
        self.size = size
        self.max_batch = max_batch
        self.one_by_one = one_by_one
        self._closed = False

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed any number of images, `max_batch` at a time.

        Args:
            images: uint8 [N, H, W, 3], RGB.

        Returns:
            float32 [N, D], as the artifact gives it: neither its norm nor its finiteness is checked here.

        Raises:
            SfscError: other images than the artifact takes, a failure of the backend, or a closed embedder.
        """
        self._check_images(images)
        starts = range(0, len(images), self.max_batch)
        parts = [self._embed_checked(images[start : start + self.max_batch]) for start in starts]
        return np.concatenate([np.empty((0, self.dim), np.float32), *parts])

    def embed_blocks(self, blocks: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed blocks one after the other, as `embed` does all their images; whole batches keep its batches."""
        return np.concatenate([np.empty((0, self.dim), np.float32), *(self.embed(block) for block in blocks)])

    def embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed all images in exactly one call of the backend, whatever `max_batch` is; else as `embed`."""
        self._check_images(images)
        return self._embed_checked(images) if len(images) else np.empty((0, self.dim), np.float32)

    def close(self) -> None:
        """Free what the backend holds; closing again does nothing."""
        if not self._closed:
            self._closed = True
            self._release()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _embed_batch(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed one batch, N >= 1; raises SfscError naming N where the backend fails."""

    @abstractmethod
    def _release(self) -> None:
        """Drop sessions, weights and other resources; called once."""

    def _check_images(self, images: NDArray[np.uint8]) -> None:
        if self._closed:
            raise SfscError(f"{self.name} is closed already.", "Load it again.")
        height, width = self.size or ("H", "W")
        fits = images.ndim == 4 and images.shape[3] == 3
        if images.dtype != np.uint8 or not fits or self.size not in (None, images.shape[1:3]):
            raise SfscError(
                f"{self.name} takes images as uint8 [N, {height}, {width}, 3], "
                f"not {images.dtype} {list(images.shape)}.",
                "Read them with the preprocessing that its sidecar states.",
            )

    def _embed_checked(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        embedding = self._embed_batch(images)
        if embedding.dtype != np.float32 or embedding.shape != (len(images), self.dim):
            raise SfscError(
                f"{self.name} gave {embedding.dtype} {list(embedding.shape)} for {len(images)} images, "
                f"expected float32 [{len(images)}, {self.dim}].",
                "It was not made by this product, or not for this batch size: export it anew.",
            )
        return embedding
