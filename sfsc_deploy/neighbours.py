"""What queries find, as pictures: the nearest gallery images of a few of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.evaluation import Embed, HeldOut
from sfsc_deploy.metrics import counted, top_k


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What some queries found."""

    queries: NDArray[np.uint8]
    """``[Q, H, W, 3]``."""
    found: NDArray[np.uint8]
    """``[Q, K, H, W, 3]``, the nearest first."""
    right: NDArray[np.bool_]
    """``[Q, K]``: whether it shows the identity of the query."""


def find_neighbours(query: Embed, gallery: Embed, images: HeldOut, *, count: int = 6, depth: int = 8) -> Neighbours:
    """Searches for a few queries, evenly spread over the data set, by its own protocol.

    Args:
        query: embeds the queries.
        gallery: embeds the gallery.
        images: where both are from.
        count: number of queries, at most.
        depth: number of neighbours of each, at most.
    """
    rows = np.unique(np.linspace(0, len(images.query) - 1, count).astype(np.int64))
    allowed = [np.flatnonzero(counted(images.query_labels, row, images.gallery_labels)) for row in rows]
    depth = min(depth, *(len(columns) for columns in allowed))
    queries, candidates = query(images.query[rows]), gallery(images.gallery)
    found = np.stack(
        [columns[top_k(queries[i : i + 1], candidates[columns], depth)[0]] for i, columns in enumerate(allowed)]
    )
    right = images.gallery_labels.identity[found] == images.query_labels.identity[rows, None]
    return Neighbours(images.query[rows], images.gallery[found], right)
