"""The queries that a pair answers worst, compared with the self-test of its weaker side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sfsc_deploy.metrics import Retrieval, counted
from sfsc_deploy.scores import score_blocks
from sfsc_deploy.verification.cross_test import Contestant, Searches
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.exhibits.contents import Found, LostQuery
from sfsc_deploy.verification.exhibits.gathering import Album
from sfsc_deploy.verification.judgement import MEASURE, RANK1
from sfsc_deploy.verification.verdict import Check, closest_call

MOST_QUERIES = 4


@dataclass(frozen=True)
class WeakestPair:
    """Where the criterion is met least."""

    query: str
    """What embeds the queries."""
    gallery: str
    by_rank1: bool = False
    """Whether rank-1 decided that, rather than mAP."""

    @property
    def names(self) -> tuple[str, str]:
        """Of query and gallery."""
        return self.query, self.gallery

    def quality(self, found: Retrieval) -> float:
        """What decided."""
        return found.rank(1) if self.by_rank1 else found.map


def weakest_pair(checks: Sequence[Check]) -> WeakestPair | None:
    """Where the criterion is met least; None where no pair was measured."""
    weakest = closest_call(checks)
    if weakest is None or weakest.gallery is None:
        return None
    return WeakestPair(weakest.subject, weakest.gallery, weakest.details.get(MEASURE) == RANK1)


def lost_queries(
    pair: WeakestPair, contestants: Mapping[str, Contestant], album: Album, searches: Searches | None = None
) -> tuple[str, tuple[LostQuery, ...]]:
    """The weaker side of a pair, and the queries whose first match fell back furthest.

    Args:
        pair: of two of the contestants.
        contestants: by name, both with embeddings of the same images.
        album: of these images.
        searches: what was measured of them before.
    """
    searches = searches or Searches()
    query, gallery = sides = [contestants[name] for name in pair.names]
    weaker = min(sides, key=lambda side: pair.quality(searches.of(side, side)))
    before, now = searches.of(weaker, weaker), searches.of(query, gallery)
    own = weaker.embedded
    lost = (
        LostQuery(
            query=album.query(row),
            rank_before=int(before.first_match[row]),
            rank_now=int(now.first_match[row]),
            found_before=first_of(own, own, row, album),
            found_now=first_of(query.embedded, gallery.embedded, row, album),
        )
        for row in furthest_back(before, now, first_alone=pair.by_rank1)
    )
    return weaker.name, tuple(lost)


def furthest_back(before: Retrieval, now: Retrieval, *, first_alone: bool = False) -> Iterator[int]:
    """The few queries whose first match fell back, those that fell furthest first.

    Args:
        before: with the weaker side alone.
        now: of the pair.
        first_alone: count only those whose first image was a match, for they are what rank-1 loses.
    """
    fell = now.first_match - before.first_match  # a query without a match has 0 in both
    if first_alone:
        fell = np.where(before.first_match == 1, fell, 0)
    for row in np.argsort(-fell, kind="stable")[:MOST_QUERIES].tolist():
        if fell[row] > 0:
            yield row


def first_of(query: Rows, gallery: Rows, row: int, album: Album) -> Found:
    """What comes first; as in retrieval, a wrong image comes before a match of equal score."""
    ((_, scores),) = score_blocks(query.query[row : row + 1], gallery.gallery, 1)
    labels, identity = gallery.gallery_labels, query.query_labels.identity[row]
    own = labels.identity == identity
    allowed = counted(query.query_labels, row, labels)
    ranked = np.lexsort((own, -np.where(allowed, scores[0], -np.inf)))
    return Found(album.gallery(int(ranked[0])), bool(own[ranked[0]]))
