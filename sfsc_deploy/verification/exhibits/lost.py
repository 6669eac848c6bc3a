"""The queries that a pair answers worst, compared with the self-test of its weaker side."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sfsc_deploy.metrics import Retrieval, counted
from sfsc_deploy.scores import score_blocks
from sfsc_deploy.verification.cross_test import Contestant, Searches
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.exhibits.contents import Found, LostQuery
from sfsc_deploy.verification.exhibits.gathering import Album
from sfsc_deploy.verification.verdict import Check, closest_call

MOST_QUERIES = 4


def weakest_pair(checks: Sequence[Check]) -> tuple[str, str] | None:
    """What embeds query and gallery where the criterion is met least; None where no pair was measured."""
    weakest = closest_call(checks)
    return (weakest.subject, weakest.gallery) if weakest and weakest.gallery else None


def lost_queries(
    pair: tuple[str, str], contestants: Mapping[str, Contestant], album: Album, searches: Searches | None = None
) -> tuple[str, tuple[LostQuery, ...]]:
    """The weaker side of a pair, and the queries whose first match fell back furthest.

    Args:
        pair: names of what embeds the queries, and the gallery.
        contestants: by name, both with embeddings of the same images.
        album: of these images.
        searches: what was measured of them before.
    """
    searches = searches or Searches()
    query, gallery = sides = [contestants[name] for name in pair]
    weaker = min(sides, key=lambda side: searches.of(side, side).map)
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
        for row in furthest_back(before, now)
    )
    return weaker.name, tuple(lost)


def furthest_back(before: Retrieval, now: Retrieval) -> Iterator[int]:
    """The few queries whose first match fell back, those that fell furthest first."""
    fell = now.first_match - before.first_match  # a query without a match has 0 in both
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
