"""Many images for several models, block by block: decoded once, and never all in memory."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from tempfile import SpooledTemporaryFile

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.decoding import Source, without_warnings
from sfsc_deploy.data.images import Preprocessing, prepare_image

IN_MEMORY = 128 << 20
"""Bytes of pixels that are kept in memory; more of them go to a temporary file without a name."""

BLOCK = 256
"""Images of a block, where a batch isn't larger."""

_AHEAD = 2  # blocks that threads decode while the model runs


def block_of(batch: int) -> int:
    """Images of a block for a model that takes `batch` at once: so many whole batches that they are about `BLOCK`."""
    return batch * max(1, BLOCK // batch)


class ImageBlocks:
    """N images, decoded and resized when they are first asked for; to be closed.

    They are kept as pixels, because decoding takes longer than reading them back, and every model wants them.

    Args:
        sources: the images as they are stored.
        preprocessing: how they are prepared.
        keep: whether they are asked for more than once.
    """

    def __init__(self, sources: Sequence[Source], preprocessing: Preprocessing, *, keep: bool = True) -> None:
        self._keeps = keep
        self._sources = sources
        self._preprocessing = preprocessing
        self._shape = (preprocessing.height, preprocessing.width, 3)
        self._kept = 0
        self._store = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (closed with the object)

    def __len__(self) -> int:
        return len(self._sources)

    def blocks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        """All images in their order, uint8 [B, H, W, 3], `size` at a time; the last block may be smaller.

        Threads decode ahead while the caller works on a block.

        Raises:
            SfscError: an image that can't be read.
        """
        at = 0
        while at + size <= self._kept or (at < self._kept == len(self)):
            yield self._read(at, min(size, self._kept - at))
            at += size
        if at < len(self):
            yield from self._decode(min(at, len(self)), size)

    def first(self, count: int) -> NDArray[np.uint8]:
        """The first images, at most `count`, uint8 [count, H, W, 3]."""
        return next(self.blocks(count), np.empty((0, *self._shape), np.uint8))[:count]

    def close(self) -> None:
        """Drop the pixels."""
        self._store.close()

    def _read(self, at: int, count: int) -> NDArray[np.uint8]:
        image = int(np.prod(self._shape))
        self._store.seek(at * image)
        return np.frombuffer(self._store.read(count * image), np.uint8).reshape(count, *self._shape)

    def _decode(self, at: int, size: int) -> Iterator[NDArray[np.uint8]]:
        rest = iter(self._sources[at:])
        with without_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:

            def begin() -> list[Future[NDArray[np.uint8]]]:
                return [pool.submit(prepare_image, source, self._preprocessing) for source in islice(rest, size)]

            begun = deque(begin() for _ in range(_AHEAD))
            try:
                while begun and begun[0]:
                    block = np.stack([image.result() for image in begun.popleft()])
                    begun.append(begin())
                    self._keep(at, block)
                    at += len(block)
                    yield block
            finally:
                for image in (image for waiting in begun for image in waiting):
                    image.cancel()

    def _keep(self, at: int, block: NDArray[np.uint8]) -> None:
        new = block[max(self._kept - at, 0) :]
        if self._keeps and len(new):
            self._store.seek(0, os.SEEK_END)
            self._store.write(new.tobytes())
            self._kept += len(new)
