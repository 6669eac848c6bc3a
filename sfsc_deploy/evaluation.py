"""The cross-test matrix: retrieval quality with queries embedded by one model and the gallery by another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.metrics import Labels, retrieve

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From images, uint8 ``[N, H, W, 3]``, to embeddings, float32 ``[N, D]``."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The queries and the gallery of a data set, decoded once."""

    data: str
    query: NDArray[np.uint8]
    """``[Q, H, W, 3]``."""
    gallery: NDArray[np.uint8]
    """``[G, H, W, 3]``."""
    query_labels: Labels
    gallery_labels: Labels

    @classmethod
    def of(cls, data: DataSet, preprocessing: Preprocessing) -> "HeldOut":
        """Decodes and resizes the images.

        Raises:
            SfscError: an image that can't be read.
        """
        query_labels, gallery_labels = data.labels()
        query, gallery = data.query.load(preprocessing), data.gallery.load(preprocessing)
        return cls(data.name, query, gallery, query_labels, gallery_labels)


@dataclass(frozen=True)
class Evaluation:
    """Retrieval quality of every pair of models, 0 to 1."""

    data: str
    names: tuple[str, ...]
    """Of the models: rows are query models, columns gallery models."""
    map: tuple[tuple[float, ...], ...]
    rank1: tuple[tuple[float, ...], ...]
    queries: int
    """Number of queries that count."""
    gallery: int

    def to_json(self) -> dict[str, Any]:
        """As plain types."""
        return {
            "data": self.data,
            "names": list(self.names),
            "map": [list(row) for row in self.map],
            "rank1": [list(row) for row in self.rank1],
            "queries": self.queries,
            "gallery": self.gallery,
        }


def cross_test(models: Mapping[str, Embed], images: HeldOut) -> Evaluation:
    """Embeds queries and gallery once with every model and measures every pair.

    Args:
        models: by name.
        images: what to search for, and in.

    Raises:
        SfscError: no query has a match in the gallery.
    """
    embedded = {name: (embed(images.query), embed(images.gallery)) for name, embed in models.items()}
    cells = [
        [retrieve(query, gallery, images.query_labels, images.gallery_labels) for _, gallery in embedded.values()]
        for query, _ in embedded.values()
    ]
    return Evaluation(
        data=images.data,
        names=tuple(models),
        map=tuple(tuple(cell.map for cell in row) for row in cells),
        rank1=tuple(tuple(cell.rank(1) for cell in row) for row in cells),
        queries=cells[0][0].queries,
        gallery=len(images.gallery),
    )
