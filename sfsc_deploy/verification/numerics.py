"""Are embeddings numbers, of norm 1, and different for different images?"""

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.runtime.recorded import pixel_hashes
from sfsc_deploy.verification.judgement import MORE_IMAGES
from sfsc_deploy.verification.thresholds import MAX_MEDIAN_COSINE, Thresholds
from sfsc_deploy.verification.verdict import Finding, measured, unverified

SAMPLE = 1024
"""Rows whose pairs are compared: half a million."""


def finite(embedding: NDArray[np.float32]) -> Finding:
    """No row [N, D] holds NaN or infinity."""
    if not len(embedding):
        return unverified("There are no images.", MORE_IMAGES)
    bad = np.flatnonzero(~np.isfinite(embedding).all(axis=1))
    where = f", the first of them row {bad[0]}" if bad.size else ""
    return measured(
        bad.size == 0, f"{bad.size} of {len(embedding)} rows hold NaN or infinity{where}.", int(bad.size), 0
    )


def norm(embedding: NDArray[np.float32], limits: Thresholds) -> Finding:
    """Every row [N, D] has L2 norm 1."""
    norms = np.linalg.norm(embedding.astype(np.float64), axis=1)
    off = np.abs(norms - 1)
    worst = int(off.argmax())
    why = f"The norm of {len(norms)} rows is {norms.min():.6g} to {norms.max():.6g}; furthest from 1 is row {worst}."
    return measured(bool(off[worst] <= limits.norm), why, float(off[worst]), limits.norm)


def collapse(embedding: NDArray[np.float32], images: NDArray[np.uint8]) -> Finding:
    """Different images have different embeddings.

    Args:
        embedding: float32 [N, D]; the first 1,024 rows are looked at.
        images: uint8 [N, H, W, 3]; equal ones may have equal embeddings.
    """
    _, distinct = np.unique(pixel_hashes(images[:SAMPLE]), axis=0, return_index=True)
    if distinct.size < 2:
        return unverified("All images are the same.", MORE_IMAGES)
    rows = embedding[np.sort(distinct)].astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    median = float(np.median((rows @ rows.T)[np.triu_indices(len(rows), k=1)]))
    why = f"The median cosine between {len(rows)} different images is {median:.6f}."
    return measured(median <= MAX_MEDIAN_COSINE, why, median, MAX_MEDIAN_COSINE)
