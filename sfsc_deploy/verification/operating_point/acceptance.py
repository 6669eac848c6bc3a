"""How many pairs of a query and a gallery image a threshold on their score accepts: strangers, and the right ones.

A pair is accepted when its score is above the threshold. Pairs are those of the retrieval protocol
(`sfsc_deploy.metrics`): junk is left out, and so are images of the query's own identity by the query's own camera.
Everything is done for a block of queries at a time, so that memory doesn't grow with the number of pairs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import JUNK, Labels
from sfsc_deploy.scores import score_blocks

MOST_CLUSTERS = 1024
"""More identities than that are drawn in groups: intervals stay valid, as groups are independent like their members."""

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which pairs of Q queries and G gallery images count, and to which of C clusters of identities they belong.

    Attributes:
        query: labels of the queries.
        gallery: labels of the gallery images.
        query_cluster: int64 [Q].
        gallery_cluster: int64 [G].
        clusters: C.
    """

    query: Labels
    gallery: Labels
    query_cluster: NDArray[np.int64]
    gallery_cluster: NDArray[np.int64]
    clusters: int

    @classmethod
    def of(cls, query: Labels, gallery: Labels) -> "Pairs":
        """Those of the protocol."""
        everyone, place = np.unique(np.concatenate([query.identity, gallery.identity]), return_inverse=True)
        cluster = place.astype(np.int64) % MOST_CLUSTERS
        count = min(len(everyone), MOST_CLUSTERS)
        return cls(query, gallery, cluster[: len(query)], cluster[len(query) :], count)

    def masks(self, start: int, count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Pairs of strangers and right pairs of some queries, each bool [count, G]."""
        rows = slice(start, start + count)
        who, known = self.query.identity[rows, np.newaxis], self.gallery.identity[np.newaxis]
        own, counted = who == known, (who != JUNK) & (known != JUNK)
        right = own & counted
        if self.query.camera is not None and self.gallery.camera is not None:
            right &= self.query.camera[rows, np.newaxis] != self.gallery.camera[np.newaxis]
        return counted & ~own, right

    @cached_property
    def strangers(self) -> NDArray[np.float64]:
        """How many pairs of strangers each pair of clusters has, float64 [C, C]: queries by gallery."""
        queries, images = self.query.identity, self.gallery.identity
        shown = np.bincount(self.query_cluster[queries != JUNK], minlength=self.clusters).astype(np.float64)
        searched = np.bincount(self.gallery_cluster[images != JUNK], minlength=self.clusters).astype(np.float64)
        pairs = np.outer(shown, searched)
        everyone, times = np.unique(images[images != JUNK], return_counts=True)
        known = dict(zip(everyone.tolist(), times.tolist(), strict=True))
        for who, cluster in zip(queries.tolist(), self.query_cluster.tolist(), strict=True):
            pairs[cluster, cluster] -= known.get(who, 0)
        return pairs


@dataclass(frozen=True, eq=False)
class Accepted:
    """What a threshold accepts.

    Attributes:
        strangers: accepted pairs of strangers by cluster of query and of gallery image, float64 [C, C].
        right: accepted right pairs by cluster, float64 [C].
        all_right: all right pairs by cluster, float64 [C].
    """

    strangers: NDArray[np.float64]
    right: NDArray[np.float64]
    all_right: NDArray[np.float64]

    @property
    def tpr(self) -> float:
        """Share of the right pairs that are accepted; NaN where there are none."""
        everything = float(self.all_right.sum())
        return float(self.right.sum()) / everything if everything else math.nan


def accepted(query: NDArray[np.float32], gallery: NDArray[np.float32], pairs: Pairs, threshold: float) -> Accepted:
    """Count what a threshold accepts.

    Args:
        query: float32 [Q, D], unit rows.
        gallery: float32 [G, D], unit rows.
        pairs: which count.
        threshold: a score; what is above it is accepted.
    """
    count = pairs.clusters
    strangers, right, all_right = np.zeros(count * count), np.zeros(count), np.zeros(count)
    for rows, cluster, scores in _blocks(query, gallery, pairs):
        stranger, own = pairs.masks(rows, len(scores))
        above = scores > threshold
        one, other = np.nonzero(stranger & above)
        cells = cluster[one] * count + pairs.gallery_cluster[other]
        strangers += np.bincount(cells, minlength=count * count)
        right += np.bincount(cluster, weights=(own & above).sum(axis=1), minlength=count)
        all_right += np.bincount(cluster, weights=own.sum(axis=1), minlength=count)
    return Accepted(strangers.reshape(count, count), right, all_right)


def tuned(query: NDArray[np.float32], gallery: NDArray[np.float32], pairs: Pairs, fpr: float) -> float:
    """The lowest threshold that accepts at most `fpr` of the pairs of strangers, of which there must be some.

    Args:
        query: float32 [Q, D], unit rows.
        gallery: float32 [G, D], unit rows.
        pairs: which count.
        fpr: false positive rate, 0 to 1.
    """
    above = int(fpr * pairs.strangers.sum())
    best = np.empty(0, np.float32)
    for rows, _, scores in _blocks(query, gallery, pairs):
        stranger, _ = pairs.masks(rows, len(scores))
        best = np.concatenate([best, scores[stranger]])
        if len(best) > above + 1:
            best = np.partition(best, len(best) - above - 1)[len(best) - above - 1 :]
    return float(best.min())


def _blocks(
    query: NDArray[np.float32], gallery: NDArray[np.float32], pairs: Pairs
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
    """Index of the first query, clusters [B] and scores [B, G] of some queries at a time."""
    for start, scores in score_blocks(query, gallery, _BLOCK):
        yield start, pairs.query_cluster[start : start + len(scores)], scores
