"""The training images: all in memory, or decoded by threads ahead of the steps that need them.

Threads rather than processes: Pillow decodes and resizes without holding the interpreter's lock, pixels needn't be
sent from one process to another, and nothing is forked beside torch's own threads. On a shared machine two processes
decoded thumbnails at 0.6 to 1.4 times the speed of two threads; a step on a CPU takes twenty times as long as decoding
its images, so that either would do (benchmarks/loader.py).
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.data.decoding import Source, without_warnings
from sfsc_deploy.data.images import Preprocessing, prepare_image
from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import sha256_of
from trainer.images import LabelledImages, TrainingImages

IN_MEMORY = 2**30
"""Bytes of decoded training images that are kept in memory unasked: 155,000 of 48 x 48, or 10,900 of 256 x 128."""

AHEAD = 4
"""Batches that are decoded before they are due: enough to even out slow files, too few to matter in memory."""


class LostImageError(SfscError):
    """An image that was readable before training is so no more."""


_Waiting: TypeAlias = tuple[NDArray[np.int64], list[Future[NDArray[np.uint8]]]]


@contextmanager
def training_images(data: DataSet, preprocessing: Preprocessing, workers: int | None) -> Iterator[TrainingImages]:
    """The training images of a data set. What is learned from them doesn't depend on how they are read.

    Args:
        data: whose training images are read.
        preprocessing: size and filter.
        workers: threads that decode during training; 0: all are decoded before, and kept; None: 0 where they take at
            most `IN_MEMORY` bytes, else one a core.

    Raises:
        SfscError: an image that can't be read. Where they are decoded during training, that may come as late as a
            `LostImageError` of its batch.
    """
    identity, digest = data.train_identity(), digest_of(data, preprocessing)
    if workers is None:
        decoded = len(identity) * preprocessing.height * preprocessing.width * 3
        workers = 0 if decoded <= IN_MEMORY else os.cpu_count() or 1
    if workers == 0:
        pixels = data.train.load(preprocessing)
        yield LabelledImages(pixels, identity, preprocessing.mean, preprocessing.std, digest)
        return
    with without_warnings():
        reader = ReadAhead(data.train, identity, preprocessing, digest, workers)
        try:
            yield reader
        finally:
            reader.close()


def digest_of(data: DataSet, preprocessing: Preprocessing) -> str:
    """SHA-256 of the training images as they are stored, of their identities, and of how they are prepared.

    Of the files' content: names may change, and a file may be replaced by another of its size. Reading all files takes
    a fraction of the time in which they were decoded to find the unreadable ones.

    Raises:
        SfscError: a file that can't be read.
    """
    digest = hashlib.sha256(preprocessing.model_dump_json().encode())
    digest.update(data.train_identity().data)
    with ThreadPoolExecutor() as pool:
        for part in pool.map(_sha256, data.train.sources):
            digest.update(part.encode())
    return digest.hexdigest()


def _sha256(source: Source) -> str:
    return sha256_of(source) if isinstance(source, Path) else hashlib.sha256(source).hexdigest()


class ReadAhead:
    """Training images of which only the next few batches are in memory.

    Args:
        split: the training images.
        identity: int64 [N], of each.
        preprocessing: size and filter.
        digest: tells the images from others.
        workers: threads that decode.
    """

    def __init__(
        self, split: Split, identity: NDArray[np.int64], preprocessing: Preprocessing, digest: str, workers: int
    ) -> None:
        self.identity = identity
        self.mean = preprocessing.mean
        self.std = preprocessing.std
        self.digest = digest
        self._sources = split.sources
        self._preprocessing = preprocessing
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decoding")
        self._coming: Iterator[NDArray[np.int64]] = iter(())
        self._waiting: deque[_Waiting] = deque()

    def expect(self, batches: Iterable[NDArray[np.int64]]) -> None:
        """See `TrainingImages.expect`."""
        self._coming = iter(batches)
        for _, images in self._waiting:
            for image in images:
                image.cancel()
        self._waiting.clear()
        self._fill()

    def read(self, batch: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `TrainingImages.read`.

        Raises:
            LostImageError: an image that can't be read any more; it is named.
        """
        due = self._waiting.popleft() if self._is_next(batch) else self._start(batch)
        self._fill()
        try:
            return np.stack([image.result() for image in due[1]])
        except SfscError as error:
            raise LostImageError(error.message, error.remedy) from None

    def close(self) -> None:
        """Lets the threads go, once they have done what they are at."""
        self._pool.shutdown(cancel_futures=True)

    def _is_next(self, batch: NDArray[np.int64]) -> bool:
        return bool(self._waiting) and np.array_equal(self._waiting[0][0], batch)

    def _fill(self) -> None:
        for batch in islice(self._coming, AHEAD - len(self._waiting)):
            self._waiting.append(self._start(batch))

    def _start(self, batch: NDArray[np.int64]) -> _Waiting:
        return batch, [self._pool.submit(prepare_image, self._sources[row], self._preprocessing) for row in batch]
