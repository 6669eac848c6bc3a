"""Retrieval quality: average precision and rank-k of queries against a gallery, in numpy alone.

The protocol is that of Market-1501 (Zheng et al., Scalable Person Re-identification, ICCV 2015): average
precision is the plain one (precision at each match, not interpolated), images of the query's own identity taken
by the query's own camera are left out, junk is left out, distractors count as wrong.

What is measured depends neither on the order of the images nor on the block size: scores are exact sums (see
`sfsc_deploy.scores`), and a wrong image ranks before a match of equal score. So ties are never decided by
chance, and a collapsed embedding gains nothing from them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.bootstrap import Interval, bootstrap, paired_bootstrap
from sfsc_deploy.errors import SfscError
from sfsc_deploy.scores import score_blocks, top_k

__all__ = ["JUNK", "Interval", "Labels", "Retrieval", "bootstrap", "counted", "paired_bootstrap", "retrieve", "top_k"]

JUNK = -1
"""Identity of images that are left out altogether; a distractor is simply an identity that no query has."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Whom each of N images shows, and which camera took it.

    Attributes:
        identity: int64 [N], each `JUNK` or at least 0.
        camera: int64 [N], or None where the data set tells no cameras.
    """

    identity: NDArray[np.int64]
    camera: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.camera is not None and self.camera.shape != self.identity.shape:
            raise SfscError(f"{len(self.identity)} identities and {len(self.camera)} cameras don't go together.")

    def __len__(self) -> int:
        return len(self.identity)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """How well each of Q queries was answered.

    Attributes:
        average_precision: float64 [Q], 0 to 1; NaN for a query without a match in the gallery: it isn't counted.
        first_match: int64 [Q], rank of the best match, counted from 1; 0 for a query without one.
    """

    average_precision: NDArray[np.float64]
    first_match: NDArray[np.int64]

    @property
    def queries(self) -> int:
        """How many queries are counted."""
        return int(np.count_nonzero(self.first_match))

    @property
    def map(self) -> float:
        """Mean average precision of the counted queries, 0 to 1.

        Raises:
            SfscError: no query is counted.
        """
        return self._mean(self.average_precision)

    def rank(self, k: int) -> float:
        """Share of the counted queries with a match among their first k images, 0 to 1.

        Raises:
            SfscError: no query is counted.
        """
        return self._mean(self.first_match <= k)

    def _mean(self, value: NDArray[np.float64] | NDArray[np.bool_]) -> float:
        counted = value[self.first_match > 0]
        if not counted.size:
            raise SfscError(
                "No query has a match in the gallery.",
                "The gallery must show identities of the queries, by another camera where cameras are known.",
            )
        # fsum rounds once, whatever the order of the queries.
        return math.fsum(counted.tolist()) / counted.size


def retrieve(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_labels: Labels,
    gallery_labels: Labels,
    *,
    block: int = 256,
) -> Retrieval:
    """Rank the gallery by inner product for each query, and measure the ranking.

    Args:
        query: float32 [Q, D], L2-normalised.
        gallery: float32 [G, D], L2-normalised.
        query_labels: of the Q queries; a junk query isn't counted.
        gallery_labels: of the G gallery images. The camera rule holds where both sides tell cameras.
        block: queries scored at once; each takes 12 G bytes.

    Raises:
        SfscError: shapes that don't fit, or embeddings that aren't finite.
    """
    _check_lengths(query, query_labels, "query")
    _check_lengths(gallery, gallery_labels, "gallery")
    owned = _images_by_identity(gallery_labels)
    junk = owned.pop(JUNK, _NONE)
    average_precision = np.full(len(query), np.nan)
    first_match = np.zeros(len(query), dtype=np.int64)
    for start, scores in score_blocks(query, gallery, block):
        scores[:, junk] = -np.inf
        for row, row_scores in enumerate(scores, start):
            own = owned.get(int(query_labels.identity[row]), _NONE)
            match = own[_other_camera(query_labels, row, gallery_labels, own)]
            if match.size:
                ranks = _match_ranks(row_scores, match, own)
                average_precision[row] = np.mean(np.arange(1, ranks.size + 1) / ranks)
                first_match[row] = ranks[0]
    return Retrieval(average_precision, first_match)


_FEW = 32  # from about here on, counting takes longer than sorting


def counted(query: Labels, row: int, gallery: Labels) -> NDArray[np.bool_]:
    """Which images of a gallery count for a query, bool [G]: no junk, none of its identity by its own camera."""
    own = gallery.identity == query.identity[row]
    other = _other_camera(query, row, gallery, np.arange(len(gallery)))
    allowed: NDArray[np.bool_] = (gallery.identity != JUNK) & (~own | other)
    return allowed


_NONE = np.empty(0, dtype=np.intp)


def _images_by_identity(labels: Labels) -> dict[int, NDArray[np.intp]]:
    order = np.argsort(labels.identity, kind="stable")
    identity, start = np.unique(labels.identity[order], return_index=True)
    end = np.append(start, order.size)[1:]
    return {int(who): order[a:b] for who, a, b in zip(identity, start, end, strict=True)}


def _other_camera(query: Labels, row: int, gallery: Labels, own: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which of the query's own images `own` another camera took; all where cameras aren't known."""
    if query.camera is None or gallery.camera is None:
        return np.ones(own.size, dtype=np.bool_)
    other: NDArray[np.bool_] = gallery.camera[own] != query.camera[row]
    return other


def _match_ranks(scores: NDArray[np.float32], match: NDArray[np.intp], own: NDArray[np.intp]) -> NDArray[np.int64]:
    """Ranks [M] of the images `match`, ascending from 1; overwrites the `scores` [G] of the images `own`."""
    wanted = np.sort(scores[match])[::-1]
    scores[own] = -np.inf
    wrong = scores[scores >= wanted[-1]]
    return _at_least(wrong, wanted) + np.arange(1, wanted.size + 1)


def _at_least(wrong: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many of `wrong` [W] reach each score of `wanted` [M]: counted where M is small, else by sorting once."""
    if wanted.size <= _FEW:
        return np.array([np.count_nonzero(wrong >= score) for score in wanted], np.int64)
    return wrong.size - np.searchsorted(np.sort(wrong), wanted, side="left")


def _check_lengths(embedding: NDArray[np.float32], labels: Labels, name: str) -> None:
    if len(embedding) != len(labels):
        raise SfscError(f"{len(embedding)} {name} embeddings have {len(labels)} labels.")
