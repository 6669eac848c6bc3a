"""What a data set is, however it is stored: images to train on, queries, and a gallery to find them in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.decoding import Source
from sfsc_deploy.data.images import Preprocessing, read_images
from sfsc_deploy.metrics import JUNK, Labels

JUNK_IDENTITY = ""
"""Identity of images to leave out of every measurement; no folder can have this name."""


@dataclass(frozen=True)
class Split:
    """N images of one purpose.

    Attributes:
        sources: the images as they are stored: files, or the bytes of files.
        identity: whom each image shows, by name.
        camera: which camera took each image; None where that isn't known of all.
    """

    sources: tuple[Source, ...] = ()
    identity: tuple[str, ...] = ()
    camera: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.sources), len(self.identity), len(self.sources if self.camera is None else self.camera)}
        if len(lengths) > 1:
            raise ValueError(f"images, identities and cameras of a split differ in number: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def identities(self) -> frozenset[str]:
        """The names that occur, without junk."""
        return frozenset(self.identity) - {JUNK_IDENTITY}

    def raw(self, row: int) -> bytes:
        """The encoded image, as it is stored."""
        source = self.sources[row]
        return source.read_bytes() if isinstance(source, Path) else source

    def load(self, preprocessing: Preprocessing) -> NDArray[np.uint8]:
        """All images, decoded and resized.

        Returns:
            uint8 [N, H, W, 3], RGB.

        Raises:
            SfscError: an image that can't be read.
        """
        return read_images(self.sources, preprocessing)

    def labels(self, vocabulary: Mapping[str, int]) -> Labels:
        """The labels as numbers, identities by the vocabulary; junk is `metrics.JUNK`.

        Raises:
            KeyError: an identity that isn't in the vocabulary.
        """
        numbers = [JUNK if name == JUNK_IDENTITY else vocabulary[name] for name in self.identity]
        camera = None if self.camera is None else np.array(self.camera, np.int64)
        return Labels(np.array(numbers, np.int64), camera)

    def keep(self, rows: Iterable[int]) -> "Split":
        """The split with these images only."""
        rows = tuple(rows)
        return Split(
            sources=tuple(self.sources[row] for row in rows),
            identity=tuple(self.identity[row] for row in rows),
            camera=None if self.camera is None else tuple(self.camera[row] for row in rows),
        )


@dataclass(frozen=True)
class DataSet:
    """Images to train on, and others to measure retrieval with.

    Attributes:
        name: for people and for the names of runs.
        root: the folder or file that it was opened from; None for the drawn set.
        train: images to train on; empty where only a measurement was asked for.
        query: images to search with.
        gallery: images to search in; may hold junk, and identities that no query has.
        skipped: unreadable files that were left out.
    """

    name: str
    root: Path | None
    train: Split
    query: Split
    gallery: Split
    skipped: tuple[Path, ...] = ()

    def labels(self) -> tuple[Labels, Labels]:
        """Labels of query and gallery, whose identities are numbered together (by sorted name)."""
        names = sorted(self.query.identities | self.gallery.identities)
        vocabulary = {name: number for number, name in enumerate(names)}
        return self.query.labels(vocabulary), self.gallery.labels(vocabulary)

    def train_identity(self) -> NDArray[np.int64]:
        """Identities of the training images, int64 [N], 0 to K - 1 by sorted name."""
        vocabulary = {name: number for number, name in enumerate(sorted(self.train.identities))}
        return self.train.labels(vocabulary).identity
