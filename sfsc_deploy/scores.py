"""Inner products of embeddings that don't depend on the order in which a library adds them up.

A float64 matrix product rounds each partial sum, and which partial sums there are changes with the size of the
block, the number of threads and the machine. So the embeddings are first rounded to a grid on which no partial
sum needs rounding: multiples of 2**-26 for norm 1. Then every product is a multiple of 2**-52, every partial sum
is below 1.03 (Cauchy-Schwarz), and 53 bits hold it exactly. The sum is rounded once, to float32. Near a score of
1 that takes away more than the grid does; for smaller scores the grid errs by at most 2**-26 sqrt(D), and by
about 2**-27 in practice.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.errors import SfscError

_GRID_BITS = 26
_NORM_SLACK = 0.99  # norms up to 1.01 count as 1, so that rounding of a normalised row doesn't change its grid
_BLOCK = 256
_LARGEST_NORM = 2.0**63  # the product of two such norms still fits into float32


def score_blocks(
    query: NDArray[np.float32], gallery: NDArray[np.float32], block: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Scores of `block` queries at a time, as (index of the first query, float32 [B, G]).

    Args:
        query: float32 [Q, D].
        gallery: float32 [G, D].
        block: queries at once; each takes 12 G bytes.

    Raises:
        SfscError: shapes that don't fit, or embeddings that aren't finite.
    """
    queries, images = on_grid(query, "query"), on_grid(gallery, "gallery")
    if queries.shape[1] != images.shape[1]:
        raise SfscError(
            f"Query embeddings have {queries.shape[1]} dimensions, gallery embeddings {images.shape[1]}.",
            "Compare artifacts of one embedding space.",
        )
    for start in range(0, len(queries), block):
        yield start, (queries[start : start + block] @ images.T).astype(np.float32)


def row_cosines(embedding: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of each row to the same row of the reference: float32 [N, D] twice, to float64 [N].

    A row of zeros has cosine 0: it agrees with nothing.
    """
    rows, wanted = embedding.astype(np.float64), reference.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted, axis=1)
    product: NDArray[np.float64] = (rows * wanted).sum(axis=1)
    cosine: NDArray[np.float64] = np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)
    return cosine


def mean_directions(embedding: NDArray[np.float32], identity: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean embedding of each identity, of norm 1.

    Args:
        embedding: float32 [N, D], L2-normalised.
        identity: int64 [N], 0 to K - 1, each at least once.

    Returns:
        float32 [K, D]; the mean is taken in float64.
    """
    sums = np.zeros((int(identity.max()) + 1, embedding.shape[1]))
    np.add.at(sums, identity, embedding.astype(np.float64))
    directions: NDArray[np.float32] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)
    return directions


def top_k(query: NDArray[np.float32], gallery: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Indexes [Q, k] of the k best gallery images of each query; equal scores keep the gallery's order.

    Args:
        query: float32 [Q, D], L2-normalised.
        gallery: float32 [G, D], L2-normalised.
        k: 1 to G.

    Raises:
        SfscError: k out of range, shapes that don't fit, or embeddings that aren't finite.
    """
    if not 1 <= k <= len(gallery):
        raise SfscError(f"top-k needs a k from 1 to the {len(gallery)} images of the gallery, not {k}.")
    best = np.empty((len(query), k), dtype=np.int64)
    for start, scores in score_blocks(query, gallery, _BLOCK):
        best[start : start + len(scores)] = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return best


def on_grid(embedding: NDArray[np.float32], name: str) -> NDArray[np.float64]:
    """Round each row of `embedding` [N, D] to the grid of its own norm: at most 2**-27 off for norm 1.

    The grid of a row is the power of two above its norm times 2**-26, whatever the other rows are.

    Raises:
        SfscError: not [N, D], or a row isn't finite (`name` says whose).
    """
    if embedding.ndim != 2:
        raise SfscError(f"The {name} embeddings need shape [N, D], not {list(embedding.shape)}.")
    rows = np.ascontiguousarray(embedding, dtype=np.float64)
    norm = np.linalg.norm(rows, axis=1)
    _check_finite(norm, name)
    exponent = np.frexp(norm * _NORM_SLACK)[1] - _GRID_BITS
    step = np.ldexp(1.0, exponent)[:, np.newaxis]
    rounded: NDArray[np.float64] = np.rint(rows / step) * step
    return rounded


def _check_finite(norm: NDArray[np.float64], name: str) -> None:
    bad = np.flatnonzero(~(norm < _LARGEST_NORM))
    if bad.size:
        raise SfscError(
            f"{bad.size} of {norm.size} {name} embeddings can't be ranked: number {bad[0]} has norm {norm[bad[0]]}.",
            "Embeddings must be finite and normalised: check the model and its input.",
        )
