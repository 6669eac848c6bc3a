"""The queries that a pair answers worst, compared with the self-test of its weaker side."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.metrics import JUNK, Labels, Retrieval, retrieve
from sfsc_deploy.scores import score_blocks
from sfsc_deploy.verification.cross_test import Contestant
from sfsc_deploy.verification.embedding import Rows
from sfsc_deploy.verification.exhibits.contents import Found, LostQuery
from sfsc_deploy.verification.exhibits.gathering import Album
from sfsc_deploy.verification.verdict import Check

MOST_QUERIES = 4


def weakest_pair(checks: Sequence[Check]) -> tuple[str, str] | None:
    """What embeds query and gallery where the criterion is met least; None where no pair was measured."""
    judged = [check for check in checks if check.name == "criterion" and isinstance(check.value, float)]
    weakest = min(judged, key=lambda check: float(check.value or 0), default=None)
    return (weakest.subject, weakest.gallery) if weakest and weakest.gallery else None


def lost_queries(
    pair: tuple[str, str], contestants: Mapping[str, Contestant], album: Album
) -> tuple[str, tuple[LostQuery, ...]]:
    """The weaker side of a pair, and the queries whose first match fell back furthest.

    Args:
        pair: names of what embeds the queries, and the gallery.
        contestants: by name, both with embeddings of the same images.
        album: of these images.
    """
    query, gallery = (_rows(contestants[name]) for name in pair)
    sides = {name: _retrieve(_rows(contestants[name]), _rows(contestants[name])) for name in pair}
    weaker = min(pair, key=lambda name: sides[name].map)
    before, now = sides[weaker], _retrieve(query, gallery)
    own = _rows(contestants[weaker])
    lost = (
        LostQuery(
            query=album.query(row),
            rank_before=int(before.first_match[row]),
            rank_now=int(now.first_match[row]),
            found_before=first_of(own, own, row, album),
            found_now=first_of(query, gallery, row, album),
        )
        for row in furthest_back(before, now)
    )
    return weaker, tuple(lost)


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
    allowed = (labels.identity != JUNK) & ~(own & _same_camera(query.query_labels, row, labels))
    ranked = np.lexsort((own, -np.where(allowed, scores[0], -np.inf)))
    return Found(album.gallery(int(ranked[0])), bool(own[ranked[0]]))


def _same_camera(query: Labels, row: int, gallery: Labels) -> NDArray[np.bool_]:
    if query.camera is None or gallery.camera is None:
        return np.zeros(len(gallery), np.bool_)
    return np.asarray(gallery.camera == query.camera[row])


def _retrieve(query: Rows, gallery: Rows) -> Retrieval:
    return retrieve(query.query, gallery.gallery, query.query_labels, gallery.gallery_labels)


def _rows(contestant: Contestant) -> Rows:
    assert isinstance(contestant.rows, Rows)
    return contestant.rows
