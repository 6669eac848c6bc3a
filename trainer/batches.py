"""Identity-balanced batches: P identities with K images each, in an order that seed and epoch decide alone."""

from collections import defaultdict
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
        images = {i: np.flatnonzero(self.identity == i) for i in np.unique(self.identity)}
        queues: defaultdict[np.int64, list[np.int64]] = defaultdict(list)
        weights = np.array([len(indexes) for indexes in images.values()], dtype=np.float64)
        batches = []
        for _ in range(len(self)):
            chosen = _choose(rng, list(images), weights, self.identities_per_batch)
            picks = [self._take(queues[i], images[i], rng) for i in chosen]
            batches.append(np.concatenate(picks))
        return batches

    def _take(self, queue: list[np.int64], images: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        while len(queue) < self.images_per_identity:
            # Those still waiting go to the end of the next round, so that no image comes twice in a batch without need.
            queue.extend(sorted(rng.permutation(images), key=queue.__contains__))
        taken = np.array(queue[: self.images_per_identity], dtype=np.int64)
        del queue[: self.images_per_identity]
        return taken


def _choose(
    rng: np.random.Generator, identities: list[np.int64], weights: NDArray[np.float64], count: int
) -> list[np.int64]:
    """Draws different identities, those with more images more often, so that every image is seen about as often."""
    picks = rng.choice(len(identities), size=count, replace=False, p=weights / weights.sum())
    return [identities[pick] for pick in picks]
