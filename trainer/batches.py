"""Identity-balanced batches: P identities with K images each, in an order that seed and epoch decide alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BalancedBatches:
    """Draws an epoch's batches.

    Args:
        identity: ``[N]`` int64.
        identities_per_batch: P.
        images_per_identity: K.
        seed: makes the order repeatable.
    """

    identity: NDArray[np.int64]
    identities_per_batch: int
    images_per_identity: int
    seed: int

    def __len__(self) -> int:
        """Number of batches of an epoch: as many as it takes to see about every image once."""
        size = self.identities_per_batch * self.images_per_identity
        return max(1, round(len(self.identity) / size))

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """Indexes of the images of each batch, ``[P * K]`` int64; no batch holds an identity twice."""
        rng = np.random.default_rng((self.seed, number))
        _, counts = np.unique(self.identity, return_counts=True)
        images = np.split(np.argsort(self.identity, kind="stable"), np.cumsum(counts)[:-1])
        queues: list[list[np.int64]] = [[] for _ in images]
        batches = []
        for _ in range(len(self)):
            # Identities with more images come more often, so that every image is seen about as often.
            chosen = rng.choice(len(images), self.identities_per_batch, replace=False, p=counts / counts.sum())
            batches.append(np.concatenate([self._take(queues[i], images[i], rng) for i in chosen]))
        return batches

    def _take(self, queue: list[np.int64], images: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        while len(queue) < self.images_per_identity:
            # Those still waiting go to the end of the next round, so that no image comes twice in a batch without need.
            queue.extend(sorted(rng.permutation(images), key=queue.__contains__))
        taken = np.array(queue[: self.images_per_identity], dtype=np.int64)
        del queue[: self.images_per_identity]
        return taken
