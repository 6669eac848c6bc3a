"""What the trainer asks of its images: labels, and the pixels of a batch when it is due."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class TrainingImages(Protocol):
    """Labelled images, wherever their pixels are."""

    @property
    def identity(self) -> NDArray[np.int64]:
        """``[N]``, 0 .. number of identities - 1."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """Of each colour, in 0..1: subtracted before the network."""

    @property
    def std(self) -> tuple[float, float, float]:
        """Of each colour, in 0..1: divided by before the network."""

    @property
    def digest(self) -> str:
        """Tells these images and identities, in this order, from all others."""

    def expect(self, batches: Iterable[NDArray[np.int64]]) -> None:
        """Hears which batches will be read, in which order; it may read ahead."""

    def read(self, batch: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images of these indexes: ``[B]`` int64 to ``[B, H, W, 3]`` RGB."""


@dataclass(frozen=True)
class LabelledImages:
    """Training images in memory."""

    pixels: NDArray[np.uint8]
    """``[N, H, W, 3]`` RGB."""
    identity: NDArray[np.int64]
    """``[N]``, 0 .. number of identities - 1."""
    mean: tuple[float, float, float]
    """Of each colour, in 0..1: subtracted before the network."""
    std: tuple[float, float, float]
    """Of each colour, in 0..1: divided by before the network."""
    origin: str | None = None
    """The digest of what the pixels were made from; None: their own is taken."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of pixels and identities, unless they are told by their origin."""
        if self.origin is not None:
            return self.origin
        digest = hashlib.sha256(str(self.pixels.shape).encode())
        for part in (self.pixels, self.identity):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def expect(self, batches: Iterable[NDArray[np.int64]]) -> None:
        """Nothing needs to be read ahead."""

    def read(self, batch: NDArray[np.int64]) -> NDArray[np.uint8]:
        """``[B]`` int64 to ``[B, H, W, 3]``."""
        return self.pixels[batch]
